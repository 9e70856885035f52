#define _XOPEN_SOURCE     700 /* mmap, posix_fallocate */
#define _FILE_OFFSET_BITS 64
#include "data/pixel_cache.h"
#include "data/jpeg.h"

#include "core/file.h"
#include "core/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* To be raised where equal pictures would be decoded or resized to other pixels. */
#define VERSION "strata pixels 3"
enum { PAGE = 4096, PATH_ROOM = 2048 };

typedef struct header {
    char version[16];
    uint64_t key, hash; /* XXH64 of pixels and failures */
    uint32_t n[2], h, w, c, failed;
    uint64_t text_bytes; /* of the failures, which stand behind the pixels */
} header;

uint64_t pixel_cache_key(const image_list *l, const strata_image_set *shape,
                         const strata_picture_style *style)
{
    const uint32_t figures[6] = { shape->h, shape->w, shape->c, (uint32_t)style->fit, (uint32_t)style->filter,
                                  l->n };
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    XXH64_update(&state, VERSION, sizeof VERSION);
    XXH64_update(&state, jpeg_decoder(), strlen(jpeg_decoder()));
    XXH64_update(&state, figures, sizeof figures);
    XXH64_update(&state, style->background, sizeof style->background);
    for (uint32_t i = 0; i < l->n; i++) {
        const image_file *f = &l->file[i];
        const uint64_t what[4] = { f->hash, f->label, f->valid, f->seen };
        XXH64_update(&state, f->name, strlen(f->name) + 1);
        XXH64_update(&state, what, sizeof what);
    }
    return XXH64_digest(&state);
}

static strata_status cache_path(char out[PATH_ROOM], uint64_t key)
{
    char folder[PATH_ROOM - 64];
    STRATA_TRY(strata_cache_folder(folder, sizeof folder));
    snprintf(out, PATH_ROOM, "%s/pixels-%016" PRIx64, folder, key);
    return STRATA_OK;
}

/* ---- Reading ---------------------------------------------------------------------------- */

static void *map_file(const char *path, size_t *bytes)
{
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *at = MAP_FAILED;
    if (fd < 0) return NULL;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= PAGE) {
        *bytes = (size_t)info.st_size;
        at = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    return at == MAP_FAILED ? NULL : at;
}

/* What the pixels and the list ask for. */
typedef struct wanted {
    uint64_t key;
    uint32_t h, w, c, most; /* most: images */
} wanted;

/* Is it whole, and for this list? A damaged file is as good as none. */
static bool is_right(const header *h, size_t bytes, const wanted *want)
{
    const uint64_t images = (uint64_t)h->n[0] + h->n[1], one = (uint64_t)h->h * h->w * h->c;
    const uint64_t body = bytes - PAGE; /* a file of less is not mapped */
    return memcmp(h->version, VERSION, sizeof h->version) == 0 && h->key == want->key && h->h == want->h &&
           h->w == want->w && h->c == want->c && images <= want->most && body / one >= images &&
           body - images * one == h->text_bytes &&
           (!h->text_bytes || !((const char *)h)[bytes - 1]) && /* the last text has its end */
           XXH64((const char *)h + PAGE, (size_t)body, 0) == h->hash;
}

/* "NUMBER WHY" and a NUL, for each file that failed. */
static strata_status take_failures(image_list *l, const header *h, size_t bytes)
{
    const char *end = (const char *)h + bytes, *at = end - h->text_bytes;
    for (uint32_t k = 0; k < h->failed && at < end; k++, at += strlen(at) + 1) {
        char *why = NULL;
        const unsigned long i = strtoul(at, &why, 10);
        if (i >= l->n || *why != ' ') continue;
        l->file[i].why = strata_arena_text(&l->arena, why + 1);
        if (!l->file[i].why) return strata_fail(STRATA_NO_MEMORY, "no memory for the list of %s", l->folder);
    }
    return STRATA_OK;
}

/* Let a set's parts view [n] images each, one part behind the other. */
static void view(strata_data *data, const strata_image_set *shape, const uint32_t n[2], const uint8_t *pixels)
{
    for (int part = 0; part < 2; part++) {
        strata_image_set *set = part ? &data->valid : &data->train;
        set->n = n[part];
        set->h = shape->h;
        set->w = shape->w;
        set->c = shape->c;
        set->pixels = pixels;
        pixels += (size_t)n[part] * shape->h * shape->w * shape->c;
    }
}

strata_status pixel_cache_open(bool *found, strata_data *data, image_list *l, uint64_t key,
                               const strata_image_set *shape)
{
    const wanted want = { key, shape->h, shape->w, shape->c, l->n };
    char path[PATH_ROOM];
    size_t bytes = 0;
    const header *h = cache_path(path, key) == STRATA_OK ? map_file(path, &bytes) : NULL;
    *found = false;
    if (h && !is_right(h, bytes, &want)) {
        munmap((void *)(uintptr_t)h, bytes);
        h = NULL;
    }
    if (!h) return STRATA_OK;
    data->owned.mapped = (void *)(uintptr_t)h;
    data->owned.mapped_bytes = bytes;
    STRATA_TRY(take_failures(l, h, bytes));
    data->cache = strata_arena_text(&l->arena, path);
    if (!data->cache) return strata_fail(STRATA_NO_MEMORY, "no memory for the list of %s", l->folder);
    view(data, shape, h->n, (const uint8_t *)h + PAGE);
    *found = true;
    return STRATA_OK;
}

void pixel_cache_close(strata_data *data)
{
    if (data->owned.mapped) munmap(data->owned.mapped, data->owned.mapped_bytes);
    data->owned.mapped = NULL;
}

/* ---- Writing ---------------------------------------------------------------------------- */

uint64_t pixel_cache_threshold(void)
{
    uint64_t most = DATA_MOST_BYTES;
#ifdef _SC_PHYS_PAGES
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const uint64_t half = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 2 : most;
    if (half < most) most = half;
#endif
    return most;
}

/* Take the room on disk now: a write to mapped memory has no way to say that there is none. */
static int take_room(int fd, size_t bytes)
{
#ifdef __APPLE__ /* which has no posix_fallocate */
    return ftruncate(fd, (off_t)bytes) == 0 ? 0 : errno;
#else
    return posix_fallocate(fd, 0, (off_t)bytes);
#endif
}

/* A process that is killed leaves its temporary, which may be as large as the disk has room for. One that
 * nobody has written to for a day is nobody's. */
static void sweep(void)
{
    static const char ours[] = "pixels-", end[] = ".tmp";
    char folder[PATH_ROOM - 64];
    DIR *d = strata_cache_folder(folder, sizeof folder) == STRATA_OK ? opendir(folder) : NULL;
    for (const struct dirent *entry; d && (entry = readdir(d));) {
        const size_t n = strlen(entry->d_name), k = sizeof end - 1;
        struct stat info;
        if (strncmp(entry->d_name, ours, sizeof ours - 1) != 0 || strcmp(entry->d_name + n - k, end) != 0)
            continue;
        if (fstatat(dirfd(d), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) &&
            difftime(time(NULL), info.st_mtime) > 24 * 3600)
            unlinkat(dirfd(d), entry->d_name, 0);
    }
    if (d) closedir(d);
}

strata_status pixel_cache_begin(pixel_cache_maker *m, const strata_image_set *shape, uint64_t images,
                                uint64_t key)
{
    char path[PATH_ROOM];
    const uint64_t one = (uint64_t)shape->h * shape->w * shape->c, bytes = PAGE + images * one;
    strata_status status = STRATA_OK;
    *m = (pixel_cache_maker) { .shape = *shape, .key = key };
    STRATA_TRY(cache_path(path, key));
    sweep();
    if (bytes > SIZE_MAX / 2)
        return strata_fail(STRATA_FILE, "%s: %llu bytes of pixels are more than can be mapped", path,
                           (unsigned long long)bytes);
    STRATA_GO(strata_file_writer_begin(&m->file, path));
    const int full = take_room(fileno(m->file.file), (size_t)bytes);
    if (full)
        STRATA_GO(strata_fail(STRATA_FILE, "cannot write %s: %s; %llu bytes of pixels wanted", path,
                              strerror(full), (unsigned long long)bytes));
    void *at = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(m->file.file), 0);
    if (at == MAP_FAILED) STRATA_GO(strata_fail(STRATA_FILE, "cannot map %s: %s", path, strerror(errno)));
    m->mapped = at;
    m->bytes = (size_t)bytes;
    m->pixels = m->mapped + PAGE;
    return STRATA_OK;
done:
    pixel_cache_abandon(m);
    return status;
}

void pixel_cache_abandon(pixel_cache_maker *m)
{
    if (m->mapped) munmap(m->mapped, m->bytes);
    strata_file_writer_abandon(&m->file);
    *m = (pixel_cache_maker) { 0 };
}

static void put_failures(strata_text *t, header *h, const image_list *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->file[i].seen && l->file[i].why) {
            h->failed++;
            strata_text_format(t, "%u %s", (unsigned)i, l->file[i].why);
            strata_text_append(t, "", 1);
        }
    h->text_bytes = t->length;
}

/* Cut the file behind the pixels that are there, put the failures behind them and the header in front. */
static strata_status finish(pixel_cache_maker *m, header *h, const strata_text *t)
{
    const size_t pixels = ((size_t)h->n[0] + h->n[1]) * h->h * h->w * h->c;
    FILE *file = m->file.file;
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    XXH64_update(&state, m->pixels, pixels);
    XXH64_update(&state, t->length ? t->s : "", t->length);
    h->hash = XXH64_digest(&state);
    memcpy(m->mapped, h, sizeof *h);
    if (ftruncate(fileno(file), (off_t)(PAGE + pixels)) != 0 || msync(m->mapped, m->bytes, MS_SYNC) != 0 ||
        fseeko(file, (off_t)(PAGE + pixels), SEEK_SET) != 0)
        return strata_fail(STRATA_FILE, "cannot write %s: %s", m->file.path, strerror(errno));
    m->file.n_bytes = PAGE + pixels;
    STRATA_TRY(strata_file_writer_put(&m->file, t->s, t->length));
    return strata_file_writer_commit(&m->file);
}

strata_status pixel_cache_commit(pixel_cache_maker *m, strata_data *data, image_list *l)
{
    strata_text text = { 0 };
    const strata_image_set *s = &m->shape;
    header h = { .key = m->key, .n = { data->train.n, data->valid.n }, .h = s->h, .w = s->w, .c = s->c };
    strata_status status = STRATA_OK;
    memcpy(h.version, VERSION, sizeof h.version);
    put_failures(&text, &h, l);
    data->cache = strata_arena_text(&l->arena, m->file.path);
    if (text.failed || !data->cache)
        STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory to write %s", m->file.path));
    STRATA_GO(finish(m, &h, &text));
    view(data, s, h.n, m->pixels);
    data->owned.mapped = m->mapped;
    data->owned.mapped_bytes = m->bytes;
    m->mapped = NULL; /* moved: there is nothing left to release */
done:
    if (status != STRATA_OK) data->cache = NULL;
    strata_text_free(&text);
    pixel_cache_abandon(m);
    return status;
}

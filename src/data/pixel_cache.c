#define _XOPEN_SOURCE 700 /* mmap */
#include "data/pixel_cache.h"
#include "data/jpeg.h"

#include "core/file.h"
#include "core/text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* To be raised where equal pictures would be decoded or resized to other pixels. */
#define VERSION "strata pixels 1"
enum { PAGE = 4096, PATH_ROOM = 2048 };

typedef struct header {
    char version[16];
    uint64_t key, hash; /* XXH64 of failures and pixels */
    uint32_t n[2], h, w, c, failed;
    uint64_t text_bytes, pixels_at; /* of the failures; where the pixels begin */
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

/* "": there is no home for it. */
static void cache_path(char out[PATH_ROOM], uint64_t key)
{
    char folder[PATH_ROOM - 64];
    strata_cache_folder(folder, sizeof folder);
    if (*folder)
        snprintf(out, PATH_ROOM, "%s/pixels-%016" PRIx64, folder, key);
    else
        *out = '\0';
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
    const char *text = (const char *)(h + 1);
    return memcmp(h->version, VERSION, sizeof h->version) == 0 && h->key == want->key && h->h == want->h &&
           h->w == want->w && h->c == want->c && images <= want->most && h->pixels_at % PAGE == 0 &&
           h->pixels_at <= bytes && h->text_bytes <= h->pixels_at &&
           sizeof *h + h->text_bytes <= h->pixels_at && (bytes - h->pixels_at) / one >= images &&
           h->pixels_at + images * one == bytes && (!h->text_bytes || !text[h->text_bytes - 1]) &&
           XXH64((const char *)h + sizeof *h, bytes - sizeof *h, 0) == h->hash;
}

/* "NUMBER WHY" and a NUL, for each file that failed. */
static strata_status take_failures(image_list *l, const header *h)
{
    const char *at = (const char *)(h + 1), *end = at + h->text_bytes;
    for (uint32_t k = 0; k < h->failed && at < end; k++, at += strlen(at) + 1) {
        char *why = NULL;
        const unsigned long i = strtoul(at, &why, 10);
        if (i >= l->n || *why != ' ') continue;
        l->file[i].why = strata_arena_text(&l->arena, why + 1);
        if (!l->file[i].why) return strata_fail(STRATA_NO_MEMORY, "no memory for the list of %s", l->folder);
    }
    return STRATA_OK;
}

strata_status pixel_cache_open(bool *found, strata_data *data, image_list *l, uint64_t key,
                               const strata_image_set *shape)
{
    const wanted want = { key, shape->h, shape->w, shape->c, l->n };
    char path[PATH_ROOM];
    size_t bytes = 0;
    cache_path(path, key);
    const header *h = *path ? map_file(path, &bytes) : NULL;
    *found = false;
    if (h && !is_right(h, bytes, &want)) {
        munmap((void *)(uintptr_t)h, bytes);
        h = NULL;
    }
    if (!h) return STRATA_OK;
    data->owned.mapped = (void *)(uintptr_t)h;
    data->owned.mapped_bytes = bytes;
    STRATA_TRY(take_failures(l, h));
    data->cache = strata_arena_text(&l->arena, path);
    if (!data->cache) return strata_fail(STRATA_NO_MEMORY, "no memory for the list of %s", l->folder);
    for (int part = 0; part < 2; part++) {
        strata_image_set *set = part ? &data->valid : &data->train;
        set->n = h->n[part];
        set->h = h->h;
        set->w = h->w;
        set->c = h->c;
        set->pixels = (const uint8_t *)h + h->pixels_at + (part ? (size_t)h->n[0] * h->h * h->w * h->c : 0);
    }
    *found = true;
    return STRATA_OK;
}

void pixel_cache_close(strata_data *data)
{
    if (data->owned.mapped) munmap(data->owned.mapped, data->owned.mapped_bytes);
    data->owned.mapped = NULL;
}

/* ---- Writing ---------------------------------------------------------------------------- */

static void put_failures(strata_text *t, header *h, const image_list *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->file[i].seen && l->file[i].why) {
            h->failed++;
            strata_text_format(t, "%u %s", (unsigned)i, l->file[i].why);
            strata_text_append(t, "", 1);
        }
    h->text_bytes = t->length;
    h->pixels_at = (sizeof *h + t->length + PAGE - 1) / PAGE * PAGE;
    while (!t->failed && sizeof *h + t->length < h->pixels_at) strata_text_append(t, "", 1);
}

strata_status pixel_cache_write(strata_data *data, image_list *l, uint64_t key)
{
    char path[PATH_ROOM];
    strata_text text = { 0 };
    strata_file_writer w = { 0 };
    strata_status status = STRATA_OK;
    header h = { .key = key, .h = data->train.h, .w = data->train.w, .c = data->train.c };
    const size_t one = (size_t)h.h * h.w * h.c;
    XXH64_state_t state;
    cache_path(path, key);
    if (!*path)
        return strata_fail(STRATA_FILE, "the cache has no folder: neither XDG_CACHE_HOME nor HOME is set");
    memcpy(h.version, VERSION, sizeof h.version);
    put_failures(&text, &h, l);
    if (text.failed) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory to write %s", path));
    XXH64_reset(&state, 0);
    XXH64_update(&state, text.s, text.length);
    for (int part = 0; part < 2; part++) {
        const strata_image_set *set = part ? &data->valid : &data->train;
        h.n[part] = set->n;
        XXH64_update(&state, set->pixels, set->n * one);
    }
    h.hash = XXH64_digest(&state);
    STRATA_GO(strata_file_writer_begin(&w, path));
    STRATA_GO(strata_file_writer_put(&w, &h, sizeof h));
    STRATA_GO(strata_file_writer_put(&w, text.s, text.length));
    STRATA_GO(strata_file_writer_put(&w, data->train.pixels, data->train.n * one));
    STRATA_GO(strata_file_writer_put(&w, data->valid.pixels, data->valid.n * one));
    STRATA_GO(strata_file_writer_commit(&w));
    data->cache = strata_arena_text(&l->arena, path);
    if (!data->cache) status = strata_fail(STRATA_NO_MEMORY, "no memory for the list of %s", l->folder);
done:
    strata_file_writer_abandon(&w);
    strata_text_free(&text);
    return status;
}

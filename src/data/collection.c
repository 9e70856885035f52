#define _XOPEN_SOURCE 700 /* nftw */
#include "data/collection.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/file.h"
#include "core/text.h"

static strata_status no_memory(void) { return strata_fail(STRATA_NO_MEMORY, "no memory for the images"); }

void collection_note(const strata_make_observer *observer, const char *format, ...)
{
    char line[1024];
    va_list values;
    if (!observer || !observer->note) return;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    observer->note(observer->context, line);
}

/* ---- Gathering ------------------------------------------------------------------------------ */

strata_status collection_begin(collection *out, const strata_make_config *config, uint32_t size)
{
    *out = (collection) { .h = config->size ? config->size : size, .interrupt = config->interrupt };
    out->w = out->h;
    if (!config->out || !*config->out)
        return strata_fail(STRATA_BAD_ARG, "a data set wants a folder to be made in");
    if (strata_path_exists(config->out) && !strata_folder_empty(config->out))
        return strata_fail(STRATA_BAD_ARG, "%s is there and not an empty folder: wanted a new one",
                           config->out);
    STRATA_TRY(strata_folder_check(config->out));
    if (out->h < 8 || out->h > 1024)
        return strata_fail(STRATA_BAD_ARG, "--size wants 8 to 1024 pixels, got %u", (unsigned)out->h);
    if (!(config->valid_fraction >= 0 && config->valid_fraction < 1))
        return strata_fail(STRATA_BAD_ARG, "--valid-fraction wants a share in (0, 1), got %g",
                           config->valid_fraction);
    return STRATA_OK;
}

void collection_free(collection *c)
{
    free(c->pixels);
    free(c->image);
    strata_arena_free(&c->names);
    *c = (collection) { 0 };
}

bool collection_is_valid(const strata_make_config *config, const char *key)
{
    const double share = config->valid_fraction > 0 ? config->valid_fraction : 0.2;
    return ldexp((double)(XXH64(key, strlen(key), 0) >> 11), -53) < share;
}

static strata_status grow(collection *c)
{
    const uint32_t room = c->room ? 2 * c->room : 256;
    uint8_t *pixels = realloc(c->pixels, (size_t)room * c->h * c->w * c->c);
    if (pixels) c->pixels = pixels;
    collection_image *image = pixels ? realloc(c->image, room * sizeof *image) : NULL;
    if (!image) return no_memory();
    c->image = image;
    c->room = room;
    return STRATA_OK;
}

static strata_status go_on(const collection *c)
{
    return c->interrupt && *c->interrupt ? strata_fail(STRATA_INTERRUPTED, "interrupted") : STRATA_OK;
}

strata_status collection_add(collection *c, const strata_picture *picture, const collection_image *image)
{
    STRATA_TRY(go_on(c));
    if (c->n == c->room) STRATA_TRY(grow(c));
    collection_image *to = &c->image[c->n];
    *to = *image;
    to->name = strata_arena_text(&c->names, image->name);
    if (!to->name) return no_memory();
    STRATA_TRY(strata_picture_fit(c->pixels + (size_t)c->n * c->h * c->w * c->c, c->h, c->w, c->c, picture));
    c->n++;
    return STRATA_OK;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool ends_so(const char *name, const char *end)
{
    const size_t n = strlen(name), k = strlen(end);
    return name[0] != '.' && n > k && strcmp(name + n - k, end) == 0;
}

strata_status collection_names(const char ***names, uint32_t *n, strata_arena *arena, const char *folder,
                               const char *end)
{
    strata_status status = STRATA_OK;
    const char **found = NULL;
    uint32_t room = 0;
    DIR *d = opendir(folder);
    *n = 0;
    if (!d) return strata_fail(STRATA_FILE, "cannot read folder %s: %s", folder, strerror(errno));
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        if (!ends_so(e->d_name, end)) continue;
        if (*n == room) {
            room = room ? 2 * room : 64;
            const char **grown = realloc(found, room * sizeof *grown);
            if (!grown) STRATA_GO(no_memory());
            found = grown;
        }
        found[*n] = strata_arena_text(arena, e->d_name);
        if (!found[(*n)++]) STRATA_GO(no_memory());
    }
    *names = strata_arena_take(arena, (*n + 1) * sizeof **names);
    if (!*names) STRATA_GO(no_memory());
    if (*n) {
        qsort(found, *n, sizeof *found, by_bytes);
        memcpy(*names, found, *n * sizeof *found);
    }
done:
    closedir(d);
    free(found);
    return status;
}

/* ---- Keeping some ---------------------------------------------------------------------------- */

typedef struct drawn {
    uint64_t hash;
    uint32_t number;
} drawn;

static int by_hash(const void *a, const void *b)
{
    const drawn *x = a, *y = b;
    return x->hash != y->hash ? (x->hash < y->hash ? -1 : 1)
                              : (x->number > y->number) - (x->number < y->number);
}

/* Leave `per_class` training images of each class, those whose hash with the seed is least. */
static strata_status keep_some(collection *c, uint32_t per_class, uint64_t seed)
{
    const size_t bytes = (size_t)c->h * c->w * c->c;
    uint32_t *kept = calloc(c->classes, sizeof *kept), n = 0;
    drawn *draw = malloc((c->n + 1) * sizeof *draw);
    bool *leave = calloc(c->n + 1, sizeof *leave);
    strata_status status = kept && draw && leave ? STRATA_OK : no_memory();
    for (uint32_t i = 0; status == STRATA_OK && i < c->n; i++)
        if (!c->image[i].valid)
            draw[n++] = (drawn) { XXH64(c->image[i].name, strlen(c->image[i].name), seed), i };
    if (status == STRATA_OK) qsort(draw, n, sizeof *draw, by_hash);
    for (uint32_t i = 0; status == STRATA_OK && i < n; i++)
        leave[draw[i].number] = kept[c->image[draw[i].number].label]++ >= per_class;
    n = 0;
    for (uint32_t i = 0; status == STRATA_OK && i < c->n; i++) {
        if (leave[i]) continue;
        c->image[n] = c->image[i];
        memmove(c->pixels + n++ * bytes, c->pixels + i * bytes, bytes);
    }
    if (status == STRATA_OK) c->n = n;
    free(kept);
    free(draw);
    free(leave);
    return status;
}

/* ---- Writing ----------------------------------------------------------------------------------- */

static const char *const part_name[2] = { "train", "valid" };
static const char *const idx_part_name[2] = { "train", "t10k" };

static strata_status write_pngs(const collection *c, const char *folder)
{
    const size_t bytes = (size_t)c->h * c->w * c->c;
    char path[4096];
    for (uint32_t k = 0; k < 2 * c->classes; k++) {
        snprintf(path, sizeof path, "%s/%s/%s", folder, part_name[k % 2], c->class_name[k / 2]);
        STRATA_TRY(strata_folder_make(path));
    }
    for (uint32_t i = 0; i < c->n; i++) {
        const collection_image *image = &c->image[i];
        const strata_picture picture = { c->pixels + i * bytes, c->h, c->w, c->c };
        uint8_t *png;
        size_t n;
        STRATA_TRY(go_on(c));
        snprintf(path, sizeof path, "%s/%s/%s/%s.png", folder, part_name[image->valid],
                 c->class_name[image->label], image->name);
        STRATA_TRY(strata_picture_encode(&png, &n, &picture));
        const strata_status status = strata_file_put(path, png, n);
        free(png);
        STRATA_TRY(status);
    }
    return STRATA_OK;
}

static uint8_t *put_word(uint8_t *to, uint32_t word)
{
    for (int i = 0; i < 4; i++) *to++ = (uint8_t)(word >> (24 - 8 * i));
    return to;
}

static strata_status write_idx_part(const collection *c, const char *folder, bool valid, uint32_t n)
{
    const size_t bytes = (size_t)c->h * c->w;
    char path[4096];
    uint8_t *images = malloc(16 + n * bytes), *labels = malloc(8 + n), *to = images, *label = labels;
    strata_status status = images && labels ? STRATA_OK : no_memory();
    if (status == STRATA_OK) {
        to = put_word(put_word(put_word(put_word(to, 0x0803), n), c->h), c->w);
        label = put_word(put_word(label, 0x0801), n);
        for (uint32_t i = 0; i < c->n; i++) {
            if (c->image[i].valid != valid) continue;
            memcpy(to, c->pixels + i * bytes, bytes);
            to += bytes;
            *label++ = (uint8_t)c->image[i].label;
        }
        snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", folder, idx_part_name[valid]);
        status = strata_file_put(path, images, (size_t)(to - images));
    }
    if (status == STRATA_OK) {
        snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", folder, idx_part_name[valid]);
        status = strata_file_put(path, labels, (size_t)(label - labels));
    }
    free(images);
    free(labels);
    return status;
}

static strata_status write_idx(const collection *c, const char *folder, const strata_made *made)
{
    strata_text classes = { 0 };
    char path[4096];
    STRATA_TRY(write_idx_part(c, folder, false, made->train));
    STRATA_TRY(write_idx_part(c, folder, true, made->valid));
    for (uint32_t k = 0; k < c->classes; k++) strata_text_format(&classes, "%s\n", c->class_name[k]);
    snprintf(path, sizeof path, "%s/classes.txt", folder);
    strata_status status = classes.failed ? no_memory() : strata_file_put(path, classes.s, classes.length);
    strata_text_free(&classes);
    return status;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

/* All files go into a folder beside `out`, which then takes its name: there is a whole set or none. */
static strata_status write_set(const collection *c, const strata_make_config *config, const strata_made *made)
{
    char folder[3072];
    const int length = snprintf(folder, sizeof folder, "%s", config->out);
    size_t n = (size_t)length;
    if (n >= sizeof folder - 64) return strata_fail(STRATA_BAD_ARG, "the name %s is too long", config->out);
    while (n > 1 && folder[n - 1] == '/') n--;
    snprintf(folder + n, sizeof folder - n, ".%ld.tmp", (long)getpid());
    strata_status status = strata_folder_make(folder);
    if (status == STRATA_OK) status = config->idx ? write_idx(c, folder, made) : write_pngs(c, folder);
    if (status == STRATA_OK) status = go_on(c);
    if (status == STRATA_OK && rename(folder, config->out) != 0)
        status = strata_fail(STRATA_FILE, "cannot make %s: %s", config->out, strerror(errno));
    if (status != STRATA_OK) nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return status;
}

static uint64_t checksum(const collection *c)
{
    const size_t bytes = (size_t)c->h * c->w * c->c;
    const uint32_t shape[5] = { c->n, c->h, c->w, c->c, c->classes };
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    XXH64_update(&state, shape, sizeof shape);
    for (uint32_t k = 0; k < c->classes; k++)
        XXH64_update(&state, c->class_name[k], strlen(c->class_name[k]) + 1);
    for (uint32_t i = 0; i < c->n; i++) {
        const uint32_t place[2] = { c->image[i].valid, c->image[i].label };
        XXH64_update(&state, place, sizeof place);
        XXH64_update(&state, c->image[i].name, strlen(c->image[i].name) + 1);
        XXH64_update(&state, c->pixels + i * bytes, bytes);
    }
    return XXH64_digest(&state);
}

strata_status collection_write(collection *c, const strata_make_config *config,
                               const strata_make_observer *observer)
{
    if (config->idx && (c->c != 1 || c->classes > 256))
        return strata_fail(STRATA_BAD_ARG, "IDX files hold grey images of at most 256 classes; take png");
    if (config->per_class) STRATA_TRY(keep_some(c, config->per_class, config->seed));
    uint32_t *count = calloc(2 * (size_t)c->classes, sizeof *count);
    if (!count) return no_memory();
    strata_made made = { .h = c->h,
                         .w = c->w,
                         .c = c->c,
                         .classes = c->classes,
                         .class_name = c->class_name,
                         .class_train = count,
                         .class_valid = count + c->classes };
    for (uint32_t i = 0; i < c->n; i++) {
        count[c->image[i].label + (c->image[i].valid ? c->classes : 0)]++;
        c->image[i].valid ? made.valid++ : made.train++;
    }
    made.checksum = checksum(c);
    strata_status status = STRATA_OK;
    if (!made.train || !made.valid)
        status = strata_fail(STRATA_BAD_ARG, "%u training and %u validation images: wanted some of each",
                             (unsigned)made.train, (unsigned)made.valid);
    if (status == STRATA_OK) status = write_set(c, config, &made);
    if (status == STRATA_OK && observer && observer->made) observer->made(observer->context, &made);
    free(count);
    return status;
}

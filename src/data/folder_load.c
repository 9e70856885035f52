/* The pixels of an image folder. */
#include "data/folder.h"

#include "core/file.h"
#include "data/pixel_cache.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { USUAL_SIZE = 64 };

static strata_status no_memory(const image_list *l)
{
    return strata_fail(STRATA_NO_MEMORY, "no memory for the images of %s", l->folder);
}

/* ---- Shape ------------------------------------------------------------------------------ */

/* What the config leaves open: the common size, and grey where nothing has colour. */
static strata_status choose_shape(strata_image_set *shape, const image_list *l,
                                  const strata_data_config *config)
{
    const image_file *first = NULL;
    bool same = true, grey = true;
    for (uint32_t i = 0; i < l->n; i++) {
        const image_file *f = &l->file[i];
        if (f->why) continue;
        if (!first) first = f;
        same = same && f->h == first->h && f->w == first->w;
        grey = grey && f->c < 3;
    }
    if (!first && l->n == 1)
        return strata_fail(STRATA_FILE, "%s: its only picture cannot be read: %s", l->folder, l->file[0].why);
    if (!first)
        return strata_fail(STRATA_FILE, "%s: none of its %u pictures can be read; the first: %s", l->folder,
                           (unsigned)l->n, l->file[0].why);
    *shape = (strata_image_set) { .h = config->h ? config->h
                                       : same    ? first->h
                                                 : USUAL_SIZE,
                                  .w = config->w ? config->w
                                       : same    ? first->w
                                                 : USUAL_SIZE,
                                  .c = config->channels ? config->channels
                                       : grey           ? 1
                                                        : 3 };
    if (shape->h > 4096 || shape->w > 4096 || (shape->c != 1 && shape->c != 3))
        return strata_fail(STRATA_BAD_ARG,
                           "%s: wanted images of at most 4096 x 4096 in 1 or 3 channels, got %u x %u in %u",
                           l->folder, (unsigned)shape->h, (unsigned)shape->w, (unsigned)shape->c);
    return STRATA_OK;
}

/* ---- Decoding --------------------------------------------------------------------------- */

typedef struct load {
    const image_list *list;
    uint32_t shape[3];
    strata_picture_style style;
    uint8_t **pixels; /* [n] where each file's go */
} load;

static strata_status load_one(void *context, uint32_t i)
{
    const load *l = context;
    const image_file *f = &l->list->file[i];
    char *bytes;
    size_t n;
    strata_picture picture = { 0 };
    STRATA_TRY(strata_file_read(&bytes, &n, f->path));
    strata_status status = STRATA_OK;
    if (XXH64(bytes, n, 0) != f->hash)
        status = strata_fail(STRATA_FILE, "%s was changed while it was read", f->name);
    if (status == STRATA_OK) status = strata_picture_decode(&picture, bytes, n, f->name);
    if (status == STRATA_OK) {
        status = strata_picture_fit_as(l->pixels[i], l->shape, &picture, &l->style);
        if (status != STRATA_OK) strata_fail(status, "%s: %s", f->name, strata_message());
    }
    strata_picture_free(&picture);
    free(bytes);
    return status;
}

/* ---- The set ---------------------------------------------------------------------------- */

/* How the pixels of a list are made. */
typedef struct making {
    strata_image_set shape; /* h, w and c */
    strata_picture_style style;
    uint64_t key;
    const strata_data_config *config;
} making;

static strata_status reserve_labels(strata_data *data, const image_list *l, int part)
{
    data->owned.labels[part] = malloc((l->n + 1) * sizeof *data->owned.labels[part]);
    (part ? &data->valid : &data->train)->labels = data->owned.labels[part];
    return data->owned.labels[part] ? STRATA_OK : no_memory(l);
}

/* A file for pixels that are too many to hold could not be had. In need three quarters of memory are taken
 * where half is the limit. */
static strata_status do_without(strata_data *data, image_list *l, uint64_t bytes, uint64_t most)
{
    if (bytes > most + most / 2)
        return strata_fail(STRATA_FILE, "%s: %llu bytes of pixels are too many to hold without a cache: %s",
                           l->folder, (unsigned long long)bytes, strata_message());
    data->uncached = strata_arena_text(&l->arena, strata_message());
    return data->uncached ? STRATA_OK : no_memory(l);
}

/* Room for all pixels: in memory, or where they are many or are to be kept in a file.
 *   file  out: closed where there is none */
static strata_status reserve(strata_data *data, image_list *l, const making *how, pixel_cache_maker *file)
{
    const strata_image_set *s = &how->shape;
    const uint64_t most = how->config->memory ? how->config->memory : pixel_cache_threshold();
    strata_image_set part[2] = { *s, *s };
    part[0].n = part[1].n = 0;
    for (uint32_t i = 0; i < l->n; i++) part[l->file[i].valid].n += !l->file[i].why;
    const uint64_t n = (uint64_t)part[0].n + part[1].n, bytes = n * s->h * s->w * s->c;
    if (how->config->cache == STRATA_CACHE_WRITE || bytes > most) {
        if (how->config->cache == STRATA_CACHE_NONE)
            return strata_fail(
                STRATA_FILE,
                "%s: %llu images of %ux%ux%u take %llu bytes, at most %llu are held in memory: take "
                "a smaller size, or let a cache be made",
                l->folder, (unsigned long long)n, (unsigned)s->h, (unsigned)s->w, (unsigned)s->c,
                (unsigned long long)bytes, (unsigned long long)most);
        const strata_status status = pixel_cache_begin(file, s, n, how->key);
        if (status == STRATA_OK) {
            STRATA_TRY(reserve_labels(data, l, 0));
            return reserve_labels(data, l, 1);
        }
        if (status != STRATA_FILE || how->config->cache == STRATA_CACHE_WRITE) return status;
        STRATA_TRY(do_without(data, l, bytes, most));
    }
    STRATA_TRY(data_reserve(data, 0, &part[0]));
    return data_reserve(data, 1, &part[1]);
}

/* Room for each image's classes, none so far; there are no labels beside them. */
static strata_status reserve_targets(strata_data *data, const image_list *l, int part)
{
    strata_image_set *set = part ? &data->valid : &data->train;
    const uint64_t bytes = (uint64_t)l->n * set->classes;
    if (bytes > DATA_MOST_BYTES)
        return strata_fail(STRATA_FILE,
                           "%s: %u pictures by %u labels are %llu targets, at most %llu are held", l->folder,
                           (unsigned)l->n, (unsigned)set->classes, (unsigned long long)bytes,
                           (unsigned long long)DATA_MOST_BYTES);
    data->owned.targets[part] = calloc((size_t)bytes + 1, 1);
    if (!data->owned.targets[part]) return no_memory(l);
    set->targets = data->owned.targets[part];
    set->labels = NULL;
    return STRATA_OK;
}

/* Give every image its label and its file, and close the gaps that failures left.
 *   pixels  [l->n] where each file's are; NULL: there are no gaps
 *   block   of both parts, valid behind train; NULL: each has its own
 *   bytes   of an image */
static strata_status keep_loaded(strata_data *data, image_list *l, uint8_t *const *pixels, uint8_t *block,
                                 size_t bytes)
{
    uint8_t *to = block;
    for (int part = 0; part < 2; part++) {
        strata_image_set *set = part ? &data->valid : &data->train;
        if (!block) to = data->owned.pixels[part];
        image_file *file = strata_arena_take(&l->arena, (l->n + 1) * sizeof *file);
        if (!file) return no_memory(l);
        if (l->many) STRATA_TRY(reserve_targets(data, l, part));
        set->n = 0;
        for (uint32_t i = 0; i < l->n; i++) {
            if (l->file[i].why || l->file[i].valid != (part == 1)) continue;
            if (pixels && to != pixels[i]) memmove(to, pixels[i], bytes);
            if (pixels) to += bytes;
            data->owned.labels[part][set->n] = (int32_t)l->file[i].label;
            for (uint32_t k = 0; l->many && k < l->file[i].n_labels; k++)
                data->owned.targets[part][(size_t)set->n * set->classes + l->file[i].labels[k]] = 1;
            file[set->n++] = l->file[i];
        }
        data->file[part] = file;
    }
    return STRATA_OK;
}

static strata_status describe_skipped(strata_data *data, image_list *l)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) n += l->file[i].why != NULL;
    strata_skipped *skipped = strata_arena_take(&l->arena, (n + l->n_other + 1) * sizeof *skipped);
    if (!skipped) return no_memory(l);
    data->skipped = skipped;
    for (uint32_t i = 0; i < l->n; i++)
        if (l->file[i].why) {
            skipped[data->n_skipped++] = (strata_skipped) { l->file[i].name, l->file[i].why, 1 };
            if (l->file[i].valid && !data->lost) data->lost = l->file[i].why;
        }
    if (l->n_other) memcpy(skipped + data->n_skipped, l->other, l->n_other * sizeof *skipped);
    data->n_skipped += l->n_other;
    return STRATA_OK;
}

/* Decode all files, into memory or into a cache. */
static strata_status decode(strata_data *data, image_list *l, const making *how)
{
    strata_status status = STRATA_OK;
    const strata_image_set *s = &how->shape;
    const size_t bytes = (size_t)s->h * s->w * s->c;
    pixel_cache_maker file = { 0 };
    load job = { .list = l, .shape = { s->h, s->w, s->c }, .style = how->style };
    STRATA_GO(reserve(data, l, how, &file));
    job.pixels = calloc(l->n, sizeof *job.pixels);
    if (!job.pixels) STRATA_GO(no_memory(l));
    uint8_t *to = file.pixels;
    for (int part = 0; part < 2; part++) {
        if (!file.pixels) to = data->owned.pixels[part];
        for (uint32_t i = 0; i < l->n; i++) {
            if (l->file[i].why || l->file[i].valid != (part == 1)) continue;
            job.pixels[i] = to;
            to += bytes;
        }
    }
    STRATA_GO(image_list_each(l, how->config->threads, load_one, &job));
    STRATA_GO(keep_loaded(data, l, job.pixels, file.pixels, bytes));
    if (file.pixels) STRATA_GO(pixel_cache_commit(&file, data, l));
done:
    pixel_cache_abandon(&file);
    free(job.pixels);
    return status;
}

/* Take the pixels of a cache, whose images are those of the list that did not fail. */
static strata_status take_cached(strata_data *data, image_list *l)
{
    for (int part = 0; part < 2; part++) {
        strata_image_set *set = part ? &data->valid : &data->train;
        const uint32_t n = set->n;
        STRATA_TRY(reserve_labels(data, l, part));
        if (part == 0) continue;
        const uint32_t wanted[2] = { data->train.n, n };
        STRATA_TRY(keep_loaded(data, l, NULL, NULL, 0));
        if (data->train.n != wanted[0] || data->valid.n != wanted[1])
            return strata_fail(STRATA_FILE, "%s is of other pictures: remove it", data->cache);
    }
    return STRATA_OK;
}

static strata_status nothing_to_train_on(const image_list *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (!l->file[i].valid)
            return strata_fail(STRATA_FILE, "%s: no picture is left to train on; the first: %s", l->folder,
                               l->file[i].why);
    return strata_fail(STRATA_FILE, "%s: no picture is left to train on: the %u found %s for validation",
                       l->folder, (unsigned)l->n, strata_noun(l->n, "is", "are"));
}

static strata_status fill(strata_data *data, image_list *l, const strata_data_config *config)
{
    bool cached = false;
    making how = { .style = { config->fit, config->filter, { 255, 255, 255 } }, .config = config };
    if (config->background_set) memcpy(how.style.background, config->background, 3);
    STRATA_TRY(choose_shape(&how.shape, l, config));
    strata_picture_ground(data->background, how.shape.c, &how.style);
    how.key = pixel_cache_key(l, &how.shape, &how.style);
    if (config->cache != STRATA_CACHE_NONE)
        STRATA_TRY(pixel_cache_open(&cached, data, l, how.key, &how.shape));
    STRATA_TRY(cached ? take_cached(data, l) : decode(data, l, &how));
    STRATA_TRY(describe_skipped(data, l));
    return data->train.n ? STRATA_OK : nothing_to_train_on(l);
}

strata_status pictures_load(strata_data *data, const char *folder, const strata_data_config *config)
{
    image_list l = { 0 };
    strata_status status = image_list_make(&l, folder, config);
    if (status == STRATA_OK) status = image_list_scan(&l, config);
    if (status == STRATA_OK) {
        data->owned.class_names = l.class_name; /* the names themselves are the arena's */
        data->train.class_names = data->valid.class_names = l.class_name;
        data->train.classes = data->valid.classes = l.classes;
        l.class_name = NULL;
        data->scale = 255;
        data->drawn = l.drawn;
        status = fill(data, &l, config);
    }
    data->owned.arena = l.arena; /* which holds the names, the files and what was skipped */
    l.arena = (strata_arena) { 0 };
    image_list_free(&l);
    return status;
}

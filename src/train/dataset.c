#include "train/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "data/data.h"
#include "train/augment.h"
#include "train/recipe.h"

/* Whole pixels of 1 to 4096; *at is left behind them. */
static bool read_side(uint32_t *out, const char **at)
{
    const char *start = *at;
    for (*out = 0; **at >= '0' && **at <= '9' && *out <= 4096; ++*at)
        *out = 10 * *out + (uint32_t)(**at - '0');
    return *at > start && *out >= 1 && *out <= 4096;
}

/* "64", or height x width: "48x64"; "": nothing changes. */
static strata_status read_size(uint32_t h_w[2], const strata_recipe *r, const char *key)
{
    const char *text = strata_recipe_get(r, key), *at = text;
    uint32_t h = 0, w = 0;
    if (!*text) return STRATA_OK;
    bool right = read_side(&h, &at);
    if (right && *at == 'x') {
        at++;
        right = read_side(&w, &at);
    } else {
        w = h;
    }
    if (!right || *at)
        return strata_fail(STRATA_BAD_ARG, "--%s wants pixels, N or HEIGHTxWIDTH, of 1 to 4096, got '%s'",
                           key, text);
    h_w[0] = h;
    h_w[1] = w;
    return STRATA_OK;
}

/* torchvision resizes to 256 for a network of 224. */
static uint32_t larger(uint32_t side) { return (side * 8 + 3) / 7 < 4096 ? (side * 8 + 3) / 7 : 4096; }

strata_status recipe_stored_size(uint32_t h_w[2], const strata_recipe *r, uint32_t h, uint32_t w)
{
    const bool given = *strata_recipe_get(r, "stored-size");
    h_w[0] = h;
    h_w[1] = w;
    STRATA_TRY(read_size(h_w, r, "stored-size"));
    if (given && h == 0)
        return strata_fail(STRATA_BAD_ARG, "--stored-size wants --size: what is taken of it");
    if (given && (h_w[0] < h || h_w[1] < w))
        return strata_fail(STRATA_BAD_ARG, "--stored-size wants at least --size, %ux%u, got %ux%u",
                           (unsigned)h, (unsigned)w, (unsigned)h_w[0], (unsigned)h_w[1]);
    if (given || h == 0 || !augment_resizes(strata_recipe_get(r, "augment"))) return STRATA_OK;
    h_w[0] = larger(h);
    h_w[1] = larger(w);
    return STRATA_OK;
}

static strata_status set_size(strata_recipe *r, const char *key, uint32_t h, uint32_t w)
{
    char text[32];
    snprintf(text, sizeof text, "%ux%u", (unsigned)h, (unsigned)w);
    return strata_recipe_set(r, key, text);
}

/* Who knows the network's images alone must come to the same pixels: of images that are no pictures, or
 * pictures that no size was asked for, the keys would say others. */
strata_status recipe_keep_stored(strata_recipe *r, const strata_data *data)
{
    const strata_image_set *set = &data->train;
    const strata_task seen = recipe_task(data);
    uint32_t stored[2];
    const bool same = recipe_stored_size(stored, r, seen.h, seen.w) == STRATA_OK && stored[0] == set->h &&
                      stored[1] == set->w;
    if (same && (!data->seen_h || *strata_recipe_get(r, "stored-size"))) return STRATA_OK;
    if (!data->seen_h) STRATA_TRY(set_size(r, "size", seen.h, seen.w));
    return set_size(r, "stored-size", set->h, set->w);
}

strata_task recipe_task(const strata_data *d)
{
    const strata_image_set *set = &d->train;
    return (strata_task) {
        d->seen_h ? d->seen_h : set->h, d->seen_h ? d->seen_w : set->w, set->c, set->classes, 0, 0
    };
}

static strata_status read_colour(uint8_t out[3], const char *text)
{
    static const struct {
        const char *name;
        unsigned rgb;
    } named[] = { { "white", 0xffffff }, { "black", 0 }, { "grey", 0x808080 } };
    unsigned rgb = 0;
    char rest;
    bool right = text[0] == '#' && strlen(text) == 7 && sscanf(text + 1, "%6x%c", &rgb, &rest) == 1;
    for (size_t i = 0; i < sizeof named / sizeof *named && !right; i++) {
        right = strcmp(text, named[i].name) == 0;
        rgb = named[i].rgb;
    }
    if (!right)
        return strata_fail(STRATA_BAD_ARG, "--background wants white, black, grey or #rrggbb, got '%s'",
                           text);
    for (int i = 0; i < 3; i++) out[i] = (uint8_t)(rgb >> (16 - 8 * i));
    return STRATA_OK;
}

strata_status recipe_style(strata_picture_style *out, const strata_recipe *r)
{
    out->fit = recipe_is(r, "fit", "stretch") ? STRATA_FIT_STRETCH
               : recipe_is(r, "fit", "pad")   ? STRATA_FIT_PAD
                                              : STRATA_FIT_CROP;
    out->filter = recipe_is(r, "filter", "bicubic") ? STRATA_FILTER_BICUBIC : STRATA_FILTER_BILINEAR;
    return read_colour(out->background, strata_recipe_get(r, "background"));
}

/* Why there is no data, in better words where it is a run that was named. */
static strata_status no_data(const char *source, strata_status status)
{
    char *path = NULL;
    if (!strata_folder_exists(source) || strata_path_join(&path, source, "run.json") != STRATA_OK)
        return status;
    const bool run = strata_path_exists(path);
    free(path);
    if (!run) return status;
    return strata_fail(status,
                       "%s is the folder of a run and holds no data: --resume %s goes on with the run, "
                       "--recipe %s/recipe.yaml repeats it",
                       source, source, source);
}

/* Sets that are no pictures are of the size, colours and labels that they are: others are refused.
 *   known  a network decides on the shape, and tells of it where it is another */
static strata_status check_own(const strata_data *d, const strata_recipe *r, const uint32_t size[2],
                               bool known)
{
    const strata_image_set *set = &d->train;
    const char *labels = strata_recipe_get(r, "labels"), *channels = strata_recipe_get(r, "channels");
    if (*labels && strcmp(labels, "none") != 0)
        return strata_fail(STRATA_BAD_ARG, "--labels %s is of pictures: %s has labels of its own", labels,
                           d->name);
    if (!known && size[0] && (size[0] != set->h || size[1] != set->w))
        return strata_fail(STRATA_BAD_ARG,
                           "--size %s is of pictures: the images of %s are %ux%u, as they are",
                           strata_recipe_get(r, "size"), d->name, (unsigned)set->h, (unsigned)set->w);
    if (!known && recipe_number(r, "channels") > 0 && recipe_number(r, "channels") != set->c)
        return strata_fail(STRATA_BAD_ARG, "--channels %s is of pictures: the images of %s have %u", channels,
                           d->name, (unsigned)set->c);
    return STRATA_OK;
}

static strata_status open_set(strata_data **out, const char *source, const strata_recipe *r,
                              const strata_task *task, strata_cache_use cache)
{
    const double share = recipe_number(r, "valid-fraction");
    strata_picture_style style;
    uint32_t seen[2] = { 0 }, stored[2];
    *out = NULL;
    STRATA_TRY(recipe_style(&style, r));
    strata_data_config config = {
        .channels = (uint32_t)recipe_number(r, "channels"),
        .fit = style.fit,
        .filter = style.filter,
        .background_set = true,
        .max_pixels = (uint64_t)recipe_number(r, "max-pixels"),
        .valid_fraction = share > 0 ? share : -1,
        .valid_by_name = recipe_is(r, "valid-by", "name"),
        .seed = (uint64_t)recipe_number(r, "seed"),
        .threads = (uint32_t)recipe_number(r, "data-threads"),
        .cache = cache,
        .labels = strata_recipe_get(r, "labels"),
    };
    memcpy(config.background, style.background, sizeof config.background);
    STRATA_TRY(read_size(seen, r, "size"));
    if (task && task->h && task->w) {
        seen[0] = task->h;
        seen[1] = task->w;
    }
    STRATA_TRY(recipe_stored_size(stored, r, seen[0], seen[1]));
    config.h = stored[0];
    config.w = stored[1];
    if (task && task->c) config.channels = task->c;
    const strata_status status = strata_data_load(out, source, &config);
    if (status == STRATA_FILE) return no_data(source, status);
    STRATA_TRY(status);
    const bool pictures = (*out)->file[0] != NULL;
    const strata_status same = pictures ? STRATA_OK : check_own(*out, r, seen, task != NULL);
    if (same != STRATA_OK) {
        strata_data_close(*out);
        *out = NULL;
        return same;
    }
    if (pictures && (stored[0] != seen[0] || stored[1] != seen[1])) {
        (*out)->seen_h = seen[0];
        (*out)->seen_w = seen[1];
    }
    return STRATA_OK;
}

strata_status recipe_loss(strata_recipe *r, const strata_data *data)
{
    if (data->train.targets && recipe_is(r, "loss", "softmax"))
        return strata_fail(STRATA_BAD_ARG,
                           "--loss softmax is of one label an image, %s has any number: take sigmoid",
                           data->name);
    if (!*strata_recipe_get(r, "loss") && data->train.targets) return strata_recipe_set(r, "loss", "sigmoid");
    if (data->train.classes == 1 && !recipe_is(r, "loss", "sigmoid"))
        return strata_fail(STRATA_FILE,
                           "%s: all images are of one class, '%s': softmax has nothing to tell apart",
                           data->name, data->train.class_names[0]);
    return STRATA_OK;
}

strata_status recipe_data(strata_data **out, const char *source, const strata_recipe *r,
                          const strata_task *task)
{
    return open_set(out, source, r, task, STRATA_CACHE_READ);
}

strata_status strata_recipe_data(strata_data **out, const char *source, const strata_recipe *r,
                                 strata_cache_use cache)
{
    return open_set(out, source, r, NULL, cache);
}

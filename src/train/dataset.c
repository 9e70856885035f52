#include "train/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"
#include "train/recipe.h"

/* "64", or height x width: "48x64". */
static strata_status read_size(strata_data_config *c, const char *text)
{
    unsigned h = 0, w = 0;
    char rest;
    if (!*text) return STRATA_OK;
    const bool both = sscanf(text, "%4ux%4u%c", &h, &w, &rest) == 2;
    if (!both && sscanf(text, "%4u%c", &h, &rest) == 1) w = h;
    if (h < 1 || h > 4096 || w < 1 || w > 4096)
        return strata_fail(STRATA_BAD_ARG, "--size wants pixels, N or HEIGHTxWIDTH, of 1 to 4096, got '%s'",
                           text);
    c->h = h;
    c->w = w;
    return STRATA_OK;
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

static strata_status open_set(strata_data **out, const char *source, const strata_recipe *r,
                              const strata_task *task, strata_cache_use cache)
{
    const double share = recipe_number(r, "valid-fraction");
    strata_picture_style style;
    *out = NULL;
    STRATA_TRY(recipe_style(&style, r));
    strata_data_config config = {
        .channels = (uint32_t)recipe_number(r, "channels"),
        .fit = style.fit,
        .filter = style.filter,
        .background_set = true,
        .max_pixels = (uint64_t)recipe_number(r, "max-pixels"),
        .valid_fraction = share > 0 ? share : -1,
        .seed = (uint64_t)recipe_number(r, "seed"),
        .threads = (uint32_t)recipe_number(r, "data-threads"),
        .cache = cache,
        .labels = strata_recipe_get(r, "labels"),
    };
    memcpy(config.background, style.background, sizeof config.background);
    STRATA_TRY(read_size(&config, strata_recipe_get(r, "size")));
    if (task && task->h && task->w) {
        config.h = task->h;
        config.w = task->w;
    }
    if (task && task->c) config.channels = task->c;
    return strata_data_load(out, source, &config);
}

strata_status recipe_loss(strata_recipe *r, const strata_data *data)
{
    if (data->train.targets && recipe_is(r, "loss", "softmax"))
        return strata_fail(STRATA_BAD_ARG,
                           "--loss softmax is of one label an image, %s has any number: take sigmoid",
                           data->name);
    if (!*strata_recipe_get(r, "loss") && data->train.targets) return strata_recipe_set(r, "loss", "sigmoid");
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

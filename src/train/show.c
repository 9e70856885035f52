/* A picture of what the network will see. */
#include <math.h>
#include <stdlib.h>

#include "train/dataset.h"
#include "train/feed.h"
#include "train/recipe.h"

enum { GAP = 2 }; /* white pixels between images */

/* The stored value that a network's input is nearest to. */
static uint8_t value_of(const float *value, float v)
{
    uint32_t best = 0;
    for (uint32_t k = 1; k < 256; k++)
        if (fabsf(value[k] - v) < fabsf(value[best] - v)) best = k;
    return (uint8_t)best;
}

/* One image of [h,w,lanes] into its place of the grid; `most` is the largest stored value. */
static void place(strata_picture *grid, const train_feed *f, const float *pixels, uint32_t number,
                  uint32_t columns, float most)
{
    const strata_image_set *set = &f->batcher.set;
    const uint32_t top = GAP + number / columns * (set->h + GAP);
    const uint32_t left = GAP + number % columns * (set->w + GAP);
    for (uint32_t y = 0; y < set->h; y++)
        for (uint32_t x = 0; x < set->w; x++, pixels += f->batcher.lanes)
            for (uint32_t c = 0; c < set->c; c++) {
                const float v = (float)value_of(f->batcher.value[c], pixels[c]) * (255 / most);
                grid->pixels[((size_t)(top + y) * grid->w + left + x) * set->c + c] = (uint8_t)fminf(v, 255);
            }
}

static strata_status draw(const char *path, train_feed *f, float most, uint32_t images)
{
    const strata_image_set *set = &f->batcher.set;
    const uint32_t n = images < set->n ? images : set->n, columns = (uint32_t)ceil(sqrt((double)n));
    const uint32_t rows = (n + columns - 1) / columns;
    const size_t image = (size_t)set->h * set->w * f->batcher.lanes;
    strata_picture grid = { .h = GAP + rows * (set->h + GAP),
                            .w = GAP + columns * (set->w + GAP),
                            .c = set->c };
    const size_t bytes = (size_t)grid.h * grid.w * grid.c;
    float *pixels = malloc(n * image * sizeof *pixels);
    strata_status status = STRATA_OK;
    grid.pixels = malloc(bytes);
    if (!pixels || !grid.pixels)
        STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a grid of %u images", (unsigned)n));
    for (size_t i = 0; i < bytes; i++) grid.pixels[i] = 255;
    f->batcher.batch = n;
    feed_epoch(f, 0);
    strata_batch_fill(&(strata_batch) { .pixels = pixels }, &f->batcher, f->order, 0, 0, n);
    for (uint32_t i = 0; i < n; i++) place(&grid, f, pixels + i * image, i, columns, most);
    status = strata_picture_write(&grid, path);
done:
    free(pixels);
    free(grid.pixels);
    return status;
}

strata_status strata_recipe_show(const char *source, const strata_recipe *recipe, const char *path,
                                 uint32_t images)
{
    strata_data *data = NULL;
    strata_recipe *r = NULL;
    train_feed feed = { 0 };
    strata_status status = STRATA_OK;
    if (images < 1 || images > 1024)
        return strata_fail(STRATA_BAD_ARG, "a grid has 1 to 1024 images, got %u", (unsigned)images);
    STRATA_TRY(recipe_copy(&r, recipe));
    STRATA_GO(recipe_data(&data, source, r, NULL));
    const strata_image_set *set = &data->train;
    STRATA_GO(
        trainer_resolve(r, &(const strata_task) { set->h, set->w, set->c, set->classes, 0, 0 }, set->n));
    STRATA_GO(feed_open(&feed, data, r, images));
    STRATA_GO(draw(path, &feed, data->scale, images));
done:
    feed_close(&feed);
    strata_data_close(data);
    strata_recipe_close(r);
    return status;
}

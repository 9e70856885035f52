/* A picture of what the network will see. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "strata/file.h"
#include "train/dataset.h"
#include "train/feed.h"
#include "train/recipe.h"
#include "train/score.h"

enum { GAP = 2 }; /* white pixels between images */

/* ---- The images as the network gets them: by the reference, which needs no device ----------------- */

typedef struct stage {
    strata_device *device;
    strata_block block;
    strata_stream *stream;
    strata_tensor out;
    strata_augment_work work;
    strata_slice values;
} stage;

static void stage_close(stage *s)
{
    strata_stream_close(s->stream);
    if (s->block.host) strata_block_close(&s->block, s->device);
    strata_device_close(s->device);
}

static strata_slice take(const stage *s, uint64_t *at, uint64_t bytes)
{
    const strata_slice slice = { &s->block, *at, bytes, false };
    *at = strata_align(*at + bytes);
    return slice;
}

/* Memory for n images; `out` is [n,h,w,c]. */
static strata_status stage_open(stage *s, const strata_augment *a, strata_shape out)
{
    const uint64_t n = out.n, parts = strata_augment_mixes(a) ? 2 : 1,
                   stored = strata_stored_bytes(a->h, a->w, a->c), all = 4 * strata_shape_floats(out);
    uint64_t at = 0;
    *s = (stage) { .out = { .name = "input", .shape = out } };
    STRATA_TRY(strata_device_open(&s->device, &(strata_device_config) { .name = "cpu" }));
    STRATA_TRY(strata_block_open(&s->block, s->device,
                                 all + parts * n * (stored + sizeof(strata_sample) + STRATA_AUGMENT_RECORD) +
                                     10 * (uint64_t)STRATA_ALIGN,
                                 STRATA_MEMORY_DEVICE));
    s->out.data = take(s, &at, all);
    s->work = (strata_augment_work) { .out = &s->out };
    s->work.pixels = take(s, &at, n * stored);
    s->work.samples = take(s, &at, n * sizeof(strata_sample));
    s->work.records = take(s, &at, n * STRATA_AUGMENT_RECORD);
    if (parts == 2) {
        s->work.other_pixels = take(s, &at, n * stored);
        s->work.other_samples = take(s, &at, n * sizeof(strata_sample));
        s->work.other_records = take(s, &at, n * STRATA_AUGMENT_RECORD);
    }
    s->values = take(s, &at, sizeof(strata_step_values));
    return STRATA_OK;
}

static strata_status stage_run(stage *s, const strata_augment *a, train_feed *f, uint64_t seed)
{
    f->batcher.batch = s->out.shape.n;
    feed_epoch(f, 0);
    strata_batch_fill(&(strata_batch) { .pixels = strata_slice_host(s->work.pixels),
                                        .samples = strata_slice_host(s->work.samples),
                                        .others = strata_slice_host(s->work.other_pixels),
                                        .other_samples = strata_slice_host(s->work.other_samples) },
                      &f->batcher, f->order, 0, f->batcher.batch);
    *(strata_step_values *)strata_slice_host(
        s->values) = (strata_step_values) { .seed_low = (uint32_t)seed, .seed_high = (uint32_t)(seed >> 32) };
    STRATA_TRY(strata_stream_open(&s->stream, s->device));
    strata_stream_step_values(s->stream, s->values);
    STRATA_TRY(strata_augment_record(s->stream, a, &s->work, STRATA_TRAIN));
    STRATA_TRY(strata_stream_end(s->stream));
    return strata_stream_run(s->stream);
}

/* ---- The grid ------------------------------------------------------------------------------------- */

/* One image of [h,w,4] into its place of the grid, its normalisation undone. */
static void place(strata_picture *grid, const stage *s, const strata_augment *a, uint32_t number,
                  uint32_t columns)
{
    const strata_shape image = s->out.shape;
    const uint32_t lanes = strata_lanes(image.c);
    const float *pixels = (const float *)strata_slice_host(s->out.data) +
                          (size_t)number * image.h * image.w * lanes;
    const uint32_t top = GAP + number / columns * (image.h + GAP);
    const uint32_t left = GAP + number % columns * (image.w + GAP);
    for (uint32_t y = 0; y < image.h; y++)
        for (uint32_t x = 0; x < image.w; x++, pixels += lanes)
            for (uint32_t c = 0; c < image.c; c++) {
                const float v = roundf(255 * (pixels[c] * a->std[c] + a->mean[c]));
                grid->pixels[((size_t)(top + y) * grid->w + left + x) * image.c + c] = (uint8_t)fminf(
                    fmaxf(v, 0), 255);
            }
}

/* `as` is what the network takes. */
static strata_status draw(const char *path, train_feed *f, const strata_augment *a, const strata_task *as,
                          uint32_t images, uint64_t seed)
{
    const uint32_t most = f->batcher.set.n, n = images < most ? images : most,
                   columns = (uint32_t)ceil(sqrt((double)n));
    const uint32_t rows = (n + columns - 1) / columns;
    strata_picture grid = { .h = GAP + rows * (as->h + GAP), .w = GAP + columns * (as->w + GAP), .c = as->c };
    const size_t bytes = (size_t)grid.h * grid.w * grid.c;
    strata_status status = STRATA_OK;
    stage s = { 0 };
    STRATA_GO(stage_open(&s, a, (strata_shape) { n, as->h, as->w, as->c }));
    STRATA_GO(stage_run(&s, a, f, seed));
    grid.pixels = malloc(bytes);
    if (!grid.pixels)
        STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a grid of %u images", (unsigned)n));
    memset(grid.pixels, 255, bytes);
    for (uint32_t i = 0; i < n; i++) place(&grid, &s, a, i, columns);
    status = strata_picture_write(&grid, path);
done:
    stage_close(&s);
    free(grid.pixels);
    return status;
}

strata_status strata_recipe_show(const char *source, const strata_recipe *recipe, const char *path,
                                 uint32_t images)
{
    strata_data *data = NULL;
    strata_recipe *r = NULL;
    train_feed feed = { 0 };
    strata_augment augment;
    strata_status status = STRATA_OK;
    if (images < 1 || images > 1024)
        return strata_fail(STRATA_BAD_ARG, "a grid has 1 to 1024 images, got %u", (unsigned)images);
    STRATA_TRY(strata_file_check(path));
    STRATA_TRY(recipe_copy(&r, recipe));
    STRATA_GO(recipe_data(&data, source, r, NULL));
    const strata_task task = recipe_task(data);
    STRATA_GO(trainer_resolve(r, &task, data->train.n));
    STRATA_GO(feed_open(&feed, data, r, images));
    STRATA_GO(score_augment(&augment, data, r));
    STRATA_GO(draw(path, &feed, &augment, &task, images, (uint64_t)recipe_number(r, "seed")));
done:
    feed_close(&feed);
    strata_data_close(data);
    strata_recipe_close(r);
    return status;
}

/* Host side of shaders/augment_draw.comp and augment.comp. */
#include "ops/augment.h"

#include <math.h>
#include <stdio.h>

#include "core/sample.h"
#include "augment.args.h"
#include "augment_draw.args.h"

/* The grey of the mean colour. */
static double grey_of(const strata_augment *a)
{
    static const double luma[3] = { 0.299, 0.587, 0.114 };
    double grey = 0;
    if (a->c < 3) return (double)a->mean[0];
    for (int c = 0; c < 3; c++) grey += luma[c] * (double)a->mean[c];
    return grey;
}

static strata_status record_draws(strata_stream *s, const strata_augment *a, strata_shape shape,
                                  strata_slice samples, strata_slice records)
{
    const bool scaled = a->scale_low > 0 && a->scale_high > 0;
    const struct augment_draw_args args = {
        .values = strata_stream_step_slice(s),
        .samples = samples,
        .record = records,
        .images = shape.n,
        .h = a->h,
        .w = a->w,
        .out_h = shape.h,
        .out_w = shape.w,
        .channels = a->c,
        .what = a->what,
        .pad = a->pad,
        .area_low = a->area_low,
        .area_high = a->area_high,
        .ratio_low = a->ratio_low,
        .ratio_high = a->ratio_high,
        .p_affine = a->p_affine,
        .rotate = a->rotate,
        .scale_low = scaled ? a->scale_low : 1,
        .scale_high = scaled ? a->scale_high : 1,
        .zoom = a->zoom,
        .shear = a->shear,
        .warp = a->warp,
        .p_colour = a->p_colour,
        .brightness = a->brightness,
        .contrast = a->contrast,
        .saturation = a->saturation,
        .hue = a->hue,
        .lighting = a->lighting,
        .light_octaves = (float)-log2(1 - (double)a->lighting),
        .grey = (float)grey_of(a),
        .erase = a->erase,
    };
    strata_launch how = { .pass = STRATA_FORWARD, .variant = "plain", .defines = "" };
    strata_grid(how.groups, shape.n, STRATA_GROUP);
    return strata_stream_launch(s, &augment_draw_kernel, &how, &args);
}

/* How many images one launch binds, of stored pixels and of the network's. */
static strata_status images_per_launch(uint32_t *out, strata_stream *s, const strata_augment *a,
                                       const strata_augment_work *w)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const strata_shape shape = w->out->shape;
    strata_tensor *in = (strata_tensor *)w->out; /* only read */
    const strata_node node = { .name = w->out->name, .in = { in }, .n_in = 1 };
    const uint64_t bytes[3] = { strata_stored_bytes(a->h, a->w, a->c), strata_tensor_bytes(w->out) / shape.n,
                                STRATA_AUGMENT_RECORD };
    uint64_t step = 1;
    *out = UINT32_MAX;
    for (int i = 0; i < 3; i++) {
        uint32_t images = 0;
        STRATA_TRY(strata_images_per_slice(&images, caps, &node, bytes[i]));
        if (images < *out) *out = images;
        while (step < STRATA_ALIGN && bytes[i] * step % STRATA_ALIGN != 0) step *= 2;
    }
    if (*out >= shape.n) return STRATA_OK;
    *out -= (uint32_t)(*out % step);
    if (*out == 0)
        return strata_fail(STRATA_BAD_ARG, "%s: %u stored images of %ux%u are more than %s binds", node.name,
                           (unsigned)step, (unsigned)a->h, (unsigned)a->w, caps->name);
    return STRATA_OK;
}

static strata_slice part_of(strata_slice s, uint64_t bytes, strata_images part)
{
    return strata_slice_part(s, part.first * bytes, part.count * bytes);
}

strata_status strata_augment_record(strata_stream *s, const strata_augment *a, const strata_augment_work *w,
                                    strata_mode mode)
{
    const bool train = mode != STRATA_EVALUATE_MODE, mixed = train && w->other_pixels.block;
    const strata_shape shape = w->out->shape;
    const uint64_t stored = strata_stored_bytes(a->h, a->w, a->c);
    uint32_t most = 0, background = 0;
    char defines[64];
    double centre[4] = { 0 }, factor[4] = { 0 };
    for (uint32_t c = 0; c < a->c; c++) {
        background |= (uint32_t)a->background[c] << 8 * c;
        centre[c] = (double)a->mean[c] * (double)a->scale;
        factor[c] = 1 / ((double)a->std[c] * (double)a->scale);
    }
    if (a->h < shape.h || a->w < shape.w)
        return strata_fail(STRATA_BAD_SHAPE, "%s: images are stored at %ux%u, less than the %ux%u wanted",
                           w->out->name, (unsigned)a->h, (unsigned)a->w, (unsigned)shape.h,
                           (unsigned)shape.w);
    if (train) STRATA_TRY(record_draws(s, a, shape, w->samples, w->records));
    if (mixed) STRATA_TRY(record_draws(s, a, shape, w->other_samples, w->other_records));
    STRATA_TRY(images_per_launch(&most, s, a, w));
    snprintf(defines, sizeof defines, "CHANNELS=%u BORDER=%u MIXED=%u", (unsigned)a->c, (unsigned)a->border,
             (unsigned)mixed);
    for (strata_images part = { 0 }; strata_images_next(&part, shape.n, most);) {
        const struct augment_args args = {
            .words = part_of(w->pixels, stored, part),
            .record = train ? part_of(w->records, STRATA_AUGMENT_RECORD, part) : (strata_slice) { 0 },
            .other_words = mixed ? part_of(w->other_pixels, stored, part) : (strata_slice) { 0 },
            .other_record = mixed ? part_of(w->other_records, STRATA_AUGMENT_RECORD, part)
                                  : (strata_slice) { 0 },
            .mixed = mixed,
            .y = strata_images_of(w->out->data, shape, part),
            .images = part.count,
            .image_words = (uint32_t)(stored / 4),
            .h = a->h,
            .w = a->w,
            .out_h = shape.h,
            .out_w = shape.w,
            .channels = a->c,
            .border = a->border,
            .scale = a->scale,
            .background = background,
            .centre0 = (float)centre[0],
            .centre1 = (float)centre[1],
            .centre2 = (float)centre[2],
            .centre3 = (float)centre[3],
            .factor0 = (float)factor[0],
            .factor1 = (float)factor[1],
            .factor2 = (float)factor[2],
            .factor3 = (float)factor[3],
        };
        strata_launch how = { .pass = train ? STRATA_FORWARD : STRATA_EVALUATE,
                              .variant = "plain",
                              .defines = defines };
        strata_grid(how.groups, (uint64_t)part.count * shape.h * shape.w, STRATA_GROUP);
        STRATA_TRY(strata_stream_launch(s, &augment_kernel, &how, &args));
    }
    return STRATA_OK;
}

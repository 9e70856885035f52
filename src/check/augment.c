/* The judge of what runs before the network: what is drawn for each image has the reference's bits, the
 * pixels made of it are its pixels. Stored bytes are noise, so that a pixel taken from beside its place
 * shows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/judge.h"
#include "core/random.h"
#include "core/sample.h"
#include "ops/augment.h"

enum { GUARD = 256, EPOCH = 3 };
enum { PIXELS, SAMPLES, VALUES, RECORDS, OUT, OTHERS, OTHER_SAMPLES, OTHER_RECORDS, PARTS };
static const char *const part_names[] = {
    "stored pixels",  "samples",         "step values",    "records", "y",
    "others' pixels", "others' samples", "others' records"
};

enum { FLIP = STRATA_AUGMENT_FLIP, CROP = STRATA_AUGMENT_CROP, RESIZED = STRATA_AUGMENT_RESIZED };
#define RATIOS .ratio_low = -0.41503750F, .ratio_high = 0.41503750F /* 3/4 .. 4/3 */

typedef struct augment_case {
    const char *name;
    uint32_t n, h, w, c, out_h, out_w;
    strata_augment what;
    bool evaluate;
} augment_case;

static const augment_case cases[] = {
    { "none", 5, 7, 9, 3, 7, 9, { 0 }, false },
    { "none", 3, 5, 7, 1, 5, 7, { 0 }, false },
    { "evaluate", 3, 9, 7, 1, 9, 7, { 0 }, true },
    { "evaluate, the middle", 4, 12, 11, 3, 9, 6, { 0 }, true },
    { "flip", 17, 5, 8, 1, 5, 8, { .what = FLIP }, false },
    { "flip,crop", 67, 9, 11, 3, 9, 11, { .what = FLIP | CROP, .pad = 2 }, false },
    { "flip,crop of a larger image", 67, 13, 11, 4, 9, 8, { .what = FLIP | CROP, .pad = 1 }, false },
    { "flip,crop", 150, 16, 20, 3, 16, 20, { .what = FLIP | CROP, .pad = 2 }, false },
    { "evaluate", 150, 32, 31, 1, 32, 31, { 0 }, true },
    { "flip, both ways", 33, 6, 9, 3, 5, 9, { .what = FLIP | STRATA_AUGMENT_FLIP_VERTICAL }, false },
    { "rotate", 33, 9, 11, 3, 9, 11, { .rotate = 0.5F, .p_affine = 0.7F }, false },
    { "rotate,border=reflect",
      33,
      9,
      11,
      1,
      9,
      11,
      { .rotate = 0.1F, .p_affine = 1, .border = STRATA_BORDER_REFLECT },
      false },
    { "scale,shear,border=replicate",
      33,
      12,
      7,
      3,
      9,
      6,
      { .scale_low = 0.1F,
        .scale_high = 3,
        .shear = 0.1F,
        .p_affine = 0.8F,
        .border = STRATA_BORDER_REPLICATE },
      false },
    { "warp,zoom",
      33,
      10,
      8,
      3,
      10,
      8,
      { .warp = 0.4F, .zoom = 1.5F, .p_affine = 0.75F, .border = STRATA_BORDER_REFLECT },
      false },
    { "resized",
      67,
      13,
      17,
      3,
      8,
      9,
      { .what = FLIP | RESIZED, RATIOS, .area_low = 0.08F, .area_high = 1 },
      false },
    { "resized, never as wanted",
      5,
      2,
      90,
      3,
      2,
      3,
      { .what = RESIZED, RATIOS, .area_low = 1, .area_high = 1 },
      false },
    { "brightness,contrast,saturation,hue",
      67,
      7,
      5,
      3,
      7,
      5,
      { .brightness = 0.4F, .contrast = 0.6F, .saturation = 1.5F, .hue = 0.5F, .p_colour = 0.8F },
      false },
    { "brightness,contrast,hue, grey",
      67,
      7,
      5,
      1,
      7,
      5,
      { .brightness = 0.4F, .contrast = 0.6F, .hue = 0.5F, .p_colour = 0.8F },
      false },
    { "lighting", 67, 7, 5, 3, 7, 5, { .lighting = 0.2F, .p_colour = 0.75F }, false },
    { "erase", 150, 9, 11, 3, 9, 11, { .erase = 0.5F }, false },
    { "erase, one row", 9, 1, 3, 1, 1, 3, { .erase = 1 }, false },
    { "mixup", 65, 9, 11, 3, 9, 11, { .what = FLIP, .mixup = 1 }, false },
    { "cutmix of a larger image", 150, 16, 20, 1, 12, 13, { .what = CROP, .pad = 1, .cutmix = 1 }, false },
    { "everything",
      33,
      19,
      23,
      3,
      16,
      20,
      { .what = FLIP | CROP,
        .pad = 2,
        .rotate = 0.05F,
        .scale_low = 0.9F,
        .scale_high = 1.1F,
        .shear = 0.02F,
        .zoom = 1.2F,
        .warp = 0.2F,
        .p_affine = 0.75F,
        .brightness = 0.2F,
        .contrast = 0.2F,
        .saturation = 0.2F,
        .hue = 0.05F,
        .lighting = 0.3F,
        .p_colour = 0.75F,
        .erase = 0.5F,
        .mixup = 1 },
      false },
    { "crop, farther than the image reaches", 64, 3, 2, 2, 3, 2, { .what = CROP, .pad = 5 }, false },
};

typedef struct rig {
    strata_judge *judge;
    const augment_case *c;
    strata_augment augment;
    strata_shape shape;
    uint64_t offset[PARTS], bytes[PARTS], total;
    char *before, *want, *got, *again;
} rig;

static const uint32_t guard = 0x7fe0bad0; /* NaN as a float */

static void place(rig *r)
{
    const augment_case *c = r->c;
    const uint64_t stored = c->n * strata_stored_bytes(c->h, c->w, c->c),
                   samples = c->n * sizeof(strata_sample);
    const uint64_t records = c->n * (uint64_t)STRATA_AUGMENT_RECORD;
    const uint64_t bytes[PARTS] = {
        stored,  samples, sizeof(strata_step_values), records, 4 * strata_shape_floats(r->shape), stored,
        samples, records,
    };
    r->total = 0;
    for (int i = 0; i < PARTS; i++) {
        r->offset[i] = strata_align(r->total + GUARD);
        r->bytes[i] = bytes[i];
        r->total = r->offset[i] + bytes[i];
    }
    r->total = strata_align(r->total + GUARD);
}

/* Every second image is mixed all over, others in a box, some not at all. */
static void fill_samples(rig *r)
{
    const uint32_t w = r->shape.w, h = r->shape.h;
    strata_sample *own = (strata_sample *)(void *)(r->before + r->offset[SAMPLES]);
    strata_sample *other = (strata_sample *)(void *)(r->before + r->offset[OTHER_SAMPLES]);
    for (uint32_t i = 0; i < r->c->n; i++) {
        own[i] = (strata_sample) {
            .image = 1000 * i + 7, .draw = i % 3, .share = 0.3F, .box = { 0, 0, w, h }
        };
        other[i] = (strata_sample) { .image = 500 * i + 1, .draw = STRATA_DRAW_PARTNER };
        if (i % 2)
            own[i] = (strata_sample) { .image = i, .share = 1, .box = { i % w, i % h, w, h - i % h / 2 } };
        if (i % 8 == 5) own[i].box[2] = 0;
    }
}

static void fill(rig *r)
{
    for (uint64_t i = 0; i < r->total / 4; i++) memcpy(r->before + 4 * i, &guard, sizeof guard);
    for (int k = 0; k < 2; k++) {
        uint8_t *pixels = (uint8_t *)(r->before + r->offset[k ? OTHERS : PIXELS]);
        for (uint32_t i = 0; i < r->bytes[PIXELS]; i++)
            pixels[i] = (uint8_t)strata_philox(i, (uint32_t)k, 0, 5, 0, STRATA_RANDOM_TEST).v[0];
    }
    fill_samples(r);
    *(strata_step_values *)(void *)(r->before + r->offset[VALUES]) = (strata_step_values) { .seed_low = 9,
                                                                                            .seed_high = 1,
                                                                                            .epoch = EPOCH };
}

static strata_slice part(const rig *r, const strata_block *block, int i)
{
    return (strata_slice) { block, r->offset[i], r->bytes[i], false };
}

static strata_status run(rig *r, strata_device *d, void *after)
{
    strata_status status = STRATA_OK;
    strata_block block = { 0 };
    strata_stream *s = NULL;
    strata_tensor out = { .name = "input", .shape = r->shape };
    STRATA_GO(strata_block_open(&block, d, r->total, STRATA_MEMORY_DEVICE));
    STRATA_GO(strata_device_write(d, (strata_slice) { &block, 0, r->total, false }, r->before));
    STRATA_GO(strata_stream_open(&s, d));
    strata_stream_label(s, "input");
    strata_stream_step_values(s, part(r, &block, VALUES));
    out.data = part(r, &block, OUT);
    strata_augment_work work = { .pixels = part(r, &block, PIXELS),
                                 .samples = part(r, &block, SAMPLES),
                                 .records = part(r, &block, RECORDS),
                                 .out = &out };
    if (strata_augment_mixes(&r->augment)) {
        work.other_pixels = part(r, &block, OTHERS);
        work.other_samples = part(r, &block, OTHER_SAMPLES);
        work.other_records = part(r, &block, OTHER_RECORDS);
    }
    STRATA_GO(
        strata_augment_record(s, &r->augment, &work, r->c->evaluate ? STRATA_EVALUATE_MODE : STRATA_TRAIN));
    STRATA_GO(strata_stream_end(s));
    STRATA_GO(strata_stream_run(s));
    STRATA_GO(strata_device_read(d, after, (strata_slice) { &block, 0, r->total, false }));
    const strata_recorded *launch;
    for (uint32_t i = 0; d == r->judge->device && (launch = strata_stream_recorded(s, i)) != NULL; i++)
        strata_judge_launched(r->judge, launch);
done:
    strata_stream_close(s);
    if (block.host || block.device) strata_block_close(&block, d);
    return status;
}

/* Everything but the records of a training pass and the output keeps its bits, guard zones included. */
static void check_kept(const rig *r, const char *after, char *why, size_t room)
{
    int i = 0;
    for (uint64_t at = 0; at < r->total && !*why; at += 4) {
        while (i < PARTS && at >= r->offset[i] + r->bytes[i]) i++;
        const bool inside = i < PARTS && at >= r->offset[i];
        if (inside && (i == OUT || (i == RECORDS && !r->c->evaluate))) continue;
        if (inside && i == OTHER_RECORDS && strata_augment_mixes(&r->augment)) continue;
        if (memcmp(r->before + at, after + at, 4) != 0)
            snprintf(why, room, "%s %s changed",
                     inside ? "what must keep its bits in" : "the guard zone before",
                     i < PARTS ? part_names[i] : "the end");
    }
}

/* What is drawn, and where pixels are taken from, has the same bits. */
static void check_records(const rig *r, int which, char *why, size_t room)
{
    const char *want = r->want + r->offset[which], *got = r->got + r->offset[which];
    for (uint64_t at = 0; at < r->bytes[RECORDS] && !*why; at += 4) {
        float a, b;
        memcpy(&a, want + at, 4);
        memcpy(&b, got + at, 4);
        if (memcmp(&a, &b, 4) == 0 || a == b) continue; /* a device need not keep the sign of 0 */
        snprintf(why, room, "image %u, word %u of its record: %.9g, wanted %.9g",
                 (unsigned)(at / STRATA_AUGMENT_RECORD), (unsigned)(at % STRATA_AUGMENT_RECORD / 4),
                 (double)b, (double)a);
    }
}

/* Roundings behind a value: of the normalisation; of weights and sums between pixels; of a matrix; of a
 * logarithm and an exponential, which Vulkan allows 3 + 2 x 16 units of the last place. */
static double roundings(const strata_augment *a)
{
    double n = 1;
    if (a->p_affine > 0 || a->what & RESIZED) n += 6;
    if (a->brightness > 0) n += 8;
    if (a->lighting > 0) n += 40;
    if (strata_augment_mixes(a)) n += 3;
    return n;
}

/* A value may be off by so many roundings of the largest that there are. */
static void check_pixels(const rig *r, strata_doctor_line *line, char *why, size_t room)
{
    const float *want = (const float *)(void *)(r->want + r->offset[OUT]);
    const float *got = (const float *)(void *)(r->got + r->offset[OUT]);
    const uint64_t n = r->bytes[OUT] / 4;
    line->bound = 0;
    for (uint64_t i = 0; i < n; i++)
        line->bound = fmax(line->bound, JUDGE_FACTOR * 0x1p-24 * fabs((double)want[i]));
    line->bound *= roundings(&r->augment);
    for (uint64_t i = 0; i < n && !*why; i++) {
        const double error = fabs((double)got[i] - (double)want[i]);
        if (error > line->error) line->error = error;
        if (!(error <= line->bound))
            snprintf(why, room, "element %llu: %.9g, wanted %.9g", (unsigned long long)i, (double)got[i],
                     (double)want[i]);
    }
}

static strata_status judge_case(strata_judge *j, const augment_case *c)
{
    strata_status status = STRATA_OK;
    rig r = { .judge = j, .c = c, .augment = c->what, .shape = { c->n, c->out_h, c->out_w, c->c } };
    char why[200] = "", sizes[64];
    r.augment.h = c->h;
    r.augment.w = c->w;
    r.augment.c = c->c;
    r.augment.scale = 255;
    for (uint32_t k = 0; k < 4; k++) {
        r.augment.mean[k] = 0.4F + 0.07F * (float)k;
        r.augment.std[k] = 0.3F - 0.05F * (float)k;
        r.augment.background[k] = (uint8_t)(60 + 50 * k);
    }
    place(&r);
    r.before = malloc(4 * r.total);
    if (!r.before) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a check"));
    r.want = r.before + r.total;
    r.got = r.want + r.total;
    r.again = r.got + r.total;
    fill(&r);
    STRATA_GO(run(&r, j->reference, r.want));
    STRATA_GO(run(&r, j->device, r.got));
    STRATA_GO(run(&r, j->device, r.again));
    snprintf(sizes, sizeof sizes, "%u of %ux%ux%u to %ux%u", (unsigned)c->n, (unsigned)c->h, (unsigned)c->w,
             (unsigned)c->c, (unsigned)c->out_h, (unsigned)c->out_w);
    strata_doctor_line line = {
        .op = "augment", .options = c->name, .variant = "plain", .tensor = "y", .sizes = sizes
    };
    check_kept(&r, r.want, why, sizeof why);
    check_kept(&r, r.got, why, sizeof why);
    check_records(&r, RECORDS, why, sizeof why);
    check_records(&r, OTHER_RECORDS, why, sizeof why);
    check_pixels(&r, &line, why, sizeof why);
    if (!why[0] && memcmp(r.got, r.again, r.total) != 0) snprintf(why, sizeof why, "not the same bits twice");
    line.passed = why[0] == '\0';
    line.why = why;
    strata_judge_tell(j, &line);
done:
    free(r.before);
    return status;
}

strata_status strata_judge_augment(strata_judge *j)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) STRATA_TRY(judge_case(j, &cases[i]));
    return STRATA_OK;
}

/* The judge of what runs before the network: what is drawn for each image has the reference's bits, the
 * pixels made of it are its pixels. Stored bytes are noise, so that a pixel taken from beside its place
 * shows. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check/guarded.h"
#include "core/random.h"
#include "core/sample.h"
#include "ops/augment.h"

enum { EPOCH = 3 };
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
    const augment_case *c;
    strata_augment augment;
    strata_shape shape;
    guarded m; /* of PARTS */
} rig;

static strata_status place(rig *r)
{
    const augment_case *c = r->c;
    const uint64_t stored = c->n * strata_stored_bytes(c->h, c->w, c->c),
                   samples = c->n * sizeof(strata_sample);
    const uint64_t records = c->n * (uint64_t)STRATA_AUGMENT_RECORD;
    const uint64_t bytes[PARTS] = {
        stored,  samples, sizeof(strata_step_values), records, 4 * strata_shape_floats(r->shape), stored,
        samples, records,
    };
    return guarded_init(&r->m, part_names, bytes, PARTS);
}

/* Every second image is mixed all over, others in a box, some not at all. */
static void fill_samples(rig *r)
{
    const uint32_t w = r->shape.w, h = r->shape.h;
    strata_sample *own = (strata_sample *)(void *)(r->m.before + r->m.offset[SAMPLES]);
    strata_sample *other = (strata_sample *)(void *)(r->m.before + r->m.offset[OTHER_SAMPLES]);
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
    for (int k = 0; k < 2; k++) {
        uint8_t *pixels = (uint8_t *)(r->m.before + r->m.offset[k ? OTHERS : PIXELS]);
        for (uint32_t i = 0; i < r->m.bytes[PIXELS]; i++)
            pixels[i] = (uint8_t)strata_philox(i, (uint32_t)k, 0, 5, 0, STRATA_RANDOM_TEST).v[0];
    }
    fill_samples(r);
    strata_step_values *values = (strata_step_values *)(void *)(r->m.before + r->m.offset[VALUES]);
    *values = (strata_step_values) { .seed_low = 9, .seed_high = 1, .epoch = EPOCH };
}

static strata_status record(const void *context, strata_stream *s, const strata_block *block)
{
    const rig *r = context;
    strata_tensor out = { .name = "input", .shape = r->shape, .data = guarded_part(&r->m, block, OUT) };
    strata_stream_step_values(s, guarded_part(&r->m, block, VALUES));
    strata_augment_work work = { .pixels = guarded_part(&r->m, block, PIXELS),
                                 .samples = guarded_part(&r->m, block, SAMPLES),
                                 .records = guarded_part(&r->m, block, RECORDS),
                                 .out = &out };
    if (strata_augment_mixes(&r->augment)) {
        work.other_pixels = guarded_part(&r->m, block, OTHERS);
        work.other_samples = guarded_part(&r->m, block, OTHER_SAMPLES);
        work.other_records = guarded_part(&r->m, block, OTHER_RECORDS);
    }
    return strata_augment_record(s, &r->augment, &work, r->c->evaluate ? STRATA_EVALUATE_MODE : STRATA_TRAIN);
}

/* The records of a training pass, and the output. */
static bool may_write(const void *context, uint32_t i, uint64_t word)
{
    const rig *r = context;
    (void)word;
    if (i == OTHER_RECORDS) return strata_augment_mixes(&r->augment);
    return i == OUT || (i == RECORDS && !r->c->evaluate);
}

/* What is drawn, and where pixels are taken from, has the same bits. */
static void check_records(const rig *r, int which, char *why, size_t room)
{
    const char *want = r->m.want + r->m.offset[which], *got = r->m.got + r->m.offset[which];
    for (uint64_t at = 0; at < r->m.bytes[RECORDS] && !*why; at += 4) {
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
    const float *want = (const float *)(void *)(r->m.want + r->m.offset[OUT]);
    const float *got = (const float *)(void *)(r->m.got + r->m.offset[OUT]);
    const uint64_t n = r->m.bytes[OUT] / 4;
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
    rig r = { .c = c, .augment = c->what, .shape = { c->n, c->out_h, c->out_w, c->c } };
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
    STRATA_GO(place(&r));
    fill(&r);
    STRATA_GO(guarded_run(&r.m, j, "input", record, &r));
    snprintf(sizes, sizeof sizes, "%u of %ux%ux%u to %ux%u", (unsigned)c->n, (unsigned)c->h, (unsigned)c->w,
             (unsigned)c->c, (unsigned)c->out_h, (unsigned)c->out_w);
    strata_doctor_line line = {
        .op = "augment", .options = c->name, .variant = "plain", .tensor = "y", .sizes = sizes
    };
    guarded_check_kept(&r.m, may_write, &r, why, sizeof why);
    check_records(&r, RECORDS, why, sizeof why);
    check_records(&r, OTHER_RECORDS, why, sizeof why);
    check_pixels(&r, &line, why, sizeof why);
    guarded_check_twice(&r.m, why, sizeof why);
    line.passed = why[0] == '\0';
    line.why = why;
    strata_judge_tell(j, &line);
done:
    guarded_free(&r.m);
    return status;
}

strata_status strata_judge_augment(strata_judge *j)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) STRATA_TRY(judge_case(j, &cases[i]));
    return STRATA_OK;
}

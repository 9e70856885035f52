/* Augmentation: what the network sees is the image, scaled, with the changes that seed and epoch say. */
#include "train/augment.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/sample.h"
#include "ok.h"

enum { N = 6, H = 5, W = 7 };

static const float mean[4] = { 0.25f, 0.5f, 0.125f, 0.75f }, deviation[4] = { 0.5f, 0.2f, 0.3f, 0.7f };

/* ---- The rig: N images through the stage ----------------------------------------------------------- */

typedef struct rig {
    strata_device *device;
    strata_block block;
    strata_slice values;
    strata_tensor out;
    strata_augment augment;
    strata_augment_work work;
    uint8_t stored[N * H * W * 4];
    strata_sample samples[N];
    strata_step_values step;
    float pixels[N * H * W * 4]; /* what came out */
} rig;

static strata_slice take(rig *r, uint64_t *at, uint64_t bytes)
{
    const strata_slice s = { &r->block, *at, bytes, false };
    *at += strata_align(bytes);
    return s;
}

static void rig_open(rig *r, const char *device, uint32_t c)
{
    uint64_t at = 0;
    *r = (rig) { .augment = { .h = H, .w = W, .c = c, .scale = 255 },
                 .out = { .name = "input", .shape = { N, H, W, c } } };
    memcpy(r->augment.mean, mean, sizeof mean);
    memcpy(r->augment.std, deviation, sizeof deviation);
    for (uint32_t i = 0; i < sizeof r->stored; i++) r->stored[i] = (uint8_t)(i * 41 + i / 7 + 1);
    for (uint32_t i = 0; i < N; i++) r->samples[i] = (strata_sample) { .image = i };
    r->step = (strata_step_values) { .seed_low = 9 };
    OK(strata_device_open(
        &r->device, &(strata_device_config) { .name = device, .validate = strcmp(device, "cpu") != 0 }));
    OK(strata_block_open(&r->block, r->device, 1 << 16, STRATA_MEMORY_DEVICE));
    r->values = take(r, &at, sizeof r->step);
    r->out.data = take(r, &at, 4 * strata_shape_floats(r->out.shape));
    r->work = (strata_augment_work) { .out = &r->out };
    r->work.pixels = take(r, &at, N * strata_stored_bytes(H, W, c));
    r->work.samples = take(r, &at, sizeof r->samples);
    r->work.records = take(r, &at, N * STRATA_AUGMENT_RECORD);
}

static void rig_close(rig *r)
{
    const char *first = "";
    if (strata_device_complaints(r->device, &first)) fail_msg("validation: %s", first);
    strata_block_close(&r->block, r->device);
    strata_device_close(r->device);
}

static void run(rig *r, strata_mode mode)
{
    strata_stream *s = NULL;
    OK(strata_device_write(r->device, r->values, &r->step));
    OK(strata_device_write(r->device, r->work.pixels, r->stored));
    OK(strata_device_write(r->device, r->work.samples, r->samples));
    OK(strata_stream_open(&s, r->device));
    strata_stream_step_values(s, r->values);
    OK(strata_augment_record(s, &r->augment, &r->work, mode));
    OK(strata_stream_end(s));
    OK(strata_stream_run(s));
    OK(strata_device_read(r->device, r->pixels, r->out.data));
    strata_stream_close(s);
}

/* ---- What is seen ---------------------------------------------------------------------------------- */

/* The stored value of a pixel of image n, the background outside of it, in the column x counted from the
 * right if mirrored. */
static uint8_t stored(const rig *r, uint32_t n, int y, int x, uint32_t c, int mirror)
{
    const size_t at = n * strata_stored_bytes(H, W, r->augment.c);
    if (y < 0 || y >= H || x < 0 || x >= W) return r->augment.background[c];
    if (mirror) x = W - 1 - x;
    return r->stored[at + (size_t)(y * W + x) * (r->augment.c == 1 ? 1 : 4) + c];
}

/* Does row `row` hold image n, shifted and mirrored, and zeros in its pad channels? */
static int row_is(const rig *r, uint32_t row, uint32_t n, const int shift[2], int mirror)
{
    const float *at = r->pixels + (size_t)row * H * W * 4;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (uint32_t c = 0; c < 4; c++, at++) {
                const double pixel = stored(r, n, y - shift[0], x - shift[1], c, mirror);
                const double wanted = (pixel / 255 - (double)mean[c]) / (double)deviation[c];
                if (c < r->augment.c ? fabs((double)*at - wanted) > 1e-6 : *at != 0) return 0;
            }
    return 1;
}

static const int unmoved[2] = { 0, 0 };

static void pixels_are_scaled_and_pads_are_zero(void **state)
{
    (void)state;
    static const char *const devices[] = { "cpu", "auto" };
    static rig r;
    for (int k = 0; k < 2; k++)
        for (uint32_t c = 1; c <= 4; c++) {
            rig_open(&r, devices[k], c);
            run(&r, STRATA_TRAIN);
            for (uint32_t row = 0; row < N; row++) assert_true(row_is(&r, row, row, unmoved, 0));
            memset(r.pixels, 0, sizeof r.pixels);
            OK(augment_read(&r.augment, "flip,crop")); /* of which evaluation takes no notice */
            run(&r, STRATA_EVALUATE_MODE);
            for (uint32_t row = 0; row < N; row++) assert_true(row_is(&r, row, row, unmoved, 0));
            rig_close(&r);
        }
}

/* Find by what shift and mirroring row `row` came from image n; fails if by none. Returns a code for the
 * three. */
static int find_change(const rig *r, uint32_t row, uint32_t n)
{
    for (int down = -4; down <= 4; down++)
        for (int right = -4; right <= 4; right++)
            for (int mirror = 0; mirror < 2; mirror++)
                if (row_is(r, row, n, (const int[2]) { down, right }, mirror))
                    return (down + 4) * 100 + (right + 4) * 10 + mirror;
    fail_msg("row %u is no shift or mirror image of image %u", row, n);
    return 0;
}

static void turn_around(rig *r)
{
    const size_t size = strata_stored_bytes(H, W, r->augment.c);
    for (uint32_t i = 0; i < N; i++) r->samples[i].image = N - 1 - i;
    for (uint32_t i = 0; i < N / 2; i++)
        for (size_t k = 0; k < size; k++) {
            uint8_t *a = &r->stored[i * size + k], *b = &r->stored[(N - 1 - i) * size + k], held = *a;
            *a = *b;
            *b = held;
        }
}

static void shifts_and_mirrors_follow_seed_epoch_and_image(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t changes;
    } cases[] = { { "none", 1 }, { "flip", 2 }, { "crop", 9 }, { "flip,crop", 18 } };
    static rig r;
    static float before[N * H * W * 4];
    for (int i = 0; i < 4; i++) {
        static uint32_t count[1000];
        uint32_t seen = 0;
        memset(count, 0, sizeof count);
        rig_open(&r, "cpu", 1 + 2 * (uint32_t)(i % 2));
        for (uint32_t c = 0; c < 3; c++) r.augment.background[c] = (uint8_t)(7 + 90 * c);
        OK(augment_read(&r.augment, cases[i].text));
        for (r.step.epoch = 0; r.step.epoch < 300; r.step.epoch++) {
            run(&r, STRATA_TRAIN);
            for (uint32_t n = 0; n < N; n++) seen += count[find_change(&r, n, n)]++ == 0;
        }
        assert_int_equal(seen, cases[i].changes); /* 1800 draws; each of 18 is missed once in 10^44 */
        for (int k = 0; k < 1000; k++)            /* expected 1800 / changes, within 5 sigma */
            if (count[k])
                assert_true(fabs(count[k] - 1800.0 / cases[i].changes) <=
                            5 * sqrt(1800.0 / cases[i].changes));

        memcpy(before, r.pixels, sizeof before);
        r.step.epoch--;
        turn_around(&r); /* the place in the batch does not matter */
        run(&r, STRATA_TRAIN);
        for (uint32_t n = 0; n < N; n++)
            assert_memory_equal(before + n * H * W * 4, r.pixels + (N - 1 - n) * H * W * 4,
                                H * W * 4 * sizeof(float));
        memcpy(before, r.pixels, sizeof before);
        for (int k = 0; k < 3 && i; k++) { /* the seed, each half of it, and the draw do */
            r.step.seed_low = k == 0 ? 10 : 9;
            r.step.seed_high = k == 1;
            for (uint32_t n = 0; n < N; n++) r.samples[n].draw = k == 2;
            run(&r, STRATA_TRAIN);
            assert_memory_not_equal(before, r.pixels, sizeof before);
        }
        rig_close(&r);
    }
}

/* ---- Where pixels come from: images whose channels are twice the column and twice the row ----------- */

enum { RAMPS = 60, STORED = 96, SEEN = 64, FROM_EDGE = (STORED - SEEN) / 2 };

typedef struct ramps {
    strata_augment augment;
    float pixels[RAMPS * SEEN * SEEN * 4]; /* of the output: the stored column and row, 1 (255 stored) */
} ramps;

static void make_ramps(ramps *r, const char *text, uint32_t channel2)
{
    static uint8_t stored_pixels[RAMPS * STORED * STORED * 4];
    static strata_sample samples[RAMPS];
    const strata_step_values step = { .seed_low = 3, .epoch = 5 };
    rig g = { .out = { .name = "input", .shape = { RAMPS, SEEN, SEEN, 3 } } };
    uint64_t at = 0;
    r->augment = (strata_augment) { .h = STORED, .w = STORED, .c = 3, .scale = 255, .std = { 1, 1, 1, 1 } };
    for (int i = 0; i < 3; i++) r->augment.mean[i] = 0.5f;
    OK(augment_read(&r->augment, text));
    for (uint32_t i = 0; i < RAMPS * STORED * STORED; i++) {
        stored_pixels[4 * i] = (uint8_t)(2 * (i % STORED));
        stored_pixels[4 * i + 1] = (uint8_t)(2 * (i / STORED % STORED));
        stored_pixels[4 * i + 2] = (uint8_t)channel2;
    }
    for (uint32_t i = 0; i < RAMPS; i++) samples[i] = (strata_sample) { .image = i };
    OK(strata_device_open(&g.device, &(strata_device_config) { .name = "cpu" }));
    OK(strata_block_open(&g.block, g.device, 1 << 23, STRATA_MEMORY_DEVICE));
    g.values = take(&g, &at, sizeof step);
    g.out.data = take(&g, &at, 4 * strata_shape_floats(g.out.shape));
    g.work = (strata_augment_work) { .out = &g.out };
    g.work.pixels = take(&g, &at, sizeof stored_pixels);
    g.work.samples = take(&g, &at, sizeof samples);
    g.work.records = take(&g, &at, RAMPS * STRATA_AUGMENT_RECORD);
    assert_true(at <= 1 << 23);
    OK(strata_device_write(g.device, g.values, &step));
    OK(strata_device_write(g.device, g.work.pixels, stored_pixels));
    OK(strata_device_write(g.device, g.work.samples, samples));
    strata_stream *s = NULL;
    OK(strata_stream_open(&s, g.device));
    strata_stream_step_values(s, g.values);
    OK(strata_augment_record(s, &r->augment, &g.work, STRATA_TRAIN));
    OK(strata_stream_end(s));
    OK(strata_stream_run(s));
    OK(strata_device_read(g.device, r->pixels, g.out.data));
    strata_stream_close(s);
    rig_close(&g);
}

static double value(const ramps *r, uint32_t n, int x, int y, int c)
{
    return (double)r->pixels[((n * SEEN + (uint32_t)y) * SEEN + (uint32_t)x) * 4 + (uint32_t)c] + 0.5;
}

typedef struct point {
    double x, y;
} point;

/* Where pixel (x, y) of image n came from. */
static point from(const ramps *r, uint32_t n, int x, int y)
{
    return (point) { value(r, n, x, y, 0) * 255 / 2, value(r, n, x, y, 1) * 255 / 2 };
}

static point minus(point a, point b) { return (point) { a.x - b.x, a.y - b.y }; }
static double size_of(point a) { return hypot(a.x, a.y); }
static double cross(point a, point b) { return a.x * b.y - a.y * b.x; }

/* The smallest and the largest of one figure of each image. */
typedef struct spread {
    double low, high;
} spread;

static void add(spread *s, double v)
{
    s->low = fmin(s->low, v);
    s->high = fmax(s->high, v);
}

#define NEAR(a, b, by) assert_true(fabs((a) - (b)) <= (by))
static const spread none = { INFINITY, -INFINITY };
enum { STEP = 16, MIDDLE = 24 };

/* One step to the right and one down, in the middle of image n. */
static void steps(const ramps *r, uint32_t n, point *right, point *down)
{
    const point at = from(r, n, MIDDLE, MIDDLE);
    *right = minus(from(r, n, MIDDLE + STEP, MIDDLE), at);
    *down = minus(from(r, n, MIDDLE, MIDDLE + STEP), at);
}

static void images_are_turned_scaled_and_sheared(void **state)
{
    (void)state;
    static ramps r;
    point right, down;
    spread turn = none, scale = none, shear = none;
    const double degree = acos(-1) / 180;
    make_ramps(&r, "rotate=30", 0);
    for (uint32_t n = 0; n < RAMPS; n++) {
        steps(&r, n, &right, &down);
        NEAR(size_of(right), STEP, 1e-3);
        NEAR(cross(right, down), STEP * STEP, 1e-2);
        NEAR(right.x, down.y, 1e-3);
        add(&turn, atan2(right.y, right.x) / degree);
        const point middle = from(&r, n, 31, 31), other = from(&r, n, 32, 32); /* about 31.5 */
        NEAR((middle.x + other.x) / 2, FROM_EDGE + 31.5, 1e-3);
        NEAR((middle.y + other.y) / 2, FROM_EDGE + 31.5, 1e-3);
    }
    assert_true(turn.low >= -30.01 && turn.low < -25 && turn.high <= 30.01 && turn.high > 25);
    make_ramps(&r, "scale=0.8:2", 0);
    for (uint32_t n = 0; n < RAMPS; n++) {
        steps(&r, n, &right, &down);
        NEAR(right.x, down.y, 1e-3);
        NEAR(right.y, 0, 1e-3);
        NEAR(from(&r, n, 31, 31).x + from(&r, n, 32, 32).x, 2 * FROM_EDGE + 63, 1e-3);
        add(&scale, STEP / right.x);
    }
    assert_true(scale.low >= 0.799 && scale.low < 0.9 && scale.high <= 2.001 && scale.high > 1.8);
    make_ramps(&r, "shear=20", 0);
    for (uint32_t n = 0; n < RAMPS; n++) {
        steps(&r, n, &right, &down);
        NEAR(right.x, STEP, 1e-3);
        NEAR(right.y, 0, 1e-3);
        NEAR(down.y, STEP, 1e-3);
        add(&shear, atan2(down.x, down.y) / degree);
    }
    assert_true(shear.low >= -20.01 && shear.low < -15 && shear.high <= 20.01 && shear.high > 15);
}

static void a_share_of_images_is_left_as_it_is(void **state)
{
    (void)state;
    static ramps r;
    point right, down;
    uint32_t left = 0;
    make_ramps(&r, "rotate=30,p-affine=0.75", 0);
    for (uint32_t n = 0; n < RAMPS; n++) {
        steps(&r, n, &right, &down);
        left += fabs(right.x - STEP) < 1e-3 && fabs(right.y) < 1e-3;
    }
    assert_in_range(left, 4, 26); /* of 60: 15, deviation 3.4 */
}

/* A window of a share of the area and of a ratio, anywhere; zoomed ones are anywhere, too. */
static void windows_are_parts_of_the_image(void **state)
{
    (void)state;
    static ramps r;
    static const char *const texts[] = { "resized=0.25:0.8,ratio=0.5:2", "zoom=2" };
    for (int k = 0; k < 2; k++) {
        spread area = none, ratio = none, left = none, top = none;
        make_ramps(&r, texts[k], 0);
        for (uint32_t n = 0; n < RAMPS; n++) {
            const point first = from(&r, n, 0, 0), last = from(&r, n, SEEN - 1, SEEN - 1);
            const double w = (last.x - first.x) * SEEN / (SEEN - 1),
                         h = (last.y - first.y) * SEEN / (SEEN - 1);
            const double inside = k ? SEEN : STORED, edge = k ? FROM_EDGE : 0;
            add(&area, w * h / (inside * inside));
            add(&ratio, w / h);
            add(&left, first.x - (w / SEEN - 1) / 2 - edge);
            add(&top, first.y - (h / SEEN - 1) / 2 - edge);
            assert_true(first.x + w <= edge + inside + 0.5 && first.y + h <= edge + inside + 0.5);
        }
        const double most = k ? 1.001 : 0.81, least = k ? 0.249 : 0.24;
        assert_true(area.low > least && area.low < 0.4 && area.high < most && area.high > 0.7);
        assert_true(k || (ratio.low > 0.48 && ratio.low < 0.6 && ratio.high < 2.05 && ratio.high > 1.7));
        assert_true(left.low > -0.51 && top.low > -0.51 && left.high > 15 && top.high > 15);
    }
}

/* What is enlarged ends with the picture: a frame's black is in it only where one is asked for. */
static void windows_of_a_white_picture_are_white(void **state)
{
    (void)state;
    static ramps r;
    static const char *const texts[] = { "resized", "imagenet", "resized,border=black" };
    for (int k = 0; k < 3; k++) {
        spread white = none;
        make_ramps(&r, texts[k], 255);
        for (uint32_t n = 0; n < RAMPS; n++)
            for (int i = 0; i < SEEN; i++) {
                add(&white, value(&r, n, i, 0, 2));
                add(&white, value(&r, n, i, SEEN - 1, 2));
                add(&white, value(&r, n, 0, i, 2));
                add(&white, value(&r, n, SEEN - 1, i, 2));
            }
        if (k < 2)
            NEAR(white.low, 1, 1e-6);
        else
            assert_true(white.low < 0.9);
    }
}

/* Straight lines stay straight, corners move by up to a fifth of half a side: what was in the middle of the
 * left and of the right side stays in the middle of a side. */
static void images_are_warped(void **state)
{
    (void)state;
    static ramps r;
    spread corner = none, bent = none;
    make_ramps(&r, "warp=0.2", 0);
    for (uint32_t n = 0; n < RAMPS; n++) {
        const point a = from(&r, n, 0, 0), b = from(&r, n, SEEN - 1, 0), c = from(&r, n, 0, SEEN - 1);
        const point d = from(&r, n, SEEN - 1, SEEN - 1);
        add(&bent, cross(minus(from(&r, n, 20, 0), a), minus(b, a)));
        add(&bent, cross(minus(from(&r, n, 31, 31), a), minus(d, a)));
        add(&bent, cross(minus(from(&r, n, 63, 40), b), minus(d, b)));
        add(&corner, a.x - FROM_EDGE);
        add(&corner, a.y - FROM_EDGE);
        /* The middles of pixels are half a pixel from the corners. */
        NEAR(a.x + b.x, 2 * FROM_EDGE + 63, 0.6);
        NEAR(c.x + d.x, 2 * FROM_EDGE + 63, 0.6);
        NEAR(a.y + c.y, 2 * FROM_EDGE + 63, 0.6);
        NEAR(b.y + d.y, 2 * FROM_EDGE + 63, 0.6);
    }
    assert_true(bent.low > -0.1 && bent.high < 0.1);
    assert_true(corner.low > -6.5 && corner.low < -4 && corner.high < 6.5 && corner.high > 4);
}

static void boxes_are_erased(void **state)
{
    (void)state;
    static ramps r;
    uint32_t erased = 0;
    make_ramps(&r, "erase=0.5", 7);
    for (uint32_t n = 0; n < RAMPS; n++) {
        int left = SEEN, right = -1, top = SEEN, bottom = -1, count = 0;
        for (int y = 0; y < SEEN; y++)
            for (int x = 0; x < SEEN; x++) {
                if (value(&r, n, x, y, 0) != 0.5 || value(&r, n, x, y, 2) != 0.5) continue;
                left = x < left ? x : left;
                right = x > right ? x : right;
                top = y < top ? y : top;
                bottom = y > bottom ? y : bottom;
                count++;
            }
        if (!count) continue;
        const double w = right - left + 1, h = bottom - top + 1;
        erased++;
        assert_int_equal(count, (int)(w * h));
        assert_true(count > 0.018 * SEEN * SEEN && count < 0.34 * SEEN * SEEN);
        assert_true(w / h > 0.27 && w / h < 3.6);
    }
    assert_in_range(erased, 15, 45);
}

/* ---- Colours ------------------------------------------------------------------------------------------ */

static double logit(double p) { return log(p / (1 - p)); }

static void colours_change_as_said(void **state)
{
    (void)state;
    static ramps r;
    spread factor = none, light = none;
    const double dim = 100.0 / 255, x = 2.0 * (FROM_EDGE + 30) / 255, y = 2.0 * (FROM_EDGE + 9) / 255;
    const double luma = 0.299 * x + 0.587 * y + 0.114 * dim;
    for (int k = 0; k < 5; k++) {
        static const char *const texts[] = { "brightness=0.5", "contrast=0.5", "saturation=0.5", "hue=0.1",
                                             "lighting=0.4" };
        make_ramps(&r, texts[k], 100);
        for (uint32_t n = 0; n < RAMPS; n++) {
            const double got[3] = { value(&r, n, 30, 9, 0), value(&r, n, 30, 9, 1), value(&r, n, 30, 9, 2) };
            const double is[3] = { x, y, dim };
            const double to = k == 1 ? 0.5 : k == 2 ? luma : 0;
            double f = (got[2] - to) / (dim - to);
            if (k == 4) f = (logit(got[0]) - logit(got[1])) / (logit(x) - logit(y));
            for (int c = 0; c < 3 && k < 3; c++) NEAR(got[c], fmin(fmax(to + f * (is[c] - to), 0), 1), 1e-5);
            if (k < 3) assert_true(f > 0.499 && f < 1.501);
            if (k == 3) NEAR(0.299 * got[0] + 0.587 * got[1] + 0.114 * got[2], luma, 1e-5);
            if (k == 4) {
                const double b = logit(got[0]) / f - logit(x);
                assert_true(f > 0.599 && f < 1 / 0.599 && b > logit(0.299) && b < logit(0.701));
                NEAR(logit(got[2]), f * (logit(dim) + b), 1e-3);
            }
            add(k == 4 ? &light : &factor, k == 3 ? 1 : f);
        }
    }
    assert_true(factor.low < 0.7 && factor.high > 1.3);
    assert_true(light.low < 0.65 && light.high > 1 / 0.65);
}

/* ---- The text ---------------------------------------------------------------------------------------- */

static void augmentation_is_read_from_words(void **state)
{
    (void)state;
    strata_augment a = { .h = 33, .w = 40, .c = 3, .background = { 9, 9, 9 } };
    OK(augment_read(&a, "none"));
    assert_int_equal(a.what, 0);
    OK(augment_read(&a, "crop,flip"));
    assert_int_equal(a.what, STRATA_AUGMENT_CROP | STRATA_AUGMENT_FLIP);
    assert_int_equal(a.pad, 4); /* an eighth of the shorter side */
    OK(augment_read(&a, "crop=7,rotate=45,scale=0.9:1.1,shear=36,erase=0.25,border=replicate"));
    assert_int_equal(a.pad, 7);
    assert_true(a.rotate == 0.125f && a.shear == 0.1f && a.scale_low == 0.9f && a.scale_high == 1.1f);
    assert_true(a.erase == 0.25f && a.border == STRATA_BORDER_REPLICATE && a.p_affine == 1);
    assert_int_equal(a.background[1], 9);
    OK(augment_read(&a, "erase=1,rotate=180")); /* the ends of what is taken */
    assert_true(a.erase == 1 && a.rotate == 0.5f);
    OK(augment_read(&a, "border=background"));
    assert_true(a.border == STRATA_BORDER_BACKGROUND && a.background[1] == 9);
    OK(augment_read(&a, "border=black"));
    assert_true(a.border == STRATA_BORDER_BACKGROUND && a.background[1] == 0);

    a = (strata_augment) { .h = 224, .w = 224, .c = 3 };
    OK(augment_read(&a, "fastai,warp=0.1"));
    assert_true(a.rotate == (float)(10.0 / 360) && a.zoom == 1.1f && a.lighting == 0.2f && a.warp == 0.1f);
    assert_true(a.p_affine == 0.75f && a.p_colour == 0.75f && a.border == STRATA_BORDER_REFLECT);
    a = (strata_augment) { .h = 224, .w = 224, .c = 3 };
    OK(augment_read(&a, "imagenet,jitter"));
    assert_int_equal(a.what, STRATA_AUGMENT_RESIZED | STRATA_AUGMENT_FLIP);
    assert_true(a.area_low == 0.08f && a.area_high == 1 && a.hue == 0.1f && a.brightness == 0.4f);
    assert_true(a.ratio_low == (float)log2(0.75) && a.ratio_high == (float)log2(4.0 / 3));
    assert_int_equal(a.border, STRATA_BORDER_REPLICATE);
    a = (strata_augment) { .h = 224, .w = 224, .c = 3 };
    OK(augment_read(&a, "imagenet,rotate=10,border=background"));
    assert_int_equal(a.border, STRATA_BORDER_BACKGROUND);
    a = (strata_augment) { .h = 32, .w = 32, .c = 3 };
    OK(augment_read(&a, "cifar"));
    assert_true(a.what == (STRATA_AUGMENT_CROP | STRATA_AUGMENT_FLIP) && a.pad == 4);
    assert_true(augment_resizes("imagenet") && !augment_resizes("cifar") && !augment_resizes("flop"));
}

static void what_is_no_augmentation_is_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } bad[] = {
        { "flop", "no 'flop' (character 1); did you mean flip?; there are none, flip, vflip" },
        { "flip,rotat=3", "no 'rotat' (character 6); did you mean rotate?" },
        { "flip,", "no '' (character 6)" },
        { "flip,none", "no 'none' (character 6)" },
        { ",", "no '' (character 1)" },
        { "flip=1", "flip at character 1 wants no value, got '1'" },
        { "flip,rotate", "rotate at character 6 wants degrees from 0 to 180, got ''" },
        { "rotate=200", "wants degrees from 0 to 180, got '200'" },
        { "rotate=1x", "got '1x'" },
        { "rotate=", "got ''" },
        { "rotate=nan", "got 'nan'" },
        { "crop=1.5", "crop at character 1 wants whole pixels from 0 to 1024, got '1.5'" },
        { "scale=0.9", "scale at character 1 wants LOW:HIGH from 0.05 to 20, got '0.9'" },
        { "scale=1.1:0.9", "LOW:HIGH" },
        { "resized=0:1", "LOW:HIGH from 0.0001 to 1, got '0:1'" },
        { "hue=0.6", "hue at character 1 wants a number from 0 to 0.5" },
        { "border=white", "wants background, black, reflect or replicate, got 'white'" },
        { "crop,resized", "crop and resized" },
        { "flip,rotate=10,rotate=20",
          "rotate is there twice (character 16), got 'flip,rotate=10,rotate=20'" },
        { "cifar,flip,cifar", "cifar is there twice (character 12)" },
        { "ratio=1:2", "ratio is that of resized" },
    };
    strata_augment a = { .h = 33, .w = 40, .c = 3 };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(augment_read(&a, bad[i].text), STRATA_BAD_ARG);
        if (!strstr(strata_message(), bad[i].why))
            fail_msg("'%s': \"%s\", wanted \"%s\"", bad[i].text, strata_message(), bad[i].why);
        a.what = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_scaled_and_pads_are_zero),
        cmocka_unit_test(shifts_and_mirrors_follow_seed_epoch_and_image),
        cmocka_unit_test(images_are_turned_scaled_and_sheared),
        cmocka_unit_test(a_share_of_images_is_left_as_it_is),
        cmocka_unit_test(windows_are_parts_of_the_image),
        cmocka_unit_test(windows_of_a_white_picture_are_white),
        cmocka_unit_test(images_are_warped),
        cmocka_unit_test(boxes_are_erased),
        cmocka_unit_test(colours_change_as_said),
        cmocka_unit_test(augmentation_is_read_from_words),
        cmocka_unit_test(what_is_no_augmentation_is_refused_in_words),
    };
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}

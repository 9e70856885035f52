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

#define OK(e)                                                                                                \
    do {                                                                                                     \
        strata_status ok_status = (e);                                                                       \
        if (ok_status != STRATA_OK) fail_msg("%s: %s", #e, strata_message());                                \
    } while (0)

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
    for (uint32_t i = 0; i < N; i++) r->samples[i] = (strata_sample) { i, 0 };
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

/* ---- The text ---------------------------------------------------------------------------------------- */

static void augmentation_is_read_from_words(void **state)
{
    (void)state;
    strata_augment a = { .h = 33, .w = 40, .c = 3 };
    OK(augment_read(&a, "none"));
    assert_int_equal(a.what, 0);
    OK(augment_read(&a, "flip"));
    assert_int_equal(a.what, STRATA_AUGMENT_FLIP);
    OK(augment_read(&a, "crop,flip"));
    assert_int_equal(a.what, STRATA_AUGMENT_CROP | STRATA_AUGMENT_FLIP);
    assert_int_equal(a.pad, 4); /* an eighth of the shorter side */
    static const char *const bad[] = { "flop", "flip,", "flip,none", ",", "flipcrop" };
    for (int i = 0; i < 5; i++) assert_int_equal(augment_read(&a, bad[i]), STRATA_BAD_ARG);
    assert_non_null(strstr(strata_message(), "\"flipcrop\": wanted none, flip"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_scaled_and_pads_are_zero),
        cmocka_unit_test(shifts_and_mirrors_follow_seed_epoch_and_image),
        cmocka_unit_test(augmentation_is_read_from_words),
    };
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}

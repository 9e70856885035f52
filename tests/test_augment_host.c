/* What the host tells the kernels of augmentation, which judge each other by it: whose draws change a
 * partner, about which grey contrast goes, and which images a launch takes where a device binds few. */
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
#include "ops/augment.h"

enum { N = 48, H = 32, W = 32, IMAGE = H * W * 4 };

typedef struct pictures {
    uint8_t own[N * IMAGE], other[N * IMAGE];
    strata_sample samples[N], other_samples[N];
    float out[N * IMAGE];
} pictures;

static strata_slice take(const strata_block *b, uint64_t *at, uint64_t bytes)
{
    const strata_slice s = { b, *at, bytes, false };
    *at += strata_align(bytes);
    return s;
}

static strata_augment plain(uint32_t c)
{
    strata_augment a = { .h = H, .w = W, .c = c, .scale = 255, .p_affine = 1, .p_colour = 1 };
    for (int i = 0; i < 4; i++) {
        a.mean[i] = (float[4]) { 0.25f, 0.5f, 0.125f, 0.75f }[i];
        a.std[i] = 1;
    }
    return a;
}

/* Change own (and mix other into it); the result is as the network sees it, and the mean is added again. */
static void run(pictures *p, const strata_augment *a, const char *limits)
{
    const strata_step_values step = { .seed_low = 9, .epoch = 3 };
    const uint64_t stored = N * strata_stored_bytes(H, W, a->c);
    uint64_t at = 0;
    strata_device *d;
    strata_block b;
    strata_stream *s = NULL;
    strata_tensor out = { .name = "input", .shape = { N, H, W, a->c } };
    OK(strata_device_open(&d, &(strata_device_config) { .name = "cpu", .limits = limits }));
    OK(strata_block_open(&b, d, 1 << 21, STRATA_MEMORY_DEVICE));
    const strata_slice values = take(&b, &at, sizeof step);
    out.data = take(&b, &at, 4 * strata_shape_floats(out.shape));
    strata_augment_work w = { .out = &out };
    w.pixels = take(&b, &at, stored);
    w.samples = take(&b, &at, sizeof p->samples);
    w.records = take(&b, &at, N * STRATA_AUGMENT_RECORD);
    OK(strata_device_write(d, values, &step));
    OK(strata_device_write(d, w.pixels, p->own));
    OK(strata_device_write(d, w.samples, p->samples));
    if (strata_augment_mixes(a)) {
        w.other_pixels = take(&b, &at, stored);
        w.other_samples = take(&b, &at, sizeof p->other_samples);
        w.other_records = take(&b, &at, N * STRATA_AUGMENT_RECORD);
        OK(strata_device_write(d, w.other_pixels, p->other));
        OK(strata_device_write(d, w.other_samples, p->other_samples));
    }
    assert_true(at <= 1 << 21);
    OK(strata_stream_open(&s, d));
    strata_stream_step_values(s, values);
    OK(strata_augment_record(s, a, &w, STRATA_TRAIN));
    OK(strata_stream_end(s));
    OK(strata_stream_run(s));
    OK(strata_device_read(d, p->out, out.data));
    strata_stream_close(s);
    strata_block_close(&b, d);
    strata_device_close(d);
    for (size_t i = 0; i < N * IMAGE; i++) p->out[i] += i % 4 < a->c ? a->mean[i % 4] : 0;
}

static void fill(pictures *p)
{
    memset(p, 0, sizeof *p);
    for (uint32_t i = 0; i < N * IMAGE; i++) {
        p->own[i] = (uint8_t)(i * 41 + i / 7);
        p->other[i] = (uint8_t)(i * 83 + i / 11);
    }
    for (uint32_t i = 0; i < N; i++) {
        p->samples[i] = (strata_sample) { .image = i, .share = 1, .box = { 0, 0, W, H } };
        p->other_samples[i] = (strata_sample) { .image = 500 + 3 * i, .draw = STRATA_DRAW_PARTNER };
    }
}

/* What is mixed in all over is what it would be alone, by the partner's number and draw. */
static void partners_are_changed_by_their_own_draws(void **state)
{
    (void)state;
    static pictures mixed, alone;
    strata_augment a = plain(3);
    a.what = STRATA_AUGMENT_FLIP | STRATA_AUGMENT_CROP;
    a.pad = 2;
    a.mixup = 1;
    fill(&mixed);
    fill(&alone);
    run(&mixed, &a, NULL);
    memcpy(alone.own, alone.other, sizeof alone.own);
    memcpy(alone.samples, alone.other_samples, sizeof alone.samples);
    a.mixup = 0;
    run(&alone, &a, NULL);
    for (size_t i = 0; i < N * IMAGE; i++) assert_true(fabsf(mixed.out[i] - alone.out[i]) < 1e-5f);
}

/* A launch binds 64 KiB: four images, by what the network sees of each. */
static void parts_of_a_batch_are_its_images(void **state)
{
    (void)state;
    static pictures whole, parts;
    for (uint32_t c = 1; c <= 3; c += 2) {
        strata_augment a = plain(c);
        a.what = STRATA_AUGMENT_FLIP | STRATA_AUGMENT_CROP;
        a.pad = 2;
        a.cutmix = 1;
        fill(&whole);
        for (uint32_t i = 0; i < N; i++) whole.samples[i].box[0] = i % W;
        parts = whole;
        run(&whole, &a, NULL);
        run(&parts, &a, "range=65536");
        assert_memory_equal(whole.out, parts.out, sizeof whole.out);
    }
}

/* Two values of a picture say by what factor they were drawn to which middle. */
static void contrast_is_about_the_grey_of_the_mean(void **state)
{
    (void)state;
    static pictures p;
    for (uint32_t c = 1; c <= 3; c += 2) {
        strata_augment a = plain(c);
        const double grey = c == 1 ? 0.25 : 0.299 * 0.25 + 0.587 * 0.5 + 0.114 * 0.125;
        uint32_t known = 0;
        a.contrast = 0.5f;
        fill(&p);
        for (size_t i = 0; i < sizeof p.own; i++) p.own[i] = i / (c == 1 ? 1 : 4) % 2 ? 120 : 80;
        run(&p, &a, NULL);
        for (uint32_t n = 0; n < N; n++) {
            const float *first = p.out + n * IMAGE, *second = first + 4;
            const double f = ((double)*second - (double)*first) / (40.0 / 255);
            assert_true(f > 0.499 && f < 1.501);
            if (fabs(1 - f) < 0.1) continue;
            assert_true(fabs(((double)*first - f * 80 / 255) / (1 - f) - grey) < 1e-4);
            known++;
        }
        assert_true(known > N / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partners_are_changed_by_their_own_draws),
        cmocka_unit_test(parts_of_a_batch_are_its_images),
        cmocka_unit_test(contrast_is_about_the_grey_of_the_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

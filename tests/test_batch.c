/* Batches: what the network sees is the image, scaled, in the order and with the changes that seed and epoch
 * say. */
#include "data/batch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { N = 6, H = 5, W = 7, MOST = N * H * W * 4 };

static const float mean[4] = { 0.25f, 0.5f, 0.125f, 0.75f }, deviation[4] = { 0.5f, 0.2f, 0.3f, 0.7f };

typedef struct fixture {
    uint8_t image[MOST];
    int32_t label[N];
    strata_batcher batcher;
    float pixels[8 * H * W * 4], weights[8];
    int32_t labels[8];
    strata_batch out;
} fixture;

static void setup(fixture *f, uint32_t c, uint32_t batch)
{
    memset(f, 0x7f, sizeof *f);
    for (uint32_t i = 0; i < MOST; i++) f->image[i] = (uint8_t)(i * 41 + i / 7 + 1);
    for (int i = 0; i < N; i++) f->label[i] = (i * 3 + 1) % 10;
    const strata_image_set set = { N, H, W, c, 10, f->image, f->label, NULL, NULL };
    strata_batcher_init(&f->batcher, &set, 255, mean, deviation);
    f->batcher.batch = batch;
    f->out = (strata_batch) { f->pixels, f->labels, f->weights, NULL };
}

static float wanted(uint8_t pixel, uint32_t c)
{
    return (float)((pixel / 255.0 - (double)mean[c]) / (double)deviation[c]);
}

/* The stored value of a pixel of image n, black outside of it, in the column x counted from the right if
 * mirrored. */
static uint8_t stored(const fixture *f, uint32_t n, int y, int x, uint32_t c, int mirror)
{
    if (y < 0 || y >= H || x < 0 || x >= W) return 0;
    if (mirror) x = W - 1 - x;
    return f->image[((n * H + (uint32_t)y) * W + (uint32_t)x) * f->batcher.set.c + c];
}

/* Does row `row` hold image n, shifted and mirrored, and zeros in its pad channels? */
static int row_is(const fixture *f, uint32_t row, uint32_t n, const int shift[2], int mirror)
{
    const float *at = f->pixels + (size_t)row * H * W * 4;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (uint32_t c = 0; c < 4; c++, at++) {
                const float value = c < f->batcher.set.c
                                        ? wanted(stored(f, n, y - shift[0], x - shift[1], c, mirror), c)
                                        : 0;
                if (*at != value) return 0;
            }
    return 1;
}

static const int unmoved[2] = { 0, 0 };

static void an_order_is_a_permutation_of_seed_and_epoch(void **state)
{
    (void)state;
    static uint32_t a[1000], b[1000];
    strata_order(a, 1, 5, 6);
    assert_int_equal(a[0], 0);
    strata_order(a, 0, 5, 6);
    strata_order(a, 1000, 5, 6);
    uint8_t seen[1000] = { 0 };
    for (int i = 0; i < 1000; i++) seen[a[i]]++;
    for (int i = 0; i < 1000; i++) assert_int_equal(seen[i], 1);
    strata_order(b, 1000, 5, 6);
    assert_memory_equal(a, b, sizeof a);
    strata_order(b, 1000, 5, 7);
    assert_memory_not_equal(a, b, sizeof a);
    strata_order(b, 1000, 6, 6);
    assert_memory_not_equal(a, b, sizeof a);

    uint32_t count[4][4] = {
        0
    }; /* each image stands at each place equally often: 2000 times of 8000, sigma 39 */
    for (uint32_t epoch = 0; epoch < 8000; epoch++) {
        strata_order(a, 4, 1, epoch);
        for (int i = 0; i < 4; i++) count[i][a[i]]++;
    }
    for (int i = 0; i < 16; i++) assert_in_range(count[i / 4][i % 4], 1800, 2200);
}

static void pixels_are_scaled_and_pads_are_zero(void **state)
{
    (void)state;
    static fixture f;
    for (uint32_t c = 1; c <= 4; c++) {
        static const uint32_t order[N] = { 4, 2, 5, 0, 3, 1 };
        setup(&f, c, 3);
        assert_int_equal(f.batcher.lanes, 4);
        strata_batch_fill(&f.out, &f.batcher, order, 0, 1, 3);
        for (uint32_t row = 0; row < 3; row++) {
            assert_true(row_is(&f, row, order[1 + row], unmoved, 0));
            assert_int_equal(f.labels[row], f.label[order[1 + row]]);
            assert_true(f.weights[row] == 1);
        }
        strata_batch_fill(&f.out, &f.batcher, NULL, 0, 3, 3);
        for (uint32_t row = 0; row < 3; row++) assert_true(row_is(&f, row, 3 + row, unmoved, 0));
    }
}

static void rows_without_an_image_weigh_nothing(void **state)
{
    (void)state;
    static fixture f;
    setup(&f, 3, 7);
    const float beyond = f.pixels[7 * H * W * 4];
    strata_batch_fill(&f.out, &f.batcher, NULL, 0, 4, 2);
    assert_true(row_is(&f, 0, 4, unmoved, 0) && row_is(&f, 1, 5, unmoved, 0));
    for (uint32_t row = 2; row < 7; row++) {
        assert_true(f.weights[row] == 0 && f.labels[row] == 0);
        for (int i = 0; i < H * W * 4; i++) assert_true(f.pixels[row * H * W * 4 + (uint32_t)i] == 0);
    }
    assert_true(memcmp(&f.pixels[7 * H * W * 4], &beyond, sizeof beyond) == 0);
    assert_int_equal(f.labels[7], 0x7f7f7f7f);
    f.out.labels = NULL;
    f.out.weights = NULL;
    strata_batch_fill(&f.out, &f.batcher, NULL, 0, 0, 0);
    assert_true(f.pixels[0] == 0);
}

/* Find by what shift and mirroring row `row` came from image n; fails if by none. Returns a code for the
 * three. */
static int find_change(const fixture *f, uint32_t row, uint32_t n)
{
    for (int down = -4; down <= 4; down++)
        for (int right = -4; right <= 4; right++)
            for (int mirror = 0; mirror < 2; mirror++)
                if (row_is(f, row, n, (const int[2]) { down, right }, mirror))
                    return (down + 4) * 100 + (right + 4) * 10 + mirror;
    fail_msg("row %u is no shift or mirror image of image %u", row, n);
    return 0;
}

static void augmentation_follows_seed_epoch_and_image(void **state)
{
    (void)state;
    static fixture f, g;
    static const uint32_t back[N] = { 5, 4, 3, 2, 1, 0 };
    static const struct {
        uint32_t flags, changes;
    } cases[] = { { STRATA_AUGMENT_NONE, 1 },
                  { STRATA_AUGMENT_FLIP, 2 },
                  { STRATA_AUGMENT_CROP, 9 },
                  { STRATA_AUGMENT_FLIP | STRATA_AUGMENT_CROP, 18 } };
    for (int i = 0; i < 4; i++) {
        static uint32_t count[1000];
        uint32_t seen = 0;
        memset(count, 0, sizeof count);
        setup(&f, 1 + 2 * (uint32_t)(i % 2), N);
        f.batcher.augment = cases[i].flags;
        f.batcher.seed = 9;
        for (uint32_t epoch = 0; epoch < 300; epoch++) {
            strata_batch_fill(&f.out, &f.batcher, NULL, epoch, 0, N);
            for (uint32_t n = 0; n < N; n++) {
                const int change = find_change(&f, n, n);
                seen += count[change]++ == 0;
            }
        }
        assert_int_equal(seen, cases[i].changes); /* 1800 draws; each of 18 is missed once in 10^44 */
        for (int k = 0; k < 1000; k++)            /* expected 1800 / changes, within 5 sigma */
            if (count[k])
                assert_true(fabs(count[k] - 1800.0 / cases[i].changes) <=
                            5 * sqrt(1800.0 / cases[i].changes));

        g = f;
        g.out = (strata_batch) { g.pixels, g.labels, g.weights, NULL };
        strata_batch_fill(&g.out, &g.batcher, back, 299, 0, N); /* the place in the batch does not matter */
        for (uint32_t n = 0; n < N; n++)
            assert_memory_equal(f.pixels + n * H * W * 4, g.pixels + (N - 1 - n) * H * W * 4,
                                H * W * 4 * sizeof(float));
        g.batcher.seed = 10;
        strata_batch_fill(&g.out, &g.batcher, NULL, 299, 0, N);
        if (i) assert_memory_not_equal(f.pixels, g.pixels, sizeof f.pixels);
    }
}

static void augmentation_is_read_from_words(void **state)
{
    (void)state;
    uint32_t flags = 99;
    assert_int_equal(strata_augment_parse(&flags, "none"), STRATA_OK);
    assert_int_equal(flags, STRATA_AUGMENT_NONE);
    assert_int_equal(strata_augment_parse(&flags, "flip"), STRATA_OK);
    assert_int_equal(flags, STRATA_AUGMENT_FLIP);
    assert_int_equal(strata_augment_parse(&flags, "crop,flip"), STRATA_OK);
    assert_int_equal(flags, STRATA_AUGMENT_CROP | STRATA_AUGMENT_FLIP);
    static const char *const bad[] = { "", "flop", "flip,", "flip,none", ",", "flipcrop" };
    for (int i = 0; i < 6; i++) assert_int_equal(strata_augment_parse(&flags, bad[i]), STRATA_BAD_ARG);
    assert_int_equal(flags, STRATA_AUGMENT_CROP | STRATA_AUGMENT_FLIP);
    assert_non_null(strstr(strata_message(), "\"flipcrop\": wanted none, flip"));
}

/* 900 images of class 2, 90 of 0, none of 1, 10 of 3: a third of the draws each, within four standard
 * deviations (sqrt(3000 x 1/3 x 2/3) = 26), and every image of a class as often as another. */
static void balanced_draws_are(void **state)
{
    (void)state;
    enum { IMAGES = 1000, EPOCHS = 3 };
    static int32_t labels[IMAGES];
    static uint32_t order[IMAGES], again[IMAGES], of_image[IMAGES];
    uint32_t of_class[4] = { 0 };
    strata_classes c;
    for (int i = 0; i < IMAGES; i++) labels[i] = i % 10 ? 2 : i % 100 ? 0 : 3;
    const strata_image_set set = { .n = IMAGES, .classes = 4, .labels = labels };
    assert_int_equal(strata_classes_open(&c, &set), STRATA_OK);
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        strata_order_balanced(order, IMAGES, &c, 5, epoch);
        strata_order_balanced(again, IMAGES, &c, 5, epoch + 1);
        assert_memory_not_equal(order, again, sizeof order);
        strata_order_balanced(again, IMAGES, &c, 5, epoch);
        assert_memory_equal(order, again, sizeof order);
        for (int i = 0; i < IMAGES; i++) {
            of_class[labels[order[i]]]++;
            of_image[order[i]]++;
        }
    }
    assert_int_equal(of_class[1], 0);
    for (int k = 0; k < 4; k += k ? 1 : 2) assert_in_range(of_class[k], 1000 - 104, 1000 + 104);
    for (int i = 0; i < IMAGES; i += 100)
        assert_in_range(of_image[i], 60, 140); /* of class 3: 100, deviation 10 */
    strata_classes_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(balanced_draws_are),
        cmocka_unit_test(an_order_is_a_permutation_of_seed_and_epoch),
        cmocka_unit_test(pixels_are_scaled_and_pads_are_zero),
        cmocka_unit_test(rows_without_an_image_weigh_nothing),
        cmocka_unit_test(augmentation_follows_seed_epoch_and_image),
        cmocka_unit_test(augmentation_is_read_from_words),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}

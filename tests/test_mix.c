/* What images are mixed with: shares of the right distribution, boxes of the share's area, by seed, epoch,
 * image and draw alone; and batches whose targets say so. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/batch.h"

enum { DRAWS = 20000, H = 12, W = 20, SET = 50, CLASSES = 5 };

/* Of Beta(a, a) the mean of l (1 - l) is 1/4 - 1 / (4 (2 a + 1)), whichever of l and 1 - l is taken. */
static void shares_are_those_of_beta(void **state)
{
    (void)state;
    static const float alphas[] = { 0.05f, 0.4f, 1, 8 };
    for (int k = 0; k < 4; k++) {
        const strata_mix_rule r = { .mixup = alphas[k], .h = H, .w = W };
        double sum = 0, own = 0;
        for (uint32_t i = 0; i < DRAWS; i++) {
            const strata_mix m = strata_mix_draw(&r, 7, 2, i, 0, SET);
            assert_true(m.share >= 0 && m.share <= 0.5f && m.in_box == m.share && m.place < SET);
            assert_true(m.box[0] == 0 && m.box[1] == 0 && m.box[2] == W && m.box[3] == H);
            sum += (double)m.share * (1 - (double)m.share) / DRAWS;
            own += m.place == 3;
        }
        /* l (1 - l) lies in [0, 1/4]: a deviation of at most 1/8, of the mean 1/1131. */
        assert_true(fabs(sum - (0.25 - 0.25 / (2 * (double)alphas[k] + 1))) < 5.0 / 1131);
        assert_true(fabs(own - DRAWS / SET) < 5 * sqrt(DRAWS / SET));
    }
}

static void boxes_have_the_area_of_the_share(void **state)
{
    (void)state;
    const strata_mix_rule r = { .cutmix = 1, .h = H, .w = W };
    double mean = 0;
    uint32_t corner = 0, other_corner = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        const strata_mix m = strata_mix_draw(&r, 7, 2, i, 0, SET);
        assert_true(m.box[0] <= m.box[2] && m.box[2] <= W && m.box[1] <= m.box[3] && m.box[3] <= H);
        const double area = (double)(m.box[2] - m.box[0]) * (m.box[3] - m.box[1]) / (H * W);
        assert_true(fabs(area - (double)m.share) < 1e-6 && m.in_box == 1);
        mean += area / DRAWS;
        corner += m.box[0] == 0 && m.box[1] == 0;
        other_corner += m.box[0] == 0 && m.box[3] == H;
    }
    /* Half of the image, were boxes not cut off at its edges and sides not rounded down. */
    assert_true(mean > 0.2 && mean < 0.4);
    assert_true(corner > DRAWS / 20 && other_corner > DRAWS / 20);
    /* The two are as likely where across and down are drawn apart, but for the side's rounding. */
    assert_true(corner < 2 * other_corner && other_corner < 2 * corner);
}

/* Whichever it is, the partner may be any image of the epoch. */
static void either_way_is_as_likely(void **state)
{
    (void)state;
    const strata_mix_rule r = { .mixup = 0.3f, .cutmix = 1, .h = H, .w = W };
    uint32_t cut = 0, early[2] = { 0, 0 };
    for (uint32_t i = 0; i < DRAWS; i++) {
        const strata_mix m = strata_mix_draw(&r, 7, 2, i, 0, SET);
        cut += m.in_box == 1;
        early[m.in_box == 1] += m.place < SET / 2;
    }
    assert_true(fabs(cut - DRAWS / 2.0) < 5 * sqrt(DRAWS / 4.0));
    for (int way = 0; way < 2; way++) /* of some 10000 */
        assert_true(fabs(early[way] - DRAWS / 4.0) < 5 * sqrt(DRAWS / 4.0));
}

static void a_draw_is_of_seed_epoch_image_and_draw(void **state)
{
    (void)state;
    const strata_mix_rule r = { .cutmix = 0.7f, .h = 100, .w = 100 };
    const strata_mix one = strata_mix_draw(&r, 7, 2, 5, 0, SET);
    const strata_mix all[] = {
        strata_mix_draw(&r, 7, 2, 5, 0, SET),
        strata_mix_draw(&r, 8, 2, 5, 0, SET),
        strata_mix_draw(&r, 7 + (1ull << 32), 2, 5, 0, SET),
        strata_mix_draw(&r, 7, 3, 5, 0, SET),
        strata_mix_draw(&r, 7, 2, 6, 0, SET),
        strata_mix_draw(&r, 7, 2, 5, 1, SET),
    };
    for (int i = 0; i < 6; i++) assert_int_equal(memcmp(&one, &all[i], sizeof one) == 0, i == 0);
}

/* ---- Batches ---------------------------------------------------------------------------------------- */

enum { BATCH = 16, LANES = 8, STORED = H * W };

typedef struct room {
    uint8_t pixels[BATCH * STORED], others[BATCH * STORED];
    strata_sample samples[BATCH], other_samples[BATCH];
    float targets[BATCH * LANES], weights[BATCH];
    int32_t labels[BATCH];
} room;

static strata_batch batch_of(room *r)
{
    memset(r, 0xee, sizeof *r);
    return (strata_batch) { .pixels = r->pixels,
                            .samples = r->samples,
                            .labels = r->labels,
                            .weights = r->weights,
                            .targets = r->targets,
                            .others = r->others,
                            .other_samples = r->other_samples };
}

/* Image i is of the stored value i and of class i % CLASSES. */
static void batches_are_mixed_as_drawn(void **state)
{
    (void)state;
    static uint8_t pixels[SET * STORED];
    static int32_t labels[SET];
    static uint32_t order[SET];
    static room whole, pieces;
    for (uint32_t i = 0; i < SET; i++) {
        memset(pixels + (size_t)i * STORED, (int)i, STORED);
        labels[i] = (int32_t)(i % CLASSES);
    }
    strata_batcher b = {
        .set = { .n = SET, .h = H, .w = W, .c = 1, .classes = CLASSES, .pixels = pixels, .labels = labels },
        .batch = BATCH,
        .seed = 3,
        .epoch = 4,
        .mix = { .mixup = 1, .cutmix = 1, .h = H, .w = W }
    };
    strata_order(order, SET, b.seed, b.epoch);
    const strata_batch out = batch_of(&whole), parts = batch_of(&pieces);
    strata_batch_fill(&out, &b, order, 10, BATCH);
    for (uint32_t row = 0; row < BATCH; row++) {
        const strata_mix m = strata_batch_mix(&b, order, 10 + row);
        const uint32_t own = order[10 + row], other = order[m.place];
        float sum = 0;
        assert_int_equal(whole.pixels[row * STORED + 5], own);
        assert_int_equal(whole.others[row * STORED + 5], other);
        assert_int_equal(whole.samples[row].image, own);
        assert_int_equal(whole.labels[row], own % CLASSES);
        assert_true(whole.weights[row] == 1);
        assert_int_equal(whole.other_samples[row].image, other);
        assert_int_equal(whole.other_samples[row].draw, STRATA_DRAW_PARTNER);
        assert_true(whole.samples[row].share == m.in_box);
        assert_memory_equal(whole.samples[row].box, m.box, sizeof m.box);
        for (uint32_t k = 0; k < LANES; k++) {
            const float want = (k == own % CLASSES ? 1 - m.share : 0) + (k == other % CLASSES ? m.share : 0);
            assert_true(fabsf(whole.targets[row * LANES + k] - want) < 1e-6f);
            sum += want;
        }
        assert_true(fabsf(sum - 1) < 1e-6f);
    }
    b.batch = 5;
    for (uint32_t row = 0; row < BATCH; row += b.batch) {
        if (BATCH - row < b.batch) b.batch = BATCH - row;
        const strata_batch piece = strata_batch_from(&parts, &b, row);
        strata_batch_fill(&piece, &b, order, 10 + row, b.batch);
    }
    assert_memory_equal(&whole, &pieces, sizeof whole);
}

/* An image that an epoch has twice is mixed with another each time, which is changed by a draw of its own;
 * rows that hold no image hold no partner. */
static void draws_are_mixed_apart(void **state)
{
    (void)state;
    static uint8_t pixels[SET * STORED];
    static int32_t labels[SET];
    static room r;
    static const uint8_t black[STORED];
    static const strata_sample none;
    uint32_t order[SET];
    for (uint32_t i = 0; i < SET; i++) {
        memset(pixels + (size_t)i * STORED, (int)i + 1, STORED);
        order[i] = i % 2 ? i : 8;
    }
    const strata_batcher b = {
        .set = { .n = SET, .h = H, .w = W, .c = 1, .classes = CLASSES, .pixels = pixels, .labels = labels },
        .batch = BATCH,
        .seed = 3,
        .drawn = true,
        .mix = { .cutmix = 1, .h = H, .w = W }
    };
    const strata_batch out = batch_of(&r);
    strata_batch_fill(&out, &b, order, 4, BATCH - 2);
    for (uint32_t row = 0; row < BATCH - 2; row++) {
        assert_int_equal(r.samples[row].draw, 4 + row);
        assert_int_equal(r.other_samples[row].draw, (4 + row) ^ STRATA_DRAW_PARTNER);
        const strata_mix m = strata_mix_draw(&b.mix, 3, 0, order[4 + row], 4 + row, SET);
        assert_int_equal(r.other_samples[row].image, order[m.place]);
        assert_memory_equal(r.samples[row].box, m.box, sizeof m.box);
    }
    assert_memory_not_equal(r.samples[0].box, r.samples[2].box,
                            sizeof r.samples[0].box); /* both of image 8 */
    for (uint32_t row = BATCH - 2; row < BATCH; row++) {
        assert_memory_equal(r.others + row * STORED, black, STORED);
        assert_memory_equal(&r.other_samples[row], &none, sizeof none);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_those_of_beta),
        cmocka_unit_test(boxes_have_the_area_of_the_share),
        cmocka_unit_test(either_way_is_as_likely),
        cmocka_unit_test(a_draw_is_of_seed_epoch_image_and_draw),
        cmocka_unit_test(batches_are_mixed_as_drawn),
        cmocka_unit_test(draws_are_mixed_apart),
    };
    return cmocka_run_group_tests_name("mix", tests, NULL, NULL);
}

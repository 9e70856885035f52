/* Batches: what the device is given is the stored image, in the order that seed and epoch say. */
#include "core/file.h"
#include "data/batch.h"
#include "train/class_weights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "folder.h"

enum { N = 6, H = 5, W = 7, MOST = N * H * W * 4 };

typedef struct fixture {
    uint8_t image[MOST];
    int32_t label[N];
    strata_batcher batcher;
    uint8_t pixels[8 * H * W * 4];
    float weights[8];
    int32_t labels[8];
    strata_sample samples[8];
    strata_batch out;
} fixture;

static void setup(fixture *f, uint32_t c, uint32_t batch)
{
    memset(f, 0x7f, sizeof *f);
    for (uint32_t i = 0; i < MOST; i++) f->image[i] = (uint8_t)(i * 41 + i / 7 + 1);
    for (int i = 0; i < N; i++) f->label[i] = (i * 3 + 1) % 10;
    f->batcher = (strata_batcher) {
        .set = { .n = N, .h = H, .w = W, .c = c, .classes = 10, .pixels = f->image, .labels = f->label },
        .batch = batch
    };
    f->out = (strata_batch) {
        .pixels = f->pixels, .samples = f->samples, .labels = f->labels, .weights = f->weights
    };
}

/* Does row `row` hold image n: a byte a pixel, or four, and zeros where there is no channel or no pixel? */
static int row_is(const fixture *f, uint32_t row, uint32_t n)
{
    const uint32_t c = f->batcher.set.c, lanes = c == 1 ? 1 : 4;
    const size_t size = strata_stored_bytes(H, W, c);
    const uint8_t *at = f->pixels + row * size, *image = f->image + (size_t)n * H * W * c;
    for (size_t i = 0; i < size; i++) {
        const size_t pixel = i / lanes, channel = i % lanes;
        const uint8_t wanted = pixel < H * W && channel < c ? image[pixel * c + channel] : 0;
        if (at[i] != wanted) return 0;
    }
    return 1;
}

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
    strata_order(b, 1000, 5 + ((uint64_t)1 << 32), 6); /* all of a seed counts */
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

static void images_are_packed_into_words(void **state)
{
    (void)state;
    static fixture f;
    for (uint32_t c = 1; c <= 4; c++) {
        static const uint32_t order[N] = { 4, 2, 5, 0, 3, 1 };
        setup(&f, c, 3);
        strata_batch_fill(&f.out, &f.batcher, order, 1, 3);
        for (uint32_t row = 0; row < 3; row++) {
            assert_true(row_is(&f, row, order[1 + row]));
            assert_int_equal(f.labels[row], f.label[order[1 + row]]);
            assert_true(f.weights[row] == 1);
            assert_int_equal(f.samples[row].image, order[1 + row]);
            assert_int_equal(f.samples[row].draw, 0);
        }
        f.batcher.drawn = true;
        strata_batch_fill(&f.out, &f.batcher, NULL, 3, 3);
        for (uint32_t row = 0; row < 3; row++) {
            assert_true(row_is(&f, row, 3 + row));
            assert_int_equal(f.samples[row].draw, 3 + row);
        }
    }
}

static void rows_without_an_image_weigh_nothing(void **state)
{
    (void)state;
    static fixture f;
    setup(&f, 3, 7);
    strata_batch_fill(&f.out, &f.batcher, NULL, 4, 2);
    assert_true(row_is(&f, 0, 4) && row_is(&f, 1, 5));
    for (uint32_t row = 2; row < 7; row++) {
        assert_true(f.weights[row] == 0 && f.labels[row] == 0 && f.samples[row].image == 0);
        for (int i = 0; i < H * W * 4; i++) assert_true(f.pixels[row * H * W * 4 + (uint32_t)i] == 0);
    }
    assert_int_equal(f.pixels[7 * H * W * 4], 0x7f);
    assert_int_equal(f.labels[7], 0x7f7f7f7f);
    f.out = (strata_batch) { .pixels = f.pixels };
    strata_batch_fill(&f.out, &f.batcher, NULL, 0, 0);
    assert_true(f.pixels[0] == 0);
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
    assert_int_equal(strata_classes_open(&c, &set, NULL), STRATA_OK);
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        strata_order_drawn(order, IMAGES, &c, 5, epoch);
        strata_order_drawn(again, IMAGES, &c, 5, epoch + 1);
        assert_memory_not_equal(order, again, sizeof order);
        strata_order_drawn(again, IMAGES, &c, 5 + ((uint64_t)1 << 32), epoch);
        assert_memory_not_equal(order, again, sizeof order);
        strata_order_drawn(again, IMAGES, &c, 5, epoch);
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

/* Balanced, the images of every class weigh the same together, and an image weighs 1 in the mean, whether
 * there is a class without images or not. */
static void balanced_weights_are_1_in_the_mean(void **state)
{
    (void)state;
    static const int32_t labels[] = { 0, 0, 2, 2, 2, 2, 2, 2 };
    for (uint32_t classes = 3; classes <= 5; classes += 2) {
        const strata_image_set set = { .n = 8, .classes = classes, .labels = labels };
        float *weight;
        assert_int_equal(class_weights_open(&weight, &set, "class-weights", "balanced"), STRATA_OK);
        assert_true(weight[0] == 2 && weight[1] == 0 && weight[2] == (float)(2.0 / 3));
        for (uint32_t k = 3; k < classes; k++) assert_true(weight[k] == 0);
        free(weight);
    }
    static const int32_t rare[] = { 0, 1, 1 }; /* a class of one image is there, too */
    float *weight;
    const strata_image_set set = { .n = 3, .classes = 2, .labels = rare };
    assert_int_equal(class_weights_open(&weight, &set, "class-weights", "balanced"), STRATA_OK);
    assert_true(weight[0] == 1.5f && weight[1] == 0.75f);
    free(weight);
}

/* Class c has no images: what it weighs is no reason to go on. */
static void weights_of_a_file(void **state)
{
    (void)state;
    static const char *const names[] = { "a", "b", "c" };
    static const int32_t labels[] = { 0, 0, 1 };
    static const struct {
        const char *text, *wrong;
        float weight[3];
    } cases[] = {
        { "c,0\na,1e6\nb,0.25\n", NULL, { 1e6f, 0.25f, 0 } },
        { "a,0\nb,1\nc,2\n", NULL, { 0, 1, 2 } },
        { "a,0\nb,0\nc,2\n", "w.csv: every class that has images weighs 0", { 0 } },
        { "a,1\nb,1000001\nc,2\n", "w.csv:2 wants a weight in [0, 1e6] for b, got '1000001'", { 0 } },
        { "a,1\nb,inf\nc,2\n", "w.csv:2 wants a weight", { 0 } },
        { "a,1\nb,nan\nc,2\n", "w.csv:2 wants a weight", { 0 } },
        { "a,1\nb,1x\nc,2\n", "w.csv:2 wants a weight", { 0 } },
        { "a,0\nb,1\na,2\nc,2\n", "w.csv:3: the class 'a' has a weight already", { 0 } },
        { "a,1\nb,1\n", "w.csv has no weight for class 'c'", { 0 } },
        { "a,1\nb\nc,1\n", "w.csv:2 wants CLASS,WEIGHT, got 'b'", { 0 } },
    };
    const strata_image_set set = { .n = 3, .classes = 3, .labels = labels, .class_names = names };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float *weight;
        assert_int_equal(strata_file_put("w.csv", cases[i].text, strlen(cases[i].text)), STRATA_OK);
        const strata_status status = class_weights_open(&weight, &set, "class-weights", "w.csv");
        assert_int_equal(status, cases[i].wrong ? STRATA_FILE : STRATA_OK);
        if (cases[i].wrong) assert_message(cases[i].wrong);
        if (cases[i].wrong) assert_message("--class-weights: ");
        if (weight) assert_memory_equal(weight, cases[i].weight, sizeof cases[i].weight);
        assert_true((weight == NULL) == (status != STRATA_OK));
        free(weight);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(balanced_draws_are),
        cmocka_unit_test(balanced_weights_are_1_in_the_mean),
        cmocka_unit_test(weights_of_a_file),
        cmocka_unit_test(an_order_is_a_permutation_of_seed_and_epoch),
        cmocka_unit_test(images_are_packed_into_words),
        cmocka_unit_test(rows_without_an_image_weigh_nothing),
    };
    return cmocka_run_group_tests_name("batch", tests, folder_enter, folder_leave);
}

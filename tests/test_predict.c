/* Prediction sees what training saw: a picture of a digit is given the class that the evaluation gives the
 * same image of the data set, with the same probability. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/data.h"
#include "folder.h"
#include "model/safetensors.h"
#include "strata/strata.h"

enum { PICTURES = 24, CLASSES = 10, SIDE = 8 };

static void right(strata_status status)
{
    if (status != STRATA_OK) fail_msg("%s", strata_message());
}

static void set(strata_recipe *r, const char *key, const char *value)
{
    right(strata_recipe_set(r, key, value));
}

/* The share of each class, from logits. */
static void softmax(double *share, const float *logits)
{
    double sum = 0;
    for (int k = 0; k < CLASSES; k++) sum += share[k] = exp((double)logits[k]);
    for (int k = 0; k < CLASSES; k++) share[k] /= sum;
}

static void write_picture(const char *path, const uint8_t *pixels)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fprintf(f, "P5 %d %d 255\n", SIDE, SIDE);
    for (int i = 0; i < SIDE * SIDE; i++) fputc((pixels[i] * 255 + 8) / 16, f);
    assert_int_equal(fclose(f), 0);
}

/* Train a little on the reference and leave the weights in run/. */
static void train(void)
{
    strata_recipe *r;
    right(strata_recipe_open(&r));
    set(r, "data", "builtin:digits");
    set(r, "model", "small-cnn");
    set(r, "device", "cpu");
    set(r, "batch", "32");
    set(r, "steps", "60");
    set(r, "valid", "none");
    set(r, "run-dir", "run");
    right(strata_run(r, "test", NULL));
    strata_recipe_close(r);
}

/* Logits of the first validation images. out: [PICTURES, CLASSES] */
static void evaluate(float *out, const strata_data *data)
{
    const strata_task task = { .h = SIDE, .w = SIDE, .c = 1, .classes = CLASSES, .steps = 1 };
    strata_device *device;
    strata_recipe *r;
    strata_trainer *t;
    static float pixels[PICTURES * SIDE * SIDE];
    int32_t labels[PICTURES];
    right(strata_device_open(&device, &(strata_device_config) { .name = "cpu" }));
    right(strata_recipe_open(&r));
    set(r, "model", "small-cnn");
    set(r, "batch", "8");
    right(strata_trainer_open(&t, device, r, &task));
    right(strata_trainer_load(t, "run/checkpoints/last.safetensors"));
    right(strata_data_images(data, true, 0, PICTURES, pixels, labels));
    right(strata_trainer_evaluate(t, pixels, NULL, PICTURES, out, NULL));
    strata_trainer_close(t);
    strata_recipe_close(r);
    strata_device_close(device);
}

static void compare(const char *what, const strata_data *data, const float *logits)
{
    strata_predictor *p;
    strata_recipe *r;
    right(strata_recipe_open(&r));
    set(r, "device", "cpu");
    right(strata_predictor_open(&p, what, r));
    for (int i = 0; i < PICTURES; i++) {
        strata_guess guess[CLASSES];
        double share[CLASSES], sum = 0;
        uint32_t n;
        softmax(share, logits + (size_t)i * CLASSES);
        write_picture("digit.pgm", data->valid.pixels + (size_t)i * SIDE * SIDE);
        right(strata_predict(p, "digit.pgm", guess, CLASSES, &n));
        assert_int_equal(n, CLASSES);
        for (uint32_t k = 0; k < n; k++) {
            assert_true(k == 0 || guess[k].probability <= guess[k - 1].probability);
            sum += (double)guess[k].probability;
            /* 256 shades are no exact image of 17: the network sees them up to 0.2 % apart. */
            const double apart = fabs((double)guess[k].probability - share[guess[k].label]);
            if (apart > 0.01) fail_msg("image %d, class %s: %g apart", i, guess[k].name, apart);
        }
        assert_true(fabs(sum - 1) < 1e-5);
    }
    strata_predictor_close(p);
    strata_recipe_close(r);
}

/* With the loss sigmoid the guesses are all classes above the threshold, whatever others have. */
static void compare_sets(const strata_data *data, const float *logits)
{
    const double threshold = 0.3, apart = 0.02;
    strata_predictor *p;
    strata_recipe *r;
    right(strata_recipe_open(&r));
    set(r, "device", "cpu");
    set(r, "loss", "sigmoid");
    set(r, "threshold", "0.3");
    right(strata_predictor_open(&p, "run", r));
    assert_true(strata_predictor_threshold(p) == threshold);
    for (int i = 0; i < PICTURES; i++) {
        strata_guess guess[CLASSES];
        bool said[CLASSES] = { false };
        uint32_t n;
        write_picture("digit.pgm", data->valid.pixels + (size_t)i * SIDE * SIDE);
        right(strata_predict(p, "digit.pgm", guess, CLASSES, &n));
        for (uint32_t k = 0; k < n; k++) {
            said[guess[k].label] = true;
            assert_true((double)guess[k].probability > threshold);
            assert_true(k == 0 || guess[k].probability <= guess[k - 1].probability);
        }
        for (int k = 0; k < CLASSES; k++) {
            const double share = 1 / (1 + exp(-(double)logits[i * CLASSES + k]));
            if (fabs(share - threshold) > apart && said[k] != (share > threshold))
                fail_msg("image %d, class %d: %g, %s", i, k, share, said[k] ? "a guess" : "none");
        }
    }
    strata_predictor_close(p);
    strata_recipe_close(r);
}

static void test_a_picture_is_the_image(void **state)
{
    (void)state;
    static float logits[PICTURES * CLASSES];
    strata_data *data;
    right(strata_data_open(&data, "builtin:digits"));
    train();
    evaluate(logits, data);
    compare("run", data, logits);
    compare("run/checkpoints/last.safetensors", data, logits);
    compare_sets(data, logits);
    strata_data_close(data);
}

/* What a weights file says of itself is outside data. */
static void test_too_many_channels_are_refused(void **state)
{
    (void)state;
    const strata_note notes[] = { { "model", "small-cnn" }, { "image", "8x8x5" }, { "classes", "10" } };
    strata_predictor *p;
    right(strata_safetensors_write("five.safetensors", NULL, 0, notes, 3));
    assert_int_equal(strata_predictor_open(&p, "five.safetensors", NULL), STRATA_FILE);
    assert_message("images of 5 channels");
    assert_null(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_picture_is_the_image),
                                        cmocka_unit_test(test_too_many_channels_are_refused) };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

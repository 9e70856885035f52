/* Batches smaller than the trainer's, each size with recordings of its own over the same weights: no result
 * is lost where the size changes, and what was not finite in one size stops the others, too. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/trainer.h"

enum { BATCH = 6, SIDE = 8, STEPS = 6 };
static const uint32_t sizes[STEPS] = { 6, 4, 3, 6, 3, 4 };

#define OK(call)                                                                                             \
    do {                                                                                                     \
        if ((call) != STRATA_OK) fail_msg("%s: %s", #call, strata_message());                                \
    } while (0)

typedef struct job {
    strata_recipe *recipe;
    strata_device *device;
    strata_trainer *trainer;
} job;

static void open_job(job *j)
{
    const char *name = getenv("STRATA_TEST_DEVICE");
    OK(strata_device_open(&j->device, &(strata_device_config) { .name = name && *name ? name : "auto" }));
    OK(strata_recipe_open(&j->recipe));
    OK(strata_recipe_set(j->recipe, "model", "small-cnn"));
    OK(strata_recipe_set(j->recipe, "batch", "6"));
    OK(strata_trainer_open(&j->trainer, j->device, j->recipe,
                           &(strata_task) { SIDE, SIDE, 1, 10, STEPS, STEPS }));
}

static void close_job(job *j)
{
    strata_trainer_close(j->trainer);
    strata_device_close(j->device);
    strata_recipe_close(j->recipe);
}

static void fill(float *pixels, int32_t *labels, uint32_t number)
{
    for (uint32_t i = 0; i < BATCH * SIDE * SIDE; i++) pixels[i] = (float)((i * 37 + number * 101) % 64) / 64;
    for (uint32_t i = 0; i < BATCH; i++) labels[i] = (int32_t)((i + number) % 10);
}

/* Submit one step and take no result. */
static void submit(job *j, const float *pixels, const int32_t *labels, uint32_t n)
{
    engine_input in;
    OK(trainer_begin(j->trainer, n, n, true, 0, &in));
    engine_put(j->trainer->current, &in, pixels, labels, n, 1.0f / (float)n);
    OK(trainer_submit(j->trainer));
}

static trainer_result take(job *j)
{
    trainer_result result;
    bool got;
    OK(trainer_take(j->trainer, true, &result, &got));
    assert_true(got);
    return result;
}

static void no_result_is_lost(void **state)
{
    (void)state;
    job together, apart;
    float pixels[BATCH * SIDE * SIDE];
    int32_t labels[BATCH];
    trainer_result want[STEPS];
    open_job(&together);
    open_job(&apart);
    for (uint32_t i = 0; i < STEPS; i++) {
        fill(pixels, labels, i);
        submit(&together, pixels, labels, sizes[i]);
        submit(&apart, pixels, labels, sizes[i]);
        want[i] = take(&apart);
    }
    for (uint32_t i = 0; i < STEPS; i++) {
        const trainer_result result = take(&together);
        assert_int_equal(result.step, i);
        assert_int_equal(result.images, sizes[i]);
        assert_memory_equal(&result.loss, &want[i].loss, sizeof result.loss);
        assert_int_equal(result.state.not_finite, 0);
    }
    close_job(&together);
    close_job(&apart);
}

static void what_is_not_finite_stops_every_size(void **state)
{
    (void)state;
    job j;
    float pixels[BATCH * SIDE * SIDE];
    int32_t labels[BATCH];
    open_job(&j);
    strata_plan *p = j.trainer->main.plan;
    char *before = malloc(p->weights.bytes), *after = malloc(p->weights.bytes);
    assert_true(before && after);
    OK(strata_plan_read_range(p, before, p->weights));
    fill(pixels, labels, 0);
    pixels[7] = NAN;
    submit(&j, pixels, labels, 6);
    for (uint32_t i = 1; i < STEPS; i++) {
        fill(pixels, labels, i);
        submit(&j, pixels, labels, sizes[i]);
    }
    for (uint32_t i = 0; i < STEPS; i++) {
        const trainer_result result = take(&j);
        assert_int_equal(result.state.not_finite, 1);
        assert_int_equal(result.state.skipped, i + 1);
    }
    OK(strata_plan_read_range(p, after, p->weights));
    assert_memory_equal(before, after, p->weights.bytes);
    free(before), free(after);
    close_job(&j);
}

/* What kernels trust is checked before. */
static void outside_values_are_checked(void **state)
{
    (void)state;
    job j;
    float pixels[BATCH * SIDE * SIDE], losses[BATCH];
    int32_t labels[BATCH];
    strata_trainer *none;
    open_job(&j);
    fill(pixels, labels, 0);
    OK(strata_trainer_evaluate(j.trainer, pixels, labels, BATCH, NULL, losses));
    labels[5] = 10;
    assert_int_equal(strata_trainer_evaluate(j.trainer, pixels, labels, BATCH, NULL, losses), STRATA_BAD_ARG);
    assert_non_null(strstr(strata_message(), "label 10 of image 5"));
    assert_int_equal(
        strata_trainer_open(&none, j.device, j.recipe, &(strata_task) { SIDE, SIDE, 1, 0, STEPS, 0 }),
        STRATA_BAD_ARG);
    assert_null(none);
    close_job(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_result_is_lost),
        cmocka_unit_test(what_is_not_finite_stops_every_size),
        cmocka_unit_test(outside_values_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

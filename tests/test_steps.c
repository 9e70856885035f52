/* A training step allocates nothing on the host. Allocations of this program and its library are counted by
 * the linker's --wrap; the driver's own are not ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/trainer.h"

static size_t allocations;
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n) { return allocations++, __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return allocations++, __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return allocations++, __real_realloc(p, n); }

enum { BATCH = 8, SIDE = 8, STEPS = 100 };

static void one_step(strata_trainer *t, uint32_t step)
{
    engine_input in;
    trainer_result result;
    bool got = true;
    assert_int_equal(trainer_begin(t, BATCH, BATCH, true, 0, &in), STRATA_OK);
    for (uint32_t i = 0; i < BATCH; i++) {
        in.labels[i] = (int32_t)(i % 10);
        in.weights[i] = 1.0f / BATCH;
    }
    memset(in.pixels, 0, (size_t)BATCH * SIDE * SIDE * 4 * sizeof *in.pixels);
    in.pixels[step % SIDE] = 1;
    assert_int_equal(trainer_submit(t), STRATA_OK);
    while (got) assert_int_equal(trainer_take(t, false, &result, &got), STRATA_OK);
}

static void a_step_allocates_nothing(const char *device)
{
    strata_recipe *r;
    strata_device *d;
    strata_trainer *t;
    assert_int_equal(strata_recipe_open(&r), STRATA_OK);
    assert_int_equal(strata_recipe_set(r, "model", "small-cnn"), STRATA_OK);
    assert_int_equal(strata_recipe_set(r, "batch", "8"), STRATA_OK);
    assert_int_equal(strata_device_open(&d, &(strata_device_config) { .name = device }), STRATA_OK);
    if (strata_trainer_open(&t, d, r, &(strata_task) { SIDE, SIDE, 1, 10, STEPS + 10, 0 }) != STRATA_OK)
        fail_msg("%s", strata_message());
    for (uint32_t i = 0; i < 10; i++) one_step(t, i);
    size_t before = allocations;
    assert_true(before > 0); /* the counter counts */
    for (uint32_t i = 0; i < STEPS; i++) one_step(t, i);
    assert_int_equal(allocations, before);
    strata_trainer_close(t);
    strata_device_close(d);
    strata_recipe_close(r);
}

static void on_the_device(void **state)
{
    const char *name = getenv("STRATA_TEST_DEVICE");
    (void)state;
    a_step_allocates_nothing(name && *name ? name : "auto");
}

static void on_the_reference(void **state)
{
    (void)state;
    a_step_allocates_nothing("cpu");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(on_the_device), cmocka_unit_test(on_the_reference) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

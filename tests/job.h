/* What the tests of training steps share: a trainer of small-cnn on six made-up images of 8x8x1, for six
 * steps at constant rates of 1e-3. */
#ifndef STRATA_TESTS_JOB_H
#define STRATA_TESTS_JOB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/trainer.h"
#include "ok.h"

enum { BATCH = 6, SIDE = 8, STEPS = 6 };

typedef struct job {
    strata_recipe *recipe;
    strata_device *device;
    strata_trainer *trainer;
} job;

/* Open it with these keys and values of the recipe, ended by NULL. */
static inline void open_job(job *j, const char *const *keys)
{
    const char *name = getenv("STRATA_TEST_DEVICE");
    OK(strata_device_open(&j->device, &(strata_device_config) { .name = name && *name ? name : "auto" }));
    OK(strata_recipe_open(&j->recipe));
    OK(strata_recipe_set(j->recipe, "model", "small-cnn"));
    OK(strata_recipe_set(j->recipe, "batch", "6"));
    OK(strata_recipe_set(j->recipe, "schedule", "constant"));
    OK(strata_recipe_set(j->recipe, "lr", "1e-3"));
    for (; *keys; keys += 2) OK(strata_recipe_set(j->recipe, keys[0], keys[1]));
    OK(strata_trainer_open(&j->trainer, j->device, j->recipe,
                           &(strata_task) { SIDE, SIDE, 1, 10, STEPS, STEPS }));
}

static inline void close_job(job *j)
{
    strata_trainer_close(j->trainer);
    strata_device_close(j->device);
    strata_recipe_close(j->recipe);
}

/* The batch of a step: pixels [BATCH, SIDE, SIDE], labels [BATCH]. */
static inline void make_batch(float *pixels, int32_t *labels, uint32_t number)
{
    for (uint32_t i = 0; i < BATCH * SIDE * SIDE; i++) pixels[i] = (float)((i * 37 + number * 101) % 64) / 64;
    for (uint32_t i = 0; i < BATCH; i++) labels[i] = (int32_t)((i + number) % 10);
}

/* Take the oldest result, which must come. */
static inline trainer_result take(job *j)
{
    trainer_result result;
    bool got;
    OK(trainer_take(j->trainer, true, &result, &got));
    assert_true(got);
    return result;
}

#endif

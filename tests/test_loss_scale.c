/* Training with tensors of 16 bits: a gradient that is too large for them costs one step and half of the loss
 * scale, and one that is too large for a scale of 1 ends the run. On the CPU reference and on the Vulkan
 * device. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/lr_find.h"
#include "train/rate_list.h"
#include "train/trainer.h"
#include "ok.h"

enum { BATCH = 8, SIDE = 8, GROUPS = 3, LOOK = 20 /* steps */ };

typedef struct rig {
    strata_recipe *recipe;
    strata_device *device;
    strata_trainer *trainer;
    float *weights;
} rig;

/* With these keys and values of the recipe, ended by NULL. */
static void open_with(rig *r, const char *device, const char *const *keys)
{
    *r = (rig) { 0 };
    OK(strata_recipe_open(&r->recipe));
    OK(strata_recipe_set(r->recipe, "model", "small-cnn"));
    OK(strata_recipe_set(r->recipe, "batch", "8"));
    for (; *keys; keys += 2) OK(strata_recipe_set(r->recipe, keys[0], keys[1]));
    OK(strata_device_open(&r->device, &(strata_device_config) { .name = device, .validate = true }));
    OK(strata_trainer_open(&r->trainer, r->device, r->recipe, &(strata_task) { SIDE, SIDE, 1, 10, 1000, 0 }));
    r->weights = malloc(r->trainer->main.plan->weights.bytes);
    assert_non_null(r->weights);
}

/* With this optimizer at constant rates; NULL: the recipe's default. */
static void open_rig(rig *r, const char *device, const char *precision, const char *optimizer)
{
    open_with(r, device,
              (const char *const[]) { "precision", precision, optimizer ? "opt" : NULL, optimizer, "schedule",
                                      "constant", NULL });
}

static void close_rig(rig *r)
{
    const char *first = "";
    strata_trainer_close(r->trainer);
    if (strata_device_complaints(r->device, &first) != 0) fail_msg("validation: %s", first);
    strata_device_close(r->device);
    strata_recipe_close(r->recipe);
    free(r->weights);
}

static trainer_result one_step(rig *r, float pixel)
{
    engine_input in;
    trainer_result result;
    bool got;
    OK(trainer_begin(r->trainer, BATCH, BATCH, true, 0, &in));
    for (uint32_t i = 0; i < BATCH; i++) {
        in.labels[i] = (int32_t)(i % 10);
        in.weights[i] = 1.0f / BATCH;
    }
    for (uint32_t i = 0; i < BATCH * SIDE * SIDE; i++) {
        memset(in.pixels + 4 * i, 0, 4 * sizeof *in.pixels);
        in.pixels[4 * i] = pixel * (float)(i * 7919 % 97) / 97;
    }
    OK(trainer_submit(r->trainer));
    OK(trainer_take(r->trainer, true, &result, &got));
    assert_true(got);
    return result;
}

/* Did the weights move since the last look? */
static bool moved(rig *r)
{
    const strata_plan *p = r->trainer->main.plan;
    float *now = malloc(p->weights.bytes);
    assert_non_null(now);
    OK(strata_plan_read_range(r->trainer->main.plan, now, p->weights));
    const bool differs = memcmp(now, r->weights, p->weights.bytes) != 0;
    for (size_t i = 0; i < p->weights.bytes / 4; i++) assert_true(isfinite(now[i]));
    memcpy(r->weights, now, p->weights.bytes);
    free(now);
    return differs;
}

static void check_overflows(const char *device)
{
    rig r;
    uint32_t skipped = 0;
    double scale = 0x1p24;
    open_rig(&r, device, "fp16", NULL);
    r.trainer->begun.loss_scale = (float)scale;
    moved(&r);
    trainer_result result = one_step(&r, 1);
    assert_true(result.overflowed); /* this scale is too much, or the test shows nothing */
    for (; result.overflowed; result = one_step(&r, 1)) {
        scale /= 2;
        assert_false(moved(&r));
        assert_true(isfinite(result.loss));
        assert_int_equal(result.state.not_finite, 0);
        assert_int_equal(result.state.skipped, ++skipped);
        assert_true((double)result.state.loss_scale == scale);
    }
    assert_true(moved(&r));
    assert_true((double)result.state.loss_scale == scale && scale > 1);
    assert_int_equal(result.state.good_steps, 1);
    assert_true(result.state.grad_norm < 1000); /* it is that of the loss, not of the scaled one */
    close_rig(&r);
}

static void an_overflow_costs_a_step_and_half_the_scale(void **state)
{
    (void)state;
    check_overflows("cpu");
    check_overflows("auto");
}

/* Adam's t counts the steps that are taken: as soon as none overflows, weights are those of a run that began
 * with the scale that is left. So it is for what a snapshot brings back. */
static void check_count(const char *device, const char *optimizer)
{
    rig late, at_once;
    trainer_snapshot snapshot;
    open_rig(&late, device, "fp16", optimizer);
    open_rig(&at_once, device, "fp16", optimizer);
    late.trainer->begun.loss_scale = 0x1p24F;
    trainer_result result;
    uint32_t overflows = 0;
    while ((result = one_step(&late, 1)).overflowed) overflows++;
    assert_true(overflows > 1);
    at_once.trainer->begun.loss_scale = result.state.loss_scale;
    assert_false(one_step(&at_once, 1).overflowed);
    moved(&at_once);
    memcpy(late.weights, at_once.weights, late.trainer->main.plan->weights.bytes);
    assert_false(moved(&late));
    OK(trainer_count_rows(late.trainer));
    assert_int_equal(late.trainer->row_steps[0], 1);
    OK(trainer_snapshot_take(&snapshot, late.trainer));
    for (int i = 0; i < 3; i++) one_step(&late, 1);
    moved(&late);
    OK(trainer_snapshot_put(&snapshot, late.trainer));
    trainer_snapshot_free(&snapshot);
    for (int i = 0; i < 3; i++) one_step(&late, 1);
    assert_false(moved(&late));
    close_rig(&late);
    close_rig(&at_once);
}

static void overflows_do_not_count(void **state)
{
    (void)state;
    static const char *const optimizers[] = { "adam", "lamb", "adamw" };
    for (int i = 0; i < 3; i++) {
        check_count("cpu", optimizers[i]);
        check_count("auto", optimizers[i]);
    }
}

/* A step that overflowed is none in which weights moved by nothing: not for how far a group's first steps
 * move them, nor for whether they have settled. */
static void check_statistics(const char *device)
{
    rig r;
    uint32_t overflows = 0;
    open_with(&r, device,
              (const char *const[]) { "precision", "fp16", "opt", "sgd", "schedule", "constant", "lr",
                                      "1e-4:1e-2", "bleed", "in,start=measured,every=0.02,p1=0.9", NULL });
    strata_trainer *t = r.trainer;
    const strata_model *m = trainer_model(t);
    assert_int_equal(t->look_every, LOOK);
    t->begun.loss_scale = 0x1p24F;
    t->measure = true;
    moved(&r);
    for (uint32_t i = 0; i < LOOK; i++) {
        const trainer_result result = one_step(&r, 1);
        OK(rate_list_take(t, &result, NULL, NULL));
        overflows += result.overflowed;
        assert_int_equal(result.moved != NULL, !result.overflowed);
        assert_int_equal(t->ratios.steps[2], i + 1 - overflows);
        assert_true(result.overflowed ? isnan(t->ratios.layer[0]) && t->ratios.rates[2] == 0
                                      : t->ratios.layer[0] > 0 && t->ratios.rates[2] > 0);
    }
    assert_true(overflows > 1 && overflows < LOOK / 2);
    double by[GROUPS] = { 0 }, size[GROUPS] = { 0 };
    float *before = malloc(t->main.plan->weights.bytes);
    assert_non_null(before);
    memcpy(before, r.weights, t->main.plan->weights.bytes);
    moved(&r);
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *p = m->graph->param[i];
        const uint32_t group = p->running ? 0 : m->group_of_row[p->row];
        const uint64_t at = (p->data.offset - t->main.plan->weights.offset) / 4;
        for (uint64_t k = at; !p->running && !p->norm && !p->bias && k < at + p->data.bytes / 4; k++) {
            by[group] += pow((double)r.weights[k] - (double)before[k], 2);
            size[group] += pow((double)r.weights[k], 2);
        }
    }
    free(before);
    one_step(&r, 1); /* before it weights are looked at */
    const rates_log *log = strata_rates_observed(t->rates);
    assert_int_equal(log->n, GROUPS);
    for (uint32_t i = 0; i < GROUPS; i++) {
        const uint32_t group = log->event[i].group;
        const double want = sqrt(by[group] / size[group]) / (LOOK - overflows);
        if (!(fabs(log->event[i].value - want) <= 1e-9 * want))
            fail_msg("%s changed by %.9g a step, wanted %.9g", m->group_name[group], log->event[i].value,
                     want);
    }
    close_rig(&r);
}

static void overflows_enter_no_statistics(void **state)
{
    (void)state;
    check_statistics("cpu");
    check_statistics("auto");
}

/* Activations that 16 bits cannot hold make a loss that is not finite: no scale helps. */
static void a_loss_that_is_not_finite_is_no_overflow(void **state)
{
    (void)state;
    static const char *const devices[] = { "cpu", "auto" };
    for (int i = 0; i < 2; i++) {
        rig r;
        open_rig(&r, devices[i], "fp16", NULL);
        moved(&r);
        const trainer_result result = one_step(&r, 1e30F);
        assert_int_equal(result.state.not_finite, 1);
        assert_false(result.overflowed);
        assert_false(moved(&r));
        const char *name;
        OK(trainer_first_not_finite(r.trainer, &name));
        assert_string_equal(name, "conv1");
        close_rig(&r);
    }
}

/* Scaled by powers of two and taken out of the clip again, gradients are those of fp32 but for 16 bits. */
static void steps_are_near_those_of_fp32(void **state)
{
    (void)state;
    rig r[2];
    open_rig(&r[0], "auto", "fp32", NULL);
    open_rig(&r[1], "auto", "fp16", NULL);
    for (int step = 0; step < 5; step++) {
        const trainer_result want = one_step(&r[0], 1), got = one_step(&r[1], 1);
        if (!(fabs(got.loss - want.loss) <= 0.01 * want.loss))
            fail_msg("step %d: loss %g, wanted %g", step, got.loss, want.loss);
        const double norm = (double)want.state.grad_norm;
        if (!(fabs((double)got.state.grad_norm - norm) <= 0.02 * norm))
            fail_msg("step %d: norm %g, wanted %g", step, (double)got.state.grad_norm, norm);
    }
    assert_true(strata_trainer_memory(r[1].trainer) < strata_trainer_memory(r[0].trainer));
    close_rig(&r[0]);
    close_rig(&r[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflow_costs_a_step_and_half_the_scale),
        cmocka_unit_test(overflows_do_not_count),
        cmocka_unit_test(overflows_enter_no_statistics),
        cmocka_unit_test(a_loss_that_is_not_finite_is_no_overflow),
        cmocka_unit_test(steps_are_near_those_of_fp32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

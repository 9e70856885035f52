/* Batches smaller than the trainer's, each size with recordings of its own over the same weights: no result
 * is lost where the size changes, and what was not finite in one size stops the others, too. */
#include <math.h>

#include "job.h"

static const uint32_t sizes[STEPS] = { 6, 4, 3, 6, 3, 4 };
static const char *const no_keys[] = { NULL };

/* Submit one step and take no result. */
static void submit(job *j, const float *pixels, const int32_t *labels, uint32_t n)
{
    engine_input in;
    OK(trainer_begin(j->trainer, n, n, true, 0, &in));
    engine_put(j->trainer->current, &in, pixels, labels, n, 1.0f / (float)n);
    OK(trainer_submit(j->trainer));
}

static void no_result_is_lost(void **state)
{
    (void)state;
    job together, apart;
    float pixels[BATCH * SIDE * SIDE];
    int32_t labels[BATCH];
    trainer_result want[STEPS];
    open_job(&together, no_keys);
    open_job(&apart, no_keys);
    for (uint32_t i = 0; i < STEPS; i++) {
        make_batch(pixels, labels, i);
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
    open_job(&j, no_keys);
    strata_plan *p = j.trainer->main.plan;
    char *before = malloc(p->weights.bytes), *after = malloc(p->weights.bytes);
    assert_true(before && after);
    OK(strata_plan_read_range(p, before, p->weights));
    make_batch(pixels, labels, 0);
    pixels[7] = NAN;
    submit(&j, pixels, labels, 6);
    for (uint32_t i = 1; i < STEPS; i++) {
        make_batch(pixels, labels, i);
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

/* The variant that a pass of a layer runs by in the recordings of an engine. */
static const char *variant_of(const engine *e, const char *label, strata_pass pass)
{
    const strata_recorded *r;
    for (int part = 0; part < STRATA_PARTS; part++)
        for (uint32_t s = 0; s < e->plan->part[part].n; s++)
            for (uint32_t i = 0; (r = strata_stream_recorded(e->plan->part[part].segment[s], i)); i++)
                if (r->pass == pass && strcmp(r->label, label) == 0) return r->variant;
    return "none";
}

/* A run's record tells those of whole batches alone, and they may have been measured, or forced: whoever
 * resumes it has no others. */
static void smaller_batches_take_the_same_variants(void **state)
{
    (void)state;
    static const strata_pass passes[] = { STRATA_FORWARD, STRATA_BACKWARD_X, STRATA_BACKWARD_W };
    job j;
    open_job(&j, (const char *const[]) { "variants", "conv2d=plain", NULL });
    OK(strata_recipe_set(j.trainer->recipe, "variants", "")); /* as if main's were measured */
    OK(trainer_expect(j.trainer, 4));
    const strata_graph *g = trainer_model(j.trainer)->graph;
    uint32_t compared = 0;
    for (uint32_t k = 0; k < g->n_nodes; k++)
        for (size_t i = 0; strcmp(g->node[k]->op->name, "conv2d") == 0 && i < 3; i++) {
            const char *name = g->node[k]->name, *all = variant_of(&j.trainer->main, name, passes[i]);
            compared += strcmp(all, "plain") == 0;
            assert_string_equal(variant_of(&j.trainer->tail, name, passes[i]), all);
        }
    assert_true(compared > 2);
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
    open_job(&j, no_keys);
    make_batch(pixels, labels, 0);
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
        cmocka_unit_test(smaller_batches_take_the_same_variants),
        cmocka_unit_test(outside_values_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

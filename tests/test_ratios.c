/* Update-to-weight ratios as a training step measures them on the device, against the weights read before and
 * after it; and that whether a step is measured moves no bit. */
#include <math.h>
#include <stdio.h>

#include "job.h"
#include "train/rate_list.h"

static trainer_result step(job *j, uint32_t number)
{
    float pixels[BATCH * SIDE * SIDE];
    int32_t labels[BATCH];
    strata_trainer *t = j->trainer;
    make_batch(pixels, labels, number);
    for (uint32_t at = 0; at < BATCH; at += t->micro) {
        engine_input in;
        OK(trainer_begin(t, t->micro, BATCH, at + t->micro == BATCH, 0, &in));
        engine_put(t->current, &in, pixels + at * SIDE * SIDE, labels + at, t->micro, 1.0f / BATCH);
        OK(trainer_submit(t));
    }
    return take(j);
}

static float *weights(job *j)
{
    const strata_plan *p = j->trainer->main.plan;
    float *values = malloc(p->weights.bytes);
    assert_non_null(values);
    OK(strata_plan_read_range(j->trainer->main.plan, values, p->weights));
    return values;
}

/* What moved in a layer by its name, or in the weights of a group: |after - before| / |before|. */
static double by_hand(const job *j, const char *layer, uint32_t group, const float *before,
                      const float *after)
{
    const strata_model *m = trainer_model(j->trainer);
    double moved = 0, size = 0;
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        if (param->running || (layer && strcmp(param->node, layer) != 0)) continue;
        if (!layer && (m->group_of_row[param->row] != group || param->norm || param->bias)) continue;
        const uint64_t at = (param->data.offset - j->trainer->main.plan->weights.offset) / 4;
        const bool active = m->group_of_row[param->row] != 0;
        for (uint64_t k = at; active && k < at + param->data.bytes / 4; k++) {
            const double by = (double)after[k] - (double)before[k];
            moved += by * by;
            size += (double)before[k] * (double)before[k];
        }
    }
    return size > 0 ? sqrt(moved / size) : 0;
}

static void expect_ratio(double got, double want, const char *what)
{
    if (!(fabs(got - want) <= 1e-5 * want)) fail_msg("%s: got %.9g, want %.9g", what, got, want);
}

/* The first group is frozen: it does not move, whatever its biases' and norms' own rates are. */
static void ratios_are_of_what_moved(void **state)
{
    (void)state;
    static const char *const optimizers[] = { "sgd", "adam", "adamw", "lars", "lamb" };
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        job j;
        open_job(&j, (const char *const[]) { "opt", optimizers[i], "lr", "0,1e-6,1e-1", "weight-decay", "0.1",
                                             "norm-rate", "2", "bias-rate", "3", "micro-batch", "3", NULL });
        update_ratios *r = &j.trainer->ratios;
        const strata_model *m = trainer_model(j.trainer);
        assert_true(isnan(r->layer[0]) && isnan(r->group[2]));
        double sum = 0;
        for (uint32_t n = 0; n < STEPS; n++) {
            float *before = weights(&j);
            j.trainer->measure = n != 1;
            const trainer_result result = step(&j, n);
            float *after = weights(&j);
            assert_int_equal(result.moved != NULL, n != 1);
            if (result.moved) ratios_take(r, result.moved);
            for (uint32_t k = 0; result.moved && k < r->n_layers; k++)
                expect_ratio(r->layer[k], by_hand(&j, r->layer_name[k], 0, before, after), r->layer_name[k]);
            for (uint32_t g = 0; result.moved && g < m->n_groups; g++)
                expect_ratio(r->group[g], by_hand(&j, NULL, g, before, after), m->group_name[g]);
            if (result.moved) ratios_count(r, 2, 0.5), sum += r->group[2];
            free(before), free(after);
        }
        assert_true(r->layer[0] == 0 && r->group[0] == 0 && r->group[1] > 0 && r->group[2] > r->group[1]);
        assert_true(r->sum[2] == sum && r->steps[2] == STEPS - 1 && r->steps[1] == 0);
        assert_true(r->rates[2] == 0.5 * (STEPS - 1));
        for (r->steps[2] = RATIO_STEPS - 1; r->steps[2] < RATIO_STEPS;) ratios_count(r, 2, 0.5);
        sum = r->sum[2];
        ratios_count(r, 2, 0.5); /* past the first steps */
        assert_true(r->sum[2] == sum && r->steps[2] == RATIO_STEPS);
        close_job(&j);
    }
}

static void measuring_moves_no_bit(void **state)
{
    (void)state;
    static const char *const optimizers[] = { "sgd", "adam", "adamw", "lars", "lamb" };
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        float *end[2];
        for (int measured = 0; measured < 2; measured++) {
            job j;
            open_job(&j, (const char *const[]) { "opt", optimizers[i], "lr", "1e-2", NULL });
            j.trainer->measure = measured;
            for (uint32_t n = 0; n < STEPS; n++) step(&j, n);
            end[measured] = weights(&j);
            if (measured) assert_memory_equal(end[0], end[1], j.trainer->main.plan->weights.bytes);
            close_job(&j);
        }
        free(end[0]), free(end[1]);
    }
}

/* By what share of its size the head moves in one step. */
static double moved_head(const char *opt, const char *lr, const char *trust, const char *clip)
{
    job j;
    open_job(&j, (const char *const[]) { "opt", opt, "lr", lr, "weight-decay", "0.1", "trust", trust,
                                         "trust-clip", clip, NULL });
    j.trainer->measure = true;
    const trainer_result result = step(&j, 0);
    ratios_take(&j.trainer->ratios, result.moved);
    const double moved = j.trainer->ratios.group[2];
    close_job(&j);
    return moved;
}

/* LAMB moves by the rate, or as much less as its ratio is held; LARS, whose ratio is larger, by SGD's step
 * times what it is held at. */
static void ratios_are_held(void **state)
{
    (void)state;
    const double free_one = moved_head("lamb", "1e-2", "1e-3", "0"),
                 low = moved_head("lamb", "1e-2", "1e-3", "1e-3"),
                 twice = moved_head("lamb", "1e-2", "1e-3", "2e-3"),
                 high = moved_head("lamb", "1e-2", "1e-3", "1e3");
    expect_ratio(free_one, 1e-2, "LAMB");
    expect_ratio(high, free_one, "LAMB, held at more than there is");
    expect_ratio(twice, 2 * low, "LAMB, held at twice as much");
    assert_true(low < 1e-3);
    const double plain = moved_head("sgd", "1e-2", "1e-3", "0");
    expect_ratio(moved_head("lars", "1e-2", "1e6", "1"), plain, "LARC");
    expect_ratio(moved_head("lars", "1e-2", "1e6", "0.25"), plain / 4, "LARS, held at a quarter of the rate");
}

/* X@ratio: each group's rate is X of the size of its first weights; the recipe has them as a list. */
static void rates_by_size(void **state)
{
    (void)state;
    job j;
    double rms[3];
    uint64_t parameters[3];
    char list[128];
    open_job(&j, (const char *const[]) { "lr", "0.05@ratio", "seed", "7", NULL });
    OK(rate_list_sizes(rms, parameters, j.trainer));
    const double *peak = strata_rates_peak(j.trainer->rates);
    for (int g = 0; g < 3; g++) assert_true(fabs(peak[g] - 0.05 * rms[g]) <= 1e-12 * peak[g] && rms[g] > 0);
    assert_true(peak[0] != peak[1] && peak[1] != peak[2]);
    snprintf(list, sizeof list, "%.17g,%.17g,%.17g", peak[0], peak[1], peak[2]);
    assert_string_equal(strata_recipe_get(j.trainer->recipe, "lr"), list);
    close_job(&j);
}

/* By hand, of a network on no device: a group of norms has no weights to tell of. What is 0 has no size that
 * a step could be a share of. */
static void groups_without_weights_tell_nothing(void **state)
{
    (void)state;
    strata_model *m;
    update_ratios r;
    const strata_model_config config = { .model = "small-cnn",
                                         .groups = "some: conv*; norms: bn*; head: fc",
                                         .input = { .n = 1 } };
    OK(strata_model_open(&m, &config));
    OK(ratios_open(&r, m));
    float *moved = calloc(2 * m->graph->n_rows, sizeof *moved);
    bool *weights = calloc(m->n_groups, sizeof *weights);
    uint32_t without = 0;
    assert_true(moved && weights);
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *p = m->graph->param[i];
        if (p->running) continue;
        weights[m->group_of_row[p->row]] |= !p->norm && !p->bias;
        moved[2 * p->row] = 3;
        moved[2 * p->row + 1] = p->norm || p->bias ? 4 : 0;
    }
    ratios_take(&r, moved);
    for (uint32_t g = 0; g < m->n_groups; g++) {
        without += !weights[g];
        assert_true(weights[g] ? r.group[g] == 0 : isnan(r.group[g]));
        assert_int_equal(r.steps[g], weights[g] ? 0 : RATIO_TOLD);
        ratios_count(&r, g, 0.5);
        assert_int_equal(r.steps[g], weights[g] ? 1 : RATIO_TOLD);
        assert_true(r.sum[g] == 0 && r.rates[g] == (weights[g] ? 0.5 : 0));
    }
    assert_int_equal(without, 1);
    for (uint32_t i = 0; i < r.n_layers; i++) assert_true(isfinite(r.layer[i]));
    free(moved), free(weights);
    ratios_free(&r);
    strata_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios_are_of_what_moved),
        cmocka_unit_test(ratios_are_held),
        cmocka_unit_test(rates_by_size),
        cmocka_unit_test(measuring_moves_no_bit),
        cmocka_unit_test(groups_without_weights_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

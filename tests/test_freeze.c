/* Frozen groups in training: their weights and moments keep every bit, the backward pass stops before them,
 * and what learns on is bit for bit what it is in a run that goes all the way back with rates of 0. */
#include <stdio.h>

#include "job.h"

#include "core/file.h"
#include "folder.h"
#include "strata/rates.h"

enum { RELEASE = 4 };

static float step(job *j, uint32_t number)
{
    float pixels[BATCH * SIDE * SIDE], loss;
    int32_t labels[BATCH];
    make_batch(pixels, labels, number);
    OK(strata_trainer_step(j->trainer, pixels, labels, BATCH, &loss));
    return loss;
}

/* A flat range of the plan. Owner: caller. */
static char *range(job *j, strata_slice slice)
{
    char *bytes = malloc(slice.bytes);
    assert_non_null(bytes);
    OK(strata_plan_read_range(j->trainer->main.plan, bytes, slice));
    return bytes;
}

/* Parameters of a group: how many of them differ between two copies of the weights or moments. */
static uint32_t moved(job *j, uint32_t group, const char *a, const char *b)
{
    const strata_model *m = trainer_model(j->trainer);
    const uint64_t first = j->trainer->main.plan->weights.offset;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        if (param->running || m->group_of_row[param->row] != group) continue;
        const uint64_t at = param->data.offset - first;
        n += memcmp(a + at, b + at, param->data.bytes) != 0;
    }
    return n;
}

static void frozen_groups_keep_every_bit(void **state)
{
    (void)state;
    job j;
    open_job(&j, (const char *const[]) { "freeze-until", "stem=66.7%,body=66.7%", NULL });
    const strata_plan *p = j.trainer->main.plan;
    char *start = range(&j, p->weights), *moment = range(&j, p->moment2);
    for (uint32_t i = 0; i < RELEASE; i++) step(&j, i);
    char *held = range(&j, p->weights), *held_moment = range(&j, p->moment2);
    assert_true(p->config.frozen_nodes > 5);
    for (uint32_t g = 0; g < 2; g++) {
        assert_int_equal(moved(&j, g, start, held), 0);
        assert_int_equal(moved(&j, g, moment, held_moment), 0);
    }
    assert_true(moved(&j, 2, start, held) > 0);
    for (uint32_t i = RELEASE; i < STEPS; i++) step(&j, i);
    char *end = range(&j, p->weights);
    assert_int_equal(p->config.frozen_nodes, 0);
    for (uint32_t g = 0; g < 3; g++) assert_true(moved(&j, g, held, end) > 0);
    const strata_model *m = trainer_model(j.trainer);
    for (uint32_t row = 0; row < m->graph->n_rows; row++) /* Adam's t counts the steps that a row took */
        assert_int_equal(j.trainer->row_steps[row], m->group_of_row[row] < 2 ? STEPS - RELEASE : STEPS);
    free(start), free(moment), free(held), free(held_moment), free(end);
    close_job(&j);
}

static double zero_before_the_head(void *context, uint64_t at, uint32_t group, double lr, double *momentum)
{
    (void)context, (void)at, (void)momentum;
    return group < 2 ? 0 : lr;
}

/* With the same choice for running statistics, which then is to update them. */
static void losses_are_those_of_rates_of_zero(void **state)
{
    (void)state;
    job frozen, zero;
    open_job(&frozen, (const char *const[]) { "lr", "0,0,1e-3", NULL });
    open_job(&zero, (const char *const[]) { NULL });
    strata_trainer_set_rule(zero.trainer, zero_before_the_head, NULL);
    for (uint32_t i = 0; i < STEPS; i++) {
        const float a = step(&frozen, i), b = step(&zero, i);
        assert_memory_equal(&a, &b, sizeof a);
    }
    const strata_plan *p = frozen.trainer->main.plan, *q = zero.trainer->main.plan;
    assert_true(p->config.frozen_nodes > 5);
    assert_int_equal(q->config.frozen_nodes, 0);
    char *a = range(&frozen, p->weights), *b = range(&zero, q->weights);
    for (uint32_t g = 0; g < 3; g++) assert_int_equal(moved(&frozen, g, a, b), 0);
    char *c = range(&frozen, p->running), *d = range(&zero, q->running);
    assert_memory_equal(c, d, p->running.bytes);
    free(a), free(b), free(c), free(d);
    close_job(&frozen);
    close_job(&zero);
}

/* ---- ResNet-18 up to layer2 ------------------------------------------------------------------- */

enum { PICTURES = 4, WIDE = 16 };

static double zero_at_first(void *context, uint64_t at, uint32_t group, double lr, double *momentum)
{
    (void)at, (void)momentum;
    return group < *(const uint32_t *)context ? 0 : lr;
}

static void open_resnet(job *j, const char *opt, const char *stats, const char *lr)
{
    const char *name = getenv("STRATA_TEST_DEVICE");
    const char *const keys[] = {
        "model", "resnet18",  "stem",
        "small", "groups",    "first: conv1; early: bn1 layer1.* layer2.*; late: layer3.* layer4.*; head: fc",
        "opt",   opt,         "batch",
        "4",     "schedule",  "constant",
        "lr",    lr,          "frozen-stats",
        stats,   "clip-norm", "0" /* it is of what learns */
    };
    OK(strata_device_open(&j->device, &(strata_device_config) { .name = name && *name ? name : "auto" }));
    OK(strata_recipe_open(&j->recipe));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i += 2)
        OK(strata_recipe_set(j->recipe, keys[i], keys[i + 1]));
    OK(strata_trainer_open(&j->trainer, j->device, j->recipe, &(strata_task) { WIDE, WIDE, 3, 10, 2, 0 }));
}

static float step_resnet(job *j, uint32_t number)
{
    float pixels[PICTURES * WIDE * WIDE * 3], loss;
    const int32_t labels[PICTURES] = { 1, 7, (int32_t)number, 3 };
    for (uint32_t i = 0; i < PICTURES * WIDE * WIDE * 3; i++)
        pixels[i] = (float)((i * 37 + number * 101) % 64) / 32 - 1;
    OK(strata_trainer_step(j->trainer, pixels, labels, PICTURES, &loss));
    return loss;
}

/* A frozen prefix against a backward pass to the first convolution at rates of 0. Where statistics are held,
 * in both, that convolution alone has such a rate and the norms behind it are frozen in the middle. */
static void expect_same_resnet(const char *opt, bool hold)
{
    job frozen, zero;
    const char *stats = hold ? "hold" : "update";
    uint32_t groups = hold ? 1 : 2;
    open_resnet(&frozen, opt, stats, "0,0,1e-2,1e-2");
    open_resnet(&zero, opt, stats, hold ? "1e-2,0,1e-2,1e-2" : "1e-2");
    strata_trainer_set_rule(zero.trainer, zero_at_first, &groups);
    const strata_plan *p = frozen.trainer->main.plan, *q = zero.trainer->main.plan;
    char *first = range(&frozen, p->running);
    for (uint32_t i = 0; i < 2; i++) {
        const float a = step_resnet(&frozen, i), b = step_resnet(&zero, i);
        assert_memory_equal(&a, &b, sizeof a);
    }
    assert_true(p->config.frozen_nodes > 20);
    assert_int_equal(q->config.frozen_nodes, 0);
    char *a = range(&frozen, p->weights), *b = range(&zero, q->weights);
    assert_memory_equal(a, b, p->weights.bytes);
    char *c = range(&frozen, p->running), *d = range(&zero, q->running);
    assert_memory_equal(c, d, p->running.bytes);
    /* The first norm's. */
    assert_int_equal(memcmp(first, c, 64 * sizeof(float)) == 0, hold);
    free(a), free(b), free(c), free(d), free(first);
    close_job(&frozen);
    close_job(&zero);
}

static void resnets_learn_as_with_rates_of_zero(void **state)
{
    (void)state;
    expect_same_resnet("sgd", false);
    expect_same_resnet("sgd", true);
    expect_same_resnet("lamb", false);
    expect_same_resnet("lamb", true);
}

static void statistics_hold_where_asked(void **state)
{
    (void)state;
    job j;
    open_job(&j, (const char *const[]) { "lr", "0,0,1e-3", "frozen-stats", "hold", NULL });
    const strata_plan *p = j.trainer->main.plan;
    char *before = range(&j, p->running);
    for (uint32_t i = 0; i < 2; i++) step(&j, i);
    char *after = range(&j, p->running);
    assert_memory_equal(before, after, p->running.bytes); /* all norms of this network are before its head */
    free(before), free(after);
    close_job(&j);
}

/* A norm without gain and bias is of no group: it holds with the layers before it until they learn. */
static void bare_norms_hold_with_the_prefix(void **state)
{
    (void)state;
    static const char path[] = "bare.yaml", text[] = "name: bare\n"
                                                     "layers:\n"
                                                     "  - {op: conv2d, name: conv, out: 4, kernel: 3}\n"
                                                     "  - {op: batch_norm, name: bn, affine: false}\n"
                                                     "  - {op: flatten}\n"
                                                     "  - {op: linear, name: fc, out: $classes}\n";
    job j;
    OK(strata_file_write(path, text, strlen(text)));
    open_job(&j, (const char *const[]) { "model", path, "freeze-until", "conv=50%", "frozen-stats", "hold",
                                         NULL });
    const strata_plan *p = j.trainer->main.plan;
    char *before = range(&j, p->running);
    for (uint32_t i = 0; i < STEPS / 2; i++) step(&j, i);
    char *held = range(&j, p->running);
    step(&j, STEPS / 2);
    char *moved_on = range(&j, p->running);
    assert_memory_equal(before, held, p->running.bytes);
    assert_memory_not_equal(held, moved_on, p->running.bytes);
    free(before), free(held), free(moved_on);
    close_job(&j);
}

/* Also where a group before them learns, and a backward pass goes through them. */
static void statistics_hold_behind_what_learns(void **state)
{
    (void)state;
    job j;
    open_job(&j, (const char *const[]) { "lr", "1e-3,0,1e-3", "frozen-stats", "hold", NULL });
    const strata_plan *p = j.trainer->main.plan;
    const strata_model *m = trainer_model(j.trainer);
    char *before = range(&j, p->running), *weights = range(&j, p->weights);
    for (uint32_t i = 0; i < 2; i++) step(&j, i);
    char *after = range(&j, p->running), *learned = range(&j, p->weights);
    assert_int_equal(p->config.frozen_nodes, 0);
    uint32_t held = 0, moving = 0;
    for (uint32_t k = 0; k < m->graph->n_nodes; k++) {
        const strata_param *gain = NULL, *mean = NULL;
        for (int i = 0; i < STRATA_MAX_PARAMS; i++) {
            const strata_param *param = m->graph->node[k]->param[i];
            if (param && param->running && !mean) mean = param;
            if (param && !param->running && !gain) gain = param;
        }
        if (!mean) continue;
        const uint64_t at = mean->data.offset - p->running.offset;
        const bool same = memcmp(before + at, after + at, mean->data.bytes) == 0;
        assert_int_equal(same, m->group_of_row[gain->row] == 1);
        held += same;
        moving += !same;
    }
    assert_true(held > 0 && moving > 0);
    assert_true(moved(&j, 0, weights, learned) > 0); /* through the norms that hold */
    assert_int_equal(moved(&j, 1, weights, learned), 0);
    free(before), free(after), free(weights), free(learned);
    close_job(&j);
}

/* A prefix that comes back takes the recordings it had. */
static void a_prefix_is_recorded_once(void **state)
{
    (void)state;
    job j;
    open_job(&j, (const char *const[]) {
                     "schedule",
                     "constant,for=1,freeze=1 then constant,for=1 then constant,for=1,freeze=1 then "
                     "constant,for=1,freeze=2 then constant",
                     NULL });
    const strata_plan *p = j.trainer->main.plan;
    const strata_stream *first[STEPS];
    uint32_t kept[STEPS];
    for (uint32_t i = 0; i < STEPS; i++) {
        step(&j, i);
        first[i] = p->part[STRATA_PART_FIRST].segment[0];
        kept[i] = p->n_kept;
    }
    const uint32_t want[STEPS] = { 2, 2, 2, 3, 3, 3 }; /* the one without a prefix is there from the start */
    assert_memory_equal(kept, want, sizeof want);
    assert_ptr_equal(first[0], first[2]);
    assert_ptr_equal(first[1], first[4]);
    assert_true(first[0] != first[1] && first[0] != first[3] && first[1] != first[3]);
    close_job(&j);
}

static void norms_learn_on_where_asked(void **state)
{
    (void)state;
    job j;
    open_job(&j, (const char *const[]) { "freeze-until", "stem=1,body=1", "train-frozen-bn", "true", NULL });
    const strata_model *m = trainer_model(j.trainer);
    strata_rate row[64];
    step(&j, 0);
    assert_in_range(m->graph->n_rows, 1, 64);
    trainer_rows(j.trainer, row);
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        if (param->running) continue;
        const bool learns = param->norm || m->group_of_row[param->row] == 2;
        assert_int_equal(row[param->row].flags & STRATA_RATE_ACTIVE, learns ? STRATA_RATE_ACTIVE : 0);
        assert_true(learns == (row[param->row].lr == (float)1e-3));
    }
    assert_in_range(j.trainer->main.plan->config.frozen_nodes, 1, 1); /* the first convolution */
    close_job(&j);
}

/* Exempt from a blend, norms learn at the uniform rate wherever their group is. */
static void exempt_norms_learn_at_the_uniform_rate(void **state)
{
    (void)state;
    job j;
    open_job(&j, (const char *const[]) { "freeze-until", "stem=1", "train-frozen-bn", "true", "lr",
                                         "1e-5,1e-4,1e-3", "bleed", "in,p0=0,p1=0,norm=uniform", NULL });
    const strata_model *m = trainer_model(j.trainer);
    const double lr[] = { 0, 1e-4, 1e-3 };
    strata_rate row[64];
    uint32_t norms = 0;
    step(&j, 0);
    trainer_rows(j.trainer, row);
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        if (param->running) continue;
        norms += param->norm && m->group_of_row[param->row] == 0;
        assert_true(row[param->row].lr == (float)(param->norm ? 1e-3 : lr[m->group_of_row[param->row]]));
    }
    assert_true(norms > 0);
    close_job(&j);
}

static void header(void *context, const strata_rates_info *info)
{
    fprintf(context, "step");
    for (uint32_t g = 0; g < info->n_groups; g++) fprintf(context, ",%s", info->group_name[g]);
    fprintf(context, ",momentum\n");
}

static void row_of_rates(void *context, uint64_t at, const double *lr, double momentum)
{
    fprintf(context, "%d,%.17g,%.17g,%.17g,%.17g\n", (int)at, lr[0], lr[1], lr[2], momentum);
}

/* What a table of rates freezes is frozen as in the run that it was made of: releases in the middle, and a
 * warm-up whose first rate is 0. */
static void tables_train_the_same_bits(void **state)
{
    (void)state;
    char path[] = "/tmp/strata_freeze_XXXXXX", schedule[64];
    job by_recipe, by_table;
    open_job(&by_recipe,
             (const char *const[]) { "schedule", "one-cycle,warmup=2", "lr", "1e-4:1e-2", "bleed",
                                     "in,p0=0.3", "freeze-until", "stem=66.7%,body=33.4%", NULL });
    FILE *file = fdopen(mkstemp(path), "w");
    assert_non_null(file);
    OK(strata_rates_list(by_recipe.recipe, STEPS, STEPS, header, row_of_rates, file));
    assert_int_equal(fclose(file), 0);
    snprintf(schedule, sizeof schedule, "csv:%s", path);
    open_job(&by_table, (const char *const[]) { "schedule", schedule, NULL });
    for (uint32_t i = 0; i < STEPS; i++) {
        const float a = step(&by_recipe, i), b = step(&by_table, i);
        assert_memory_equal(&a, &b, sizeof a);
        assert_int_equal(by_table.trainer->frozen_nodes, by_recipe.trainer->frozen_nodes);
    }
    const strata_plan *p = by_recipe.trainer->main.plan, *q = by_table.trainer->main.plan;
    const strata_slice of[2][3] = { { p->weights, p->moment1, p->moment2 },
                                    { q->weights, q->moment1, q->moment2 } };
    for (int k = 0; k < 3; k++) {
        char *a = range(&by_recipe, of[0][k]), *b = range(&by_table, of[1][k]);
        assert_memory_equal(a, b, of[0][k].bytes);
        free(a), free(b);
    }
    close_job(&by_recipe);
    close_job(&by_table);
    remove(path);
}

/* These keys and values, ended by NULL, make no trainer, with this message. */
static void refuses(const char *const *keys, const char *message)
{
    job j = { 0 };
    OK(strata_device_open(&j.device, &(strata_device_config) { .name = "cpu" }));
    OK(strata_recipe_open(&j.recipe));
    for (; *keys; keys += 2) OK(strata_recipe_set(j.recipe, keys[0], keys[1]));
    assert_int_equal(strata_trainer_open(&j.trainer, j.device, j.recipe,
                                         &(strata_task) { SIDE, SIDE, 1, 10, STEPS, STEPS }),
                     STRATA_BAD_ARG);
    if (!strstr(strata_message(), message)) fail_msg("\"%s\" is not in: %s", message, strata_message());
    close_job(&j);
}

/* Rows of groups with very different rates, multipliers of norms and biases, decay by the base rate. */
static void rows_are_what_was_asked_for(void **state)
{
    (void)state;
    job j;
    open_job(&j,
             (const char *const[]) { "lr", "1e-6,1e-3,1e-1", "norm-rate", "3", "bias-rate", "2", "decay-by",
                                     "base", "weight-decay", "0.05", "no-decay", "bias", NULL });
    const strata_model *m = trainer_model(j.trainer);
    const double lr[] = { 1e-6, 1e-3, 1e-1 };
    strata_rate row[64];
    step(&j, 0);
    trainer_rows(j.trainer, row);
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        if (param->running) continue;
        const double want = lr[m->group_of_row[param->row]] * (param->norm ? 3 : param->bias ? 2 : 1);
        assert_true(row[param->row].lr == (float)want);
        const bool spared = param->bias;
        assert_true(row[param->row].weight_decay == (spared ? 0 : (float)(0.05 * 0.1 / want)));
    }
    close_job(&j);
    refuses((const char *const[]) { "opt", "sgd", "decay-by", "base", NULL },
            "--decay-by base wants --opt adamw");
}

/* Largest rates times what multiplies them; 3.4e38 is the largest float. */
static void products_of_rates_are_finite(void **state)
{
    (void)state;
    static const struct {
        const char *lr, *key, *value, *bleed, *message;
    } cases[] = {
        { "1e34", "norm-rate", "1e6", "",
          "--norm-rate 1e6 makes the rate of bn1.weight 1e+40: wanted at most 3" },
        { "1e34", "bias-rate", "1e6", "",
          "--bias-rate 1e6 makes the rate of fc.bias 1e+40: wanted at most 3" },
        { "1e30,1e30,1e36", "norm-rate", "1e3", "", "" },
        { "1e30,1e30,1e36", "norm-rate", "1e3", "in",
          "--norm-rate 1e3 makes the rate of bn1.weight 7.6e+38" },
        { "1e36,1e37,3e38", "norm-rate", "0", "out,p0=0,anchor=mean,budget=total",
          "--bleed 'out,p0=0,anchor=mean,budget=total': its budget makes the largest rate " },
        { "1e32", "norm-rate", "1e6", "", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const keys[] = { "lr",    cases[i].lr,    cases[i].key, cases[i].value,
                                     "bleed", cases[i].bleed, NULL };
        job j;
        if (*cases[i].message) {
            refuses(keys, cases[i].message);
            continue;
        }
        open_job(&j, keys);
        close_job(&j);
    }
    FILE *file = fopen("large.csv", "w");
    assert_non_null(file);
    fputs("step,stem,body,head\n0,1,1,1\n2,1e36,1,1\n4,1,1,1\n", file);
    fclose(file);
    refuses((const char *const[]) { "schedule", "csv:large.csv", "norm-rate", "1e3", NULL },
            "--norm-rate 1e3 makes the rate of bn1.weight 1e+39");
    remove("large.csv");
}

/* Rates that a float can hardly hold, or not at all: their weights shrink by the base rate all the same. */
static void base_decay_of_the_smallest_rates(void **state)
{
    (void)state;
    job j;
    open_job(&j, (const char *const[]) { "lr", "1e-60,1e-42,1e-2", "decay-by", "base", "weight-decay", "0.5",
                                         NULL });
    const strata_model *m = trainer_model(j.trainer);
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        const uint64_t n = strata_param_count(param);
        float *was = malloc(n * sizeof *was), *is = malloc(n * sizeof *is);
        assert_true(was && is);
        if (!param->running && m->group_of_row[param->row] < 2) {
            OK(strata_plan_read_param(j.trainer->main.plan, param, was, false));
            step(&j, i);
            OK(strata_plan_read_param(j.trainer->main.plan, param, is, false));
            for (uint64_t k = 0; k < n; k++) assert_float_equal(is[k], was[k] * 0.995f, 1e-6f);
        }
        free(was);
        free(is);
    }
    close_job(&j);
}

/* Norm parameters and biases with decays of their own; not where another option leaves them out. */
static void decays_of_their_own(void **state)
{
    (void)state;
    job j;
    open_job(&j, (const char *const[]) { "lr", "1e-6,1e-3,1e-1", "weight-decay", "0.05", "norm-decay", "0.02",
                                         "bias-decay", "0.01", NULL });
    const strata_model *m = trainer_model(j.trainer);
    strata_rate row[64];
    step(&j, 0);
    trainer_rows(j.trainer, row);
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        if (!param->running)
            assert_true(row[param->row].weight_decay == (param->norm ? 0.02F : param->bias ? 0.01F : 0.05F));
    }
    close_job(&j);
    refuses((const char *const[]) { "no-decay", "norm,bias", "bias-decay", "0.01", NULL },
            "--no-decay bias and --bias-decay 0.01 contradict each other");
}

/* Ratios are of rows that decay, and LARS's rows hold the rate before its multiplier beside the one after. */
static void rows_of_trust_ratios(void **state)
{
    (void)state;
    const double lr[] = { 1e-6, 1e-3, 1e-1 };
    for (int all = 0; all < 2; all++) {
        job j;
        open_job(&j, (const char *const[]) { "opt", "lars", "lr", "1e-6,1e-3,1e-1", "no-decay", "norm,bias",
                                             "trust-all", all ? "true" : "false", NULL });
        const strata_model *m = trainer_model(j.trainer);
        strata_rate row[64];
        step(&j, 0);
        trainer_rows(j.trainer, row);
        for (uint32_t i = 0; i < m->graph->n_params; i++) {
            const strata_param *param = m->graph->param[i];
            if (param->running) continue;
            const strata_rate *r = &row[param->row];
            const bool decays = !param->norm && !param->bias;
            assert_true(r->lr == (float)lr[m->group_of_row[param->row]]);
            assert_true(r->beta2 == (float)1e-1);
            assert_true(r->weight_decay == (decays ? 5e-4F : 0));
            assert_int_equal(!!(r->flags & STRATA_RATE_TRUST), decays || all);
        }
        assert_null(j.trainer->main.plan->moment2.block);
        close_job(&j);
    }
    refuses((const char *const[]) { "opt", "lamb", "weight-decay", "0", NULL },
            "--opt lamb has trust ratios for parameters with weight decay");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frozen_groups_keep_every_bit),
        cmocka_unit_test(losses_are_those_of_rates_of_zero),
        cmocka_unit_test(resnets_learn_as_with_rates_of_zero),
        cmocka_unit_test(statistics_hold_where_asked),
        cmocka_unit_test(bare_norms_hold_with_the_prefix),
        cmocka_unit_test(norms_learn_on_where_asked),
        cmocka_unit_test(exempt_norms_learn_at_the_uniform_rate),
        cmocka_unit_test(statistics_hold_behind_what_learns),
        cmocka_unit_test(a_prefix_is_recorded_once),
        cmocka_unit_test(tables_train_the_same_bits),
        cmocka_unit_test(rows_are_what_was_asked_for),
        cmocka_unit_test(products_of_rates_are_finite),
        cmocka_unit_test(base_decay_of_the_smallest_rates),
        cmocka_unit_test(decays_of_their_own),
        cmocka_unit_test(rows_of_trust_ratios),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

/* The rates table of a step: a row for each trained parameter, from the rate of its group. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/recipe.h"
#include "train/trainer.h"

static bool listed(const char *list, const char *word)
{
    for (const char *at = list; (at = strstr(at, word)); at += strlen(word))
        if ((at == list || at[-1] == ',') && (at[strlen(word)] == ',' || !at[strlen(word)])) return true;
    return false;
}

static const strata_group_rate *group_of(const strata_trainer *t, const strata_group_rate *group,
                                         const strata_param *param)
{
    return &group[t->main.model->group_of_row[param->row]];
}

/* A frozen layer's gain and bias are frozen with it, unless they are asked for. */
static bool moves(const strata_trainer *t, const strata_group_rate *group, const strata_param *param)
{
    return !group_of(t, group, param)->frozen || (param->norm && t->rule.train_frozen_norm);
}

/* A norm that is frozen holds its statistics where that is asked for, wherever it stands; one without gain
 * and bias has no group and goes with the frozen prefix. */
static bool holds(const strata_trainer *t, const strata_node *node)
{
    bool norm = false, any = false, moving = false;
    for (int i = 0; i < STRATA_MAX_PARAMS; i++) {
        const strata_param *param = node->param[i];
        norm = norm || (param && param->running);
        any = any || (param && !param->running);
        moving = moving || (param && !param->running && moves(t, t->group, param));
    }
    return norm && (any ? !moving : node->index < t->frozen_nodes);
}

static double rate_of(const strata_trainer *t, const strata_param *param)
{
    const strata_group_rate *g = group_of(t, t->group, param);
    if (param->norm) return g->norm * t->rule.norm_rate; /* of a frozen group's, too, where they learn on */
    return param->bias ? g->lr * t->rule.bias_rate : g->lr;
}

static const double LEAST_BASED = 1e-30; /* a rate whose quotient a float holds, and that moves no weight */

/* AdamW's kernel shrinks by lr times the decay: for a decay by the base rate, the decay carries the quotient.
 */
static double decay_of(const strata_trainer *t, const strata_param *param, double lr)
{
    const trainer_rule *r = &t->rule;
    if ((param->norm && r->spare_norm) || (param->bias && r->spare_bias)) return 0;
    const double decay = param->norm ? r->norm_decay : param->bias ? r->bias_decay : r->decay;
    if (!r->decay_by_base || !(lr > 0)) return decay;
    return decay * group_of(t, t->group, param)->uniform / lr;
}

static strata_rate row_of(const strata_trainer *t, const strata_param *param)
{
    const trainer_rule *r = &t->rule;
    /* The corrections are of the betas as the kernel has them: 1 - 0.999f is 1.3e-5 off 1 - 0.999, and the
     * step with it if the correction is not off alike. */
    const float beta1 = (float)t->momentum, beta2 = r->beta2;
    const double n = (double)t->row_steps[param->row], given = rate_of(t, param),
                 lr = r->decay_by_base && given > 0 ? fmax(given, LEAST_BASED) : given,
                 decay = decay_of(t, param, lr);
    if (!moves(t, t->group, param))
        return (strata_rate) { .beta2 = beta2, .correction1 = 1, .correction2 = 1 };
    return (strata_rate) {
        .lr = (float)lr,
        .momentum = beta1,
        .beta2 = r->lars ? (float)group_of(t, t->group, param)->uniform : beta2,
        .eps = r->eps,
        .weight_decay = (float)decay,
        .correction1 = r->adam ? (float)(1 / (1 - pow((double)beta1, n))) : 1,
        .correction2 = r->adam ? (float)(1 / sqrt(1 - pow((double)beta2, n))) : 1,
        .flags = STRATA_RATE_ACTIVE | (r->nesterov ? STRATA_RATE_NESTEROV : 0) |
                 (n == 1 ? STRATA_RATE_FIRST : 0) |
                 (r->trust && (decay > 0 || r->trust_all) ? STRATA_RATE_TRUST : 0),
    };
}

void trainer_rows(const strata_trainer *t, strata_rate *rows)
{
    const strata_graph *g = t->main.model->graph;
    for (uint32_t i = 0; i < g->n_params; i++)
        if (!g->param[i]->running) rows[g->param[i]->row] = row_of(t, g->param[i]);
}

uint32_t trainer_frozen_nodes(const strata_trainer *t, const strata_group_rate *group, bool norms)
{
    const strata_graph *g = t->main.model->graph;
    uint32_t n = 0;
    for (bool any = false; n < g->n_nodes; n++) {
        for (int i = 0; i < STRATA_MAX_PARAMS; i++) {
            const strata_param *param = g->node[n]->param[i];
            if (param && !param->running)
                any = any || (norms ? !group_of(t, group, param)->frozen : moves(t, group, param));
        }
        if (any) break;
    }
    return n;
}

void trainer_rates_begin(strata_trainer *t)
{
    const strata_graph *g = t->main.model->graph;
    strata_rates_look(t->rates, t->step, t->group, &t->momentum);
    t->frozen_nodes = trainer_frozen_nodes(t, t->group, false);
    for (uint32_t k = 0; k < g->n_nodes; k++) t->hold[k] = t->rule.hold_stats && holds(t, g->node[k]);
    for (uint32_t i = 0; i < g->n_params; i++)
        if (!g->param[i]->running && moves(t, t->group, g->param[i])) t->row_steps[g->param[i]->row]++;
}

/* ---- Counts that the device keeps ---------------------------------------------------------------- */

static strata_status move_counts(strata_trainer *t, bool write)
{
    strata_plan *p = t->main.plan;
    const uint32_t rows = t->main.model->graph->n_rows;
    strata_status status = STRATA_OK;
    if (!p->row_steps.block) return STRATA_OK;
    uint32_t *steps = calloc(rows + 1, sizeof *steps);
    if (!steps) return strata_fail(STRATA_NO_MEMORY, "no memory for the rates");
    for (uint32_t i = 0; i < rows && write; i++) steps[i] = (uint32_t)t->row_steps[i];
    STRATA_GO(write ? strata_plan_write_range(p, p->row_steps, steps)
                    : strata_plan_read_range(p, steps, p->row_steps));
    for (uint32_t i = 0; i < rows; i++) t->row_steps[i] = steps[i];
done:
    free(steps);
    return status;
}

strata_status trainer_count_rows(strata_trainer *t) { return move_counts(t, false); }

strata_status trainer_put_rows(strata_trainer *t) { return move_counts(t, true); }

/* ---- Life ------------------------------------------------------------------------------------- */

static void count_parameters(double *n, const strata_model *m)
{
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        if (!param->running) n[m->group_of_row[param->row]] += (double)strata_param_count(param);
    }
}

static trainer_rule read_rule(const strata_recipe *r)
{
    const char *no_decay = strata_recipe_get(r, "no-decay");
    const bool lars = recipe_is(r, "opt", "lars"), lamb = recipe_is(r, "opt", "lamb");
    return (trainer_rule) {
        .beta2 = strtof(strchr(strata_recipe_get(r, "betas"), ',') + 1, NULL),
        .eps = (float)recipe_number(r, "eps"),
        .decay = recipe_number(r, "weight-decay"),
        .norm_decay = recipe_number(r, *strata_recipe_get(r, "norm-decay") ? "norm-decay" : "weight-decay"),
        .bias_decay = recipe_number(r, *strata_recipe_get(r, "bias-decay") ? "bias-decay" : "weight-decay"),
        .norm_rate = recipe_number(r, "norm-rate"),
        .bias_rate = recipe_number(r, "bias-rate"),
        .adam = !recipe_is(r, "opt", "sgd") && !lars,
        .lars = lars,
        .trust = lars || lamb,
        .trust_all = recipe_flag(r, "trust-all"),
        .nesterov = recipe_flag(r, "nesterov"),
        .decay_by_base = recipe_is(r, "decay-by", "base"),
        .spare_norm = listed(no_decay, "norm"),
        .spare_bias = listed(no_decay, "bias"),
        .train_frozen_norm = recipe_flag(r, "train-frozen-bn"),
        .hold_stats = recipe_is(r, "frozen-stats", "hold"),
    };
}

/* One option must not say that what another gives a value is left out. */
static strata_status check_decays(const strata_recipe *r)
{
    static const char *const kinds[][2] = { { "norm", "norm-decay" }, { "bias", "bias-decay" } };
    for (int i = 0; i < 2; i++)
        if (listed(strata_recipe_get(r, "no-decay"), kinds[i][0]) && *strata_recipe_get(r, kinds[i][1]))
            return strata_fail(STRATA_BAD_ARG, "--no-decay %s and --%s %s contradict each other: give one",
                               kinds[i][0], kinds[i][1], strata_recipe_get(r, kinds[i][1]));
    return STRATA_OK;
}

/* With the rates of t->group, does a float hold what --norm-rate and --bias-rate make of them? */
static strata_status check_rows(const strata_trainer *t)
{
    const strata_graph *g = t->main.model->graph;
    for (uint32_t i = 0; i < g->n_params; i++) {
        const strata_param *param = g->param[i];
        const char *key = param->norm ? "norm-rate" : "bias-rate";
        if (param->running || (!param->norm && !param->bias)) continue;
        if (!(rate_of(t, param) <= FLT_MAX)) /* NaN is not */
            return strata_fail(STRATA_BAD_ARG, "--%s %s makes the rate of %s %g: wanted at most %g", key,
                               strata_recipe_get(t->recipe, key), param->name, rate_of(t, param), FLT_MAX);
    }
    return STRATA_OK;
}

/* The same at the groups' peaks and, as norms may have another group's rate, where curves are largest.
 *   peak  [n_groups] for the peaks of a phase */
static strata_status check_multiples(strata_trainer *t, double *peak)
{
    const uint32_t n = t->main.model->n_groups;
    rates_phase p;
    for (uint32_t g = 0; g < n; g++)
        t->group[g] = (strata_group_rate) { .lr = strata_rates_peak(t->rates)[g],
                                            .norm = strata_rates_peak(t->rates)[g] };
    STRATA_TRY(check_rows(t));
    for (uint32_t i = 0; strata_rates_phase(t->rates, i, &p, peak); i++) {
        const uint64_t look[] = { p.first, p.first + p.warmup, p.first + p.warmup + 1,
                                  p.first + p.steps - 1 };
        for (size_t k = 0; k < sizeof look / sizeof *look; k++) {
            if (look[k] >= p.first + p.steps) continue;
            strata_rates_look(t->rates, look[k], t->group, NULL);
            STRATA_TRY(check_rows(t));
        }
    }
    memset(t->group, 0, n * sizeof *t->group); /* no step yet */
    return STRATA_OK;
}

static strata_status take_rates(strata_trainer *t)
{
    const strata_model *m = t->main.model;
    t->look_every = strata_rates_measure_every(t->rates);
    t->group = calloc(m->n_groups, sizeof *t->group);
    t->row_steps = calloc(m->graph->n_rows, sizeof *t->row_steps);
    t->hold = calloc(m->graph->n_nodes, sizeof *t->hold);
    return t->group && t->row_steps && t->hold ? STRATA_OK
                                               : strata_fail(STRATA_NO_MEMORY, "no memory for the rates");
}

strata_status trainer_rates_open(strata_trainer *t)
{
    const strata_model *m = t->main.model;
    STRATA_TRY(check_decays(t->recipe));
    t->rule = read_rule(t->recipe);
    if (t->rule.decay_by_base && !recipe_is(t->recipe, "opt", "adamw"))
        return strata_fail(STRATA_BAD_ARG,
                           "--decay-by base wants --opt adamw: the decay of %s is in its gradient",
                           strata_recipe_get(t->recipe, "opt"));
    if (t->rule.trust && !(t->rule.decay > 0) && !t->rule.trust_all)
        return strata_fail(STRATA_BAD_ARG,
                           "--opt %s has trust ratios for parameters with weight decay, and --weight-decay "
                           "is 0: give one, or --trust-all",
                           strata_recipe_get(t->recipe, "opt"));
    double *n = calloc(m->n_groups, sizeof *n);
    if (!n) return strata_fail(STRATA_NO_MEMORY, "no memory for the rates");
    count_parameters(n, m);
    const strata_rates_config config = {
        .lr = strata_recipe_get(t->recipe, "lr"),
        .schedule = strata_recipe_get(t->recipe, "schedule"),
        .bleed = strata_recipe_get(t->recipe, "bleed"),
        .freeze_until = strata_recipe_get(t->recipe, "freeze-until"),
        .n_groups = m->n_groups,
        .group_name = m->group_name,
        .group_parameters = n,
        .steps = t->task.steps,
        .steps_per_epoch = t->task.steps_per_epoch,
        .momentum = strtod(strata_recipe_get(t->recipe, t->rule.adam ? "betas" : "momentum"), NULL),
    };
    strata_status status = strata_rates_open(&t->rates, &config);
    if (status == STRATA_OK) status = take_rates(t);
    if (status == STRATA_OK) status = check_multiples(t, n);
    free(n);
    return status;
}

void strata_trainer_set_rule(strata_trainer *t, strata_rate_rule *rule, void *context)
{
    strata_rates_set_rule(t->rates, rule, context);
}

void trainer_rates_close(strata_trainer *t)
{
    strata_rates_close(t->rates);
    free(t->group);
    free(t->row_steps);
    free(t->hold);
    free(t->look.weights);
}

/* What rates come to over a run: sums, set against the size of the weights they move. */
#include "train/rate_list.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "model/weights_file.h"
#include "rates/grammar.h"
#include "train/recipe.h"

static strata_status no_memory(void) { return strata_fail(STRATA_NO_MEMORY, "no memory for the rates"); }

/* The weights of one parameter: as they are on the device, without one as they will begin.
 *   f  over what the seed gives; NULL: nothing */
static strata_status read_weights(float *values, strata_trainer *t, strata_weights_file *f, uint32_t number)
{
    const strata_param *param = t->main.model->graph->param[number];
    if (t->main.plan) return strata_plan_read_param(t->main.plan, param, values, false);
    strata_model_init(values, param, number, (uint64_t)recipe_number(t->recipe, "seed"));
    return f ? strata_model_transfer_read(values, t->main.model, f, param) : STRATA_OK;
}

/* Squares and number of a group's weights. */
static strata_status add_weights(strata_trainer *t, strata_weights_file *f, uint32_t number, double *squares,
                                 double *n)
{
    const uint64_t count = strata_param_count(t->main.model->graph->param[number]);
    float *values = malloc(count * sizeof *values);
    if (!values) return no_memory();
    const strata_status status = read_weights(values, t, f, number);
    for (uint64_t i = 0; status == STRATA_OK && i < count; i++)
        *squares += (double)values[i] * (double)values[i];
    *n += (double)count;
    free(values);
    return status;
}

strata_status rate_list_sizes(double *rms, uint64_t *parameters, strata_trainer *t)
{
    const strata_model *m = t->main.model;
    const char *file = strata_recipe_get(t->recipe, "init");
    strata_status status = STRATA_OK;
    strata_weights_file *f = NULL;
    double *n = calloc(m->n_groups, sizeof *n);
    if (!n) STRATA_GO(no_memory());
    if (!t->main.plan && *file) STRATA_GO(strata_model_transfer_open(&f, m, file));
    for (uint32_t g = 0; g < m->n_groups; g++) rms[g] = 0, parameters[g] = 0;
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        if (param->running) continue;
        const uint32_t g = m->group_of_row[param->row];
        parameters[g] += strata_param_count(param);
        if (!param->norm && !param->bias) STRATA_GO(add_weights(t, f, i, &rms[g], &n[g]));
    }
    for (uint32_t g = 0; g < m->n_groups; g++) rms[g] = n[g] > 0 ? sqrt(rms[g] / n[g]) : NAN;
done:
    strata_weights_close(f);
    free(n);
    return status;
}

strata_status rate_list_by_size(strata_recipe *r, strata_model *m)
{
    static const char form[] = "@ratio";
    const char *spec = strata_recipe_get(r, "lr");
    rates_text at = { "--lr", spec, spec, m->group_name, m->n_groups };
    strata_status status = STRATA_OK;
    strata_trainer t = { .recipe = r, .main = { .model = m } };
    strata_text list = { 0 };
    double x, *rms = NULL;
    uint64_t *parameters = NULL;
    if (!strstr(spec, form) || strchr(spec, '='))
        return STRATA_OK; /* another form, with a message of its own */
    if (!rates_number(&at, &x, 0, 1e6)) return rates_wrong(&at, "a rate by size: a number in [0, 1e6]");
    if (strcmp(at.at, form) != 0) return rates_wrong(&at, "@ratio and the end");
    rms = calloc(m->n_groups, sizeof *rms);
    parameters = calloc(m->n_groups, sizeof *parameters);
    if (!rms || !parameters) STRATA_GO(no_memory());
    STRATA_GO(rate_list_sizes(rms, parameters, &t));
    for (uint32_t g = 0; g < m->n_groups; g++) {
        if (!(rms[g] > 0))
            STRATA_GO(
                strata_fail(STRATA_BAD_ARG,
                            "--lr '%s', character %u: wants weights in every group, '%s' has none above 0",
                            spec, (unsigned)(at.at - spec) + 1, m->group_name[g]));
        strata_text_format(&list, "%s%.17g", g ? "," : "", x * rms[g]);
    }
    STRATA_GO(list.failed ? no_memory() : strata_recipe_set(r, "lr", list.s));
done:
    strata_text_free(&list);
    free(rms);
    free(parameters);
    return status;
}

/* ---- Phases ---------------------------------------------------------------------------------- */

/* "steps 10 to 39, one-cycle: stem frozen, body 0.0001, head 0.001" */
static char *phase_text(const strata_model *m, const rates_phase *p, const double *peak)
{
    strata_text line = { 0 };
    strata_text_format(&line, "steps %" PRIu64 " to %" PRIu64 ", %s", p->first, p->first + p->steps - 1,
                       p->curve);
    const char *before = ": ";
    for (uint32_t g = 0; g < m->n_groups; g++) {
        if (isnan(peak[g])) continue;
        strata_text_format(&line, "%s%s ", before, m->group_name[g]);
        if (peak[g] > 0)
            strata_text_format(&line, "%.3g", peak[g]);
        else
            strata_text_format(&line, "frozen");
        before = ", ";
    }
    if (line.failed) strata_text_free(&line);
    return line.s;
}

/* Where phases have spreads of their own, the largest rates alone hide which are when. */
static strata_status list_phases(rate_list *l, const strata_trainer *t)
{
    const strata_model *m = t->main.model;
    const double *most = strata_rates_peak(t->rates);
    strata_status status = STRATA_OK;
    double *peak = calloc(m->n_groups, sizeof *peak);
    rates_phase p;
    uint32_t n = 0;
    bool differ = false;
    if (!peak) return no_memory();
    for (; strata_rates_phase(t->rates, n, &p, peak); n++)
        for (uint32_t g = 0; g < m->n_groups; g++) differ = differ || (peak[g] > 0 && peak[g] != most[g]);
    if (differ) l->phase = calloc(n, sizeof *l->phase);
    if (differ && !l->phase) STRATA_GO(no_memory());
    while (differ && strata_rates_phase(t->rates, l->n_phases, &p, peak)) {
        char *text = phase_text(m, &p, peak);
        if (!text) STRATA_GO(no_memory());
        l->phase[l->n_phases++] = text;
    }
done:
    free(peak);
    return status;
}

/* ---- What rates come to ------------------------------------------------------------------------ */

/* How many times its own size a weight can move at most. Adam moves it by about the rate in a step, a
 * trust ratio makes that a share of its size; LAMB's may be held at less. In LARS the ratio is the trust
 * coefficient's share, which trust-clip gives of the rate's quotient by the uniform one, and momentum adds up
 * to 1 / (1 - momentum) steps of it. Of SGD the rates alone do not tell: NaN. */
static double can_move(const strata_trainer *t, const rates_sum *sum, double rms)
{
    const double clip = recipe_number(t->recipe, "trust-clip");
    if (t->rule.lars)
        return (clip > 0 ? sum->share : sum->mass) * recipe_number(t->recipe, "trust") /
               (1 - recipe_number(t->recipe, "momentum"));
    if (!t->rule.adam) return NAN;
    if (!t->rule.trust) return sum->mass / rms;
    return clip > 0 ? sum->mass * fmin(1, clip / rms) : sum->mass;
}

static bool all_there(const rate_list *l)
{
    return l->mass && l->rms && l->times && l->moves && l->parameters && l->still && l->warning;
}

strata_status rate_list_make(rate_list *out, strata_trainer *t)
{
    const uint32_t n = t->main.model->n_groups;
    strata_status status = STRATA_OK;
    rates_sum *sum = calloc(n, sizeof *sum);
    *out = (rate_list) { .mass = calloc(n, sizeof *out->mass),
                         .rms = calloc(n, sizeof *out->rms),
                         .times = calloc(n, sizeof *out->times),
                         .moves = calloc(n, sizeof *out->moves),
                         .parameters = calloc(n, sizeof *out->parameters),
                         .still = calloc(n, sizeof *out->still),
                         .warning = calloc(n, sizeof *out->warning) };
    if (!sum || !all_there(out)) STRATA_GO(no_memory());
    STRATA_GO(rate_list_sizes(out->rms, out->parameters, t));
    STRATA_GO(strata_rates_sum(t->rates, sum));
    for (uint32_t g = 0; g < n; g++) {
        out->mass[g] = sum[g].mass;
        out->still[g] = sum[g].still;
        out->times[g] = sum[g].mass / out->rms[g];
        out->moves[g] = can_move(t, &sum[g], out->rms[g]);
        const bool slow = out->moves[g] < 0.05;
        out->warning[g] = out->still[g] == t->task.steps ? "frozen" : slow ? "effectively frozen" : "";
    }
    STRATA_GO(list_phases(out, t));
done:
    free(sum);
    if (status != STRATA_OK) rate_list_free(out);
    return status;
}

void rate_list_free(rate_list *l)
{
    free(l->mass);
    free(l->rms);
    free(l->times);
    free(l->moves);
    free(l->parameters);
    free(l->still);
    free(l->warning);
    for (uint32_t i = 0; i < l->n_phases; i++) free(l->phase[i]);
    free(l->phase);
    *l = (rate_list) { 0 };
}

/* ---- What is said -------------------------------------------------------------------------- */

/*   ratio  trust ratios make something else of the rates */
static strata_status say_group(strata_text *line, const strata_model *m, const rate_list *l, uint32_t g,
                               bool ratio)
{
    line->length = 0;
    strata_text_format(line, "       %-16s %11" PRIu64 " %s, rates sum to %.4g", m->group_name[g],
                       l->parameters[g], strata_noun(l->parameters[g], "parameter", "parameters"),
                       l->mass[g]);
    if (isnan(l->times[g])) /* norms and biases alone have no size to go by */
        ratio = false;
    else
        strata_text_format(line, ", %.4g times their size", l->times[g]);
    if (ratio) strata_text_format(line, ", and move them by %.4g of it", l->moves[g]);
    strata_text_format(line, "%s%s", *l->warning[g] ? ": " : "", l->warning[g]);
    return line->failed ? no_memory() : STRATA_OK;
}

strata_status rate_list_introduce(strata_trainer *t, rate_list_say *say, void *context)
{
    const strata_model *m = t->main.model;
    strata_status status = STRATA_OK;
    strata_text line = { 0 };
    rate_list list;
    STRATA_TRY(rate_list_make(&list, t));
    for (uint32_t g = 0; g < m->n_groups; g++) {
        STRATA_GO(say_group(&line, m, &list, g, t->rule.trust));
        STRATA_GO(say(context, line.s));
    }
    for (uint32_t i = 0; i < list.n_phases; i++) {
        line.length = 0;
        strata_text_format(&line, "       %s", list.phase[i]);
        STRATA_GO(line.failed ? no_memory() : say(context, line.s));
    }
    if (t->look_every) {
        line.length = 0;
        strata_text_format(&line,
                           "       as if no window opened: they open where groups have settled, looked at "
                           "every %" PRIu64 " steps",
                           t->look_every);
        STRATA_GO(line.failed ? no_memory() : say(context, line.s));
    }
done:
    strata_text_free(&line);
    rate_list_free(&list);
    return status;
}

/* Under Adam the rates tell how far weights can move; else the first steps in which they may do. */
static bool is_measured(const strata_trainer *t, uint64_t step, uint32_t group)
{
    if (t->rule.adam && !t->rule.trust) return false;
    return t->ratios.steps[group] < RATIO_STEPS && !strata_rates_frozen(t->rates, step, group);
}

bool rate_list_wants(const strata_trainer *t)
{
    bool wants = false;
    for (uint32_t g = 0; g < t->main.model->n_groups && !wants; g++) wants = is_measured(t, t->step, g);
    return wants;
}

/* Have the group's first steps been taken, or as many as the run has? */
static bool is_ready(const strata_trainer *t, uint64_t step, uint32_t group)
{
    const uint32_t n = t->ratios.steps[group];
    return n == RATIO_STEPS || (step + 1 == t->task.steps && n > 0 && n < RATIO_STEPS);
}

static strata_status report(const strata_trainer *t, uint64_t steps, rate_list_say *say, void *context)
{
    const strata_model *m = t->main.model;
    const update_ratios *r = &t->ratios;
    strata_status status = STRATA_OK;
    strata_text line = { 0 };
    rates_sum *sum = calloc(m->n_groups, sizeof *sum);
    if (!sum) STRATA_GO(no_memory());
    STRATA_GO(strata_rates_sum(t->rates, sum));
    for (uint32_t g = 0; g < m->n_groups; g++) {
        if (!is_ready(t, steps - 1, g)) continue;
        const double moved = r->sum[g] / r->steps[g], whole = r->sum[g] * sum[g].mass / r->rates[g];
        r->steps[g] = RATIO_TOLD;
        if (!(r->rates[g] > 0)) continue;
        line.length = 0;
        strata_text_format(&line,
                           "step %" PRIu64 ": %s moved by %.3g of its size a step, at that pace by %.3g in "
                           "the run%s",
                           steps, m->group_name[g], moved, whole, whole < 0.05 ? ": effectively frozen" : "");
        STRATA_GO(line.failed ? no_memory() : say(context, line.s));
    }
done:
    strata_text_free(&line);
    free(sum);
    return status;
}

strata_status rate_list_take(strata_trainer *t, const trainer_result *result, rate_list_say *say,
                             void *context)
{
    bool ready = false;
    if (!result->moved) return STRATA_OK;
    ratios_take(&t->ratios, result->moved);
    for (uint32_t g = 0; g < t->main.model->n_groups; g++) {
        if (is_measured(t, result->step, g))
            ratios_count(&t->ratios, g, strata_rates_of(t->rates, result->step, g));
        ready = ready || is_ready(t, result->step, g);
    }
    return ready ? report(t, result->step + 1, say, context) : STRATA_OK;
}

/* ---- Without a run ---------------------------------------------------------------------------- */

static strata_status tell(strata_trainer *t, void (*about)(void *context, const strata_rates_info *info),
                          void *context)
{
    const strata_model *m = t->main.model;
    rate_list list;
    STRATA_TRY(rate_list_make(&list, t));
    const strata_rates_info info = { .model = m->name,
                                     .scheme = m->scheme,
                                     .schedule = strata_recipe_get(t->recipe, "schedule"),
                                     .steps = t->task.steps,
                                     .n_groups = m->n_groups,
                                     .group_name = m->group_name,
                                     .parameters = list.parameters,
                                     .peak = strata_rates_peak(t->rates),
                                     .mass = list.mass,
                                     .rms = list.rms,
                                     .times = list.times,
                                     .moves = list.moves,
                                     .still = list.still,
                                     .warning = list.warning,
                                     .n_phases = list.n_phases,
                                     .phase = (const char *const *)list.phase };
    about(context, &info);
    rate_list_free(&list);
    return STRATA_OK;
}

strata_status rate_list_read(const strata_recipe *recipe, uint64_t steps, uint64_t steps_per_epoch,
                             const rate_reader *reader)
{
    strata_status status = STRATA_OK;
    strata_group_rate *now = NULL;
    double *lr = NULL, momentum;
    /* The model's own image; its defaults are those of photographs. */
    const strata_task photographs = { 224, 224, 3, 0, steps, steps_per_epoch };
    strata_trainer t = { .task = { 0, 0, 0, 0, steps, steps_per_epoch } };
    const engine_config config = { t.task, 1, 1, true, NULL, NULL };
    if (steps == 0) return strata_fail(STRATA_BAD_ARG, "the rates of a run want at least one step");
    STRATA_TRY(recipe_copy(&t.recipe, recipe));
    STRATA_GO(trainer_resolve(t.recipe, &photographs, 0));
    STRATA_GO(engine_model(&t.main.model, t.recipe, &config));
    STRATA_GO(rate_list_by_size(t.recipe, t.main.model));
    STRATA_GO(trainer_rates_open(&t));
    if (reader->about) STRATA_GO(tell(&t, reader->about, reader->context));
    lr = calloc(t.main.model->n_groups, sizeof *lr);
    now = calloc(t.main.model->n_groups, sizeof *now);
    if (!lr || !now) STRATA_GO(no_memory());
    for (uint64_t i = 0, next; reader->each && i < steps; i = next) {
        next = i + 1 < steps && reader->every >= steps - i ? steps - 1 : i + reader->every;
        strata_rates_look(t.rates, i, now, &momentum);
        for (uint32_t g = 0; g < t.main.model->n_groups; g++)
            lr[g] = now[g].frozen || now[g].lr > 0 ? now[g].lr : -0.0;
        reader->each(reader->context, i, lr, momentum);
    }
done:
    free(lr);
    free(now);
    trainer_rates_close(&t);
    strata_model_close(t.main.model);
    strata_recipe_close(t.recipe);
    return status;
}

strata_status strata_rates_list(const strata_recipe *recipe, uint64_t steps, uint64_t steps_per_epoch,
                                void (*about)(void *context, const strata_rates_info *info),
                                void (*each)(void *context, uint64_t step, const double *lr, double momentum),
                                void *context)
{
    return rate_list_read(recipe, steps, steps_per_epoch, &(rate_reader) { about, each, context, 1 });
}

#include "train/events.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/rate_list.h"

static const char *const metric_names[RATES_METRICS] = { "loss", "top1", "top5", "train-loss" };

strata_status events_begin(run_events *e)
{
    const uint32_t n = trainer_model(e->trainer)->n_groups;
    e->was = calloc(n, sizeof *e->was);
    e->is = calloc(n, sizeof *e->is);
    return e->was && e->is ? STRATA_OK : strata_fail(STRATA_NO_MEMORY, "no memory for the rates");
}

void events_free(run_events *e)
{
    free(e->was);
    free(e->is);
    strata_text_free(&e->epoch);
    *e = (run_events) { 0 };
}

static strata_status say(run_events *e, const char *format, ...) STRATA_FORMAT(2, 3);
static strata_status say(run_events *e, const char *format, ...)
{
    char line[512];
    va_list values;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    return e->again ? STRATA_OK : e->say(e->context, line);
}

static strata_status record(run_events *e, const folder_happening *what)
{
    return e->again ? STRATA_OK : folder_event(e->folder, what);
}

/* For the epoch's row. */
static strata_status keep(run_events *e, uint64_t step, const char *what, uint32_t group)
{
    strata_text_format(&e->epoch, "%s%" PRIu64 " %s %s", e->epoch.length ? "; " : "", step, what,
                       trainer_model(e->trainer)->group_name[group]);
    return e->epoch.failed ? strata_fail(STRATA_NO_MEMORY, "no memory for events") : STRATA_OK;
}

/* ---- What is told ----------------------------------------------------------------------------- */

/* Multiply-adds of a forward pass of the nodes in [from, to): every weight is used at each output pixel. */
static double work(const strata_graph *g, uint32_t from, uint32_t to)
{
    double sum = 0;
    for (uint32_t k = from; k < to; k++)
        for (int i = 0; i < STRATA_MAX_PARAMS; i++) {
            const strata_param *p = g->node[k]->param[i];
            if (!p || p->running || p->norm || p->bias) continue;
            sum += (double)strata_param_count(p) * (double)strata_pixels(g->node[k]->out->shape);
        }
    return sum;
}

strata_status events_cost(run_events *e, uint64_t step)
{
    const strata_trainer *t = e->trainer;
    const strata_graph *g = trainer_model(t)->graph;
    strata_rates_look(t->rates, step, e->is, NULL);
    const uint32_t now = trainer_frozen_nodes(t, e->is, false), could = trainer_frozen_nodes(t, e->is, true);
    if (!t->rule.train_frozen_norm || could <= now) return STRATA_OK;
    /* Forward, and backward to the inputs and to the weights. */
    const double share = 2 * work(g, now, could) / (3 * work(g, 0, g->n_nodes));
    return say(e,
               "step %" PRIu64
               ": norms of frozen groups learn on: %u of %u nodes keep a backward pass for them, "
               "%.0f %% of a whole step's multiply-adds",
               step, (unsigned)(could - now), (unsigned)g->n_nodes, 100 * share);
}

static strata_status of_group(run_events *e, uint64_t step, const char *what, uint32_t group, double value)
{
    return record(e, &(folder_happening) { step, what, "group", trainer_model(e->trainer)->group_name[group],
                                           "value", value });
}

static strata_status observed(run_events *e, const rates_event *o)
{
    const char *const *name = trainer_model(e->trainer)->group_name;
    switch (o->kind) {
    case RATES_METRIC:
        return record(e, &(folder_happening) { o->step, "metric", "metric", metric_names[o->group], "value",
                                               o->value });
    case RATES_CHANGE: return of_group(e, o->step, "change", o->group, o->value);
    case RATES_TRIGGER:
        STRATA_TRY(keep(e, o->step, "trigger", o->group));
        STRATA_TRY(of_group(e, o->step, "trigger", o->group, o->value));
        return say(
            e, "step %" PRIu64 ": %s has settled, it changes by %.3g of its size a step: its window opens",
            o->step, name[o->group], o->value);
    default: return STRATA_OK; /* a freeze is seen in the rates */
    }
}

static strata_status reduced(run_events *e, uint64_t step, uint32_t group)
{
    const double is = strata_rates_reduced(e->trainer->rates, step, group),
                 was = step ? strata_rates_reduced(e->trainer->rates, step - 1, group) : 1;
    if (!(is < was)) return STRATA_OK;
    STRATA_TRY(keep(e, step, "reduce", group));
    STRATA_TRY(of_group(e, step, "reduce", group, is));
    return say(e, "step %" PRIu64 ": a plateau, the rate of %s is %.3g of the schedule's", step,
               trainer_model(e->trainer)->group_name[group], is);
}

static strata_status froze(run_events *e, uint64_t step, uint32_t group, uint32_t frozen_nodes)
{
    const strata_model *m = trainer_model(e->trainer);
    const bool before = step && e->was[group].frozen;
    if (e->is[group].frozen == before) return STRATA_OK;
    const char *what = before ? "unfreeze" : "freeze";
    STRATA_TRY(keep(e, step, what, group));
    STRATA_TRY(record(
        e, &(folder_happening) { step, what, "group", m->group_name[group], "frozen_nodes", frozen_nodes }));
    return say(e, "step %" PRIu64 ": %s %s, no backward pass for %u of %u nodes", step, what,
               m->group_name[group], (unsigned)frozen_nodes, (unsigned)m->graph->n_nodes);
}

strata_status events_record(run_events *e, uint64_t step)
{
    const strata_trainer *t = e->trainer;
    const rates_log *log = strata_rates_observed(t->rates);
    uint32_t before = 0;
    while (e->next < log->n && log->event[e->next].step < step) e->next++; /* told by an earlier sitting */
    for (; e->next < log->n && log->event[e->next].step == step; e->next++)
        STRATA_TRY(observed(e, &log->event[e->next]));
    strata_rates_look(t->rates, step, e->is, NULL);
    const uint32_t frozen = trainer_frozen_nodes(t, e->is, false);
    if (step) {
        strata_rates_look(t->rates, step - 1, e->was, NULL);
        before = trainer_frozen_nodes(t, e->was, false);
    }
    for (uint32_t g = 0; g < trainer_model(t)->n_groups; g++) {
        STRATA_TRY(reduced(e, step, g));
        STRATA_TRY(froze(e, step, g, frozen));
    }
    if (frozen == before) return STRATA_OK;
    STRATA_TRY(events_cost(e, step));
    return record(e, &(folder_happening) {
                         .step = step, .what = "record", .value_key = "frozen_nodes", .value = frozen });
}

const char *events_since(const run_events *e, size_t length)
{
    if (e->epoch.length == length) return "";
    return e->epoch.s + length + (length ? strlen("; ") : 0);
}

strata_status events_gather(run_events *e, uint64_t first, uint64_t step)
{
    strata_status status = STRATA_OK;
    e->again = true;
    for (; status == STRATA_OK && first < step; first++) status = events_record(e, first);
    e->again = false;
    return status;
}

/* ---- What is observed -------------------------------------------------------------------------- */

static strata_status freeze_done(strata_trainer *t)
{
    const uint32_t n = trainer_model(t)->n_groups;
    if (!strata_rates_may_end(t->rates)) return STRATA_OK;
    double *rms = calloc(n, sizeof *rms);
    uint64_t *parameters = calloc(n, sizeof *parameters);
    strata_status status = rms && parameters ? rate_list_sizes(rms, parameters, t)
                                             : strata_fail(STRATA_NO_MEMORY, "no memory for the rates");
    for (uint32_t g = 0; status == STRATA_OK && g < n; g++)
        if (strata_rates_is_done(t->rates, t->step, g, rms[g]))
            status = strata_rates_observe(t->rates, &(rates_event) { t->step, RATES_FREEZE, g, rms[g] });
    free(rms);
    free(parameters);
    return status;
}

strata_status events_epoch(run_events *e, const double metric[RATES_METRICS])
{
    strata_rates *rates = e->trainer->rates;
    const uint32_t watched = strata_rates_watch(rates);
    for (uint32_t i = 0; i < RATES_METRICS; i++) {
        if (!(watched >> i & 1)) continue;
        const rates_event seen = { e->trainer->step, RATES_METRIC, i, metric[i] };
        STRATA_TRY(strata_rates_observe(rates, &seen));
    }
    return freeze_done(e->trainer);
}

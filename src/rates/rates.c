#include "rates/rates.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rates/bleed.h"
#include "rates/bound.h"
#include "rates/freeze.h"
#include "rates/spread.h"
#include "rates/table.h"

struct strata_rates {
    uint32_t n_groups, n_timelines;
    uint64_t steps;
    double momentum;
    double *peak;          /* [n_groups] the run's spread, for phases without one */
    double *most;          /* [n_groups] what the spreads of all phases give at most */
    uint64_t *until;       /* [n_groups] frozen before this step */
    timeline *timelines;   /* [n_timelines] */
    uint32_t *timeline_of; /* [n_groups] */
    rates_table table;     /* instead of all these; n 0: none */
    bleed bleed;
    double budget; /* multiplies every rate */
    rates_log log;
    strata_rates_rule *rule;
    void *rule_context;
};

enum { SCHEDULE_TEXT = 2048, LR_TEXT = 8192 };

/* The texts of a run with presets written out; which of them nobody gave like that. */
typedef struct texts {
    char lr[LR_TEXT], schedule[SCHEDULE_TEXT];
    const char *freeze_until;
    bool own_lr, own_schedule, own_freeze;
} texts;

/* ---- Opening -------------------------------------------------------------------------------- */

/* ULMFiT: the slanted triangle over the whole run, each group a 2.6th of the one behind it, and one group
 * more per epoch from the output side. What is given instead stays. */
static strata_status write_out(texts *out, const strata_rates_config *config)
{
    static const char name[] = "ulmfit";
    const size_t n = strlen(name);
    const char *lr = config->lr, *curve = config->schedule;
    const bool ulmfit = strncmp(curve, name, n) == 0 && (!curve[n] || curve[n] == ',');
    const bool plain = !lr[strcspn(lr, ",:/@=")];
    out->freeze_until = config->freeze_until ? config->freeze_until : "";
    out->own_schedule = ulmfit;
    out->own_lr = ulmfit && plain;
    out->own_freeze = ulmfit && !*out->freeze_until && config->n_groups > 1;
    if (out->own_freeze) out->freeze_until = "gradual";
    const int lr_length = snprintf(out->lr, sizeof out->lr, "%s%s", lr, out->own_lr ? "@decay=1/2.6" : "");
    const int length = snprintf(out->schedule, sizeof out->schedule, "%s%s",
                                ulmfit ? "slanted-triangular" : "", curve + (ulmfit ? n : 0));
    if (lr_length >= LR_TEXT || length >= SCHEDULE_TEXT)
        return strata_fail(STRATA_BAD_ARG,
                           "--lr takes at most %d characters and --schedule %d, got %d and %d", LR_TEXT - 1,
                           SCHEDULE_TEXT - 1, lr_length, length);
    return STRATA_OK;
}

enum { NONE = UINT32_MAX };

/* Give a timeline to the groups its part names; the rest where it names none. */
static strata_status assign(strata_rates *r, uint32_t which, const char *name, const timeline_run *run)
{
    const bool rest = strcmp(name, "*") == 0;
    uint32_t found = 0;
    for (uint32_t g = 0; g < r->n_groups; g++) {
        if (rest ? r->timeline_of[g] != NONE : !run->group || !rates_holds(name, run->group[g])) continue;
        if (r->timeline_of[g] != NONE)
            return strata_fail(STRATA_BAD_ARG, "--schedule gives the group '%s' two schedules",
                               run->group[g]);
        r->timeline_of[g] = which;
        found++;
    }
    return found || rest ? STRATA_OK : rates_unknown("--schedule", "group", name, run->group, run->n_groups);
}

/* One part, "GROUP=PHASES" or "PHASES". The part for the rest is kept for last. */
static strata_status add_part(strata_rates *r, char *part, const timeline_run *run, uint32_t *rest)
{
    char whole[SCHEDULE_TEXT];
    const char *name = "*";
    for (size_t n = strlen(part); n && part[n - 1] == ' ';) part[--n] = '\0';
    const size_t n = strcspn(part, "=,: ");
    if (part[n] == '=') {
        name = part;
        part[n] = '\0';
        part += n + 1;
    }
    STRATA_TRY(timeline_preset(whole, sizeof whole, part, r->peak[r->n_groups - 1]));
    for (uint32_t g = 0; *whole && g < r->n_groups; g++)
        if (r->peak[g] != r->peak[0])
            return strata_fail(STRATA_BAD_ARG, "--schedule: fine-tune divides --lr among the groups itself: "
                                               "one rate, and no spread");
    const uint32_t which = r->n_timelines++;
    strata_status status = timeline_parse(&r->timelines[which], *whole ? whole : part, run);
    const rates_text given = { "--schedule", part, part, run->group, run->n_groups };
    if (status == STRATA_BAD_ARG && *whole) return rates_placed(&given, status);
    STRATA_TRY(status);
    if (strcmp(name, "*") != 0) return assign(r, which, name, run);
    if (*rest != NONE)
        return strata_fail(STRATA_BAD_ARG, "--schedule has two schedules for all other groups");
    *rest = which;
    return STRATA_OK;
}

static strata_status open_timelines(strata_rates *r, const char *text, const timeline_run *run)
{
    char copy[SCHEDULE_TEXT], list[RATES_LIST];
    uint32_t parts = 1, rest = NONE;
    snprintf(copy, sizeof copy, "%s", text);
    for (const char *c = text; *c; c++) parts += *c == ';';
    r->timelines = calloc(parts, sizeof *r->timelines);
    if (!r->timelines) return strata_fail(STRATA_NO_MEMORY, "no memory for %u schedules", (unsigned)parts);
    for (uint32_t g = 0; g < r->n_groups; g++) r->timeline_of[g] = NONE;
    for (char *part = copy, *next; part; part = next) {
        part += strspn(part, " ");
        next = strchr(part, ';');
        if (next) *next++ = '\0';
        strata_status status = add_part(r, part, run, &rest);
        const rates_text at = { "--schedule", text, text + (part - copy), run->group, run->n_groups };
        if (status == STRATA_BAD_ARG && !strstr(strata_message(), "', character "))
            return rates_placed(&at, status);
        STRATA_TRY(status);
    }
    if (rest != NONE) STRATA_TRY(assign(r, rest, "*", run));
    for (uint32_t g = 0; g < r->n_groups; g++)
        if (r->timeline_of[g] == NONE)
            return strata_fail(STRATA_BAD_ARG,
                               "--schedule '%s' gives the group '%s' none; a part without a group is "
                               "for all that are not named; the groups are: %s",
                               text, run->group[g], rates_list(list, run->group, run->n_groups));
    return STRATA_OK;
}

/* Log space cannot reach 0. */
static strata_status check_spread(const strata_rates *r, const double *peak, const rates_text *at)
{
    for (uint32_t g = 0; !r->bleed.linear && g < r->n_groups; g++)
        if (!(peak[g] > 0))
            return rates_placed(at, strata_fail(STRATA_BAD_ARG,
                                                "log space wants every group's rate above 0, and that of "
                                                "group %u (%s) is 0: take space=linear",
                                                (unsigned)g, at->group ? at->group[g] : "no name"));
    return STRATA_OK;
}

static strata_status check_blend(const strata_rates *r, const rates_text *at)
{
    if (r->table.n)
        return rates_placed(at, strata_fail(STRATA_BAD_ARG, "wants rates from --lr: a file has them all, "
                                                            "blended or not"));
    if (r->bleed.measured && r->bleed.budget != BLEED_NO_BUDGET)
        return rates_placed(at,
                            strata_fail(STRATA_BAD_ARG, "start=measured has no budget= to match: when its "
                                                        "windows open is not known before the run"));
    STRATA_TRY(check_spread(r, r->peak, at));
    for (uint32_t i = 0; i < r->n_timelines; i++)
        for (uint32_t k = 0; k < r->timelines[i].n; k++)
            if (r->timelines[i].phase[k].peak) STRATA_TRY(check_spread(r, r->timelines[i].phase[k].peak, at));
    return STRATA_OK;
}

static strata_status open_bleed(strata_rates *r, const strata_rates_config *config)
{
    char list[RATES_LIST];
    const char *text = config->bleed ? config->bleed : "";
    const rates_text at = { "--bleed", text, text, config->group_name, config->n_groups };
    const strata_status status = bleed_parse(&r->bleed, text);
    if (status == STRATA_BAD_ARG && config->group_name)
        return strata_fail(status, "%s; the groups are: %s", strata_message(),
                           rates_list(list, config->group_name, config->n_groups));
    STRATA_TRY(status);
    if (!r->bleed.on) return STRATA_OK;
    STRATA_TRY(check_blend(r, &at));
    const timeline *head = &r->timelines[r->timeline_of[r->n_groups - 1]];
    if (r->bleed.p0 < 0) r->bleed.p0 = head->n == 1 ? schedule_value(&head->phase[0].use, "pct", 0.25) : 0.25;
    if (r->bleed.p1 < r->bleed.p0) r->bleed.p1 = r->bleed.p0;
    return STRATA_OK;
}

/* Scale all rates so that their sum over steps and parameters, or the last group's, is that of one rate. */
static strata_status match_budget(strata_rates *r, const strata_rates_config *config)
{
    enum { MOST_STEPS = 1 << 22 };
    const double *group_parameters = config->group_parameters;
    double wanted = 0, has = 0, most = 0;
    if (!r->bleed.on || r->bleed.budget == BLEED_NO_BUDGET) return STRATA_OK;
    if (r->steps > MOST_STEPS)
        return strata_fail(STRATA_BAD_ARG, "--bleed budget= wants at most %d steps, got %llu", MOST_STEPS,
                           (unsigned long long)r->steps);
    strata_group_rate *now = calloc(r->n_groups, sizeof *now);
    if (!now) return strata_fail(STRATA_NO_MEMORY, "no memory for rates");
    for (uint64_t i = 0; i < r->steps; i++) {
        strata_rates_look(r, i, now, NULL);
        for (uint32_t g = r->bleed.budget == BLEED_TOTAL ? 0 : r->n_groups - 1; g < r->n_groups; g++) {
            const double n = group_parameters ? group_parameters[g] : 1;
            has += n * now[g].lr;
            if (!now[g].frozen) wanted += n * now[g].uniform;
        }
        for (uint32_t g = 0; g < r->n_groups; g++) most = fmax(most, fmax(now[g].thawed, now[g].uniform));
    }
    free(now);
    if (has > 0) r->budget = wanted / has;
    if (!(r->budget * most <= FLT_MAX))
        return strata_fail(STRATA_BAD_ARG,
                           "--bleed '%s': its budget makes the largest rate %g: wanted at most %g",
                           config->bleed, r->budget * most, FLT_MAX);
    return STRATA_OK;
}

static strata_status open_table(strata_rates *r, const char *path, const strata_rates_config *config)
{
    const rates_text at = { "--schedule", config->schedule, path, NULL, 0 };
    if (!*path) return rates_wrong(&at, "a file's name");
    STRATA_TRY(rates_table_read(&r->table, path, config->group_name, r->n_groups));
    for (uint32_t g = 0; g < r->n_groups; g++) {
        for (uint32_t i = 0; i < r->table.n; i++)
            r->most[g] = fmax(r->most[g], r->table.value[(size_t)i * (r->n_groups + 1) + g]);
    }
    return STRATA_OK;
}

static double phase_peak(const strata_rates *r, const timeline_phase *p, uint32_t group)
{
    return group < p->freeze_to ? 0 : p->scale * (p->peak ? p->peak : r->peak)[group];
}

static void find_most(strata_rates *r)
{
    for (uint32_t g = 0; g < r->n_groups && r->n_timelines; g++) {
        const timeline *t = &r->timelines[r->timeline_of[g]];
        for (uint32_t k = 0; k < t->n; k++) r->most[g] = fmax(r->most[g], phase_peak(r, &t->phase[k], g));
    }
}

/* A message about a text that a preset made says which was given. */
static strata_status of_preset(strata_status status, bool own, const strata_rates_config *config)
{
    const rates_text given = { "--schedule", config->schedule, config->schedule, config->group_name,
                               config->n_groups };
    return status == STRATA_BAD_ARG && own ? rates_placed(&given, status) : status;
}

static strata_status open_all(strata_rates *r, const strata_rates_config *config)
{
    static const char csv[] = "csv:";
    const timeline_run run = { config->steps, config->steps_per_epoch, config->group_name, config->n_groups };
    texts text;
    STRATA_TRY(write_out(&text, config));
    if (strncmp(text.schedule, csv, sizeof csv - 1) == 0) {
        STRATA_TRY(open_table(r, config->schedule + sizeof csv - 1, config));
    } else {
        STRATA_TRY(
            of_preset(spread_parse(r->peak, r->n_groups, config->group_name, text.lr), text.own_lr, config));
        STRATA_TRY(of_preset(open_timelines(r, text.schedule, &run), text.own_schedule, config));
    }
    STRATA_TRY(of_preset(freeze_parse(r->until, text.freeze_until, &run), text.own_freeze, config));
    find_most(r);
    STRATA_TRY(open_bleed(r, config));
    STRATA_TRY(rates_bound(r, config));
    return match_budget(r, config);
}

strata_status strata_rates_open(strata_rates **out, const strata_rates_config *config)
{
    const uint32_t n = config->n_groups;
    *out = NULL;
    if (!n || !config->steps)
        return strata_fail(STRATA_BAD_ARG, "rates want at least one group and one step, got %u and %llu",
                           (unsigned)n, (unsigned long long)config->steps);
    strata_rates *r = calloc(1, sizeof *r);
    if (!r) return strata_fail(STRATA_NO_MEMORY, "no memory for the rates of %u groups", (unsigned)n);
    *r = (strata_rates) { .n_groups = n,
                          .steps = config->steps,
                          .momentum = config->momentum,
                          .budget = 1,
                          .rule = config->rule,
                          .rule_context = config->rule_context };
    r->peak = calloc(n, sizeof *r->peak);
    r->most = calloc(n, sizeof *r->most);
    r->until = calloc(n, sizeof *r->until);
    r->timeline_of = calloc(n, sizeof *r->timeline_of);
    strata_status status = r->peak && r->most && r->until && r->timeline_of
                               ? open_all(r, config)
                               : strata_fail(STRATA_NO_MEMORY, "no memory for the rates of %u groups",
                                             (unsigned)n);
    if (status == STRATA_OK)
        *out = r;
    else
        strata_rates_close(r);
    return status;
}

void strata_rates_close(strata_rates *r)
{
    if (!r) return;
    for (uint32_t i = 0; i < r->n_timelines; i++) timeline_free(&r->timelines[i]);
    rates_table_free(&r->table);
    free(r->timelines);
    free(r->timeline_of);
    free(r->peak);
    free(r->most);
    free(r->until);
    free(r->log.event);
    free(r);
}

/* ---- At a step ------------------------------------------------------------------------------ */

static double mean_log(const strata_rates *r, const double *peak, double uniform)
{
    double sum = 0;
    if (r->bleed.anchor != BLEED_MEAN) return 0;
    for (uint32_t g = 0; g < r->n_groups; g++) sum += log(peak[g] / uniform);
    return sum / r->n_groups;
}

static bool frozen_by_log(const strata_rates *r, uint64_t step, uint32_t group)
{
    for (uint32_t i = 0; i < r->log.n && r->log.event[i].step <= step; i++)
        if (r->log.event[i].kind == RATES_FREEZE && r->log.event[i].group == group) return true;
    return false;
}

/* What the group's rate is at the curve's 1. Both ends of a blend are exact: the same products as without
 * one. */
static double largest(const strata_rates *r, const double *peak, uint32_t group, double uniform, double beta)
{
    if (!r->bleed.on || (beta == 1 && r->bleed.anchor != BLEED_MEAN)) return peak[group];
    if (beta == 0) return uniform;
    const double m = uniform > 0 ? peak[group] / uniform : 0;
    const double rate = uniform * bleed_blend(&r->bleed, m, beta, mean_log(r, peak, uniform));
    /* Dividing by a mean raises the output's rate above what was asked for, by powers of ten. */
    return r->bleed.anchor == BLEED_MEAN ? fmin(rate, uniform) : rate;
}

static double budgeted(const strata_rates *r, double rate)
{
    return r->budget == 1 ? rate : r->budget * rate;
}

static strata_group_rate by_recipe(const strata_rates *r, uint64_t step, uint32_t group, double *momentum)
{
    const timeline_phase *p = timeline_at(&r->timelines[r->timeline_of[group]], step);
    const schedule_point point = timeline_point(p, step, group, r->n_groups, &r->log);
    const double *peak = p->peak ? p->peak : r->peak;
    strata_group_rate out = { .beta = 1 };
    if (r->bleed.on) out.beta = bleed_beta(&r->bleed, group, r->n_groups, step, r->steps, &r->log);
    const double uniform = bleed_uniform(&r->bleed, peak, r->n_groups),
                 rate = largest(r, peak, group, uniform, out.beta);
    out.uniform = budgeted(r, point.scale * uniform);
    out.frozen = point.frozen || group < p->freeze_to || rate == 0;
    out.lr = budgeted(r, point.scale * rate);
    if (!isnan(point.momentum)) *momentum = point.momentum;
    return out;
}

static strata_group_rate by_table(const strata_rates *r, uint64_t step, uint32_t group, double *momentum)
{
    const double *row = rates_table_at(&r->table, step);
    if (r->table.momentum) *momentum = row[r->n_groups];
    return (strata_group_rate) { .lr = fabs(row[group]),
                                 .beta = 1,
                                 .frozen = row[group] == 0 && !signbit(row[group]) };
}

static strata_group_rate look(const strata_rates *r, uint64_t step, uint32_t group, double *momentum)
{
    double now = r->momentum;
    strata_group_rate out = (r->table.n ? by_table : by_recipe)(r, step, group, &now);
    if (r->rule) out.lr = r->rule(r->rule_context, step, group, out.lr, &now);
    out.frozen = out.frozen || step < r->until[group] || frozen_by_log(r, step, group);
    out.thawed = out.lr;
    if (out.frozen) out.lr = 0;
    *momentum = r->momentum > 0 ? now : 0; /* an optimizer without momentum has none to be cycled */
    return out;
}

/* The one rate for all groups of a step whose rates come from a file or a rule, which know no multipliers: as
 * bleed_uniform chooses it of a spread. */
static double uniform_of(const strata_rates *r, const strata_group_rate *now)
{
    double largest = 0;
    for (uint32_t g = 0; g < r->n_groups; g++) largest = fmax(largest, now[g].thawed);
    const double last = now[r->n_groups - 1].thawed;
    return r->bleed.anchor == BLEED_LARGEST || !(last > 0) ? largest : last;
}

void strata_rates_look(const strata_rates *r, uint64_t step, strata_group_rate *out, double *momentum)
{
    double now = 0; /* of the last group: all groups have one momentum */
    for (uint32_t g = 0; g < r->n_groups; g++) out[g] = look(r, step, g, &now);
    const double uniform = r->rule || r->table.n ? uniform_of(r, out) : 0;
    for (uint32_t g = 0; g < r->n_groups; g++) {
        if (r->rule || r->table.n) out[g].uniform = uniform;
        out[g].norm = r->bleed.on && !r->bleed.norm ? out[g].uniform : out[g].thawed;
    }
    if (momentum) *momentum = now;
}

void strata_rates_at(const strata_rates *r, uint64_t step, double *lr, double *momentum)
{
    double now = 0;
    for (uint32_t g = 0; g < r->n_groups; g++) lr[g] = look(r, step, g, &now).lr;
    if (momentum) *momentum = now;
}

/* Runs of more steps than anybody trains are looked at in as many places. */
strata_status strata_rates_sum(const strata_rates *r, rates_sum *sum)
{
    const uint64_t most = 1 << 22, stride = (r->steps + most - 1) / most;
    strata_group_rate *now = calloc(r->n_groups, sizeof *now);
    if (!now) return strata_fail(STRATA_NO_MEMORY, "no memory for rates");
    memset(sum, 0, r->n_groups * sizeof *sum);
    for (uint64_t i = 0; i < r->steps; i += stride) {
        const uint64_t n = r->steps - i < stride ? r->steps - i : stride;
        strata_rates_look(r, i + n / 2, now, NULL);
        for (uint32_t g = 0; g < r->n_groups; g++) {
            sum[g].mass += (double)n * now[g].lr;
            if (now[g].uniform > 0) sum[g].share += (double)n * now[g].lr / now[g].uniform;
            if (now[g].frozen) sum[g].still += n;
        }
    }
    free(now);
    return STRATA_OK;
}

const double *strata_rates_peak(const strata_rates *r) { return r->most; }

bool strata_rates_phase(const strata_rates *r, uint32_t number, rates_phase *out, double *peak)
{
    uint32_t i = 0;
    while (i < r->n_timelines && number >= r->timelines[i].n) number -= r->timelines[i++].n;
    if (i == r->n_timelines) return false;
    const timeline_phase *p = &r->timelines[i].phase[number];
    *out = (rates_phase) { p->first, p->steps, p->warmup, p->use.kind->name };
    for (uint32_t g = 0; g < r->n_groups; g++) peak[g] = r->timeline_of[g] == i ? phase_peak(r, p, g) : NAN;
    return true;
}

strata_status strata_rates_observe(strata_rates *r, const rates_event *event)
{
    rates_log *log = &r->log;
    const uint32_t most = event->kind == RATES_METRIC ? RATES_METRICS : r->n_groups;
    if (event->group >= most)
        return strata_fail(STRATA_BAD_ARG, "an event wants a %s below %u, got %u",
                           event->kind == RATES_METRIC ? "metric" : "group", (unsigned)most,
                           (unsigned)event->group);
    if (log->n && event->step < log->event[log->n - 1].step)
        return strata_fail(STRATA_BAD_ARG, "events come in order: step %llu after step %llu",
                           (unsigned long long)event->step, (unsigned long long)log->event[log->n - 1].step);
    if (log->n == log->room) {
        const uint32_t room = log->room ? 2 * log->room : 64;
        rates_event *more = realloc(log->event, room * sizeof *more);
        if (!more)
            return strata_fail(STRATA_NO_MEMORY, "no memory for the %u events of a run", (unsigned)room);
        log->event = more;
        log->room = room;
    }
    log->event[log->n++] = *event;
    return STRATA_OK;
}

uint32_t strata_rates_watch(const strata_rates *r)
{
    uint32_t metrics = 0;
    for (uint32_t i = 0; i < r->n_timelines; i++)
        for (uint32_t k = 0; k < r->timelines[i].n; k++)
            metrics |= schedule_watches(&r->timelines[i].phase[k].use);
    return metrics;
}

double strata_rates_reduced(const strata_rates *r, uint64_t step, uint32_t group)
{
    if (r->table.n) return 1;
    const timeline_phase *p = timeline_at(&r->timelines[r->timeline_of[group]], step);
    if (!schedule_watches(&p->use)) return 1;
    const schedule_place where = { .steps = p->steps,
                                   .group = group,
                                   .n_groups = r->n_groups,
                                   .log = &r->log,
                                   .first = p->first,
                                   .now = step };
    return schedule_at(&p->use, &where).scale;
}

double strata_rates_of(const strata_rates *r, uint64_t step, uint32_t group)
{
    double momentum;
    return look(r, step, group, &momentum).lr;
}

bool strata_rates_frozen(const strata_rates *r, uint64_t step, uint32_t group)
{
    double momentum;
    return look(r, step, group, &momentum).frozen;
}

bool strata_rates_may_end(const strata_rates *r) { return r->bleed.on && r->bleed.freeze > 0; }

bool strata_rates_is_done(const strata_rates *r, uint64_t step, uint32_t group, double rms)
{
    double momentum;
    if (!strata_rates_may_end(r) || step >= r->steps || !(rms > 0)) return false;
    const strata_group_rate now = look(r, step, group, &momentum);
    return !now.frozen && now.beta > 0 && bleed_is_done(&r->bleed, now.lr, r->steps - step, rms);
}

uint64_t strata_rates_measure_every(const strata_rates *r)
{
    return r->bleed.on && r->bleed.measured ? bleed_every(&r->bleed, r->steps) : 0;
}

bool strata_rates_measures(const strata_rates *r, uint64_t since, uint64_t step, uint32_t group)
{
    double momentum;
    for (uint32_t i = 0; i < r->log.n; i++)
        if (r->log.event[i].kind == RATES_TRIGGER && r->log.event[i].group == group) return false;
    return step > since && !look(r, since, group, &momentum).frozen &&
           !look(r, step - 1, group, &momentum).frozen;
}

strata_status strata_rates_measured(strata_rates *r, uint64_t step, uint32_t group, double change)
{
    double last[BLEED_TIMES];
    uint32_t n = 0;
    STRATA_TRY(strata_rates_observe(r, &(rates_event) { step, RATES_CHANGE, group, change }));
    for (uint32_t i = r->log.n; i-- > 0 && n < BLEED_TIMES;)
        if (r->log.event[i].kind == RATES_CHANGE && r->log.event[i].group == group)
            last[BLEED_TIMES - ++n] = r->log.event[i].value;
    if (!bleed_has_settled(&r->bleed, last + BLEED_TIMES - n, n) ||
        (double)step < r->bleed.p0 * (double)r->steps)
        return STRATA_OK;
    return strata_rates_observe(r, &(rates_event) { step, RATES_TRIGGER, group, change });
}

void strata_rates_set_rule(strata_rates *r, strata_rates_rule *rule, void *context)
{
    r->rule = rule;
    r->rule_context = context;
}

const rates_log *strata_rates_observed(const strata_rates *r) { return &r->log; }

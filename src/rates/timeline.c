#include "rates/timeline.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/items.h"
#include "rates/spread.h"

#define OPTION "--schedule"

static const char *const phase_keys[] = { "for", "warmup", "warmup-from", "scale", "lr", "freeze", NULL };
enum { FOR, WARMUP, WARMUP_FROM, SCALE, LR, FREEZE, PHASE_KEYS };

void timeline_free(timeline *t)
{
    for (uint32_t i = 0; i < t->n; i++) free(t->phase[i].peak);
    free(t->phase);
    *t = (timeline) { 0 };
}

/* ---- From text ------------------------------------------------------------------------------ */

/* A phase before it has its place: lengths may be shares. */
typedef struct draft {
    timeline_phase *phase;
    double length, warmup; /* length 0: the rest */
} draft;

static strata_status number(double *out, const char *key, const char *value, double low, double high)
{
    rates_text t = { .option = OPTION, .s = value, .at = value };
    if (rates_fraction(&t, out, low, high) && !*t.at) return STRATA_OK;
    return strata_fail(STRATA_BAD_ARG, OPTION ": %s wants a number in [%g, %g], got '%.64s'", key, low, high,
                       value);
}

static strata_status set_freeze(timeline_phase *p, const char *value, uint32_t n_groups)
{
    double k;
    STRATA_TRY(number(&k, "freeze", value, -(double)n_groups, n_groups));
    if (floor(k) != k)
        return strata_fail(STRATA_BAD_ARG, OPTION ": freeze wants a whole number of groups, got '%s'", value);
    p->freeze_to = (uint32_t)(k < 0 ? n_groups + k : k);
    return STRATA_OK;
}

static strata_status set_peak(timeline_phase *p, const char *spec, const timeline_run *run)
{
    free(p->peak);
    p->peak = calloc(run->n_groups, sizeof *p->peak);
    if (!p->peak) return strata_fail(STRATA_NO_MEMORY, "no memory for the rates of a phase");
    return spread_parse(p->peak, run->n_groups, run->group, spec);
}

static strata_status set_key(draft *d, uint32_t key, const char *value, const timeline_run *run)
{
    const char *name = phase_keys[key];
    switch (key) {
    case FOR:
        STRATA_TRY(schedule_length(&d->length, name, value, run->steps_per_epoch));
        if (d->length == 0)
            return strata_fail(STRATA_BAD_ARG, OPTION ": for wants a length above 0, got '%s'", value);
        return STRATA_OK;
    case WARMUP: return schedule_length(&d->warmup, name, value, run->steps_per_epoch);
    case WARMUP_FROM: return number(&d->phase->warmup_from, name, value, 0, 1);
    case SCALE: return number(&d->phase->scale, name, value, 0, 1e6);
    case LR: return set_peak(d->phase, value, run);
    default: return set_freeze(d->phase, value, run->n_groups);
    }
}

/* *at: the key that is there twice. */
static strata_status once(const char *keys, const char **at)
{
    size_t n;
    const char *twice = strata_item_twice(keys, &n);
    if (!twice) return STRATA_OK;
    *at = twice;
    return strata_fail(STRATA_BAD_ARG, OPTION ": the key '%.*s' is there twice", (int)n, twice);
}

/* `at` follows what is read, for the message of a failure. */
static strata_status parse_phase(draft *d, char *text, const timeline_run *run, const char **at)
{
    char *rest = strchr(text, ',');
    *at = text;
    if (rest) *rest++ = '\0';
    d->phase->scale = 1;
    STRATA_TRY(schedule_find(&d->phase->use, text));
    if (rest) STRATA_TRY(once(rest, at));
    while (rest) {
        *at = rest;
        char *key = rest, *value = strchr(key, '=');
        rest = strchr(key, ',');
        if (rest) *rest++ = '\0';
        if (!value || (rest && value > rest))
            return strata_fail(STRATA_BAD_ARG, OPTION " wants key=value, got '%s'", key);
        *value++ = '\0';
        uint32_t i = 0;
        while (i < PHASE_KEYS && strcmp(phase_keys[i], key) != 0) i++;
        if (i < PHASE_KEYS || schedule_has(&d->phase->use, key)) *at = value;
        if (i < PHASE_KEYS)
            STRATA_TRY(set_key(d, i, value, run));
        else
            STRATA_TRY(schedule_set(&d->phase->use, key, value, run->steps_per_epoch, phase_keys));
    }
    return STRATA_OK;
}

/* Give each phase its place. One without a length takes what the others leave. */
static strata_status place(draft *d, uint32_t n, const timeline_run *run)
{
    double sum = 0, total = (double)run->steps;
    uint32_t open = n;
    for (uint32_t i = 0; i < n; i++) {
        if (d[i].length == 0 && open < n)
            return strata_fail(STRATA_BAD_ARG,
                               OPTION ": phases %u and %u both have no length: give one of them "
                                      "for=STEPS, 2ep or 30%%",
                               (unsigned)open + 1, (unsigned)i + 1);
        if (d[i].length == 0) open = i;
        d[i].length = schedule_steps(d[i].length, run->steps);
        sum += d[i].length;
    }
    if (sum > total || (open < n && sum >= total))
        return strata_fail(STRATA_BAD_ARG, OPTION ": the phases want %.0f %s%s, the run has %.0f", sum,
                           sum == 1 ? "step" : "steps", open < n ? " and one more" : "", total);
    double first = 0;
    for (uint32_t i = 0; i < n; i++) {
        timeline_phase *p = d[i].phase;
        const double length = i == open ? total - sum : d[i].length,
                     warmup = schedule_steps(d[i].warmup, run->steps);
        if (length < 1 || warmup >= length)
            return strata_fail(STRATA_BAD_ARG,
                               OPTION
                               ": phase %u has %.0f %s, its warm-up %.0f: the curve wants at least one",
                               (unsigned)i + 1, length, length == 1 ? "step" : "steps", warmup);
        p->first = (uint64_t)first;
        p->steps = (uint64_t)length;
        p->warmup = (uint64_t)warmup;
        first += length;
    }
    return STRATA_OK;
}

strata_status timeline_parse(timeline *out, const char *text, const timeline_run *run)
{
    enum { MOST = 32 };
    static const char then[] = " then ";
    char copy[2048], *at = copy;
    draft drafts[MOST] = { 0 };
    *out = (timeline) { 0 };
    if (strlen(text) >= sizeof copy)
        return strata_fail(STRATA_BAD_ARG, OPTION " wants at most %zu characters, got %zu", sizeof copy - 1,
                           strlen(text));
    memcpy(copy, text, strlen(text) + 1);
    out->phase = calloc(MOST, sizeof *out->phase);
    if (!out->phase) return strata_fail(STRATA_NO_MEMORY, "no memory for a schedule's phases");
    while (at) {
        char *next = strstr(at, then);
        if (next) {
            *next = '\0';
            next += sizeof then - 1;
        }
        if (out->n == MOST) return strata_fail(STRATA_BAD_ARG, OPTION " wants at most %d phases", MOST);
        drafts[out->n].phase = &out->phase[out->n];
        const char *here = at;
        strata_status status = parse_phase(&drafts[out->n++], at, run, &here);
        const rates_text place_of = { OPTION, text, text + (here - copy), run->group, run->n_groups };
        if (status == STRATA_BAD_ARG) status = rates_placed(&place_of, status);
        if (status != STRATA_OK) return status;
        at = next;
    }
    return place(drafts, out->n, run);
}

/* ---- At a step ------------------------------------------------------------------------------ */

const timeline_phase *timeline_at(const timeline *t, uint64_t step)
{
    uint32_t i = 0;
    while (i + 1 < t->n && step >= t->phase[i + 1].first) i++;
    return &t->phase[i];
}

schedule_point timeline_point(const timeline_phase *p, uint64_t step, uint32_t group, uint32_t n_groups,
                              const rates_log *log)
{
    const uint64_t local = step - p->first, curve = p->steps - p->warmup;
    schedule_place where = { .step = local < p->warmup ? 0 : local - p->warmup,
                             .steps = curve,
                             .group = group,
                             .n_groups = n_groups,
                             .log = log,
                             .first = p->first,
                             .now = step };
    schedule_point point = schedule_at(&p->use, &where);
    if (local < p->warmup)
        point.scale *= p->warmup_from + (1 - p->warmup_from) * (double)local / (double)p->warmup;
    point.scale *= p->scale;
    return point;
}

/* ---- Presets ---------------------------------------------------------------------------------- */

enum { FREEZE_EPOCHS, LR_MULT, PRESET_PCT, PRESET_DIV, PRESET_KEYS };

static strata_status preset_key(double *value, char *word)
{
    static const char *const keys[] = { "freeze-epochs", "lr-mult", "pct", "div" };
    static const double low[] = { 1e-6, 1e-6, 0, 1e-6 }, high[] = { 1e6, 1e9, 1, 1e12 };
    char *equal = strchr(word, '=');
    if (!equal) return strata_fail(STRATA_BAD_ARG, OPTION " wants key=value, got '%s'", word);
    *equal = '\0';
    for (uint32_t i = 0; i < PRESET_KEYS; i++)
        if (strcmp(word, keys[i]) == 0) return number(&value[i], keys[i], equal + 1, low[i], high[i]);
    return rates_unknown(OPTION, "key", word, keys, PRESET_KEYS);
}

strata_status timeline_preset(char *out, size_t room, const char *text, double lr)
{
    static const char name[] = "fine-tune";
    char copy[256];
    double value[] = { [FREEZE_EPOCHS] = 1, [LR_MULT] = 100, [PRESET_PCT] = 0.3, [PRESET_DIV] = 5 };
    const size_t n = strlen(name);
    *out = '\0';
    if (strncmp(text, name, n) != 0 || (text[n] && text[n] != ',') || strlen(text) >= sizeof copy)
        return STRATA_OK;
    memcpy(copy, text, strlen(text) + 1);
    if (copy[n]) STRATA_TRY(once(copy + n + 1, &text));
    for (char *word = strchr(copy, ','), *next; word; word = next) {
        *word++ = '\0';
        next = strchr(word, ',');
        if (next) *next = '\0';
        STRATA_TRY(preset_key(value, word));
        if (next) *next = ',';
    }
    snprintf(out, room,
             "one-cycle,pct=0.99,lr=%.17g/10,freeze=-1,for=%.17gep then "
             "one-cycle,pct=%.17g,div=%.17g,lr=%.17g:%.17g",
             lr, value[FREEZE_EPOCHS], value[PRESET_PCT], value[PRESET_DIV], lr / 2 / value[LR_MULT], lr / 2);
    return STRATA_OK;
}

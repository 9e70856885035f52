#include "rates/bleed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define OPTION "--bleed"

/* ---- From text ------------------------------------------------------------------------------ */

static const char *const keys[] = { "p0",    "p1",    "max",          "power", "cascade",
                                    "ramp",  "space", "anchor",       "start", "settled",
                                    "every", "times", "freeze-below", "norm",  "budget" };
enum {
    P0,
    P1,
    MOST,
    POWER,
    CASCADE,
    RAMP,
    SPACE,
    ANCHOR,
    START,
    SETTLED,
    EVERY,
    TIMES,
    FREEZE,
    NORM,
    BUDGET,
    KEYS
};

static strata_status number(double *out, rates_text *t, double low, double high)
{
    if (rates_fraction(t, out, low, high)) return STRATA_OK;
    char wanted[64];
    snprintf(wanted, sizeof wanted, "a number in [%g, %g]", low, high);
    return rates_wrong(t, wanted);
}

static strata_status whole(double *out, rates_text *t, double low, double high)
{
    char wanted[64];
    const char *start = t->at;
    if (rates_number(t, out, low, high) && floor(*out) == *out) return STRATA_OK;
    t->at = start;
    snprintf(wanted, sizeof wanted, "a whole number in [%g, %g]", low, high);
    return rates_wrong(t, wanted);
}

static strata_status one_of(uint32_t *out, rates_text *t, const char *const *words, uint32_t n)
{
    char word[32], wanted[128] = "";
    const char *start = t->at;
    if (rates_word(t, word, sizeof word, ","))
        for (*out = 0; *out < n; ++*out)
            if (strcmp(words[*out], word) == 0) return STRATA_OK;
    t->at = start;
    for (uint32_t i = 0; i < n; i++) {
        strncat(wanted, i ? ", " : "one of ", sizeof wanted - strlen(wanted) - 1);
        strncat(wanted, words[i], sizeof wanted - strlen(wanted) - 1);
    }
    return rates_wrong(t, wanted);
}

static strata_status set_word(bleed *b, uint32_t key, rates_text *t)
{
    static const char *const ramps[] = { "cosine", "linear", "power", "smooth" };
    static const char *const spaces[] = { "log", "linear" };
    static const char *const anchors[] = { "head", "largest", "mean" };
    static const char *const starts[] = { "window", "measured" };
    static const char *const norms[] = { "uniform", "follow" };
    static const char *const budgets[] = { "none", "total", "head" };
    uint32_t word;
    switch (key) {
    case RAMP:
        STRATA_TRY(one_of(&word, t, ramps, 4));
        b->ramp = (bleed_ramp)word;
        break;
    case SPACE:
        STRATA_TRY(one_of(&word, t, spaces, 2));
        b->linear = word;
        break;
    case ANCHOR:
        STRATA_TRY(one_of(&word, t, anchors, 3));
        b->anchor = (bleed_anchor)word;
        break;
    case START:
        STRATA_TRY(one_of(&word, t, starts, 2));
        b->measured = word;
        break;
    case NORM:
        STRATA_TRY(one_of(&word, t, norms, 2));
        b->norm = word;
        break;
    default:
        STRATA_TRY(one_of(&word, t, budgets, 3));
        b->budget = (bleed_budget)word;
        break;
    }
    return STRATA_OK;
}

static strata_status set(bleed *b, rates_text *t)
{
    char key[32];
    uint32_t i = 0;
    const char *start = t->at;
    if (!rates_word(t, key, sizeof key, "=,")) return rates_wrong(t, "a key");
    while (i < KEYS && strcmp(keys[i], key) != 0) i++;
    if (i == KEYS) return rates_unknown_at(t, start, "key", key, keys, KEYS);
    if (!rates_take(t, '=')) return rates_wrong(t, "'='");
    switch (i) {
    case P0: return number(&b->p0, t, 0, 1);
    case P1: return number(&b->p1, t, 0, 1);
    case MOST: return number(&b->most, t, 0, 1);
    case POWER: return number(&b->power, t, 1e-3, 1e3);
    case CASCADE: return number(&b->cascade, t, 1e-6, 1);
    case SETTLED: return number(&b->settled, t, 1e-12, 1);
    case EVERY: return number(&b->every, t, 1e-6, 1);
    case TIMES: return whole(&b->times, t, 1, BLEED_TIMES);
    case FREEZE: return number(&b->freeze, t, 0, 1);
    default: return set_word(b, i, t);
    }
}

strata_status bleed_parse(bleed *out, const char *text)
{
    rates_text t = { .option = OPTION, .s = text, .at = text };
    char word[8];
    *out = (bleed) { .p0 = -1,
                     .p1 = 0.8,
                     .most = 1,
                     .power = 2,
                     .cascade = 1,
                     .settled = 1e-3,
                     .every = 0.02,
                     .times = 3,
                     .norm = true };
    if (!*text) return STRATA_OK;
    const bool read = rates_word(&t, word, sizeof word, ",");
    out->on = true;
    out->out = read && strcmp(word, "out") == 0;
    if (!read || (!out->out && strcmp(word, "in") != 0)) {
        t.at = text;
        return rates_wrong(&t, "in or out");
    }
    if (*t.at) STRATA_TRY(rates_keys_once(&t, t.at + 1));
    const char *window = t.at; /* the end of it that was given last */
    bool ends = false;
    while (rates_take(&t, ',')) {
        if (strncmp(t.at, "p0=", 3) == 0 || strncmp(t.at, "p1=", 3) == 0) window = t.at;
        ends = ends || strncmp(t.at, "p1=", 3) == 0;
        STRATA_TRY(set(out, &t));
    }
    if (*t.at) return rates_wrong(&t, "',' or the end");
    t.at = window;
    if (out->p0 >= 0 && out->p1 < out->p0)
        return rates_placed(&t, strata_fail(STRATA_BAD_ARG, "wants p0 up to p1, got %g and %g%s", out->p0,
                                            out->p1, ends ? "" : ", p1's where none is given"));
    return STRATA_OK;
}

/* ---- The ramp ------------------------------------------------------------------------------- */

static double ramp(const bleed *b, double x)
{
    switch (b->ramp) {
    case BLEED_LINEAR: return x;
    case BLEED_POWER: return pow(x, b->power);
    case BLEED_SMOOTH: return x * x * (3 - 2 * x);
    default: return (1 - cos(3.141592653589793 * x)) / 2;
    }
}

/* When a group's window opens; above 1 while that is not known. */
static double opens(const bleed *b, uint32_t group, uint32_t n_groups, uint64_t steps, const rates_log *log)
{
    if (!b->measured) {
        const double width = n_groups > 1 ? b->cascade : 1;
        return n_groups > 1 ? b->p0 + (b->p1 - b->p0) * (1 - width) * group / (n_groups - 1) : b->p0;
    }
    for (uint32_t i = 0; log && i < log->n; i++)
        if (log->event[i].kind == RATES_TRIGGER && log->event[i].group == group)
            return (double)log->event[i].step / (double)steps;
    return 2;
}

double bleed_beta(const bleed *b, uint32_t group, uint32_t n_groups, uint64_t step, uint64_t steps,
                  const rates_log *log)
{
    const double p = (double)(step < steps ? step : steps) / (double)steps,
                 p0 = opens(b, group, n_groups, steps, log),
                 width = (b->p1 - b->p0) * (n_groups > 1 && !b->measured ? b->cascade : 1);
    const double x = p < p0 ? 0 : width > 0 && p < p0 + width ? (p - p0) / width : 1;
    return b->most * (b->out ? 1 - ramp(b, x) : ramp(b, x));
}

double bleed_blend(const bleed *b, double m, double beta, double mean_log)
{
    if (beta == 0) return 1;
    if (b->linear) return beta == 1 ? m : (1 - beta) + beta * m;
    const double own = beta == 1 ? m : m > 0 ? pow(m, beta) : 0;
    return b->anchor == BLEED_MEAN ? own / exp(beta * mean_log) : own;
}

double bleed_uniform(const bleed *b, const double *peak, uint32_t n_groups)
{
    double largest = 0;
    for (uint32_t g = 0; g < n_groups; g++) largest = fmax(largest, peak[g]);
    return b->anchor == BLEED_LARGEST || !(peak[n_groups - 1] > 0) ? largest : peak[n_groups - 1];
}

/* ---- Decisions ------------------------------------------------------------------------------- */

bool bleed_is_done(const bleed *b, double lr, uint64_t steps_left, double rms)
{
    return b->freeze > 0 && lr * (double)steps_left / rms < b->freeze;
}

uint64_t bleed_every(const bleed *b, uint64_t steps)
{
    const double every = floor(b->every * (double)steps + 0.5);
    return every < 1 ? 1 : (uint64_t)every;
}

bool bleed_has_settled(const bleed *b, const double *change, uint32_t n)
{
    const uint32_t windows = (uint32_t)b->times;
    if (n < windows) return false;
    for (uint32_t i = n - windows; i < n; i++)
        if (!(change[i] < b->settled)) return false;
    return true;
}

/* The curves. Adding one means adding a row to `schedules`: its name, convention, keys and function. */
#include "rates/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/nearest.h"
#include "core/text.h"

typedef struct key {
    const char *name;
    double fallback, low, high; /* inclusive */
} key;

struct schedule {
    const char *name, *convention; /* "": the only one, or the one taken where none is given */
    schedule_point (*at)(const double *value, uint64_t step, uint64_t steps);
    bool moves_momentum;
    key keys[SCHEDULE_VALUES]; /* ended by a NULL name where there is room */
};

static double clamp(double p) { return p < 0 ? 0 : p > 1 ? 1 : p; }

/* From a at p = 0 to b at p = 1 along half a cosine. */
static double cosine(double a, double b, double p)
{
    const double pi = 3.141592653589793;
    return b + (a - b) / 2 * (1 + cos(pi * clamp(p)));
}

static schedule_point constant(const double *value, uint64_t step, uint64_t steps)
{
    (void)value;
    (void)step;
    (void)steps;
    return (schedule_point) { .scale = 1 };
}

/* The one-cycle policy: up from 1/div to 1, then down to `end`; momentum the other way. The three libraries
 * that have it place the knots differently, and mean different things by their final divisor. */
enum { PCT, DIV, FINAL, MOM_START, MOM_PEAK, MOM_END };

static schedule_point cycle(const double *value, bool rising, double p, double end)
{
    const double start = 1 / value[DIV];
    if (rising) return (schedule_point) { cosine(start, 1, p), cosine(value[MOM_START], value[MOM_PEAK], p) };
    return (schedule_point) { cosine(1, end, p), cosine(value[MOM_PEAK], value[MOM_END], p) };
}

/* fastai v2: position i / N, knot at pct; end relative to the peak. */
static schedule_point one_cycle_fastai2(const double *value, uint64_t step, uint64_t steps)
{
    const double at = (double)step / (double)steps, pct = value[PCT];
    const bool rising = at < pct || pct >= 1;
    return cycle(value, rising, rising ? at / pct : (at - pct) / (1 - pct), 1 / value[FINAL]);
}

/* fastai v1: whole batches to each side of the knot; end relative to the peak, by default 1 / (1e4 div). */
static schedule_point one_cycle_fastai1(const double *value, uint64_t step, uint64_t steps)
{
    const double a = floor((double)steps * value[PCT]), b = (double)steps - a, i = (double)step;
    const double final = value[FINAL] > 0 ? value[FINAL] : 1e4 * value[DIV];
    const bool rising = i < a; /* at the knot both sides give the peak, also where one has no batches */
    return cycle(value, rising, rising ? i / a : (i - a) / (b > 0 ? b : 1), 1 / final);
}

/* torch.optim.lr_scheduler.OneCycleLR: knots at pct N - 1 and N - 1; end relative to the start. */
static schedule_point one_cycle_torch(const double *value, uint64_t step, uint64_t steps)
{
    const double knot = value[PCT] * (double)steps - 1, last = (double)steps - 1, i = (double)step;
    const bool rising = i < knot || knot >= last;
    const double p = rising ? (knot > 0 ? i / knot : 1) : (i - knot) / (last - knot);
    return cycle(value, rising, p, 1 / (value[DIV] * value[FINAL]));
}

/* clang-format off */
#define MOMENTS                                                                                              \
    { "mom-start", 0.95, 0, 0.999999 }, { "mom-peak", 0.85, 0, 0.999999 }, { "mom-end", 0.95, 0, 0.999999 }
static const schedule schedules[] = {
    { "constant", "", constant, false, { { 0 } } },
    { "one-cycle", "fastai2", one_cycle_fastai2, true,
      { { "pct", 0.25, 0, 1 }, { "div", 25, 1e-6, 1e12 }, { "final", 1e5, 1e-6, 1e18 }, MOMENTS } },
    { "one-cycle", "fastai1", one_cycle_fastai1, true,
      { { "pct", 0.3, 0, 1 }, { "div", 25, 1e-6, 1e12 }, { "final", 0, 1e-6, 1e18 }, MOMENTS } },
    { "one-cycle", "torch", one_cycle_torch, true,
      { { "pct", 0.3, 0, 1 }, { "div", 25, 1e-6, 1e12 }, { "final", 1e4, 1e-6, 1e18 }, MOMENTS } },
};
/* clang-format on */
enum { N_SCHEDULES = sizeof schedules / sizeof *schedules };

/* ---- From text ------------------------------------------------------------------------------ */

/* "there is no WHAT 'GOT'; did you mean 'NEAR'?", or the list where none is near. */
static strata_status unknown(const char *what, const char *got, const char *const *names, uint32_t n)
{
    const char *near = strata_nearest(got, names, n);
    if (near)
        return strata_fail(STRATA_BAD_ARG, "--schedule: there is no %s '%s'; did you mean '%s'?", what, got,
                           near);
    strata_text list = { 0 };
    for (uint32_t i = 0; i < n; i++) strata_text_format(&list, "%s%s", i ? ", " : "", names[i]);
    strata_status status = strata_fail(STRATA_BAD_ARG, "--schedule: there is no %s '%s'; there is: %s", what,
                                       got, n ? list.s : "none");
    strata_text_free(&list);
    return status;
}

/* The schedule of this name and convention; "" takes the name's first. */
static strata_status find(const schedule **out, const char *name, const char *convention)
{
    const char *names[N_SCHEDULES], *conventions[N_SCHEDULES];
    uint32_t n_names = 0, n_conventions = 0;
    for (uint32_t i = 0; i < N_SCHEDULES; i++) {
        const schedule *s = &schedules[i];
        if (!n_names || strcmp(names[n_names - 1], s->name) != 0) names[n_names++] = s->name;
        if (strcmp(s->name, name) != 0) continue;
        if (!*convention || strcmp(s->convention, convention) == 0) {
            *out = s;
            return STRATA_OK;
        }
        if (*s->convention) conventions[n_conventions++] = s->convention;
    }
    if (n_conventions) return unknown("convention", convention, conventions, n_conventions);
    for (uint32_t i = 0; i < n_names; i++)
        if (strcmp(names[i], name) == 0)
            return strata_fail(STRATA_BAD_ARG, "--schedule: %s takes no convention, got '%s'", name,
                               convention);
    return unknown("schedule", name, names, n_names);
}

static uint32_t n_keys(const schedule *s)
{
    uint32_t n = 0;
    while (n < SCHEDULE_VALUES && s->keys[n].name) n++;
    return n;
}

/* One "key=value" of the text. */
static strata_status set(schedule_use *use, char *word)
{
    const char *names[SCHEDULE_VALUES];
    const uint32_t n = n_keys(use->kind);
    char *equal = strchr(word, '='), *end = NULL;
    if (!equal) return strata_fail(STRATA_BAD_ARG, "--schedule wants key=value, got '%s'", word);
    *equal = '\0';
    for (uint32_t i = 0; i < n; i++) {
        const key *k = &use->kind->keys[i];
        names[i] = k->name;
        if (strcmp(k->name, word) != 0) continue;
        double v = strtod(equal + 1, &end);
        if (end == equal + 1 || *end || !(v >= k->low && v <= k->high))
            return strata_fail(STRATA_BAD_ARG, "--schedule: %s wants a number in [%g, %g], got '%s'", word,
                               k->low, k->high, equal + 1);
        use->value[i] = v;
        return STRATA_OK;
    }
    return unknown("key", word, names, n);
}

strata_status schedule_parse(schedule_use *out, const char *text)
{
    char copy[256], *rest, *word, *convention;
    if (strlen(text) >= sizeof copy)
        return strata_fail(STRATA_BAD_ARG, "--schedule wants at most %zu characters, got %zu",
                           sizeof copy - 1, strlen(text));
    memcpy(copy, text, strlen(text) + 1);
    rest = strchr(copy, ',');
    if (rest) *rest++ = '\0';
    convention = strchr(copy, ':');
    if (convention) *convention++ = '\0';
    STRATA_TRY(find(&out->kind, copy, convention ? convention : ""));
    for (uint32_t i = 0; i < SCHEDULE_VALUES; i++) out->value[i] = out->kind->keys[i].fallback;
    while (rest) {
        word = rest;
        rest = strchr(word, ',');
        if (rest) *rest++ = '\0';
        STRATA_TRY(set(out, word));
    }
    return STRATA_OK;
}

bool schedule_moves_momentum(const schedule_use *s) { return s->kind->moves_momentum; }

schedule_point schedule_at(const schedule_use *s, uint64_t step, uint64_t steps)
{
    return s->kind->at(s->value, step < steps ? step : steps, steps);
}

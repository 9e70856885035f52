#include "rates/freeze.h"

#include <math.h>
#include <string.h>

/* Every number of steps up to here is a whole double, and all groups' spans together are a uint64_t. */
static const double LONGEST = 1e15;

/* A number of epochs, or a share with '%', in steps. */
static strata_status span(double *steps, rates_text *t, const timeline_run *run)
{
    const char *start = t->at;
    if (!rates_fraction(t, steps, 0, 1e9))
        return rates_wrong(t, "a number of epochs, or a share such as 30%");
    if (rates_take(t, '%')) {
        *steps *= (double)run->steps / 100;
    } else if (run->steps_per_epoch) {
        *steps *= (double)run->steps_per_epoch;
    } else {
        t->at = start;
        return rates_wrong(t, "a share such as 30%: the length of an epoch is not known here");
    }
    *steps = floor(*steps + 0.5);
    if (*steps <= LONGEST) return STRATA_OK;
    t->at = start;
    return rates_wrong(t, "an end within 1e15 steps");
}

static const uint64_t NOBODY_SAID = UINT64_MAX; /* above every step */

/* One "GROUP=EPOCH"; `rest` is for the groups that are not named, wherever it stands. */
static strata_status named(uint64_t *until, uint64_t *rest, rates_text *t, const timeline_run *run)
{
    char name[128];
    double steps;
    uint32_t found = 0;
    const char *start = t->at;
    if (!rates_word(t, name, sizeof name, "=,")) return rates_wrong(t, "a group's name");
    if (!rates_take(t, '=')) return rates_wrong(t, "'=' after the group's name");
    STRATA_TRY(span(&steps, t, run));
    if (strcmp(name, "*") == 0) {
        if (*rest != NOBODY_SAID) return rates_named_twice(t, start);
        *rest = (uint64_t)steps;
        return STRATA_OK;
    }
    for (uint32_t g = 0; g < run->n_groups; g++) {
        if (!rates_holds(name, run->group[g])) continue;
        if (until[g] != NOBODY_SAID) return rates_named_twice(t, start);
        until[g] = (uint64_t)steps;
        found++;
    }
    return found ? STRATA_OK : rates_unknown_group(t, start, name);
}

static strata_status by_name(uint64_t *until, rates_text *t, const timeline_run *run)
{
    uint64_t rest = NOBODY_SAID;
    for (uint32_t g = 0; g < run->n_groups; g++) until[g] = NOBODY_SAID;
    do STRATA_TRY(named(until, &rest, t, run));
    while (rates_take(t, ','));
    for (uint32_t g = 0; g < run->n_groups; g++)
        if (until[g] == NOBODY_SAID) until[g] = rest == NOBODY_SAID ? 0 : rest;
    return STRATA_OK;
}

strata_status freeze_parse(uint64_t *until, const char *text, const timeline_run *run)
{
    static const char gradual[] = "gradual";
    const size_t n = strlen(gradual);
    rates_text t = { "--freeze-until", text, text, run->group, run->n_groups };
    memset(until, 0, run->n_groups * sizeof *until);
    if (!*text) return STRATA_OK;
    if (strncmp(text, gradual, n) == 0 && (!text[n] || text[n] == '=')) {
        double each = (double)run->steps_per_epoch;
        t.at += n;
        if (rates_take(&t, '='))
            STRATA_TRY(span(&each, &t, run));
        else if (!run->steps_per_epoch)
            return rates_wrong(&t, "=30%: the length of an epoch is not known here");
        if (each * run->n_groups > LONGEST)
            return rates_wrong(&t, "fewer steps for each: with all groups they are more than 1e15");
        for (uint32_t g = 0; g < run->n_groups; g++) until[g] = (uint64_t)(each * (run->n_groups - 1 - g));
    } else {
        STRATA_TRY(by_name(until, &t, run));
    }
    return *t.at ? rates_wrong(&t, "',' or the end") : STRATA_OK;
}

#include "rates/spread.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "rates/grammar.h"

#define A_RATE         "a rate: a number of at least 0"
#define A_RATE_ABOVE_0 "a number above 0"

static const double LEAST = 1e-300; /* what counts as above 0 */

static bool rate(rates_text *t, double *out) { return rates_number(t, out, 0, HUGE_VAL); }

static strata_status ends(const rates_text *t) { return *t->at ? rates_wrong(t, "the end") : STRATA_OK; }

static strata_status wrong_count(const rates_text *t, uint32_t rates)
{
    return rates_placed(t, strata_fail(STRATA_BAD_ARG, "%s has %u %s, but the model has %u %s", t->option,
                                       (unsigned)rates, strata_noun(rates, "rate", "rates"),
                                       (unsigned)t->n_groups, strata_noun(t->n_groups, "group", "groups")));
}

static strata_status parse_list(double *out, uint32_t n, rates_text *t)
{
    uint32_t given = 0;
    double one;
    const char *surplus = NULL; /* the first rate that no group is for */
    do {
        if (given == n) surplus = t->at;
        if (!rate(t, given < n ? &out[given] : &one)) return rates_wrong(t, A_RATE);
        given++;
    } while (rates_take(t, ','));
    STRATA_TRY(ends(t));
    if (surplus) t->at = surplus;
    if (given != 1 && given != n) return wrong_count(t, given);
    for (uint32_t g = given; g < n; g++) out[g] = out[0];
    return STRATA_OK;
}

/* In this order of evaluation, as the libraries have it: the last rate may be an ulp off hi. */
static strata_status parse_range(double *out, uint32_t n, rates_text *t)
{
    double lo, hi;
    if (!rates_number(t, &lo, LEAST, HUGE_VAL)) return rates_wrong(t, A_RATE_ABOVE_0);
    if (!rates_take(t, ':')) return rates_wrong(t, "':'");
    if (!rates_number(t, &hi, LEAST, HUGE_VAL)) return rates_wrong(t, A_RATE_ABOVE_0);
    STRATA_TRY(ends(t));
    const double factor = n > 1 ? pow(hi / lo, 1.0 / (n - 1)) : 1;
    for (uint32_t g = 0; g < n; g++) out[g] = n > 1 ? lo * pow(factor, g) : hi;
    return STRATA_OK;
}

static strata_status parse_share(double *out, uint32_t n, rates_text *t)
{
    double hi, k;
    if (!rate(t, &hi)) return rates_wrong(t, A_RATE);
    if (!rates_take(t, '/')) return rates_wrong(t, "'/'");
    if (!rates_number(t, &k, LEAST, HUGE_VAL)) return rates_wrong(t, A_RATE_ABOVE_0);
    STRATA_TRY(ends(t));
    for (uint32_t g = 0; g < n; g++) out[g] = g + 1 < n ? hi / k : hi;
    return STRATA_OK;
}

/* ---- Layer decay ---------------------------------------------------------------------------- */

typedef struct decay {
    double factor, min_scale, no_opt_scale;
    bool electra;
} decay;

static strata_status decay_key(decay *d, rates_text *t)
{
    static const char *const keys[] = { "decay", "min-scale", "no-opt-scale", "ids" };
    double *const value[] = { &d->factor, &d->min_scale, &d->no_opt_scale };
    char key[32], word[32];
    const char *here = t->at;
    if (!rates_word(t, key, sizeof key, "=,")) return rates_wrong(t, "a key");
    for (uint32_t i = 0; i < 4; i++) {
        if (strcmp(key, keys[i]) != 0) continue;
        if (!rates_take(t, '=')) return rates_wrong(t, "'='");
        if (i < 3) {
            if (!rates_fraction(t, value[i], i == 0 ? 1e-6 : 0, i == 0 ? 1e6 : 1))
                return rates_wrong(t, i == 0 ? "a factor in [1e-6, 1e6]" : "a scale in [0, 1]");
            return STRATA_OK;
        }
        const char *start = t->at;
        const bool read = rates_word(t, word, sizeof word, ",");
        d->electra = read && strcmp(word, "electra") == 0;
        if (d->electra || (read && strcmp(word, "vit") == 0)) return STRATA_OK;
        t->at = start;
        return rates_wrong(t, "vit or electra");
    }
    if (strcmp(key, "ratio") == 0) {
        t->at = here;
        return rates_wrong(t, "a key: ratio is for --lr alone, and takes no others");
    }
    return rates_unknown_at(t, here, "key", key, keys, 4);
}

static strata_status parse_decay(double *out, uint32_t n, rates_text *t)
{
    decay d = { 0 };
    double base;
    if (!rate(t, &base)) return rates_wrong(t, A_RATE);
    if (!rates_take(t, '@')) return rates_wrong(t, "'@'");
    STRATA_TRY(rates_keys_once(t, t->at));
    do STRATA_TRY(decay_key(&d, t));
    while (rates_take(t, ','));
    STRATA_TRY(ends(t));
    if (!(d.factor > 0)) return rates_wrong(t, "decay=D");
    for (uint32_t g = 0; g < n; g++) {
        const bool output = g + 1 == n;
        double scale = pow(d.factor, n - 1 - g + (d.electra && !output));
        if (scale < d.min_scale) scale = d.min_scale;
        out[g] = scale < d.no_opt_scale ? 0 : base * scale;
    }
    return STRATA_OK;
}

/* ---- By name -------------------------------------------------------------------------------- */

static strata_status parse_names(double *out, uint32_t n, rates_text *t)
{
    char name[128], list[RATES_LIST];
    double v, rest = -1;
    if (!t->group) return rates_wrong(t, "no names: the groups have none");
    for (uint32_t g = 0; g < n; g++) out[g] = -1;
    do {
        uint32_t found = 0;
        const char *start = t->at;
        if (!rates_word(t, name, sizeof name, "=,")) return rates_wrong(t, "a group's name");
        if (!rates_take(t, '=')) return rates_wrong(t, "'=' after the name");
        if (!rate(t, &v)) return rates_wrong(t, A_RATE);
        if (strcmp(name, "*") == 0) {
            if (rest >= 0) return rates_named_twice(t, start);
            rest = v;
            continue;
        }
        for (uint32_t g = 0; g < n; g++) {
            if (!rates_holds(name, t->group[g])) continue;
            if (out[g] >= 0) return rates_named_twice(t, start);
            out[g] = v;
            found++;
        }
        if (!found) return rates_unknown_group(t, start, name);
    } while (rates_take(t, ','));
    STRATA_TRY(ends(t));
    for (uint32_t g = 0; g < n; g++) {
        if (out[g] < 0 && rest < 0)
            return strata_fail(STRATA_BAD_ARG,
                               "%s '%s' gives no rate to the group '%s'; the groups are: %s; "
                               "'*=X' is for all that are not named",
                               t->option, t->s, t->group[g], rates_list(list, t->group, n));
        if (out[g] < 0) out[g] = rest;
    }
    return STRATA_OK;
}

static strata_status parse(double *out, uint32_t n, rates_text *t)
{
    switch (t->s[strcspn(t->s, ",:/@=")]) {
    case ':': return parse_range(out, n, t);
    case '/': return parse_share(out, n, t);
    case '@': return parse_decay(out, n, t);
    case '=': return parse_names(out, n, t);
    default: return parse_list(out, n, t);
    }
}

strata_status spread_parse(double *out, uint32_t n, const char *const *names, const char *spec)
{
    rates_text t = { "--lr", spec, spec, names, n };
    STRATA_TRY(parse(out, n, &t));
    for (uint32_t g = 0; g < n; g++)
        if (!(out[g] <= FLT_MAX)) /* what a device holds */
            return strata_fail(STRATA_BAD_ARG, "--lr '%s' gives group %u (%s) the rate %g: wanted at most %g",
                               spec, (unsigned)g, names ? names[g] : "", out[g], FLT_MAX);
    return STRATA_OK;
}

#include "rates/spread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

static strata_status not_understood(const char *spec)
{
    return strata_fail(STRATA_BAD_ARG,
                       "--lr wants a rate X, one per group a,b,c, a range lo:hi or hi/k, got '%s'", spec);
}

/* A finite number of at least 0; *end is left behind it. */
static bool number(double *out, const char *s, const char **end)
{
    char *stop = NULL;
    *out = strtod(s, &stop);
    *end = stop;
    return stop != s && isfinite(*out) && *out >= 0;
}

static uint32_t count(const char *spec, char c)
{
    uint32_t n = 0;
    for (; *spec; spec++) n += *spec == c;
    return n;
}

static strata_status wrong_count(uint32_t rates, uint32_t groups, const char *const *names, const char *spec)
{
    strata_text list = { 0 };
    for (uint32_t i = 0; names && i < groups && i < 32; i++)
        strata_text_format(&list, "%s%.64s", i ? ", " : ": ", names[i]);
    if (names && groups > 32) strata_text_append(&list, ", ...", 5);
    strata_status status = strata_fail(STRATA_BAD_ARG, "--lr %s has %u rates, but the model has %u groups%s",
                                       spec, (unsigned)rates, (unsigned)groups, list.s ? list.s : "");
    strata_text_free(&list);
    return status;
}

static strata_status parse_list(double *out, uint32_t n, const char *const *names, const char *spec)
{
    const char *at = spec;
    double one;
    uint32_t given = count(spec, ',') + 1;
    for (uint32_t i = 0; i < given; i++, at++) {
        if (!number(i < n ? &out[i] : &one, at, &at) || *at != (i + 1 < given ? ',' : '\0'))
            return not_understood(spec);
    }
    if (given == 1)
        for (uint32_t i = 1; i < n; i++) out[i] = out[0];
    else if (given != n)
        return wrong_count(given, n, names, spec);
    return STRATA_OK;
}

static strata_status parse_range(double *out, uint32_t n, const char *spec)
{
    const char *at;
    double lo, hi;
    if (!number(&lo, spec, &at) || *at != ':' || !number(&hi, at + 1, &at) || *at)
        return not_understood(spec);
    if (lo <= 0 || hi <= 0)
        return strata_fail(STRATA_BAD_ARG, "--lr lo:hi wants both above 0, got '%s'", spec);
    const double factor = n > 1 ? pow(hi / lo, 1.0 / (n - 1)) : 1;
    for (uint32_t i = 0; i < n; i++) out[i] = n > 1 ? lo * pow(factor, i) : hi;
    return STRATA_OK;
}

static strata_status parse_share(double *out, uint32_t n, const char *spec)
{
    const char *at;
    double hi, k;
    if (!number(&hi, spec, &at) || *at != '/' || !number(&k, at + 1, &at) || *at) return not_understood(spec);
    if (!(k > 0) || !isfinite(hi / k))
        return strata_fail(STRATA_BAD_ARG, "--lr hi/k wants k above 0, got '%s'", spec);
    for (uint32_t i = 0; i < n; i++) out[i] = i + 1 < n ? hi / k : hi;
    return STRATA_OK;
}

strata_status spread_parse(double *out, uint32_t n, const char *const *names, const char *spec)
{
    if (strchr(spec, ':')) return parse_range(out, n, spec);
    if (strchr(spec, '/')) return parse_share(out, n, spec);
    return parse_list(out, n, names, spec);
}

#include "rates/bound.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static bool fits(const strata_rates *r, uint64_t step, uint32_t group)
{
    return strata_rates_of(r, step, group) <= FLT_MAX; /* NaN is not */
}

/* A curve is largest at one of its ends, or no larger than its peak; between two steps of which one fits it
 * grows or falls. */
static strata_status bound_phase(const strata_rates *r, const rates_phase *p, double peak, uint32_t group,
                                 const strata_rates_config *config)
{
    const uint64_t look[] = { p->first, p->first + p->warmup, p->first + p->steps - 1 };
    const char *name = config->group_name ? config->group_name[group] : "";
    uint64_t good = p->first;
    if (!(peak <= FLT_MAX))
        return strata_fail(STRATA_BAD_ARG,
                           "--schedule '%s': in the phase from step %" PRIu64
                           " on the largest rate of group %u (%s) is %g: wanted at most %g",
                           config->schedule, p->first, (unsigned)group, name, peak, FLT_MAX);
    for (size_t i = 0; i < sizeof look / sizeof *look; i++) {
        uint64_t bad = look[i];
        if (fits(r, bad, group)) {
            good = bad;
            continue;
        }
        while (bad - good > 1) {
            const uint64_t middle = good + (bad - good) / 2;
            *(fits(r, middle, group) ? &good : &bad) = middle;
        }
        return strata_fail(
            STRATA_BAD_ARG,
            "--schedule '%s': the rate of group %u (%s) at step %" PRIu64 " is %g: wanted at most %g",
            config->schedule, (unsigned)group, name, bad, strata_rates_of(r, bad, group), FLT_MAX);
    }
    return STRATA_OK;
}

strata_status rates_bound(const strata_rates *r, const strata_rates_config *config)
{
    strata_status status = STRATA_OK;
    rates_phase p;
    double *peak = calloc(config->n_groups, sizeof *peak);
    if (!peak) return strata_fail(STRATA_NO_MEMORY, "no memory for rates");
    for (uint32_t i = 0; status == STRATA_OK && strata_rates_phase(r, i, &p, peak); i++)
        for (uint32_t g = 0; status == STRATA_OK && g < config->n_groups; g++)
            if (!isnan(peak[g]))
                status = bound_phase(r, &p, peak[g], g, config); /* else another schedule's */
    free(peak);
    return status;
}

#include "rates/rates.h"

#include <stdlib.h>

#include "rates/schedule.h"
#include "rates/spread.h"

struct strata_rates {
    schedule_use schedule;
    uint64_t steps;
    double momentum;
    uint32_t n_groups;
    double peak[]; /* [n_groups] */
};

strata_status strata_rates_open(strata_rates **out, const strata_rates_config *config)
{
    strata_status status = STRATA_OK;
    *out = NULL;
    if (!config->n_groups || !config->steps)
        return strata_fail(STRATA_BAD_ARG, "rates want at least one group and one step, got %u and %llu",
                           (unsigned)config->n_groups, (unsigned long long)config->steps);
    strata_rates *r = calloc(1, sizeof *r + config->n_groups * sizeof *r->peak);
    if (!r) return strata_fail(STRATA_NO_MEMORY, "no memory for the rates of %u groups", config->n_groups);
    r->steps = config->steps;
    r->momentum = config->momentum;
    r->n_groups = config->n_groups;
    STRATA_GO(spread_parse(r->peak, r->n_groups, config->group_name, config->lr));
    STRATA_GO(schedule_parse(&r->schedule, config->schedule));
    *out = r;
    r = NULL;
done:
    strata_rates_close(r);
    return status;
}

void strata_rates_close(strata_rates *r) { free(r); }

void strata_rates_at(const strata_rates *r, uint64_t step, double *lr, double *momentum)
{
    const schedule_point at = schedule_at(&r->schedule, step, r->steps);
    for (uint32_t g = 0; g < r->n_groups; g++) lr[g] = at.scale * r->peak[g];
    if (momentum)
        *momentum = schedule_moves_momentum(&r->schedule) && r->momentum > 0 ? at.momentum : r->momentum;
}

const double *strata_rates_peak(const strata_rates *r) { return r->peak; }

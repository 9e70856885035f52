/* Learning rates: how a rate is divided among groups (spread) and how it moves (schedule). Pure functions of
 * the step. Every rate is s(step) * m_group, with m_group = spread / its maximum. */
#ifndef STRATA_RATES_RATES_H
#define STRATA_RATES_RATES_H

#include <stdint.h>

#include "core/status.h"

typedef struct strata_rates strata_rates;

typedef struct strata_rates_config {
    const char *lr;       /* "X", "a,b,c", "lo:hi", "hi/k" */
    const char *schedule; /* "constant", "one-cycle[:fastai2|:fastai1|:torch][,key=value...]" with keys pct,
                             div, final, mom-start, mom-peak, mom-end */
    uint32_t n_groups;
    const char *const *group_name; /* [n_groups], for messages */
    uint64_t steps;                /* of the whole run */
    double momentum; /* momentum or beta1 where the schedule does not cycle it; 0 is never cycled */
} strata_rates_config;

/* Owner: caller; release with strata_rates_close.
 * Errors: STRATA_BAD_ARG for a spec or schedule that is not understood (nearest name), and for a list whose
 * length is not the number of groups (both counts). */
strata_status strata_rates_open(strata_rates **out, const strata_rates_config *config);
void strata_rates_close(strata_rates *r);

/* The rates of step `step` (from 0).  lr out: [n_groups];  momentum out: may be NULL */
void strata_rates_at(const strata_rates *r, uint64_t step, double *lr, double *momentum);

/* The largest rate of each group: what the spec expanded to. [n_groups] */
const double *strata_rates_peak(const strata_rates *r);

#endif

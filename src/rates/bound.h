/* Rates that a device can hold. */
#ifndef STRATA_RATES_BOUND_H
#define STRATA_RATES_BOUND_H

#include "rates/rates.h"

/* Are all rates of the schedules finite as floats? Those of a file were looked at when it was read.
 * Errors: STRATA_BAD_ARG naming the schedule, the group and the first step that is not, or the phase whose
 *         peak is not; STRATA_NO_MEMORY. */
strata_status rates_bound(const strata_rates *r, const strata_rates_config *config);

#endif

/* How one learning rate is divided among layer groups. */
#ifndef STRATA_RATES_SPREAD_H
#define STRATA_RATES_SPREAD_H

#include <stdint.h>

#include "core/status.h"

/* Expand a spec into the largest rate of each group.
 *   spec   "X" the same everywhere; "a,b,c" one each; "lo:hi" geometric, lo at the input; "hi/k" hi at the
 *          output, hi/k before it. With one group the last two give hi.
 *   names  [n] of the groups, for messages; may be NULL
 *   out    [n] finite, at least 0
 * Errors: STRATA_BAD_ARG. */
strata_status spread_parse(double *out, uint32_t n, const char *const *names, const char *spec);

#endif

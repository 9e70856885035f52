/* How one learning rate is divided among layer groups. Group 0 is at the input side. */
#ifndef STRATA_RATES_SPREAD_H
#define STRATA_RATES_SPREAD_H

#include <stdint.h>

#include "core/status.h"

/* Expand a spec into the largest rate of each group.
 *   spec   X                  the same everywhere
 *          a,b,c              one each
 *          lo:hi              geometric, lo at the input; lo above hi gives the input the larger rates
 *          hi/k               hi at the output, hi/k before it
 *          X@decay=D[,min-scale=S][,no-opt-scale=S][,ids=vit|electra]
 *                             X D^(K - id), the output's id K; scales below min-scale are raised to it,
 *                             groups below no-opt-scale get 0. ids=electra: all but the output are one
 *          name=X,...         by name: a group, or all whose names begin with "name."; "*" is the rest
 *          With one group lo:hi and hi/k give hi. X@ratio, which wants weights, is written out before.
 *   names  [n] of the groups; may be NULL, then rates cannot be given by name
 *   out    [n] at least 0, and at most what a float holds
 * Errors: STRATA_BAD_ARG with the place in the text and the groups there are: not understood; a list of
 *         another length; a name that no group has, or two names for one group; a group without a rate, or
 *         with one that is too large. */
strata_status spread_parse(double *out, uint32_t n, const char *const *names, const char *spec);

#endif

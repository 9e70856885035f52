/* "Did you mean": the valid name a typo stands for. */
#ifndef STRATA_CORE_NEAREST_H
#define STRATA_CORE_NEAREST_H

#include <stdint.h>

/* The name among `names` [n] nearest to `wanted`: fewest characters added, removed, changed or swapped with
 * their neighbour, at most a third of its length (rounded up); upper and lower case count as equal; the first
 * of equals. NULL: none is that near.
 */
const char *strata_nearest(const char *wanted, const char *const *names, uint32_t n);

#endif

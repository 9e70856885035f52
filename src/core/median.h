/* The middle of a few values. */
#ifndef STRATA_CORE_MEDIAN_H
#define STRATA_CORE_MEDIAN_H

#include <stdint.h>

/* The middle of n values, which it sorts; of an even number the mean of the two there. NaN for none. */
double strata_median(double *values, uint32_t n);

#endif

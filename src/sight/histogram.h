/* Histograms of activations, as training watches them (fastai's ActivationStats): in which range the outputs
 * of a layer lie, and what share of them is near zero. Pure functions. */
#ifndef STRATA_SIGHT_HISTOGRAM_H
#define STRATA_SIGHT_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

enum { SIGHT_BINS = 40 };

typedef struct sight_histogram {
    double low, high; /* low < high; a value equal to `high` is of the last bin, others outside of none */
    bool absolute;    /* |x| is counted instead of x */
    uint64_t count[SIGHT_BINS];
    uint64_t all, near; /* values seen, and of those how many x <= `limit` */
    double limit;       /* fastai's near zero is 0.05 */
} sight_histogram;

/* Count n more values; NaN is seen and of no bin. Begin with the ranges set and everything else zero. */
void sight_histogram_add(sight_histogram *h, const float *x, uint64_t n);

/* The share of what is in bins that is in the first `bins` of them; NaN where there is nothing. */
double sight_histogram_first(const sight_histogram *h, uint32_t bins);

/* The share of all values with x <= limit; NaN where there is none. */
double sight_histogram_near(const sight_histogram *h);

/* How dark a bin is in a picture over time: log(1 + count). */
double sight_histogram_shade(const sight_histogram *h, uint32_t bin);

#endif

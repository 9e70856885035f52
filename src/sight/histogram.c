#include "sight/histogram.h"

#include <math.h>

void sight_histogram_add(sight_histogram *h, const float *x, uint64_t n)
{
    const double scale = SIGHT_BINS / (h->high - h->low);
    for (uint64_t i = 0; i < n; i++) {
        const double signed_value = (double)x[i], v = h->absolute ? fabs(signed_value) : signed_value;
        h->all++;
        if (signed_value <= h->limit) h->near++;
        if (!(v >= h->low && v <= h->high)) continue;
        const uint32_t bin = (uint32_t)((v - h->low) * scale);
        h->count[bin < SIGHT_BINS ? bin : SIGHT_BINS - 1]++;
    }
}

double sight_histogram_first(const sight_histogram *h, uint32_t bins)
{
    uint64_t first = 0, sum = 0;
    for (uint32_t i = 0; i < SIGHT_BINS; i++) {
        sum += h->count[i];
        if (i < bins) first += h->count[i];
    }
    return sum ? (double)first / (double)sum : NAN;
}

double sight_histogram_near(const sight_histogram *h)
{
    return h->all ? (double)h->near / (double)h->all : NAN;
}

double sight_histogram_shade(const sight_histogram *h, uint32_t bin) { return log1p((double)h->count[bin]); }

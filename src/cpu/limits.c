/* The reference of shaders/limits.comp, with SUMS = 1. */
#include <string.h>

#include "limits.args.h"

void strata_cpu_limits(const struct limits_args *a, strata_pass pass)
{
    const float *x = strata_slice_host(a->x);
    float *y = strata_slice_host(a->y);
    if (pass == STRATA_FORWARD) {
        if (a->n) memcpy(y, x, 16 * (size_t)a->n);
        return;
    }
    for (uint64_t i = 0; i < a->y.bytes / 16; i++)
        for (int c = 0; c < 4; c++) {
            float sum = (float)i;
            for (uint64_t step = 0; step < 16 * (uint64_t)a->n; step++) sum = sum * x[c] + x[4 + c];
            y[4 * i + (uint64_t)c] = sum;
        }
}

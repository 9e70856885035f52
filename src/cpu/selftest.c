/* The reference of shaders/selftest.comp. */
#include "selftest.args.h"

void strata_cpu_selftest(const struct selftest_args *a, strata_pass pass)
{
    const uint32_t *x = strata_slice_host(a->x);
    uint32_t *y = strata_slice_host(a->y);
    for (uint32_t i = 0; i < a->n; i++) {
        if (pass == STRATA_FORWARD) {
            y[i] = 3 * x[i] + a->add;
        } else {
            uint32_t first = i - i % a->size, sum = a->add;
            for (uint32_t k = 0; k < a->size; k++) sum += (2 * k + 1) * x[first + k];
            y[i] = 256 * sum + i % a->size;
        }
    }
}

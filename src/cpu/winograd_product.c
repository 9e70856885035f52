/* Reference for shaders/winograd_product.comp: same arguments, plain loops, sums in double. */
#include <stdbool.h>

#include "core/thread.h"
#include "winograd_product.args.h"

enum { START_ZERO = 0, START_OLD = 2 };

typedef struct work {
    const struct winograd_product_args *a;
    bool over_tiles; /* BACKWARD_W */
} work;

/* One row of one point. */
static void multiply_row(void *context, uint32_t item)
{
    const work *k = context;
    const struct winograd_product_args *a = k->a;
    const uint32_t f = item / a->rows, row = item % a->rows;
    const float *v = (const float *)strata_slice_host(a->v) + 4 * (size_t)f * a->v_step;
    const float *u = (const float *)strata_slice_host(a->u) + 4 * (size_t)f * a->u_step;
    float *m = (float *)strata_slice_host(a->m) + 4 * ((size_t)f * a->m_step + (size_t)row * a->quads);
    for (uint32_t quad = 0; quad < a->quads; quad++) {
        const float *column = u + 4 * ((size_t)(quad / a->panel) * a->u_panel + quad % a->panel);
        double sum[4] = { 0 };
        for (uint32_t d = 0; d < 4 && a->start == START_OLD; d++) sum[d] = (double)m[4 * quad + d];
        for (uint32_t i = 0; i < a->sums; i++) {
            const size_t from = k->over_tiles ? 4 * (size_t)i * a->v_row + row
                                              : 4 * (size_t)row * a->v_row + i;
            for (uint32_t d = 0; d < 4; d++)
                sum[d] += (double)v[from] * (double)column[4 * (size_t)i * a->u_row + d];
        }
        for (uint32_t d = 0; d < 4; d++) m[4 * quad + d] = (float)sum[d];
    }
}

void strata_cpu_winograd_product(const struct winograd_product_args *a, strata_pass pass)
{
    work k = { a, pass == STRATA_BACKWARD_W };
    strata_thread_for(36 * a->rows, multiply_row, &k);
}

/* Reference for shaders/winograd_weight.comp: same arguments, plain loops, sums in double. */
#include <stdbool.h>

#include "core/thread.h"
#include "cpu/winograd.h"
#include "winograd_weight.args.h"

enum { START_ZERO = 0, START_OLD = 2 };

typedef struct work {
    const struct winograd_weight_args *a;
    bool turned; /* BACKWARD_X */
} work;

/* A float of u at point 0. */
static size_t place(const struct winograd_weight_args *a, uint32_t row, uint32_t column)
{
    const uint32_t quad = column / 4;
    return 4 * (((size_t)(quad / a->panel) * a->rows + row) * a->panel + quad % a->panel) + column % 4;
}

static void write_points(void *context, uint32_t row)
{
    const work *k = context;
    const struct winograd_weight_args *a = k->a;
    const float *w = strata_slice_host(a->from);
    float *u = strata_slice_host(a->to);
    for (uint32_t column = 0; column < 4 * a->quads; column++)
        for (uint32_t f = 0; f < 36; f++) {
            double sum = 0;
            for (uint32_t t = 0; t < 9; t++) {
                size_t from = ((size_t)t * a->w_rows + row) * 4 * a->w_quads + column;
                if (k->turned) from = ((size_t)(8 - t) * a->w_rows + column) * 4 * a->w_quads + row;
                sum += winograd_weight[f / 6][t / 3] * winograd_weight[f % 6][t % 3] * (double)w[from];
            }
            u[4 * (size_t)f * a->u_step + place(a, row, column)] = (float)sum;
        }
}

static void write_taps(void *context, uint32_t row)
{
    const work *k = context;
    const struct winograd_weight_args *a = k->a;
    const float *u = strata_slice_host(a->from);
    float *dw = strata_slice_host(a->to);
    for (uint32_t column = 0; column < 4 * a->quads; column++)
        for (uint32_t t = 0; t < 9; t++) {
            float *to = &dw[((size_t)t * a->w_rows + row) * 4 * a->w_quads + column];
            double sum = a->start == START_OLD ? (double)*to : 0;
            for (uint32_t f = 0; f < 36; f++)
                sum += winograd_weight[f / 6][t / 3] * winograd_weight[f % 6][t % 3] *
                       (double)u[4 * (size_t)f * a->u_step + place(a, row, column)];
            *to = (float)sum;
        }
}

void strata_cpu_winograd_weight(const struct winograd_weight_args *a, strata_pass pass)
{
    work k = { a, pass == STRATA_BACKWARD_X };
    strata_thread_for(a->rows, pass == STRATA_BACKWARD_W ? write_taps : write_points, &k);
}

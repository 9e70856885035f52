/* Reference for shaders/winograd2_weight.comp: same arguments, plain loops, sums in double. */
#include <stdbool.h>

#include "core/thread.h"
#include "winograd2_weight.args.h"

enum { LINE = 8 }; /* quads of a panel */

/* G of F(2x2,3x3), as it stands in the paper. */
static const double points[4][3] = { { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 }, { 0, 0, 1 } };

typedef struct work {
    const struct winograd2_weight_args *a;
    bool turned; /* BACKWARD_X */
} work;

static void write_row(void *context, uint32_t row)
{
    const work *k = context;
    const struct winograd2_weight_args *a = k->a;
    const float *w = strata_slice_host(a->w);
    float *u = strata_slice_host(a->u);
    for (uint32_t column = 0; column < 4 * LINE * a->panels; column++)
        for (uint32_t f = 0; f < 16; f++) {
            double sum = 0;
            for (uint32_t t = 0; t < 9 && row < a->row_end && column < 4 * a->quads; t++) {
                size_t from = ((size_t)t * a->w_rows + row) * 4 * a->w_quads + column;
                if (k->turned) from = ((size_t)(8 - t) * a->w_rows + column) * 4 * a->w_quads + row;
                sum += points[f / 4][t / 3] * points[f % 4][t % 3] * (double)w[from];
            }
            const size_t line = (size_t)(column / (4 * LINE)) * a->rows + row;
            u[(line * 16 + f) * 4 * LINE + column % (4 * LINE)] = (float)sum;
        }
}

void strata_cpu_winograd2_weight(const struct winograd2_weight_args *a, strata_pass pass)
{
    work k = { a, pass == STRATA_BACKWARD_X };
    strata_thread_for(a->rows, write_row, &k);
}

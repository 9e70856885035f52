/* Reference for shaders/conv2d_transpose.comp: same arguments, plain loops. */
#include "conv2d_transpose.args.h"
#include "core/thread.h"

/* One row of wt: tap and channel of y. */
static void transpose_row(void *context, uint32_t line)
{
    const struct conv2d_transpose_args *a = context;
    const float *w = strata_slice_host(a->w);
    float *wt = strata_slice_host(a->wt);
    const uint32_t rows = a->row_end - a->row_begin, to_rows = a->to_end - a->to_begin;
    const uint32_t tap = line / to_rows, o = a->to_begin + line % to_rows;
    const uint32_t begin = a->groups == 1 ? a->row_begin : 0,
                   end = a->groups == 1 ? a->row_end : 4 * a->to_quads;
    float *to = wt + 4 * ((size_t)a->to_at + (size_t)line * a->to_quads);
    for (uint32_t channel = begin; channel < end; channel++) {
        uint32_t group = channel / a->depth, c = channel % a->depth;
        size_t from = 4 * (size_t)a->w_at + ((size_t)tap * rows + c - a->row_begin) * a->cols +
                      group * a->width + o;
        to[channel] = group < a->groups && o < a->width ? w[from] : 0;
    }
}

void strata_cpu_conv2d_transpose(const struct conv2d_transpose_args *a, strata_pass pass)
{
    (void)pass;
    struct conv2d_transpose_args copy = *a;
    strata_thread_for(a->taps * (a->to_end - a->to_begin), transpose_row, &copy);
}

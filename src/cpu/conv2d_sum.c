/* Reference for shaders/conv2d_sum.comp: same arguments, plain loops, sums in double. */
#include "conv2d_sum.args.h"
#include "core/thread.h"

enum { START_ZERO = 0, START_OLD = 2 };

typedef struct work {
    const struct conv2d_sum_args *a;
    const float *from;
    float *to;
} work;

/* One quad of one chunk. */
static void sum_quad(void *context, uint32_t item)
{
    const work *k = context;
    const struct conv2d_sum_args *a = k->a;
    const uint32_t z = item / a->quads, quad = item % a->quads;
    uint64_t row = (uint64_t)(z / a->parts) * a->span + (uint64_t)(z % a->parts) * a->chunk;
    uint64_t end = row + a->chunk, span_end = (uint64_t)(z / a->parts + 1) * a->span;
    if (end > span_end) end = span_end;
    if (end > a->rows) end = a->rows;
    float *to = k->to + 4 * ((size_t)(a->chunk_first + z) * a->quads + quad);
    double sum[4] = { 0 };
    for (uint32_t d = 0; d < 4 && a->start == START_OLD; d++) sum[d] = (double)to[d];
    for (; row < end; row++)
        for (uint32_t d = 0; d < 4; d++) sum[d] += (double)k->from[4 * (row * a->quads + quad) + d];
    for (uint32_t d = 0; d < 4; d++) to[d] = 4 * quad + d < a->columns ? (float)sum[d] : 0;
}

void strata_cpu_conv2d_sum(const struct conv2d_sum_args *a, strata_pass pass)
{
    (void)pass; /* both are one sum */
    work k = { a, strata_slice_host(a->from), strata_slice_host(a->to) };
    strata_thread_for(a->chunks * a->quads, sum_quad, &k);
}

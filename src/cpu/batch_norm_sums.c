/* Reference for shaders/batch_norm_sums.comp: same arguments, plain loops, sums in double. One thread takes
 * four channels. Pixels are dealt to the rows of a chunk in turn, not in runs: no total depends on it. */
#include "core/thread.h"
#include "batch_norm_sums.args.h"

enum { QUAD = 4 };

static float *host(strata_slice s) { return strata_slice_host(s); }

/* The pixels of one partial of a channel: first, first + rows, .. below end. */
typedef struct run {
    uint32_t first, end, channel;
} run;

static void stats(const struct batch_norm_sums_args *a, const run *r, double out[2])
{
    const size_t stride = (size_t)QUAD * a->quads;
    const float *x = host(a->x) + r->channel;
    double sum = 0, n = 0;
    for (uint32_t p = r->first; p < r->end; p += a->rows, n++) sum += (double)x[p * stride];
    out[0] = n > 0 ? sum / n : 0;
    out[1] = 0;
    for (uint32_t p = r->first; p < r->end; p += a->rows)
        out[1] += ((double)x[p * stride] - out[0]) * ((double)x[p * stride] - out[0]);
}

static void backward_stats(const struct batch_norm_sums_args *a, const run *r, double out[2])
{
    const size_t stride = (size_t)QUAD * a->quads;
    const float *x = host(a->x) + r->channel, *dy = host(a->dy) + r->channel;
    const double mean = (double)host(a->table)[r->channel];
    out[0] = out[1] = 0;
    for (uint32_t p = r->first; p < r->end; p += a->rows) {
        if (a->relu && host(a->y)[p * stride + r->channel] <= 0) continue;
        out[0] += (double)dy[p * stride];
        out[1] += (double)dy[p * stride] * ((double)x[p * stride] - mean);
    }
}

static void sum_quad(const struct batch_norm_sums_args *a, uint32_t quad,
                     void (*sum)(const struct batch_norm_sums_args *, const run *, double[2]))
{
    for (uint32_t begin = 0, chunk = a->first; begin < a->pixels; begin += a->chunk, chunk++)
        for (uint32_t row = 0; row < a->rows; row++)
            for (uint32_t i = 0; i < QUAD; i++) {
                const uint32_t end = a->pixels - begin < a->chunk ? a->pixels : begin + a->chunk;
                const run r = { begin + row, end, QUAD * quad + i };
                double out[2];
                sum(a, &r, out);
                for (uint32_t half = 0; half < 2; half++) {
                    const size_t at = (((size_t)half * a->chunks + chunk) * a->rows + row) * a->quads + quad;
                    host(a->partial)[QUAD * at + i] = (float)out[half];
                }
            }
}

static void stats_of(void *context, uint32_t quad) { sum_quad(context, quad, stats); }
static void backward_stats_of(void *context, uint32_t quad) { sum_quad(context, quad, backward_stats); }

void strata_cpu_batch_norm_sums(const struct batch_norm_sums_args *a, strata_pass pass)
{
    strata_thread_for(a->quads, pass == STRATA_STATS ? stats_of : backward_stats_of, (void *)a);
}

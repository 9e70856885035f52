/* Reference for shaders/batch_norm_finish.comp: same arguments, totals in double. The pixels of a partial are
 * those of batch_norm_sums.c. */
#include <math.h>

#include "batch_norm_finish.args.h"

enum { QUAD = 4 };

static float *host(strata_slice s) { return strata_slice_host(s); }

static double partial(const struct batch_norm_finish_args *a, uint32_t half, uint32_t i, uint32_t c)
{
    const size_t at = a->partial_at + ((size_t)half * a->chunks * a->rows + i) * a->quads;
    return (double)host(a->sums)[QUAD * at + c];
}

static double pixels_of(const struct batch_norm_finish_args *a, uint32_t i)
{
    const uint32_t begin = i / a->rows * a->chunk, row = i % a->rows;
    const uint32_t length = a->total - begin < a->chunk ? a->total - begin : a->chunk;
    return row < length ? (length - row - 1) / a->rows + 1 : 0;
}

static void describe(const struct batch_norm_finish_args *a, uint32_t c, double mean, double variance)
{
    const double inverse = 1 / sqrt(variance + (double)a->eps);
    float *table = host(a->table) + c;
    const size_t row = (size_t)QUAD * a->quads;
    table[0] = (float)mean;
    table[row] = (float)inverse;
    table[2 * row] = (float)(a->affine ? inverse * (double)host(a->gain)[c] : inverse);
    table[3 * row] = a->affine ? host(a->bias)[c] : 0;
}

static void stats_finish(const struct batch_norm_finish_args *a, uint32_t c)
{
    const double total = a->total, momentum = (double)a->momentum;
    float *running_mean = host(a->running_mean) + c, *running_var = host(a->running_var) + c;
    double mean = 0, m2 = 0;
    if (a->frozen) {
        describe(a, c, (double)*running_mean, (double)*running_var);
        return;
    }
    for (uint32_t i = 0; i < a->chunks * a->rows; i++) mean += pixels_of(a, i) * partial(a, 0, i, c) / total;
    for (uint32_t i = 0; i < a->chunks * a->rows; i++) {
        const double off = partial(a, 0, i, c) - mean;
        m2 += partial(a, 1, i, c) + pixels_of(a, i) * off * off;
    }
    describe(a, c, mean, m2 / total);
    *running_mean = (float)((1 - momentum) * (double)*running_mean + momentum * mean);
    *running_var = (float)((1 - momentum) * (double)*running_var + momentum * m2 / (total - 1));
}

static void backward_finish(const struct batch_norm_finish_args *a, uint32_t c)
{
    const double inverse = (double)host(a->table)[(size_t)QUAD * a->quads + c];
    float *dgain = host(a->dgain), *dbias = host(a->dbias), *coef = host(a->sums);
    double sum = 0, moment = 0;
    for (uint32_t i = 0; i < a->chunks * a->rows; i++) {
        sum += partial(a, 0, i, c);
        moment += partial(a, 1, i, c);
    }
    if (a->has_dgain) dgain[c] = (float)((a->add_param ? (double)dgain[c] : 0) + moment * inverse);
    if (a->has_dbias) dbias[c] = (float)((a->add_param ? (double)dbias[c] : 0) + sum);
    coef[c] = (float)(sum / a->total);
    coef[(size_t)QUAD * a->quads + c] = (float)(moment * inverse * inverse / a->total);
}

/* Parameters' padding stays zero. */
static void clear_padding(const struct batch_norm_finish_args *a, float *parameter)
{
    for (uint32_t c = a->channels; c < QUAD * a->quads; c++) parameter[c] = 0;
}

void strata_cpu_batch_norm_finish(const struct batch_norm_finish_args *a, strata_pass pass)
{
    for (uint32_t c = 0; c < a->channels; c++) {
        if (pass == STRATA_STATS_FINISH)
            stats_finish(a, c);
        else
            backward_finish(a, c);
    }
    if (pass == STRATA_STATS_FINISH && !a->frozen) {
        clear_padding(a, host(a->running_mean));
        clear_padding(a, host(a->running_var));
    }
    if (pass == STRATA_BACKWARD_FINISH && a->has_dgain) clear_padding(a, host(a->dgain));
    if (pass == STRATA_BACKWARD_FINISH && a->has_dbias) clear_padding(a, host(a->dbias));
}

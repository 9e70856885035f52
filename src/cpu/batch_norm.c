/* Reference for shaders/batch_norm.comp: same arguments, plain loops, sums in double. One thread takes four
 * channels in the sums and SHARE pixels in the rest. */
#include <math.h>

#include "core/thread.h"
#include "batch_norm.args.h"

enum { QUAD = 4, SHARE = 256 };

static float *host(strata_slice s) { return strata_slice_host(s); }

static size_t partial_at(const struct batch_norm_args *a, uint32_t half, uint32_t chunk, uint32_t row,
                         uint32_t quad)
{
    return QUAD * ((((size_t)half * a->chunks + chunk) * a->rows + row) * a->quads + quad);
}

static double inverse_std(const struct batch_norm_args *a, uint32_t c)
{
    double spread = (double)host(a->spread)[c];
    return a->frozen ? 1 / sqrt(spread + (double)a->eps) : spread;
}

static void stats(void *context, uint32_t quad)
{
    const struct batch_norm_args *a = context;
    const size_t stride = (size_t)QUAD * a->quads;
    for (uint32_t begin = 0; begin < a->pixels; begin += a->chunk)
        for (uint32_t row = 0; row < a->rows; row++) {
            const uint32_t end = a->pixels - begin < a->chunk ? a->pixels : begin + a->chunk;
            const size_t at = partial_at(a, 0, a->first + begin / a->chunk, row, quad);
            const size_t second = partial_at(a, 1, a->first + begin / a->chunk, row, quad);
            for (uint32_t i = 0; i < QUAD; i++) {
                const float *x = host(a->x) + (size_t)QUAD * quad + i;
                double sum = 0, m2 = 0, n = 0;
                for (uint32_t p = begin + row; p < end; p += a->rows, n++) sum += (double)x[p * stride];
                const double mean = n > 0 ? sum / n : 0;
                for (uint32_t p = begin + row; p < end; p += a->rows)
                    m2 += ((double)x[p * stride] - mean) * ((double)x[p * stride] - mean);
                host(a->partial)[at + i] = (float)mean;
                host(a->partial)[second + i] = (float)m2;
            }
        }
}

static void backward_stats(void *context, uint32_t quad)
{
    const struct batch_norm_args *a = context;
    const size_t stride = (size_t)QUAD * a->quads;
    for (uint32_t begin = 0; begin < a->pixels; begin += a->chunk)
        for (uint32_t row = 0; row < a->rows; row++) {
            const uint32_t end = a->pixels - begin < a->chunk ? a->pixels : begin + a->chunk;
            const size_t at = partial_at(a, 0, a->first + begin / a->chunk, row, quad);
            const size_t second = partial_at(a, 1, a->first + begin / a->chunk, row, quad);
            for (uint32_t i = 0; i < QUAD; i++) {
                const float *x = host(a->x) + (size_t)QUAD * quad + i,
                            *dy = host(a->dy) + (size_t)QUAD * quad + i;
                const double mean = (double)host(a->mean)[QUAD * quad + i];
                double sum = 0, moment = 0;
                for (uint32_t p = begin + row; p < end; p += a->rows) {
                    sum += (double)dy[p * stride];
                    moment += (double)dy[p * stride] * ((double)x[p * stride] - mean);
                }
                host(a->partial)[at + i] = (float)sum;
                host(a->partial)[second + i] = (float)moment;
            }
        }
}

/* Pixels behind one partial. */
static double pixels_of(const struct batch_norm_args *a, uint32_t chunk, uint32_t row)
{
    const uint32_t begin = chunk * a->chunk;
    const uint32_t length = a->total - begin < a->chunk ? a->total - begin : a->chunk;
    return row < length ? (length - row - 1) / a->rows + 1 : 0;
}

static void stats_finish(const struct batch_norm_args *a, uint32_t c)
{
    const float *partial = host(a->partial) + c % QUAD;
    const double total = a->total, momentum = (double)a->momentum;
    double sum = 0, m2 = 0;
    for (uint32_t k = 0; k < a->chunks; k++)
        for (uint32_t r = 0; r < a->rows; r++)
            sum += pixels_of(a, k, r) * (double)partial[partial_at(a, 0, k, r, c / QUAD)];
    const double mean = sum / total;
    for (uint32_t k = 0; k < a->chunks; k++)
        for (uint32_t r = 0; r < a->rows; r++) {
            const double off = (double)partial[partial_at(a, 0, k, r, c / QUAD)] - mean;
            m2 += (double)partial[partial_at(a, 1, k, r, c / QUAD)] + pixels_of(a, k, r) * off * off;
        }
    host(a->mean)[c] = (float)mean;
    host(a->spread)[c] = (float)(1 / sqrt(m2 / total + (double)a->eps));
    float *running_mean = host(a->running_mean) + c, *running_var = host(a->running_var) + c;
    *running_mean = (float)((1 - momentum) * (double)*running_mean + momentum * mean);
    *running_var = (float)((1 - momentum) * (double)*running_var + momentum * m2 / (total - 1));
}

static void backward_finish(const struct batch_norm_args *a, uint32_t c)
{
    const float *partial = host(a->partial) + c % QUAD;
    double sum = 0, moment = 0, inverse = inverse_std(a, c);
    for (uint32_t k = 0; k < a->chunks; k++)
        for (uint32_t r = 0; r < a->rows; r++) {
            sum += (double)partial[partial_at(a, 0, k, r, c / QUAD)];
            moment += (double)partial[partial_at(a, 1, k, r, c / QUAD)];
        }
    float *dgain = host(a->dgain), *dbias = host(a->dbias), *coef = host(a->coef);
    if (a->has_dgain) dgain[c] = (float)((a->add_param ? (double)dgain[c] : 0) + moment * inverse);
    if (a->has_dbias) dbias[c] = (float)((a->add_param ? (double)dbias[c] : 0) + sum);
    coef[c] = (float)(sum / a->total);
    coef[(size_t)QUAD * a->quads + c] = (float)(moment * inverse * inverse / a->total);
}

static void forward(void *context, uint32_t share)
{
    const struct batch_norm_args *a = context;
    const float *x = host(a->x), *gain = host(a->gain), *bias = host(a->bias), *mean = host(a->mean);
    for (uint32_t p = share * SHARE; p < (share + 1) * SHARE && p < a->pixels; p++)
        for (uint32_t c = 0; c < a->channels; c++) {
            const size_t i = (size_t)p * QUAD * a->quads + c;
            const double normal = ((double)x[i] - (double)mean[c]) * inverse_std(a, c);
            host(a->y)[i] = (float)(a->affine ? normal * (double)gain[c] + (double)bias[c] : normal);
        }
}

static void backward(void *context, uint32_t share)
{
    const struct batch_norm_args *a = context;
    const float *x = host(a->x), *dy = host(a->dy), *gain = host(a->gain), *coef = host(a->coef);
    float *dx = host(a->dx);
    for (uint32_t p = share * SHARE; p < (share + 1) * SHARE && p < a->pixels; p++)
        for (uint32_t c = 0; c < a->channels; c++) {
            const size_t i = (size_t)p * QUAD * a->quads + c;
            double d = (double)dy[i];
            if (!a->frozen)
                d -= (double)coef[c] +
                     ((double)x[i] - (double)host(a->mean)[c]) * (double)coef[(size_t)QUAD * a->quads + c];
            d *= inverse_std(a, c) * (a->affine ? (double)gain[c] : 1);
            dx[i] = (float)(a->add_dx ? (double)dx[i] + d : d);
        }
}

/* Parameters' padding stays zero. */
static void clear_padding(const struct batch_norm_args *a, float *parameter)
{
    for (uint32_t c = a->channels; c < QUAD * a->quads; c++) parameter[c] = 0;
}

void strata_cpu_batch_norm(const struct batch_norm_args *a, strata_pass pass)
{
    const uint32_t shares = (a->pixels + SHARE - 1) / SHARE;
    void *context = (void *)a;
    switch (pass) {
    case STRATA_STATS: strata_thread_for(a->quads, stats, context); break;
    case STRATA_BACKWARD_STATS: strata_thread_for(a->quads, backward_stats, context); break;
    case STRATA_FORWARD: strata_thread_for(shares, forward, context); break;
    case STRATA_BACKWARD: strata_thread_for(shares, backward, context); break;
    case STRATA_STATS_FINISH:
        for (uint32_t c = 0; c < a->channels; c++) stats_finish(a, c);
        clear_padding(a, host(a->running_mean));
        clear_padding(a, host(a->running_var));
        break;
    default: /* STRATA_BACKWARD_FINISH */
        for (uint32_t c = 0; c < a->channels; c++) backward_finish(a, c);
        if (a->has_dgain) clear_padding(a, host(a->dgain));
        if (a->has_dbias) clear_padding(a, host(a->dbias));
    }
}

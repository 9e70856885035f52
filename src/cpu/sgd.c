/* Reference for shaders/sgd.comp: same arguments, plain loops, each element in double. */
#include <stdbool.h>

#include "core/thread.h"
#include "cpu/update.h"
#include "sgd.args.h"

/* One block; adds what moved and what was there to `sum`. */
static void step(const struct sgd_args *a, uint32_t block, const update_rate *rate, double ratio,
                 double sum[2])
{
    const size_t at = (size_t)block * UPDATE_BLOCK;
    const float *g = (const float *)strata_slice_host(a->g) + at;
    float *w = (float *)strata_slice_host(a->w) + at;
    float *m = a->has_m ? (float *)strata_slice_host(a->m) + at : NULL;
    const double momentum = (double)rate->momentum, clip = (double)((float *)strata_slice_host(a->state))[2];
    for (int i = 0; i < UPDATE_BLOCK; i++) {
        const double weight = (double)w[i];
        double d = ratio * (clip * (double)g[i] + (double)rate->decay * weight), moment = d;
        if (m) {
            if (!(rate->flags & UPDATE_FIRST)) moment += momentum * (double)m[i];
            m[i] = (float)moment;
            d = rate->flags & UPDATE_NESTEROV ? d + momentum * moment : moment;
        }
        w[i] = (float)(weight - (double)rate->lr * d);
        update_add(sum, (double)w[i] - weight, weight);
    }
}

static double ratio_of(const struct sgd_args *a, uint32_t row)
{
    return a->has_trust ? (double)((const float *)strata_slice_host(a->trust))[row] : 1;
}

static void share(void *context, uint32_t i)
{
    const struct sgd_args *a = context;
    const uint32_t *owner = strata_slice_host(a->owner);
    const update_rate *rates = strata_slice_host(a->rates);
    double ignored[2] = { 0 };
    for (uint32_t b = i * UPDATE_SHARE; b < (i + 1) * UPDATE_SHARE && b < a->blocks; b++) {
        const uint32_t row = owner[a->first + b];
        if (rates[row].flags & UPDATE_ACTIVE) step(a, b, &rates[row], ratio_of(a, row), ignored);
    }
}

static void piece(void *context, uint32_t i)
{
    const struct sgd_args *a = context;
    const update_piece *p = (const update_piece *)strata_slice_host(a->pieces) + a->first_piece + i;
    const update_rate *rate = (const update_rate *)strata_slice_host(a->rates) + p->row;
    float *partial = (float *)strata_slice_host(a->partial) + 2 * (size_t)(a->first_piece + i);
    double sum[2] = { 0 };
    if (rate->flags & UPDATE_ACTIVE && *(const uint32_t *)strata_slice_host(a->state) == 0)
        for (uint32_t b = 0; b < p->blocks; b++)
            step(a, p->first - a->first + b, rate, ratio_of(a, p->row), sum);
    partial[0] = (float)sum[0], partial[1] = (float)sum[1];
}

void strata_cpu_sgd(const struct sgd_args *a, strata_pass pass)
{
    const bool finite = *(const uint32_t *)strata_slice_host(a->state) == 0;
    if (pass == STRATA_MEASURE)
        strata_thread_for(a->n_pieces, piece, (void *)a);
    else if (finite)
        strata_thread_for((a->blocks + UPDATE_SHARE - 1) / UPDATE_SHARE, share, (void *)a);
}

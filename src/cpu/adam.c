/* Reference for shaders/adam.comp: same arguments, plain loops, each element in double. */
#include <math.h>
#include <stdbool.h>

#include "core/thread.h"
#include "cpu/update.h"
#include "adam.args.h"

/* One block; adds what moved and what was there to `sum`. */
static void step(const struct adam_args *a, uint32_t block, const update_rate *rate, double sum[2])
{
    const size_t at = (size_t)block * UPDATE_BLOCK;
    const float *g = (const float *)strata_slice_host(a->g) + at;
    float *w = (float *)strata_slice_host(a->w) + at, *m = (float *)strata_slice_host(a->m) + at;
    float *v = (float *)strata_slice_host(a->v) + at;
    const double beta1 = (double)rate->momentum, beta2 = (double)rate->beta2;
    const double clip = (double)((const float *)strata_slice_host(a->state))[2];
    for (int i = 0; i < UPDATE_BLOCK; i++) {
        double weight = (double)w[i], decay = (double)rate->decay * weight;
        double d = clip * (double)g[i] + (a->decoupled ? 0 : decay);
        double moment1 = beta1 * (double)m[i] + (1 - beta1) * d;
        double moment2 = beta2 * (double)v[i] + (1 - beta2) * d * d;
        double size = sqrt(moment2) * (double)rate->correction2 + (double)rate->eps;
        double move = size != 0 ? (double)rate->correction1 * moment1 / size : 0;
        m[i] = (float)moment1;
        v[i] = (float)moment2;
        w[i] = (float)(weight - (double)rate->lr * (move + (a->decoupled ? decay : 0)));
        update_add(sum, (double)w[i] - weight, weight);
    }
}

static void share(void *context, uint32_t i)
{
    const struct adam_args *a = context;
    const uint32_t *owner = strata_slice_host(a->owner);
    const update_rate *rates = strata_slice_host(a->rates);
    double ignored[2] = { 0 };
    for (uint32_t b = i * UPDATE_SHARE; b < (i + 1) * UPDATE_SHARE && b < a->blocks; b++)
        if (rates[owner[a->first + b]].flags & UPDATE_ACTIVE)
            step(a, b, &rates[owner[a->first + b]], ignored);
}

static void piece(void *context, uint32_t i)
{
    const struct adam_args *a = context;
    const update_piece *p = (const update_piece *)strata_slice_host(a->pieces) + a->first_piece + i;
    const update_rate *rate = (const update_rate *)strata_slice_host(a->rates) + p->row;
    float *partial = (float *)strata_slice_host(a->partial) + 2 * (size_t)(a->first_piece + i);
    double sum[2] = { 0 };
    if (rate->flags & UPDATE_ACTIVE && *(const uint32_t *)strata_slice_host(a->state) == 0)
        for (uint32_t b = 0; b < p->blocks; b++) step(a, p->first - a->first + b, rate, sum);
    partial[0] = (float)sum[0], partial[1] = (float)sum[1];
}

void strata_cpu_adam(const struct adam_args *a, strata_pass pass)
{
    const bool finite = *(const uint32_t *)strata_slice_host(a->state) == 0;
    if (pass == STRATA_MEASURE)
        strata_thread_for(a->n_pieces, piece, (void *)a);
    else if (finite)
        strata_thread_for((a->blocks + UPDATE_SHARE - 1) / UPDATE_SHARE, share, (void *)a);
}

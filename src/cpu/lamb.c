/* Reference for shaders/lamb.comp: same arguments, plain loops, each element in double. */
#include <math.h>
#include <stdbool.h>

#include "core/thread.h"
#include "cpu/update.h"
#include "lamb.args.h"

static double direction(double weight, double moment1, double moment2, const update_rate *rate)
{
    double size = sqrt(moment2) * (double)rate->correction2 + (double)rate->eps;
    double move = size != 0 ? (double)rate->correction1 * moment1 / size : 0;
    return move + (double)rate->decay * weight;
}

static void moments(const struct lamb_args *a, uint32_t block, const update_rate *rate, double sum[2])
{
    const size_t at = (size_t)block * UPDATE_BLOCK;
    const float *g = (const float *)strata_slice_host(a->g) + at;
    const float *w = (const float *)strata_slice_host(a->w) + at;
    float *m = (float *)strata_slice_host(a->m) + at, *v = (float *)strata_slice_host(a->v) + at;
    const double beta1 = (double)rate->momentum, beta2 = (double)rate->beta2;
    const double clip = (double)((const float *)strata_slice_host(a->state))[2];
    for (int i = 0; i < UPDATE_BLOCK; i++) {
        double d = clip * (double)g[i];
        double moment1 = beta1 * (double)m[i] + (1 - beta1) * d;
        double moment2 = beta2 * (double)v[i] + (1 - beta2) * d * d;
        m[i] = (float)moment1;
        v[i] = (float)moment2;
        update_add(sum, (double)w[i], direction((double)w[i], moment1, moment2, rate));
    }
}

static void step(const struct lamb_args *a, uint32_t block, const update_rate *rate, double ratio,
                 double sum[2])
{
    const size_t at = (size_t)block * UPDATE_BLOCK;
    const float *m = (const float *)strata_slice_host(a->m) + at;
    const float *v = (const float *)strata_slice_host(a->v) + at;
    float *w = (float *)strata_slice_host(a->w) + at;
    for (int i = 0; i < UPDATE_BLOCK; i++) {
        const double weight = (double)w[i];
        w[i] = (float)(weight -
                       (double)rate->lr * ratio * direction(weight, (double)m[i], (double)v[i], rate));
        update_add(sum, (double)w[i] - weight, weight);
    }
}

static double ratio_of(const struct lamb_args *a, uint32_t row)
{
    return (double)((const float *)strata_slice_host(a->trust))[row];
}

static void share(void *context, uint32_t i)
{
    const struct lamb_args *a = context;
    const uint32_t *owner = strata_slice_host(a->owner);
    const update_rate *rates = strata_slice_host(a->rates);
    double ignored[2] = { 0 };
    for (uint32_t b = i * UPDATE_SHARE; b < (i + 1) * UPDATE_SHARE && b < a->blocks; b++) {
        const uint32_t row = owner[a->first + b];
        if (rates[row].flags & UPDATE_ACTIVE) step(a, b, &rates[row], ratio_of(a, row), ignored);
    }
}

typedef struct work {
    const struct lamb_args *args;
    bool stats;
} work;

static void piece(void *context, uint32_t i)
{
    const work *job = context;
    const struct lamb_args *a = job->args;
    const update_piece *p = (const update_piece *)strata_slice_host(a->pieces) + a->first_piece + i;
    const update_rate *rate = (const update_rate *)strata_slice_host(a->rates) + p->row;
    float *partial = (float *)strata_slice_host(a->partial) + 2 * (size_t)(a->first_piece + i);
    double sum[2] = { 0 };
    if (rate->flags & UPDATE_ACTIVE && *(const uint32_t *)strata_slice_host(a->state) == 0)
        for (uint32_t b = 0; b < p->blocks; b++) {
            const uint32_t block = p->first - a->first + b;
            if (job->stats)
                moments(a, block, rate, sum);
            else
                step(a, block, rate, ratio_of(a, p->row), sum);
        }
    partial[0] = (float)sum[0], partial[1] = (float)sum[1];
}

void strata_cpu_lamb(const struct lamb_args *a, strata_pass pass)
{
    const bool finite = *(const uint32_t *)strata_slice_host(a->state) == 0;
    work job = { a, pass == STRATA_STATS };
    if (pass != STRATA_FORWARD)
        strata_thread_for(a->n_pieces, piece, &job);
    else if (finite)
        strata_thread_for((a->blocks + UPDATE_SHARE - 1) / UPDATE_SHARE, share, (void *)a);
}

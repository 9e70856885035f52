/* Reference for shaders/adam.comp: same arguments, plain loops, each element in double. */
#include <math.h>
#include <stdbool.h>

#include "core/thread.h"
#include "adam.args.h"

enum { BLOCK = 256, SHARE = 64 /* blocks of one piece of work */ };
enum { ACTIVE = 1 };

struct rate {
    float lr, momentum, beta2, eps, decay, correction1, correction2;
    uint32_t flags;
};

static void step(const struct adam_args *a, uint32_t block, const struct rate *rate, double clip)
{
    const size_t at = (size_t)block * BLOCK;
    const float *g = (const float *)strata_slice_host(a->g) + at;
    float *w = (float *)strata_slice_host(a->w) + at, *m = (float *)strata_slice_host(a->m) + at;
    float *v = (float *)strata_slice_host(a->v) + at;
    const double beta1 = (double)rate->momentum, beta2 = (double)rate->beta2;
    for (int i = 0; i < BLOCK; i++) {
        double weight = (double)w[i], decay = (double)rate->decay * weight;
        double d = clip * (double)g[i] + (a->decoupled ? 0 : decay);
        double moment1 = beta1 * (double)m[i] + (1 - beta1) * d;
        double moment2 = beta2 * (double)v[i] + (1 - beta2) * d * d;
        double size = sqrt(moment2) * (double)rate->correction2 + (double)rate->eps;
        double move = size != 0 ? (double)rate->correction1 * moment1 / size : 0;
        m[i] = (float)moment1;
        v[i] = (float)moment2;
        w[i] = (float)(weight - (double)rate->lr * (move + (a->decoupled ? decay : 0)));
    }
}

static void share(void *context, uint32_t i)
{
    const struct adam_args *a = context;
    const uint32_t *owner = strata_slice_host(a->owner);
    const struct rate *rates = strata_slice_host(a->rates);
    const float *state = strata_slice_host(a->state);
    for (uint32_t b = i * SHARE; b < (i + 1) * SHARE && b < a->blocks; b++)
        if (rates[owner[a->first + b]].flags & ACTIVE)
            step(a, b, &rates[owner[a->first + b]], (double)state[2]);
}

void strata_cpu_adam(const struct adam_args *a, strata_pass pass)
{
    (void)pass;
    if (*(const uint32_t *)strata_slice_host(a->state) != 0) return; /* not finite */
    strata_thread_for((a->blocks + SHARE - 1) / SHARE, share, (void *)a);
}

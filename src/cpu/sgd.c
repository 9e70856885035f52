/* Reference for shaders/sgd.comp: same arguments, plain loops, each element in double. */
#include <stdbool.h>

#include "core/thread.h"
#include "sgd.args.h"

enum { BLOCK = 256, SHARE = 64 /* blocks of one piece of work */ };
enum { ACTIVE = 1, NESTEROV = 2, FIRST = 4 };

struct rate {
    float lr, momentum, beta2, eps, decay, correction1, correction2;
    uint32_t flags;
};

static void step(const struct sgd_args *a, uint32_t block, const struct rate *rate, double clip)
{
    const size_t at = (size_t)block * BLOCK;
    const float *g = (const float *)strata_slice_host(a->g) + at;
    float *w = (float *)strata_slice_host(a->w) + at;
    float *m = a->has_m ? (float *)strata_slice_host(a->m) + at : NULL;
    const double momentum = (double)rate->momentum;
    for (int i = 0; i < BLOCK; i++) {
        double d = clip * (double)g[i] + (double)rate->decay * (double)w[i], moment = d;
        if (m) {
            if (!(rate->flags & FIRST)) moment += momentum * (double)m[i];
            m[i] = (float)moment;
            d = rate->flags & NESTEROV ? d + momentum * moment : moment;
        }
        w[i] = (float)((double)w[i] - (double)rate->lr * d);
    }
}

static void share(void *context, uint32_t i)
{
    const struct sgd_args *a = context;
    const uint32_t *owner = strata_slice_host(a->owner);
    const struct rate *rates = strata_slice_host(a->rates);
    const float *state = strata_slice_host(a->state);
    for (uint32_t b = i * SHARE; b < (i + 1) * SHARE && b < a->blocks; b++)
        if (rates[owner[a->first + b]].flags & ACTIVE)
            step(a, b, &rates[owner[a->first + b]], (double)state[2]);
}

void strata_cpu_sgd(const struct sgd_args *a, strata_pass pass)
{
    (void)pass;
    if (*(const uint32_t *)strata_slice_host(a->state) != 0) return; /* not finite */
    strata_thread_for((a->blocks + SHARE - 1) / SHARE, share, (void *)a);
}

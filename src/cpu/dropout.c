/* Reference for shaders/dropout.comp: same arguments, the same random words. */
#include "core/random.h"
#include "core/thread.h"
#include "dropout.args.h"

#include <stdbool.h>

typedef struct work {
    const struct dropout_args *a;
    const float *x, *dy;
    float *y, *dx;
    const uint32_t *values; /* strata_step_values */
} work;

/* What quad q of image n, of this launch, is multiplied by. */
static void mask(double keep[4], const work *w, uint32_t n, uint32_t q)
{
    const uint32_t *v = w->values;
    strata_random4 words = strata_philox(q, v[3] + w->a->first + n, w->a->node, v[2], v[0],
                                         STRATA_RANDOM_DROPOUT ^ (v[1] * 0x9E3779B9u));
    for (int j = 0; j < 4; j++) keep[j] = strata_uniform(words.v[j]) >= w->a->p ? (double)w->a->scale : 0;
}

static void evaluate(void *context, uint32_t n)
{
    const work *w = context;
    size_t floats = 4 * (size_t)w->a->image_quads, first = n * floats;
    for (size_t i = first; i < first + floats; i++) w->y[i] = w->x[i];
}

static void train(const work *w, uint32_t n, const float *from, float *to, bool add)
{
    for (uint32_t q = 0; q < w->a->image_quads; q++) {
        size_t i = 4 * ((size_t)n * w->a->image_quads + q);
        double keep[4];
        mask(keep, w, n, q);
        for (size_t j = 0; j < 4; j++) {
            double v = keep[j] != 0 ? keep[j] * (double)from[i + j] : 0; /* a NaN that is dropped is gone */
            to[i + j] = (float)(add ? (double)to[i + j] + v : v);
        }
    }
}

static void forward(void *context, uint32_t n)
{
    const work *w = context;
    train(w, n, w->x, w->y, false);
}

static void backward(void *context, uint32_t n)
{
    const work *w = context;
    train(w, n, w->dy, w->dx, w->a->add_dx);
}

void strata_cpu_dropout(const struct dropout_args *a, strata_pass pass)
{
    work w = { a,
               strata_slice_host(a->x),
               strata_slice_host(a->dy),
               strata_slice_host(a->y),
               strata_slice_host(a->dx),
               strata_slice_host(a->values) };
    strata_thread_for(a->images,
                      pass == STRATA_EVALUATE  ? evaluate
                      : pass == STRATA_FORWARD ? forward
                                               : backward,
                      &w);
}

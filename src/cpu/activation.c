/* Reference for shaders/activation.comp: same arguments, each element in double. */
#include <math.h>

#include "activation.args.h"
#include "core/thread.h"

enum { RELU, LEAKY_RELU, GELU, GELU_TANH, SILU };

static double normal_cdf(double t) { return 0.5 * erfc(-t * 0.7071067811865476); }

static double normal_density(double t) { return exp(-0.5 * t * t) * 0.3989422804014327; }

static const double root = 0.7978845608028654; /* sqrt(2 / pi), of gelu's tanh form */

static double f(double t, uint32_t kind, double slope)
{
    switch (kind) {
    case RELU: return t <= 0 ? 0 : t;
    case LEAKY_RELU: return t <= 0 ? slope * t : t;
    case GELU: return t * normal_cdf(t);
    case GELU_TANH: return 0.5 * t * (1 + tanh(root * (t + 0.044715 * t * t * t)));
    default: return t / (1 + exp(-t));
    }
}

/* f'(t) * d; the shader's top comment says why relu's t is its output. */
static double gradient(double t, double d, uint32_t kind, double slope)
{
    switch (kind) {
    case RELU: return t <= 0 ? 0 : d;
    case LEAKY_RELU: return t <= 0 ? slope * d : d;
    case GELU: return d * (normal_cdf(t) + t * normal_density(t));
    case GELU_TANH: {
        double s = tanh(root * (t + 0.044715 * t * t * t));
        return d * (0.5 * (1 + s) + 0.5 * t * (1 - s * s) * root * (1 + 3 * 0.044715 * t * t));
    }
    default: {
        double p = 1 / (1 + exp(-t));
        return d * (p + t * p * (1 - p));
    }
    }
}

typedef struct work {
    const struct activation_args *a;
    const float *x, *dy;
    float *y, *dx;
} work;

static void forward(void *context, uint32_t n)
{
    const work *w = context;
    size_t floats = 4 * (size_t)w->a->image_quads, first = n * floats;
    for (size_t i = first; i < first + floats; i++)
        w->y[i] = (float)f((double)w->x[i], w->a->kind, (double)w->a->slope);
}

static void backward(void *context, uint32_t n)
{
    const work *w = context;
    size_t floats = 4 * (size_t)w->a->image_quads, first = n * floats;
    for (size_t i = first; i < first + floats; i++) {
        double g = gradient((double)w->x[i], (double)w->dy[i], w->a->kind, (double)w->a->slope);
        w->dx[i] = (float)(w->a->add_dx ? (double)w->dx[i] + g : g);
    }
}

void strata_cpu_activation(const struct activation_args *a, strata_pass pass)
{
    work w = { a, strata_slice_host(a->x), strata_slice_host(a->dy), strata_slice_host(a->y),
               strata_slice_host(a->dx) };
    strata_thread_for(a->images, pass == STRATA_FORWARD ? forward : backward, &w);
}

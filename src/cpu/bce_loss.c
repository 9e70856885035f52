/* Reference for shaders/bce_loss.comp: same arguments, plain loops, sums in double. */
#include <math.h>

#include "core/shape.h"
#include "bce_loss.args.h"

static void forward(const struct bce_loss_args *a, uint32_t n)
{
    const size_t at = (size_t)n * strata_lanes(a->classes);
    const float *logits = (const float *)strata_slice_host(a->logits) + at;
    const float *target = (const float *)strata_slice_host(a->target) + at;
    float *loss = strata_slice_host(a->loss);
    double sum = 0;
    for (uint32_t k = 0; k < a->classes; k++) {
        double x = (double)logits[k], t = (double)target[k];
        sum += (x < 0 ? 0 : x) - x * t + log1p(exp(-fabs(x)));
    }
    loss[n] = (float)(sum / a->classes);
}

static void backward(const struct bce_loss_args *a, uint32_t n)
{
    const size_t at = (size_t)n * strata_lanes(a->classes);
    const float *logits = (const float *)strata_slice_host(a->logits) + at;
    const float *target = (const float *)strata_slice_host(a->target) + at;
    const float *dloss = strata_slice_host(a->dloss);
    float *dx = (float *)strata_slice_host(a->dlogits) + at;
    for (uint32_t k = 0; k < a->classes; k++) {
        double g = 0, d = (double)dloss[n] / a->classes;
        if (d != 0) g = d * (1 / (1 + exp(-(double)logits[k])) - (double)target[k]);
        dx[k] = (float)(a->add_dlogits ? (double)dx[k] + g : g);
    }
}

void strata_cpu_bce_loss(const struct bce_loss_args *a, strata_pass pass)
{
    for (uint32_t n = 0; n < a->rows; n++)
        if (pass == STRATA_FORWARD)
            forward(a, n);
        else
            backward(a, n);
}

/* Reference for shaders/softmax_loss.comp: same arguments, plain loops, sums in double. */
#include <math.h>
#include <stdbool.h>

#include "core/shape.h"
#include "softmax_loss.args.h"

static double weight_of(const struct softmax_loss_args *a, uint32_t k)
{
    const float *weight = strata_slice_host(a->weight);
    return a->weighted ? (double)weight[k] : 1.0;
}

static void forward(const struct softmax_loss_args *a, uint32_t n)
{
    const float *x = (const float *)strata_slice_host(a->logits) + (size_t)n * strata_lanes(a->classes);
    const int32_t label = ((const int32_t *)strata_slice_host(a->label))[n];
    float *lse = strata_slice_host(a->lse), *loss = strata_slice_host(a->loss);
    double top = (double)x[0], sum = 0, smooth = 0, s = (double)a->smoothing;
    for (uint32_t k = 1; k < a->classes; k++)
        if ((double)x[k] > top) top = (double)x[k];
    for (uint32_t k = 0; k < a->classes; k++) sum += exp((double)x[k] - top);
    const double log_sum = log(sum);
    for (uint32_t k = 0; k < a->classes; k++) smooth += weight_of(a, k) * (log_sum + top - (double)x[k]);
    lse[2 * (size_t)n] = (float)top;
    lse[2 * (size_t)n + 1] = (float)log_sum;
    loss[n] = 0;
    if (label >= 0 && (uint32_t)label < a->classes) {
        double hard = weight_of(a, (uint32_t)label) * (log_sum + top - (double)x[label]);
        loss[n] = (float)((1 - s) * hard + (s > 0 ? s / a->classes * smooth : 0));
    }
}

static void backward(const struct softmax_loss_args *a, uint32_t n)
{
    const size_t at = (size_t)n * strata_lanes(a->classes);
    const float *x = (const float *)strata_slice_host(a->logits) + at, *lse = strata_slice_host(a->lse);
    const float *dloss = strata_slice_host(a->dloss);
    float *dx = (float *)strata_slice_host(a->dlogits) + at;
    const int32_t label = ((const int32_t *)strata_slice_host(a->label))[n];
    double total = 0, s = (double)a->smoothing, d = (double)dloss[n];
    bool counts = label >= 0 && (uint32_t)label < a->classes && d != 0;
    for (uint32_t k = 0; k < a->classes; k++) total += weight_of(a, k);
    for (uint32_t k = 0; k < a->classes; k++) {
        double p = exp((double)x[k] - (double)lse[2 * (size_t)n] - (double)lse[2 * (size_t)n + 1]), g = 0;
        if (counts)
            g = d * ((1 - s) * weight_of(a, (uint32_t)label) * (p - (k == (uint32_t)label)) +
                     s / a->classes * (total * p - weight_of(a, k)));
        dx[k] = (float)(a->add_dlogits ? (double)dx[k] + g : g);
    }
}

void strata_cpu_softmax_loss(const struct softmax_loss_args *a, strata_pass pass)
{
    for (uint32_t n = 0; n < a->rows; n++)
        if (pass == STRATA_FORWARD)
            forward(a, n);
        else
            backward(a, n);
}

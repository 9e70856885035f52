/* Reference for shaders/softmax_target_loss.comp: same arguments, plain loops, sums in double. */
#include <math.h>

#include "core/shape.h"
#include "softmax_target_loss.args.h"

/* What class k counts in row n. */
static double count_of(const struct softmax_target_loss_args *a, uint32_t n, uint32_t k)
{
    const float *target = (const float *)strata_slice_host(a->target) + (size_t)n * strata_lanes(a->classes);
    const float *weight = strata_slice_host(a->weight);
    const double s = (double)a->smoothing;
    return (a->weighted ? (double)weight[k] : 1) * ((1 - s) * (double)target[k] + s / a->classes);
}

static void forward(const struct softmax_target_loss_args *a, uint32_t n)
{
    const float *x = (const float *)strata_slice_host(a->logits) + (size_t)n * strata_lanes(a->classes);
    float *lse = strata_slice_host(a->lse), *loss = strata_slice_host(a->loss);
    double top = (double)x[0], sum = 0, all = 0;
    for (uint32_t k = 1; k < a->classes; k++)
        if ((double)x[k] > top) top = (double)x[k];
    for (uint32_t k = 0; k < a->classes; k++) sum += exp((double)x[k] - top);
    for (uint32_t k = 0; k < a->classes; k++) all += count_of(a, n, k) * (log(sum) + top - (double)x[k]);
    lse[2 * (size_t)n] = (float)top;
    lse[2 * (size_t)n + 1] = (float)log(sum);
    loss[n] = (float)all;
}

static void backward(const struct softmax_target_loss_args *a, uint32_t n)
{
    const size_t at = (size_t)n * strata_lanes(a->classes);
    const float *x = (const float *)strata_slice_host(a->logits) + at, *lse = strata_slice_host(a->lse);
    const double d = (double)((const float *)strata_slice_host(a->dloss))[n];
    float *dx = (float *)strata_slice_host(a->dlogits) + at;
    double total = 0;
    for (uint32_t k = 0; k < a->classes; k++) total += count_of(a, n, k);
    for (uint32_t k = 0; k < a->classes; k++) {
        const double p = exp((double)x[k] - (double)lse[2 * (size_t)n] - (double)lse[2 * (size_t)n + 1]);
        const double g = d != 0 ? d * (total * p - count_of(a, n, k)) : 0;
        dx[k] = (float)(a->add_dlogits ? (double)dx[k] + g : g);
    }
}

void strata_cpu_softmax_target_loss(const struct softmax_target_loss_args *a, strata_pass pass)
{
    for (uint32_t n = 0; n < a->rows; n++)
        if (pass == STRATA_FORWARD)
            forward(a, n);
        else
            backward(a, n);
}

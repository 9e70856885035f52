/* What runs over all parameters at once after the backward pass: the gradient norm with clipping and the
 * check for values that are not finite, and the optimizers. Not nodes of a graph; launched by the plan. */
#ifndef STRATA_OPS_UPDATE_H
#define STRATA_OPS_UPDATE_H

#include "ops/device.h"

/* The flat ranges. Blocks of STRATA_RATE_BLOCK floats, each owned by one row of the rates table. */
enum { STRATA_RATE_BLOCK = 256, STRATA_RATE_WORDS = 8 };

typedef struct strata_update {
    strata_slice weights, grads, moment1,
        moment2;          /* [blocks * 256] f32; moment2 none for SGD, moment1 none without momentum */
    strata_slice owner;   /* [blocks] u32 row */
    strata_slice rates;   /* [rows * 8] 32-bit: strata_rate of graph/plan.h */
    strata_slice state;   /* strata_state of graph/plan.h */
    strata_slice loss;    /* [n] f32 per-sample losses of the last micro-batch: checked for finiteness */
    strata_slice scratch; /* strata_update_scratch() bytes at least */
    uint32_t blocks, n;
    float clip_norm; /* 0: none */
} strata_update;

uint64_t strata_update_scratch(uint32_t blocks);

/* Record: partial sums of squares of active rows' gradients -> state.grad_norm, state.clip = min(1, clip_norm
 * / (grad_norm + 1e-6)) as PyTorch, state.not_finite (sticky, also set by a loss that is not finite;
 * grad_norm is then NaN), state.skipped. Fixed order.
 * Errors: STRATA_BAD_ARG when a slice of whole chunks exceeds max_range. */
strata_status strata_update_norm(strata_stream *s, const strata_update *u);

/* Record the optimizer step: reads state.clip, skips everything (bit-equal) when state.not_finite is set or a
 * row is not active. `adam`: 0 SGD, 1 Adam with L2 decay, 2 AdamW. In slices of whole blocks where a range
 * exceeds max_range.
 *
 *   SGD    g = clip g + wd w;  m = momentum m + g (first step: m = g)
 *          w -= lr m, or with Nesterov's lr (g + momentum m)
 *
 *   Adam   g = clip g + wd w;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *          w -= lr correction1 m / (sqrt(v) correction2 + eps)
 *
 *   AdamW  g = clip g, then as Adam, and w -= lr wd w
 *
 * 1 - b1 and 1 - b2 are taken of the f32 in the table. Corrections made from the same rounded betas match
 * them; made from the doubles they leave an error of 6e-6 in v at beta2 = 0.999. */
strata_status strata_update_step(strata_stream *s, const strata_update *u, int adam);

#endif

/* What runs over all parameters at once after the backward pass: the gradient norm with clipping and the
 * check for values that are not finite, and the optimizers. Not nodes of a graph; launched by the plan. */
#ifndef STRATA_OPS_UPDATE_H
#define STRATA_OPS_UPDATE_H

#include "ops/op.h"

typedef enum strata_optimizer {
    STRATA_SGD,
    STRATA_ADAM,  /* L2 decay */
    STRATA_ADAMW, /* decoupled decay */
    STRATA_LARS,  /* SGD with a trust ratio for each row */
    STRATA_LAMB   /* Adam with decoupled decay and a trust ratio for each row */
} strata_optimizer;

/* The flat ranges. Blocks of STRATA_RATE_BLOCK floats, each owned by one row of the rates table. */
enum { STRATA_RATE_BLOCK = 256, STRATA_RATE_WORDS = 8 };

/* Blocks of one row that lie together: what one workgroup adds up. */
typedef struct strata_piece {
    uint32_t first, blocks, row, zero;
} strata_piece;

/* The pieces of all blocks, in order.
 *   out    out: [pieces]; NULL: count them
 *   owner  [blocks] row
 * Returns how many there are. */
uint32_t strata_update_pieces(strata_piece *out, const uint32_t *owner, uint32_t blocks);

typedef struct strata_update {
    strata_slice weights, grads, moment1,
        moment2;          /* [blocks * 256] f32; moment2 none for SGD, moment1 none without momentum */
    strata_slice owner;   /* [blocks] u32 row */
    strata_slice rates;   /* [rows * 8] 32-bit: strata_rate of graph/plan.h */
    strata_slice state;   /* strata_state of graph/plan.h */
    strata_slice loss;    /* [n] f32 per-sample losses of the last micro-batch: checked for finiteness */
    strata_slice scratch; /* strata_update_scratch() bytes at least */
    uint32_t blocks, n;
    uint32_t idle;          /* blocks from the first on whose rows are not active: left out of a step */
    float clip_norm;        /* 0: none */
    bool scaled;            /* gradients are of losses times state.loss_scale, which moves by itself */
    strata_slice row_steps; /* [rows] u32: steps that each row took, see strata_update_norm; none: no count */
    strata_slice copies;    /* [blocks * 256] 16 bits: of the weights */
    strata_slice counts[2]; /* [n, to a multiple of 4] f32: how much each sample's loss counts, and scaled */

    /* For LARS, LAMB and for measured steps. */
    strata_slice pieces;       /* [n_pieces] strata_piece */
    const strata_piece *piece; /* the same, borrowed while it is recorded */
    uint32_t n_pieces, rows; /* rows: of the rates table */
    strata_slice trust; /* [rows] f32: LARS, LAMB: each row's ratio in this step */
    strata_slice moved; /* [rows, 2] f32, see strata_update_step; none: nothing is measured */
    float trust_coefficient, trust_clip; /* of LARS; of both, 0: none */
    const char *defines;                 /* for the kernels, in benchmarks; NULL */
} strata_update;

uint64_t strata_update_scratch(uint32_t blocks);

/* Record: partial sums of squares of active rows' gradients -> state.grad_norm, state.clip = min(1, clip_norm
 * / (grad_norm + 1e-6)) as PyTorch, state.not_finite (sticky, also set by a loss that is not finite;
 * grad_norm is then NaN), state.skipped. Fixed order. `scaled`: the loss scale is taken out of the norm and
 * put into the clip, and moves.
 * With `row_steps`, a step that is not skipped is counted there for each active row, and the row's
 * corrections in the table are made of that count: only here it is known which steps overflow, and Adam's t
 * does not count those (PyTorch's GradScaler does not call the optimizer).
 * Errors: STRATA_BAD_ARG when a slice of whole chunks exceeds max_range. */
strata_status strata_update_norm(strata_stream *s, const strata_update *u);

/* Record the weights' copies of 16 bits, in slices of whole blocks; and the scaled counts of the samples. */
strata_status strata_update_copy(strata_stream *s, const strata_update *u);
strata_status strata_update_scale(strata_stream *s, const strata_update *u);

/* Record the optimizer step: reads state.clip, skips everything (bit-equal) when state.not_finite is set or a
 * row is not active. In slices of whole blocks where a range exceeds max_range.
 *
 *   SGD    g = clip g + wd w;  m = momentum m + g (first step: m = g)
 *          w -= lr m, or with Nesterov's lr (g + momentum m)
 *
 *   Adam   g = clip g + wd w;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *          w -= lr correction1 m / (sqrt(v) correction2 + eps)
 *
 *   AdamW  g = clip g, then as Adam, and w -= lr wd w
 *
 *   LARS   g = t (clip g + wd w), then as SGD;  t = trust_coefficient |w| / (clip |g| + wd |w| + eps), with a
 *          trust_clip c: min(t / r, c), r being the rate before its multiplier, which is in beta2
 *
 *   LAMB   m, v as AdamW;  u = correction1 m / (sqrt(v) correction2 + eps) + wd w
 *          w -= lr t u;  t = |w| / |u|, at most trust_clip
 *
 * t is that of timm: 1 where one of its norms is 0; and of rows without STRATA_RATE_TRUST. So gradients are
 * clipped first, then comes the ratio, then the row's rate with its multiplier.
 *
 * With `moved` a step writes there the norms of each active row's step, as its f32 weights took it, and of
 * its weights before it; 0 and 0 for other rows. The weights are bit for bit those of a step that is not
 * measured.
 *
 * 1 - b1 and 1 - b2 are taken of the f32 in the table. Corrections made from the same rounded betas match
 * them; made from the doubles they leave an error of 6e-6 in v at beta2 = 0.999. */
strata_status strata_update_step(strata_stream *s, const strata_update *u, strata_optimizer optimizer);

/* The work of strata_update_norm (`norm`) or of strata_update_step over `bytes` of parameters with so many
 * moments. */
strata_work strata_update_work(double bytes, uint32_t moments, bool norm);

#endif

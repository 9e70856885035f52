/* The plan: every tensor of a graph placed in a few large blocks by lifetime, outputs over inputs that are
 * read no more where an op goes element by element (lives.h), the backward order, and the recordings of a
 * step. After it nothing is allocated and nothing is recorded, but at a change of the frozen prefix. */
#ifndef STRATA_GRAPH_PLAN_H
#define STRATA_GRAPH_PLAN_H

#include "graph/graph.h"
#include "ops/augment.h"
#include "ops/update.h"

/* One row of the rates table, in the order the optimizer kernels read it. All in the units of one step. */
typedef struct strata_rate {
    float lr;
    float momentum; /* SGD: momentum; Adam: beta1 */
    float beta2;    /* LARS: the rate before its multiplier */
    float eps;
    float weight_decay;
    float correction1; /* 1 / (1 - beta1^t), computed in double on the host; SGD: 1 */
    float correction2; /* 1 / sqrt(1 - beta2^t); a device that counts t, in row_steps, makes both anew */
    uint32_t flags;    /* STRATA_RATE_* */
} strata_rate;

enum {
    STRATA_RATE_ACTIVE = 1, /* without it the row's tensor and its moments stay bit-equal */
    STRATA_RATE_NESTEROV = 2,
    STRATA_RATE_FIRST = 4, /* SGD: the first active step: momentum buffer = gradient, as PyTorch */
    STRATA_RATE_TRUST = 8  /* LARS, LAMB: the row has a trust ratio; else it is 1 */
};

/* What the device keeps across the steps and gives back with each of them. */
typedef struct strata_state {
    uint32_t not_finite; /* 1 once a loss or a gradient was not finite: from then on the optimizer skips.
                            2: a scaled gradient alone was, and the optimizer skipped this one step */
    float grad_norm;     /* of the last step, over all active parameters, before clipping */
    float clip;       /* gradients were multiplied by min(1, clip_norm / (grad_norm + 1e-6)), as PyTorch, over
                            the loss scale */
    uint32_t skipped; /* steps skipped, for either reason */
    float
        loss_scale; /* `half`: of the next step. A power of two from 1 to 2^24, halved by an overflow, doubled
                            after 2000 steps without; 0: none was taken, 65536 is first */
    uint32_t good_steps; /* `half`: since it moved */
    uint32_t reserved[58];
} strata_state;

typedef struct strata_plan_config {
    bool train; /* false: forward in evaluation mode only */
    strata_optimizer optimizer;
    bool momentum; /* SGD and LARS keep a momentum buffer; Adam and LAMB always keep two */
    float trust_coefficient, trust_clip; /* as strata_update has them */
    float clip_norm;                     /* 0: gradients are not clipped */
    uint32_t micro_batches; /* of graph batch size each, that one step accumulates; 0 counts as 1 */
    uint32_t frozen_nodes; /* nodes before this one get no backward pass; parameters there have no gradient */
    const bool *hold;      /* [n_nodes] batch norms that hold their running statistics, and normalise by them;
                         copied; NULL: none */
    bool no_fuse;   /* every node runs by itself; else some take in what follows them, see fuse.h */
    bool recompute; /* forget activations between a few places and compute them again, see order.h */
    bool half;      /* activations, their gradients and the filters that kernels read have 16 bits, all but
                      what the host fills or reads: pixels, logits, targets; losses are scaled for it */
    bool apart;     /* tests: no tensor lies over another that its op reads for the last time, see lives.h */
    bool keep_all;  /* every tensor has memory of its own until the step ends: for looking at them, and for
                      tests */
    const strata_augment
        *augment; /* the host gives stored pixels, and this makes the network's input of them,
                                      of at most 4 channels; copied; NULL: it gives that input in f32 */
    bool poison;  /* tests: fill all memory with NaN first, so that nothing read before it is written hides */
    const struct strata_plan *share; /* parameters, gradients, moments and statistics are this plan's (same
                                        network, another batch), which outlives the new one; NULL */
    const char *variants;            /* forced, see strata_stream_force; NULL */
    uint64_t memory_limit;           /* bytes; 0: the device's heap */
} strata_plan_config;

/* What a step is made of. A part is a list of segments, recordings of some tens of launches: they are
 * submitted together, and can be submitted in pieces where a driver's watchdog limits how long one submission
 * may take. */
enum {
    STRATA_PART_FIRST,
    STRATA_PART_NEXT,
    STRATA_PART_UPDATE,
    STRATA_PART_MEASURE, /* in the place of UPDATE: measures each row's step */
    STRATA_PART_EVALUATE,
    STRATA_PARTS
};
enum { STRATA_SEGMENTS = 120, STRATA_SEGMENT_LAUNCHES = 48 };
typedef struct strata_part {
    strata_stream *segment[STRATA_SEGMENTS];
    uint32_t n;
} strata_part;

/* The recordings of a training step for one frozen prefix. */
typedef struct strata_frozen {
    uint32_t nodes; /* in it */
    bool *hold;     /* [n_nodes] as strata_plan_config.hold; owned */
    strata_part part[STRATA_PART_EVALUATE]; /* what comes before that one */
} strata_frozen;

typedef struct strata_plan {
    strata_graph *graph;   /* borrowed; its tensors' and parameters' slices are set by the plan */
    strata_device *device; /* borrowed */
    strata_plan_config config;

    strata_arena arena; /* of what fusing makes */
    strata_node **node; /* [n_nodes] what runs, in this order: the graph's nodes, or fused ones */
    uint32_t n_nodes;
    strata_node **evaluated; /* [n_nodes] what runs in evaluation; NULL: taken in by another */
    struct strata_order *order; /* of their work */
    struct strata_lives *lives; /* when each tensor lives, and over which others */

    strata_block *block; /* [n_blocks] owned */
    uint32_t n_blocks;
    uint64_t device_bytes; /* of all blocks: the peak, as nothing else is allocated */
    uint64_t least_bytes;  /* alive at once at the worst time: no placement takes less */

    /* One contiguous range filled by the host for each micro-batch, and where its parts begin in it (bytes).
     */
    strata_slice in;
    uint64_t in_step, in_rates, in_target, in_weights, in_samples, in_pixels; /* strata_step_values,
                      strata_rate[n_rows], target, f32 [n] weights, strata_sample[n] where the plan augments,
                      pixels: stored ones where it does, else f32 NHWC */
    uint64_t in_class_weights;            /* f32 [classes] before the pixels, where the loss takes them */
    uint64_t in_other_samples, in_others; /* where the plan mixes: strata_sample[n], stored pixels of what is
                                             mixed into each image */
    /* One contiguous range given back: strata_state, then f32 [n] losses, then of a measured step f32
     * [n_rows, 2] norms of each row's step and weights; in evaluation also f32 [n, lanes(k)] logits. */
    strata_slice result;
    uint64_t result_loss, result_moved, result_logits;
    uint64_t result_train_bytes; /* what a training step downloads: up to the end of `moved` */

    strata_slice weights, grads, moment1,
        moment2;         /* flat, same layout: trained parameters in rows of blocks */
    strata_slice owner;  /* [weights bytes / 1024] u32: the rates row of each block of 256 floats */
    strata_slice pieces; /* [n_pieces] of strata_update_pieces */
    strata_piece *piece; /* the same on the host: owned, but shared with `config.share` */
    uint32_t n_pieces;
    strata_slice copies;  /* [as weights] 16 bits: of all parameters, made anew before every forward pass */
    strata_slice counts;  /* [n, to a multiple of 4] f32: sample_weights times the loss scale */
    strata_slice trust;   /* [n_rows] f32: LARS, LAMB: the ratios of the last step */
    strata_slice row_steps; /* [n_rows] u32: `half` with Adam and LAMB: the steps each row took: their t */
    strata_slice running; /* running statistics of all batch norms, flat */
    strata_slice state, rates, step_values, sample_weights, moved; /* parts of `in` and `result` */
    strata_augment augment;                                        /* config.augment points to it */
    strata_slice input, records, other_records; /* where the plan augments: what the network sees, what was
                                                   done to each image; where it mixes, to what came in */
    strata_slice scratch;                       /* of the largest node and of the update */
    strata_slice *data_home, *again_home;       /* [n_tensors] of values: made forward, and made again */
    strata_slice *grad_home; /* [n_tensors] each tensor's gradient memory, whether the frozen prefix leaves it
                                in use or not */

    strata_part part[STRATA_PARTS]; /* of the frozen prefix that is taken now */
    strata_frozen *kept;            /* [n_kept] owned: one for each prefix there was */
    uint32_t n_kept;
} strata_plan;

/* Say which tensors of the graph have floats of 16 bits, as strata_plan_open does: for a tuner, which looks
 * at them before. */
void strata_plan_types(strata_graph *g, const strata_plan_config *config);

/* Place everything and record. The graph's tensors point into the plan afterwards; one plan per graph at a
 * time.
 * Owner:  caller; release with strata_plan_close, after every ring made from it.
 * Errors: STRATA_DEVICE_MEMORY with the bytes wanted, what is there and which batch would fit;
 * STRATA_BAD_SHAPE for tensors above 2^31 - 1 elements; STRATA_BAD_SHADER. */
strata_status strata_plan_open(strata_plan **out, strata_graph *g, strata_device *d,
                               const strata_plan_config *config);
void strata_plan_close(strata_plan *p);

/* Take the recordings of another frozen prefix; they are made where it is the first time. Call with no step
 * in flight. Memory, weights and moments stay.
 *   hold  [n_nodes] as strata_plan_config.hold; may be NULL
 * Errors: STRATA_DEVICE_MEMORY, STRATA_NO_MEMORY; the recordings there were are still taken. */
strata_status strata_plan_freeze(strata_plan *p, uint32_t frozen_nodes, const bool *hold);

/* Submit one micro-batch through a ring: forward and backward (`next`: gradients are added to, not assigned),
 * and the optimizer after it. Or a forward pass in evaluation mode. */
typedef enum strata_ending {
    STRATA_NO_UPDATE,
    STRATA_UPDATE,
    STRATA_UPDATE_MEASURED /* `moved` of the result is then of this step: see strata_update_step */
} strata_ending;
strata_status strata_plan_submit_train(const strata_plan *p, strata_ring *r, bool next, strata_ending end);
strata_status strata_plan_submit_evaluate(const strata_plan *p, strata_ring *r);

/* Move one parameter (or, with `grad`, its gradient) in file order. values [strata_param_count]. Waits. */
strata_status strata_plan_write_param(strata_plan *p, const strata_param *param, const float *values);
strata_status strata_plan_read_param(strata_plan *p, const strata_param *param, float *values, bool grad);

/* Move a whole flat range (weights, moment1, ... of the plan) in device order, for checkpoints. Waits. */
strata_status strata_plan_write_range(strata_plan *p, strata_slice range, const void *bytes);
strata_status strata_plan_read_range(strata_plan *p, void *bytes, strata_slice range);

#endif

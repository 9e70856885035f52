/* One node on one device: its tensors in one block with guard zones between them, and its passes run on a
 * given content of that block. Two benches of the same pattern have the same layout, so one image of the
 * block serves both. */
#ifndef STRATA_CHECK_BENCH_H
#define STRATA_CHECK_BENCH_H

#include "check/pattern.h"

enum { BENCH_MAX_PIECES = 2 * STRATA_MAX_IN + 2 * STRATA_MAX_PARAMS + STRATA_MAX_KEPT + 5 };

typedef enum piece_kind {
    PIECE_IN,
    PIECE_IN_GRAD,
    PIECE_OUT,
    PIECE_OUT_GRAD,
    PIECE_PARAM,
    PIECE_PARAM_GRAD,
    PIECE_KEPT,
    PIECE_SCRATCH,
    PIECE_STEP
} piece_kind;

typedef struct piece {
    piece_kind kind;
    uint32_t index;              /* of in, param, kept */
    const strata_tensor *tensor; /* IN, OUT and their gradients; else NULL */
    const strata_param *param;   /* PARAM and its gradient; else NULL */
    uint64_t offset, bytes;      /* in the block */
    bool half;                   /* its floats have 16 bits */
    char name[40];               /* "x", "dx", "out", "dout", "weight", "dweight" */
} piece;

typedef struct bench {
    strata_device *device;  /* borrowed */
    const pattern *pattern; /* borrowed */
    strata_graph *graph;
    strata_node *node;
    strata_block block;
    piece piece[BENCH_MAX_PIECES];
    uint32_t n_pieces;
    bool same, ties; /* STRATA_ROW_SAME, STRATA_ROW_TIES */
    bool half;       /* STRATA_ROW_HALF */
    bool evaluates;  /* it took in a norm: the node has no pass but forward in evaluation mode */
    bool poison;     /* overwrite with NaN before backward what the op does not declare to read */
} bench;

/* How a node is run. */
typedef struct bench_way {
    const char *name; /* "add": for messages */
    strata_mode mode;
    bool add;    /* gradients are added, not assigned */
    bool frozen; /* frozen_stats */
    bool only; /* only gradient number `wanted` (of the pieces that are gradients of inputs or parameters) */
    uint32_t wanted;
    /* The output lies over in[over - 1], and that one's gradient over the output's, where the op allows it;
     * what comes of it is found where it would be otherwise. 0: nothing does. */
    uint32_t over;
    const char *variant; /* forced; NULL: none */
    const void *out; /* an image whose output backward reads in the place of its own; NULL: its own */
} bench_way;

/* Build the node and place its pieces.  skip: out, true (and nothing built) if the op refuses these shapes,
 * or to take in what the row says on this device.
 * Owner: caller; release with bench_close. */
strata_status bench_open(bench *out, strata_device *d, const pattern *p, const strata_row *row, bool *skip);
void bench_close(bench *b);

/* Fill an image [block.bytes] for a run: random inputs, parameters and upstream gradients, NaN in pads,
 * outputs, kept tensors, scratch and guard zones; gradients random if `add`, else NaN.  seed: keys the
 * numbers. */
void bench_fill(const bench *b, void *image, uint32_t seed, bool add);

/* Called for every launch that was recorded. */
typedef void bench_launched(void *context, const strata_recorded *launch);

/* What a run gives. The two images are the caller's, [block.bytes] each.
 *   forward   the block after forward; may be NULL in training
 *   backward  the block after backward, before which scratch (and with `poison` what the op does not declare
 *             to read) was overwritten with NaN; not touched in evaluation mode
 *   why       "" or what no pass may do: guard zones or read-only tensors changed, the variant not run */
typedef struct bench_result {
    void *forward, *backward;
    char why[200];
    bench_launched *launched; /* NULL: nobody is told */
    void *context;
} bench_result;

/* Run forward, and in STRATA_TRAIN backward, on the content `before` [block.bytes]. */
strata_status bench_run(bench *b, bench_result *r, const bench_way *way, const void *before);

/* Does a run in this way write this gradient? */
bool bench_wants(const bench *b, uint32_t piece_index, const bench_way *way);

/* Logical elements of a piece of floats, and their values in [bench_count] order. */
uint64_t bench_count(const piece *p);
void bench_values(const piece *p, const void *image, float *values);
void bench_put(const piece *p, void *image, uint64_t element, float value);

/* Are the pads of a parameter or its gradient exactly zero? */
bool bench_pads_zero(const piece *p, const void *image);

#endif

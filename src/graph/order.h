/* The order of a training step's work. Without recompute: forward through all nodes, and back. With it the
 * nodes are cut into segments at places that few tensors cross, and of all but the last segment only those
 * tensors outlive the forward pass: before a segment's backward pass, what that pass reads is computed
 * again (Chen et al., "Training deep nets with sublinear memory cost", 2016). */
#ifndef STRATA_GRAPH_ORDER_H
#define STRATA_GRAPH_ORDER_H

#include "graph/plan.h"

typedef enum order_kind { ORDER_FORWARD, ORDER_AGAIN, ORDER_BACKWARD } order_kind;

typedef struct order_move {
    uint32_t node; /* of p->node */
    order_kind kind;
} order_move;

enum { ORDER_NEVER = UINT32_MAX };

typedef struct strata_order {
    order_move *move; /* [n_moves]; a move's index is its time; node k works forward at time k */
    uint32_t n_moves;
    uint32_t *segment;  /* [n_nodes] */
    bool *cut;          /* [n_nodes] a segment ends behind it */
    uint32_t *crossing; /* [n_nodes] tensors that go on from behind it; 0: a segment cannot end there */
    uint32_t *again;    /* [n_nodes] when it computes again; ORDER_NEVER: not at all */
    uint32_t *back;     /* [n_nodes] when it works backward */
    uint32_t n_segments;
    /* By number of a tensor that is no view: the first node that makes it (ORDER_NEVER: none that runs), the
     * last that takes it forward, and whether its values end with the forward pass. */
    uint32_t *made, *last;
    bool *dropped, *wanted; /* the second: while that is found out */
    bool *given;            /* [n_tensors] while it is found out who adds to a gradient */
    uint32_t *root;         /* [n_tensors] the number of the tensor whose memory it is */
    uint32_t *uses;         /* [n_tensors] how often it comes into a node that writes its gradient */
    uint32_t logits;        /* the number of what they lie in */
    /* The numbers of the tensors whose memory a node's output is, and its inputs: [n_nodes], [n_nodes]
     * [STRATA_MAX_IN]. */
    uint32_t *out, *in;
} strata_order;

/* Make p->order and p->lives, without a cut.  Errors: STRATA_NO_MEMORY. */
strata_status order_open(strata_plan *p);

/* How many times there are at most, in halves of moves, whatever the cuts. */
uint32_t order_times(const strata_plan *p);

/* All times and lives anew, from order->cut. */
void order_make(strata_plan *p);

#endif

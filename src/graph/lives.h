/* When the values of each tensor live, in the times of graph/order.h, and which of them lie where another
 * lay: an op that goes element by element writes its output over an input that nobody reads any more, and the
 * gradient of an input over that of its output (in_place and grad_in_place of ops/op.h). */
#ifndef STRATA_GRAPH_LIVES_H
#define STRATA_GRAPH_LIVES_H

#include "graph/plan.h"

/* What a tensor that is no view may have memory for: its values as the forward pass makes them, those
 * computed again, its gradient. Value `kind * n_tensors + t` is that of tensor t. */
enum { LIVES_DATA, LIVES_AGAIN, LIVES_GRAD, LIVES_KINDS };

/* From its first write to its last read; nothing lives where last < first. */
typedef struct life {
    uint32_t first, last;
} life;

typedef struct strata_lives {
    life *life;     /* [values] of each value */
    life *span;     /* [values] of the memory that begins with this value: of all that lie in it */
    uint32_t *home; /* [values] the value in whose memory it lies: its own number where it is the first */
} strata_lives;

/* Make p->lives, of no lives yet.  Errors: STRATA_NO_MEMORY. */
strata_status lives_open(strata_plan *p);

/* All lives and homes anew, from p->order. */
void lives_make(strata_plan *p);

#endif

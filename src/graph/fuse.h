/* Fusing: a node takes in those that follow it where nobody else looks at what lies between, and its op can
 * do their work in the same pass over memory: a batch norm the sum and the relu behind it, a convolution the
 * relu, and in evaluation the norm. */
#ifndef STRATA_GRAPH_FUSE_H
#define STRATA_GRAPH_FUSE_H

#include "graph/plan.h"

/* Set p->node and p->n_nodes to what runs. A fused node is a copy of the graph's that bears the name of the
 * first and has the output of the last; the graph, its names and its parameters stay as they are. What lies
 * between gets no memory. Without fusing (no_fuse, keep_all) these are the graph's nodes. In training one
 * that skips most of its input goes before the others that read it.
 * Errors: STRATA_NO_MEMORY. */
strata_status fuse_nodes(strata_plan *p);

/* Set p->evaluated: what runs in evaluation, from p->order and p->lives, when slices are bound. Where a plan
 * trains, too, a convolution takes in the norm behind it and runs in its place, if what it reads is still
 * there then. With 16 bits a norm within sees sums that were not rounded: where `recompute` ends segments by
 * the batch's size, scores may then differ in their last places from those of another batch's plan.
 * Errors: STRATA_NO_MEMORY. */
strata_status fuse_evaluation(strata_plan *p);

#endif

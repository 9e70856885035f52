/* A network as data: tensors, nodes in the order they were added (which is a topological order), parameters.
 * It knows shapes, not memory and not devices; the plan (graph/plan.h) gives it both. */
#ifndef STRATA_GRAPH_GRAPH_H
#define STRATA_GRAPH_GRAPH_H

#include "core/nearest.h"
#include "ops/op.h"

typedef struct strata_graph {
    strata_arena arena; /* owns everything below */
    strata_node **node; /* [n_nodes] */
    uint32_t n_nodes, node_room;
    strata_tensor **tensor; /* [n_tensors]; tensor[0] is the input */
    uint32_t n_tensors, tensor_room;
    strata_param **param; /* [n_params], in the order of the nodes: torchvision's state-dict order */
    uint32_t n_params, param_room;
    uint32_t n_rows; /* trained parameters: rows of the rates table */

    strata_tensor *input;  /* [n,h,w,c] */
    strata_tensor *logits; /* input of the loss; the last node's output where there is no loss */
    strata_tensor *target; /* the loss's second input: labels [n] i32 (rows), or multi-label [n,1,1,k] f32;
                              NULL without */
    strata_tensor *class_weight; /* a softmax loss's third input: rows [k]; NULL: classes count the same */
    strata_tensor *loss;         /* rows [n], per sample, unweighted; NULL without a loss */
} strata_graph;

/* One option of a node as text, as a model file has it: { "kernel", "3" }, { "stride", "2,1" }, { "bias",
 * "false" }. */
typedef struct strata_setting {
    const char *key, *value;
} strata_setting;

/* Begin a graph for micro-batches of input.n images. Owner: caller; release with strata_graph_close.
 * Errors: STRATA_BAD_SHAPE for a dimension of 0, or more than 2^31 - 1 elements. */
strata_status strata_graph_open(strata_graph **out, strata_shape input);
void strata_graph_close(strata_graph *g);

/* Add a node.  op: see strata_op_find;  name: unique, "" gives "<op>_<index>";  in: tensors of this graph
 * [n_in]; settings: [n_settings] options.  *out out: the node's output tensor.
 * Errors: STRATA_BAD_ARG for an unknown op or option (with the nearest name) or a value out of range;
 * STRATA_BAD_SHAPE. */
strata_status strata_graph_add(strata_graph *g, strata_tensor **out, const char *op, const char *name,
                               strata_tensor *const *in, uint32_t n_in, const strata_setting *settings,
                               uint32_t n_settings);

/* Add a weight for each class, which a softmax_loss that is added later takes. */
strata_status strata_graph_add_class_weights(strata_graph *g, uint32_t classes);

/* Add the target tensor and a loss node over `logits`; g->target, g->loss and g->logits are set.
 * op: "softmax_loss" (labels [n] i32), "softmax_target_loss" or "bce_loss" (targets [n,1,1,k] f32). */
strata_status strata_graph_add_loss(strata_graph *g, strata_tensor *logits, const char *op,
                                    const strata_setting *settings, uint32_t n_settings);

strata_param *strata_graph_param(const strata_graph *g, const char *name); /* NULL: none of that name */
strata_tensor *strata_graph_tensor(const strata_graph *g, const char *name);

/* Logical floats of all trained parameters. */
uint64_t strata_graph_param_count(const strata_graph *g);

#endif

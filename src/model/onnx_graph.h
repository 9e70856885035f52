/* A graph on its way into ONNX: nodes as they are written, and tensors of constants. Between model/onnx.c,
 * which writes the file, and model/onnx_nodes.c, which knows the operations. */
#ifndef STRATA_MODEL_ONNX_GRAPH_H
#define STRATA_MODEL_ONNX_GRAPH_H

#include "graph/graph.h"
#include "model/protobuf.h"

enum { ONNX_FLOAT = 1, ONNX_INT64 = 7 }; /* TensorProto.DataType */
enum { ONNX_GRAPH_NODE = 1 };            /* GraphProto.node */

/* A tensor that is not a parameter: its values are known now. */
typedef struct onnx_constant {
    const char *name;
    uint32_t type; /* ONNX_FLOAT or ONNX_INT64 */
    uint32_t rank;
    uint64_t dim[4], n_bytes;
    const void *bytes;
} onnx_constant;

/* What a tensor of the graph is in ONNX: [N,C,H,W], or [N,C] behind a linear layer. */
typedef struct onnx_value {
    const char *name;
    uint32_t rank; /* 4 or 2 */
} onnx_value;

typedef struct onnx_builder {
    const strata_graph *graph; /* borrowed */
    strata_arena arena;        /* owns the names and the constants' bytes */
    strata_text nodes;         /* GraphProto's fields so far */
    onnx_value *value;         /* [graph->n_tensors] */
    onnx_constant *constant;   /* [n_constants] */
    uint32_t n_constants, room;
    uint32_t n_nodes;
    bool failed; /* no memory: what was made is not whole */
} onnx_builder;

/* Add a constant tensor named "<of>.<what>"; `bytes` are copied. Returns its name. */
const char *onnx_add_constant(onnx_builder *b, const char *of, const char *what, const onnx_constant *like);

/* "<of>.<what>", of the arena. */
const char *onnx_name(onnx_builder *b, const char *of, const char *what);

/* Add a node with one output, whose name is the node's.
 *   in          [n_in] names
 *   attributes  AttributeProtos in NodeProto's field; released; NULL: none */
void onnx_add_node(onnx_builder *b, const char *type, const char *out, const char *const *in, uint32_t n_in,
                   strata_text *attributes);

void onnx_attribute_int(strata_text *t, const char *name, int64_t value);
void onnx_attribute_ints(strata_text *t, const char *name, const int64_t *values, uint32_t n);
void onnx_attribute_float(strata_text *t, const char *name, float value);

/* Add the ONNX nodes of a node of the graph, other than a loss, whose inputs have their values.
 * Errors: STRATA_BAD_ARG naming the node and what ONNX does not have. */
strata_status onnx_add(onnx_builder *b, const strata_node *n);

/* Add a Flatten where a value has rank 4; its name is "<of>.flat". */
onnx_value onnx_flat(onnx_builder *b, onnx_value v, const char *of);

#endif

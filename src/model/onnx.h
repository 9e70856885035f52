/* A network with its weights as an ONNX file: opset 13, f32, one initializer for every tensor.
 *
 *   input   "input" [N,C,H,W] f32, N open;  normalised pixels, or with `mean` pixels in [0,1]
 *   output  [N,K] f32, the logits, under the name of the last layer
 *
 * The layers and their tensors have the names that weights files give them. */
#ifndef STRATA_MODEL_ONNX_H
#define STRATA_MODEL_ONNX_H

#include "graph/graph.h"
#include "model/weights_file.h"

typedef struct strata_onnx_config {
    const strata_graph *graph;
    strata_weights_file *weights;
    const float *mean, *std; /* [c], c at most 4: the graph begins with (x - mean) / std; NULL: it does not */
    const strata_note *note; /* [n_notes] the model's metadata_props */
    uint32_t n_notes;
    const char *name, *about; /* of the graph and of the whole: graph.name, doc_string */
} strata_onnx_config;

/* Write the file, atomically. The same network and weights give the same bytes. *bytes out: how many.
 * Errors: STRATA_BAD_ARG for what ONNX does not have and for more than 2 GiB; STRATA_BAD_SHAPE for a weight
 * that is missing or of another shape; STRATA_FILE. */
strata_status strata_onnx_write(const char *path, const strata_onnx_config *config, uint64_t *bytes);

#endif

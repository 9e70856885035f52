/* Weights files: where a run has them, and to and from other programs. */
#ifndef STRATA_WEIGHTS_H
#define STRATA_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "strata/recipe.h"
#include "strata/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The file of weights that is meant by a run's folder: its best checkpoint, its last where it was not
 * validated. A file is meant by itself; whether it is there is not looked at.
 *   path  out: Owner: caller; free()
 * Errors: STRATA_FILE for a folder that is no run's, or has no checkpoint yet. */
STRATA_API strata_status strata_weights_path(char **path, const char *what);

/* What became of one tensor. */
typedef struct strata_converted {
    const char *from, *name; /* in the file that was read, before a prefix was removed; in the new one */
    const char *from_dtype, *dtype; /* "F16", "F32" */
    const char *shape;              /* "[64,3,7,7]" */
} strata_converted;

/* Write the tensors of a weights file (.safetensors, or a state dict that torch.save wrote) to a safetensors
 * file, atomically, with the metadata it had.
 *   to     may be the same file
 *   dtype  of the floating-point tensors: "f32" (NULL and "" too), "f16" or "bf16", rounded to nearest;
 *          others stay as they are
 *   each   called for every tensor once the new file is there, in the order of the old one; may be NULL
 *   note   called for what was done to all of them ("prefix removed", "module."); may be NULL
 * Errors: STRATA_BAD_ARG for the dtype; STRATA_FILE naming the file, also where a value is too large for
 *         the dtype. */
STRATA_API strata_status strata_convert(const char *from, const char *to, const char *dtype,
                                        void (*each)(void *context, const strata_converted *c),
                                        void (*note)(void *context, const char *key, const char *value),
                                        void *context);

typedef struct strata_export_config {
    const strata_recipe *recipe; /* keys that override what the run recorded, as strata_evaluate takes them */
    bool normalise; /* the file begins with the normalisation: its input are pixels in [0,1]. Else the input
                       is normalised by the caller, by the metadata's "normalize" */
} strata_export_config;

/* What an export made. */
typedef struct strata_exported {
    uint32_t h, w, c, classes;
    uint64_t tensors, bytes;
} strata_exported;

/* Write a network with its weights as an ONNX file (opset 13), atomically: input "input" [N,C,H,W], the first
 * dimension open, output the logits [N,K]. Model, normalisation and class names are in its metadata.
 *   what    a run folder or a weights file, as strata_evaluate takes them
 *   path    ends in .onnx
 *   config  may be NULL
 *   out     may be NULL
 * Errors: STRATA_BAD_ARG for what ONNX does not have, or no normalisation where it is asked for;
 *         STRATA_BAD_SHAPE where weights and network do not fit; STRATA_FILE. */
STRATA_API strata_status strata_export(const char *what, const char *path, const strata_export_config *config,
                                       strata_exported *out);

#ifdef __cplusplus
}
#endif
#endif

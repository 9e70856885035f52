/* Weights files to and from other programs. */
#ifndef STRATA_WEIGHTS_H
#define STRATA_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "strata/recipe.h"
#include "strata/status.h"

#ifdef __cplusplus
extern "C" {
#endif

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
 *         f16. */
STRATA_API strata_status strata_convert(const char *from, const char *to, const char *dtype,
                                        void (*each)(void *context, const strata_converted *c),
                                        void (*note)(void *context, const char *key, const char *value),
                                        void *context);

#ifdef __cplusplus
}
#endif
#endif

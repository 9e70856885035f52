/* A file of weights of either kind, safetensors or PyTorch's .pth; its first bytes say which. */
#ifndef STRATA_MODEL_WEIGHTS_FILE_H
#define STRATA_MODEL_WEIGHTS_FILE_H

#include "model/stored.h"

typedef struct strata_weights_file {
    const char *path;
    const strata_stored *tensor; /* [n] */
    uint32_t n;
    const strata_note *note; /* [n_notes] safetensors: its metadata; .pth: see model/pth.h */
    uint32_t n_notes;
    struct strata_safetensors *safetensors; /* one of the two is open */
    struct strata_pth *pth;
} strata_weights_file;

/* Open a file and read the names and shapes of its tensors.
 * Owner:  caller; release with strata_weights_close (NULL is allowed). On failure *out is NULL.
 * Errors: STRATA_FILE naming the file and the rule that was broken. */
strata_status strata_weights_open(strata_weights_file **out, const char *path);
void strata_weights_close(strata_weights_file *f);

const strata_stored *strata_weights_find(const strata_weights_file *f, const char *name); /* NULL: none */
const char *strata_weights_note(const strata_weights_file *f, const char *key);           /* NULL: none */

/* Read a tensor as it is stored, in row-major order.
 *   out  [t->n_bytes] */
strata_status strata_weights_read(strata_weights_file *f, const strata_stored *t, void *out);

/* Read a tensor of F32, F16, BF16 or F64 as f32; doubles are rounded to nearest.
 *   out  [strata_stored_count(t)]
 * Errors: also STRATA_FILE for other dtypes, and for doubles that are too large. */
strata_status strata_weights_read_f32(strata_weights_file *f, const strata_stored *t, float *out);

#endif

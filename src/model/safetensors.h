/* safetensors files: named tensors behind a JSON header, read and written.
 *
 *   u64 N | N bytes of JSON, padded with spaces to a multiple of 8 | the tensors' bytes, without holes
 *
 * All little-endian, row-major. The reader trusts nothing: lengths, products and offsets are checked before
 * they are used, and tensors must cover the data exactly once. Only the header is held in memory. */
#ifndef STRATA_MODEL_SAFETENSORS_H
#define STRATA_MODEL_SAFETENSORS_H

#include <stdio.h>

#include "core/arena.h"
#include "model/stored.h"

typedef struct strata_safetensors {
    strata_arena arena; /* owns what is below */
    FILE *file;
    const char *path;
    strata_stored *tensor; /* [n], in the order of their bytes */
    uint32_t n;
    strata_note *note; /* [n_notes] */
    uint32_t n_notes;
    uint64_t data_at; /* of the file: where the tensors' bytes begin */
} strata_safetensors;

/* Open a file and read its header.
 * Owner:  caller; release with strata_safetensors_close. On failure *out is NULL.
 * Errors: STRATA_FILE naming the file, the tensor and the rule that was broken. */
strata_status strata_safetensors_open(strata_safetensors **out, const char *path);
void strata_safetensors_close(strata_safetensors *f);

const strata_stored *strata_safetensors_find(const strata_safetensors *f, const char *name); /* NULL: none */
const char *strata_safetensors_note(const strata_safetensors *f, const char *key);           /* NULL: none */

/* Read a tensor of `f` as it is stored.
 *   out  [t->n_bytes] */
strata_status strata_safetensors_read(strata_safetensors *f, const strata_stored *t, void *out);

/* Write a file atomically: wide elements first, then by name. The same tensors give the same bytes.
 *   tensors [n] name, dtype, rank, dim and bytes set; names unique
 *   notes   [n_notes] for __metadata__ in this order; {"format":"pt"} makes other programs read it
 * Errors: STRATA_FILE, STRATA_BAD_ARG for a name that stands twice. */
strata_status strata_safetensors_write(const char *path, const strata_stored *tensors, uint32_t n,
                                       const strata_note *notes, uint32_t n_notes);

#endif

/* Tensors as files store them: element types, shapes, the way from and to f32. Little-endian, row-major. */
#ifndef STRATA_MODEL_STORED_H
#define STRATA_MODEL_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* name, bytes of an element */
#define STRATA_DTYPE_LIST(X)                                                                                 \
    X(F64, 8)                                                                                                \
    X(I64, 8)                                                                                                \
    X(U64, 8)                                                                                                \
    X(F32, 4)                                                                                                \
    X(I32, 4)                                                                                                \
    X(U32, 4)                                                                                                \
    X(F16, 2)                                                                                                \
    X(BF16, 2)                                                                                               \
    X(I16, 2)                                                                                                \
    X(U16, 2)                                                                                                \
    X(I8, 1)                                                                                                 \
    X(U8, 1)                                                                                                 \
    X(F8_E4M3, 1)                                                                                            \
    X(F8_E5M2, 1)                                                                                            \
    X(BOOL, 1)

#define STRATA_DTYPE_ENUM(name, bytes) STRATA_DTYPE_##name,
typedef enum strata_dtype { STRATA_DTYPE_LIST(STRATA_DTYPE_ENUM) STRATA_DTYPES } strata_dtype;

const char *strata_dtype_name(strata_dtype t); /* "F32" */
uint32_t strata_dtype_bytes(strata_dtype t);
bool strata_dtype_is_float(strata_dtype t); /* F64, F32, F16 or BF16: what strata_widen takes */

enum { STRATA_STORED_RANK = 8 }; /* most dimensions of a tensor in a file */

/* One tensor of a file that is open, or one to be written. */
typedef struct strata_stored {
    const char *name;
    strata_dtype dtype;
    uint32_t rank; /* 0: a scalar */
    uint64_t dim[STRATA_STORED_RANK];
    uint64_t begin, n_bytes; /* n_bytes: of its elements. begin: a reader's own; writing: both ignored */
    const void *bytes;       /* writing: its elements, borrowed; reading: NULL */
} strata_stored;

/* A key of a file's metadata, and its value. */
typedef struct strata_note {
    const char *key, *value;
} strata_note;

/* Elements of a tensor whose bytes were measured; "[64,3,7,7]" of its shape, for messages. */
uint64_t strata_stored_count(const strata_stored *t);
typedef struct strata_stored_string {
    char s[192];
} strata_stored_string;
strata_stored_string strata_stored_shape(const strata_stored *t);
bool strata_stored_same_shape(const strata_stored *a, const strata_stored *b);

/* Bytes of a tensor's elements; false where they do not fit 64 bits. */
bool strata_stored_measure(uint64_t *bytes, const strata_stored *t);

/* `n` elements of F64, F32, F16 or BF16 as f32; doubles are rounded to nearest, and what is too large becomes
 * infinite.
 *   out [n]; raw [n] elements of `dtype`
 * Returns how many finite values became infinite. */
uint64_t strata_widen(float *out, const void *raw, strata_dtype dtype, uint64_t n);

/* `n` floats as F32, F16 or BF16, rounded to nearest, ties to even. What is too large becomes infinite, a NaN
 * stays one.
 *   out [n] elements of `dtype`
 * Returns how many finite values became infinite. */
uint64_t strata_narrow(void *out, const float *values, strata_dtype dtype, uint64_t n);

#endif

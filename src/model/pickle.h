/* The pickles that torch.save writes, read as data: nothing in them is ever executed.
 *
 * A pickle is a program for a machine with a stack and a memo. This reader knows the instructions that a
 * dictionary of tensors needs (protocol 2) and three functions, whose results it makes itself:
 *
 *   collections.OrderedDict                a dictionary
 *   torch._utils._rebuild_tensor_v2        a tensor: a view of a storage
 *   torch._utils._rebuild_parameter        the tensor it was given
 *   torch.FloatStorage, LongStorage, ...   types of storages, which are never called
 *
 * Any other instruction, function or class is refused by its name. */
#ifndef STRATA_MODEL_PICKLE_H
#define STRATA_MODEL_PICKLE_H

#include "core/arena.h"
#include "model/stored.h"

typedef enum strata_pickle_kind {
    STRATA_PICKLE_NONE,
    STRATA_PICKLE_BOOL,
    STRATA_PICKLE_INT,
    STRATA_PICKLE_FLOAT,
    STRATA_PICKLE_TEXT,
    STRATA_PICKLE_TUPLE,
    STRATA_PICKLE_LIST,
    STRATA_PICKLE_DICT, /* item: key, value, key, value, ... */
    STRATA_PICKLE_GLOBAL,
    STRATA_PICKLE_STORAGE,
    STRATA_PICKLE_TENSOR,
    STRATA_PICKLE_MARK /* never in a result */
} strata_pickle_kind;

typedef struct strata_pickle strata_pickle;

/* Bytes that tensors share, by their key in the file: "0". */
typedef struct strata_pickle_storage {
    const char *key;
    strata_dtype dtype;
    uint64_t count; /* elements */
} strata_pickle_storage;

/* A view of a storage, in elements. Not checked against the storage's size. */
typedef struct strata_pickle_tensor {
    const strata_pickle_storage *storage;
    uint32_t rank;
    uint64_t offset, dim[STRATA_STORED_RANK], stride[STRATA_STORED_RANK];
} strata_pickle_tensor;

struct strata_pickle {
    strata_pickle_kind kind;
    uint32_t n, room; /* of the items; n also: bytes of a text; which GLOBAL */
    union {
        int64_t number; /* BOOL: 0 or 1 */
        double real;
        const char *text; /* followed by a NUL, and may hold others */
        strata_pickle **item;
        const strata_pickle_storage *storage;
        const strata_pickle_tensor *tensor;
    };
};

/* Read a pickle.
 *   bytes  [n]
 *   path   for messages
 *   out    out: what it makes; a container may be in itself
 * Owner:  `arena`.
 * Errors: STRATA_FILE naming the instruction, function or class that is refused; STRATA_NO_MEMORY. */
strata_status strata_pickle_read(const strata_pickle **out, strata_arena *arena, const void *bytes, size_t n,
                                 const char *path);

/* The value of a text key of a dictionary, the last where it was set twice; NULL: none. */
const strata_pickle *strata_pickle_get(const strata_pickle *dict, const char *key);

#endif

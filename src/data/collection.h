/* Images that are gathered in memory, then written as a data set: IDX files or a PNG each. */
#ifndef STRATA_DATA_COLLECTION_H
#define STRATA_DATA_COLLECTION_H

#include "core/arena.h"
#include "data/picture.h"
#include "strata/make.h"

#include <stdbool.h>

typedef struct collection_image {
    const char *name; /* a file's name without its end; no other of its part and class has it */
    uint32_t label;
    bool valid;
} collection_image;

/* Begun with size and classes; release with collection_free. */
typedef struct collection {
    uint32_t h, w, c, classes;
    const char *const *class_name; /* [classes] names of folders; borrowed */
    uint8_t *pixels;               /* [n,h,w,c] */
    collection_image *image;       /* [n] */
    uint32_t n, room;
    const volatile int *interrupt; /* the config's */
    strata_arena names;
} collection;

/* What all makers ask of a config: a place to write, a size (if 0, `size` is taken), a share of validation.
 * Errors: STRATA_BAD_ARG naming what is wrong. */
strata_status collection_begin(collection *out, const strata_make_config *config, uint32_t size);
void collection_free(collection *c);

/* Is what `key` stands for in the validation part? The same answer for ever. */
bool collection_is_valid(const strata_make_config *config, const char *key);

/* Add a picture, fitted to the size; pixels and name are copied. Errors: STRATA_INTERRUPTED. */
strata_status collection_add(collection *c, const strata_picture *picture, const collection_image *image);

/* Keep what the config asks for, write it, and tell the observer. */
strata_status collection_write(collection *c, const strata_make_config *config,
                               const strata_make_observer *observer);

/* Tell the observer a line. */
void collection_note(const strata_make_observer *observer, const char *format, ...) STRATA_FORMAT(2, 3);

/* The names in a folder that end so (""), sorted bytewise, hidden ones left out.
 *   names  out: [*n], of the arena
 * Errors: STRATA_FILE, STRATA_NO_MEMORY. */
strata_status collection_names(const char ***names, uint32_t *n, strata_arena *arena, const char *folder,
                               const char *end);

#endif

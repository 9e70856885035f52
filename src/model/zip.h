/* Zip archives whose members are stored as they are, as PyTorch writes them: the directory is read, members
 * are ranges of the file. Zip64 is understood; compressed and encrypted members are refused.
 *
 * The reader trusts nothing: every place and length is checked against the file's size before it is used.
 * Checksums are not compared: PyTorch does not either, and can leave them out. */
#ifndef STRATA_MODEL_ZIP_H
#define STRATA_MODEL_ZIP_H

#include <stdint.h>
#include <stdio.h>

#include "core/arena.h"
#include "core/status.h"

typedef struct strata_zip_member {
    const char *name;
    uint64_t n_bytes;
    uint64_t header_at; /* of the file: its local header */
    uint16_t flags, method;
} strata_zip_member;

typedef struct strata_zip {
    FILE *file;                /* borrowed */
    const char *path;          /* borrowed, for messages */
    uint64_t n_bytes;          /* of the file */
    strata_zip_member *member; /* [n], sorted by name */
    uint32_t n;
} strata_zip;

/* Read the directory of an archive.
 * Owner:  `arena` has the members; the file is borrowed for as long as the archive is used.
 * Errors: STRATA_FILE naming the path and what is wrong. */
strata_status strata_zip_open(strata_zip *out, strata_arena *arena, FILE *file, const char *path);

const strata_zip_member *strata_zip_find(const strata_zip *z, const char *name); /* NULL: none */

/* Where in the file the bytes of a member lie, [m->n_bytes] of them.
 * Errors: STRATA_FILE for one that is compressed or encrypted, or does not lie in the file. */
strata_status strata_zip_place(uint64_t *at, const strata_zip *z, const strata_zip_member *m);

#endif

/* Files that are whole or not there: what the library writes, and what a program writes beside it. */
#ifndef STRATA_FILE_H
#define STRATA_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "strata/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Could a whole file be written at `path`? Asked before long work whose result goes there; what stands there
 * stays, and nothing is left. A full disk is not seen.
 * Errors: STRATA_FILE, STRATA_NO_MEMORY. */
STRATA_API strata_status strata_file_check(const char *path);

/* A file in pieces: a temporary beside `path` (same name plus ".PID.N.tmp") that takes its name when all of
 * it is on the disk. A reader, a crash or a full disk meets the old file or the new one, never a part. Zeroed
 * is closed. */
typedef struct strata_file_writer {
    FILE *file;       /* the open temporary, which may be printed to; NULL while closed */
    char *path;       /* the name it will take */
    char *temporary;  /* the name it has */
    uint64_t n_bytes; /* put so far; who prints may add to it: messages have it */
    bool listed;      /* strata_file_writers_remove knows the temporary */
} strata_file_writer;

/* Open a temporary for `path`. Whatever follows, end with commit or abandon.
 * Errors: STRATA_FILE, also where what stands there is no regular file; STRATA_NO_MEMORY. */
STRATA_API strata_status strata_file_writer_begin(strata_file_writer *w, const char *path);

/* Append [n] bytes. On failure the writer is abandoned. */
STRATA_API strata_status strata_file_writer_put(strata_file_writer *w, const void *data, size_t n);

/* Bring the file and its name to the disk. The writer is closed afterwards; on failure it is abandoned.
 * Waits: for the disk. */
STRATA_API strata_status strata_file_writer_commit(strata_file_writer *w);

/* Close and remove the temporary, leaving what stood at the path. A closed or zeroed writer is allowed. */
STRATA_API void strata_file_writer_abandon(strata_file_writer *w);

/* Remove the temporaries of all writers that are open (of the first 64), for the handler of a signal that
 * ends the process: it may be called there. A writer whose temporary is gone can only be abandoned. */
STRATA_API void strata_file_writers_remove(void);

#ifdef __cplusplus
}
#endif
#endif

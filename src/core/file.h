/* Files: whole reads, atomic writes (as strata/file.h has them), folders, and logs that only grow. Every
 * message names the path and the system's reason.
 * Errors: STRATA_FILE, STRATA_NO_MEMORY. */
#ifndef STRATA_CORE_FILE_H
#define STRATA_CORE_FILE_H

#include "core/status.h"
#include "strata/file.h"

#include <stdbool.h>

/* Read a whole file.
 *   out   out: [n] bytes, followed by one NUL that `n` does not count
 *   n     out: bytes; may be NULL
 * Owner:  caller; free(). On failure *out is NULL. */
strata_status strata_file_read(char **out, size_t *n, const char *path);

/* Pieces of a file that is open for reading; `path` is for messages. A file that ends before `n` bytes is an
 * error.
 *   at   bytes from its start
 *   out  out: [n] */
strata_status strata_file_size(uint64_t *bytes, FILE *file, const char *path);
strata_status strata_file_read_at(void *out, FILE *file, uint64_t at, size_t n, const char *path);

/* Write a whole file atomically; what stood at `path` is replaced. Refuses a path that is not a regular file.
 *   data  [n] bytes; may be NULL if n is 0 */
strata_status strata_file_write(const char *path, const void *data, size_t n);

/* Write a whole file plainly, without waiting for the disk: for the many files of a folder that takes its
 * name when all of them are there. */
strata_status strata_file_put(const char *path, const void *data, size_t n);

/* The same in pieces, and whether it could be done, is public: strata/file.h. */

/* A text file that only grows, a line at a time. Zeroed is closed. */
typedef struct strata_log {
    FILE *file; /* NULL while closed */
    char *path;
} strata_log;

/* Open `path` for appending and create it if it is missing. If its last line was cut short by a crash, a line
 * end is put after it, so that the next line stands alone. */
strata_status strata_log_open(strata_log *log, const char *path);

/* Append `line` and a line end, and hand both to the system: a kill of this process loses no line.
 *   line  text without a line end */
strata_status strata_log_line(strata_log *log, const char *line);

/* Close. A closed or zeroed log is allowed. */
void strata_log_close(strata_log *log);

/* Make a folder and those above it; one that exists is success. */
strata_status strata_folder_make(const char *path);

/* Could that be done, and files made in it? Asked before long work; makes nothing. */
strata_status strata_folder_check(const char *path);

/* True if `path` is a folder that could be read and holds nothing. */
bool strata_folder_empty(const char *path);

/* True if `path` is a folder. */
bool strata_folder_exists(const char *path);

/* True if anything is found at `path`. */
bool strata_path_exists(const char *path);

/* Join a folder and a name below it by exactly one slash.
 * Owner:  caller; free(). On failure *out is NULL. */
strata_status strata_path_join(char **out, const char *folder, const char *name);

/* The part of `path` behind its last slash, trailing slashes apart: "runs/a/" gives "a", "/" gives "/".
 * Owner:  caller; free(). On failure *out is NULL. */
strata_status strata_path_name(char **out, const char *path);

/* The folder for what can be made again, made with those above it where it is missing:
 * $XDG_CACHE_HOME/strata, else $HOME/.cache/strata.
 * Errors: STRATA_FILE (neither names one, or it cannot be made; `out` is ""). */
strata_status strata_cache_folder(char *out, size_t room);

#endif

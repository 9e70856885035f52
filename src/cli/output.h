/* A table that an option sends to a file. */
#ifndef STRATA_CLI_OUTPUT_H
#define STRATA_CLI_OUTPUT_H

#include "strata/file.h"

/* A file takes its name when all of it is there; what is no file, such as a pipe, gets its lines as they
 * come. Zeroed is closed, and what is printed to it is dropped. */
typedef struct cli_output {
    FILE *file;
    const char *path;          /* NULL: it is stdout */
    strata_file_writer writer; /* closed where it is no file */
    int reason;                /* errno of the first line that could not be written; 0: none */
} cli_output;

/* Open `path`, borrowed; NULL: stdout. Asked before long work whose result goes there.
 * Errors: STRATA_FILE, STRATA_NO_MEMORY. */
strata_status cli_output_begin(cli_output *o, const char *path);

/* What fails is told by cli_output_end. */
void cli_print(cli_output *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Let the file have its name where all went well so far; else what stood there stays. Returns `status`, or
 * what went wrong here. */
strata_status cli_output_end(cli_output *o, strata_status status);

#endif

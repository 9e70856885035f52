/* Tables as CSV (RFC 4180): a record a line, fields between commas, those with commas, quotes or line ends
 * in quotes, a quote in them doubled. Line ends may be CRLF; a byte order mark and empty lines are passed
 * over. */
#ifndef STRATA_CORE_CSV_H
#define STRATA_CORE_CSV_H

#include "core/text.h"

#include <stdint.h>

/* Zeroed is closed. */
typedef struct strata_csv {
    const char *path; /* borrowed: for messages */
    char *text, *at;  /* the whole file, owned; where the next record begins in it */
    uint32_t line;    /* from 1, where the record begins that was read last */
    uint32_t next;    /* and the next one */
} strata_csv;

/* Read the file at `path`, which must outlive this. Owner: caller; strata_csv_close.
 * Errors: STRATA_FILE, also for a zero byte. */
strata_status strata_csv_open(strata_csv *out, const char *path);
void strata_csv_close(strata_csv *c);

/* Take the next record.
 *   field  out: [*n] at most `room`, valid until close; *n is 0 at the end of the file
 * Errors: STRATA_FILE with file and line: more than `room` fields, quotes that do not close, or what stands
 * beside them. */
strata_status strata_csv_next(strata_csv *c, const char **field, uint32_t room, uint32_t *n);

/* Append a field, in quotes where it needs them. */
void strata_csv_put(strata_text *out, const char *field);

#endif

/* What the command line prints: results on stdout, notes, progress and complaints on stderr; colour; JSON. */
#ifndef STRATA_CLI_TERMINAL_H
#define STRATA_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#include "strata/status.h"

/* Decide about colour, once, before anything is printed.
 *   when  "auto", "always" or "never"; NULL: auto, which is off where the stream is no terminal, TERM is dumb
 *         or NO_COLOR is set and not empty, and on where CLICOLOR_FORCE or FORCE_COLOR is
 * Errors: STRATA_BAD_ARG. */
strata_status cli_terminal_begin(const char *when);

bool cli_is_terminal(FILE *stream);
bool cli_utf8(void);           /* the locale's characters are UTF-8 */
int cli_columns(FILE *stream); /* of its terminal; 80 where it has none */

/* The escape that begins a style on a stream, and the one that ends it; "" where there is no colour. */
typedef enum cli_style { CLI_PLAIN, CLI_BOLD, CLI_RED, CLI_GREEN, CLI_DIM } cli_style;
const char *cli_style_begin(FILE *stream, cli_style style);
const char *cli_style_end(FILE *stream);

/* A line on stderr; the live line makes way for it. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Lines on stderr, each with its "\n". */
void cli_note_lines(const char *lines);

/* The message of a failure on stderr, after "strata: ". */
void cli_complain(void);

/* Redraw the live line, the last one of the terminal on stderr, cut to its width; remove it. */
void cli_live(const char *text);
void cli_live_clear(void);

/* Can stdout be written at all? Asked before long work whose result goes there. Errors: STRATA_FILE. */
strata_status cli_check_output(void);

/* Close stdout's account: a full disk under a redirected result is an error like any other.
 * Errors: STRATA_FILE. */
strata_status cli_flush(void);

/* ---- Numbers for people ----------------------------------------------------------------------- */

typedef struct cli_text {
    char s[32];
} cli_text;

cli_text cli_bytes(unsigned long long bytes); /* "7.8 GiB" */
cli_text cli_count(double n);                 /* "5.1k", "11.2M" */
cli_text cli_time(double seconds);            /* "0:12", "1:02:03" */
cli_text cli_share(double share);             /* "97.5 %"; "-" for NaN */

/* ---- JSON ------------------------------------------------------------------------------------- */

/* To stdout. Bytes that are no UTF-8 become U+FFFD; numbers that JSON lacks become null. */
void cli_json_text(const char *s);
void cli_json_number(double v);
/* "key": before a value; `first` leaves the comma away. */
void cli_json_key(const char *key, bool first);

#endif

/* The command line's grammar: strata COMMAND [WORD ...] [--long VALUE | --long=VALUE | -s VALUE ...], options
 * anywhere, "--" ends them. Keys of a recipe are options of the commands that take them. */
#ifndef STRATA_CLI_ARGS_H
#define STRATA_CLI_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "strata/recipe.h"

/* An option of a command's own, beside the keys of a recipe. */
typedef struct cli_option {
    char letter;       /* its short form; 0: none */
    const char *key;   /* NULL ends a list */
    const char *value; /* what its value is; NULL: a flag */
    const char *help;
} cli_option;

typedef struct cli_arguments cli_arguments;

typedef struct cli_command {
    const char *name, *summary;
    const char *synopsis;      /* what follows the name: "DATA [--KEY VALUE ...]" */
    const char *examples;      /* a command a line */
    const char *text;          /* paragraphs for --help and the man page */
    const cli_option *options; /* its own */
    const char *keys;          /* keys of a recipe that it takes, "batch device"; "*": all; "": none */
    uint32_t least, most;      /* words */
    strata_status (*run)(cli_arguments *a);
} cli_command;

extern const cli_option cli_common_options[]; /* of every command */

/* An option that was given. */
typedef struct cli_given {
    const char *key, *value; /* "" for a flag */
} cli_given;

struct cli_arguments {
    const cli_command *command;
    const char **word; /* [n_words], borrowed from argv */
    uint32_t n_words;
    cli_given *own, *recipe_key; /* the command's and the common options; the keys of a recipe, in order */
    uint32_t n_own, n_recipe_keys;
    strata_recipe *recipe; /* what the keys make: defaults < --recipe FILE < STRATA_DEVICE < options; NULL
                              where the command takes none */
    int argc;
    char **argv;
};

/* Take the arguments behind the command's name.
 * Owner:  caller; release with cli_arguments_free, also after a failure.
 * Errors: STRATA_BAD_ARG with the nearest name; what strata_recipe_set and strata_recipe_load say. With
 * --help or --version nothing else is an error. */
strata_status cli_arguments_take(cli_arguments *out, const cli_command *command, int argc, char **argv);
void cli_arguments_free(cli_arguments *a);

/* The value of an own option, the last if it was given twice; NULL: not given. */
const char *cli_option_given(const cli_arguments *a, const char *key);

bool cli_takes_key(const cli_command *command, const char *key);

/* A whole number in [1, high] from an own option, or the fallback.
 * Errors: STRATA_BAD_ARG. */
strata_status cli_number(uint32_t *out, const cli_arguments *a, const char *key, uint32_t fallback,
                         uint32_t high);

/* Where a picture goes that an own option asks for, a PNG; NULL: it was not given. Asked before long work.
 * Errors: STRATA_BAD_ARG where the name ends otherwise, those of strata_file_check. */
strata_status cli_picture_path(const char **out, const cli_arguments *a, const char *key);

/* The weights file that a word means: of a run's folder its best or last, which is told.
 * Owner: caller; free(). Errors: those of strata_weights_path. */
strata_status cli_weights_path(char **path, const char *word);

/* Leave a message for cli_complain, as the library leaves one for strata_message(), and return `status`. */
strata_status cli_fail(strata_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The message of the last cli_fail, which is then forgotten, or the library's where there was none. */
const char *cli_message(void);

/* The flow macro of the library's own rooms, which the command line does not see. */
#define STRATA_TRY(e)                                                                                        \
    do {                                                                                                     \
        strata_status try_status = (e);                                                                      \
        if (try_status != STRATA_OK) return try_status;                                                      \
    } while (0)

#endif

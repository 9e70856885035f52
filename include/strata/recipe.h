/* A recipe: everything that decides a training run, as keys with text values. The command line's --key VALUE,
 * the keys of recipe.yaml and the keys here are the same, from one table. */
#ifndef STRATA_RECIPE_H
#define STRATA_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "strata/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct strata_recipe strata_recipe;

/* One row of the table. */
typedef struct strata_option {
    const char *key;      /* "weight-decay" */
    const char *value;    /* what the value is, for --help: "X", "NAME", "SPEC"; NULL: a flag, whose value is
                             true or false */
    const char *fallback; /* the default as text; "" where it depends on the data or is nothing */
    const char *topic;    /* "data", "model", "optimizer", "schedule", "run", "device", "exact comparison" */
    const char *help;     /* one line, with unit and range */
} strata_option;

/* All options, in the order of --help. *n out: how many. Owner: the library. */
STRATA_API const strata_option *strata_options(uint32_t *n);

/* Make a recipe of all defaults. Owner: caller; release with strata_recipe_close. */
STRATA_API strata_status strata_recipe_open(strata_recipe **out);
STRATA_API void strata_recipe_close(strata_recipe *r);

/* Set one key. A flag takes "true" and "false" ("" means true).
 * Errors: STRATA_BAD_ARG for an unknown key (with the nearest one) or a value out of its range. */
STRATA_API strata_status strata_recipe_set(strata_recipe *r, const char *key, const char *value);

/* The value of a key as text: what was set, or the default; NULL for an unknown key. Valid until the key is
 * set again. */
STRATA_API const char *strata_recipe_get(const strata_recipe *r, const char *key);
STRATA_API bool strata_recipe_is_set(const strata_recipe *r, const char *key);

/* Read keys from a YAML file over what is set; write every key but run-dir and overwrite as YAML, atomically.
 * Errors: STRATA_FILE with file:line; STRATA_BAD_ARG for an unknown key, with file:line. */
STRATA_API strata_status strata_recipe_load(strata_recipe *r, const char *path);
STRATA_API strata_status strata_recipe_save(const strata_recipe *r, const char *path);

#ifdef __cplusplus
}
#endif
#endif

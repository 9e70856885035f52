/* What a recipe names and a sitting of a run reads anew: with a changed one it would go on as another run, or
 * its weights be taken for another network's. Groups are in the recipe. */
#ifndef STRATA_TRAIN_NAMED_H
#define STRATA_TRAIN_NAMED_H

#include <jansson.h>

#include "data/data.h"
#include "strata/recipe.h"

/* Take their fingerprints, to be kept in run.json: { KEY: XXH64 of the file's bytes }.
 * Owner:  caller; json_decref. On failure *out is NULL.
 * Errors: STRATA_FILE, STRATA_NO_MEMORY. */
strata_status named_note(json_t **out, const strata_recipe *r);

/* Are the files what they were? What `noted` (NULL of an earlier strata) or the recipe does not have is not
 * looked at. Errors: STRATA_BAD_ARG naming key and file; those of named_note. */
strata_status named_check(const json_t *noted, const strata_recipe *r);

/* Is the file of one key what it was, by the fingerprint that was noted?
 *   why  what the message ends with
 * Errors: those of named_check. */
strata_status named_check_one(const char *was, const strata_recipe *r, const char *key, const char *why);

/* Is this the data's fingerprint? One of an earlier strata is without the names of the classes. */
bool named_same_data(const char *print, const strata_data *data);

/* Is the data what it was?
 *   was     run.json's "data"; what it does not have is not looked at
 *   source  for messages
 * Errors: STRATA_FILE naming the first class with another name, or both fingerprints. */
strata_status named_check_data(const json_t *was, const strata_data *data, const char *source);

#endif

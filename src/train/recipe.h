/* Typed access to a recipe, for the trainer. Values were checked when they were set. */
#ifndef STRATA_TRAIN_RECIPE_H
#define STRATA_TRAIN_RECIPE_H

#include "core/status.h"
#include "core/text.h"
#include "strata/recipe.h"

double recipe_number(const strata_recipe *r,
                     const char *key); /* 0 where nothing is set and there is no default */
bool recipe_flag(const strata_recipe *r, const char *key);
bool recipe_is(const strata_recipe *r, const char *key, const char *value);

/* Append the text of recipe.yaml. Read such a text over what is set; `path` is for messages. */
void recipe_text(strata_text *out, const strata_recipe *r);
strata_status recipe_read(strata_recipe *r, const char *text, size_t n, const char *path);

/* Append "epochs was '3' and is '5', ..." for keys by which a run would be another one; nothing where it is
 * the same. */
void recipe_differences(strata_text *out, const strata_recipe *was, const strata_recipe *is);

/* The path within the value of a key that can name a file or a folder; NULL where it names none. Borrowed. */
const char *recipe_path(const strata_recipe *r, const char *key);

/* Make the paths of a recipe absolute, so that the run goes on from any folder: those of data, labels,
 * weights of classes, model, init, save, shader-dir and of the schedule's file.
 * Errors: STRATA_BAD_ARG for a value that is no UTF-8, which recipe.yaml cannot hold. */
strata_status recipe_place(strata_recipe *r);

/* Can the recipe's `save` be written? Better said before a run than after it. Errors: STRATA_FILE. */
strata_status recipe_check_save(const strata_recipe *r);

/* A copy; NULL gives all defaults. Owner: caller; release with strata_recipe_close. */
strata_status recipe_copy(strata_recipe **out, const strata_recipe *from);

#endif

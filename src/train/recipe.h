/* Typed access to a recipe, for the trainer. Values were checked when they were set. */
#ifndef STRATA_TRAIN_RECIPE_H
#define STRATA_TRAIN_RECIPE_H

#include "core/status.h"
#include "strata/recipe.h"

double recipe_number(const strata_recipe *r,
                     const char *key); /* 0 where nothing is set and there is no default */
bool recipe_flag(const strata_recipe *r, const char *key);
bool recipe_is(const strata_recipe *r, const char *key, const char *value);

/* A copy; NULL gives all defaults. Owner: caller; release with strata_recipe_close. */
strata_status recipe_copy(strata_recipe **out, const strata_recipe *from);

#endif

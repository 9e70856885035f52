/* A recipe's file. The languages of its values are the target spec's. */
#include "fuzz.h"
#include "strata/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    strata_recipe *r;
    if (strata_recipe_open(&r) != STRATA_OK) return 0;
    strata_recipe_load(r, fuzz_file("recipe.yaml", bytes, n));
    strata_recipe_close(r);
    return 0;
}

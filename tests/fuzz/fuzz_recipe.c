/* A recipe's file, and what can be said of it without a device: its network, groups and rates. The languages
 * of its values are the target spec's. */
#include "fuzz.h"
#include "train/recipe.h"
#include "train/trainer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const strata_task task = { .h = 8, .w = 8, .c = 1, .classes = 10, .steps = 100, .steps_per_epoch = 10 };
    strata_recipe *r;
    if (strata_recipe_open(&r) != STRATA_OK) return 0;
    if (strata_recipe_load(r, fuzz_file("recipe.yaml", bytes, n)) == STRATA_OK &&
        !strchr(strata_recipe_get(r, "model"), '/') && /* any file of the machine */
        !strstr(strata_recipe_get(r, "schedule"), "csv:") && trainer_resolve(r, &task, 100) == STRATA_OK)
        trainer_check(r, &task);
    strata_recipe_close(r);
    return 0;
}

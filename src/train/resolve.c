/* What a recipe leaves open is decided here, by the shape of the data, and then written down. */
#include <stdio.h>
#include <string.h>

#include "train/recipe.h"
#include "train/trainer.h"

static strata_status set_if_open(strata_recipe *r, const char *key, const char *value)
{
    return *strata_recipe_get(r, key) ? STRATA_OK : strata_recipe_set(r, key, value);
}

static strata_status set_count(strata_recipe *r, const char *key, uint64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    return strata_recipe_set(r, key, text);
}

/* Small sets need more passes: about 1,000 steps of 64 images, between 5 and 15 epochs. */
static uint64_t epochs_for(uint64_t images)
{
    uint64_t epochs = images ? 1000 * 64 / images : 1;
    return epochs < 5 ? 5 : epochs > 15 ? 15 : epochs;
}

strata_status trainer_resolve(strata_recipe *r, const strata_task *task, uint64_t images)
{
    bool large = task->h >= 64 && task->w >= 64, colour = task->c >= 3 && task->h >= 28;
    const bool sgd = recipe_is(r, "opt", "sgd"), adamw = recipe_is(r, "opt", "adamw");
    const bool lars = recipe_is(r, "opt", "lars"), lamb = recipe_is(r, "opt", "lamb");
    STRATA_TRY(set_if_open(r, "model", large || colour ? "resnet18" : "small-cnn"));
    if (strcmp(strata_recipe_get(r, "model"), "resnet18") == 0 && !large)
        STRATA_TRY(set_if_open(r, "stem", "small"));
    bool small = strcmp(strata_recipe_get(r, "model"), "small-cnn") == 0;
    STRATA_TRY(set_if_open(r, "augment", colour ? "flip,crop" : "crop"));
    STRATA_TRY(set_if_open(r, "lr", lars ? "5" : sgd ? "0.1" : small || lamb ? "1e-2" : "2e-3"));
    STRATA_TRY(set_if_open(r, "eps", lamb ? "1e-6" : "1e-8"));
    STRATA_TRY(set_if_open(r, "clip-norm", lamb ? "1" : "0"));
    STRATA_TRY(set_if_open(r, "weight-decay", sgd || lars ? "5e-4" : adamw ? "5e-2" : lamb ? "1e-2" : "0"));
    if (images) {
        if (!strata_recipe_is_set(r, "epochs")) STRATA_TRY(set_count(r, "epochs", epochs_for(images)));
        uint64_t batch = (uint64_t)recipe_number(r, "batch");
        if (!strata_recipe_is_set(r, "batch") && images < batch) STRATA_TRY(set_count(r, "batch", images));
    }
    return STRATA_OK;
}

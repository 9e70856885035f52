/* What a recipe leaves open is decided here, by the shape of the data, and then written down. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "strata/weights.h"
#include "train/recipe.h"
#include "train/source.h"
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

/* A run's folder as what it has now: the recipe repeats the run though that one goes on. */
static strata_status find_init(strata_recipe *r)
{
    char *path = NULL;
    if (!strata_folder_exists(strata_recipe_get(r, "init"))) return STRATA_OK;
    strata_status status = strata_weights_path(&path, strata_recipe_get(r, "init"));
    if (status == STRATA_OK) status = strata_recipe_set(r, "init", path);
    free(path);
    return status;
}

/* The model of weights that say of which they are, where none is given; with it their stem and head. Files of
 * weights say so of the zoo's: of a model in a file they know the name alone.
 *   *own  out: the model is theirs */
static strata_status take_model(bool *own, strata_recipe *r)
{
    static const char *const choices[] = { "stem", "head" };
    const char *init = strata_recipe_get(r, "init"), *given = strata_recipe_get(r, "model");
    weights_source s;
    *own = false;
    if (!*init) return STRATA_OK;
    strata_status status = source_open(&s, init, NULL);
    if (status != STRATA_OK) return strata_fail(status, "--init: %s", strata_message());
    const char *model = strata_recipe_get(s.recipe, "model");
    *own = *given ? strcmp(given, model) == 0 : *model && (strata_folder_exists(init) || !strchr(model, '.'));
    if (*own) status = strata_recipe_set(r, "model", model);
    for (int i = 0; i < 2 && *own && status == STRATA_OK; i++) {
        const char *choice = strata_recipe_get(s.recipe, choices[i]);
        if (*choice) status = set_if_open(r, choices[i], choice);
    }
    source_close(&s);
    return status;
}

strata_status trainer_resolve(strata_recipe *r, const strata_task *task, uint64_t images)
{
    bool large = task->h >= 64 && task->w >= 64, colour = task->c >= 3 && task->h >= 28;
    const bool sgd = recipe_is(r, "opt", "sgd"), adamw = recipe_is(r, "opt", "adamw");
    const bool lars = recipe_is(r, "opt", "lars"), lamb = recipe_is(r, "opt", "lamb");
    bool own;
    STRATA_TRY(take_model(&own, r));
    STRATA_TRY(find_init(r));
    STRATA_TRY(set_if_open(r, "model", large || colour ? "resnet18" : "small-cnn"));
    if (!own && strcmp(strata_recipe_get(r, "model"), "resnet18") == 0 && !large)
        STRATA_TRY(set_if_open(r, "stem", "small"));
    STRATA_TRY(set_if_open(r, "loss", "softmax"));
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

/* ---- Paths --------------------------------------------------------------------------------------- */

/* Put the folder that the process is in before the path that begins at `at` of a key's value. */
static strata_status place(strata_recipe *r, const char *key, size_t at)
{
    strata_text whole = { 0 };
    char *here = getcwd(NULL, 0), *path = NULL;
    const char *value = strata_recipe_get(r, key);
    if (!here) return strata_fail(STRATA_FILE, "the folder that this runs in has no path");
    strata_status status = strata_path_join(&path, here, value + at);
    if (status == STRATA_OK) {
        strata_text_format(&whole, "%.*s%s", (int)at, value, path);
        status = whole.failed ? strata_fail(STRATA_NO_MEMORY, "no memory for --%s", key)
                              : strata_recipe_set(r, key, whole.s);
    }
    strata_text_free(&whole);
    free(path);
    free(here);
    return status;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Else the run would end with its first checkpoint, and its folder be of no use. */
static strata_status check_utf8(const strata_recipe *r)
{
    uint32_t n;
    const strata_option *option = strata_options(&n);
    for (uint32_t i = 0; i < n; i++) {
        const char *value = strata_recipe_get(r, option[i].key);
        if (strcmp(option[i].key, "run-dir") != 0 && !strata_is_utf8(value))
            return strata_fail(STRATA_BAD_ARG, "--%s %s is not UTF-8, which is all that recipe.yaml can hold",
                               option[i].key, value);
    }
    return STRATA_OK;
}

const char *recipe_path(const strata_recipe *r, const char *key)
{
    static const char *const words[][3] = { { "labels", "none" },
                                            { "class-weights", "balanced" },
                                            { "sample", "all", "balanced" } }; /* are no paths */
    static const char csv[] = "csv:";
    const char *value = strata_recipe_get(r, key);
    if (!*value) return NULL;
    if (strcmp(key, "data") == 0) return strata_path_exists(value) ? value : NULL;
    if (strcmp(key, "model") == 0)
        return ends_with(value, ".yaml") || ends_with(value, ".yml") ? value : NULL;
    if (strcmp(key, "schedule") == 0)
        return strncmp(value, csv, sizeof csv - 1) == 0 ? value + sizeof csv - 1 : NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (size_t k = 1; k < 3 && strcmp(key, words[i][0]) == 0; k++)
            if (words[i][k] && strcmp(value, words[i][k]) == 0) return NULL;
    return value;
}

strata_status recipe_place(strata_recipe *r)
{
    static const char *const keys[] = { "init",   "save", "shader-dir", "labels",  "class-weights",
                                        "sample", "data", "model",      "schedule" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *path = recipe_path(r, keys[i]);
        if (path && *path != '/')
            STRATA_TRY(place(r, keys[i], (size_t)(path - strata_recipe_get(r, keys[i]))));
    }
    return check_utf8(r);
}

strata_status recipe_check_save(const strata_recipe *r)
{
    const char *path = strata_recipe_get(r, "save"), *slash = strrchr(path, '/');
    if (!*path) return STRATA_OK;
    if (strata_folder_exists(path))
        return strata_fail(STRATA_FILE, "--save %s: wants a file, that is a folder", path);
    if (!ends_with(path, ".safetensors"))
        return strata_fail(STRATA_BAD_ARG,
                           "--save %s: wanted a name that ends in .safetensors, which is what is written",
                           path);
    char *folder = slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
    if (!folder) return strata_fail(STRATA_NO_MEMORY, "no memory for a file's name");
    strata_status status = STRATA_OK;
    if (!strata_folder_exists(folder))
        status = strata_fail(STRATA_FILE, "--save %s: there is no folder %s", path, folder);
    else if (access(folder, W_OK) != 0) /* better now than after the last epoch */
        status = strata_fail(STRATA_FILE, "--save %s: cannot write in %s: %s", path, folder, strerror(errno));
    free(folder);
    return status == STRATA_OK ? strata_file_check(path) : status;
}

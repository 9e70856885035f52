#include "train/named.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/file.h"
#include "train/recipe.h"

static const char *const keys[] = { "model", "init", "schedule", "class-weights", "sample" };

typedef struct fingerprint {
    char text[24]; /* "": the key names no file */
} fingerprint;

static strata_status take(fingerprint *out, const strata_recipe *r, const char *key)
{
    const char *path = recipe_path(r, key);
    char *bytes = NULL;
    size_t n = 0;
    *out = (fingerprint) { "" };
    if (!path) return STRATA_OK;
    const strata_status status = strata_file_read(&bytes, &n, path);
    if (status != STRATA_OK) return strata_fail(status, "--%s: %s", key, strata_message());
    snprintf(out->text, sizeof out->text, "%016" PRIx64, (uint64_t)XXH64(bytes, n, 0));
    free(bytes);
    return STRATA_OK;
}

strata_status named_note(json_t **out, const strata_recipe *r)
{
    strata_status status = STRATA_OK;
    fingerprint is;
    json_t *noted = json_object();
    *out = NULL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        STRATA_GO(take(&is, r, keys[i]));
        if (*is.text && json_object_set_new(noted, keys[i], json_string(is.text)) != 0)
            STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for the run folder's records"));
    }
    *out = noted;
    return STRATA_OK;
done:
    json_decref(noted);
    return status;
}

strata_status named_check_one(const char *was, const strata_recipe *r, const char *key, const char *why)
{
    fingerprint is;
    STRATA_TRY(take(&is, r, key));
    if (!*is.text || strcmp(was, is.text) == 0) return STRATA_OK;
    return strata_fail(STRATA_BAD_ARG,
                       "--%s %s: the file has changed since the run began (fingerprint %s, now %s); %s", key,
                       recipe_path(r, key), was, is.text, why);
}

strata_status named_check(const json_t *noted, const strata_recipe *r)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *was = json_string_value(json_object_get(noted, keys[i]));
        if (was) STRATA_TRY(named_check_one(was, r, keys[i], "a run goes on as it began"));
    }
    return STRATA_OK;
}

#include "train/named.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/file.h"
#include "core/text.h"
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

/* JSON holds names as UTF-8, whatever bytes they are. */
static strata_status check_class(const char *was, const strata_data *data, uint32_t k, const char *source)
{
    strata_text is = { 0 };
    strata_status status = STRATA_OK;
    strata_text_utf8(&is, data->train.class_names[k]);
    if (is.failed)
        status = strata_fail(STRATA_NO_MEMORY, "%s: no memory for the names of its classes", source);
    else if (strcmp(was, is.s ? is.s : "") != 0)
        status = strata_fail(STRATA_FILE,
                             "%s: the data is not what the run began with: class %u was '%s' and is '%s' now",
                             source, (unsigned)k, was, is.s ? is.s : "");
    strata_text_free(&is);
    return status;
}

bool named_same_data(const char *print, const strata_data *data)
{
    char with[24], without[24];
    snprintf(with, sizeof with, "%016" PRIx64, data->fingerprint);
    snprintf(without, sizeof without, "%016" PRIx64, data->contents);
    return strcmp(print, with) == 0 || strcmp(print, without) == 0;
}

strata_status named_check_data(const json_t *was, const strata_data *data, const char *source)
{
    const json_t *names = json_object_get(was, "classes");
    const char *print = json_string_value(json_object_get(was, "fingerprint"));
    for (uint32_t k = 0; json_array_size(names) == data->train.classes && k < data->train.classes; k++) {
        const char *name = json_string_value(json_array_get(names, k));
        if (name) STRATA_TRY(check_class(name, data, k, source));
    }
    if (!print || named_same_data(print, data)) return STRATA_OK;
    return strata_fail(STRATA_FILE,
                       "%s: the data is not what the run began with (fingerprint %s, now %016" PRIx64 ")",
                       source, print, data->fingerprint);
}

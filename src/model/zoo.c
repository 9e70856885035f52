/* The models that ship: assets/models/NAME.yaml, embedded. */
#include <stdio.h>
#include <string.h>

#include "core/asset.h"
#include "model/model.h"

enum { MOST = 64, LONGEST = 48 };

/* The length of an asset's model name, which begins behind "models/"; 0: not a model. */
static size_t name_length(const char *asset)
{
    const size_t n = strlen(asset), folder = strlen("models/"), end = strlen(".yaml");
    if (n <= folder + end || strncmp(asset, "models/", folder) != 0) return 0;
    return strcmp(asset + n - end, ".yaml") == 0 ? n - folder - end : 0;
}

const char *const *strata_zoo_names(uint32_t *n)
{
    static _Thread_local char text[MOST][LONGEST]; /* the same for every call */
    static _Thread_local const char *names[MOST];
    *n = 0;
    for (uint32_t i = 0; i < strata_n_assets && *n < MOST; i++) {
        const size_t length = name_length(strata_assets[i].name);
        if (!length || length >= LONGEST) continue;
        snprintf(text[*n], LONGEST, "%.*s", (int)length, strata_assets[i].name + strlen("models/"));
        names[*n] = text[*n];
        ++*n;
    }
    return names;
}

const char *strata_zoo_text(const char *name)
{
    char path[LONGEST + 16];
    if (strlen(name) >= LONGEST) return NULL;
    snprintf(path, sizeof path, "models/%s.yaml", name);
    const strata_asset *asset = strata_asset_find(path);
    return asset ? (const char *)asset->bytes : NULL;
}

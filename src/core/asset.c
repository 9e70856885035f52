#include "core/asset.h"

#include <string.h>

const strata_asset *strata_asset_find(const char *name)
{
    for (uint32_t i = 0; i < strata_n_assets; i++)
        if (strcmp(strata_assets[i].name, name) == 0) return &strata_assets[i];
    return NULL;
}

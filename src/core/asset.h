/* Files that ship inside the library: assets/ of the source tree, embedded by the build. */
#ifndef STRATA_CORE_ASSET_H
#define STRATA_CORE_ASSET_H

#include <stddef.h>
#include <stdint.h>

typedef struct strata_asset {
    const char *name;           /* path below assets/: "models/resnet18.yaml" */
    const unsigned char *bytes; /* [n], and a NUL after them */
    size_t n;
} strata_asset;

/* Every asset, sorted by name. */
extern const strata_asset strata_assets[];
extern const uint32_t strata_n_assets;

const strata_asset *strata_asset_find(const char *name); /* NULL: none */

#endif

/* Looking at things: the zoo, weights files, licences, the version. */
#ifndef STRATA_INSPECT_H
#define STRATA_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "strata/recipe.h"
#include "strata/status.h"

#ifdef __cplusplus
extern "C" {
#endif

STRATA_API const char *strata_version(void); /* "0.1.0 (commit 1a2b3c)" */

/* The licences of Strata and of everything in it, as one text. */
STRATA_API const char *strata_licenses(void);

/* A model of the zoo, as it is for 10 classes of its usual image. */
typedef struct strata_model_info {
    const char *name, *about;
    uint64_t parameters;
    uint32_t layers; /* nodes of its graph, the loss apart */
    uint32_t tensors;
    uint32_t h, w, c;
    uint32_t n_groups;
    const char *groups[16]; /* names, input side first; at most 16 are given */
    uint64_t group_parameters[16];
} strata_model_info;

/* All models, sorted by name: `each` is called for every one. `recipe` may set stem, head and groups, or be
 * NULL.
 * Errors: STRATA_BAD_ARG for a stem, head or groups that no model has. */
STRATA_API strata_status strata_models(const strata_recipe *recipe,
                                       void (*each)(void *context, const strata_model_info *info),
                                       void *context);

/* A model's description (YAML), as `--model FILE.yaml` takes it. Owner: the library.
 * Errors: STRATA_BAD_ARG with the nearest name. */
STRATA_API strata_status strata_model_text(const char **out, const char *name);

/* One tensor of a weights file. */
typedef struct strata_tensor_info {
    const char *name, *dtype, *shape; /* "layer1.0.conv1.weight", "F32", "[64,64,3,3]" */
    uint64_t elements, bytes;
    bool numeric;                     /* the figures below are known: F32, F16, BF16, F64 */
    double mean, std, least, largest; /* of its finite elements */
    uint64_t not_finite;
} strata_tensor_info;

/* Read a weights file (safetensors, or a state dict that torch.save wrote; nothing in it is executed): `each`
 * is called for every tensor in the order of the file, `note` (may be NULL) for each entry of its metadata,
 * and for where in a .pth file the tensors were found.
 * Errors: STRATA_FILE naming the tensor and the rule that was broken. */
STRATA_API strata_status strata_inspect(const char *path,
                                        void (*each)(void *context, const strata_tensor_info *info),
                                        void (*note)(void *context, const char *key, const char *value),
                                        void *context);

#ifdef __cplusplus
}
#endif
#endif

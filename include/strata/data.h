/* Data sets: labelled images in memory. */
#ifndef STRATA_DATA_H
#define STRATA_DATA_H

#include <stdint.h>

#include "strata/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct strata_data strata_data;

/* Open a data set.
 *   source  "builtin:digits" (UCI handwritten digits, 8x8, in the library), a folder of IDX files, gzipped
 *           or not (MNIST, Fashion-MNIST), or a CIFAR-10 binary folder
 * Owner:  caller; release with strata_data_close. On failure *out is NULL.
 * Errors: STRATA_BAD_ARG (no such built-in set), STRATA_FILE (missing, damaged, mislabelled: by name). */
STRATA_API strata_status strata_data_open(strata_data **out, const char *source);
STRATA_API void strata_data_close(strata_data *data); /* NULL is allowed */

typedef struct strata_data_info {
    const char *name;
    uint32_t train, valid; /* images */
    uint32_t h, w, c, classes;
    const char *const *class_names; /* [classes] */
    uint64_t fingerprint;           /* of shapes, pixels and labels */
} strata_data_info;

/* What a data set holds; pointers are borrowed from it. */
STRATA_API strata_data_info strata_data_describe(const strata_data *data);

/* Images of a set as a trainer takes them.
 *   valid    false: the training part, in file order; true: the validation part
 *   pixels   out: [count, h, w, c] f32, normalised by the training part's mean and standard deviation of
 *            each channel
 *   labels   out: [count]
 * Errors: STRATA_BAD_ARG when first + count exceeds the part. */
STRATA_API strata_status strata_data_images(const strata_data *data, int valid, uint32_t first,
                                            uint32_t count, float *pixels, int32_t *labels);

#ifdef __cplusplus
}
#endif
#endif

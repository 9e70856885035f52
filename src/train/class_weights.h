/* How much each class counts, in the loss or in what is drawn. */
#ifndef STRATA_TRAIN_CLASS_WEIGHTS_H
#define STRATA_TRAIN_CLASS_WEIGHTS_H

#include "data/data.h"

/* By a recipe's key, whose value is `text`: "balanced", images / (classes that have images x images of the
 * class), so that the mean over images is 1, and 0 for a class without images; or a CSV file.
 *   out  out: [set->classes] at least 0
 * Owner:  caller; free(). On failure *out is NULL.
 * Errors: STRATA_FILE naming the key; those of class_weights_read; STRATA_NO_MEMORY. */
strata_status class_weights_open(float **out, const strata_image_set *set, const char *key, const char *text);

/* Read lines CLASS,WEIGHT, one for each class, in any order.
 *   out  out: [set->classes] in [0, 1e6], not all 0 of classes that have images
 * Errors: STRATA_FILE with file and line: a class that is not there or comes twice, no weight; or a class
 *         that is missing. */
strata_status class_weights_read(float *out, const strata_image_set *set, const char *path);

#endif

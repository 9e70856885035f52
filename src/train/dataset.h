/* The data that a recipe names, read as it says. */
#ifndef STRATA_TRAIN_DATASET_H
#define STRATA_TRAIN_DATASET_H

#include "data/picture.h"
#include "strata/recipe.h"
#include "strata/train.h"

/* Open `source` by the recipe's keys size, channels, fit, filter, background, ...
 *   task  the images to be made, where a network is there already: its h, w and c that are not 0 win; may be
 *         NULL
 * Owner:  caller; strata_data_close.
 * Errors: STRATA_BAD_ARG naming the key; those of strata_data_load. */
strata_status recipe_data(strata_data **out, const char *source, const strata_recipe *r,
                          const strata_task *task);

/* Take the loss that the data is for, where the recipe leaves it open.
 * Errors: STRATA_BAD_ARG for softmax where an image has any number of labels. */
strata_status recipe_loss(strata_recipe *r, const strata_data *data);

/* How single pictures are fitted. Errors: STRATA_BAD_ARG. */
strata_status recipe_style(strata_picture_style *out, const strata_recipe *r);

#endif

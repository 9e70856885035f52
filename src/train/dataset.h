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

/* The pixels that pictures are kept at for a network that takes h x w (0: it is not said): the recipe's
 * stored-size, else for an augmentation that resizes an 8th more than its size, else h x w.
 * Errors: STRATA_BAD_ARG where they are less. */
strata_status recipe_stored_size(uint32_t h_w[2], const strata_recipe *r, uint32_t h, uint32_t w);

/* Write down the pixels that a data set is kept at, where they were left to that or are others: then it holds
 * for every picture that the network is given later. */
strata_status recipe_keep_stored(strata_recipe *r, const strata_data *data);

/* The images that a network is given of a data set. */
strata_task recipe_task(const strata_data *data);

/* Take the loss that the data is for, where the recipe leaves it open.
 * Errors: STRATA_BAD_ARG for softmax where an image has any number of labels. */
strata_status recipe_loss(strata_recipe *r, const strata_data *data);

/* How single pictures are fitted. Errors: STRATA_BAD_ARG. */
strata_status recipe_style(strata_picture_style *out, const strata_recipe *r);

#endif

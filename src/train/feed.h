/* What a trainer is fed: images, their order, how much each counts, and how long it waited for them. */
#ifndef STRATA_TRAIN_FEED_H
#define STRATA_TRAIN_FEED_H

#include "data/batch.h"
#include "train/trainer.h"
#include "train/wait.h"

/* Zeroed is closed. */
typedef struct train_feed {
    strata_batcher batcher;
    bool sequential, drawn; /* the order; else shuffled */
    uint32_t *order;        /* [n] of the epoch; NULL: sequential */
    strata_classes classes; /* drawn only */
    float *class_weight;    /* [classes] the largest is 1; NULL: all are */
    data_wait wait;         /* of the device for images */
} train_feed;

/* By a recipe's keys order, sample, class-weights.
 *   micro  images of a micro-batch
 * Owner:  caller; release with feed_close, also after a failure.
 * Errors: STRATA_BAD_ARG naming the key; STRATA_FILE for a file of weights that lacks a class;
 *         STRATA_NO_MEMORY. */
strata_status feed_open(train_feed *f, const strata_data *data, const strata_recipe *r, uint32_t micro);
void feed_close(train_feed *f);

/* Set the order of an epoch, a function of seed and epoch. */
void feed_epoch(train_feed *f, uint32_t epoch);

/* Begin and submit the micro-batches of one step of a trainer that takes stored pixels: images first .. first
 * + images of the epoch's order. An image counts by its class's weight, over the sum of the step's weights,
 * as PyTorch's weighted mean has it, and so does the loss that comes back; smoothing spreads a label by the
 * classes' weights. Where the batcher mixes, so does the trainer: an image that is mixed counts by its share
 * of two. */
strata_status feed_step(train_feed *f, strata_trainer *t, uint32_t epoch, uint32_t first, uint32_t images);

#endif

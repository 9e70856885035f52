/* Scores of a network on a set of images, each counted exactly once. */
#ifndef STRATA_TRAIN_SCORE_H
#define STRATA_TRAIN_SCORE_H

#include "data/batch.h"
#include "train/grades.h"
#include "train/trainer.h"

/* Read a `normalize` text, "mean=..,std=..", of `channels` (at most 4) channels.
 * Errors: STRATA_BAD_ARG. */
strata_status score_figures(float mean[4], float std[4], const char *text, uint32_t channels);

/* The batcher of a data set's part. */
strata_batcher score_batcher(const strata_data *data, bool valid, const strata_recipe *r, uint32_t batch);

/* What is done to the images of a data set, by a recipe's keys normalize (else the training set's figures)
 * and augment.
 * Errors: STRATA_BAD_ARG for a text that is not understood, or figures of another number of channels. */
strata_status score_augment(strata_augment *out, const strata_data *data, const strata_recipe *r);

/* Evaluate a network, which takes stored pixels, on a batcher's whole set, in its order. The last batch is
 * padded with rows of weight 0, and sums are taken in double in image order: the score does not depend on the
 * batch.
 *   rule  for what counts by class
 * Owner:  caller; strata_score_free. On failure *out is zeroed. */
strata_status score_set(strata_score *out, engine *e, const strata_batcher *b, const grade_rule *rule);

#endif

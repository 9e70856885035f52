/* Scores of a network on a set of images, each counted exactly once. */
#ifndef STRATA_TRAIN_SCORE_H
#define STRATA_TRAIN_SCORE_H

#include "data/batch.h"
#include "train/grades.h"
#include "train/trainer.h"

/* Read a `normalize` text, "mean=..,std=..", of `channels` (at most 4) channels.
 * Errors: STRATA_BAD_ARG. */
strata_status score_figures(float mean[4], float std[4], const char *text, uint32_t channels);

/* Make the batcher of a data set's part as a recipe wants it (its `normalize`, else the training set's
 * figures).
 * Errors: STRATA_BAD_ARG for a normalize text that is not understood or has another number of
 * channels. */
strata_status score_batcher(strata_batcher *out, const strata_data *data, bool valid, const strata_recipe *r,
                            uint32_t batch);

/* Evaluate a network on a batcher's whole set, in its order. The last batch is padded with rows of weight 0,
 * and sums are taken in double in image order: the score does not depend on the batch.
 *   rule  for what counts by class
 * Owner:  caller; strata_score_free. On failure *out is zeroed. */
strata_status score_set(strata_score *out, engine *e, const strata_batcher *b, const grade_rule *rule);

#endif

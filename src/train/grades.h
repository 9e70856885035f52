/* From the logits of a set of images to what of a score counts by class; train/metrics.h put together. */
#ifndef STRATA_TRAIN_GRADES_H
#define STRATA_TRAIN_GRADES_H

#include "data/data.h"
#include "strata/train.h"

/* What counts as predicted. */
typedef struct grade_rule {
    bool sets;              /* every class whose sigmoid is above the threshold; else the likeliest alone */
    double threshold, beta; /* in [0, 1); above 0 */
} grade_rule;

/* By the keys loss, threshold and beta. */
grade_rule grade_rule_of(const strata_recipe *r);

/* Fill all of a score but images, loss, top1 and top5.
 *   logits  [set->n, classes], dense; where the rule has no sets, logarithms of shares take their place
 * Owner:  caller; release the score with strata_score_free, also after a failure.
 * Errors: STRATA_NO_MEMORY. */
strata_status grades_take(strata_score *out, float *logits, const strata_image_set *set,
                          const grade_rule *rule);

/* What the key `best` goes by, turned so that less is better; NaN where it was not measured. */
double grade_figure(const strata_score *s, const char *best);

#endif

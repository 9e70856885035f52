/* Measures of a classifier by class: counts, precision, recall, F-beta, average precision, confusion. Pure
 * functions of predictions and labels; K is the number of classes throughout.
 *
 * A class that is neither a label nor predicted anywhere says nothing of the classifier: its precision,
 * recall and F-beta are NaN, and macro averages leave it out. Else a share of nothing is 0: the precision of
 * a class that is never predicted, the recall of one that is never a label. */
#ifndef STRATA_TRAIN_METRICS_H
#define STRATA_TRAIN_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/text.h"

/* Of one class: images that have it as a label, that it was predicted for, and both. */
typedef struct metrics_count {
    uint64_t labelled, predicted, right;
} metrics_count;

/* A prediction of no class, as of logits with a NaN among them: it counts as wrong. */
#define METRICS_NONE UINT32_MAX

/* Count predictions of one class each.
 *   out        out: [K]
 *   label      [n], each in [0, K)
 *   predicted  [n], each in [0, K) or METRICS_NONE */
void metrics_count_labels(metrics_count *out, uint32_t K, const int32_t *label, const uint32_t *predicted,
                          uint32_t n);

/* Count predictions of any number of classes: those whose sigmoid is above `threshold`, in [0, 1).
 *   out     out: [K]
 *   logit   [n, K]; a NaN is never above
 *   target  [n, K], 0 or 1 */
void metrics_count_sets(metrics_count *out, uint32_t K, const float *logit, const uint8_t *target, uint32_t n,
                        double threshold);

double metrics_precision(const metrics_count *c); /* right / predicted */
double metrics_recall(const metrics_count *c);    /* right / labelled */

/* (1 + beta^2) P R / (beta^2 P + R), as counts: (1 + beta^2) right / (beta^2 labelled + predicted). */
double metrics_f_beta(const metrics_count *c, double beta);

/* Means over classes (macro), and of all classes' counts together (micro). */
typedef struct metrics_average {
    double precision, recall, f_beta; /* NaN where no class has one */
} metrics_average;

metrics_average metrics_macro(const metrics_count *count, uint32_t K, double beta);
metrics_average metrics_micro(const metrics_count *count, uint32_t K, double beta);

/* F-beta of each image's set of classes, averaged over images, as fastai v1's `fbeta` (thresh 0.2, beta 2 by
 * default) with its eps of 1e-9: an image without labels and without predictions is 0. NaN of no image.
 * Arguments as of metrics_count_sets. */
double metrics_samples_f_beta(const float *logit, const uint8_t *target, uint32_t n, uint32_t K,
                              double threshold, double beta);

/* An image as one class sees it. */
typedef struct metrics_item {
    float score;       /* the higher, the likelier; a NaN is below all */
    uint32_t positive; /* 1 or 0 */
} metrics_item;

/* Average precision of a class: the sum over score levels of precision times the recall they add. Items of
 * equal score are one level, so their order does not matter. NaN without positives.
 *   item  [n]; changed */
double metrics_average_precision(metrics_item *item, uint32_t n);

/* The mean of the values that are not NaN; NaN of none. */
double metrics_mean(const double *value, uint32_t n);

/* Append the confusion matrix as CSV (RFC 4180): a row for each label's class, a column for each predicted
 * one, "label" over the first. A row sums to its class's images less those with no prediction.
 *   name  [K]. Arguments as of metrics_count_labels. */
void metrics_confusion_csv(strata_text *out, const char *const *name, uint32_t K, const int32_t *label,
                           const uint32_t *predicted, uint32_t n);

#endif

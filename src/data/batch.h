/* From stored images to the batch of one step: in which order. It is a function of seed and epoch: whoever
 * resumes a run sees the batches that the uninterrupted run saw. What is done to the images themselves is
 * done on the device (ops/augment.h). */
#ifndef STRATA_DATA_BATCH_H
#define STRATA_DATA_BATCH_H

#include "core/sample.h"
#include "data/data.h"
#include "data/mix.h"

#include <stdbool.h>

/* Write the order in which an epoch visits [n] images: a permutation of 0 .. n-1, equally likely ones to
 * within n / 2^32 for each choice. */
void strata_order(uint32_t *order, uint32_t n, uint64_t seed, uint32_t epoch);

/* The images of each class that has any; an image may be of several. */
typedef struct strata_classes {
    uint32_t *member; /* class by class */
    uint32_t *begin;  /* [n + 1] where each class begins in it */
    uint32_t n;
    double *until; /* [n] weights of a class's images and of all before; NULL: classes are alike */
} strata_classes;

/* The classes of a set, for draws.
 *   weight  [set->classes] how likely an image of each class is drawn, relative to others; at least 0, and
 *           not 0 of all classes that have images; NULL: every class is as likely as another
 * Owner: caller; strata_classes_close (one that is zeroed is allowed). Errors: STRATA_NO_MEMORY. */
strata_status strata_classes_open(strata_classes *out, const strata_image_set *set, const float *weight);
void strata_classes_close(strata_classes *c);

/* Write an epoch of [n] draws with replacement: a class by its weight, then one of its images. */
void strata_order_drawn(uint32_t *order, uint32_t n, const strata_classes *c, uint64_t seed, uint32_t epoch);

/* Whose images make batches: made once for a data set, read by every batch, by any number of threads. */
typedef struct strata_batcher {
    strata_image_set set; /* borrowed: its memory must outlive this; 1 .. 4 channels */
    uint32_t batch;       /* rows to write */
    uint64_t seed;        /* of orders */
    bool drawn;           /* an epoch may have an image more than once: each place is a draw of its own */
    strata_mix_rule mix;  /* of training */
    uint32_t epoch;       /* for it */
} strata_batcher;

/* Where a batch goes. What is not NULL is written in full; pixels must be there, and labels may be where the
 * set has them. */
typedef struct strata_batch {
    uint8_t *pixels;        /* [batch, strata_stored_bytes]; zeros in rows that hold no image */
    strata_sample *samples; /* [batch] likewise */
    int32_t *labels;        /* [batch] likewise */
    float *weights;         /* [batch]; 1, and 0 in rows that hold no image */
    float *targets;  /* [batch,lanes(classes)]; 1 for each class of an image, else 0; mixed ones between */
    uint8_t *others; /* [batch, strata_stored_bytes] what is mixed into each image; NULL: nothing is */
    strata_sample *other_samples; /* [batch] theirs */
} strata_batch;

/* What the image at a place of the epoch's order is mixed with; the rule mixes. */
strata_mix strata_batch_mix(const strata_batcher *b, const uint32_t *order, uint32_t place);

/* Write one batch: the images order[first .. first + count), then rows of zeros up to the batch size.
 *   order  [>= first + count] image indices; NULL: 0, 1, 2, ...
 *   count  0 .. batch; first + count must not exceed the order (set.n where it is NULL) */
void strata_batch_fill(const strata_batch *out, const strata_batcher *b, const uint32_t *order,
                       uint32_t first, uint32_t count);

/* What of a batch lies from row `row` on, to be filled in pieces of b->batch rows. */
strata_batch strata_batch_from(const strata_batch *whole, const strata_batcher *b, uint32_t row);

#endif

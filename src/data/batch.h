/* From stored images to the floats of one step: in which order, how changed, how scaled. All of it is a
 * function of seed, epoch and image: whoever resumes a run sees the batches that the uninterrupted run saw.
 */
#ifndef STRATA_DATA_BATCH_H
#define STRATA_DATA_BATCH_H

#include "data/data.h"

#include <stdbool.h>

/* Write the order in which an epoch visits [n] images: a permutation of 0 .. n-1, equally likely ones to
 * within n / 2^32 for each choice. */
void strata_order(uint32_t *order, uint32_t n, uint32_t seed, uint32_t epoch);

/* The images of each class that has any; an image may be of several. */
typedef struct strata_classes {
    uint32_t *member; /* class by class */
    uint32_t *begin;  /* [n + 1] where each class begins in it */
    uint32_t n;
} strata_classes;

/* Owner: caller; strata_classes_close (one that is zeroed is allowed). Errors: STRATA_NO_MEMORY. */
strata_status strata_classes_open(strata_classes *out, const strata_image_set *set);
void strata_classes_close(strata_classes *c);

/* Write an epoch of [n] draws with replacement: a class, each as likely as another, then one of its
 * images. */
void strata_order_balanced(uint32_t *order, uint32_t n, const strata_classes *c, uint32_t seed,
                           uint32_t epoch);

/* What augmentation may do to an image, as flags. */
enum strata_augment {
    STRATA_AUGMENT_NONE = 0,
    STRATA_AUGMENT_FLIP = 1, /* mirror left and right, every other image */
    STRATA_AUGMENT_CROP =
        2 /* pad each side with black, an eighth of the shorter side, and cut the old size out at random */
};

/* Read "none", "flip", "crop" or "flip,crop".
 * Errors: STRATA_BAD_ARG naming the word. */
strata_status strata_augment_parse(uint32_t *augment, const char *text);

/* How images become floats: made once for a data set, read by every batch, by any number of threads. */
typedef struct strata_batcher {
    strata_image_set set;   /* borrowed: its memory must outlive this */
    uint32_t batch;         /* rows to write */
    uint32_t lanes;         /* stored channels: set.c rounded up to a multiple of 4 */
    uint32_t augment, seed; /* flags of strata_augment, and the seed they follow */
    float value[4][256];    /* [channel][stored pixel] as the network sees it */
} strata_batcher;

/* Prepare batches of a set.
 *   set        1 .. 4 channels
 *   scale      pixel / scale is in [0, 1]
 *   mean, std  [set->c] each: a pixel becomes (pixel / scale - mean) / std, computed in double */
void strata_batcher_init(strata_batcher *b, const strata_image_set *set, float scale, const float *mean,
                         const float *std);

/* Where a batch goes. What is not NULL is written in full; pixels must be there, and labels may be where the
 * set has them. */
typedef struct strata_batch {
    float *pixels;   /* [batch,h,w,lanes]; channels >= set.c are 0 */
    int32_t *labels; /* [batch]; 0 in rows that hold no image */
    float *weights;  /* [batch]; 1, and 0 in rows that hold no image */
    float *targets;  /* [batch,lanes(classes)]; 1 for each class of an image, else 0 */
} strata_batch;

/* Write one batch: the images order[first .. first + count), then rows of zeros up to the batch size.
 *   order  [>= first + count] image indices; NULL: 0, 1, 2, ...
 *   epoch  of training, for augmentation
 *   count  0 .. batch; first + count must not exceed the order (set.n where it is NULL) */
void strata_batch_fill(const strata_batch *out, const strata_batcher *b, const uint32_t *order,
                       uint32_t epoch, uint32_t first, uint32_t count);

/* What of a batch lies from row `row` on, to be filled in pieces of b->batch rows. */
strata_batch strata_batch_from(const strata_batch *whole, const strata_batcher *b, uint32_t row);

#endif

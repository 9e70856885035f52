/* What runs before the network: stored pixels, a byte a channel, become what it sees: augmented in training,
 * the middle of them in evaluation, normalised. Not a node of a graph; launched by the plan. */
#ifndef STRATA_OPS_AUGMENT_H
#define STRATA_OPS_AUGMENT_H

#include "ops/op.h"

/* What may happen to an image, as flags. */
enum {
    STRATA_AUGMENT_FLIP = 1, /* mirrored left and right, every other image */
    STRATA_AUGMENT_CROP =
        2 /* a window of the output's size anywhere in the stored image, with `pad` around */
};

/* Kernels: shaders/augment_draw.comp, which says for each image what is done to it, and augment.comp, which
 * does it. All-zero but for h, w, c and scale is valid. */
typedef struct strata_augment {
    uint32_t h, w, c;      /* of a stored image; c is 1 .. 4 */
    float scale;           /* pixel / scale is in [0, 1] */
    float mean[4], std[4]; /* [c] a pixel becomes (pixel / scale - mean) / std */
    uint8_t background[4]; /* [c] stored values of what lies outside of an image */
    uint32_t what, pad;    /* flags above; pixels */
} strata_augment;

enum { STRATA_AUGMENT_RECORD = 32 }; /* bytes: what augment_draw says of an image */

/* Where a batch of images lies. */
typedef struct strata_augment_work {
    strata_slice pixels;      /* [n, strata_stored_bytes] */
    strata_slice samples;     /* [n] strata_sample; unused in evaluation */
    strata_slice records;     /* [n, STRATA_AUGMENT_RECORD]; likewise */
    const strata_tensor *out; /* [n,h,w,c]: the network's input */
} strata_augment_work;

/* Record the launches; seed and epoch are the stream's step values.
 * Errors: STRATA_BAD_ARG where one image is more than a device binds. */
strata_status strata_augment_record(strata_stream *s, const strata_augment *a, const strata_augment_work *w,
                                    strata_mode mode);

#endif

/* What runs before the network: stored pixels, a byte a channel, become what it sees: augmented in training,
 * the middle of them in evaluation, normalised. Not a node of a graph; launched by the plan. */
#ifndef STRATA_OPS_AUGMENT_H
#define STRATA_OPS_AUGMENT_H

#include "ops/op.h"

/* What may happen to an image, as flags. */
enum {
    STRATA_AUGMENT_FLIP = 1, /* mirrored left and right, every other image */
    STRATA_AUGMENT_CROP =
        2, /* a window of the output's size anywhere in the stored image, with `pad` around */
    STRATA_AUGMENT_FLIP_VERTICAL = 4,
    STRATA_AUGMENT_RESIZED = 8 /* a window of another area and ratio, see below, becomes the output */
};

/* What lies outside of a stored image. */
typedef enum strata_border {
    STRATA_BORDER_BACKGROUND,
    STRATA_BORDER_REFLECT, /* d c b a | a b c d | d c b a */
    STRATA_BORDER_REPLICATE
} strata_border;

/* Kernels: shaders/augment_draw.comp, which says for each image what is done to it, and augment.comp, which
 * does it. All-zero but for h, w, c and scale is valid: nothing but the normalisation. Of what changes an
 * image, in this order: where a pixel is taken from is warped, sheared, turned, scaled about the middle,
 * zoomed, put into the window, mirrored; then come brightness, contrast, saturation, hue, lighting, erasing.
 * */
typedef struct strata_augment {
    uint32_t h, w, c;      /* of a stored image; at least as large as the output; c is 1 .. 4 */
    float scale;           /* pixel / scale is in [0, 1] */
    float mean[4], std[4]; /* [c] a pixel becomes (pixel / scale - mean) / std */
    uint8_t background[4]; /* [c] stored values of what lies outside of an image */
    strata_border border;
    uint32_t what, pad;          /* flags above; pixels */
    float area_low, area_high;   /* RESIZED: share of the stored image's area */
    float ratio_low, ratio_high; /* RESIZED: logarithms to base 2 of width / height */
    float p_affine;      /* with which probability each of the next happens; uniform in what is given: */
    float rotate, shear; /* turns, up to so much either way; shear is along x */
    float scale_low, scale_high; /* of the size; both 0: 1 */
    float zoom;                  /* 1 .. it, into a random part; 0: none */
    float warp;                  /* by how much of half a side corners move, in fastai's symmetric warp */
    float p_colour;              /* with which probability each of the next happens */
    float brightness, contrast, saturation; /* a factor in 1 - it .. 1 + it, at least 0; contrast is about the
                                               mean's grey */
    float hue;                              /* turns, up to so much either way */
    float lighting;                         /* fastai's brightness and contrast, of logits: up to 0.5 */
    float mixup, cutmix; /* alpha of the shares; 0: not. The host draws what is mixed with what: data/mix.h */
    float erase;         /* with which probability a box becomes 0 after the normalisation: torchvision's */
} strata_augment;

static inline bool strata_augment_mixes(const strata_augment *a) { return a->mixup > 0 || a->cutmix > 0; }

enum { STRATA_AUGMENT_RECORD = 128 }; /* bytes: what augment_draw says of an image */

/* Where a batch of images lies. */
typedef struct strata_augment_work {
    strata_slice pixels;      /* [n, strata_stored_bytes] */
    strata_slice samples;     /* [n] strata_sample; unused in evaluation */
    strata_slice records;     /* [n, STRATA_AUGMENT_RECORD]; likewise */
    const strata_tensor *out; /* [n,h,w,c]: the network's input */
    strata_slice other_pixels, other_samples,
        other_records; /* as above, of what is mixed into each; no tensors where
                                                                nothing is */
} strata_augment_work;

/* Record the launches; seed and epoch are the stream's step values.
 * Errors: STRATA_BAD_ARG where one image is more than a device binds. */
strata_status strata_augment_record(strata_stream *s, const strata_augment *a, const strata_augment_work *w,
                                    strata_mode mode);

#endif

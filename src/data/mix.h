/* Which image another is mixed with, and how much: mixup (Zhang and others 2018) and CutMix (Yun and others
 * 2019), each image for itself. A function of seed, epoch, image and draw. */
#ifndef STRATA_DATA_MIX_H
#define STRATA_DATA_MIX_H

#include <stdbool.h>
#include <stdint.h>

typedef struct strata_mix_rule {
    float mixup,
        cutmix;    /* alpha: the share is drawn from Beta(alpha, alpha); 0: not; both: half the images each */
    uint32_t h, w; /* of what the network sees */
} strata_mix_rule;

static inline bool strata_mixes(const strata_mix_rule *r) { return r->mixup > 0 || r->cutmix > 0; }

typedef struct strata_mix {
    uint32_t place;  /* of the partner in the epoch's order */
    float share;     /* of the partner in the loss */
    float in_box;    /* its share of the pixels in a box: mixup: `share` in all of the image; cutmix: 1 */
    uint32_t box[4]; /* left, top, right, bottom */
} strata_mix;

/* n: images of an epoch. */
strata_mix strata_mix_draw(const strata_mix_rule *r, uint64_t seed, uint32_t epoch, uint32_t image,
                           uint32_t draw, uint32_t n);

#endif

/* What the host gives the device of each image of a batch: its stored pixels, and what augmentation is a
 * function of beside seed and epoch. */
#ifndef STRATA_CORE_SAMPLE_H
#define STRATA_CORE_SAMPLE_H

#include <stdint.h>

typedef struct strata_sample {
    uint32_t image; /* its number in its set */
    uint32_t draw;  /* which of the image's draws in this epoch: 0 where an epoch has each image once */
    float share;    /* of another image's pixels in the box */
    uint32_t zero;
    uint32_t box[4]; /* left, top, right, bottom; right 0: none */
} strata_sample;

#define STRATA_DRAW_PARTNER 0x80000000u /* in the draw of an image that is mixed into another */

/* Bytes of one image as it is given: a byte a pixel where it has one channel, else a word, whose lowest byte
 * is the first channel; whole words. */
static inline uint64_t strata_stored_bytes(uint32_t h, uint32_t w, uint32_t c)
{
    const uint64_t pixels = (uint64_t)h * w;
    return c == 1 ? (pixels + 3) / 4 * 4 : 4 * pixels;
}

#endif

/* What the host gives the device of each image of a batch: its stored pixels, and what augmentation is a
 * function of beside seed and epoch. */
#ifndef STRATA_CORE_SAMPLE_H
#define STRATA_CORE_SAMPLE_H

#include <stdint.h>

typedef struct strata_sample {
    uint32_t image; /* its number in its set */
    uint32_t draw;  /* which of the image's draws in this epoch: 0 where an epoch has each image once */
} strata_sample;

/* Bytes of one image as it is given: a byte a pixel where it has one channel, else a word, whose lowest byte
 * is the first channel; whole words. */
static inline uint64_t strata_stored_bytes(uint32_t h, uint32_t w, uint32_t c)
{
    const uint64_t pixels = (uint64_t)h * w;
    return c == 1 ? (pixels + 3) / 4 * 4 : 4 * pixels;
}

#endif

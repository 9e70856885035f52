/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC11): random
 * numbers as a function of a counter. Twin: shaders/philox.glsl gives the same bits. */
#ifndef STRATA_CORE_RANDOM_H
#define STRATA_CORE_RANDOM_H

#include <stdint.h>

/* What a stream of numbers is for; the high half of the key, so no two purposes share numbers. */
enum strata_purpose {
    STRATA_RANDOM_INIT = 1, /* initial weights;       counter: (element / 4, tensor) */
    STRATA_RANDOM_ORDER,    /* order of the examples;  counter: (position, epoch, 1 where they are drawn,
                               high half of the seed) */
    STRATA_RANDOM_DROPOUT,  /* dropout masks;          counter: (quad of the image, sample, node, step) */
    STRATA_RANDOM_AUGMENT,  /* augmentation;           counter: (image, epoch, which words, draw) */
    STRATA_RANDOM_TEST,
    STRATA_RANDOM_MIX       /* mixup and cutmix;       counter: (image, epoch, which words, draw) */
};

typedef struct strata_random4 {
    uint32_t v[4];
} strata_random4;

/* Four words for a counter c0..c3 and a key (k0 = seed, k1 = purpose). */
strata_random4 strata_philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1);

/* Uniform in [0, 1): the upper 24 bits, exact in float. */
static inline float strata_uniform(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

/* Two independent standard normal numbers from two words (Box, Muller 1958), in double. */
void strata_normal2(double out[2], uint32_t a, uint32_t b);

#endif

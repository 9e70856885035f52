/* The shape of an activation: images of channels, NHWC. Vectors of features are images of one pixel. */
#ifndef STRATA_CORE_SHAPE_H
#define STRATA_CORE_SHAPE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct strata_shape {
    uint32_t n, h, w, c;
} strata_shape;

/* Channels as stored: a multiple of 4, so that every pass loads 16 aligned bytes. What lies in the added ones
 * is undefined in activations and zero in parameters. */
static inline uint32_t strata_lanes(uint32_t channels) { return (channels + 3) / 4 * 4; }

static inline uint64_t strata_pixels(strata_shape s) { return (uint64_t)s.n * s.h * s.w; }

/* Is a * b * c * d, none of them 0, at most 2^31 - 1, as far as kernels count? Looked at factor by factor:
 * the product may be more than 64 bits hold. */
static inline bool strata_countable(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    const uint32_t factor[] = { b, c, d };
    uint64_t product = a;
    for (int i = 0; i < 3 && product <= INT32_MAX; i++) product *= factor[i];
    return product <= INT32_MAX;
}

/* Stored floats. */
static inline uint64_t strata_shape_floats(strata_shape s) { return strata_pixels(s) * strata_lanes(s.c); }

/* Bytes of so many floats, of 16 bits where `half`; and of a quad of them. */
static inline uint64_t strata_float_bytes(uint64_t floats, bool half) { return floats * (half ? 2 : 4); }
static inline uint64_t strata_quad_bytes(bool half) { return half ? 8 : 16; }

/* The next multiple of STRATA_ALIGN. */
static inline uint64_t strata_align(uint64_t bytes) { return (bytes + 255) / 256 * 256; }

typedef struct strata_shape_string {
    char s[64];
} strata_shape_string;

/* "[64,8,8,16]", for messages: strata_shape_text(shape).s */
static inline strata_shape_string strata_shape_text(strata_shape s)
{
    strata_shape_string t;
    snprintf(t.s, sizeof t.s, "[%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 "]", s.n, s.h, s.w, s.c);
    return t;
}

#endif

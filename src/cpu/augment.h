/* What is done to one image. Twin: shaders/augment.glsl. */
#ifndef STRATA_CPU_AUGMENT_H
#define STRATA_CPU_AUGMENT_H

#include <stdint.h>

enum { AUGMENT_COLOURED = 1, AUGMENT_LIT = 2 };

typedef struct augment_record {
    float a, b, c, g; /* the pixel (x, y) of the output is taken from */
    float d, e, f, h; /* (a x + b y + c, d x + e y + f) / (g x + h y + i) of the stored image */
    float i, summand, factor;
    uint32_t flags;
    float colour[3][4];
    uint32_t erase[4]; /* left, top, right, bottom; none where right is 0 */
    float share;       /* of another image, in the box */
    uint32_t mix[2];   /* left, top; right, bottom: 16 bits each */
    uint32_t zero;
} augment_record;

#endif

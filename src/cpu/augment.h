/* What is done to one image. Twin: shaders/augment.glsl. */
#ifndef STRATA_CPU_AUGMENT_H
#define STRATA_CPU_AUGMENT_H

typedef struct augment_record {
    float a, b, c, zero0; /* the pixel (x, y) of the output is taken from */
    float d, e, f, zero1; /* (a x + b y + c, d x + e y + f) of the stored image */
} augment_record;

#endif

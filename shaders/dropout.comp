#version 460
#include "kernel.glsl"
#include "tensor.glsl"
#include "philox.glsl"

// Zero each channel of each pixel with probability p, and scale the others so that the mean stays.
//   forward   y[i]   = keep[i] ? x[i] / (1 - p) : 0
//   backward  dx[i] (+)= keep[i] ? dy[i] / (1 - p) : 0
//   evaluate  y[i]   = x[i]
// keep[i] is a uniform number >= p: word c % 4 of a block of random numbers that is counted by the quad
// within its image, the image's number within the step, the node and the step. So it depends neither on how
// a step is split into micro-batches nor on slices, and backward makes it again.
READS(0, x);   // [images, image_quads]
WRITES(1, y);  // [images, image_quads]
WRITES(2, dx); // [images, image_quads]
READS(3, dy);  // [images, image_quads]
layout(binding = 4) readonly buffer B4 { uint values[]; }; // seed low and high, step, first sample of it
layout(push_constant) uniform Args {
    uint images, image_quads, first, node, add_dx;
    float p, scale;
#if PASS == BACKWARD
    PLACES_1(dx)
#else
    PLACES_1(y)
#endif
};
#include "lane_stores.glsl"
STORES(1, y)
STORES(2, dx)

#ifndef ADD_DX
#define ADD_DX add_dx
#endif

const uint PURPOSE = 3; // STRATA_RANDOM_DROPOUT

vec4 drop(vec4 v, uint n, uint quad) // of image n
{
    uvec4 counter = uvec4(quad, values[3] + first + n, node, values[2]);
    // The factor is odd, so that each high half of the seed gives its own key.
    uvec2 key = uvec2(values[0], PURPOSE ^ (values[1] * 0x9E3779B9u));
    return mix(vec4(0.0), v * scale, greaterThanEqual(uniform4(philox(counter, key)), vec4(p)));
}

vec4 result(uint i, uint n, uint quad)
{
    if (PASS == EVALUATE) return AT(x, i);
    if (PASS == FORWARD) return drop(AT(x, i), n, quad);
    vec4 d = drop(AT(dy, i), n, quad);
    if (ADD_DX != 0) d += GET(dx, i);
    return d;
}

void main()
{
#ifdef LANE_STORES // no workgroup too many, and an image is no less than STEP
    uint at = strip_from(), to = strip_to(), n = at / image_quads, quad = at - n * image_quads;
    vec4 value[EACH];
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        value[k] = result(at + k * STEP, n, quad);
        quad += STEP;
        bool next = quad >= image_quads;
        n += uint(next);
        quad -= next ? image_quads : 0;
    }
#if PASS == BACKWARD
    [[unroll]] for (uint k = 0; k < EACH; k++) STORE(dx, to + k * STEP, value[k])
    ALIGN_SPILLS(dx, value[0])
#else
    [[unroll]] for (uint k = 0; k < EACH; k++) STORE(y, to + k * STEP, value[k])
    ALIGN_SPILLS(y, value[0])
#endif
#else
    uint i = flat_index();
    if (i >= images * image_quads) return;
    uint n = i / image_quads;
    if (PASS == BACKWARD)
        PUT(dx, i, result(i, n, i - n * image_quads));
    else
        PUT(y, i, result(i, n, i - n * image_quads));
#endif
}

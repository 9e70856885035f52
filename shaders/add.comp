#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// Sum of two tensors, four channels to an invocation. Of more than two, the launches after the first take y
// as x0, which is the same place: each element is read and written by one invocation.
//   forward   y[i]     = x0[i] + x1[i]
//   backward  dx0[i] (+)= dy[i];  dx1[i] (+)= dy[i], each where it is wanted
READS(0, x0);   // [images, image_quads]
READS(1, x1);   // [images, image_quads]
WRITES(2, y);   // [images, image_quads]
WRITES(3, dx0); // [images, image_quads]
WRITES(4, dx1); // [images, image_quads]
READS(5, dy);   // [images, image_quads]
layout(push_constant) uniform Args {
    uint images, image_quads, do_dx0, do_dx1;
#if PASS == BACKWARD
    PLACES_2(dx0, dx1)
#else
    PLACES_1(y)
#endif
};
#include "lane_stores.glsl"
STORES(2, y)
STORES(3, dx0)
STORES(4, dx1)

// What do_dx0 and do_dx1 may be; src/ops/add.c and src/cpu/add.c have the same numbers.
const uint NOTHING = 0, ASSIGN = 1, ADD = 2;

#ifndef DO_DX0
#define DO_DX0 do_dx0
#define DO_DX1 do_dx1
#endif

#ifdef LANE_STORES // no workgroup too many
void strip(uint first, uint to)
{
    vec4 value[EACH], other[EACH];
#if PASS == BACKWARD
    [[unroll]] for (uint k = 0; k < EACH; k++) value[k] = other[k] = AT(dy, first + k * STEP);
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        if (DO_DX0 == ADD) value[k] += GET(dx0, first + k * STEP);
        if (DO_DX1 == ADD) other[k] += GET(dx1, first + k * STEP);
    }
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        if (DO_DX0 != NOTHING) STORE(dx0, to + k * STEP, value[k])
        if (DO_DX1 != NOTHING) STORE(dx1, to + k * STEP, other[k])
    }
    ALIGN_SPILLS(dx0, value[0])
#else
    [[unroll]] for (uint k = 0; k < EACH; k++) value[k] = AT(x0, first + k * STEP) + AT(x1, first + k * STEP);
    [[unroll]] for (uint k = 0; k < EACH; k++) STORE(y, to + k * STEP, value[k])
    ALIGN_SPILLS(y, value[0])
#endif
}
#endif

void main()
{
#ifdef LANE_STORES
    strip(strip_from(), strip_to());
#else
    uint i = flat_index();
    if (i >= images * image_quads) return;
    if (PASS == FORWARD) {
        PUT(y, i, AT(x0, i) + AT(x1, i));
        return;
    }
    vec4 d = AT(dy, i);
    if (DO_DX0 == ASSIGN) PUT(dx0, i, d);
    if (DO_DX0 == ADD) PUT(dx0, i, GET(dx0, i) + d);
    if (DO_DX1 == ASSIGN) PUT(dx1, i, d);
    if (DO_DX1 == ADD) PUT(dx1, i, GET(dx1, i) + d);
#endif
}

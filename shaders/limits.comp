#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// What a device can do at best: kernels of `strata bench --limits`.
//   FORWARD  y[i] = x[i]: a copy, EACH times four floats to an invocation, by whole workgroups; with n = 0,
//            without LANE_STORES, a launch of nothing
//   REDUCE   y[i] = the sum of SUMS chains  s = s * x[0] + x[1]  of 16 n steps each, begun at i + k
READS(0, x);  // [n], at least 2
WRITES(1, y); // [n], or of REDUCE one for each invocation
layout(push_constant) uniform Args {
    uint n;
    PLACES_1(y)
};
#include "lane_stores.glsl"
STORES(1, y)

#ifndef EACH
#define EACH 1
#endif
#ifndef LANE_STORES
#define STEP GROUP
#endif
#ifndef SUMS
#define SUMS 4
#endif

void copy()
{
#ifdef LANE_STORES
    uint first = strip_from(), to = strip_to();
#else
    uint first = (flat_index() - lane) * EACH + lane, to = first;
    if (first >= n) return;
#endif
    vec4 value[EACH];
    [[unroll]] for (uint k = 0; k < EACH; k++) value[k] = AT(x, first + k * STEP);
    [[unroll]] for (uint k = 0; k < EACH; k++) STORE(y, to + k * STEP, value[k])
    ALIGN_SPILLS(y, value[0])
}

void chains()
{
    uint i = flat_index();
    vec4 a = AT(x, 0), b = AT(x, 1), sum[SUMS];
    [[unroll]] for (uint k = 0; k < SUMS; k++) sum[k] = vec4(i + k);
    for (uint round = 0; round < n; round++)
        [[unroll]] for (uint j = 0; j < 16; j++)
            [[unroll]] for (uint k = 0; k < SUMS; k++) sum[k] = sum[k] * a + b;
    [[unroll]] for (uint k = 1; k < SUMS; k++) sum[0] += sum[k];
    PUT(y, i, sum[0]);
}

void main()
{
    if (PASS == FORWARD)
        copy();
    else
        chains();
}

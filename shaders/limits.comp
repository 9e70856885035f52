#version 460
#include "kernel.glsl"

// What a device can do at best: kernels of `strata bench --limits`.
//   FORWARD  y[i] = x[i]: a copy, four floats to an invocation; with n = 0 a launch of nothing
//   REDUCE   y[i] = the sum of SUMS chains  s = s * x[0] + x[1]  of 16 n steps each, begun at i + k
#ifdef TEXEL
layout(binding = 0) uniform samplerBuffer x; // [n], at least 2
#define X(i) texelFetch(x, int(i))
#else
layout(binding = 0) readonly buffer B0 { vec4 x[]; };
#define X(i) x[i]
#endif
layout(binding = 1)          buffer B1 { vec4 y[]; }; // [n], or of REDUCE one for each invocation
layout(push_constant) uniform Args { uint n; };

#ifndef SUMS
#define SUMS 4
#endif

void main()
{
    uint i = flat_index();
    if (PASS == FORWARD) {
        if (i < n) y[i] = X(i);
        return;
    }
    vec4 a = X(0), b = X(1), sum[SUMS];
    [[unroll]] for (uint k = 0; k < SUMS; k++) sum[k] = vec4(i + k);
    for (uint round = 0; round < n; round++)
        [[unroll]] for (uint j = 0; j < 16; j++)
            [[unroll]] for (uint k = 0; k < SUMS; k++) sum[k] = sum[k] * a + b;
    [[unroll]] for (uint k = 1; k < SUMS; k++) sum[0] += sum[k];
    y[i] = sum[0];
}

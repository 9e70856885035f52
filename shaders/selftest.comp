#version 460
#include "kernel.glsl"

// A small kernel for the start-up test of a device and for tests of the device layer. In whole numbers,
// modulo 2^32.
//   FORWARD  y[i] = 3 x[i] + add
//   REDUCE   y[i] = 256 (add + sum_k (2 k + 1) x[first + k]) + i mod size, k < size, first = i - i mod size:
//            the members of a subgroup, taken from each other by constant place. One subgroup per workgroup.
//            Wants SG = GROUP = size and SHUFFLE = 0 or 1.
layout(binding = 0) readonly buffer B0 { uint x[]; }; // [n]
layout(binding = 1)          buffer B1 { uint y[]; }; // [n]
layout(push_constant) uniform Args { uint n, add, size; };

#ifdef SG
#extension GL_KHR_shader_subgroup_basic : require
#if SHUFFLE
#extension GL_KHR_shader_subgroup_shuffle : require
#define TAKE subgroupShuffle
#else
#extension GL_KHR_shader_subgroup_ballot : require
#define TAKE subgroupBroadcast
#endif

// Written out: before SPIR-V 1.5 the place of a broadcast has to be a constant, and a loop's counter is none.
#define TERM(k)   if ((k) < SG) sum += TAKE(own, (k)) * (2u * (k) + 1u);
#define TERM4(k)  TERM((k)) TERM((k) + 1u) TERM((k) + 2u) TERM((k) + 3u)
#define TERM16(k) TERM4((k)) TERM4((k) + 4u) TERM4((k) + 8u) TERM4((k) + 12u)
#define TERM64(k) TERM16((k)) TERM16((k) + 16u) TERM16((k) + 32u) TERM16((k) + 48u)

void reduce_subgroup()
{
    uint i = gl_WorkGroupID.x * SG + lane, own = x[i], sum = add;
#if SG <= 16
    TERM16(0u)
#elif SG <= 64
    TERM64(0u)
#else
    TERM64(0u)
    TERM64(64u)
#endif
    // A subgroup that is smaller than it says, or in another order than the workgroup, shows in the low byte.
    y[i] = sum * 256u + (gl_SubgroupInvocationID == lane ? gl_SubgroupInvocationID : 255u);
}
#else
void reduce_subgroup() { }
#endif

void main()
{
    if (PASS == FORWARD) {
        uint i = flat_index();
        if (i < n) y[i] = 3u * x[i] + add;
    } else {
        reduce_subgroup();
    }
}

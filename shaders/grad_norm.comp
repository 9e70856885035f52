#version 460
#include "kernel.glsl"
#include "tensor.glsl"
#include "reduce.glsl"
#include "rate.glsl"

// The norm of all gradients of active rows, the factor that clips it, and the check that all is finite.
//   stats         partial[i] = sum of squares of an invocation's share, BAD if a gradient in it is not finite
//   stats_finish  norm = sqrt(sum_i partial[i]), clip = min(1, clip_norm / (norm + 1e-6)) as PyTorch;
//                 not_finite |= a BAD partial or a loss that is not finite;  skipped += not_finite
// Finiteness is read from the bits of each value: a sum of squares may overflow where no gradient did.
READS(0, grads);                                            // [blocks, 64] a slice, from block `first` on
layout(binding = 1) readonly buffer B1 { uint owner[]; };   // [all blocks] row
layout(binding = 2) readonly buffer B2 { uvec4 rates[]; };  // [rows, 2]
layout(binding = 3) readonly buffer B3 { uint loss[]; };    // [n] bits of f32
layout(binding = 4)          buffer B4 { uint partial[]; }; // [partials] bits of f32
layout(binding = 5)          buffer B6 { uint state[]; };   // not_finite, grad_norm, clip, skipped
layout(push_constant) uniform Args { uint first, blocks, chunk, partials, n; float clip_norm; };

const uint BAD = 0xffffffff, EXPONENT = 0x7f800000, NOT_A_NUMBER = 0x7fc00000;

// A workgroup of 64 takes `chunk` blocks and each quarter of it a run of these. So the loads of an invocation
// lie 256 bytes apart; 1024 made lavapipe three times slower. No shared memory.
const uint RUN = 16, LOADS = BLOCK_QUADS / RUN;

void stats()
{
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x, share = chunk / (GROUP / RUN);
    uint b = group * chunk + lane / RUN * share, end = min(b + share, blocks);
    float sum = 0.0;
    bool bad = false;
    for (; b < end; b++) {
        if ((rates[2 * owner[first + b] + 1].w & ACTIVE) == 0) continue; // may hold anything
        vec4 g[LOADS];
        [[unroll]] for (uint k = 0; k < LOADS; k++) g[k] = AT(grads, b * BLOCK_QUADS + lane % RUN + k * RUN);
        [[unroll]] for (uint k = 0; k < LOADS; k++) {
            bad = bad || any(equal(floatBitsToUint(g[k]) & EXPONENT, uvec4(EXPONENT)));
            sum += dot(g[k], g[k]);
        }
    }
    uint i = (first / chunk + group) * GROUP + lane;
    if (group * chunk < blocks) partial[i] = bad ? BAD : floatBitsToUint(sum);
}

void finish()
{
    float sum = 0.0;
    bool bad = false;
    for (uint i = lane; i < partials; i += GROUP) {
        bad = bad || partial[i] == BAD;
        sum += partial[i] == BAD ? 0.0 : uintBitsToFloat(partial[i]);
    }
    for (uint i = lane; i < n; i += GROUP) bad = bad || (loss[i] & EXPONENT) == EXPONENT;
    float norm = sqrt(group_sum(sum));
    bad = group_max(bad ? 1.0 : 0.0) != 0.0;
    if (lane != 0) return;

    uint not_finite = bad ? 1 : state[0];
    float clip = clip_norm > 0.0 ? min(1.0, clip_norm / (norm + 1e-6)) : 1.0;
    state[0] = not_finite;
    state[1] = bad ? NOT_A_NUMBER : floatBitsToUint(norm);
    state[2] = floatBitsToUint(bad ? 1.0 : clip);
    state[3] += not_finite;
}

void main()
{
    if (PASS == STATS_FINISH)
        finish();
    else
        stats();
}

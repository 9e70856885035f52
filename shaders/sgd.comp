#version 460
#include "kernel.glsl"
#include "rate.glsl"

// Stochastic gradient descent as PyTorch's, for all parameters at once.
//   d = clip g + decay w;  m = momentum m + d (first step: m = d);  w -= lr (nesterov ? d + momentum m : m)
// Without a momentum buffer w -= lr d. Nothing is written where the row is not active or the state is not
// finite.
layout(binding = 0)          buffer B0 { vec4 w[]; };      // [blocks, 64] a slice, from block `first` on
layout(binding = 1) readonly buffer B1 { vec4 g[]; };      // [blocks, 64]
layout(binding = 2)          buffer B2 { vec4 m[]; };      // [blocks, 64]; none unless has_m
layout(binding = 3) readonly buffer B3 { uint owner[]; };  // [all blocks] row
layout(binding = 4) readonly buffer B4 { uvec4 rates[]; }; // [rows, 2]
layout(binding = 5) readonly buffer B5 { uvec4 state[]; }; // not_finite, grad_norm, clip, skipped
layout(push_constant) uniform Args { uint first, blocks, has_m; };

const uint EACH = 4; // vec4s of an invocation, all of one block: they share its owner, rates and state
const uint SIDE = BLOCK_QUADS / EACH;

void main()
{
    uint i = flat_index(), block = i / SIDE;
    if (block >= blocks || state[0].x != 0) return;
    uint row = 2 * owner[first + block];
    Rate rate = unpack_rate(rates[row], rates[row + 1]);
    if ((rate.flags & ACTIVE) == 0) return;
    float clip = uintBitsToFloat(state[0].z);

    uint at = block * BLOCK_QUADS + i % SIDE;
    vec4 d[EACH], weight[EACH];
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        weight[k] = w[at + k * SIDE];
        d[k] = clip * g[at + k * SIDE] + rate.decay * weight[k];
    }
    if (has_m != 0)
        [[unroll]] for (uint k = 0; k < EACH; k++) {
            vec4 moment = d[k];
            if ((rate.flags & FIRST) == 0) moment += rate.momentum * m[at + k * SIDE];
            m[at + k * SIDE] = moment;
            d[k] = (rate.flags & NESTEROV) != 0 ? d[k] + rate.momentum * moment : moment;
        }
    [[unroll]] for (uint k = 0; k < EACH; k++) w[at + k * SIDE] = weight[k] - rate.lr * d[k];
}

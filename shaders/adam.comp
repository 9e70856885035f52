#version 460
#include "kernel.glsl"
#include "rate.glsl"

// Adam and AdamW as PyTorch's, for all parameters at once; beta1 is the row's momentum.
//   d = clip g (+ decay w in Adam);  m = beta1 m + (1 - beta1) d;  v = beta2 v + (1 - beta2) d^2
//   w -= lr (correction1 m / (sqrt(v) correction2 + eps) (+ decay w in AdamW))
// Nothing is written where the row is not active or the state not finite.
layout(binding = 0)          buffer B0 { vec4 w[]; };      // [blocks, 64] a slice, from block `first` on
layout(binding = 1) readonly buffer B1 { vec4 g[]; };      // [blocks, 64]
layout(binding = 2)          buffer B2 { vec4 m[]; };      // [blocks, 64]
layout(binding = 3)          buffer B3 { vec4 v[]; };      // [blocks, 64]
layout(binding = 4) readonly buffer B4 { uint owner[]; };  // [all blocks] row
layout(binding = 5) readonly buffer B5 { uvec4 rates[]; }; // [rows, 2]
layout(binding = 6) readonly buffer B6 { uvec4 state[]; }; // not_finite, grad_norm, clip, skipped
layout(push_constant) uniform Args { uint first, blocks, decoupled; };

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
    float decay_d = decoupled != 0 ? 0.0 : rate.decay, decay_w = decoupled != 0 ? rate.decay : 0.0;

    uint at = block * BLOCK_QUADS + i % SIDE;
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        uint j = at + k * SIDE;
        vec4 weight = w[j], d = clip * g[j] + decay_d * weight;
        vec4 moment1 = rate.momentum * m[j] + (1.0 - rate.momentum) * d;
        vec4 moment2 = rate.beta2 * v[j] + (1.0 - rate.beta2) * (d * d);
        vec4 size = sqrt(moment2) * rate.correction2 + rate.eps;
        // Padding has no moments; with eps 0 it would be 0 / 0.
        vec4 move = mix(rate.correction1 * moment1 / size, vec4(0.0), equal(size, vec4(0.0)));
        m[j] = moment1;
        v[j] = moment2;
        w[j] = weight - rate.lr * (move + decay_w * weight);
    }
}

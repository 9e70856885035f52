#version 460
#include "kernel.glsl"
#include "tensor.glsl"
#include "reduce.glsl"
#include "rate.glsl"

// Stochastic gradient descent as PyTorch's, and LARS as timm's, for all parameters at once.
//   d = t (clip g + decay w);  m = momentum m + d (first step: m = d)
//   w -= lr (nesterov ? d + momentum m : m)
// t is the row's trust ratio, 1 without has_trust. Without a momentum buffer w -= lr d. Nothing is written
// where the row is not active or the state is not finite.
//   measure  the same by pieces of a row; partial[piece] = sums of squares of (w' - w, w), (0, 0) where
//            nothing is written
layout(binding = 0)          buffer B0 { vec4 w[]; };       // [blocks, 64] a slice, from block `first` on
READS(1, g);                                                // [blocks, 64]
layout(binding = 2)          buffer B2 { vec4 m[]; };       // [blocks, 64]; none unless has_m
layout(binding = 3) readonly buffer B3 { uint owner[]; };   // [all blocks] row
layout(binding = 4) readonly buffer B4 { uvec4 rates[]; };  // [rows, 2]
layout(binding = 5) readonly buffer B5 { uvec4 state[]; };  // not_finite, grad_norm, clip, skipped
layout(binding = 6) readonly buffer B6 { float trust[]; };  // [rows]; none unless has_trust
layout(binding = 7) readonly buffer B7 { uvec4 pieces[]; }; // [all pieces] first block, blocks, row
layout(binding = 8)          buffer B8 { vec2 partial[]; }; // [all pieces]
READS(9, old_w);                                            // w and m again: as texels they load faster
READS(10, old_m);
layout(push_constant) uniform Args { uint first, blocks, has_m, has_trust, first_piece, n_pieces; };

// One invocation's share of a block. The weights are `precise` as their difference is measured: it must not
// be simplified to the step that was meant, and whether it is measured must change no bit.
vec2 move(uint at, Rate rate, float ratio)
{
    float clip = uintBitsToFloat(state[0].z);
    vec4 d[EACH], weight[EACH];
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        weight[k] = AT(old_w, at + k * SIDE);
        d[k] = ratio * (clip * AT(g, at + k * SIDE) + rate.decay * weight[k]);
    }
    if (has_m != 0)
        [[unroll]] for (uint k = 0; k < EACH; k++) {
            vec4 moment = d[k];
            if ((rate.flags & FIRST) == 0) moment += rate.momentum * AT(old_m, at + k * SIDE);
            m[at + k * SIDE] = moment;
            d[k] = (rate.flags & NESTEROV) != 0 ? d[k] + rate.momentum * moment : moment;
        }
    vec2 sum = vec2(0.0);
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        precise vec4 next = weight[k] - rate.lr * d[k], moved = next - weight[k];
        w[at + k * SIDE] = next;
        sum += vec2(dot(moved, moved), dot(weight[k], weight[k]));
    }
    return sum;
}

void forward()
{
    uint i = flat_index(), block = i / SIDE;
    if (block >= blocks || state[0].x != 0) return;
    uint row = row_of(first + block);
    Rate rate = unpack_rate(rates[2 * row], rates[2 * row + 1]);
    if ((rate.flags & ACTIVE) == 0) return;
    move(block * BLOCK_QUADS + i % SIDE, rate, has_trust != 0 ? trust[row] : 1.0);
}

void measure()
{
    if (piece_index() >= n_pieces) return;
    uvec4 piece = pieces[first_piece + piece_index()];
    Rate rate = unpack_rate(rates[2 * piece.z], rates[2 * piece.z + 1]);
    float ratio = has_trust != 0 ? trust[piece.z] : 1.0;
    vec2 sum = vec2(0.0);
    if ((rate.flags & ACTIVE) != 0 && state[0].x == 0)
        for (uint b = piece.x - first + lane / SIDE; b < piece.x - first + piece.y; b += GROUP / SIDE)
            sum += move(b * BLOCK_QUADS + lane % SIDE, rate, ratio);
    sum = vec2(group_sum(sum.x), group_sum(sum.y));
    if (lane == 0) partial[first_piece + piece_index()] = sum;
}

void main()
{
    if (PASS == MEASURE)
        measure();
    else
        forward();
}

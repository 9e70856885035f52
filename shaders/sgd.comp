#version 460
#include "kernel.glsl"
#include "tensor.glsl"
#include "reduce.glsl"

// Stochastic gradient descent as PyTorch's, and LARS as timm's, for all parameters at once.
//   d = t (clip g + decay w);  m = momentum m + d (first step: m = d)
//   w -= lr (nesterov ? d + momentum m : m)
// t is the row's trust ratio, 1 without has_trust. Without a momentum buffer w -= lr d. Nothing is written
// where the row is not active or the state is not finite.
//   measure  the same by pieces of a row; partial[piece] = sums of squares of (w' - w, w), (0, 0) where
//            nothing is written
WRITES(0, w);                                               // [blocks, 64] a slice, from block `first` on
READS(1, g);                                                // [blocks, 64]
WRITES(2, m);                                               // [blocks, 64]; none unless has_m
layout(binding = 3) readonly buffer B3 { uint owner[]; };   // [all blocks] row
layout(binding = 4) readonly buffer B4 { uvec4 rates[]; };  // [rows, 2]
layout(binding = 5) readonly buffer B5 { uvec4 state[]; };  // not_finite, grad_norm, clip, skipped
layout(binding = 6) readonly buffer B6 { float trust[]; };  // [rows]; none unless has_trust
layout(binding = 7) readonly buffer B7 { uvec4 pieces[]; }; // [all pieces] first block, blocks, row
layout(binding = 8)          buffer B8 { vec2 partial[]; }; // [all pieces]
READS(9, old_w);                                            // w and m again: as texels they load faster
READS(10, old_m);
layout(push_constant) uniform Args {
    uint first, blocks, has_m, has_trust, first_piece, n_pieces;
    PLACES_2(w, m)
};
#include "lane_stores.glsl"
#include "rate.glsl"
STORES(0, w)
STORES(2, m)

#ifndef HAS_M // defines fold what the host knows: a store of lanes stands in no branch
#define HAS_M has_m
#define HAS_TRUST has_trust
#endif

// One invocation's share of a block from quad `at` on, stored from `to` on: as it was unless it `moves`. The
// weights are `precise` as their difference is measured: it must not be simplified to the step that was
// meant, and whether it is measured must change no bit.
vec2 move(uint at, uint to, Rate rate, float ratio, bool moves)
{
    float clip = uintBitsToFloat(state[0].z);
    vec4 d[EACH], weight[EACH];
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        weight[k] = AT(old_w, at + k * SIDE);
        d[k] = ratio * (clip * AT(g, at + k * SIDE) + rate.decay * weight[k]);
    }
    if (HAS_M != 0)
        [[unroll]] for (uint k = 0; k < EACH; k++) {
            vec4 moment = d[k], old = AT(old_m, at + k * SIDE);
            if ((rate.flags & FIRST) == 0) moment += rate.momentum * old;
            STORE(m, to + k * SIDE, mix(old, moment, bvec4(moves)))
            d[k] = (rate.flags & NESTEROV) != 0 ? d[k] + rate.momentum * moment : moment;
        }
    vec2 sum = vec2(0.0);
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        precise vec4 next = weight[k] - rate.lr * d[k], moved = next - weight[k];
        STORE(w, to + k * SIDE, mix(weight[k], next, bvec4(moves)))
        sum += vec2(dot(moved, moved), dot(weight[k], weight[k]));
    }
    return sum;
}

void forward()
{
    Share own = share();
    LEAVE_IF(own.block >= blocks)
    uint row = ROW_OF(first + own.block);
    Rate rate = unpack_rate(rates[2 * row], rates[2 * row + 1]);
    LEAVE_IF(idle(rate, state[0].x))
    move(own.at, own.to, rate, HAS_TRUST != 0 ? trust[row] : 1.0, !idle(rate, state[0].x));
}

void measure()
{
    if (piece_index() >= n_pieces) return;
    uvec4 piece = pieces[first_piece + piece_index()];
    Rate rate = unpack_rate(rates[2 * piece.z], rates[2 * piece.z + 1]);
    float ratio = HAS_TRUST != 0 ? trust[piece.z] : 1.0;
    vec2 sum = vec2(0.0);
    if (!idle(rate, state[0].x))
        for (uint b = piece.x - first + lane / SIDE; b < piece.x - first + piece.y; b += GROUP / SIDE) {
            uint at = b * BLOCK_QUADS + lane % SIDE;
            sum += move(at, at, rate, ratio, true);
        }
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

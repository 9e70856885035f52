#version 460
#include "kernel.glsl"
#include "tensor.glsl"
#include "reduce.glsl"

// LAMB as timm's, for all parameters at once; beta1 is the row's momentum.
//   stats    d = clip g;  m = beta1 m + (1 - beta1) d;  v = beta2 v + (1 - beta2) d^2;  by pieces of a row
//            partial[piece] = sums of squares of (w, u).  With LANE_STORES m and v alone, block by block;
//            with STORED they are there, and the sums are made
//   forward  w -= lr t u,  u = correction1 m / (sqrt(v) correction2 + eps) + decay w
//   measure  the same by pieces; partial[piece] = sums of squares of (w' - w, w)
// t is the row's trust ratio. Nothing is written, and the sums are 0, where the row is not active or the
// state not finite.
WRITES(0, w);                                               // [blocks, 64] a slice, from block `first` on
READS(1, g);                                                // [blocks, 64]; none but in stats
WRITES(2, m);                                               // [blocks, 64]
WRITES(3, v);                                               // [blocks, 64]
layout(binding = 4) readonly buffer B4 { uint owner[]; };   // [all blocks] row
layout(binding = 5) readonly buffer B5 { uvec4 rates[]; };  // [rows, 2]
layout(binding = 6) readonly buffer B6 { uvec4 state[]; };  // not_finite, grad_norm, clip, skipped
layout(binding = 7) readonly buffer B7 { float trust[]; };  // [rows]; none in stats
layout(binding = 8) readonly buffer B8 { uvec4 pieces[]; }; // [all pieces] first block, blocks, row
layout(binding = 9)          buffer B9 { vec2 partial[]; }; // [all pieces]
READS(10, old_w);                                           // w, m and v again: as texels they load faster
READS(11, old_m);
READS(12, old_v);
layout(push_constant) uniform Args {
    uint first, blocks, first_piece, n_pieces;
    PLACES_3(w, m, v)
};
#include "lane_stores.glsl"
#include "rate.glsl"
STORES(0, w)
STORES(2, m)
STORES(3, v)

// Padding has no moments; with eps 0 it would be 0 / 0.
vec4 direction(vec4 weight, vec4 moment1, vec4 moment2, Rate rate)
{
    vec4 size = sqrt(moment2) * rate.correction2 + rate.eps;
    vec4 step = mix(rate.correction1 * moment1 / size, vec4(0.0), equal(size, vec4(0.0)));
    return step + rate.decay * weight;
}

vec2 moments(uint at, uint to, Rate rate, bool moves) // as in sgd.comp
{
    float clip = uintBitsToFloat(state[0].z);
    vec2 sum = vec2(0.0);
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        uint j = at + k * SIDE;
        vec4 weight = AT(old_w, j), moment1 = AT(old_m, j), moment2 = AT(old_v, j);
#ifndef STORED
        vec4 d = clip * AT(g, j), old1 = moment1, old2 = moment2;
        moment1 = rate.momentum * old1 + (1.0 - rate.momentum) * d;
        moment2 = rate.beta2 * old2 + (1.0 - rate.beta2) * (d * d);
        STORE(m, to + k * SIDE, mix(old1, moment1, bvec4(moves)))
        STORE(v, to + k * SIDE, mix(old2, moment2, bvec4(moves)))
#endif
        vec4 u = direction(weight, moment1, moment2, rate);
        sum += vec2(dot(weight, weight), dot(u, u));
    }
    return sum;
}

vec2 move(uint at, uint to, Rate rate, float ratio, bool moves) // as in sgd.comp
{
    vec2 sum = vec2(0.0);
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        uint j = at + k * SIDE;
        vec4 weight = AT(old_w, j), u = direction(weight, AT(old_m, j), AT(old_v, j), rate);
        precise vec4 next = weight - rate.lr * (ratio * u), moved = next - weight;
        STORE(w, to + k * SIDE, mix(weight, next, bvec4(moves)))
        sum += vec2(dot(moved, moved), dot(weight, weight));
    }
    return sum;
}

void by_blocks()
{
    Share own = share();
    LEAVE_IF(own.block >= blocks)
    uint row = ROW_OF(first + own.block);
    Rate rate = unpack_rate(rates[2 * row], rates[2 * row + 1]);
    LEAVE_IF(idle(rate, state[0].x))
#if PASS == STATS
    moments(own.at, own.to, rate, !idle(rate, state[0].x));
#else
    move(own.at, own.to, rate, trust[row], !idle(rate, state[0].x));
#endif
}

void by_pieces()
{
    if (piece_index() >= n_pieces) return;
    uvec4 piece = pieces[first_piece + piece_index()];
    Rate rate = unpack_rate(rates[2 * piece.z], rates[2 * piece.z + 1]);
    vec2 sum = vec2(0.0);
    if (!idle(rate, state[0].x))
        for (uint b = piece.x - first + lane / SIDE; b < piece.x - first + piece.y; b += GROUP / SIDE) {
            uint at = b * BLOCK_QUADS + lane % SIDE;
            if (PASS == STATS)
                sum += moments(at, at, rate, true);
            else
                sum += move(at, at, rate, trust[piece.z], true);
        }
    sum = vec2(group_sum(sum.x), group_sum(sum.y));
    if (lane == 0) partial[first_piece + piece_index()] = sum;
}

void main()
{
#if PASS == FORWARD || defined(LANE_STORES)
    by_blocks();
#else
    by_pieces();
#endif
}

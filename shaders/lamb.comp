#version 460
#include "kernel.glsl"
#include "reduce.glsl"
#include "rate.glsl"

// LAMB as timm's, for all parameters at once; beta1 is the row's momentum.
//   stats    d = clip g;  m = beta1 m + (1 - beta1) d;  v = beta2 v + (1 - beta2) d^2;  by pieces of a row
//            partial[piece] = sums of squares of (w, u)
//   forward  w -= lr t u,  u = correction1 m / (sqrt(v) correction2 + eps) + decay w
//   measure  the same by pieces; partial[piece] = sums of squares of (w' - w, w)
// t is the row's trust ratio. Nothing is written, and the sums are 0, where the row is not active or the
// state not finite.
layout(binding = 0)          buffer B0 { vec4 w[]; };       // [blocks, 64] a slice, from block `first` on
layout(binding = 1) readonly buffer B1 { vec4 g[]; };       // [blocks, 64]; none but in stats
layout(binding = 2)          buffer B2 { vec4 m[]; };       // [blocks, 64]
layout(binding = 3)          buffer B3 { vec4 v[]; };       // [blocks, 64]
layout(binding = 4) readonly buffer B4 { uint owner[]; };   // [all blocks] row
layout(binding = 5) readonly buffer B5 { uvec4 rates[]; };  // [rows, 2]
layout(binding = 6) readonly buffer B6 { uvec4 state[]; };  // not_finite, grad_norm, clip, skipped
layout(binding = 7) readonly buffer B7 { float trust[]; };  // [rows]; none in stats
layout(binding = 8) readonly buffer B8 { uvec4 pieces[]; }; // [all pieces] first block, blocks, row
layout(binding = 9)          buffer B9 { vec2 partial[]; }; // [all pieces]
layout(push_constant) uniform Args { uint first, blocks, first_piece, n_pieces; };

// Padding has no moments; with eps 0 it would be 0 / 0.
vec4 direction(vec4 weight, vec4 moment1, vec4 moment2, Rate rate)
{
    vec4 size = sqrt(moment2) * rate.correction2 + rate.eps;
    vec4 step = mix(rate.correction1 * moment1 / size, vec4(0.0), equal(size, vec4(0.0)));
    return step + rate.decay * weight;
}

vec2 moments(uint at, Rate rate)
{
    float clip = uintBitsToFloat(state[0].z);
    vec2 sum = vec2(0.0);
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        uint j = at + k * SIDE;
        vec4 weight = w[j], d = clip * g[j];
        vec4 moment1 = rate.momentum * m[j] + (1.0 - rate.momentum) * d;
        vec4 moment2 = rate.beta2 * v[j] + (1.0 - rate.beta2) * (d * d);
        vec4 u = direction(weight, moment1, moment2, rate);
        m[j] = moment1;
        v[j] = moment2;
        sum += vec2(dot(weight, weight), dot(u, u));
    }
    return sum;
}

vec2 move(uint at, Rate rate, float ratio) // `precise` as in sgd.comp
{
    vec2 sum = vec2(0.0);
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        uint j = at + k * SIDE;
        vec4 weight = w[j];
        precise vec4 next = weight - rate.lr * (ratio * direction(weight, m[j], v[j], rate));
        precise vec4 moved = next - weight;
        w[j] = next;
        sum += vec2(dot(moved, moved), dot(weight, weight));
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
    move(block * BLOCK_QUADS + i % SIDE, rate, trust[row]);
}

void by_pieces()
{
    if (piece_index() >= n_pieces) return;
    uvec4 piece = pieces[first_piece + piece_index()];
    Rate rate = unpack_rate(rates[2 * piece.z], rates[2 * piece.z + 1]);
    vec2 sum = vec2(0.0);
    if ((rate.flags & ACTIVE) != 0 && state[0].x == 0)
        for (uint b = piece.x - first + lane / SIDE; b < piece.x - first + piece.y; b += GROUP / SIDE) {
            uint at = b * BLOCK_QUADS + lane % SIDE;
            if (PASS == STATS)
                sum += moments(at, rate);
            else
                sum += move(at, rate, trust[piece.z]);
        }
    sum = vec2(group_sum(sum.x), group_sum(sum.y));
    if (lane == 0) partial[first_piece + piece_index()] = sum;
}

void main()
{
    if (PASS == FORWARD)
        forward();
    else
        by_pieces();
}

#version 460
#include "kernel.glsl"
#include "reduce.glsl"
#include "rate.glsl"

// Norms of the tensors of all rows, and the trust ratios made of them.
//   stats         partial[piece] = sums of squares of (w, g): for LARS
//   stats_finish  of rows with TRUST:  a, b = roots of the row's sums over its pieces
//                 LARS  t = coefficient a / (clip b + decay a + eps);  LAMB  t = a / b;  1 where a or b is 0
//                 at most `most` in LAMB; in LARS t = min(t / lr, most) for the rate before its multiplier,
//                 as timm's trust_clip has them; most 0: as it is. 1 of other rows
//   measure       moved[row] = (a, b)
layout(binding = 0) readonly buffer B0 { vec4 w[]; };       // [blocks, 64] a slice, from block `first` on
layout(binding = 1) readonly buffer B1 { vec4 g[]; };       // [blocks, 64]
layout(binding = 2) readonly buffer B2 { uvec4 pieces[]; }; // [all pieces] first block, blocks, row
layout(binding = 3) readonly buffer B3 { uvec4 rates[]; };  // [rows, 2]
layout(binding = 4) readonly buffer B4 { uvec4 state[]; };  // not_finite, grad_norm, clip, skipped
layout(binding = 5)          buffer B5 { vec2 partial[]; }; // [all pieces]
layout(binding = 6)          buffer B6 { float trust[]; };  // [rows]
layout(binding = 7)          buffer B7 { vec2 moved[]; };   // [rows]
layout(push_constant) uniform Args {
    uint first, first_piece, n_pieces, rows, lars;
    float coefficient, most;
};

void stats()
{
    if (piece_index() >= n_pieces) return;
    uvec4 piece = pieces[first_piece + piece_index()];
    vec2 sum = vec2(0.0);
    if ((rates[2 * piece.z + 1].w & TRUST) != 0) // else it may hold anything
        for (uint b = piece.x - first + lane / SIDE; b < piece.x - first + piece.y; b += GROUP / SIDE)
            [[unroll]] for (uint k = 0; k < EACH; k++) {
                uint j = b * BLOCK_QUADS + lane % SIDE + k * SIDE;
                sum += vec2(dot(w[j], w[j]), dot(g[j], g[j]));
            }
    sum = vec2(group_sum(sum.x), group_sum(sum.y));
    if (lane == 0) partial[first_piece + piece_index()] = sum;
}

float ratio_of(Rate rate, vec2 norm)
{
    if ((rate.flags & TRUST) == 0) return 1.0;
    float t = 1.0;
    if (lars != 0) norm.y *= uintBitsToFloat(state[0].z);
    if (norm.x > 0.0 && norm.y > 0.0)
        t = lars != 0 ? coefficient * norm.x / (norm.y + rate.decay * norm.x + rate.eps) : norm.x / norm.y;
    if (most == 0.0) return t;
    return min(lars != 0 ? t / rate.beta2 : t, most); // LARS: beta2 holds the rate before its multiplier
}

void finish()
{
    uint row = piece_index();
    if (row >= rows) return;
    vec2 sum = vec2(0.0);
    for (uint i = lane; i < n_pieces; i += GROUP)
        if (pieces[i].z == row) sum += partial[i];
    vec2 norm = sqrt(vec2(group_sum(sum.x), group_sum(sum.y)));
    if (lane != 0) return;
    if (PASS == MEASURE)
        moved[row] = norm;
    else
        trust[row] = ratio_of(unpack_rate(rates[2 * row], rates[2 * row + 1]), norm);
}

void main()
{
    if (PASS == STATS)
        stats();
    else
        finish();
}

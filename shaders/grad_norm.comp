#version 460
#include "kernel.glsl"
#include "tensor.glsl"
#include "reduce.glsl"
#include "rate.glsl"

// The norm of all gradients of active rows, the factor that clips it, and the check that all is finite.
//   stats         partial[i] = sum of squares of an invocation's share, BAD if a gradient in it is not finite
//   stats_finish  norm = sqrt(sum_i partial[i]) / scale, clip = min(1, clip_norm / (norm + 1e-6)) / scale,
//                 as PyTorch;  not_finite = 1 from a BAD partial or a loss that is not finite on;  skipped is
//                 the number of steps where it was not 0
// scale is that of the losses, 1 where interval is 0. Else a BAD partial alone makes not_finite 2 for this
// step and halves the scale, which `interval` good steps in a row double; at 1 it is no excuse any more.
// Where rows is not 0, an active row that takes this step counts it, and its corrections are made of that
// count and of the betas in the table: 1 / (1 - beta1^n), 1 / sqrt(1 - beta2^n).
// Finiteness is read from the bits of each value: a sum of squares may overflow where no gradient did.
READS(0, grads);                                            // [blocks, 64] a slice, from block `first` on
layout(binding = 1) readonly buffer B1 { uint owner[]; };   // [all blocks] row
layout(binding = 2) readonly buffer B2 { uvec4 rates[]; };  // [rows, 2]
layout(binding = 3) readonly buffer B3 { uint loss[]; };    // [n] bits of f32
layout(binding = 4)          buffer B4 { uvec4 partial[]; }; // [partials / 4] bits of f32
layout(binding = 5)          buffer B5 { uint state[]; };   // strata_state
layout(binding = 6)          buffer B6 { uint steps[]; };   // [rows]
layout(binding = 7)          buffer B7 { uint table[]; };   // [rows, 8] the rates again, to be corrected
layout(push_constant) uniform Args {
    uint first, blocks, chunk, partials, n;
    float clip_norm;
    uint interval, rows;
};

const uint BAD = 0xffffffff, EXPONENT = 0x7f800000, NOT_A_NUMBER = 0x7fc00000;

bool is_active(uint block) { return (rates[2 * owner[first + block] + 1].w & ACTIVE) != 0; }

void add(vec4 g, inout float sum, inout uvec4 most)
{
    most = max(most, floatBitsToUint(g) & EXPONENT);
    sum += dot(g, g);
}

bool is_bad(uvec4 most) { return any(equal(most, uvec4(EXPONENT))); }

void store(uint i, float sum, bool bad) { partial[i / 4][i % 4] = bad ? BAD : floatBitsToUint(sum); }

#ifdef SG
// A workgroup of one subgroup takes a share of a chunk, and each quarter of its lanes a quarter of that, PART
// quads side by side: a processor fetches ahead in pages of 4 KiB, so from four of them at once, two thirds
// of the time that one after the other takes. Of PART blocks of each quarter a lane looks one up.
const uint PART = SG / 4, SHARES = 64 / SG, LOADS = 4, ROUND = BLOCK_QUADS / LOADS;

void stats()
{
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x, share = chunk / SHARES;
    uint b = group * share + lane / PART * (share / 4), end = b + share / 4;
    float sum = 0.0;
    uvec4 most = uvec4(0);
    for (; b < end; b += PART) {
        uint own = b + lane % PART;
        uint live = subgroupBallot(own < blocks && is_active(min(own, blocks - 1))).x >> (lane / PART * PART);
        for (uint k = 0; k < ROUND; k++) {
            bvec4 counts = bvec4((live >> (k * PART / ROUND) & 1) != 0); // what does not may hold anything
            uint at = mix(0, b * BLOCK_QUADS + k * LOADS * PART, counts.x) + lane % PART;
            vec4 g[LOADS];
            [[unroll]] for (uint j = 0; j < LOADS; j++) g[j] = AT(grads, at + j * PART);
            [[unroll]] for (uint j = 0; j < LOADS; j++) add(mix(vec4(0.0), g[j], counts), sum, most);
        }
    }
    if (group / SHARES * chunk < blocks)
        store((first / chunk * SHARES + group) * SG + lane, sum, is_bad(most));
}
#else
// A workgroup of 64 takes `chunk` blocks and each quarter of it a run of these. So the loads of an invocation
// lie 256 bytes apart; 1024 made lavapipe three times slower. No shared memory.
const uint RUN = 16, LOADS = BLOCK_QUADS / RUN;

#ifndef AHEAD
#define AHEAD 1
#endif
// So many blocks at a time, with the same sums: a GPU would wait for an owner, its rate, then the loads.
#if AHEAD > 1
void add_blocks(uint b, uint end, inout float sum, inout bool bad)
{
    uint counts[AHEAD], top = 0;
    vec4 g[AHEAD * LOADS];
    [[unroll]] for (uint i = 0; i < AHEAD; i++) counts[i] = 2 * owner[first + min(b + i, end - 1)] + 1;
    [[unroll]] for (uint i = 0; i < AHEAD; i++) counts[i] = mix(0, rates[counts[i]].w & ACTIVE, b + i < end);
    [[unroll]] for (uint i = 0; i < AHEAD; i++)
        [[unroll]] for (uint k = 0; k < LOADS; k++) {
            uint from = (b + i) * BLOCK_QUADS + lane % RUN + k * RUN;
            g[i * LOADS + k] = AT(grads, mix(0, from, counts[i] != 0)); // a branch would hold the next one up
        }
    [[unroll]] for (uint i = 0; i < AHEAD; i++) {
        uvec4 size = uvec4(0);
        [[unroll]] for (uint k = 0; k < LOADS; k++) {
            vec4 v = g[i * LOADS + k];
            size = max(size, floatBitsToUint(v) & EXPONENT);
            sum = mix(sum, sum + dot(v, v), counts[i] != 0);
        }
        top = max(top, mix(0, max(max(size.x, size.y), max(size.z, size.w)), counts[i] != 0));
    }
    bad = bad || top == EXPONENT;
}
#endif

void stats()
{
    uint group = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x, share = chunk / (GROUP / RUN);
    uint b = group * chunk + lane / RUN * share, end = min(b + share, blocks);
    float sum = 0.0;
    bool bad = false;
    uvec4 most = uvec4(0);
#if AHEAD > 1
    for (; b < end; b += AHEAD) add_blocks(b, end, sum, bad);
#else
    for (; b < end; b++) {
        if (!is_active(b)) continue; // may hold anything
        vec4 g[LOADS];
        [[unroll]] for (uint k = 0; k < LOADS; k++) g[k] = AT(grads, b * BLOCK_QUADS + lane % RUN + k * RUN);
        [[unroll]] for (uint k = 0; k < LOADS; k++) add(g[k], sum, most);
    }
#endif
    if (group * chunk < blocks) store((first / chunk + group) * GROUP + lane, sum, bad || is_bad(most));
}
#endif

void rescale(float scale, bool overflow)
{
    uint good = overflow ? 0 : state[5] + 1;
    if (overflow) scale *= 0.5;
    if (good == interval) {
        scale = min(2.0 * scale, MOST_SCALE);
        good = 0;
    }
    state[4] = floatBitsToUint(scale);
    state[5] = good;
}

// 1 - beta^n from the highest bit of n on, without a difference of two that are almost alike: with
// u = 1 - beta^k it is u (2 - u) for 2 k, and u + (1 - u) (1 - beta) for k + 1.
float rest(float beta, uint n)
{
    float u = 0.0, one = 1.0 - beta;
    for (int bit = findMSB(n); bit >= 0; bit--) {
        u *= 2.0 - u;
        if (((n >> bit) & 1) != 0) u += (1.0 - u) * one;
    }
    return u;
}

void count_step()
{
    for (uint row = lane; row < rows; row += GROUP) {
        uint at = 8 * row;
        if ((table[at + 7] & ACTIVE) == 0) continue;
        uint n = steps[row] + 1;
        steps[row] = n;
        table[at + 5] = floatBitsToUint(1.0 / rest(uintBitsToFloat(table[at + 1]), n));
        table[at + 6] = floatBitsToUint(1.0 / sqrt(rest(uintBitsToFloat(table[at + 2]), n)));
    }
}

// The sum of the partial sums, `bad` where one is BAD. Four loads at a time: a GPU would wait for each.
float sum_of_partials(out bool bad)
{
    uint quads = partials / 4;
    vec4 sum = vec4(0.0);
    bad = false;
    for (uint i = lane; i < quads; i += 4 * GROUP) {
        uvec4 each[4];
        [[unroll]] for (uint k = 0; k < 4; k++) each[k] = partial[min(i + k * GROUP, quads - 1)];
        [[unroll]] for (uint k = 0; k < 4; k++) {
            bvec4 is_bad = equal(each[k], uvec4(BAD));
            bad = bad || any(is_bad);
            if (i + k * GROUP < quads) sum += mix(uintBitsToFloat(each[k]), vec4(0.0), is_bad);
        }
    }
    return sum.x + sum.y + (sum.z + sum.w);
}

void finish()
{
    bool ended = state[0] == 1; // for good; read before the reductions' barriers, written behind them
    bool bad_partial;
    float sum = sum_of_partials(bad_partial);
    float worst = float(bad_partial); // 1: a gradient, 2: a loss is not finite
    for (uint i = lane; i < n; i += GROUP)
        if ((loss[i] & EXPONENT) == EXPONENT) worst = 2.0;
    float norm = sqrt(group_sum(sum));
    worst = group_max(worst);
    if (worst == 0.0 && !ended) count_step();
    if (lane != 0) return;

    float scale = interval != 0 ? loss_scale(state[4]) : 1.0;
    bool bad = worst != 0.0, overflow = worst == 1.0 && scale > 1.0;
    uint not_finite = bad ? 1 : 0;
    if (overflow) not_finite = 2;
    if (ended) not_finite = 1;
    norm /= scale;
    float clip = clip_norm > 0.0 ? min(1.0, clip_norm / (norm + 1e-6)) : 1.0;
    state[0] = not_finite;
    state[1] = bad ? NOT_A_NUMBER : floatBitsToUint(norm);
    state[2] = floatBitsToUint(bad ? 1.0 : clip / scale);
    state[3] += uint(not_finite != 0);
    if (interval != 0) rescale(scale, overflow);
}

void main()
{
    if (PASS == STATS_FINISH)
        finish();
    else
        stats();
}

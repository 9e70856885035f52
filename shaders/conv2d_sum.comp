#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// Sums over the rows of a matrix: one quad of one chunk of rows by an invocation, or by SPLIT of a workgroup,
// which take every SPLIT-th row and add theirs up in a tree; STEP rows are loaded before they are added.
//   BACKWARD_STATS  partial[z,o] = sum_{pixels i of chunk z} dy[i,o]: towards the gradient of a bias
//   REDUCE          out[i] = sum_z partial[z,i], or out[i] += ..: the end of split sums
READS(0, from);                               // [rows, quads]
layout(binding = 1) buffer B1 { vec4 to[]; }; // [chunks, quads]
layout(push_constant) uniform Args {
    uint rows, quads;
    uint columns;            // logical floats of a row; the others are undefined, and written as zero
    uint span, parts, chunk; // rows: `parts` chunks make a span
    uint chunks, chunk_first;
    uint start; // START_*
};
const uint START_ZERO = 0, START_OLD = 2; // the second: `to` is added to

#ifndef SPLIT
#define SPLIT 1
#endif
#ifndef STEP
#define STEP 1
#endif

vec4 sum_of_rows(vec4 sum, uint row, uint end, uint quad)
{
#if STEP > 1
    for (; row + (STEP - 1) * SPLIT < end; row += STEP * SPLIT) {
        vec4 each[STEP];
        [[unroll]] for (uint k = 0; k < STEP; k++) each[k] = AT(from, (row + k * SPLIT) * quads + quad);
        [[unroll]] for (uint k = 0; k < STEP; k++) sum += each[k];
    }
#endif
    for (; row < end; row += SPLIT) sum += AT(from, row * quads + quad);
    return sum;
}

#if SPLIT > 1
const uint ITEMS = GROUP / SPLIT; // of a workgroup
shared vec4 room[GROUP];

vec4 total_of(vec4 sum)
{
    room[lane] = sum;
    barrier();
    [[unroll]] for (uint some = GROUP / 2; some >= ITEMS; some /= 2) {
        if (lane < some) room[lane] += room[lane + some];
        barrier();
    }
    return room[lane];
}
#endif

void main()
{
#if SPLIT > 1
    uint i = flat_index() / GROUP * ITEMS + lane % ITEMS, part = lane / ITEMS;
#else
    uint i = flat_index(), part = 0;
#endif
    uint z = i / quads, quad = i - z * quads;
    bool exists = z < chunks;
    uint row = z / parts * span + z % parts * chunk;
    uint end = exists ? min(row + chunk, min((z / parts + 1) * span, rows)) : 0;
    uint at = (chunk_first + z) * quads + quad;
    vec4 sum = part == 0 && exists && start == START_OLD ? to[at] : vec4(0.0);
    sum = sum_of_rows(sum, row + part, end, quad);
#if SPLIT > 1
    sum = total_of(sum);
#endif
    if (exists && part == 0)
        to[at] = mix(sum, vec4(0.0), greaterThanEqual(uvec4(4 * quad) + uvec4(0, 1, 2, 3), uvec4(columns)));
}

#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// Sums over the rows of a matrix, in the order of the rows: an invocation sums one quad of one chunk of rows.
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

void main()
{
    uint i = flat_index(), z = i / quads, quad = i - z * quads;
    if (z >= chunks) return;
    uint row = z / parts * span + z % parts * chunk;
    uint end = min(row + chunk, min((z / parts + 1) * span, rows));
    uint at = (chunk_first + z) * quads + quad;
    vec4 sum = start == START_OLD ? to[at] : vec4(0.0);
    for (; row < end; row++) sum += AT(from, row * quads + quad);
    to[at] = mix(sum, vec4(0.0), greaterThanEqual(uvec4(4 * quad) + uvec4(0, 1, 2, 3), uvec4(columns)));
}

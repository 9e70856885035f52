#version 460
#include "kernel.glsl"

// Weights into the order that BACKWARD_X reads: columns are channels of x, rows are channels of y.
//   TRANSPOSE  wt[r,s,o,c] = w[r,s,c,o]
// With groups, o and the c of w count within the group of column c of wt.
// Pads of wt are written as zero. A launch sees row_end - row_begin rows of w and to_end - to_begin rows of
// wt, of each of `taps` taps, and writes what both hold. An invocation writes one quad.
layout(binding = 0) readonly buffer B0 { float w[]; }; // [taps, row_end - row_begin, cols]
layout(binding = 1) writeonly buffer B1 { vec4 wt[]; }; // [taps, to_end - to_begin, to_quads]
layout(push_constant) uniform Args {
    uint taps, cols, to_quads;
    uint w_at, to_at;          // where they begin: a float of w, a quad of wt
    uint row_begin, row_end;   // of w, multiples of 4 where groups == 1
    uint to_begin, to_end;     // of wt
    uint groups, depth, width; // logical channels of a group of x (rows of w) and of y (rows of wt)
};

void main()
{
    uint rows = row_end - row_begin, to_rows = to_end - to_begin;
    uint quads = groups == 1 ? rows / 4 : to_quads, begin = groups == 1 ? row_begin / 4 : 0;
    uint i = flat_index(), line = i / quads, quad = begin + i - line * quads;
    uint tap = line / to_rows, o = to_begin + line - tap * to_rows;
    if (tap >= taps) return;
    vec4 v;
    for (uint d = 0; d < 4; d++) {
        uint channel = 4 * quad + d, group = channel / depth, c = channel - group * depth;
        bool exists = group < groups && o < width;
        uint from = w_at + (tap * rows + c - row_begin) * cols + group * width + o;
        v[d] = exists ? w[from] : 0.0;
    }
    wt[to_at + (tap * to_rows + o - to_begin) * to_quads + quad] = v;
}

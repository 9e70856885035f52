#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// Weights into the order that BACKWARD_X reads: columns are channels of x, rows are channels of y.
//   TRANSPOSE  wt[r,s,o,c] = w[r,s,c,o]
// With groups, o and the c of w count within the group of column c of wt.
// Pads of wt are zero, as those of w are. A launch sees row_end - row_begin rows of w and to_end - to_begin
// rows of wt, of each of `taps` taps, and writes what both hold.
#ifdef SQUARE
READS(0, w); // [taps, row_end - row_begin, cols]
#else
FLOATS(0, w);
#endif
WRITES(1, wt); // [taps, to_end - to_begin, to_quads]
layout(push_constant) uniform Args {
    uint taps, cols, to_quads;
    uint w_at, to_at;          // where they begin, in quads
    uint row_begin, row_end;   // of w
    uint to_begin, to_end;     // of wt
    uint groups, depth, width; // logical channels of a group of x (rows of w) and of y (rows of wt)
};

#ifdef SQUARE // groups == 1, all rows are multiples of 4: an invocation transposes 4 x 4 floats
void main()
{
    uint rows = row_end - row_begin, to_rows = to_end - to_begin;
    uint i = flat_index(), line = i / (rows / 4), row = 4 * (i - line * (rows / 4));
    uint tap = line / (to_rows / 4), o = 4 * (line - tap * (to_rows / 4));
    if (tap >= taps) return;
    uint from = w_at + (tap * rows + row) * (cols / 4) + (to_begin + o) / 4;
    uint to = to_at + (tap * to_rows + o) * to_quads + (row_begin + row) / 4;
    mat4 m = mat4(AT(w, from), AT(w, from + cols / 4), AT(w, from + cols / 2), AT(w, from + cols / 4 * 3));
    m = transpose(m);
    [[unroll]] for (uint d = 0; d < 4; d++) PUT(wt, to + d * to_quads, m[d]);
}
#else // an invocation writes one quad
void main()
{
    uint rows = row_end - row_begin, to_rows = to_end - to_begin;
    uint i = flat_index(), line = i / to_quads, quad = i - line * to_quads;
    uint tap = line / to_rows, o = to_begin + line - tap * to_rows;
    if (tap >= taps) return;
    vec4 v;
    for (uint d = 0; d < 4; d++) {
        uint channel = 4 * quad + d, group = channel / depth, c = channel - group * depth;
        bool exists = group < groups && o < width;
        uint from = 4 * w_at + (tap * rows + c - row_begin) * cols + group * width + o;
        v[d] = exists ? PICK(0, w, from) : 0.0;
    }
    PUT(wt, to_at + (tap * to_rows + o - to_begin) * to_quads + quad, v);
}
#endif

#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// The 3 x 3 weights of a convolution at the 16 points f = (i, j) of Winograd's F(2x2,3x3), see
// winograd2.glsl.
//   FORWARD     u[c,f,o] = sum_{r,s} G[i,r] G[j,s] w[r,s,c,o]
//   BACKWARD_X  u[o,f,c] = sum_{r,s} G[i,r] G[j,s] w[2-r,2-s,c,o]
// Rows of u are summed over by winograd2.comp, 8 in a round; its columns lie in panels of 8 quads, so that
// what a workgroup reads in a round is one piece. An invocation takes one quad of one row. Rows and columns
// that only fill a round or a panel are zero.
READS(0, w);  // [9, w_rows, w_quads]
WRITES(1, u); // [panels, rows, 16, 8]
layout(push_constant) uniform Args {
    uint rows, panels;    // of u
    uint row_end, quads;  // its rows and quads that w has
    uint w_rows, w_quads; // stored rows of a tap of w, and quads of each
};
const uint LINE = 8, POINTS = 16;

// Tap t of the quad of w that belongs to a quad of u.
vec4 tap_of(uint t, uint row, uint quad)
{
    if (row >= row_end || quad >= quads) return vec4(0.0);
    if (PASS != BACKWARD_X) return AT(w, (t * w_rows + row) * w_quads + quad);
    vec4 v; // a column of w, turned around
    [[unroll]] for (uint d = 0; d < 4; d++)
        v[d] = AT(w, ((8 - t) * w_rows + 4 * quad + d) * w_quads + row / 4)[row % 4];
    return v;
}

vec4[4] weight_points(vec4 g[3]) // G g
{
    vec4 ends = 0.5 * (g[0] + g[2]), middle = 0.5 * g[1];
    return vec4[4](g[0], ends + middle, ends - middle, g[2]);
}

void main()
{
    uint i = flat_index(), line = i / LINE, panel = line / rows, row = line - panel * rows;
    uint quad = panel * LINE + i % LINE;
    if (panel >= panels) return;
    vec4 points[3][4]; // of columns
    [[unroll]] for (uint s = 0; s < 3; s++)
        points[s] = weight_points(vec4[3](tap_of(s, row, quad), tap_of(3 + s, row, quad),
                                          tap_of(6 + s, row, quad)));
    uint to = line * POINTS * LINE + i % LINE;
    [[unroll]] for (uint k = 0; k < 4; k++) {
        vec4 of[4] = weight_points(vec4[3](points[0][k], points[1][k], points[2][k]));
        [[unroll]] for (uint j = 0; j < 4; j++) PUT(u, to + (4 * k + j) * LINE, of[j]);
    }
}

#version 460
#include "kernel.glsl"
#include "winograd.glsl"

// The 3 x 3 weights of a Winograd convolution at the 36 points f = (i, j), and back.
//   FORWARD     u[f,c,o] = sum_{r,s} G[i,r] G[j,s] w[r,s,c,o]
//   BACKWARD_X  u[f,o,c] = sum_{r,s} G[i,r] G[j,s] w[2-r,2-s,c,o]
//   BACKWARD_W  dw[r,s,c,o] = sum_{i,j} G[i,r] G[j,s] u[f,c,o], or dw += ..
// Rows of u are summed over by the product that follows. Its columns lie in panels, so that the product
// reads memory in order: quad q of row k is at (q / panel * rows + k) panel + q % panel. An invocation takes
// one quad of one row. Pads are zero, as those of w are.
READS(0, from);                               // w [9, w_rows, w_quads], or u
layout(binding = 1) buffer B1 { vec4 to[]; }; // u [36, rows, quads], or dw
layout(push_constant) uniform Args {
    uint rows, quads;     // of u
    uint w_rows, w_quads; // stored rows of a tap of w, and quads of each
    uint panel;           // quads
    uint u_step;          // quads from one point to the next
    uint start;           // START_*
    PLACES_1(to)
};
#include "lane_stores.glsl"
STORES(1, to)
const uint START_ZERO = 0, START_OLD = 2; // the second: dw is added to

// Tap t of the quad of w that belongs to a quad of u.
vec4 tap_of(uint t, uint row, uint quad)
{
    if (PASS != BACKWARD_X) return AT(from, (t * w_rows + row) * w_quads + quad);
    vec4 v; // a column of w, turned around
    [[unroll]] for (uint d = 0; d < 4; d++)
        v[d] = AT(from, ((8 - t) * w_rows + 4 * quad + d) * w_quads + row / 4)[row % 4];
    return v;
}

void write_points(uint row, uint quad, uint at)
{
    vec4 points[3][6]; // of columns
    [[unroll]] for (int s = 0; s < 3; s++)
        points[s] = weight_points(vec4[3](tap_of(s, row, quad), tap_of(3 + s, row, quad),
                                          tap_of(6 + s, row, quad)));
    [[unroll]] for (int i = 0; i < 6; i++) {
        vec4 line[6] = weight_points(vec4[3](points[0][i], points[1][i], points[2][i]));
        [[unroll]] for (int j = 0; j < 6; j++) STORE(to, at + (6 * i + j) * u_step, line[j])
    }
}

// u at `at`, of which there is one panel, and so is a tap of dw; `to_at` is where STORE begins.
void write_taps(uint at, uint to_at)
{
    vec4 taps[6][3]; // of columns
    [[unroll]] for (int j = 0; j < 6; j++) {
        vec4 d[6];
        [[unroll]] for (int i = 0; i < 6; i++) d[i] = AT(from, at + (6 * i + j) * u_step);
        taps[j] = weight_taps(d);
    }
    [[unroll]] for (int r = 0; r < 3; r++) {
        vec4 d[6];
        [[unroll]] for (int j = 0; j < 6; j++) d[j] = taps[j][r];
        vec4 line[3] = weight_taps(d);
        [[unroll]] for (int s = 0; s < 3; s++) {
            uint tap = (3 * r + s) * w_rows * w_quads;
#ifdef OLD // start == START_OLD: a load in a branch that is not taken costs a CPU-type device the same
            line[s] += to[tap + at];
#endif
            STORE(to, tap + to_at, line[s])
        }
    }
}

void main()
{
    ALIGN_SPILLS(to, AT(from, flat_index()))
    uint i = flat_index(), row = i / quads, quad = i - row * quads;
#ifdef LANE_STORES // no row is behind the last; lanes behind the last column store into its panel's room
    uint at = store_index();
    if (PASS != BACKWARD_W) {
        uint group = group_index(), p = group / rows;
        row = group - p * rows;
        quad = min(p * SG + lane, quads - 1);
    }
#else
    if (row >= rows) return;
    uint at = (quad / panel * rows + row) * panel + quad % panel;
#endif
    if (PASS == BACKWARD_W)
        write_taps(i, at);
    else
        write_points(row, quad, at);
}

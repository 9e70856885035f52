// The variant for CPU-type devices: a workgroup is one subgroup of SG lanes and sums ROWS rows of y; a lane
// sums an OUT (1, 2 or 4 floats: WIDE) of each. There is neither shared memory nor a barrier, which such a
// device pays dearly for: x is loaded once, a lane for each row, and handed from lane to lane in registers.
// All loads of a round come first and then, row by row, all multiplications, so that a sum stays in a
// register.
#ifdef SG
#include "subgroup.glsl"

const uint FETCHES = ROWS / SG;
#ifndef DEPTH
#define DEPTH 4 // channels of a quad that exist: less only where x has less than 4
#endif

void main()
{
    uint row = tile_of_rows() * ROWS + lane, col = gl_WorkGroupID.z * SG + lane, cols = 4 * y_quads / WIDE;
    uint quad = min(col * WIDE / 4, y_quads - 1); // lanes beyond the last column load it and store nothing
    Pixel at[FETCHES];
    [[unroll]] for (uint f = 0; f < FETCHES; f++) at[f] = pixel_of_row(row + f * SG);

    OUT sum[ROWS];
#ifdef OLD // start == START_OLD; loads in a branch that is not taken cost what they cost in one that is
    [[unroll]] for (uint i = 0; i < ROWS; i++) {
        uint to = FROM_LANE(at[i / SG].to, i % SG);
        sum[i] = OUT(0.0);
        if (to != NOWHERE && col < cols) sum[i] = y[to * cols + col];
    }
#else
    OUT first = OUT(0.0);
    if (start == START_BIAS) first = bias[min(col, cols - 1)];
    [[unroll]] for (uint i = 0; i < ROWS; i++) sum[i] = first;
#endif

    int a = int(tap_begin / taps_w), b = int(tap_begin) - a * int(taps_w);
    for (uint t = tap_begin; t < tap_end; t++) {
        uint from[FETCHES];
        [[unroll]] for (uint f = 0; f < FETCHES; f++) from[f] = source_of(at[f], a, b);
        uint tap = uint(w_first + a * w_step_h + b * w_step_w) + 4 * quad_begin * y_quads + quad;
        for (uint k = quad_begin; k < quad_end; k++) {
            vec4 xs[FETCHES];
            OUT ws[DEPTH];
            [[unroll]] for (uint f = 0; f < FETCHES; f++) {
                xs[f] = X(from[f] == NOWHERE ? 0 : from[f] + k);
                xs[f] = from[f] == NOWHERE ? vec4(0.0) : mask(xs[f], k);
            }
            [[unroll]] for (uint d = 0; d < DEPTH; d++) ws[d] = columns(W(tap + d * y_quads), col);
            tap += 4 * y_quads;
            [[unroll]] for (uint i = 0; i < ROWS; i++)
                [[unroll]] for (uint d = 0; d < DEPTH; d++)
                    sum[i] += FROM_LANE(xs[i / SG][d], i % SG) * ws[d];
        }
        b++;
        bool next = b == int(taps_w);
        b = next ? 0 : b;
        a += int(next);
    }

    [[unroll]] for (uint i = 0; i < ROWS; i++) {
        uint to = FROM_LANE(at[i / SG].to, i % SG);
        if (to != NOWHERE && col < cols) y[to * cols + col] = sum[i];
    }
}
#endif

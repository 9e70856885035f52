// The variant for CPU-type devices: a workgroup is one subgroup of SG lanes and sums ROWS rows of y; a lane
// sums an OUT (1, 2 or 4 floats: WIDE) of each. There is neither shared memory nor a barrier, which such a
// device pays dearly for: x is loaded once, a lane for each row, and handed from lane to lane in registers.
// All loads of a round come first and then, row by row, all multiplications, so that a sum stays in a
// register. Of epilogue.glsl it knows RELU.
#if defined(SG) && !defined(DEPTHWISE)
#include "subgroup.glsl"

const uint FETCHES = ROWS / SG;
#ifndef DEPTH
#define DEPTH 4 // channels of a quad that exist: less only where x has less than 4
#endif

// Row r of a workgroup: where it is written, what it begins with, and its part of a round.
#define ROW_TO(r) FROM_LANE(at[(r) / SG].to, (r) % SG)
#if defined(LANE_STORES) && !defined(PARTS) // whole tiles of rows and columns
#define LOAD_ROW(r) sum[r] = columns(AT(old_y, ROW_TO(r) * y_quads + quad), col);
#ifdef FLAT // the grid is y
#define STORE_ROW(r) STORE_OUT(y, (same_row + (r)) * cols + same_col, above_zero(sum[r]))
#elif defined(BY_ADDRESS)
#define STORE_ROW(r) STORE_OUT(y, ROW_TO(r) * cols + same_col, above_zero(sum[r]))
#else // at pixel_of_row(row).to, as sums of what is the same in all lanes
#define STORE_ROW(r)                                                                                         \
    {                                                                                                        \
        const uint same_r = same_row + (r), place = same_r / abreast, line = place / rows_w;                 \
        const uint to = y_first + line / rows_h * (abreast * y_image - rows_h * y_line) +                    \
                        line * (y_line - rows_w * y_step) + place * (y_step - abreast * y_image) +           \
                        same_r * y_image;                                                                    \
        STORE_OUT(y, to * cols + same_col, above_zero(sum[r]))                                               \
    }
#endif
STORES(3, y)
#else
#define LOAD_ROW(r) /* of what is not stored: anything */                                                  \
    {                                                                                                        \
        uint to = ROW_TO(r);                                                                                 \
        sum[r] = columns(AT(old_y, mix(to, 0, to == NOWHERE) * y_quads + quad), col);                        \
    }
#define STORE_ROW(r)                                                                                         \
    {                                                                                                        \
        uint to = ROW_TO(r);                                                                                 \
        if (to != NOWHERE && col < cols) STORE_OUT(y, to * cols + same_col, above_zero(sum[r]))              \
    }
#endif
#define ADD(r, d) sum[r] += FROM_LANE(xs[(r) / SG][d], (r) % SG) * ws[d];
#if DEPTH == 4
#define ADD_ROW(r) { ADD(r, 0) ADD(r, 1) ADD(r, 2) ADD(r, 3) }
#elif DEPTH == 3
#define ADD_ROW(r) { ADD(r, 0) ADD(r, 1) ADD(r, 2) }
#elif DEPTH == 2
#define ADD_ROW(r) { ADD(r, 0) ADD(r, 1) }
#else
#define ADD_ROW(r) { ADD(r, 0) }
#endif

// The weights of a round, for the columns of a lane: DEPTH rows of w, or of w as FORWARD reads it the quads
// of WIDE rows, turned. That costs nothing here, where each float of a quad is a register of all lanes.
#ifdef TURNED
#define LOAD_WEIGHTS                                                                                         \
    {                                                                                                        \
        vec4 of[WIDE];                                                                                       \
        [[unroll]] for (uint c = 0; c < WIDE; c++)                                                           \
            of[c] = W(w_tap + min(col * WIDE + c, 4 * w_quads - 1) * w_depth + k);                           \
        [[unroll]] for (uint d = 0; d < DEPTH; d++)                                                          \
            [[unroll]] for (uint c = 0; c < WIDE; c++) PART(ws[d], c) = of[c][d];                            \
    }
#if WIDE == 1
#define PART(v, c) v
#else
#define PART(v, c) v[c]
#endif
#else
#define LOAD_WEIGHTS                                                                                         \
    [[unroll]] for (uint d = 0; d < DEPTH; d++)                                                              \
        ws[d] = columns(W(w_tap + (4 * k + d) * w_quads + quad), col);
#endif

void main()
{
    uint row = tile_of_rows() * ROWS + lane, col = gl_WorkGroupID.z * SG + lane, cols = 4 * y_quads / WIDE;
    uint quad = min(col * WIDE / 4, y_quads - 1); // lanes beyond the last column load it and store nothing
    Pixel at[FETCHES];
    int from[FETCHES]; // the quad of x where its tap (0, 0) begins, be it outside
    [[unroll]] for (uint f = 0; f < FETCHES; f++) {
        at[f] = pixel_of_row(row + f * SG);
        from[f] = ((int(at[f].image) + at[f].top) * int(x_w) + at[f].left) * int(x_quads);
    }

    OUT sum[ROWS];
#ifdef OLD // START == START_OLD; loads in a branch that is not taken cost what they cost in one that is
    EACH_ROW(LOAD_ROW)
#else
    OUT first = OUT(0.0);
    if (START == START_BIAS) first = bias[min(col, cols - 1)];
    [[unroll]] for (uint i = 0; i < ROWS; i++) sum[i] = first;
#endif

    // One loop over taps and quads: leaving an inner loop moves all sums. And selects, as && and ?: become
    // branches.
    int a = int(tap_begin / taps_w), b = int(tap_begin) - a * int(taps_w);
    ivec2 across = ivec2(0, taps_w); // the taps of a line
    uint k = quad_begin, taps = tap_end - tap_begin;
    if (abreast != 1) { // all rows are one pixel, and leave out the same taps
        ivec2 down = range_inside(at[0].top, step_h, int(x_h), int(tap_end / taps_w));
        across = range_inside(at[0].left, step_w, int(x_w), int(taps_w));
        a = down.x;
        b = across.x;
        taps = uint(max(down.y - down.x, 0) * max(across.y - across.x, 0));
    }
    uint rounds = taps * (quad_end - quad_begin);
    const ivec2 step = ivec2(step_h, step_w); // out of the loop, see kernel.glsl
    const uvec2 x_size = uvec2(x_h, x_w);
    const int line = int(x_w * x_quads), pixel = int(x_quads);
    const int w_from = w_first, w_line = w_step_h, w_pixel = w_step_w;
    const uint w_quads = y_quads, w_depth = x_quads, first_quad = quad_begin, last_quad = quad_end - 1;
    for (uint i = 0; i < rounds; i++) {
        ivec2 tap = ivec2(a, b) * step;
        int from_tap = tap.x * line + tap.y * pixel + int(k);
        uint w_tap = uint(w_from + a * w_line + b * w_pixel);
        vec4 xs[FETCHES];
        OUT ws[DEPTH];
        [[unroll]] for (uint f = 0; f < FETCHES; f++) {
            uvec2 under = uvec2(ivec2(at[f].top, at[f].left) + tap);
            bool inside = all(lessThan(under, x_size));
            xs[f] = mask(X(mix(0, from[f] + from_tap, inside)), k);
            xs[f] = mix(vec4(0.0), xs[f], bvec4(inside));
        }
        LOAD_WEIGHTS
        EACH_ROW(ADD_ROW)
        bool next = k == last_quad;
        k = mix(k + 1, first_quad, next);
        if (next) advance(a, b, across);
    }

#ifdef LANE_STORES
    uint same_row = same(tile_of_rows()) * ROWS, same_col = same(gl_WorkGroupID.z) * SG;
    ALIGN_SPILLS(y, sum[0])
#else
    uint same_col = col;
#endif
    EACH_ROW(STORE_ROW)
}
#endif

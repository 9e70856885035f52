#version 460
#define DIGIT_BITS 1
#include "kernel.glsl"
#include "tensor.glsl"

// Convolution as one sum over taps and channels; both passes are the same gather, with other arguments.
//   FORWARD     y[n,p,q,o]  = bias[o] + sum_{r,s,c} x[n, p stride - pad + r dilation, .., c] w[r,s,c,o]
//   BACKWARD_X  dx[n,h,v,c] =           sum_{r,s,o} dy[n, (h + pad - r dilation) / stride, .., o] w[r,s,c,o]
// BACKWARD_X takes dy as x, dx as y, and w as TRANSPOSE wrote it, or itself where TURNED; where stride > 1 it
// is launched once for each phase of (h, v) modulo the stride, with the taps that divide there, so no
// multiplication is wasted.
// A row is a pixel (n, i, j) of the launched grid: it writes y at pixel y_first + n y_image + i y_line +
// j y_step. Its tap (a, b) reads x[n, i mul_h + first_h + a step_h, ..] and w at quad w_first + a w_step_h +
// b w_step_w. Rows go through the images that lie abreast, then along a line j, then down i.
// Sums run over taps, then channels, and begin with what `start` says: a launch may go on where another
// stopped, with the same bits. The last of them ends the sums (epilogue.glsl). Channels of one group: `depth`
// of x, `width` of y.
#if defined(SG) || defined(TILE_ROWS) || defined(DEPTHWISE)
#define IN vec4
READS(0, x); // [images, x_h, x_w, 4 x_quads]
READS(1, w); // [taps, depth rounded up to 4 where groups == 1, 4 y_quads]
READS(5, z);     // as y; read where SUM is defined, see epilogue.glsl
READS(6, table); // [4, y_quads], read where NORM is
#define X(i) AT(x, i)
#define W(i) AT(w, i)
#else
#define IN float
FLOATS(0, x);
FLOATS(1, w);
FLOATS(5, z);
FLOATS(6, table);
#define X(i) PICK(0, x, i)
#define W(i) PICK(1, w, i)
#endif
#ifndef OUT
#define OUT IN
#endif
#define ENDS OUT
#include "epilogue.glsl"
#if (HALF & 8) == 0 // what is stored of y: an OUT, or two or four floats of 16 bits
#define STORED OUT
#elif defined(TILE_ROWS) || defined(DEPTHWISE) || (defined(SG) && WIDE == 4)
#define STORED uvec2
#else
#define STORED uint
#endif
layout(binding = 2) readonly buffer B2 { OUT bias[]; }; // [4 y_quads], read where START == START_BIAS
layout(binding = 3) buffer B3 { STORED y[]; };          // [images, y_h, y_w, 4 y_quads]
READS(4, old_y); // y again, where START == START_OLD and SG is defined: as texels it loads faster
layout(push_constant) uniform Args {
    uint images, rows_h, rows_w; // the grid of rows
    uint x_h, x_w, x_quads;      // a quad is 4 channels
    uint y_quads, y_first, y_image, y_line, y_step; // the last four in pixels
    int mul_h, mul_w, first_h, first_w, step_h, step_w;
    uint taps_w, tap_begin, tap_end; // tap t is (t / taps_w, t % taps_w)
    int w_first, w_step_h, w_step_w; // in quads
    uint groups, depth, width;   // depth and width are logical channels of a group
    uint quad_begin, quad_end;   // of depth
    uint start;                  // see epilogue.glsl
    uint abreast;                // 1, or the ROWS images whose one pixel a tile is; read where SG is defined
    PLACES_1(y)
};

struct Pixel {
    uint image;    // lines of x before its image
    int top, left; // where its first tap reads, maybe outside x
    uint to;       // its pixel of y
};
const uint NOWHERE = 0xffffffffu;
const int FAR = -0x40000000; // outside of every image

Pixel pixel_of_row(uint row)
{
#ifdef SG
    uint place = row / abreast, block = place / rows_w / rows_h, n = row - (place - block) * abreast;
    place -= block * rows_w * rows_h;
    uint i = place / rows_w, j = place - i * rows_w;
#else
    uint line = row / rows_w, j = row - line * rows_w, n = line / rows_h, i = line - n * rows_h;
#endif
    Pixel at;
    at.image = n * x_h;
    at.top = n < images ? int(i) * mul_h + first_h : FAR;
    at.left = int(j) * mul_w + first_w;
    at.to = n < images ? y_first + n * y_image + i * y_line + j * y_step : NOWHERE;
    return at;
}

// The quad of x where a tap of a pixel begins, or NOWHERE.
uint source_of(Pixel at, int a, int b)
{
    int h = at.top + a * step_h, v = at.left + b * step_w;
    bool inside = all(lessThan(uvec2(h, v), uvec2(x_h, x_w))); // && and ?: would be branches
    return mix(NOWHERE, ((at.image + uint(h)) * x_w + uint(v)) * x_quads, inside);
}

// From tap (a, b) to the next, where a line of taps is [across.x, across.y).
void advance(inout int a, inout int b, ivec2 across)
{
    b++;
    bool next = b == across.y;
    b = mix(b, across.x, next);
    a += int(next);
}

// Channels above depth are undefined in memory.
vec4 mask(vec4 v, uint quad)
{
#ifdef RAGGED
    return mix(v, vec4(0.0), greaterThanEqual(uvec4(4 * quad) + uvec4(0, 1, 2, 3), uvec4(depth)));
#else
    return v;
#endif
}

uint tile_of_rows() { return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x; }

#ifdef NARROW
#define LANE_AT(l) ((l) / NARROW * (EACH * y_step * NARROW) + (l) % NARROW)
#endif
#include "lane_stores.glsl"
#include "conv2d_tile.glsl"
#include "conv2d_subgroup.glsl"
#include "conv2d_depthwise.glsl"

#if defined(DEPTHWISE) && !defined(EACH) // an invocation sums one quad of y; groups is the number of channels
void main()
{
    uint i = flat_index(), row = i / y_quads, col = i - row * y_quads;
    Pixel at = pixel_of_row(row);
    if (at.to == NOWHERE) return;
    uint to = at.to * y_quads + col;
    vec4 sum = START == START_BIAS ? bias[col] : vec4(0.0);
    if (START == START_OLD) sum = GET(y, to);
    int a = int(tap_begin / taps_w), b = int(tap_begin % taps_w);
    for (uint t = tap_begin; t < tap_end; t++) {
        uint from = source_of(at, a, b), tap = uint(w_first + a * w_step_h + b * w_step_w);
        vec4 v = X(mix(from + col, 0, from == NOWHERE));
        sum += mix(v, vec4(0.0), bvec4(from == NOWHERE)) * W(tap + col);
        advance(a, b, ivec2(0, taps_w));
    }
#define NUMBER(i) AT(table, i * y_quads + col)
    Ending of = ENDING(NUMBER);
    PUT(y, to, ENDED(sum, of, AT(z, to)));
}
#elif !defined(TILE_ROWS) && !defined(SG) && !defined(DEPTHWISE) // plain: an invocation sums one float of y
float sum_of(Pixel at, uint col, float sum)
{
    uint cols = 4 * y_quads, channel = col / width * depth; // the first of its group in x
    int a = int(tap_begin / taps_w), b = int(tap_begin % taps_w);
    for (uint t = tap_begin; t < tap_end; t++) {
        uint from = source_of(at, a, b), tap = 4 * uint(w_first + a * w_step_h + b * w_step_w) + col;
        advance(a, b, ivec2(0, taps_w));
        if (from == NOWHERE) continue;
        for (uint k = 4 * quad_begin; k < min(4 * quad_end, depth); k++)
            sum += X(4 * from + channel + k) * W(tap + k * cols);
    }
    return sum;
}

#define NUMBER(i) PICK(6, table, i * 4 * y_quads + col)
float ended(float sum, uint col, uint at) // what is stored at float `at` of y
{
    Ending of = ENDING(NUMBER);
    return ENDED(sum, of, PICK(5, z, at));
}

#if (HALF & 8) == 0
void main()
{
    uint cols = 4 * y_quads, i = flat_index(), row = i / cols, col = i - row * cols;
    Pixel at = pixel_of_row(row);
    if (at.to == NOWHERE || col >= groups * width) return;
    uint to = at.to * cols + col;
    float sum = START == START_BIAS ? bias[col] : 0.0;
    if (START == START_OLD) sum = y[to];
    y[to] = ended(sum_of(at, col, sum), col, to);
}
#else // or two: no other may write the same word
void main()
{
    uint cols = 2 * y_quads, i = flat_index(), row = i / cols, col = 2 * (i - row * cols);
    Pixel at = pixel_of_row(row);
    if (at.to == NOWHERE || col >= groups * width) return;
    uint to = at.to * cols + col / 2;
    vec2 sum = START == START_BIAS ? vec2(bias[col], bias[col + 1]) : vec2(0.0);
    if (START == START_OLD) sum = GET(y, to);
    sum.x = ended(sum_of(at, col, sum.x), col, 2 * to);
    if (col + 1 < groups * width) sum.y = ended(sum_of(at, col + 1, sum.y), col + 1, 2 * to + 1);
    PUT(y, to, sum);
}
#endif
#endif

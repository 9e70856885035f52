#version 460
#define DIGIT_BITS 2
#include "kernel.glsl"
#include "tensor.glsl"

// The weight gradient of a convolution, a sum over pixels of y.
//   BACKWARD_W  dw[r,s,c,o] = sum_{n,p,q} x[n, p stride - pad + r dilation, .., c] dy[n,p,q,o]
// A row is (r, s, c) as weights are stored, a column is o. The pixels are cut into chunks of a fixed size;
// each chunk writes its own dw (REDUCE of conv2d_sum adds them up), or, where there is but one, the gradient
// itself. Pads of dw (c >= depth, o >= groups width) are written as zero.
#if defined(SG) || defined(TILE_ROWS) || defined(DEPTHWISE)
#define IN vec4
READS(0, x);  // [images, x_h, x_w, 4 x_quads]
READS(1, dy); // [images, y_h, y_w, 4 y_quads]
#define X(i) AT(x, i)
#define DY(i) AT(dy, i)
#else
#define IN float
FLOATS(0, x);
FLOATS(1, dy);
#define X(i) PICK(0, x, i)
#define DY(i) PICK(1, dy, i)
#endif
#ifndef OUT
#define OUT IN
#endif
layout(binding = 2) buffer B2 { OUT dw[]; }; // [chunks, rows, 4 y_quads]
READS(3, old_dw); // dw again, where start == START_OLD and SG is defined: as texels it loads faster
layout(push_constant) uniform Args {
    uint images, x_h, x_w, x_quads, y_h, y_w, y_quads;
    int stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    uint kernel_w;
    uint groups, depth, width;   // depth and width are logical channels of a group of x and of dy
    uint row_begin, row_end;     // of the rows; multiples of 4 where groups == 1; dw holds these alone
    uint span, parts, chunk;     // pixels: `parts` chunks make a span of whole images
    uint chunks, chunk_first;    // of this launch, and the place of its first in dw
    uint start;                  // START_*
    uint along;                  // 4 or 1, see conv2d_weight_subgroup.glsl; read where APART is defined
    PLACES_1(dw)
};
#include "lane_stores.glsl"
const uint START_ZERO = 0, START_OLD = 2; // the second: dw is added to

// Stored rows of one tap.
uint tap_rows() { return groups == 1 ? 4 * x_quads : depth; }

// The pixels of a chunk: [x, y).
uvec2 chunk_pixels(uint z)
{
    uint from = z / parts * span + z % parts * chunk;
    return uvec2(from, min(from + chunk, min((z / parts + 1) * span, images * y_h * y_w)));
}

struct Pixel { // of y
    uint n, p, q;
};

Pixel pixel_at(uint i)
{
    uint line = i / y_w, n = line / y_h;
    return Pixel(n, line - n * y_h, i - line * y_w);
}

// One pixel on, or as many as make `by` in their own mixed radix. `size` is y's, as uvec2(y_h, y_w).
void advance(inout Pixel a, Pixel by, uvec2 size)
{
    a.q += by.q;
    uint carry = uint(a.q >= size.y);
    a.q -= carry * size.y;
    a.p += by.p + carry;
    carry = uint(a.p >= size.x);
    a.p -= carry * size.x;
    a.n += by.n + carry;
}

const int FAR = -0x40000000; // a tap outside of every image

// The pixel of x under a tap that begins at (top, left), or NOWHERE.
const uint NOWHERE = 0xffffffffu;
uint source_of(Pixel a, int top, int left)
{
    int h = int(a.p) * stride_h + top, v = int(a.q) * stride_w + left;
    bool inside = uint(h) < x_h && uint(v) < x_w;
    return inside ? (a.n * x_h + uint(h)) * x_w + uint(v) : NOWHERE;
}

// A stored row or quad of rows: where its tap begins, and its channel or quad of channels.
struct Row {
    int top, left;
    uint channel;
};

Row row_at(uint row, uint rows_of_tap, bool exists)
{
    uint tap = row / rows_of_tap, r = tap / kernel_w;
    return Row(exists ? int(r) * dilation_h - pad_h : FAR, int(tap - r * kernel_w) * dilation_w - pad_w,
               row - tap * rows_of_tap);
}

// A quad of columns with its pads made zero.
vec4 mask_columns(vec4 v, uint quad)
{
#ifdef RAGGED
    return mix(v, vec4(0.0), greaterThanEqual(uvec4(4 * quad) + uvec4(0, 1, 2, 3), uvec4(groups * width)));
#else
    return v;
#endif
}

uint tile_of_rows() { return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x; }

#include "conv2d_weight_tile.glsl"
#include "conv2d_weight_subgroup.glsl"
#include "conv2d_weight_depthwise.glsl"

#if !defined(TILE_ROWS) && !defined(SG) && !defined(EACH) // a float of dw each, a quad if DEPTHWISE
#ifdef DEPTHWISE
#define COLS y_quads
#else
#define COLS (4 * y_quads)
#endif
void main()
{
    uint i = flat_index(), rows = row_end - row_begin, line = i / COLS, col = i - line * COLS;
    uint z = line / rows, row = row_begin + line - z * rows;
    if (z >= chunks) return;
    uvec2 pixels = chunk_pixels(z);
    Row tap = row_at(row, tap_rows(), true);
    uint to = i + chunk_first * rows * COLS;
    IN sum = start == START_OLD ? dw[to] : IN(0.0);
#ifdef DEPTHWISE
    uint channel = col;
    bool is_pad = false;
#else
    uint channel = col / width * depth + tap.channel;
    bool is_pad = tap.channel >= depth || col >= groups * width;
    if (is_pad) pixels.y = pixels.x;
#endif
    Pixel at = pixel_at(pixels.x);
    for (uint k = pixels.x; k < pixels.y; k++) {
        uint from = source_of(at, tap.top, tap.left);
        if (from != NOWHERE) sum += X(from * (x_quads * (COLS / y_quads)) + channel) * DY(k * COLS + col);
        advance(at, Pixel(0, 0, 1), uvec2(y_h, y_w));
    }
#ifdef DEPTHWISE
    dw[to] = mask_columns(sum, col);
#else
    dw[to] = is_pad ? 0.0 : sum;
#endif
}
#endif

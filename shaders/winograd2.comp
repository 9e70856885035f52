#version 460
#include "kernel.glsl"
#include "tensor.glsl"
#define ENDS vec4
#include "epilogue.glsl"
#include "winograd2.glsl"

// Convolutions of 3 x 3 windows by Winograd's F(2x2,3x3), see winograd2.glsl: windows of 4 x 4 pixels of x,
// whose tiles t of 2 x 2 outputs lie side by side.
//   FORWARD     m[f,t,o] = sum_c (B^T x B)[f,t,c] u[f,c,o];   y[t,o] = bias[o] + A^T m[.,t,o] A
//               and what epilogue.glsl makes of it
//   BACKWARD_X  the same with dy and its weights; y is dx, and may be added to
//   BACKWARD_W  m[f,c,o] = sum_t (B^T x B)[f,t,c] (A dy A^T)[f,t,o];   dw[.,c,o] = G^T m[.,c,o] G
// There tiles are cut into chunks of a fixed size; each writes its own dw (REDUCE of conv2d_sum adds them
// up), or, where there is but one, the gradient itself.
//   An invocation makes one of the 4 lines i of points of a quad, from two lines of its pixels.
READS(0, x);                                             // [images, x_h, x_w, x_quads]
READS(1, by);                                            // u of winograd2_weight.comp, or dy as y
layout(binding = 2) readonly buffer B2 { vec4 bias[]; }; // [y_quads], read where START == START_BIAS
WRITES(3, to);   // y [images, y_h, y_w, y_quads], or dw [chunks, 9, 4 x_quads, y_quads]
READS(4, z);     // as y; read where SUM is defined, see epilogue.glsl
READS(5, table); // [4, y_quads], read where NORM is
layout(push_constant) uniform Args {
    uint images, tiles_h, tiles_w; // tiles of an image
    uint x_h, x_w, x_quads, y_h, y_w, y_quads;
    int pad_h, pad_w;
    uint depth, width; // logical channels of x and y
    uint start;        // see epilogue.glsl
    uint span, parts, chunk; // BACKWARD_W, in tiles: `parts` chunks make a span of whole images
    uint chunk_first;        // the place of the launch's first chunk in dw
};

struct Tile {
    uint n, p, q; // image, line and column of tiles
};

Tile tile_at(uint tile)
{
    uint line = tile / tiles_w, n = line / tiles_h;
    return Tile(n, line - n * tiles_h, tile - line * tiles_w);
}

// Channels above those that there are: undefined in memory. Transforms leave a channel its own.
vec4[4] mask(vec4 points[4], uint quad, uint channels)
{
#ifdef RAGGED
    bvec4 beyond = greaterThanEqual(uvec4(4 * quad) + uvec4(0, 1, 2, 3), uvec4(channels));
    [[unroll]] for (uint j = 0; j < 4; j++) points[j] = mix(points[j], vec4(0.0), beyond);
#endif
    return points;
}

// The lines of pixels that line i of the points is made of, the first plus or minus the second: B^T d is
// d0 - d2, d1 + d2, d2 - d1 and d1 - d3.
ivec2 lines_of(uint i) { return ivec2(i == 0 ? 0 : i == 2 ? 2 : 1, i == 2 ? 1 : i == 3 ? 3 : 2); }
float sign_of(uint i) { return i == 1 ? 1.0 : -1.0; }

// What an invocation reads of x for a tile: where its two lines begin, how many columns they have (0: the
// line is outside of the image), and the first column.
struct Window {
    uvec2 line, columns;
    int left;
};

Window window_of(Tile at, uint i)
{
    uvec2 h = uvec2(2 * int(at.p) - pad_h + lines_of(i));
    uint high = at.n < images ? x_h : 0;
    return Window((at.n * x_h + h) * (x_w * x_quads), mix(uvec2(0), uvec2(x_w), lessThan(h, uvec2(high))),
                  2 * int(at.q) - pad_w);
}

// A load for every pixel, of quad 0 where there is none: a branch around each costs more.
vec4 pixel(uint line, uint columns, uint column, uint quad)
{
    bool inside = column < columns;
    return mix(vec4(0.0), AT(x, inside ? line + column * x_quads + quad : 0), bvec4(inside));
}

// Line i of the points of a window.
vec4[4] points_of(Window w, uint quad, float sign)
{
    vec4 d[4];
#ifdef RAGGED // channels do not fill rounds, or in BACKWARD_W the rows and columns of workgroups
    w.columns = mix(uvec2(0), w.columns, bvec2(quad < x_quads));
#endif
    [[unroll]] for (uint k = 0; k < 4; k++) {
        uint column = uint(w.left) + k;
        d[k] = pixel(w.line[0], w.columns[0], column, quad) +
               sign * pixel(w.line[1], w.columns[1], column, quad);
    }
    return mask(input_points(d), quad, depth);
}

#if PASS == BACKWARD_W
// Line i of the points of a tile of dy: A y is y0, y0 + y1, y0 - y1 and -y1.
vec4[4] points_of_tile(Tile at, uint i, uint quad)
{
    vec4 e[2];
    uint h = 2 * at.p, line = (at.n * y_h + h) * (y_w * y_quads) + quad;
    uint columns = at.n < images && quad < y_quads ? y_w : 0;
    uvec2 ends = uvec2(i < 3 ? columns : 0, i > 0 && h + 1 < y_h ? columns : 0);
    [[unroll]] for (uint w = 0; w < 2; w++) {
        bvec2 inside = lessThan(uvec2(2 * at.q + w), ends);
        uint from = line + (2 * at.q + w) * y_quads;
        vec4 first = AT(by, inside[0] ? from : 0), second = AT(by, inside[1] ? from + y_w * y_quads : 0);
        second = mix(vec4(0.0), second, bvec4(inside[1]));
        e[w] = mix(vec4(0.0), first, bvec4(inside[0])) + sign_of(i) * second;
    }
    return mask(output_points(e), quad, width);
}

// As many tiles on as make `step` in their own mixed radix.
void advance(inout Tile a, Tile step)
{
    a.q += step.q;
    uint carry = uint(a.q >= tiles_w);
    a.q -= carry * tiles_w;
    a.p += step.p + carry;
    carry = uint(a.p >= tiles_h);
    a.p -= carry * tiles_h;
    a.n += step.n + carry;
}

// Tap line r of a row and of a quad of columns.
void write_taps(uint r, uint row, uint quad, uint col)
{
    vec4 m[4];
    [[unroll]] for (uint k = 0; k < 4; k++) {
        vec4 a = left(1, k, row, quad), b = left(2, k, row, quad);
        m[k] = r == 1 ? 0.5 * (a - b) : 0.5 * (a + b) + left(r == 0 ? 0 : 3, k, row, quad);
    }
    vec4 taps[3] = weight_taps(m);
    uint c = 32 * gl_WorkGroupID.x + row, rows = 4 * x_quads;
    if (c >= rows || col >= y_quads) return;
    [[unroll]] for (uint s = 0; s < 3; s++) {
        uint tap = (chunk_first + gl_WorkGroupID.z) * 9 + 3 * r + s, at = (tap * rows + c) * y_quads + col;
        if (START == START_OLD) taps[s] += GET(to, at);
        PUT(to, at, taps[s]);
    }
}

void main()
{
    uint quad = lane % LINE, t = lane / LINE % ROUND, i = lane / (LINE * ROUND);
    uint x_quad = LINE * gl_WorkGroupID.x + quad, y_quad = LINE * gl_WorkGroupID.y + quad;
    uint z = gl_WorkGroupID.z, first = z / parts * span + z % parts * chunk;
    uint end = min(first + chunk, min((z / parts + 1) * span, images * tiles_h * tiles_w));
    Tile at = tile_at(first + t), step = tile_at(ROUND);
    clear_sums();
    for (uint k = first; k < end; k += ROUND) {
        if (k + t >= end) at.n = images; // nothing is read
        vec4 xs[4] = points_of(window_of(at, i), x_quad, sign_of(i)), ys[4];
#ifndef ROLLED
        ys = points_of_tile(at, i, y_quad);
#endif
        barrier(); // all have multiplied the round before
        [[unroll]] for (uint j = 0; j < 4; j++) room[(t * POINTS + 4 * i + j) * LINE + quad] = xs[j];
#ifdef ROLLED // as late as can be: not all compilers have registers for both
        ys = points_of_tile(at, i, y_quad);
#endif
        [[unroll]] for (uint j = 0; j < 4; j++) room[FACTOR + (t * POINTS + 4 * i + j) * LINE + quad] = ys[j];
        barrier();
        multiply(0);
        advance(at, step);
    }
    [[unroll]] for (uint j = 0; j < 2; j++) {
        leave(j);
        for (uint k = lane; k < 3 * 128; k += GROUP)
            write_taps(k / 128, k / 4 % 32, k % 4, LINE * gl_WorkGroupID.y + 4 * j + k % 4);
    }
}
#else
#define LOAD_US \
    [[unroll]] for (uint l = 0; l < FACTOR / GROUP; l++) us[l] = AT(by, from_u + k * FACTOR + l * GROUP);

#define NUMBER(i) AT(table, i * y_quads + col)
// Line h of the outputs of a tile, in a quad of columns.
void write_pixels(uint tile, uint h, uint quad, uint col)
{
    uint row = lane / 8;
    vec4 m[4];
    float sign = h == 0 ? 1.0 : -1.0; // A^T is m0 + m1 + m2 and m1 - m2 - m3
    [[unroll]] for (uint k = 0; k < 4; k++)
        m[k] = left(1, k, row, quad) + sign * (left(2, k, row, quad) + left(h == 0 ? 0 : 3, k, row, quad));
    vec4 pixels[2] = output_pixels(m);
    Tile at = tile_at(tile);
    uint line = 2 * at.p + h;
    if (at.n >= images || line >= y_h || col >= y_quads) return;
    Ending of = ENDING(NUMBER);
    [[unroll]] for (uint w = 0; w < 2; w++) {
        uint v = 2 * at.q + w, i = ((at.n * y_h + line) * y_w + v) * y_quads + col;
        if (v >= y_w) continue;
        vec4 first = START == START_BIAS ? bias[col] : vec4(0.0);
        if (START == START_OLD) first = GET(to, i);
        PUT(to, i, ENDED(first + pixels[w], of, AT(z, i)));
    }
}

void main()
{
    uint quad = lane % 2, t = lane / 2 % 32, i = lane / 64;
    uint tile = 32 * (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x), rounds = (x_quads + 1) / 2;
    uint from_u = gl_WorkGroupID.z * rounds * FACTOR + lane;
    Window from = window_of(tile_at(tile + t), i);
    clear_sums();
    for (uint k = 0; k < rounds; k++) {
        vec4 xs[4] = points_of(from, 2 * k + quad, sign_of(i)), us[FACTOR / GROUP];
#ifndef ROLLED
        LOAD_US
#endif
        barrier(); // all have multiplied the round before
        [[unroll]] for (uint j = 0; j < 4; j++) put_turned(quad, 4 * i + j, t, xs[j]);
#ifdef ROLLED // late, as in BACKWARD_W
        LOAD_US
#endif
        [[unroll]] for (uint l = 0; l < FACTOR / GROUP; l++) room[FACTOR + lane + l * GROUP] = us[l];
        barrier();
        multiply(4);
    }
    [[unroll]] for (uint j = 0; j < 2; j++) {
        leave(j);
        write_pixels(tile + lane / 8, lane / 4 % 2, lane % 4, LINE * gl_WorkGroupID.z + 4 * j + lane % 4);
    }
}
#endif

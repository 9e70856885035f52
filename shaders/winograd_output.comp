#version 460
#include "kernel.glsl"
#include "winograd.glsl"

// The last part of a Winograd convolution: tiles of 4 x 4 pixels of y from the 36 points f = (i, j).
//   FORWARD     y[n, 4 tile_h + h, 4 tile_w + w, o] = bias[o] + sum_{i,j} A^T[h,i] A^T[w,j] m[f,t,o]
//   BACKWARD_X  the same; y is dx, and may be added to
//   BACKWARD_W  m[f,t,o] = sum_{h,w} A^T[h,i] A^T[w,j] dy[n, 4 tile_h + h, 4 tile_w + w, o]: the gradient
// t counts the tiles of a run, which begins at tile `tile_first` of the images. Tiles may reach over the
// edge of an image. An invocation takes a quad of channels of one tile.
READS(0, from);                                        // m [36, tiles, y_quads], or dy as y
layout(binding = 1) readonly buffer B1 { vec4 bias[]; }; // [y_quads], read where start == START_BIAS
WRITES(2, to);                                         // y [images, y_h, y_w, y_quads], or m
layout(push_constant) uniform Args {
    uint tiles, tile_first, tiles_h, tiles_w; // of the run, before it, and of an image
    uint y_h, y_w, y_quads;
    uint depth;  // logical channels of y
    uint m_step; // quads from one point to the next
    uint start;  // START_*
};
const uint START_ZERO = 0, START_BIAS = 1, START_OLD = 2; // the last: y is added to

void write_pixels(uvec3 at, uint c, uint m)
{
    vec4 lines[6][4]; // of columns
    [[unroll]] for (int j = 0; j < 6; j++) {
        vec4 d[6];
        [[unroll]] for (int i = 0; i < 6; i++) d[i] = AT(from, m + (6 * i + j) * m_step);
        lines[j] = output_pixels(d);
    }
    vec4 first = vec4(0.0);
    if (start == START_BIAS) first = bias[c];
    [[unroll]] for (int h = 0; h < 4; h++) {
        vec4 d[6];
        [[unroll]] for (int j = 0; j < 6; j++) d[j] = lines[j][h];
        vec4 pixels[4] = output_pixels(d);
        uint line = 4 * at.y + h;
        [[unroll]] for (int w = 0; w < 4; w++) {
            uint column = 4 * at.z + w, i = ((at.x * y_h + line) * y_w + column) * y_quads + c;
            if (line < y_h && column < y_w) {
#ifdef OLD // start == START_OLD: a load in a branch that is not taken costs a CPU-type device the same
                first = GET(to, i);
#endif
                PUT(to, i, first + pixels[w]);
            }
        }
    }
}

void write_points(uvec3 at, uint c, uint m)
{
    vec4 points[4][6]; // of columns
    int from_first = int(((at.x * y_h + 4 * at.y) * y_w + 4 * at.z) * y_quads + c);
    [[unroll]] for (int w = 0; w < 4; w++) {
        vec4 d[4];
        [[unroll]] for (int h = 0; h < 4; h++) {
            bool inside = 4 * at.y + h < y_h && 4 * at.z + w < y_w;
            vec4 pixel = AT(from, mix(0, from_first + (h * int(y_w) + w) * int(y_quads), inside));
            d[h] = mix(vec4(0.0), mask(pixel, c, depth), bvec4(inside));
        }
        points[w] = output_points(d);
    }
    [[unroll]] for (int i = 0; i < 6; i++) {
        vec4 d[4];
        [[unroll]] for (int w = 0; w < 4; w++) d[w] = points[w][i];
        vec4 line[6] = output_points(d);
        [[unroll]] for (int j = 0; j < 6; j++) PUT(to, m + (6 * i + j) * m_step, line[j]);
    }
}

void main()
{
    uint i = flat_index(), t = i / y_quads, c = i - t * y_quads;
    if (t >= tiles) return;
    uvec3 at = tile_at(tile_first + t, tiles_h, tiles_w);
    if (PASS == BACKWARD_W)
        write_points(at, c, t * y_quads + c);
    else
        write_pixels(at, c, t * y_quads + c);
}

#version 460
#include "kernel.glsl"
#include "winograd.glsl"
#define ENDS T
#include "epilogue.glsl"

// The last part of a Winograd convolution: tiles of 4 x 4 pixels of y from the 36 points f = (i, j).
//   FORWARD     y[n, 4 tile_h + h, 4 tile_w + w, o] = bias[o] + sum_{i,j} A^T[h,i] A^T[w,j] m[f,t,o]
//   BACKWARD_X  the same; y is dx, and may be added to; forward the sums end as epilogue.glsl says
//   BACKWARD_W  m[f,t,o] = sum_{h,w} A^T[h,i] A^T[w,j] dy[n, 4 tile_h + h, 4 tile_w + w, o]: the gradient
// t counts the tiles of a run, which begins at tile `tile_first` of the images. Tiles may reach over the
// edge of an image. An invocation takes a T of one tile.
TAKES(0, from);                                       // m [36, tiles, y_quads], or dy as y
layout(binding = 1) readonly buffer B1 { T bias[]; }; // [y_quads], read where START == START_BIAS
GIVES(2, to);                                         // y [images, y_h, y_w, y_quads], or m
TAKES(3, old_to);                                     // y again, read where OLD is defined: as texels faster
TAKES(4, z);                                          // as y; read where SUM is defined, see epilogue.glsl
TAKES(5, table);                                      // [4, y_quads], read where NORM is
layout(push_constant) uniform Args {
    uint tiles, tile_first, tiles_h, tiles_w; // of the run, before it, and of an image
    uint y_h, y_w, y_quads;
    uint depth;  // logical channels of y
    uint m_step; // quads from one point to the next
    uint start;  // see epilogue.glsl
    PLACES_1(to)
};
#include "lane_stores.glsl"
STORES(2, to)

#define NUMBER(i) TAKE(5, table, i * channels + c)
// Channel c; that of the first lane is `to_c` where STORE takes it.
void write_pixels(uvec3 at, uint c, uint to_c, uint m)
{
    uint channels = y_quads * LANES;
    T lines[6][4]; // of columns
    [[unroll]] for (int j = 0; j < 6; j++) {
        T d[6];
        [[unroll]] for (int i = 0; i < 6; i++) d[i] = TAKE(0, from, m + (6 * i + j) * m_step * LANES);
        lines[j] = output_pixels(d);
    }
    T first = T(0.0);
    if (START == START_BIAS) first = bias[c];
    Ending of = ENDING(NUMBER);
    [[unroll]] for (int h = 0; h < 4; h++) {
        T d[6];
        [[unroll]] for (int j = 0; j < 6; j++) d[j] = lines[j][h];
        T pixels[4] = output_pixels(d);
        uint line = 4 * at.y + h;
        [[unroll]] for (int w = 0; w < 4; w++) {
            uint column = 4 * at.z + w, pixel = ((at.x * y_h + line) * y_w + column) * channels;
#ifndef LANE_STORES // else no tile reaches over the edge
            if (line < y_h && column < y_w)
#endif
            {
#ifdef OLD // START == START_OLD: a load in a branch that is not taken costs a CPU-type device the same
                first = TAKE(3, old_to, pixel + c);
#endif
                STORE(to, pixel + to_c, ENDED(first + pixels[w], of, TAKE(4, z, pixel + c)))
            }
        }
    }
}

void write_points(uvec3 at, uint c, uint to_m)
{
    uint channels = y_quads * LANES;
    T points[4][6]; // of columns
    int from_first = int(((at.x * y_h + 4 * at.y) * y_w + 4 * at.z) * channels + c);
    [[unroll]] for (int w = 0; w < 4; w++) {
        T d[4];
        [[unroll]] for (int h = 0; h < 4; h++) {
            bool inside = 4 * at.y + h < y_h && 4 * at.z + w < y_w;
            T pixel = TAKE(0, from, mix(0, from_first + (h * int(y_w) + w) * int(channels), inside));
            d[h] = only(inside, mask(pixel, c, depth));
        }
        points[w] = output_points(d);
    }
    [[unroll]] for (int i = 0; i < 6; i++) {
        T d[4];
        [[unroll]] for (int w = 0; w < 4; w++) d[w] = points[w][i];
        T line[6] = output_points(d);
        [[unroll]] for (int j = 0; j < 6; j++) STORE(to, to_m + (6 * i + j) * m_step * LANES, line[j])
    }
}

void main()
{
    ALIGN_SPILLS(to, TAKE(0, from, flat_index()))
    uint channels = y_quads * LANES, i = flat_index(), t = i / channels, c = i - t * channels, to_c = c;
#ifdef LANE_STORES
    if (PASS != BACKWARD_W) { // a subgroup has one tile
        t = store_index() / channels;
        to_c = store_index() - t * channels;
    }
    t = min(t, tiles - 1); // lanes behind the last tile store into the room behind it
#else
    if (t >= tiles) return;
#endif
    uvec3 at = tile_at(tile_first + t, tiles_h, tiles_w);
    if (PASS == BACKWARD_W)
        write_points(at, c, store_index());
    else
        write_pixels(at, c, to_c, i);
}

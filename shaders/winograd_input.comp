#version 460
#include "kernel.glsl"
#include "winograd.glsl"

// The first part of a Winograd convolution: windows of 6 x 6 pixels of x, whose tiles of 4 x 4 outputs lie
// side by side, at the 36 points f = (i, j).
//   v[f,t,c] = sum_{h,w} B^T[i,h] B^T[j,w] x[n, 4 tile_h - pad_h + h, 4 tile_w - pad_w + w, c]
// t counts the tiles of a run, which begins at tile `tile_first` of the images. An invocation takes a T of
// one tile. All passes are the same; BACKWARD_X takes dy as x.
TAKES(0, x);                                        // [images, x_h, x_w, x_quads]
layout(binding = 1) buffer B1 { T v[]; }; // [36, tiles, x_quads]
layout(push_constant) uniform Args {
    uint tiles, tile_first, tiles_h, tiles_w; // of the run, before it, and of an image
    uint x_h, x_w, x_quads;
    int pad_h, pad_w;
    uint depth;  // logical channels of x
    uint v_step; // quads from one point to the next
    PLACES_1(v)
};
#include "lane_stores.glsl"
STORES(1, v)

void main()
{
    ALIGN_SPILLS(v, TAKE(0, x, flat_index()))
    uint channels = x_quads * LANES, i = flat_index(), t = i / channels, c = i - t * channels;
#ifdef LANE_STORES
    t = min(t, tiles - 1); // lanes beyond the last tile store into the room behind it
#else
    if (t >= tiles) return;
#endif
    uvec3 at = tile_at(tile_first + t, tiles_h, tiles_w);
    int top = 4 * int(at.y) - pad_h, left = 4 * int(at.z) - pad_w;
    int from = ((int(at.x * x_h) + top) * int(x_w) + left) * int(channels) + int(c);
    T points[6][6]; // of columns
    [[unroll]] for (int w = 0; w < 6; w++) {
        T d[6];
        [[unroll]] for (int h = 0; h < 6; h++) {
            bool inside = all(lessThan(uvec2(top + h, left + w), uvec2(x_h, x_w)));
            T pixel = TAKE(0, x, mix(0, from + (h * int(x_w) + w) * int(channels), inside));
            d[h] = only(inside, mask(pixel, c, depth));
        }
        points[w] = input_points(d);
    }
    uint to = store_index();
    [[unroll]] for (int h = 0; h < 6; h++) {
        T d[6];
        [[unroll]] for (int w = 0; w < 6; w++) d[w] = points[w][h];
        d = input_points(d);
        [[unroll]] for (int w = 0; w < 6; w++) STORE(v, to + (6 * h + w) * v_step * LANES, d[w])
    }
}

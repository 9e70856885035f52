// The variant for CPU-type devices, see conv2d_subgroup.glsl. Here a lane loads 4 rows (a quad of channels
// of one tap) of a pixel, so ROWS is 4 SG; they may belong to several taps.
#ifdef SG
#include "subgroup.glsl"

// Pixel d of a round, row r of a workgroup.
#define LOAD_PIXEL(d)                                                                                        \
    {                                                                                                        \
        ivec2 under = ivec2(FROM_LANE(h, d) + tap.top, FROM_LANE(v, d) + tap.left);                          \
        bool inside = all(lessThan(uvec2(under), x_size));                                                   \
        xs[d] = X(mix(0, FROM_LANE(from, d) + from_tap, inside));                                            \
        xs[d] = mix(vec4(0.0), xs[d], bvec4(inside));                                                        \
    }
#define LOAD_NEIGHBOUR(d)                                                                                    \
    {                                                                                                        \
        int on = min(int(d), last);                                                                          \
        xs[d] = X(x_from + on * x_step);                                                                     \
        dys[d] = columns(DY(dy_from + on * y_step), col);                                                    \
        dys[d] = mix(OUT(0.0), dys[d], BOOLS(int(d) <= last));                                               \
    }
#define ADD(r, d) sum[r] += FROM_LANE(xs[d][(r) % 4], (r) / 4) * dys[d];
#define ADD_ROW(r) { ADD(r, 0) ADD(r, 1) ADD(r, 2) ADD(r, 3) }
#define MASK_ROW(r)                                                                                          \
    sum[r] = within(sum[r], col, 4 * FROM_LANE(tap.channel, (r) / 4) + uint((r) % 4) < depth ? width : 0);

#if defined(LANE_STORES) && !defined(PARTS) // whole tiles of columns
#ifdef EDGE // rows behind the last are stored over the first, which is stored once more after them
#define STORE_ROW(r) STORE_OUT(dw, same_to + mix(0, r, (r) < same_rows) * cols, sum[r])
#else
#define STORE_ROW(r) STORE_OUT(dw, same_to + (r) * cols, sum[r])
#endif
STORES(2, dw)
#else
#define STORE_ROW(r) if ((r) < n_rows) STORE_OUT(dw, same_to + (r) * cols, sum[r])
#endif

#ifdef APART
// To the next round: on the line, then on the next line under the tap, then in the next image or images.
void advance_under(inout int n, inout int p, inout int q, ivec2 down, ivec2 across, ivec2 by)
{
    q += by.x;
    bool next = q >= across.y;
    q = mix(q, across.x, next);
    p += int(next);
    next = p == down.y;
    p = mix(p, down.x, next);
    n += mix(0, by.y, next);
}
#endif

void main()
{
    uint cols = 4 * y_quads / WIDE, col_tiles = (cols + SG - 1) / SG;
    uint z = gl_WorkGroupID.z / col_tiles, col = (gl_WorkGroupID.z - z * col_tiles) * SG + lane;
    uint quad = min(col * WIDE / 4, y_quads - 1), rows = row_end - row_begin;
    uint quad_row = row_begin / 4 + tile_of_rows() * SG + lane;
    Row tap = row_at(quad_row, x_quads, 4 * quad_row < row_end);
    uvec2 pixels = chunk_pixels(z);
    int from_tap = (tap.top * int(x_w) + tap.left) * int(x_quads) + int(tap.channel);

    // Where its rows begin in dw, and how many of them lie in this launch.
    uint first = tile_of_rows() * ROWS, to = ((chunk_first + z) * rows + first) * cols + col;
    uint n_rows = col < cols && first < rows ? rows - first : 0;
    OUT sum[ROWS];
    [[unroll]] for (uint i = 0; i < ROWS; i++) {
        sum[i] = OUT(0.0);
#ifdef OLD // start == START_OLD, see conv2d_subgroup.glsl
        uint old_row = (chunk_first + z) * rows + min(first + i, rows - 1); // of what is not stored: any
        sum[i] = columns(AT(old_dw, old_row * y_quads + quad), col);
#endif
    }

    // Nothing that the next round begins with is written before the sums: lavapipe writes it under a mask,
    // and LLVM forms a sum's own masked write in one instruction, in place, only if the mask is first used
    // there. Else it takes two, and all sums move once more in each round, a sixth of the time.
    const uvec2 x_size = uvec2(x_h, x_w); // out of the loops, see kernel.glsl
    const ivec2 y_size = ivec2(y_h, y_w), stride = ivec2(stride_h, stride_w), quads = ivec2(x_quads, y_quads);
#ifdef APART
    // Rounds are 4 neighbours on a line (behind its end they count nothing), or a pixel of 4 images each: of
    // those whose tap, which is that of all rows, lies in x.
    ivec2 down = range_inside(tap.top, stride.x, int(x_size.x), y_size.x);
    ivec2 across = range_inside(tap.left, stride.y, int(x_size.y), y_size.y);
    ivec2 inside = max(ivec2(down.y - down.x, across.y - across.x), 0);
    const ivec2 by = ivec2(along, 4 / along); // pixels and images from round to round
    const int image = y_size.x * y_size.y;
    const int x_step = mix(int(x_size.x * x_size.y), stride.y, by.x > 1) * quads.x;
    const int y_step = mix(image, 1, by.x > 1) * quads.y;
    int rounds = int(pixels.y - pixels.x) / image / by.y * inside.x * ((inside.y + by.x - 1) / by.x);
    int n = int(pixels.x) / image, p = down.x, q = across.x;
    for (int i = 0; i < rounds; i++) {
        vec4 xs[4];
        OUT dys[4];
        int x_from = ((n * int(x_size.x) + p * stride.x) * int(x_size.y) + q * stride.y) * quads.x + from_tap;
        int dy_from = ((n * y_size.x + p) * y_size.y + q) * quads.y + int(quad);
        int last = mix(3, across.y - 1 - q, by.x > 1);
        EACH_OF_4(LOAD_NEIGHBOUR)
        EACH_ROW(ADD_ROW)
        advance_under(n, p, q, down, across, by);
    }
#else
    Pixel at = pixel_at(pixels.x + lane % 4), round_pixels = pixel_at(4); // each lane keeps one of a round's
    for (uint k = pixels.x; k < pixels.y;) {
        vec4 xs[4];
        OUT dys[4];
        int h = mix(FAR, int(at.p) * stride.x, k + lane % 4 < pixels.y), v = int(at.q) * stride.y;
        int from = ((int(at.n * x_size.x) + h) * int(x_size.y) + v) * quads.x;
        EACH_OF_4(LOAD_PIXEL)
        [[unroll]] for (uint d = 0; d < 4; d++)
            dys[d] = columns(DY(min(k + d, pixels.y - 1) * uint(quads.y) + quad), col);
        EACH_ROW(ADD_ROW)
        advance(at, round_pixels, uvec2(y_size));
        k += 4;
    }
#endif

#ifdef RAGGED
    EACH_ROW(MASK_ROW)
#endif
#ifdef LANE_STORES
    uint same_z = same(gl_WorkGroupID.z), chunk_z = same_z / col_tiles;
    uint same_row = same(tile_of_rows()) * ROWS, same_rows = rows - same_row;
    uint same_to = ((chunk_first + chunk_z) * rows + same_row) * cols + (same_z - chunk_z * col_tiles) * SG;
    ALIGN_SPILLS(dw, sum[0])
#else
    uint same_to = to;
#endif
    EACH_ROW(STORE_ROW)
#ifdef EDGE
    STORE_ROW(0)
#endif
}
#endif

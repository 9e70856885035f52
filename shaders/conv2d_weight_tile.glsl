// The variants for GPUs, see tile.glsl: rows are those of dw, the terms of a sum the pixels of a chunk.
#ifdef TILE_ROWS
#include "tile.glsl"

void main()
{
    uint col_tiles = (y_quads + COL_QUADS - 1) / COL_QUADS, z = gl_WorkGroupID.z / col_tiles;
    uint tile = tile_of_rows() * ROW_QUADS, col = (gl_WorkGroupID.z - z * col_tiles) * COL_QUADS;
    uint rows = row_end - row_begin, line = (chunk_first + z) * rows + 4 * tile; // of dw
    uint quad_row = row_begin / 4 + tile;                                        // of all rows
    clear_sums();
    if (start == START_OLD)
        [[unroll]] for (uint i = 0; i < BLOCK; i++)
            [[unroll]] for (uint j = 0; j < QUADS; j++) {
                uint r = row_of(i), c = col + col_of(j);
                if (4 * tile + r < rows && c < y_quads) sum[i][j] = dw[(line + r) * y_quads + c];
            }

    // What an invocation brings from memory: always the same quad of rows, and the same of columns.
    uvec2 pixels = chunk_pixels(z);
    uint a_quad = quad_row + lane % ROW_QUADS, b_quad = col + lane % COL_QUADS;
    Row tap = row_at(a_quad, x_quads, 4 * a_quad < row_end);
    Pixel at[A_LOADS], round_pixels = pixel_at(ROUND);
    [[unroll]] for (uint l = 0; l < A_LOADS; l++) at[l] = pixel_at(pixels.x + (lane + l * GROUP) / ROW_QUADS);

    for (uint k = pixels.x; k < pixels.y; k += ROUND) {
        vec4 xs[A_LOADS], dys[B_LOADS];
        [[unroll]] for (uint l = 0; l < A_LOADS; l++) {
            bool exists = k + (lane + l * GROUP) / ROW_QUADS < pixels.y;
            uint from = exists ? source_of(at[l], tap.top, tap.left) : NOWHERE;
            xs[l] = from == NOWHERE ? vec4(0.0) : X(from * x_quads + tap.channel);
            advance(at[l], round_pixels, uvec2(y_h, y_w));
        }
        [[unroll]] for (uint l = 0; l < B_LOADS; l++) {
            uint pixel = k + (lane + l * GROUP) / COL_QUADS;
            dys[l] = pixel < pixels.y && b_quad < y_quads ? DY(pixel * y_quads + b_quad) : vec4(0.0);
        }
        barrier(); // all have multiplied the round before
        [[unroll]] for (uint l = 0; l < A_LOADS; l++) as[lane + l * GROUP] = xs[l];
        [[unroll]] for (uint l = 0; l < B_LOADS; l++) bs[lane + l * GROUP] = dys[l];
        barrier();
        multiply(0);
    }
    [[unroll]] for (uint i = 0; i < BLOCK; i++) {
        uint r = row_of(i);
#ifdef RAGGED
        bool is_pad = 4 * row_at(quad_row + r / 4, x_quads, true).channel + i % 4 >= depth;
#endif
        [[unroll]] for (uint j = 0; j < QUADS; j++) {
            uint c = col + col_of(j);
#ifdef RAGGED
            sum[i][j] = is_pad ? vec4(0.0) : mask_columns(sum[i][j], c);
#endif
            if (4 * tile + r < rows && c < y_quads) dw[(line + r) * y_quads + c] = sum[i][j];
        }
    }
}
#endif

// The variant for GPUs, see conv2d_tile.glsl: TILE rows x TILE columns to a workgroup, 4 x 4 to an
// invocation, ROUND pixels at a time through shared memory.
#ifdef TILE
const uint SIDE = TILE / 4, ROUND = 16, LOADS = 4 * TILE / GROUP; // GROUP = SIDE * SIDE
shared vec4 xs[ROUND][SIDE], dys[ROUND][SIDE];

void main()
{
    uint col_tiles = (y_quads + SIDE - 1) / SIDE, z = gl_WorkGroupID.z / col_tiles;
    uint i = lane / SIDE, j = lane % SIDE, col = (gl_WorkGroupID.z - z * col_tiles) * SIDE + j;
    uint quad_row = row_begin / 4 + tile_of_rows() * SIDE, rows = row_end - row_begin;
    Row tap = row_at(quad_row + j, x_quads, 4 * (quad_row + j) < row_end); // which this invocation loads
    bool here = col < y_quads;
    uvec2 pixels = chunk_pixels(z);
    Pixel at[LOADS], round_pixels = pixel_at(ROUND);
    [[unroll]] for (uint l = 0; l < LOADS; l++) at[l] = pixel_at(pixels.x + i + l * GROUP / SIDE);

    uint first = 4 * (tile_of_rows() * SIDE + i), to = ((chunk_first + z) * rows + first) * y_quads + col;
    bool mine = here && first < rows;
    vec4 sum[4];
    [[unroll]] for (uint r = 0; r < 4; r++) {
        sum[r] = vec4(0.0);
        if (start == START_OLD && mine) sum[r] = dw[to + r * y_quads];
    }

    for (uint k = pixels.x; k < pixels.y; k += ROUND) {
        barrier();
        [[unroll]] for (uint l = 0; l < LOADS; l++) {
            uint d = i + l * GROUP / SIDE, from = NOWHERE;
            bool exists = k + d < pixels.y;
            if (exists) from = source_of(at[l], tap.top, tap.left);
            xs[d][j] = from == NOWHERE ? vec4(0.0) : X(from * x_quads + tap.channel);
            dys[d][j] = exists && here ? DY((k + d) * y_quads + col) : vec4(0.0);
            advance(at[l], round_pixels);
        }
        barrier();
        [[unroll]] for (uint d = 0; d < ROUND; d++) {
            vec4 a = xs[d][i], b = dys[d][j];
            [[unroll]] for (uint r = 0; r < 4; r++) sum[r] += a[r] * b;
        }
    }
#ifdef RAGGED
    uint channel = row_at(quad_row + i, x_quads, true).channel;
    [[unroll]] for (uint r = 0; r < 4; r++)
        sum[r] = 4 * channel + r < depth ? mask_columns(sum[r], col) : vec4(0.0);
#endif
    [[unroll]] for (uint r = 0; r < 4; r++)
        if (mine) dw[to + r * y_quads] = sum[r];
}
#endif

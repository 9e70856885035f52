// The product of winograd_product.comp for GPUs, see tile.glsl.
#ifdef TILE_ROWS
#include "tile.glsl"

void main()
{
    uint panels = (quads + COL_QUADS - 1) / COL_QUADS, f = gl_WorkGroupID.z / panels;
    uint row = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * TILE_ROWS;
    uint col = (gl_WorkGroupID.z - f * panels) * COL_QUADS, to = f * m_step + row * quads;
    clear_sums();
    if (start == START_OLD)
        [[unroll]] for (uint i = 0; i < BLOCK; i++)
            [[unroll]] for (uint j = 0; j < QUADS; j++) {
                uint r = row_of(i), c = col + col_of(j);
                if (row + r < rows && c < quads) sum[i][j] = m[to + r * quads + c];
            }

    // An invocation always brings the same column of u.
    uint u_col = col + lane % COL_QUADS, from_u = f * u_step + u_col / panel * u_panel + u_col % panel;
    for (uint k = 0; k < sums; k += ROUND) {
        vec4 vs[A_LOADS], us[B_LOADS];
        [[unroll]] for (uint l = 0; l < A_LOADS; l++) {
            uint e = lane + l * GROUP, from = f * v_step;
            bool exists;
            if (PASS == BACKWARD_W) {
                uint quad = row / 4 + e % ROW_QUADS, term = k + e / ROW_QUADS;
                exists = 4 * quad < rows && term < sums;
                from += term * v_row + quad;
            } else {
                uint quad = k / 4 + e % 4, r = row + e / 4;
                exists = r < rows && 4 * quad < sums;
                from += r * v_row + quad;
            }
            vs[l] = exists ? AT(v, from) : vec4(0.0);
        }
        [[unroll]] for (uint l = 0; l < B_LOADS; l++) {
            uint term = k + (lane + l * GROUP) / COL_QUADS;
            us[l] = term < sums && u_col < quads ? AT(u, from_u + term * u_row) : vec4(0.0);
        }
        barrier(); // all have multiplied the round before
        [[unroll]] for (uint l = 0; l < A_LOADS; l++) {
            if (PASS == BACKWARD_W)
                as[lane + l * GROUP] = vs[l];
            else
                put_turned(lane % 4, (lane + l * GROUP) / 4, vs[l]);
        }
        [[unroll]] for (uint l = 0; l < B_LOADS; l++) bs[lane + l * GROUP] = us[l];
        barrier();
        multiply(PASS == BACKWARD_W ? 0 : 2);
    }
    [[unroll]] for (uint i = 0; i < BLOCK; i++)
        [[unroll]] for (uint j = 0; j < QUADS; j++) {
            uint r = row_of(i), c = col + col_of(j);
            if (row + r < rows && c < quads) m[to + r * quads + c] = sum[i][j];
        }
}
#endif

#version 460
#include "kernel.glsl"
#include "winograd.glsl"

// The middle of a Winograd convolution: a product of matrices for each of the 36 points f.
//   FORWARD     m[f,t,o] = sum_k v[f,t,k] u[f,k,o]: rows are tiles, sums run over channels
//   BACKWARD_X  the same, with dy and its weights
//   BACKWARD_W  m[f,c,o] = sum_t v[f,t,c] u[f,t,o]: rows are channels, sums run over tiles, and may go on
// Columns of u lie in panels of `panel` quads, `u_panel` apart, see winograd_weight.comp. Sums run in order,
// so where a run of tiles ends moves no bit.
READS(0, v);                                  // [36, rows, sums / 4], BACKWARD_W: [36, sums, rows / 4]
READS(1, u);                                  // [36, sums, quads]
layout(binding = 2) buffer B2 { vec4 m[]; };  // [36, rows, quads]
READS(3, old_m); // m again, where start == START_OLD and SG is defined: as texels it loads faster
layout(push_constant) uniform Args {
    uint rows, sums, quads;
    uint panel, u_panel, u_row;  // u_row: quads from one row of u to the next
    uint v_row;                  // the same of v
    uint v_step, u_step, m_step; // quads from one point to the next
    uint start;                  // START_*
    PLACES_1(m)
};
#include "lane_stores.glsl"
STORES(2, m)
const uint START_ZERO = 0, START_OLD = 2; // the second: m is added to

#ifdef SG
// For CPU-type devices, see conv2d_subgroup.glsl: a workgroup is one subgroup and sums ROWS rows, a lane a
// quad of each.
#ifdef LANE_STORES // there is room for lanes and rows behind the last
#define STORE_ROW(r) STORE(m, same_to + (r) * quads, sum[r])
#else
#define STORE_ROW(r) if ((r) < n_rows) m[to + (r) * quads] = sum[r];
#endif

const uint FETCHES = ROWS / SG;
#define ADD(r, d) sum[r] += FROM_LANE(vs[(r) / SG][d], (r) % SG) * us[d];
#define ADD_ROW(r) { ADD(r, 0) ADD(r, 1) ADD(r, 2) ADD(r, 3) }
#define ADD_OF(r, d) sum[r] += FROM_LANE(vs[d][(r) % 4], (r) / 4) * us[d];
#define ADD_CHANNEL(r) { ADD_OF(r, 0) ADD_OF(r, 1) ADD_OF(r, 2) ADD_OF(r, 3) }

void main()
{
    const uint n_sums = sums, v_next = v_row, u_next = u_row; // out of the loops, see kernel.glsl
    uint panels = (quads + SG - 1) / SG, f = gl_WorkGroupID.z / panels, p = gl_WorkGroupID.z - f * panels;
    uint quad = p * SG + lane, first = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * ROWS;
    // Lanes beyond the last column, and rows beyond the last, load what is there and store nothing.
    uint from_u = f * u_step + p * u_panel + min(lane, quads - 1 - p * SG);
    uint to = (f * m_step + first * quads) + quad;
    uint n_rows = quad < quads && first < rows ? rows - first : 0;
    vec4 sum[ROWS];
    [[unroll]] for (uint i = 0; i < ROWS; i++) sum[i] = vec4(0.0);
    if (PASS == BACKWARD_W) {
#ifdef OLD // start == START_OLD; see conv2d_subgroup.glsl
        uint from_m = f * m_step + min(quad, quads - 1);
        [[unroll]] for (uint i = 0; i < ROWS; i++)
            sum[i] = AT(old_m, from_m + min(first + i, rows - 1) * quads);
#endif
        uint from_v = f * v_step + min(first / 4 + lane, rows / 4 - 1);
        for (uint t = 0; t < n_sums; t += 4) {
            vec4 vs[4], us[4];
            [[unroll]] for (uint d = 0; d < 4; d++) {
                uint k = min(t + d, n_sums - 1);
                vs[d] = mix(AT(v, from_v + k * v_next), vec4(0.0), bvec4(t + d >= n_sums));
                us[d] = AT(u, from_u + k * u_next);
            }
            EACH_ROW(ADD_CHANNEL)
        }
    } else {
        uint from_v[FETCHES];
        [[unroll]] for (uint i = 0; i < FETCHES; i++)
            from_v[i] = f * v_step + min(first + i * SG + lane, rows - 1) * v_row;
        for (uint k = 0; k < n_sums / 4; k++) {
            vec4 vs[FETCHES], us[4];
            [[unroll]] for (uint i = 0; i < FETCHES; i++) vs[i] = AT(v, from_v[i] + k);
            [[unroll]] for (uint d = 0; d < 4; d++) us[d] = AT(u, from_u + (4 * k + d) * u_next);
            EACH_ROW(ADD_ROW)
        }
    }
#ifdef LANE_STORES
    uint z = same(gl_WorkGroupID.z), same_f = z / panels;
    uint same_to = same_f * m_step + (z - same_f * panels) * SG + same(group_index()) * ROWS * quads;
#endif
    EACH_ROW(STORE_ROW)
    ALIGN_SPILLS(m, sum[0])
}
#elif defined(TILE_ROWS)
#include "winograd_tile.glsl"
#else // an invocation sums one quad
void main()
{
    uint i = flat_index(), line = i / quads, quad = i - line * quads, f = line / rows, row = line - f * rows;
    if (f >= 36) return;
    uint to = f * m_step + row * quads + quad;
    uint from_u = f * u_step + quad / panel * u_panel + quad % panel;
    vec4 sum = start == START_OLD ? m[to] : vec4(0.0);
    if (PASS == BACKWARD_W)
        for (uint k = 0; k < sums; k++)
            sum += AT(v, f * v_step + k * v_row + row / 4)[row % 4] * AT(u, from_u + k * u_row);
    else
        for (uint k = 0; k < sums; k++)
            sum += AT(v, f * v_step + row * v_row + k / 4)[k % 4] * AT(u, from_u + k * u_row);
    m[to] = sum;
}
#endif

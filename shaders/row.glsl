// Loops and reductions over one row of channels, four at a time:
//   for (q = first_quad; q < quads; q += QUAD_STEP)
// A row belongs to a workgroup, or with LANE_ROW to a single invocation, which needs no barrier: faster for
// short rows and on CPU-type devices. Without LANE_ROW all invocations of a workgroup must stay together.
#ifdef LANE_ROW
#define first_quad 0u
const uint QUAD_STEP = 1;
uint row_index() { return flat_index(); }
float row_sum(float x) { return x; }
float row_max(float x) { return x; }
#else
#include "reduce.glsl"
#define first_quad lane
const uint QUAD_STEP = GROUP;
uint row_index() { return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x; }
float row_sum(float x) { return group_sum(x); }
float row_max(float x) { return group_max(x); }
#endif

// Which of the four channels of quad q are real: the others are padding and may hold anything.
bvec4 real_channels(uint q, uint channels)
{
    return lessThan(uvec4(4 * q) + uvec4(0, 1, 2, 3), uvec4(channels));
}

// log(1 + t) for t in [0, 1] within a few units in the last place. Vulkan lets log() be off by 2^-21 near 1,
// which is all of a small loss. 2 atanh(s), s = t / (2 + t), s^2 <= 1/9: what is left out is below 2e-8.
float log1p_unit(float t)
{
    float s = t / (2.0 + t), z = s * s;
    float sum = 1.0 / 13.0;
    sum = sum * z + 1.0 / 11.0;
    sum = sum * z + 1.0 / 9.0;
    sum = sum * z + 1.0 / 7.0;
    sum = sum * z + 1.0 / 5.0;
    sum = sum * z + 1.0 / 3.0;
    return 2.0 * s * (sum * z + 1.0);
}

// What kernels of one subgroup per workgroup share. SHUFFLE says which of two equal operations is the cheap
// one: lavapipe up to 23 makes a loop of a broadcast, SwiftShader and later lavapipe one of a shuffle.
#ifdef SG
#if SHUFFLE
#define FROM_LANE(v, i) subgroupShuffle(v, i)
#else
#define FROM_LANE(v, i) subgroupBroadcast(v, i)
#endif

// The floats of a quad that belong to column `col` of WIDE floats.
OUT columns(vec4 quad, uint col)
{
#if WIDE == 4
    return quad;
#elif WIDE == 2
    return (col & 1) == 0 ? quad.xy : quad.zw;
#else
    vec2 half_quad = (col & 2) == 0 ? quad.xy : quad.zw;
    return (col & 1) == 0 ? half_quad.x : half_quad.y;
#endif
}

// Those of the first n floats of a row that column `col` holds, the others made zero.
OUT within(OUT v, uint col, uint n)
{
#if WIDE == 4
    return mix(v, OUT(0.0), greaterThanEqual(uvec4(4 * col) + uvec4(0, 1, 2, 3), uvec4(n)));
#elif WIDE == 2
    return mix(v, OUT(0.0), greaterThanEqual(uvec2(2 * col) + uvec2(0, 1), uvec2(n)));
#else
    return col < n ? v : 0.0;
#endif
}
#endif

// What kernels of one subgroup per workgroup share. SHUFFLE says which of two equal operations is the cheap
// one: lavapipe up to 23 makes a loop of a broadcast, SwiftShader and later lavapipe one of a shuffle.
#if defined(SG) && !defined(FROM_LANE)
#if SHUFFLE
#define FROM_LANE(v, i) subgroupShuffle(v, i)
#define EACH_OF_4(F) [[unroll]] for (uint each = 0; each < 4; each++) F(each)
#define EACH_ROW(F) [[unroll]] for (uint each = 0; each < ROWS; each++) F(each)
#else // SPIR-V 1.3 wants a constant lane, and the counter of a loop is none
#define FROM_LANE(v, i) subgroupBroadcast(v, uint(i))
#define FOUR(F, i) F(i) F(i + 1) F(i + 2) F(i + 3)
#define SIXTEEN(F, i) FOUR(F, i) FOUR(F, i + 4) FOUR(F, i + 8) FOUR(F, i + 12)
#define EACH_OF_4(F) FOUR(F, 0)
#if ROWS == 4
#define EACH_ROW(F) FOUR(F, 0)
#elif ROWS == 8
#define EACH_ROW(F) FOUR(F, 0) FOUR(F, 4)
#elif ROWS == 16
#define EACH_ROW(F) SIXTEEN(F, 0)
#elif ROWS == 32
#define EACH_ROW(F) SIXTEEN(F, 0) SIXTEEN(F, 16)
#else
#define EACH_ROW(F) SIXTEEN(F, 0) SIXTEEN(F, 16) SIXTEEN(F, 32) SIXTEEN(F, 48)
#endif
#endif

// Which of n places first, first + step, .. lie in [0, size): the first of them, and the one after the last.
ivec2 range_inside(int first, int step, int size, int n)
{
    int by = max(abs(step), 1), from = step < 0 ? size - 1 - first : first; // as if steps went up
    return clamp(ivec2(by - 1 - from, size - 1 - from + by) / by, 0, n);
}

#ifdef WIDE
// The floats of a quad that belong to column `col` of WIDE floats.
#if WIDE == 4
#define BOOLS bvec4 // one for each float of an OUT
#define columns(quad, col) quad
#else
#if WIDE == 2
#define BOOLS bvec2
#else
#define BOOLS bool
#endif
OUT columns(vec4 quad, uint col)
{
#if WIDE == 2
    return (col & 1) == 0 ? quad.xy : quad.zw;
#else
    vec2 half_quad = (col & 2) == 0 ? quad.xy : quad.zw;
    return (col & 1) == 0 ? half_quad.x : half_quad.y;
#endif
}
#endif

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
#endif

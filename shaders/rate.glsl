// The rates table and the state, as the kernels over all parameters read them: words, as a flag that is read
// as a float may be flushed to zero.
const uint BLOCK_QUADS = 64; // vec4s in STRATA_RATE_BLOCK floats, all owned by one row
const uint ACTIVE = 1, NESTEROV = 2, FIRST = 4, TRUST = 8; // STRATA_RATE_* of src/graph/plan.h

struct Rate { // strata_rate of src/graph/plan.h
    float lr, momentum, beta2, eps, decay, correction1, correction2;
    uint flags;
};

Rate unpack_rate(uvec4 low, uvec4 high)
{
    vec4 a = uintBitsToFloat(low), b = uintBitsToFloat(high);
    return Rate(a.x, a.y, a.z, a.w, b.x, b.y, b.z, high.w);
}

// Is nothing to be written? `not_finite`: of the state.
bool idle(Rate rate, uint not_finite) { return (rate.flags & ACTIVE) == 0 || not_finite != 0; }

#ifdef ONE_ROW // for tests/bench: what it costs to look the row up
#define row_of(block) 0
#else
#define row_of(block) owner[block]
#endif

// What losses are multiplied by, of the state; 0 before the first step. Gradients down to 2^-40 are then more
// than the least that 16 bits hold, 2^-24.
float loss_scale(uint bits) { return bits == 0 ? 65536.0 : uintBitsToFloat(bits); }
const float MOST_SCALE = 16777216.0; // 2^24

// An invocation of an optimizer takes this many vec4s, all of one block: they share its row and state. By 4
// the look-up cost 5 to 8 % on lavapipe, by 8 less than 3 (tests/bench/update_bench.c). Where lanes are
// stored (lane_stores.glsl) a workgroup takes one block, and the grid has no group too many: none leaves
// early, and what is idle is stored as it was.
struct Share {
    uint block, at, to; // of the slice; this invocation's first quad, and where STORE begins
};
#ifdef LANE_STORES
const uint SIDE = SG, EACH = BLOCK_QUADS / SIDE;
Share share()
{
    uint block = same_bits(group_index(), 16); // LANE_BLOCKS of src/ops/update.c
    return Share(block, group_index() * BLOCK_QUADS + lane, block * BLOCK_QUADS);
}
#define ROW_OF(block) same_bits(row_of(block), 12)
#define LEAVE_IF(condition)
#else
const uint EACH = 8, SIDE = BLOCK_QUADS / EACH;
Share share()
{
    uint i = flat_index(), block = i / SIDE, at = block * BLOCK_QUADS + i % SIDE;
    return Share(block, at, at);
}
#define ROW_OF(block) row_of(block)
#define LEAVE_IF(condition) if (condition) return;
#endif

// A workgroup by pieces takes up to 64 blocks of one row; this is the workgroup's number.
uint piece_index() { return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x; }

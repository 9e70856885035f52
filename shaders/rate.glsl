// The rates table and the state, as the kernels over all parameters read them: words, as a flag that is read
// as a float may be flushed to zero.
const uint BLOCK_QUADS = 64; // vec4s in STRATA_RATE_BLOCK floats, all owned by one row
const uint ACTIVE = 1, NESTEROV = 2, FIRST = 4; // STRATA_RATE_* of src/graph/plan.h

struct Rate { // strata_rate of src/graph/plan.h
    float lr, momentum, beta2, eps, decay, correction1, correction2;
    uint flags;
};

Rate unpack_rate(uvec4 low, uvec4 high)
{
    vec4 a = uintBitsToFloat(low), b = uintBitsToFloat(high);
    return Rate(a.x, a.y, a.z, a.w, b.x, b.y, b.z, high.w);
}

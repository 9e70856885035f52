#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// Batch normalisation element by element, and in the same pass what follows it in a residual network: the sum
// with z, then relu. Per channel c, over pixels p:
//   FORWARD   y = (x - mean) scale + offset (+ z), and 0 where RELU and that is negative
//   BACKWARD  d = dy, 0 where RELU and y <= 0;   dz (+)= d
//             dx (+)= scale (d - coef[0] - (x - mean) coef[1])
// Without a sum y follows from x, which is read anyway: RELU is then OF_X.
// batch_norm_finish.comp makes the numbers of a channel. Frozen, and in evaluation, coef is 0.
//
// A workgroup is `cols` quads of channels by `rows` pixels, EACH times over.
READS(0, x); // [pixels, quads]
READS(1, z); // [pixels, quads]; none without a sum
#if PASS == BACKWARD
READS(2, y); // [pixels, quads]; read where RELU is OF_Y
#else
WRITES(2, y); // [pixels, quads]
#endif
WRITES(3, dx);   // [pixels, quads]
WRITES(4, dz);   // [pixels, quads]
READS(5, dy);    // [pixels, quads]
READS(6, table); // [4, quads]: mean, inverse standard deviation, scale (it times the gain), offset (the bias)
READS(7, coef);  // [2, quads]
layout(push_constant) uniform Args {
    uint pixels, quads; // of this slice
    uint channels;      // of them real
    uint cols, rows;
    uint frozen, relu, sum, do_dx, do_dz;
#if PASS == BACKWARD
    PLACES_2(dx, dz)
#else
    PLACES_1(y)
#endif
};
#include "lane_stores.glsl"
#if PASS == BACKWARD
STORES(3, dx)
STORES(4, dz)
#else
STORES(2, y)
#endif

// What do_dx and do_dz may be, as in add.comp.
const uint NOTHING = 0, ASSIGN = 1, ADD = 2;
// What relu may be in a backward pass.
const uint OF_Y = 1, OF_X = 2;

#ifndef FROZEN // defines fold what the host knows: lavapipe runs every branch that it cannot fold
#define FROZEN frozen
#define RELU relu
#define SUM sum
#define DO_DX do_dx
#define DO_DZ do_dz
#endif
#ifndef COLS
#define COLS cols
#endif
#ifndef RUN_BITS // of a workgroup's place, down the pixels and across the quads
#define RUN_BITS 24
#define ACROSS_BITS 24
#endif
#ifndef EACH
#define EACH 8 // pixels of an invocation: they share the channel's numbers
#endif

#ifdef LANE_STORES // whole workgroups of pixels and of quads
#define EXISTS(k) true
#else
#define EXISTS(k) (first + k * rows < pixels)
#endif

// What comes before a sum and relu: the same bits forward and backward.
vec4 normal(vec4 x, vec4 mean, vec4 scale, vec4 offset)
{
    precise vec4 v = (x - mean) * scale + offset;
    return v;
}

// `to`: where STORE begins.
#if PASS == BACKWARD
void backward(uint quad, uint first, uint to)
{
    vec4 mean = AT(table, quad), scale = AT(table, 2 * quads + quad), offset = vec4(0.0);
    vec4 a = vec4(0.0), b = vec4(0.0);
    if (RELU == OF_X) offset = AT(table, 3 * quads + quad);
    if (FROZEN == 0) {
        a = AT(coef, quad);
        b = AT(coef, quads + quad);
    }
    vec4 d[EACH], value[EACH];
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        uint i = min(first + k * rows, pixels - 1) * quads + quad;
        d[k] = AT(dy, i);
        vec4 from = vec4(0.0);
        if (FROZEN == 0 || RELU == OF_X) from = AT(x, i);
        if (RELU == OF_Y) d[k] = mix(d[k], vec4(0.0), lessThanEqual(AT(y, i), vec4(0.0)));
        if (RELU == OF_X)
            d[k] = mix(d[k], vec4(0.0), lessThanEqual(normal(from, mean, scale, offset), vec4(0.0)));
        value[k] = scale * (d[k] - a);
        if (FROZEN == 0) value[k] -= scale * ((from - mean) * b);
    }
    [[unroll]] for (uint k = 0; k < EACH; k++)
        if (EXISTS(k)) {
            uint i = (first + k * rows) * quads + quad, at = to + k * rows * quads;
            if (DO_DX == ADD) value[k] += GET(dx, i);
            if (DO_DZ == ADD) d[k] += GET(dz, i);
            if (DO_DX != NOTHING) STORE(dx, at, value[k])
            if (DO_DZ != NOTHING) STORE(dz, at, d[k])
        }
    ALIGN_SPILLS(dx, value[0])
}
#else
void forward(uint quad, uint first, uint to)
{
    vec4 mean = AT(table, quad), scale = AT(table, 2 * quads + quad), offset = AT(table, 3 * quads + quad);
    vec4 value[EACH];
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        uint i = min(first + k * rows, pixels - 1) * quads + quad;
        value[k] = normal(AT(x, i), mean, scale, offset);
        if (SUM != 0) value[k] += AT(z, i);
        if (RELU != 0) value[k] = mix(value[k], vec4(0.0), lessThanEqual(value[k], vec4(0.0)));
    }
    [[unroll]] for (uint k = 0; k < EACH; k++)
        if (EXISTS(k)) STORE(y, to + k * rows * quads, value[k])
    ALIGN_SPILLS(y, value[0])
}
#endif

void main()
{
    uint run = gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y;
#if SUBGROUPS > 1 // one below the other
    run = run * SUBGROUPS + gl_LocalInvocationID.x / SG;
#endif
#ifdef LANE_STORES // neighbours in memory, be they of several pixels
    uint quad = gl_WorkGroupID.x * SG + lane, row = 0;
#if COLS != 0 // all quads of a pixel
    row = quad / COLS;
    quad -= row * COLS;
#endif
    uint first = run * rows * EACH + row, to = same_bits(run, RUN_BITS) * EACH * rows * quads;
    to += same_bits(gl_WorkGroupID.x, ACROSS_BITS) * SG;
#else
    uint quad = gl_WorkGroupID.x * COLS + lane % COLS, row = lane / COLS, first = run * rows * EACH + row;
    if (quad >= quads || row >= rows || first >= pixels) return;
    uint to = first * quads + quad;
#endif
#if PASS == BACKWARD
    backward(quad, first, to);
#else
    forward(quad, first, to);
#endif
}

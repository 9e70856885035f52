#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// The sums of batch normalisation over pixels p, per channel c, in partial sums of fixed order.
//   STATS           m = mean of x[p,c];  sum_p (x[p,c] - m)^2, of the pixels of one partial
//   BACKWARD_STATS  sum_p d[p,c];  sum_p d[p,c] (x[p,c] - mean[c]);  d = dy, 0 where RELU and y <= 0, which
//                   is read, or made of x as batch_norm.comp made it
// A workgroup is `cols` quads of channels by `rows` runs of pixels in one chunk; each invocation leaves a
// partial, which batch_norm_finish.comp takes. Means are taken from a first value and combined as Chan's:
// squares of x are never summed, so mean 1000, std 1 keeps its digits.
READS(0, x);       // [pixels, quads]
READS(1, y);       // [pixels, quads]; read where RELU is OF_Y
READS(2, dy);      // [pixels, quads]
READS(3, table);   // [4, quads]: mean, inverse, scale, offset
WRITES(4, partial); // [2, chunks, rows, quads]
layout(push_constant) uniform Args {
    uint pixels, quads;        // of this slice
    uint cols, rows;
    uint chunk, first, chunks; // pixels of a chunk; this slice's first chunk; all chunks
    uint relu;
};

const uint OF_Y = 1, OF_X = 2; // what relu may be

#ifndef RELU
#define RELU relu
#endif
#ifndef COLS // lavapipe divides lane by lane
#define COLS cols
#define ROWS rows
#endif
#ifndef STEP
#define STEP 4 // pixels of a round: all loads before the arithmetic
#endif

// The pixels of a row are neighbours: a stride of some 1024 bytes between them halves lavapipe's speed.
uint row_pixels() { return (chunk + ROWS - 1) / ROWS; }
uint begin_of(uint row) { return min(gl_WorkGroupID.y * chunk + row * row_pixels(), pixels); }
uint end_of(uint row)
{
    return min(begin_of(row) + row_pixels(), min((gl_WorkGroupID.y + 1) * chunk, pixels));
}

void leave(uint quad, uint row, vec4 first_sum, vec4 second)
{
    uint at = ((first + gl_WorkGroupID.y) * ROWS + row) * quads + quad;
    partial[at] = first_sum;
    partial[at + chunks * ROWS * quads] = second;
}

void stats(uint quad, uint row)
{
    uint p = begin_of(row), end = end_of(row);
    vec4 shift = vec4(0.0), centre = vec4(0.0), m2 = vec4(0.0), value[STEP];
    if (p < end) shift = AT(x, p * quads + quad);
    float n = 0.0;
    for (; p + STEP <= end; p += STEP) {
        [[unroll]] for (uint k = 0; k < STEP; k++) value[k] = AT(x, (p + k) * quads + quad);
        vec4 middle = vec4(0.0);
        [[unroll]] for (uint k = 0; k < STEP; k++) middle += value[k] - shift;
        middle *= 1.0 / float(STEP);
        [[unroll]] for (uint k = 0; k < STEP; k++) {
            value[k] -= shift + middle;
            m2 += value[k] * value[k];
        }
        vec4 off = middle - centre;
        centre += off * (float(STEP) / (n + float(STEP)));
        m2 += off * off * (n * float(STEP) / (n + float(STEP)));
        n += float(STEP);
    }
    for (; p < end; p++) {
        value[0] = AT(x, p * quads + quad) - shift;
        n += 1.0;
        vec4 off = value[0] - centre;
        centre += off / n;
        m2 += off * (value[0] - centre);
    }
    leave(quad, row, shift + centre, m2);
}

// A channel's numbers.
struct Numbers {
    vec4 mean, scale, offset;
};

vec4 upstream(uint i, vec4 value, Numbers n)
{
    vec4 d = AT(dy, i);
    precise vec4 out_of_x = (value - n.mean) * n.scale + n.offset;
    if (RELU == OF_Y) d = mix(d, vec4(0.0), lessThanEqual(AT(y, i), vec4(0.0)));
    if (RELU == OF_X) d = mix(d, vec4(0.0), lessThanEqual(out_of_x, vec4(0.0)));
    return d;
}

void backward_stats(uint quad, uint row)
{
    uint p = begin_of(row), end = end_of(row);
    vec4 sum = vec4(0.0), moment = vec4(0.0), d[STEP], value[STEP];
    Numbers n = Numbers(AT(table, quad), vec4(0.0), vec4(0.0));
    if (RELU == OF_X) {
        n.scale = AT(table, 2 * quads + quad);
        n.offset = AT(table, 3 * quads + quad);
    }
    for (; p + STEP <= end; p += STEP) {
        [[unroll]] for (uint k = 0; k < STEP; k++) {
            value[k] = AT(x, (p + k) * quads + quad);
            d[k] = upstream((p + k) * quads + quad, value[k], n);
        }
        [[unroll]] for (uint k = 0; k < STEP; k++) {
            sum += d[k];
            moment += d[k] * (value[k] - n.mean);
        }
    }
    for (; p < end; p++) {
        value[0] = AT(x, p * quads + quad);
        d[0] = upstream(p * quads + quad, value[0], n);
        sum += d[0];
        moment += d[0] * (value[0] - n.mean);
    }
    leave(quad, row, sum, moment);
}

void main()
{
    uint quad = gl_WorkGroupID.x * COLS + lane % COLS, row = lane / COLS;
    if (quad >= quads || row >= rows) return;
    if (PASS == STATS)
        stats(quad, row);
    else
        backward_stats(quad, row);
}

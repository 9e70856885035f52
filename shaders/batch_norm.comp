#version 460
#include "kernel.glsl"
#include "reduce4.glsl"

// Batch normalisation: per channel c over all pixels p of the batch, P of them.
//   stats            mean[c] = 1/P sum_p x[p,c];  M2[c] = sum_p (x[p,c] - mean[c])^2;
//   stats_finish     spread[c] = 1 / sqrt(M2[c] / P + eps);  running_mean, running_var move by `momentum`
//                    towards mean and M2 / (P - 1)
//   forward          y = (x - mean) spread gain + bias
//   backward_stats   sum_p dy[p,c],  sum_p dy[p,c] (x[p,c] - mean[c])
//   backward_finish  dbias (+)= the first;  dgain (+)= the second * spread;
//                    coef = first / P, second * spread^2 / P
//   backward         dx (+)= gain spread (dy - coef[0] - (x - mean) coef[1])
// Frozen (and in evaluation): mean and spread are the running mean and VARIANCE, and coef is 0.
//
// A workgroup is `cols` quads of channels by `rows` pixels. For sums it takes one chunk of pixels, and each
// invocation leaves a partial in scratch; finish is one workgroup per quad, in fixed order. Means are taken
// from a first value and combined as Chan's: squares of x are never summed, so mean 1000, std 1 keeps its
// digits.
layout(binding = 0)  readonly buffer B0 { vec4 x[]; };        // [pixels, quads]
layout(binding = 1)           buffer B1 { vec4 y[]; };        // [pixels, quads]
layout(binding = 2)           buffer B2 { vec4 dx[]; };       // [pixels, quads]
layout(binding = 3)  readonly buffer B3 { vec4 dy[]; };       // [pixels, quads]
layout(binding = 4)  readonly buffer B4 { vec4 gain[]; };     // [quads]; none unless affine
layout(binding = 5)  readonly buffer B5 { vec4 bias[]; };     // [quads]; none unless affine
layout(binding = 6)           buffer B6 { vec4 dgain[]; };    // [quads]; none unless has_dgain
layout(binding = 7)           buffer B7 { vec4 dbias[]; };    // [quads]; none unless has_dbias
layout(binding = 8)           buffer B8 { vec4 mean[]; };     // [quads]
layout(binding = 9)           buffer B9 { vec4 spread[]; };   // [quads]
layout(binding = 10) buffer B10 { vec4 running_mean[]; };     // [quads]
layout(binding = 11) buffer B11 { vec4 running_var[]; };      // [quads]
layout(binding = 12) buffer B12 { vec4 partial[]; };          // [2, chunks, rows, quads]
layout(binding = 13) buffer B13 { vec4 coef[]; };             // [2, quads]
layout(push_constant) uniform Args {
    uint pixels, total;        // of this slice; of the whole tensor
    uint quads, channels;
    uint cols, rows;
    uint chunk, first, chunks; // pixels of a chunk; this slice's first chunk; all chunks
    uint frozen, affine, has_dgain, has_dbias, add_dx, add_param;
    float eps, momentum;
};

#ifndef FROZEN // defines fold what the host knows: lavapipe runs every branch that it cannot fold
#define FROZEN frozen
#define AFFINE affine
#define ADD_DX add_dx
#endif
const uint EACH = 8; // pixels of an invocation in the element-wise passes: they share the channel's numbers
#ifndef STEP
#define STEP 4 // pixels of a round of the sums: all loads before the arithmetic
#endif

vec4 inverse_std(uint quad) { return FROZEN != 0 ? 1.0 / sqrt(spread[quad] + eps) : spread[quad]; }

// ---- Sums -----------------------------------------------------------------------------------------------

// The pixels of a row are neighbours: a stride of some 1024 bytes between them halves lavapipe's speed.
uint row_pixels() { return (chunk + rows - 1) / rows; }
uint begin_of(uint row) { return min(gl_WorkGroupID.y * chunk + row * row_pixels(), pixels); }
uint end_of(uint row)
{
    return min(begin_of(row) + row_pixels(), min((gl_WorkGroupID.y + 1) * chunk, pixels));
}

void stats(uint quad, uint row)
{
    uint p = begin_of(row), end = end_of(row);
    vec4 shift = p < end ? x[p * quads + quad] : vec4(0.0), centre = vec4(0.0), m2 = vec4(0.0), value[STEP];
    float n = 0.0;
    for (; p + STEP <= end; p += STEP) {
        [[unroll]] for (uint k = 0; k < STEP; k++) value[k] = x[(p + k) * quads + quad];
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
        value[0] = x[p * quads + quad] - shift;
        n += 1.0;
        vec4 off = value[0] - centre;
        centre += off / n;
        m2 += off * (value[0] - centre);
    }
    uint at = ((first + gl_WorkGroupID.y) * rows + row) * quads + quad;
    partial[at] = shift + centre;
    partial[at + chunks * rows * quads] = m2;
}

void backward_stats(uint quad, uint row)
{
    uint p = begin_of(row), end = end_of(row);
    vec4 sum = vec4(0.0), moment = vec4(0.0), middle = mean[quad], d[STEP], value[STEP];
    for (; p + STEP <= end; p += STEP) {
        [[unroll]] for (uint k = 0; k < STEP; k++) {
            d[k] = dy[(p + k) * quads + quad];
            value[k] = x[(p + k) * quads + quad];
        }
        [[unroll]] for (uint k = 0; k < STEP; k++) {
            sum += d[k];
            moment += d[k] * (value[k] - middle);
        }
    }
    for (; p < end; p++) {
        d[0] = dy[p * quads + quad];
        sum += d[0];
        moment += d[0] * (x[p * quads + quad] - middle);
    }
    uint at = ((first + gl_WorkGroupID.y) * rows + row) * quads + quad;
    partial[at] = sum;
    partial[at + chunks * rows * quads] = moment;
}

// Pixels behind partial i = chunk index * rows + row.
float pixels_of(uint i)
{
    uint begin = i % rows * row_pixels(), length = min(chunk, total - i / rows * chunk);
    return begin < length ? float(min(row_pixels(), length - begin)) : 0.0;
}

bvec4 real_channels(uint quad) { return lessThan(uvec4(4 * quad) + uvec4(0, 1, 2, 3), uvec4(channels)); }

// Parameters' padding stays zero, whatever lies in that of activations.
vec4 without_padding(uint quad, vec4 v) { return mix(vec4(0.0), v, real_channels(quad)); }

void stats_finish(uint quad)
{
    uint n = chunks * rows;
    vec4 shift = partial[quad], sum = vec4(0.0); // the first partial always has a pixel
    for (uint i = lane; i < n; i += GROUP) sum += pixels_of(i) * (partial[i * quads + quad] - shift);
    vec4 middle = shift + group_sum4(sum) / float(total);

    sum = vec4(0.0);
    for (uint i = lane; i < n; i += GROUP) {
        vec4 off = partial[i * quads + quad] - middle;
        sum += partial[(n + i) * quads + quad] + pixels_of(i) * off * off;
    }
    vec4 m2 = group_sum4(sum);
    if (lane != 0) return;
    mean[quad] = middle;
    spread[quad] = 1.0 / sqrt(m2 / float(total) + eps);
    vec4 by_mean = momentum * (middle - running_mean[quad]);
    vec4 by_var = momentum * (m2 / float(total - 1) - running_var[quad]);
    running_mean[quad] = without_padding(quad, running_mean[quad] + by_mean);
    running_var[quad] = without_padding(quad, running_var[quad] + by_var);
}

void backward_finish(uint quad)
{
    uint n = chunks * rows;
    vec4 sum = vec4(0.0), moment = vec4(0.0);
    for (uint i = lane; i < n; i += GROUP) {
        sum += partial[i * quads + quad];
        moment += partial[(n + i) * quads + quad];
    }
    sum = group_sum4(sum);
    moment = group_sum4(moment);
    if (lane != 0) return;
    vec4 inverse = inverse_std(quad), d = without_padding(quad, moment * inverse);
    if (has_dgain != 0) dgain[quad] = add_param != 0 ? dgain[quad] + d : d;
    d = without_padding(quad, sum);
    if (has_dbias != 0) dbias[quad] = add_param != 0 ? dbias[quad] + d : d;
    coef[quad] = sum / float(total);
    coef[quads + quad] = moment * inverse * inverse / float(total);
}

// ---- Element by element ---------------------------------------------------------------------------------

void forward(uint quad, uint p)
{
    vec4 middle = mean[quad], scale = inverse_std(quad), offset = vec4(0.0);
    if (AFFINE != 0) {
        scale *= gain[quad];
        offset = bias[quad];
    }
    vec4 value[EACH];
    [[unroll]] for (uint k = 0; k < EACH; k++) value[k] = x[min(p + k, pixels - 1) * quads + quad];
    [[unroll]] for (uint k = 0; k < EACH; k++)
        if (p + k < pixels) y[(p + k) * quads + quad] = (value[k] - middle) * scale + offset;
}

void backward(uint quad, uint p)
{
    vec4 middle = mean[quad], scale = inverse_std(quad), a = vec4(0.0), b = vec4(0.0);
    if (AFFINE != 0) scale *= gain[quad];
    if (FROZEN == 0) {
        a = coef[quad];
        b = coef[quads + quad];
    }
    vec4 d[EACH];
    [[unroll]] for (uint k = 0; k < EACH; k++) {
        uint i = min(p + k, pixels - 1) * quads + quad;
        d[k] = dy[i] - a;
        if (FROZEN == 0) d[k] -= (x[i] - middle) * b;
        d[k] *= scale;
    }
    [[unroll]] for (uint k = 0; k < EACH; k++)
        if (p + k < pixels) {
            uint i = (p + k) * quads + quad;
            dx[i] = ADD_DX != 0 ? dx[i] + d[k] : d[k];
        }
}

void main()
{
    if (PASS == STATS_FINISH || PASS == BACKWARD_FINISH) {
        uint quad = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
        if (quad >= quads) return; // of the whole workgroup: no barrier is left by a part of it
        if (PASS == STATS_FINISH)
            stats_finish(quad);
        else
            backward_finish(quad);
        return;
    }
    uint quad = gl_WorkGroupID.x * cols + lane % cols, row = lane / cols;
    uint p = ((gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * rows + row) * EACH;
    if (quad >= quads || row >= rows) return;
    if (PASS == STATS)
        stats(quad, row);
    else if (PASS == BACKWARD_STATS)
        backward_stats(quad, row);
    else if (PASS == FORWARD)
        forward(quad, p);
    else
        backward(quad, p);
}

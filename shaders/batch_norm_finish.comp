#version 460
#include "kernel.glsl"
#include "reduce4.glsl"

// The totals of batch_norm_sums.comp, in fixed order, and what follows from them for each channel of P
// pixels.
//   STATS_FINISH     mean, M2 of all pixels;  inverse = 1 / sqrt(M2 / P + eps);  running_mean, running_var
//                    move by `momentum` towards mean and M2 / (P - 1). Frozen: mean and M2 / P are the
//                    running ones, which stay
//                    table = mean, inverse, gain inverse, bias
//   BACKWARD_FINISH  dbias (+)= the first sum;  dgain (+)= the second * inverse
//                    coef = first / P, second * inverse^2 / P
// A workgroup totals one quad of channels, AHEAD partials of an invocation at a time: a GPU would wait for
// each. With LANE_QUAD an invocation does, which needs no barrier: faster on CPU-type devices.
layout(binding = 0) buffer B0 { vec4 sums[]; };          // coef [2, quads], then the partials, see partial()
layout(binding = 1) buffer B1 { vec4 table[]; };         // [4, quads]
layout(binding = 2) readonly buffer B2 { vec4 gain[]; }; // [quads]; none unless affine
layout(binding = 3) readonly buffer B3 { vec4 bias[]; }; // [quads]; none unless affine
layout(binding = 4) buffer B4 { vec4 dgain[]; };         // [quads]; none unless has_dgain
layout(binding = 5) buffer B5 { vec4 dbias[]; };         // [quads]; none unless has_dbias
layout(binding = 6) buffer B6 { vec4 running_mean[]; };  // [quads]
layout(binding = 7) buffer B7 { vec4 running_var[]; };   // [quads]
layout(push_constant) uniform Args {
    uint total, quads, channels;
    uint chunk, chunks, rows; // as in batch_norm_sums.comp
    uint partial_at;
    uint frozen, affine, has_dgain, has_dbias, add_param;
    float eps, momentum;
};

#ifndef ROWS // lavapipe divides lane by lane
#define ROWS rows
#endif

#ifdef LANE_QUAD
const uint FIRST = 0, NEXT = 1;
vec4 total_of(vec4 v) { return v; }
#else
#define FIRST lane
const uint NEXT = GROUP;
vec4 total_of(vec4 v) { return group_sum4(v); }
#endif
#ifndef AHEAD
#define AHEAD 1
#endif

vec4 partial(uint part, uint i, uint quad)
{
    return sums[partial_at + (part * chunks * ROWS + i) * quads + quad];
}

// The partials i, i + NEXT, .. of both parts; those from n on are the last again.
void load_both(out vec4 each[AHEAD], out vec4 second[AHEAD], uint i, uint n, uint quad)
{
    [[unroll]] for (uint k = 0; k < AHEAD; k++) {
        each[k] = partial(0, min(i + k * NEXT, n - 1), quad);
        second[k] = partial(1, min(i + k * NEXT, n - 1), quad);
    }
}

// Pixels behind partial i = chunk index * rows + row.
float pixels_of(uint i)
{
    uint each = (chunk + ROWS - 1) / ROWS;
    uint begin = i % ROWS * each, length = min(chunk, total - i / ROWS * chunk);
    return begin < length ? float(min(each, length - begin)) : 0.0;
}

// Parameters' padding stays zero, whatever lies in that of activations.
vec4 without_padding(uint quad, vec4 v)
{
    return mix(vec4(0.0), v, lessThan(uvec4(4 * quad) + uvec4(0, 1, 2, 3), uvec4(channels)));
}

void describe(uint quad, vec4 mean, vec4 variance)
{
    vec4 inverse = 1.0 / sqrt(variance + eps), scale = inverse, offset = vec4(0.0);
    if (affine != 0) {
        scale *= gain[quad];
        offset = bias[quad];
    }
    table[quad] = mean;
    table[quads + quad] = inverse;
    table[2 * quads + quad] = scale;
    table[3 * quads + quad] = offset;
}

void stats_finish(uint quad)
{
    uint n = chunks * ROWS;
    vec4 shift = partial(0, 0, quad), sum = vec4(0.0); // the first partial always has a pixel
    vec4 each[AHEAD], second[AHEAD];
    for (uint i = FIRST; i < n; i += AHEAD * NEXT) {
        [[unroll]] for (uint k = 0; k < AHEAD; k++) each[k] = partial(0, min(i + k * NEXT, n - 1), quad);
        [[unroll]] for (uint k = 0; k < AHEAD; k++)
            if (i + k * NEXT < n) sum += pixels_of(i + k * NEXT) * (each[k] - shift);
    }
    vec4 mean = shift + total_of(sum) / float(total);

    sum = vec4(0.0);
    for (uint i = FIRST; i < n; i += AHEAD * NEXT) {
        load_both(each, second, i, n, quad);
        [[unroll]] for (uint k = 0; k < AHEAD; k++) {
            vec4 off = each[k] - mean;
            if (i + k * NEXT < n) sum += second[k] + pixels_of(i + k * NEXT) * off * off;
        }
    }
    vec4 m2 = total_of(sum);
    if (FIRST != 0) return;
    describe(quad, mean, m2 / float(total));
    vec4 by_mean = momentum * (mean - running_mean[quad]);
    vec4 by_var = momentum * (m2 / float(total - 1) - running_var[quad]);
    running_mean[quad] = without_padding(quad, running_mean[quad] + by_mean);
    running_var[quad] = without_padding(quad, running_var[quad] + by_var);
}

void backward_finish(uint quad)
{
    uint n = chunks * ROWS;
    vec4 sum = vec4(0.0), moment = vec4(0.0);
    vec4 each[AHEAD], second[AHEAD];
    for (uint i = FIRST; i < n; i += AHEAD * NEXT) {
        load_both(each, second, i, n, quad);
        [[unroll]] for (uint k = 0; k < AHEAD; k++)
            if (i + k * NEXT < n) sum += each[k], moment += second[k];
    }
    sum = total_of(sum);
    moment = total_of(moment);
    if (FIRST != 0) return;
    vec4 inverse = table[quads + quad], d = without_padding(quad, moment * inverse);
    if (has_dgain != 0) dgain[quad] = add_param != 0 ? dgain[quad] + d : d;
    d = without_padding(quad, sum);
    if (has_dbias != 0) dbias[quad] = add_param != 0 ? dbias[quad] + d : d;
    sums[quad] = sum / float(total);
    sums[quads + quad] = moment * inverse * inverse / float(total);
}

void main()
{
#ifdef LANE_QUAD
    uint quad = flat_index();
#else
    uint quad = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
#endif
    if (quad >= quads) return; // with barriers of the whole workgroup: none is left by a part of it
    if (PASS == BACKWARD_FINISH)
        backward_finish(quad);
    else if (frozen == 0)
        stats_finish(quad);
    else if (FIRST == 0)
        describe(quad, running_mean[quad], running_var[quad]);
}

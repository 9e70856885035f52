#version 460
#include "kernel.glsl"
#include "row.glsl"

// Binary cross-entropy of sigmoid(logits) against targets in [0, 1], the mean over the classes, in nats.
//   x = logits[n,k], t = target[n,k]
//   forward   loss[n]         = 1 / K sum_k max(x, 0) - x t + log(1 + exp(-|x|))
//   backward  dlogits[n,k] (+)= dloss[n] / K (1 / (1 + exp(-x)) - t)
// Where dloss[n] is 0 the gradient is exactly 0.
layout(binding = 0) readonly buffer B0 { vec4 logits[]; };  // [rows, quads]
layout(binding = 1)          buffer B1 { vec4 dlogits[]; }; // [rows, quads]
layout(binding = 2) readonly buffer B2 { vec4 target[]; };  // [rows, quads]
layout(binding = 3)          buffer B3 { float loss[]; };   // [rows]
layout(binding = 4) readonly buffer B4 { float dloss[]; };  // [rows]
layout(push_constant) uniform Args { uint rows, classes, add_dlogits; };

void forward(uint n, uint at, uint quads)
{
    float sum = 0.0;
    for (uint q = first_quad; q < quads; q += QUAD_STEP) {
        vec4 x = logits[at + q], t = target[at + q], small = exp(-abs(x));
        vec4 each = max(x, 0.0) - x * t;
        each += vec4(log1p_unit(small.x), log1p_unit(small.y), log1p_unit(small.z), log1p_unit(small.w));
        sum += dot(mix(vec4(0.0), each, real_channels(q, classes)), vec4(1.0));
    }
    sum = row_sum(sum);
    if (first_quad == 0) loss[n] = sum / float(classes);
}

void backward(uint n, uint at, uint quads)
{
    float d = dloss[n] / float(classes);
    for (uint q = first_quad; q < quads; q += QUAD_STEP) {
        vec4 x = logits[at + q], small = exp(-abs(x)); // at most 1, for either sign
        vec4 p = mix(vec4(1.0), small, lessThan(x, vec4(0.0))) / (1.0 + small);
        vec4 g = d == 0.0 ? vec4(0.0) : d * (p - target[at + q]);
        dlogits[at + q] = add_dlogits != 0 ? dlogits[at + q] + g : g;
    }
}

void main()
{
    uint n = row_index(), quads = (classes + 3) / 4;
    if (n >= rows) return;
    if (PASS == FORWARD)
        forward(n, n * quads, quads);
    else
        backward(n, n * quads, quads);
}

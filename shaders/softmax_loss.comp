#version 460
#include "kernel.glsl"
#include "row.glsl"

// Cross-entropy of softmax(logits) against integer labels, in nats, with PyTorch's class weights and label
// smoothing s.
//   l = label[n], top = max_k logits[n,k], log_sum = log sum_k exp(logits[n,k] - top), W = sum_k weight[k]
//   forward   loss[n] = (1 - s) weight[l] (log_sum + top - logits[n,l])
//                       + s / K sum_k weight[k] (log_sum + top - logits[n,k])
//   backward  p[k] = exp(logits[n,k] - top - log_sum)
//             dlogits[n,k] (+)= dloss[n] ((1 - s) weight[l] (p[k] - [k == l]) + s / K (W p[k] - weight[k]))
// A row whose label is outside [0, K) has loss 0; where dloss[n] is 0 the gradient is exactly 0.
layout(binding = 0) readonly buffer B0 { vec4 logits[]; };  // [rows, quads]
layout(binding = 1)          buffer B1 { vec4 dlogits[]; }; // [rows, quads]
layout(binding = 2) readonly buffer B2 { int label[]; };    // [rows]
layout(binding = 3) readonly buffer B3 { float weight[]; }; // [classes]; none unless weighted
layout(binding = 4)          buffer B4 { vec2 lse[]; };     // [rows] top and log_sum
layout(binding = 5)          buffer B5 { float loss[]; };   // [rows]
layout(binding = 6) readonly buffer B6 { float dloss[]; };  // [rows]
layout(push_constant) uniform Args { uint rows, classes, weighted, add_dlogits; float smoothing; };

// The weights of four classes, 0 for those that do not exist.
vec4 weights(uint q)
{
    bvec4 is_real = real_channels(q, classes);
    vec4 w = vec4(is_real);
    if (weighted != 0)
        for (uint i = 0; i < 4; i++)
            if (is_real[i]) w[i] = weight[4 * q + i];
    return w;
}

float weight_of(uint l) { return weighted != 0 ? weight[l] : 1.0; }

void forward(uint n, uint at, uint quads)
{
    float top = LOWEST;
    for (uint q = first_quad; q < quads; q += QUAD_STEP) {
        vec4 x = mix(vec4(LOWEST), logits[at + q], real_channels(q, classes));
        top = max(top, max(max(x.x, x.y), max(x.z, x.w)));
    }
    top = row_max(top);

    float sum = 0.0, spread = 0.0; // every term of sum is at most 1 and one is 1: it is in [1, classes]
    for (uint q = first_quad; q < quads; q += QUAD_STEP) {
        vec4 below = mix(vec4(0.0), logits[at + q] - top, real_channels(q, classes));
        sum += dot(mix(vec4(0.0), exp(below), real_channels(q, classes)), vec4(1.0));
        if (smoothing > 0.0) spread -= dot(weights(q), below);
    }
    sum = row_sum(sum);
    float log_sum = sum < 2.0 ? log1p_unit(sum - 1.0) : log(sum);

    float smooth_loss = 0.0;
    if (smoothing > 0.0) {
        float total = 0.0;
        for (uint q = first_quad; q < quads; q += QUAD_STEP) total += dot(weights(q), vec4(1.0));
        smooth_loss = row_sum(total) * log_sum + row_sum(spread);
    }
    if (first_quad != 0) return;
    lse[n] = vec2(top, log_sum);
    uint l = uint(label[n]);
    float result = 0.0;
    if (l < classes) {
        float x = logits[at + l / 4][l % 4];
        result = (1.0 - smoothing) * weight_of(l) * (log_sum + (top - x));
        result += smoothing / float(classes) * smooth_loss;
    }
    loss[n] = result;
}

void backward(uint n, uint at, uint quads)
{
    float total = 0.0;
    if (smoothing > 0.0) {
        for (uint q = first_quad; q < quads; q += QUAD_STEP) total += dot(weights(q), vec4(1.0));
        total = row_sum(total);
    }
    uint l = uint(label[n]);
    float d = l < classes ? dloss[n] : 0.0;
    float hard = l < classes ? (1.0 - smoothing) * weight_of(l) : 0.0, soft = smoothing / float(classes);
    vec2 kept = lse[n];
    for (uint q = first_quad; q < quads; q += QUAD_STEP) {
        vec4 p = exp((logits[at + q] - kept.x) - kept.y);
        vec4 is_label = vec4(equal(uvec4(4 * q) + uvec4(0, 1, 2, 3), uvec4(l)));
        vec4 g = hard * (p - is_label);
        if (smoothing > 0.0) g += soft * (total * p - weights(q));
        g = d == 0.0 ? vec4(0.0) : d * g; // whatever the logits of a row that does not count are
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

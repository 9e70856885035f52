#version 460
#include "kernel.glsl"
#include "row.glsl"

// Cross-entropy of softmax(logits) against shares of classes, in nats, with PyTorch's class weights and label
// smoothing s.
//   c[k] = weight[k] ((1 - s) target[n,k] + s / K),  C = sum_k c[k]
//   top = max_k logits[n,k], log_sum = log sum_k exp(logits[n,k] - top)
//   forward   loss[n] = sum_k c[k] (log_sum + top - logits[n,k])
//   backward  dlogits[n,k] (+)= dloss[n] (C exp(logits[n,k] - top - log_sum) - c[k])
// Where dloss[n] is 0 the gradient is exactly 0.
layout(binding = 0) readonly buffer B0 { vec4 logits[]; };  // [rows, quads]
layout(binding = 1)          buffer B1 { vec4 dlogits[]; }; // [rows, quads]
layout(binding = 2) readonly buffer B2 { vec4 target[]; };  // [rows, quads]
layout(binding = 3) readonly buffer B3 { float weight[]; }; // [classes]; none unless weighted
layout(binding = 4)          buffer B4 { vec2 lse[]; };     // [rows] top and log_sum
layout(binding = 5)          buffer B5 { float loss[]; };   // [rows]
layout(binding = 6) readonly buffer B6 { float dloss[]; };  // [rows]
layout(push_constant) uniform Args { uint rows, classes, weighted, add_dlogits; float smoothing; };

// What four classes count, 0 for those that do not exist.
vec4 counts(uint at, uint q)
{
    bvec4 is_real = real_channels(q, classes);
    vec4 c = (1.0 - smoothing) * target[at + q] + smoothing / float(classes);
    if (weighted != 0)
        for (uint i = 0; i < 4; i++)
            if (is_real[i]) c[i] *= weight[4 * q + i];
    return mix(vec4(0.0), c, is_real);
}

void forward(uint n, uint at, uint quads)
{
    float top = LOWEST;
    for (uint q = first_quad; q < quads; q += QUAD_STEP) {
        vec4 x = mix(vec4(LOWEST), logits[at + q], real_channels(q, classes));
        top = max(top, max(max(x.x, x.y), max(x.z, x.w)));
    }
    top = row_max(top);
    float sum = 0.0, spread = 0.0, total = 0.0; // as in softmax_loss.comp: sum is in [1, classes]
    for (uint q = first_quad; q < quads; q += QUAD_STEP) {
        bvec4 is_real = real_channels(q, classes);
        vec4 below = mix(vec4(0.0), logits[at + q] - top, is_real), c = counts(at, q);
        sum += dot(mix(vec4(0.0), exp(below), is_real), vec4(1.0));
        spread -= dot(c, below);
        total += dot(c, vec4(1.0));
    }
    sum = row_sum(sum);
    spread = row_sum(spread);
    total = row_sum(total);
    if (first_quad != 0) return;
    float log_sum = sum < 2.0 ? log1p_unit(sum - 1.0) : log(sum);
    lse[n] = vec2(top, log_sum);
    loss[n] = total * log_sum + spread;
}

void backward(uint n, uint at, uint quads)
{
    float total = 0.0, d = dloss[n];
    for (uint q = first_quad; q < quads; q += QUAD_STEP) total += dot(counts(at, q), vec4(1.0));
    total = row_sum(total);
    vec2 kept = lse[n];
    for (uint q = first_quad; q < quads; q += QUAD_STEP) {
        vec4 g = total * exp((logits[at + q] - kept.x) - kept.y) - counts(at, q);
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

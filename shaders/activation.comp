#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// Element-wise functions of one input, four channels to an invocation.
//   forward   y[i]   = f(x[i])
//   backward  dx[i] (+)= dy[i] * f'(x[i]);  relu takes y in the place of x: both are positive together
// A NaN passes through all of them, so that a loss shows it.
READS(0, x);   // [images, image_quads]
WRITES(1, y);  // [images, image_quads]
WRITES(2, dx); // [images, image_quads]
READS(3, dy);  // [images, image_quads]
layout(push_constant) uniform Args {
    uint images, image_quads, kind, add_dx;
    float slope;
#if PASS == BACKWARD
    PLACES_1(dx)
#else
    PLACES_1(y)
#endif
};
#include "lane_stores.glsl"
STORES(1, y)
STORES(2, dx)

#ifndef KIND
#define KIND kind // a define folds the choice: lavapipe runs every branch it cannot fold
#endif
#ifndef ADD_DX
#define ADD_DX add_dx
#endif
// The same numbers as in src/ops/activation.c and src/cpu/activation.c.
const uint RELU = 0, LEAKY_RELU = 1, GELU = 2, GELU_TANH = 3, SILU = 4;

// P(Z <= t) of a standard normal Z, given density = exp(-t^2 / 2). For t < 0 it is density * r(-t), where r
// is half of erfcx(t / sqrt(2)): smooth and slow, a polynomial in u = 1 / (1 + 0.3 t), interpolated at the
// Chebyshev nodes of u for t in [0, 14.5] with 4.4e-9 relative error. As evaluated in f32 the result is
// within 1.4e-7.
vec4 normal_cdf(vec4 t, vec4 density)
{
    vec4 u = 1.0 / (1.0 + 0.3 * abs(t));
    vec4 r = vec4(-0.0209560243);
    r = r * u + 0.114257453;
    r = r * u - 0.232524408;
    r = r * u + 0.197550586;
    r = r * u - 0.0842134826;
    r = r * u + 0.0987113829;
    r = r * u + 0.0775179009;
    r = r * u + 0.110418411;
    r = r * u + 0.119550431;
    r = r * u + 0.119687748;
    vec4 tail = density * (r * u);
    return mix(1.0 - tail, tail, lessThan(t, vec4(0.0)));
}

// p = sigmoid(t) and q = p (1 - p), its derivative, both without cancellation or overflow.
void sigmoid(vec4 t, out vec4 p, out vec4 q)
{
    vec4 e = exp(-abs(t)), r = 1.0 / (1.0 + e);
    p = mix(r, e * r, lessThan(t, vec4(0.0)));
    q = e * r * r;
}

// gelu's tanh form is x sigmoid(2 s), s = sqrt(2 / pi) (x + 0.044715 x^3), as tanh(s) = 2 sigmoid(2 s) - 1.
const float TANH_A = 1.5957691216057308;    // 2 sqrt(2 / pi)
const float TANH_B = 0.07135481282553525;   // 0.044715 times it
const float DENSITY_0 = 0.3989422804014327; // 1 / sqrt(2 pi)

vec4 f(vec4 t)
{
    if (KIND == RELU) return mix(t, vec4(0.0), lessThanEqual(t, vec4(0.0)));
    if (KIND == LEAKY_RELU) return mix(t, slope * t, lessThanEqual(t, vec4(0.0)));
    if (KIND == GELU) return t * normal_cdf(t, exp(-0.5 * t * t));
    // t sigmoid(s), which is 0 where exp() overflows
    vec4 s = KIND == GELU_TANH ? t * (TANH_A + TANH_B * t * t) : t;
    return t / (1.0 + exp(-s));
}

// d * f'(t)
vec4 gradient(vec4 t, vec4 d)
{
    vec4 p, q;
    if (KIND == RELU) return mix(d, vec4(0.0), lessThanEqual(t, vec4(0.0)));
    if (KIND == LEAKY_RELU) return mix(d, slope * d, lessThanEqual(t, vec4(0.0)));
    if (KIND == GELU) {
        vec4 density = exp(-0.5 * t * t);
        return d * (normal_cdf(t, density) + t * (DENSITY_0 * density));
    }
    if (KIND == GELU_TANH) {
        t = clamp(t, -64.0, 64.0); // beyond, q is 0 and must not meet an infinity
        sigmoid(t * (TANH_A + TANH_B * t * t), p, q);
        return d * (p + t * (TANH_A + 3.0 * TANH_B * t * t) * q);
    }
    sigmoid(t, p, q);
    return d * (p + t * q);
}

vec4 backward(uint i)
{
    vec4 g = gradient(AT(x, i), AT(dy, i));
    if (ADD_DX != 0) g += GET(dx, i);
    return g;
}

void main()
{
#ifdef LANE_STORES // no workgroup too many
    uint first = strip_from(), to = strip_to();
    vec4 value[EACH];
#if PASS == BACKWARD
    [[unroll]] for (uint k = 0; k < EACH; k++) value[k] = backward(first + k * STEP);
    [[unroll]] for (uint k = 0; k < EACH; k++) STORE(dx, to + k * STEP, value[k])
    ALIGN_SPILLS(dx, value[0])
#else
    [[unroll]] for (uint k = 0; k < EACH; k++) value[k] = f(AT(x, first + k * STEP));
    [[unroll]] for (uint k = 0; k < EACH; k++) STORE(y, to + k * STEP, value[k])
    ALIGN_SPILLS(y, value[0])
#endif
#else
    uint i = flat_index();
    if (i >= images * image_quads) return;
    if (PASS == FORWARD) {
        PUT(y, i, f(AT(x, i)));
    } else {
        PUT(dx, i, backward(i));
    }
#endif
}

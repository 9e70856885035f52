#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// Maximum over windows of an image, four channels to an invocation.
//   forward   at[o] = the first tap p of window o, in row-major order, with the largest x[p]; a NaN is larger
//             than any number, and the last NaN wins, as in PyTorch;  y[o] = x[at[o]]
//   evaluate  the same without at; at[o] is kept as the float whose bits are AT_FIRST + p
//   backward  dx[p] (+)= sum over the windows o that reach over p, in row-major order, of dy[o] [at[o] == p]
READS(0, x);                                    // [images, h, w, quads]
WRITES(1, y);                                   // [images, out_h, out_w, quads]
#if PASS == BACKWARD
READS(2, at); // [images, out_h, out_w, quads] pixels of the image, as bits of floats that are normal numbers
#else
WRITES(2, at);
#endif
WRITES(3, dx);                                  // [images, h, w, quads]
READS(4, dy);                                   // [images, out_h, out_w, quads]
layout(push_constant) uniform Args {
    uint images, h, w, quads, out_h, out_w;
    uint kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    uint adaptive, add_dx;
};
#include "pool.glsl"

#ifndef ADD_DX
#define ADD_DX add_dx
#endif

const uint AT_FIRST = 0x3f800000u;

#ifdef KERNEL_H
#if PASS == BACKWARD
void backward(uint i)
{
    Place p = place(i, h, w);
    int down = int(p.r + pad_h), across = int(p.s + pad_w), image = int(p.n * out_h);
    uvec4 here = uvec4(AT_FIRST + p.r * w + p.s);
    vec4 sum = vec4(0.0);
    [[unroll]] for (int a = 1; a <= WINDOWS_H; a++)
        [[unroll]] for (int b = 1; b <= WINDOWS_W; b++) {
            int oh = down / STRIDE_H - WINDOWS_H + a, ow = across / STRIDE_W - WINDOWS_W + b;
            bool inside = all(bvec2(reaches(oh, int(out_h), STRIDE_H, KERNEL_H, down),
                                    reaches(ow, int(out_w), STRIDE_W, KERNEL_W, across)));
            int o = mix(0, ((image + oh) * int(out_w) + ow) * QUADS + int(p.q), inside);
            bvec4 found = equal(floatBitsToUint(AT(at, o)), here);
            sum += mix(mix(vec4(0.0), AT(dy, o), found), vec4(0.0), bvec4(!inside));
        }
    if (ADD_DX != 0) sum += GET(dx, i);
    PUT(dx, i, sum);
}
#else
void forward(uint i)
{
    Place o = place(i, out_h, out_w);
    int top = int(o.r) * STRIDE_H - int(pad_h), left = int(o.s) * STRIDE_W - int(pad_w);
    int image = int(o.n * h * w);
    vec4 best = uintBitsToFloat(uvec4(0xff800000u)); // minus infinity
    uvec4 best_at = uvec4(max(top, 0) * int(w) + max(left, 0));
    [[unroll]] for (int a = 0; a < KERNEL_H; a++)
        [[unroll]] for (int b = 0; b < KERNEL_W; b++) {
            bool inside = all(lessThan(uvec2(top + a, left + b), uvec2(h, w)));
            int p = (top + a) * int(w) + left + b;
            vec4 v = AT(x, mix(0, (image + p) * QUADS + int(o.q), inside));
            bvec4 take = mix(greaterThan(v, best), bvec4(true), isnan(v));
            take = mix(bvec4(false), take, bvec4(inside));
            best = mix(best, v, take);
            best_at = mix(best_at, uvec4(p), take);
        }
    PUT(y, i, best);
    if (PASS == FORWARD) at[i] = uintBitsToFloat(AT_FIRST + best_at);
}
#endif
#elif PASS == BACKWARD
void backward(uint i)
{
    Place p = place(i, h, w);
    ivec2 rows = outputs(p.r, h, out_h, kernel_h, STRIDE_H, pad_h, DILATION_H);
    ivec2 columns = outputs(p.s, w, out_w, kernel_w, STRIDE_W, pad_w, DILATION_W);
    uvec4 here = uvec4(AT_FIRST + p.r * w + p.s);

    vec4 sum = vec4(0.0);
    for (int oh = rows.x; oh <= rows.y; oh++)
        for (int ow = columns.x; ow <= columns.y; ow++) {
            uint o = ((p.n * out_h + uint(oh)) * out_w + uint(ow)) * quads + p.q;
            sum += mix(vec4(0.0), AT(dy, o), equal(floatBitsToUint(AT(at, o)), here));
        }
    if (ADD_DX != 0) sum += GET(dx, i);
    PUT(dx, i, sum);
}
#else
void forward(uint i)
{
    Place o = place(i, out_h, out_w);
    Window rows = window(o.r, h, out_h, kernel_h, STRIDE_H, pad_h, DILATION_H);
    Window columns = window(o.s, w, out_w, kernel_w, STRIDE_W, pad_w, DILATION_W);
    uint image = o.n * h * w * quads + o.q;

    vec4 best = uintBitsToFloat(uvec4(0xff800000u)); // minus infinity
    uvec4 best_at = uvec4(rows.first * w + columns.first);
    for (uint r = rows.first; r < rows.end; r += DILATION_H)
        for (uint s = columns.first; s < columns.end; s += DILATION_W) {
            vec4 v = AT(x, image + (r * w + s) * quads);
            bvec4 take = mix(greaterThan(v, best), bvec4(true), isnan(v));
            best = mix(best, v, take);
            best_at = mix(best_at, uvec4(r * w + s), take);
        }
    PUT(y, i, best);
    if (PASS == FORWARD) at[i] = uintBitsToFloat(AT_FIRST + best_at);
}
#endif

void main()
{
    uint i = flat_index();
#if PASS == BACKWARD
    if (i < images * h * w * quads) backward(i);
#else
    if (i < images * out_h * out_w * quads) forward(i);
#endif
}

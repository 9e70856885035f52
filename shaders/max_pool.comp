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
#if PASS == BACKWARD
    PLACES_1(dx)
#else
    PLACES_2(y, at)
#endif
};
#include "pool.glsl"
#if PASS == BACKWARD
STORES(3, dx)
#else
STORES(1, y)
STORES(2, at)
#endif

#ifndef ADD_DX
#define ADD_DX add_dx
#endif

const uint AT_FIRST = 0x3f800000u;

#ifdef KERNEL_H
#if PASS == BACKWARD
void backward(uint i, uint to)
{
    Place p = place(i, h, w), same_p = place(to, h, w); // of blocks
    uint first = p.r * BLOCK_H * w + p.s * BLOCK_W;
    vec4 sum[BLOCK_H][BLOCK_W];
    [[unroll]] for (int a = 0; a < BLOCK_H; a++)
        [[unroll]] for (int b = 0; b < BLOCK_W; b++) sum[a][b] = vec4(0.0);
    [[unroll]] for (int u = FIRST_H; u <= LAST_H; u++)
        [[unroll]] for (int v = FIRST_W; v <= LAST_W; v++) {
            int oh = WINDOW_H(p.r, u), ow = WINDOW_W(p.s, v);
            bool inside = all(lessThan(uvec2(oh, ow), uvec2(out_h, out_w)));
            int o = mix(0, ((int(p.n * out_h) + oh) * int(out_w) + ow) * QUADS + int(p.q), inside);
            uvec4 found = mix(uvec4(0), floatBitsToUint(AT(at, o)), bvec4(inside));
            vec4 d = AT(dy, o);
            [[unroll]] for (int a = 0; a < BLOCK_H; a++)
                [[unroll]] for (int b = 0; b < BLOCK_W; b++)
                    if (REACHES(u, v, a, b))
                        sum[a][b] += mix(vec4(0.0), d, equal(found, uvec4(AT_FIRST + first + a * w + b)));
        }
    [[unroll]] for (int a = 0; a < BLOCK_H; a++)
        [[unroll]] for (int b = 0; b < BLOCK_W; b++)
            if (EXISTS(p, a, b)) {
                if (ADD_DX != 0) sum[a][b] += GET(dx, pixel_of(p, a, b));
                STORE(dx, pixel_of(same_p, a, b), sum[a][b])
            }
    ALIGN_SPILLS(dx, sum[0][0])
}
#else
// (best, best_at) and what comes behind it, (v, at)
void follow(inout vec4 best, inout uvec4 best_at, vec4 v, uvec4 at)
{
    bvec4 take = mix(greaterThan(v, best), bvec4(true), isnan(v));
    best = mix(best, v, take);
    best_at = mix(best_at, at, take);
}

// Where a window hangs over an edge it meets the pixel at the edge once more, which changes nothing: the
// first of equals is found, and of NaNs the last.
int inside(int tap, int last) { return WHOLE == 1 ? tap : clamp(tap, 0, last); }

void forward(uint i, uint to)
{
    Place o = place(i, out_h, out_w), same_o = place(to, out_h, out_w); // of strips
    ivec2 start = window_first(o), end = ivec2(window_end(o)) - 1;
    int image = int(o.n * h * w * QUADS + o.q), column[KERNEL_W];
    [[unroll]] for (int b = 0; b < KERNEL_W; b++) column[b] = inside(start.y + b, end.y);
    vec4 best[STRIP];
    uvec4 best_at[STRIP];
    [[unroll]] for (int a = 0; a < (STRIP - 1) * STRIDE_H + KERNEL_H; a++) {
        if (STRIDE_H > KERNEL_H && a % STRIDE_H >= KERNEL_H) continue; // between windows
        int line = inside(start.x + a, end.x) * int(w);
        vec4 tap[KERNEL_W];
        [[unroll]] for (int b = 0; b < KERNEL_W; b++) tap[b] = AT(x, image + (line + column[b]) * QUADS);
        vec4 row = tap[0];
        uvec4 row_at = uvec4(line + column[0]);
        [[unroll]] for (int b = 1; b < KERNEL_W; b++) follow(row, row_at, tap[b], uvec4(line + column[b]));
        [[unroll]] for (int k = 0; k < STRIP; k++) {
            if (a == k * STRIDE_H) {
                best[k] = row;
                best_at[k] = row_at;
            } else if (a > k * STRIDE_H && a < k * STRIDE_H + KERNEL_H) {
                follow(best[k], best_at[k], row, row_at);
            }
        }
    }
    uint first = strip_at(same_o, to);
    [[unroll]] for (int k = 0; k < STRIP; k++) {
        STORE(y, first + k * out_w * QUADS, best[k])
        if (PASS == FORWARD) STORE(at, first + k * out_w * QUADS, uintBitsToFloat(AT_FIRST + best_at[k]))
    }
    ALIGN_SPILLS(y, best[0])
}
#endif
#elif PASS == BACKWARD
void backward(uint i, uint to)
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
void forward(uint i, uint to)
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
#if PASS == BACKWARD
    EACH_PLACE(backward)
#else
    EACH_PLACE(forward)
#endif
}

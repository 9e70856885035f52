#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// Mean over windows of an image, four channels to an invocation.
//   forward   y[o] = 1 / size[o] * sum over the taps p of window o of x[p], rows first, then over rows
//   backward  dx[p] (+)= sum over the windows o that hold p, in row-major order, of dy[o] / size[o]
// size[o] counts the taps inside the input, and with count_pads those in the padding too.
READS(0, x);   // [images, h, w, quads]
WRITES(1, y);  // [images, out_h, out_w, quads]
WRITES(2, dx); // [images, h, w, quads]
READS(3, dy);  // [images, out_h, out_w, quads]
layout(push_constant) uniform Args {
    uint images, h, w, quads, out_h, out_w;
    uint kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
    uint adaptive, count_pads, add_dx;
#if PASS == BACKWARD
    PLACES_1(dx)
#else
    PLACES_1(y)
#endif
};
#include "pool.glsl"
#if PASS == BACKWARD
STORES(2, dx)
#else
STORES(1, y)
#endif

#ifndef ADD_DX
#define ADD_DX add_dx
#endif

float size_of(Window rows, Window columns)
{
    if (count_pads != 0) return float(rows.full * columns.full);
    return float((rows.end - rows.first) * (columns.end - columns.first));
}

#ifdef KERNEL_H
// The taps of window o along an axis that count.
float taps_of(int o, uvec2 sizes, int stride, int kernel, int pad) // sizes: of the input and the output
{
    if (WHOLE != 0) return float(kernel);
    if (ADAPTIVE != 0) return float(((o + 1) * sizes.x + sizes.y - 1) / sizes.y - o * sizes.x / sizes.y);
    int start = o * stride - pad, size = int(sizes.x);
    if (count_pads != 0) return float(min(start + kernel, size + pad) - start);
    return float(min(start + kernel, size) - max(start, 0));
}
#define TAPS_H(o) taps_of(o, uvec2(h, out_h), STRIDE_H, KERNEL_H, int(pad_h))
#define TAPS_W(o) taps_of(o, uvec2(w, out_w), STRIDE_W, KERNEL_W, int(pad_w))

#if PASS == BACKWARD
void backward(uint i, uint to)
{
    Place p = place(i, h, w), same_p = place(to, h, w); // of blocks
    vec4 sum[BLOCK_H][BLOCK_W];
    [[unroll]] for (int a = 0; a < BLOCK_H; a++)
        [[unroll]] for (int b = 0; b < BLOCK_W; b++) sum[a][b] = vec4(0.0);
    [[unroll]] for (int u = FIRST_H; u <= LAST_H; u++)
        [[unroll]] for (int v = FIRST_W; v <= LAST_W; v++) {
            int oh = WINDOW_H(p.r, u), ow = WINDOW_W(p.s, v);
            bool inside = all(lessThan(uvec2(oh, ow), uvec2(out_h, out_w)));
            int o = mix(0, ((int(p.n * out_h) + oh) * int(out_w) + ow) * QUADS + int(p.q), inside);
            vec4 d = mix(vec4(0.0), AT(dy, o) * (1.0 / (TAPS_H(oh) * TAPS_W(ow))), bvec4(inside));
            [[unroll]] for (int a = 0; a < BLOCK_H; a++)
                [[unroll]] for (int b = 0; b < BLOCK_W; b++)
                    if (REACHES(u, v, a, b)) sum[a][b] += d;
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
void forward(uint i, uint to)
{
    Place o = place(i, out_h, out_w), same_o = place(to, out_h, out_w); // of strips
    ivec2 start = window_first(o);
    uvec2 size = window_end(o);
    int image = int(o.n * h), column[KERNEL_W];
    bvec4 across[KERNEL_W];
    [[unroll]] for (int b = 0; b < KERNEL_W; b++) {
        bool inside = WHOLE == 1 || uint(start.y + b) < size.y;
        column[b] = mix(0, start.y + b, inside);
        across[b] = bvec4(inside);
    }
    vec4 sum[STRIP];
    [[unroll]] for (int k = 0; k < STRIP; k++) sum[k] = vec4(0.0);
    [[unroll]] for (int a = 0; a < (STRIP - 1) * STRIDE_H + KERNEL_H; a++) {
        if (STRIDE_H > KERNEL_H && a % STRIDE_H >= KERNEL_H) continue; // between windows
        bool inside = WHOLE == 1 || uint(start.x + a) < size.x;
        int line = (image + mix(0, start.x + a, inside)) * int(w);
        vec4 row = vec4(0.0); // two short sums round less than a long one
        [[unroll]] for (int b = 0; b < KERNEL_W; b++)
            row += mix(vec4(0.0), AT(x, (line + column[b]) * QUADS + int(o.q)), across[b]);
        row = mix(vec4(0.0), row, bvec4(inside));
        [[unroll]] for (int k = 0; k < STRIP; k++)
            if (a >= k * STRIDE_H && a < k * STRIDE_H + KERNEL_H) sum[k] += row;
    }
    uint first = strip_at(same_o, to);
    [[unroll]] for (int k = 0; k < STRIP; k++) {
        sum[k] *= 1.0 / (TAPS_H(int(o.r * STRIP + k)) * TAPS_W(int(o.s)));
        STORE(y, first + k * out_w * QUADS, sum[k])
    }
    ALIGN_SPILLS(y, sum[0])
}
#endif
#elif PASS == BACKWARD
void backward(uint i, uint to)
{
    Place p = place(i, h, w);
    ivec2 rows = outputs(p.r, h, out_h, kernel_h, STRIDE_H, pad_h, 1);
    ivec2 columns = outputs(p.s, w, out_w, kernel_w, STRIDE_W, pad_w, 1);

    vec4 sum = vec4(0.0);
    for (int oh = rows.x; oh <= rows.y; oh++) {
        Window down = window(uint(oh), h, out_h, kernel_h, STRIDE_H, pad_h, 1);
        for (int ow = columns.x; ow <= columns.y; ow++) {
            Window across = window(uint(ow), w, out_w, kernel_w, STRIDE_W, pad_w, 1);
            uint o = ((p.n * out_h + uint(oh)) * out_w + uint(ow)) * quads + p.q;
            sum += AT(dy, o) / size_of(down, across);
        }
    }
    if (ADD_DX != 0) sum += GET(dx, i);
    PUT(dx, i, sum);
}
#else
void forward(uint i, uint to)
{
    Place o = place(i, out_h, out_w);
    Window rows = window(o.r, h, out_h, kernel_h, STRIDE_H, pad_h, 1);
    Window columns = window(o.s, w, out_w, kernel_w, STRIDE_W, pad_w, 1);
    uint image = o.n * h * w * quads + o.q;

    vec4 sum = vec4(0.0);
    for (uint r = rows.first; r < rows.end; r++) {
        vec4 row = vec4(0.0); // two short sums round less than a long one: a global pool may be large
        for (uint s = columns.first; s < columns.end; s++) row += AT(x, image + (r * w + s) * quads);
        sum += row;
    }
    PUT(y, i, sum / size_of(rows, columns));
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

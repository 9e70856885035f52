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
};
#include "pool.glsl"

#ifndef ADD_DX
#define ADD_DX add_dx
#endif

float size_of(Window rows, Window columns)
{
    if (count_pads != 0) return float(rows.full * columns.full);
    return float((rows.end - rows.first) * (columns.end - columns.first));
}

void forward(uint i)
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

void backward(uint i)
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

void main()
{
    uint i = flat_index();
    if (PASS == BACKWARD) {
        if (i < images * h * w * quads) backward(i);
    } else {
        if (i < images * out_h * out_w * quads) forward(i);
    }
}

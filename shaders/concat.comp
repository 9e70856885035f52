#version 460
#include "kernel.glsl"
#include "tensor.glsl"

// One input's part of a concatenation along channels, four of its channels to an invocation. The output's
// channels are dense: an input of 3 channels is followed by the next at channel 3.
//   forward   y[p, offset + c]  = x[p, c]
//   backward  dx[p, c]       (+)= dy[p, offset + c]     c < channels, for each pixel p
READS(0, x);   // [images, pixels, quads]
WRITES(1, y);  // [images, pixels, out_quads]
WRITES(2, dx); // [images, pixels, quads]
READS(3, dy);  // [images, pixels, out_quads]
layout(push_constant) uniform Args { uint images, pixels, channels, quads, out_quads, offset, add_dx; };

// ALIGNED: the offset is a multiple of 4, and so are the channels, or nothing follows them: whole quads move.
#ifndef ALIGNED
#define ALIGNED 0
#endif
#ifndef ADD_DX
#define ADD_DX add_dx
#endif

#if (HALF & 2) != 0
// Two floats of y share a word, so an invocation writes one quad of y, which may belong to two inputs.
void merge(uint i)
{
    uint first = offset / 4, n = (offset + channels + 3) / 4 - first, pixel = i / n;
    uint q = first + i - pixel * n;
    if (pixel >= images * pixels) return;
    vec4 v = GET(y, pixel * out_quads + q);
    [[unroll]] for (uint j = 0; j < 4; j++) {
        uint c = 4 * q + j - offset;
        if (c < channels) v[j] = AT(x, pixel * quads + c / 4)[c % 4];
    }
    PUT(y, pixel * out_quads + q, v);
}
#endif

void main()
{
    uint i = flat_index();
#if (HALF & 2) != 0
    if (PASS == FORWARD && ALIGNED == 0) {
        merge(i);
        return;
    }
#endif
    if (i >= images * pixels * quads) return;
    uint pixel = i / quads, c = (i - pixel * quads) * 4, to = pixel * out_quads * 4 + offset + c;
    if (PASS == FORWARD) {
        vec4 v = AT(x, i);
        if (ALIGNED != 0) {
            PUT(y, to / 4, v);
        } else { // each output channel is written once: a quad of y may belong to two inputs
#if (HALF & 2) == 0
            [[unroll]] for (uint j = 0; j < 4; j++)
                if (c + j < channels) y[(to + j) / 4][(to + j) % 4] = v[j];
#endif
        }
        return;
    }
    vec4 d = vec4(0.0);
    if (ALIGNED != 0) {
        d = AT(dy, to / 4);
    } else {
        [[unroll]] for (uint j = 0; j < 4; j++)
            if (c + j < channels) d[j] = AT(dy, (to + j) / 4)[(to + j) % 4];
    }
    if (ADD_DX != 0) d += GET(dx, i);
    PUT(dx, i, d);
}

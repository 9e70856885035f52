#version 460
#include "kernel.glsl"

// One input's part of a concatenation along channels, four of its channels to an invocation. The output's
// channels are dense: an input of 3 channels is followed by the next at channel 3.
//   forward   y[p, offset + c]  = x[p, c]
//   backward  dx[p, c]       (+)= dy[p, offset + c]     c < channels, for each pixel p
layout(binding = 0) readonly buffer B0 { vec4 x[]; };  // [images, pixels, quads]
layout(binding = 1)          buffer B1 { vec4 y[]; };  // [images, pixels, out_quads]
layout(binding = 2)          buffer B2 { vec4 dx[]; }; // [images, pixels, quads]
layout(binding = 3) readonly buffer B3 { vec4 dy[]; }; // [images, pixels, out_quads]
layout(push_constant) uniform Args { uint images, pixels, channels, quads, out_quads, offset, add_dx; };

// ALIGNED: the offset is a multiple of 4, and so are the channels, or nothing follows them: whole quads move.
#ifndef ALIGNED
#define ALIGNED 0
#endif
#ifndef ADD_DX
#define ADD_DX add_dx
#endif

void main()
{
    uint i = flat_index();
    if (i >= images * pixels * quads) return;
    uint pixel = i / quads, c = (i - pixel * quads) * 4, to = pixel * out_quads * 4 + offset + c;
    if (PASS == FORWARD) {
        vec4 v = x[i];
        if (ALIGNED != 0) {
            y[to / 4] = v;
        } else { // each output channel is written once: a quad of y may belong to two inputs
            [[unroll]] for (uint j = 0; j < 4; j++)
                if (c + j < channels) y[(to + j) / 4][(to + j) % 4] = v[j];
        }
        return;
    }
    vec4 d = vec4(0.0);
    if (ALIGNED != 0) {
        d = dy[to / 4];
    } else {
        [[unroll]] for (uint j = 0; j < 4; j++)
            if (c + j < channels) d[j] = dy[(to + j) / 4][(to + j) % 4];
    }
    if (ADD_DX != 0) d += dx[i];
    dx[i] = d;
}

#version 460
#include "kernel.glsl"
#include "tensor.glsl"
#include "rate.glsl"

// What tensors of 16 bits add to a step, four floats to an invocation.
//   FORWARD  to[i] = from[i]: parameters, rounded to the 16 bits of their copies
//   scaled   to[i] = from[i] times the loss scale: how much each sample's loss counts, before BACKWARD
READS(0, from);                                           // [quads]
layout(binding = 1) readonly buffer B1 { uint state[]; }; // strata_state; none unless scaled
WRITES(2, to);                                            // [quads]
layout(push_constant) uniform Args { uint quads, scaled; };

void main()
{
    uint i = flat_index();
    if (i >= quads) return;
    vec4 v = AT(from, i);
    if (scaled != 0) v *= loss_scale(state[4]);
    PUT(to, i, v);
}

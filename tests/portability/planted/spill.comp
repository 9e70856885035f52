#version 460
#include "kernel.glsl"

// A kernel that no GPU keeps in registers: every invocation has an array and indexes it with what it read.
// tests/portability/gpus.py must refuse it.
layout(binding = 0) buffer B0 { float x[]; }; // [512]
layout(push_constant) uniform Args { uint n; };

void main()
{
    float held[512];
    for (uint i = 0; i < 512; i++) held[i] = x[i];
    for (uint i = 0; i < n; i++) held[uint(x[i]) % 512] += held[uint(x[i + lane]) % 512];
    float sum = 0.0;
    for (uint i = 0; i < 512; i++) sum += held[i];
    x[flat_index()] = sum;
}

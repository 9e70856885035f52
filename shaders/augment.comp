#version 460
#include "kernel.glsl"
#include "tensor.glsl"
#include "augment.glsl"

// From stored bytes to what the network sees.
//   forward   y[n,i,j,k] = (p[k] - centre[k]) factor[k], p being the stored image at the place that the
//   record
//             of image n says for (i, j), the background outside of it
//   evaluate  the same, in the middle of the stored image
// Channels that do not exist are 0.
layout(binding = 0) readonly buffer B0 { uint words[]; };   // [images, image_words] bytes, see core/sample.h
layout(binding = 1) readonly buffer B1 { uvec4 record[]; }; // [images, RECORD_QUADS]; none to evaluate
WRITES(2, y);                                               // [images, out_h, out_w]
layout(push_constant) uniform Args
{
    uint images, image_words, h, w, out_h, out_w, channels, background;
    float centre0, centre1, centre2, centre3, factor0, factor1, factor2, factor3;
};

#ifndef CHANNELS
#define CHANNELS channels
#endif

vec4 bytes(uint word) { return vec4((uvec4(word) >> uvec4(0, 8, 16, 24)) & 255u); }

// The stored pixel at (x, y), or the background.
vec4 stored(uint n, int x, int y)
{
    if (x < 0 || x >= int(w) || y < 0 || y >= int(h)) return bytes(background);
    uint i = uint(y) * w + uint(x);
    if (CHANNELS == 1) return vec4(bytes(words[n * image_words + i / 4])[i % 4]);
    return bytes(words[n * image_words + i]);
}

void main()
{
    uint at = flat_index(), pixels = out_h * out_w;
    if (at >= images * pixels) return;
    uint n = at / pixels, i = (at - n * pixels) / out_w, j = at % out_w;
    ivec2 from = ivec2(j, i) + (ivec2(w, h) - ivec2(out_w, out_h)) / 2;
    if (PASS != EVALUATE) {
        vec4 a = uintBitsToFloat(record[n * RECORD_QUADS]), b = uintBitsToFloat(record[n * RECORD_QUADS + 1]);
        precise float u = a.x * float(j) + a.y * float(i) + a.z, v = b.x * float(j) + b.y * float(i) + b.z;
        from = ivec2(u, v);
    }
    vec4 p = stored(n, from.x, from.y);
    p = (p - vec4(centre0, centre1, centre2, centre3)) * vec4(factor0, factor1, factor2, factor3);
    PUT(y, at, mix(vec4(0.0), p, lessThan(uvec4(0, 1, 2, 3), uvec4(CHANNELS))));
}

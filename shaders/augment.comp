#version 460
#include "kernel.glsl"
#include "tensor.glsl"
#include "exact.glsl"
#include "augment.glsl"

// From stored bytes to what the network sees.
//   forward   y[n,i,j,k] = (p[k] - centre[k]) factor[k], p being the stored image at the place that the
//   record of
//             image n says for (i, j), bilinear between pixels, its colours changed; 0 where it is erased
//             With MIXED so much of another image as its record says: y (1 - share) + share other, in a box
//   evaluate  the same, in the middle of the stored image, whole pixels and nothing changed
// Outside of the stored image lies what BORDER says. Channels that do not exist are 0.
layout(binding = 0) readonly buffer B0 { uint words[]; };   // [images, image_words] bytes, see core/sample.h
layout(binding = 1) readonly buffer B1 { uvec4 record[]; }; // [images, RECORD_QUADS]; none to evaluate
WRITES(2, y);                                               // [images, out_h, out_w]
// The same of the others; none unless mixed.
layout(binding = 3) readonly buffer B3 { uint other_words[]; };
layout(binding = 4) readonly buffer B4 { uvec4 other_record[]; };
layout(push_constant) uniform Args
{
    uint images, image_words, h, w, out_h, out_w, channels, border, background, mixed;
    float scale, centre0, centre1, centre2, centre3, factor0, factor1, factor2, factor3;
};

#ifndef CHANNELS
#define CHANNELS channels
#endif
#ifndef BORDER
#define BORDER border
#endif

#ifndef MIXED
#define MIXED mixed
#endif

const uint COLOUR_OUTSIDE = 0, REFLECT = 1, REPLICATE = 2; // STRATA_BORDER_*
const float FAR = 1048576.0; // pixels; places beyond it are at it

vec4 bytes(uint word) { return vec4((uvec4(word) >> uvec4(0, 8, 16, 24)) & 255u); }

uint word_of(bool other, uint i) { return other ? other_words[i] : words[i]; }
uvec4 record_of(bool other, uint i) { return other ? other_record[i] : record[i]; }

// The pixel of a row of n that stands for number i; -1: none.
int inside(int i, int n)
{
    if (i >= 0 && i < n) return i;
    if (BORDER == COLOUR_OUTSIDE) return -1;
    if (BORDER == REPLICATE) return clamp(i, 0, n - 1);
    int period = 2 * n; // d c b a | a b c d | d c b a
    int at = int(uint(i + period * (int(FAR) / period + 2)) % uint(period));
    return min(at, period - 1 - at);
}

vec4 stored(bool other, uint n, int x, int y)
{
    x = inside(x, int(w));
    y = inside(y, int(h));
    if (x < 0 || y < 0) return bytes(background);
    uint i = uint(y) * w + uint(x);
    if (CHANNELS == 1) return vec4(bytes(word_of(other, n * image_words + i / 4))[i % 4]);
    return bytes(word_of(other, n * image_words + i));
}

vec4 sampled(bool other, uint n, vec2 at)
{
    vec2 base = floor(at), part = at - base;
    int x = int(base.x), y = int(base.y);
    vec4 p = stored(other, n, x, y);
    if (part.x > 0.0) p = mix(p, stored(other, n, x + 1, y), part.x);
    if (part.y > 0.0) {
        vec4 q = stored(other, n, x, y + 1);
        if (part.x > 0.0) q = mix(q, stored(other, n, x + 1, y + 1), part.x);
        p = mix(p, q, part.y);
    }
    return p;
}

// Where the record says that the output's pixel (j, i) comes from.
vec2 place(bool other, uint at, float j, float i)
{
    vec4 a = uintBitsToFloat(record_of(other, at)), b = uintBitsToFloat(record_of(other, at + 1));
    precise float x = a.x * j + a.y * i + a.z, y = b.x * j + b.y * i + b.z;
    if (a.w != 0.0 || b.w != 0.0) {
        float more = uintBitsToFloat(record_of(other, at + 2).x);
        precise float inverse = exact_inverse(a.w * j + b.w * i + more);
        x = x * inverse;
        y = y * inverse;
    }
    return clamp(vec2(x, y), -FAR, FAR);
}

vec4 coloured(bool other, uint at, vec4 p)
{
    uvec4 more = record_of(other, at + 2);
    if (more.w == 0) return p;
    vec4 v = vec4((p / scale).rgb, 1.0);
    if ((more.w & COLOURED) != 0)
        v.rgb = clamp(vec3(dot(uintBitsToFloat(record_of(other, at + 3)), v),
                           dot(uintBitsToFloat(record_of(other, at + 4)), v),
                           dot(uintBitsToFloat(record_of(other, at + 5)), v)), 0.0, 1.0);
    if ((more.w & LIT) != 0) { // fastai's bounds of a logit
        v.rgb = clamp(v.rgb, 1e-7, 0.9999999);
        vec3 logit = log(v.rgb / (1.0 - v.rgb));
        v.rgb = 1.0 / (1.0 + exp(-(logit + uintBitsToFloat(more.y)) * uintBitsToFloat(more.z)));
    }
    return vec4(v.rgb * scale, p.a);
}

vec4 normalised(vec4 p)
{
    return (p - vec4(centre0, centre1, centre2, centre3)) * vec4(factor0, factor1, factor2, factor3);
}

// What is made of image n at (j, i).
vec4 augmented(bool other, uint n, uint j, uint i)
{
    uint r = n * RECORD_QUADS;
    uvec4 hole = record_of(other, r + 6);
    if (j >= hole.x && j < hole.z && i >= hole.y && i < hole.w) return vec4(0.0);
    return normalised(coloured(other, r, sampled(other, n, place(other, r, float(j), float(i)))));
}

void main()
{
    uint at = flat_index(), pixels = out_h * out_w;
    if (at >= images * pixels) return;
    uint n = at / pixels, i = (at - n * pixels) / out_w, j = (at - n * pixels) % out_w;
    vec4 p;
    if (PASS == EVALUATE) {
        ivec2 from = ivec2(j, i) + (ivec2(w, h) - ivec2(out_w, out_h)) / 2;
        p = normalised(stored(false, n, from.x, from.y));
    } else {
        p = augmented(false, n, j, i);
        if (MIXED != 0) {
            uvec4 more = record[n * RECORD_QUADS + 7];
            uvec4 box = uvec4(more.yz & 0xffffu, more.yz >> 16); // left, right, top, bottom
            if (j >= box.x && j < box.y && i >= box.z && i < box.w)
                p = mix(p, augmented(true, n, j, i), uintBitsToFloat(more.x));
        }
    }
    PUT(y, at, mix(vec4(0.0), p, lessThan(uvec4(0, 1, 2, 3), uvec4(CHANNELS))));
}

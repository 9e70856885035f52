#version 460
#include "kernel.glsl"
#include "philox.glsl"
#include "exact.glsl"
#include "augment.glsl"

// What augmentation does to each image of a batch: a function of seed, epoch, the image's number and which of
// its draws in the epoch this is, so neither of the batch nor of the place in it.
//   record[i] = see augment.glsl
// Every operation on floats is one that Vulkan asks to be rounded correctly, and none is contracted: the
// reference gives the same bits.
layout(binding = 0) readonly buffer B0 { uint values[]; };   // seed low and high, step, sample, epoch
layout(binding = 1) readonly buffer B1 { uvec4 samples[]; }; // [images, 2] strata_sample of core/sample.h
layout(binding = 2)          buffer B2 { uvec4 record[]; };  // [images, RECORD_QUADS]
layout(push_constant) uniform Args // see strata_augment of src/ops/augment.h
{
    uint images, h, w, out_h, out_w, channels, what, pad;
    float area_low, area_high, ratio_low, ratio_high;
    float p_affine, rotate, scale_low, scale_high, zoom, shear, warp;
    float p_colour, brightness, contrast, saturation, hue, lighting, light_octaves, grey, erase;
};

const uint PURPOSE = 4;                                         // STRATA_RANDOM_AUGMENT
const uint FLIP = 1, CROP = 2, FLIP_VERTICAL = 4, RESIZED = 8;  // STRATA_AUGMENT_*
const uint FIRST = 0, GATES = 1, AFFINE = 2, FOCUS = 3, WARP = 4, COLOUR_GATES = 5, COLOUR = 6, LIGHT = 7,
           ERASE = 8, RESIZED_TRIES = 16, ERASE_TRIES = 32;     // the draws of an image
const int TRIES = 10;                                           // at most, as torchvision has it

uint image; // of this invocation

// Four words of the image.
uvec4 draw(uint k)
{
    uvec4 sample_of = samples[2 * image], counter = uvec4(sample_of.x, values[4], k, sample_of.y);
    // The factor is odd, so that each high half of the seed gives its own key.
    return philox(counter, uvec2(values[0], PURPOSE ^ (values[1] * 0x9E3779B9u)));
}

// A whole number below n.
int below(uint word, int n)
{
    uint high, low;
    umulExtended(word, uint(n), high, low);
    return int(high);
}

float unit(uint word) { return float(word >> 8) * (1.0 / 16777216.0); }

float between(uint word, float low, float high)
{
    precise float x = low + (high - low) * unit(word);
    return x;
}

bool chance(uint word, float p) { return unit(word) < p; }

// A box (left, top, width, height) within width x height: a share of the area in [low, high), a ratio of its
// sides whose logarithm to base 2 is in [ratios.x, ratios.y), smaller than `most`. Width 0: no try gave one.
ivec4 draw_box(uint k, ivec2 size, vec2 areas, vec2 ratios, ivec2 most)
{
    for (int i = 0; i < TRIES; i++) {
        uvec4 words = draw(k + uint(i));
        precise float area = float(size.x * size.y) * between(words.x, areas.x, areas.y);
        float ratio = between(words.y, ratios.x, ratios.y);
        precise float wide = exact_root(area * exact_exp2(ratio)) + 0.5;
        precise float high = exact_root(area * exact_exp2(-ratio)) + 0.5;
        ivec2 box = ivec2(int(wide), int(high));
        if (box.x > 0 && box.y > 0 && box.x <= most.x && box.y <= most.y)
            return ivec4(below(words.w, size.x - box.x + 1), below(words.z, size.y - box.y + 1), box);
    }
    return ivec4(0);
}

// The window of the stored image that is taken: left, top, width, height.
ivec4 window(uvec4 first)
{
    ivec2 size = ivec2(w, h), box = ivec2(out_w, out_h), room = size - box, at = room / 2;
    if ((what & RESIZED) != 0) {
        vec2 areas = vec2(area_low, area_high), ratios = vec2(ratio_low, ratio_high);
        ivec4 drawn = draw_box(RESIZED_TRIES, size, areas, ratios, size);
        if (drawn.z > 0) return drawn;
        precise float wide = float(h) * exact_exp2(ratio_high) + 0.5;
        precise float high = float(w) * exact_exp2(-ratio_low) + 0.5;
        box = ivec2(min(int(w), int(wide)), min(int(h), int(high)));
        return ivec4((size - box) / 2, box);
    }
    if ((what & CROP) != 0) {
        ivec2 places = room + 2 * int(pad) + 1;
        if (places.y > 1) at.y = room.y + int(pad) - below(first.y, places.y);
        if (places.x > 1) at.x = room.x + int(pad) - below(first.z, places.x);
    }
    return ivec4(at, box);
}

// The projection of the square [-1, 1] onto one whose corners are moved: by m[3] and m[1] the left upper one,
// m[3] and m[0] the right upper one, m[2] and m[1], m[2] and m[0] the lower ones, sideways and up or down. Of
// Heckbert's "Fundamentals of texture mapping and image warping". Rows of (u, v, 1).
void project(vec4 m, out vec3 x_row, out vec3 y_row, out vec3 z_row)
{
    precise float x0 = -1.0 - m[3], y0 = -1.0 - m[1], x1 = 1.0 + m[3], y1 = -1.0 - m[0];
    precise float x2 = 1.0 + m[2], y2 = 1.0 + m[0], x3 = -1.0 - m[2], y3 = 1.0 + m[1];
    precise float dx1 = x1 - x2, dx2 = x3 - x2, dx3 = x0 - x1 + x2 - x3;
    precise float dy1 = y1 - y2, dy2 = y3 - y2, dy3 = y0 - y1 + y2 - y3;
    precise float size = dx2 * dy1 - dx1 * dy2, inverse = exact_inverse(size); // of the corner: positive
    precise float g = (dx2 * dy3 - dx3 * dy2) * inverse, h2 = (dx3 * dy1 - dx1 * dy3) * inverse;
    precise float a = 0.5 * (x1 - x0 + g * x1), b = 0.5 * (x3 - x0 + h2 * x3);
    precise float d = 0.5 * (y1 - y0 + g * y1), e = 0.5 * (y3 - y0 + h2 * y3);
    precise float c = a + b + x0, f = d + e + y0, gg = 0.5 * g, hh = 0.5 * h2, i = gg + hh + 1.0;
    x_row = vec3(a, b, c);
    y_row = vec3(d, e, f);
    z_row = vec3(gg, hh, i);
}

// Where output pixels come from, about the middle of the output in its pixels; then into the stored image.
void place(uvec4 first, out vec3 x_row, out vec3 y_row, out vec3 z_row)
{
    precise float a = 1.0, b = 0.0, c = 0.0, d = 0.0, e = 1.0, f = 0.0, g = 0.0, h2 = 0.0, i = 1.0, t;
    precise float middle_x = 0.5 * float(int(out_w) - 1), middle_y = 0.5 * float(int(out_h) - 1);
    uvec4 gates = draw(GATES), words = draw(AFFINE), focus = draw(FOCUS);
    if (warp > 0.0 && chance(focus.z, p_affine)) {
        uvec4 m = draw(WARP);
        vec3 x, y, z;
        project(vec4(between(m.x, -warp, warp), between(m.y, -warp, warp), between(m.z, -warp, warp),
                     between(m.w, -warp, warp)), x, y, z);
        precise float half_w = 0.5 * float(out_w), half_h = 0.5 * float(out_h);
        precise float by_w = exact_inverse(half_w), by_h = exact_inverse(half_h);
        a = x.x;
        b = x.y * half_w * by_h;
        c = x.z * half_w;
        d = y.x * half_h * by_w;
        e = y.y;
        f = y.z * half_h;
        g = z.x * by_w;
        h2 = z.y * by_h;
        i = z.z;
    }
    if (shear > 0.0 && chance(gates.w, p_affine)) {
        vec2 turn = exact_turn(between(words.w, -shear, shear));
        t = turn.y * exact_inverse(turn.x);
        a = a + t * d;
        b = b + t * e;
        c = c + t * f;
    }
    if (rotate > 0.0 && chance(gates.x, p_affine)) {
        vec2 turn = exact_turn(between(words.x, -rotate, rotate));
        precise float a1 = turn.x * a - turn.y * d, b1 = turn.x * b - turn.y * e;
        precise float c1 = turn.x * c - turn.y * f;
        d = turn.y * a + turn.x * d;
        e = turn.y * b + turn.x * e;
        f = turn.y * c + turn.x * f;
        a = a1;
        b = b1;
        c = c1;
    }
    precise float factor = 1.0, shift_x = 0.0, shift_y = 0.0;
    if (scale_low != scale_high || scale_low != 1.0)
        if (chance(gates.y, p_affine)) factor = exact_inverse(between(words.y, scale_low, scale_high));
    if (zoom > 1.0 && chance(gates.z, p_affine)) {
        t = exact_inverse(between(words.z, 1.0, zoom));
        factor = factor * t;
        shift_x = 0.5 * float(out_w) * (1.0 - t) * between(focus.x, -1.0, 1.0);
        shift_y = 0.5 * float(out_h) * (1.0 - t) * between(focus.y, -1.0, 1.0);
    }

    // From the output's pixels to those of the window, which may be mirrored.
    ivec4 box = window(first);
    bool mirror_x = (what & FLIP) != 0 && first.x >> 31 != 0;
    bool mirror_y = (what & FLIP_VERTICAL) != 0 && (first.x >> 30 & 1u) != 0;
    precise float by_x = box.z == int(out_w) ? 1.0 : float(box.z) * exact_inverse(float(out_w));
    precise float by_y = box.w == int(out_h) ? 1.0 : float(box.w) * exact_inverse(float(out_h));
    if (mirror_x) {
        by_x = -by_x;
        box.x = int(w) - box.z - box.x;
    }
    if (mirror_y) {
        by_y = -by_y;
        box.y = int(h) - box.w - box.y;
    }
    precise float at_x = float(box.x) + 0.5 * float(box.z - 1) + by_x * shift_x;
    precise float at_y = float(box.y) + 0.5 * float(box.w - 1) + by_y * shift_y;
    by_x = by_x * factor;
    by_y = by_y * factor;
    a = by_x * a + at_x * g;
    b = by_x * b + at_x * h2;
    c = by_x * c + at_x * i;
    d = by_y * d + at_y * g;
    e = by_y * e + at_y * h2;
    f = by_y * f + at_y * i;
    c = c - a * middle_x - b * middle_y;
    f = f - d * middle_x - e * middle_y;
    i = i - g * middle_x - h2 * middle_y;
    x_row = vec3(a, b, c);
    y_row = vec3(d, e, f);
    z_row = vec3(g, h2, i);
}

#include "augment_colour.glsl"

void main()
{
    image = flat_index();
    if (image >= images) return;
    uvec4 first = draw(FIRST);
    vec3 x, y, z;
    vec4 red, green, blue;
    vec2 light;
    place(first, x, y, z);
    uint flags = draw_colour(red, green, blue, light);
    uint at = image * RECORD_QUADS;
    record[at] = floatBitsToUint(vec4(x, z.x));
    record[at + 1] = floatBitsToUint(vec4(y, z.y));
    record[at + 2] = uvec4(floatBitsToUint(vec3(z.z, light)), flags);
    record[at + 3] = floatBitsToUint(red);
    record[at + 4] = floatBitsToUint(green);
    record[at + 5] = floatBitsToUint(blue);
    ivec4 hole = ivec4(0);
    ivec2 size = ivec2(out_w, out_h);
    // torchvision's RandomErasing: 2 to 33 % of the area, a ratio of 0.3 to 3.3, never a whole side.
    if (erase > 0.0 && chance(draw(ERASE).x, erase))
        hole = draw_box(ERASE_TRIES, size, vec2(0.02, 0.33), vec2(-1.7369656, 1.7224660), size - 1);
    record[at + 6] = uvec4(hole.xy, hole.x + hole.z, hole.y + hole.w);
    uvec4 box = samples[2 * image + 1];
    record[at + 7] = uvec4(samples[2 * image].z, box.x | box.y << 16, box.z | box.w << 16, 0);
}

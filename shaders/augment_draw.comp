#version 460
#include "kernel.glsl"
#include "philox.glsl"
#include "augment.glsl"

// What augmentation does to each image of a batch: a function of seed, epoch, the image's number and which of
// its draws in the epoch this is, so neither of the batch nor of the place in it.
//   record[i] = see augment.glsl
// Every operation on floats is one that Vulkan asks to be rounded correctly (+, -, *), and none is
// contracted: the reference gives the same bits.
layout(binding = 0) readonly buffer B0 { uint values[]; };   // seed low and high, step, sample, epoch
layout(binding = 1) readonly buffer B1 { uvec2 samples[]; }; // [images] the image's number, its draw
layout(binding = 2)          buffer B2 { uvec4 record[]; };  // [images, RECORD_QUADS]
layout(push_constant) uniform Args { uint images, h, w, out_h, out_w, what, pad; };

const uint PURPOSE = 4;          // STRATA_RANDOM_AUGMENT
const uint FLIP = 1, CROP = 2;   // STRATA_AUGMENT_*

// Four words of image i; k numbers the draws that one image wants.
uvec4 draw(uint i, uint k)
{
    uvec4 counter = uvec4(samples[i].x, values[4], k, samples[i].y);
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

void main()
{
    uint i = flat_index();
    if (i >= images) return;
    uvec4 first = draw(i, 0);

    // Where the window of the output's size lies in the stored image: in its middle, or anywhere in it with
    // `pad` pixels around.
    int free_y = int(h) - int(out_h), free_x = int(w) - int(out_w);
    int y0 = free_y / 2, x0 = free_x / 2;
    if ((what & CROP) != 0) {
        int room_y = free_y + 2 * int(pad), room_x = free_x + 2 * int(pad);
        if (room_y > 0) y0 = free_y + int(pad) - below(first.y, room_y + 1);
        if (room_x > 0) x0 = free_x + int(pad) - below(first.z, room_x + 1);
    }
    bool mirror = (what & FLIP) != 0 && first.x >> 31 != 0;
    float a = mirror ? -1.0 : 1.0, c = float(mirror ? int(w) - 1 - x0 : x0);
    record[i * RECORD_QUADS] = floatBitsToUint(vec4(a, 0.0, c, 0.0));
    record[i * RECORD_QUADS + 1] = floatBitsToUint(vec4(0.0, 1.0, float(y0), 0.0));
}

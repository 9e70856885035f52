// Tensors in quads of four floats. What a kernel only reads may come as a uniform texel buffer (TEXEL): on
// CPU-type devices such a load is one instruction, that of a storage buffer a loop over the lanes.
//   READS(0, x);  WRITES(1, y);  PUT(y, i, AT(x, i) + GET(y, i));
// Where an op says so (in_place in src/ops/op.h) what is read and what is written may be the same memory: an
// invocation reads quad i before it writes it, nobody else touches it, and no buffer is `restrict`.
// Bit i of HALF: the floats of binding i have 16 bits, a quad is a uvec2. No device needs an extension for
// it. They are rounded to nearest, ties to even: packHalf2x16 truncates on some.
#ifndef HALF
#define HALF 0
#endif
#ifdef TEXEL
#define READS(at, name) layout(binding = at) uniform samplerBuffer name
#define AT(name, i) texelFetch(name, int(i))
#else
#define READS(at, name) layout(binding = at) readonly buffer name##_buffer { QUAD_##at name[]; }
#define AT(name, i) wide(name[i])
#endif
#define WRITES(at, name) layout(binding = at) buffer name##_buffer { QUAD_##at name[]; }
#define GET(name, i) wide(name[i])
#define PUT(name, i, value) put(name[i], value)

// One float at a time of what is only read: FLOATS(0, x);  PICK(0, x, i)
#define FLOATS(at, name) layout(binding = at) readonly buffer name##_buffer { FLOAT_##at name[]; }
#define PICK(at, name, i) pick(name[(i) >> (HALF >> at & 1)], i)

#if (HALF & 1) != 0
#define QUAD_0 uvec2
#define FLOAT_0 uint
#else
#define QUAD_0 vec4
#define FLOAT_0 float
#endif
#if (HALF & 2) != 0
#define QUAD_1 uvec2
#define FLOAT_1 uint
#else
#define QUAD_1 vec4
#define FLOAT_1 float
#endif
#if (HALF & 4) != 0
#define QUAD_2 uvec2
#else
#define QUAD_2 vec4
#endif
#if (HALF & 8) != 0
#define QUAD_3 uvec2
#define FLOAT_3 uint
#else
#define QUAD_3 vec4
#define FLOAT_3 float
#endif
#if (HALF & 16) != 0
#define QUAD_4 uvec2
#define FLOAT_4 uint
#else
#define QUAD_4 vec4
#define FLOAT_4 float
#endif
#if (HALF & 32) != 0
#define QUAD_5 uvec2
#define FLOAT_5 uint
#else
#define QUAD_5 vec4
#define FLOAT_5 float
#endif
#define QUAD_6 vec4
#define FLOAT_6 float
#define QUAD_7 vec4
#define QUAD_9 vec4
#define QUAD_10 vec4
#define QUAD_11 vec4
#define QUAD_12 vec4

float wide(float v) { return v; }
vec2 wide(vec2 v) { return v; }
vec4 wide(vec4 v) { return v; }
vec2 wide(uint v) { return unpackHalf2x16(v); }
vec4 wide(uvec2 v) { return vec4(unpackHalf2x16(v.x), unpackHalf2x16(v.y)); }

float pick(float v, uint i) { return v; }
float pick(uint v, uint i) { return unpackHalf2x16(v)[i & 1]; }

// From 65520 on it is infinity, by a carry into the exponent. Below 2^-14 a half counts units of 2^-24, which
// are those of the last place of 0.5 + |v|.
uvec4 half_bits(vec4 v)
{
    uvec4 bits = floatBitsToUint(v), size = bits & 0x7fffffffu;
    uvec4 h = min((size + (size >> 13 & 1u) + (0xfffu - 0x38000000u)) >> 13, uvec4(0x7c00u));
    uvec4 small = floatBitsToUint(uintBitsToFloat(size) + 0.5) - 0x3f000000u;
    h = mix(h, small, lessThan(size, uvec4(0x38800000u)));
    h = mix(h, uvec4(0x7e00u), greaterThan(size, uvec4(0x7f800000u)));
    return h | (bits >> 16 & 0x8000u);
}

void put(out float to, float v) { to = v; }
void put(out vec2 to, vec2 v) { to = v; }
void put(out vec4 to, vec4 v) { to = v; }
void put(out uint to, vec2 v)
{
    uvec4 h = half_bits(vec4(v, v));
    to = h.x | h.y << 16;
}
void put(out uvec2 to, vec4 v)
{
    uvec4 h = half_bits(v);
    to = h.xz | h.yw << 16;
}

// Tensors in quads of four floats. What a kernel only reads may come as a uniform texel buffer (TEXEL): on
// CPU-type devices such a load is one instruction, that of a storage buffer a loop over the lanes.
//   READS(0, x);  WRITES(1, y);  y[i] = AT(x, i);
#ifdef TEXEL
#define READS(at, name) layout(binding = at) uniform samplerBuffer name
#define AT(name, i) texelFetch(name, int(i))
#else
#define READS(at, name) layout(binding = at) readonly buffer name##_buffer { vec4 name[]; }
#define AT(name, i) name[i]
#endif
#define WRITES(at, name) layout(binding = at) buffer name##_buffer { vec4 name[]; }

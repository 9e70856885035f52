// Winograd's F(4x4,3x3): 4 x 4 outputs of a 3 x 3 convolution are found from 6 x 6 inputs with 36 products
// instead of 144. In one dimension, with the points 0, 1, -1, 2, -2 and infinity (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", 2015),
//   y = A^T ((G g) * (B^T d)),    d: 6 inputs, g: 3 taps, y: 4 outputs
// and in two dimensions each matrix is applied to the columns and then to the rows. As all of it is linear
// in d and in g, gradients take the transposed matrices.
//   T is what an invocation takes of a pixel: a quad of channels, or with SCALAR one channel, of which GPUs
// have the registers to transform many at once. A quad is LANES of T.
#include "tensor.glsl"
#ifdef SCALAR
#define T float
#define TAKES(at, name) FLOATS(at, name)
#define TAKE(at, name, i) PICK(at, name, i)
#define GIVES(at, name) layout(binding = at) buffer name##_buffer { float name[]; }
const uint LANES = 4;
#else
#define T vec4
#define TAKES(at, name) READS(at, name)
#define TAKE(at, name, i) AT(name, i)
#define GIVES(at, name) WRITES(at, name)
const uint LANES = 1;
#endif

T[6] input_points(T d[6]) // B^T d
{
    T p = d[4] - 4.0 * d[2], q = d[3] - 4.0 * d[1], r = d[4] - d[2], s = 2.0 * (d[3] - d[1]);
    return T[6](4.0 * d[0] - 5.0 * d[2] + d[4], p + q, p - q, r + s, r - s, 4.0 * d[1] - 5.0 * d[3] + d[5]);
}

T[6] weight_points(T g[3]) // G g
{
    T a = g[0] + g[2], b = (1.0 / 24.0) * g[0] + (1.0 / 6.0) * g[2], c = (1.0 / 12.0) * g[1];
    return T[6](0.25 * g[0], (-1.0 / 6.0) * (a + g[1]), (-1.0 / 6.0) * (a - g[1]), b + c, b - c, g[2]);
}

T[3] weight_taps(T u[6]) // G^T u
{
    T a = (-1.0 / 6.0) * (u[1] + u[2]), b = u[3] + u[4];
    return T[3](0.25 * u[0] + a + (1.0 / 24.0) * b,
                (1.0 / 6.0) * (u[2] - u[1]) + (1.0 / 12.0) * (u[3] - u[4]), a + (1.0 / 6.0) * b + u[5]);
}

T[4] output_pixels(T m[6]) // A^T m
{
    T p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    return T[4](m[0] + p + r, q + 2.0 * s, p + 4.0 * r, q + 8.0 * s + m[5]);
}

T[6] output_points(T y[4]) // A y
{
    T a = y[0] + y[2], b = y[1] + y[3], c = y[0] + 4.0 * y[2], d = 2.0 * y[1] + 8.0 * y[3];
    return T[6](y[0], a + b, a - b, c + d, c - d, y[3]);
}

// Tile `tile` of images that `tiles_h` x `tiles_w` tiles of 4 x 4 pixels cover: image, line, column.
uvec3 tile_at(uint tile, uint tiles_h, uint tiles_w)
{
    uint line = tile / tiles_w, n = line / tiles_h;
    return uvec3(n, line - n * tiles_h, tile - line * tiles_w);
}

// v, or zeros: without a branch, which a CPU-type device would take both ways of.
T only(bool here, T v)
{
#ifdef SCALAR
    return here ? v : 0.0;
#else
    return mix(vec4(0.0), v, bvec4(here));
#endif
}

// Channels (a quad of them, or with SCALAR channel `c`) with those above `depth`, which are undefined in
// memory, made zero.
T mask(T v, uint c, uint depth)
{
#if defined(RAGGED) && defined(SCALAR)
    return c < depth ? v : 0.0;
#elif defined(RAGGED)
    return mix(v, vec4(0.0), greaterThanEqual(uvec4(4 * c) + uvec4(0, 1, 2, 3), uvec4(depth)));
#else
    return v;
#endif
}

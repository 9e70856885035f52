// Windows of a pooling kernel along one axis, and which places of a grid an invocation takes. Included below
// the push constants. Defines fold choices and divisions: on lavapipe a division by an unknown number costs
// as much as a load.
//   KERNEL_H, KERNEL_W  a small window without dilation, written out without a loop; selects leave out what
//                       lies in the padding. Strides and pads are known then, too
//   OVER_H, OVER_W      the same of an adaptive pool: the most windows over a pixel
//   GRID_H, GRID_W, QUADS  the sizes of the launched grid
//   WHOLE               1: all taps of all windows lie in the input; 2: they count as if they did
//   STRIP               forward with KERNEL_H: outputs one below the other that an invocation takes, as they
//                       share what they read; so many times less is GRID_H
//   BLOCKS_H, BLOCKS_W  backward with KERNEL_H: blocks that an invocation takes, of a global window pixels;
//                       so many times less is GRID_H
//   LANE_STORES, EACH   with KERNEL_H: a subgroup of the grid's places, EACH times over
#if PASS == BACKWARD // one pixel of neighbouring blocks
#define LANE_AT(l) ((l) / QUADS * BLOCK_W * QUADS + (l) % QUADS)
#endif
#include "lane_stores.glsl"
#ifndef ADAPTIVE
#define ADAPTIVE adaptive
#endif
#ifndef GLOBAL
#define GLOBAL 0 // 1: one window, the whole input
#endif
#ifndef WHOLE
#define WHOLE GLOBAL
#endif
#ifndef STRIP
#define STRIP 1
#endif
#ifndef BLOCKS_H
#define BLOCKS_H 1
#define BLOCKS_W 1
#endif
#ifndef STRIDE_H
#define STRIDE_H stride_h
#define STRIDE_W stride_w
#define DILATION_H dilation_h
#define DILATION_W dilation_w
#endif

// An element of [images, height, width, quads].
struct Place { uint n, r, s, q; };

Place place(uint i, uint height, uint width)
{
#ifdef QUADS
    const uint quads = QUADS;
    height = GRID_H;
    width = GRID_W;
#endif
    uint pixel = i / quads, line = pixel / width, n = line / height;
    return Place(n, line - n * height, pixel - line * width, i - pixel * quads);
}

// The taps of one output: first, first + dilation, .. below end, all of them inside the input. `full` is
// their number with the padding, but not beyond it.
struct Window { uint first, end, full; };

Window window(uint o, uint size, uint out_size, uint kernel, uint stride, uint pad, uint dilation)
{
    if (GLOBAL != 0) return Window(0, size, size);
    if (ADAPTIVE != 0) {
        uint first = o * size / out_size, end = ((o + 1) * size + out_size - 1) / out_size;
        return Window(first, end, end - first);
    }
    int start = int(o * stride) - int(pad), first = start;
    if (start < 0) first += (int(dilation) - 1 - start) / int(dilation) * int(dilation);
    int end = min(start + int((kernel - 1) * dilation) + 1, int(size + pad));
    return Window(uint(first), uint(min(end, int(size))), uint(end - start));
}

// The outputs whose windows reach over an input: x .. y, both included; none where x > y. With dilation not
// all of them have a tap on it.
ivec2 outputs(uint at, uint size, uint out_size, uint kernel, uint stride, uint pad, uint dilation)
{
    if (GLOBAL != 0) return ivec2(0, 0);
    if (ADAPTIVE != 0) // o size / out_size < at + 1 and (o + 1) size / out_size > at, in whole numbers
        return ivec2(at * out_size / size, ((at + 1) * out_size - 1) / size);
    int last = int(at + pad), first = last - int((kernel - 1) * dilation);
    return ivec2(first <= 0 ? 0 : (first + int(stride) - 1) / int(stride),
                 min(last / int(stride), int(out_size) - 1));
}

#ifdef KERNEL_H
// The first tap of the window of an output, or of a strip's first, maybe in the padding, and where its taps
// end in the input.
#ifdef OVER_H
ivec2 window_first(Place o) { return ivec2(o.r * h / GRID_H, o.s * w / GRID_W); }
uvec2 window_end(Place o)
{
    return (uvec2(o.r + 1, o.s + 1) * uvec2(h, w) + uvec2(GRID_H, GRID_W) - 1) / uvec2(GRID_H, GRID_W);
}
#else
ivec2 window_first(Place o) { return ivec2(o.r * STRIP * STRIDE_H, o.s * STRIDE_W) - ivec2(pad_h, pad_w); }
uvec2 window_end(Place o) { return uvec2(h, w); }
#endif

// Backward, an invocation takes a block of the input as large as the strides, or some beside each other. Its
// pixels share what they read: the windows FIRST_H .. LAST_H, say, counted from the block's first, of which
// each pixel is in some. Windows of an adaptive pool, at most OVER_H by OVER_W over a pixel, are read for
// each pixel.
#if GLOBAL || defined(OVER_H)
#ifndef OVER_H
#define OVER_H 1
#define OVER_W 1
#endif
const int BLOCK_H = BLOCKS_H, BLOCK_W = BLOCKS_W;
const int FIRST_H = 0, FIRST_W = 0, LAST_H = OVER_H - 1, LAST_W = OVER_W - 1;
int window_at(uint at, int u, uint size, uint out_size) // out_size: there is none
{
    uint o = at * out_size / size + u;
    return int(mix(out_size, o, o <= ((at + 1) * out_size - 1) / size));
}
#define WINDOW_H(block, u) window_at(block, u, GRID_H, out_h)
#define WINDOW_W(block, u) window_at(block, u, GRID_W, out_w)
#define REACHES(u, v, a, b) true
#else
const int BLOCK_H = BLOCKS_H * STRIDE_H, BLOCK_W = BLOCKS_W * STRIDE_W;
const int FIRST_H = 1 - (KERNEL_H - PAD_H + STRIDE_H - 1) / STRIDE_H;
const int FIRST_W = 1 - (KERNEL_W - PAD_W + STRIDE_W - 1) / STRIDE_W;
const int LAST_H = (BLOCK_H - 1 + PAD_H) / STRIDE_H, LAST_W = (BLOCK_W - 1 + PAD_W) / STRIDE_W;
#define WINDOW_H(block, u) (int(block) * BLOCKS_H + u)
#define WINDOW_W(block, u) (int(block) * BLOCKS_W + u)
bool reaches(int tap, int kernel) { return tap >= 0 && tap < kernel; }
#define REACHES(u, v, a, b)                                                                                  \
    (reaches(a + PAD_H - u * STRIDE_H, KERNEL_H) && reaches(b + PAD_W - v * STRIDE_W, KERNEL_W))
#endif

// Where the first output of a strip is; one alone is where it is stored, which asks for no more sums that are
// the same in all lanes.
uint strip_at(Place o, uint to)
{
    return STRIP == 1 ? to : ((o.n * out_h + o.r * STRIP) * out_w + o.s) * QUADS + o.q;
}

// Where pixel (a, b) of a block is. With LANE_STORES all exist, and a subgroup's blocks are on one line.
uint pixel_of(Place block, int a, int b)
{
    return ((block.n * h + block.r * BLOCK_H + a) * w + block.s * BLOCK_W + b) * QUADS + block.q;
}
#ifdef LANE_STORES
#define EXISTS(block, a, b) true
#else
#define EXISTS(block, a, b) (block.r * BLOCK_H + a < h && block.s * BLOCK_W + b < w)
#endif
#endif

// work(place, to) for each of an invocation's; `to`: the place of the first lane.
#ifdef LANE_STORES // no workgroup too many
#define EACH_PLACE(work)                                                                                     \
    uint first = same_bits(group_index(), 16) * EACH;                                                        \
    [[unroll]] for (uint k = 0; k < EACH; k++)                                                               \
        work((group_index() * EACH + k) * SG + lane, (first + k) * SG);
#else
#if defined(QUADS)
#define PLACES (images * GRID_H * GRID_W * QUADS)
#elif PASS == BACKWARD
#define PLACES (images * h * w * quads)
#else
#define PLACES (images * out_h * out_w * quads)
#endif
#define EACH_PLACE(work)                                                                                     \
    uint i = flat_index();                                                                                   \
    if (i < PLACES) work(i, i);
#endif

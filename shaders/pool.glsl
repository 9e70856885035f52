// Windows of a pooling kernel along one axis. Included below the push constants.
// Defines fold choices and divisions: on lavapipe a division by an unknown number costs as much as a load.
//   KERNEL_H, KERNEL_W  a small window without dilation, written out without a loop; selects leave out what
//                       lies in the padding. The strides are known then, too
//   HIGH, WIDE, QUADS   the sizes of the launched grid
#ifndef ADAPTIVE
#define ADAPTIVE adaptive
#endif
#ifndef GLOBAL
#define GLOBAL 0 // 1: one window, the whole input
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
    height = HIGH;
    width = WIDE;
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
// As many windows as may reach over an input, of which `nth` of WINDOWS_H, say, is the one that begins at
// output place `last - WINDOWS_H + 1 + nth`; does it?
const int WINDOWS_H = (KERNEL_H + STRIDE_H - 1) / STRIDE_H, WINDOWS_W = (KERNEL_W + STRIDE_W - 1) / STRIDE_W;
bool reaches(int o, int out_size, int stride, int kernel, int at)
{
    return all(bvec2(uint(o) < uint(out_size), o * stride + kernel > at)); // && would be a branch
}
#endif

#include "ops/pool.h"

#include <stdio.h>

pool_windows pool_windows_of(const pool_options *options)
{
    pool_windows w = { .kernel = { 1, 1 }, .stride = { 1, 1 }, .dilation = { 1, 1 }, .adaptive = !options };
    for (int i = 0; options && i < 2; i++) {
        w.kernel[i] = options->kernel[i];
        w.stride[i] = options->stride[i] ? options->stride[i] : options->kernel[i];
        w.pad[i] = options->pad[i];
        w.dilation[i] = options->dilation[i] ? options->dilation[i] : 1;
    }
    return w;
}

const strata_field pool_adaptive_fields[] = {
    { "size", STRATA_FIELD_PAIR, offsetof(pool_size, size), .required = true, .low = 1, .high = POOL_MOST },
    { 0 },
};

enum { MOST_TAPS = 64 }; /* of a window that is written out */

pool_defines pool_defines_of(const strata_caps *caps, const strata_node *n, const pool_windows *w,
                             strata_pass pass, bool texel)
{
    const strata_shape in = n->in[0]->shape, out = n->out->shape;
    const bool back = pass == STRATA_BACKWARD, add = back && n->add_in[0],
               global = w->adaptive && out.h == 1 && out.w == 1;
    const strata_shape grid = back ? in : out;
    const uint32_t high = global ? in.h : w->kernel[0], wide = global ? in.w : w->kernel[1];
    const bool dense = global || (!w->adaptive && w->dilation[0] == 1 && w->dilation[1] == 1);
    char window[96];
    pool_defines d;
    if (caps->cpu_type && dense && (uint64_t)high * wide <= MOST_TAPS)
        snprintf(window, sizeof window, "KERNEL_H=%u KERNEL_W=%u STRIDE_H=%u STRIDE_W=%u", high, wide,
                 global ? high : w->stride[0], global ? wide : w->stride[1]);
    else if (w->adaptive)
        snprintf(window, sizeof window, "ADAPTIVE=1 GLOBAL=%d", global);
    else
        snprintf(window, sizeof window, "ADAPTIVE=0 STRIDE_H=%u STRIDE_W=%u DILATION_H=%u DILATION_W=%u",
                 w->stride[0], w->stride[1], w->dilation[0], w->dilation[1]);
    int n_written = snprintf(d.s, sizeof d.s, "%s ADD_DX=%d%s", window, add, texel ? " TEXEL=1" : "");
    if (caps->cpu_type)
        snprintf(d.s + n_written, sizeof d.s - (size_t)n_written, " HIGH=%u WIDE=%u QUADS=%u", grid.h, grid.w,
                 strata_lanes(grid.c) / 4);
    return d;
}

/* The number of windows along axis `i` (0: height, 1: width) of an input of `size`, as PyTorch counts them.
 */
static strata_status count(uint32_t *out, const strata_node *n, const pool_windows *w, int i, uint32_t size,
                           bool ceil_mode)
{
    const char *axis = i == 0 ? "height" : "width";
    if (w->pad[i] > w->kernel[i] / 2)
        return strata_fail(STRATA_BAD_SHAPE, "%s: %s wants a pad of at most half its kernel, %u, got %u (%s)",
                           n->name, n->op->name, w->kernel[i] / 2, w->pad[i], axis);
    int64_t reach = (int64_t)(w->kernel[i] - 1) * w->dilation[i] + 1, stride = w->stride[i];
    int64_t room = (int64_t)size + 2 * (int64_t)w->pad[i] - reach + (ceil_mode ? stride - 1 : 0);
    if (room < 0)
        return strata_fail(STRATA_BAD_SHAPE,
                           "%s: %s wants an input of at least its window, %lld, got %s %u + 2 * %u", n->name,
                           n->op->name, (long long)reach, axis, size, w->pad[i]);
    int64_t windows = room / stride + 1;
    if (ceil_mode && (windows - 1) * stride >= (int64_t)size + w->pad[i]) windows--;
    for (int64_t o = 0; o < windows; o++) { /* dilation can step over all of a small input */
        int64_t first = o * stride - w->pad[i];
        while (first < 0) first += w->dilation[i];
        if (first < size && first <= o * stride - w->pad[i] + reach - 1) continue;
        return strata_fail(STRATA_BAD_SHAPE,
                           "%s: %s wants a tap of each window inside the input, got none for %lld "
                           "along %s %u",
                           n->name, n->op->name, (long long)o, axis, size);
    }
    *out = (uint32_t)windows;
    return STRATA_OK;
}

strata_status pool_infer(strata_node *n, const pool_options *options)
{
    const strata_shape in = n->in[0]->shape;
    const pool_windows w = pool_windows_of(options);
    uint32_t h = 0, width = 0;
    STRATA_TRY(count(&h, n, &w, 0, in.h, options->ceil_mode));
    STRATA_TRY(count(&width, n, &w, 1, in.w, options->ceil_mode));
    n->out->shape = (strata_shape) { in.n, h, width, in.c };
    return STRATA_OK;
}

strata_status pool_infer_adaptive(strata_node *n, uint32_t out_h, uint32_t out_w)
{
    const strata_shape in = n->in[0]->shape;
    if (in.h > POOL_MOST || in.w > POOL_MOST) /* the kernels multiply a place by a size in 32 bits */
        return strata_fail(STRATA_BAD_SHAPE, "%s: %s wants height and width up to %d, got %s", n->name,
                           n->op->name, POOL_MOST, strata_shape_text(in).s);
    n->out->shape = (strata_shape) { in.n, out_h, out_w, in.c };
    return STRATA_OK;
}

/* What max_pool and avg_pool share: options, shapes, and windows as their kernels want them. */
#ifndef STRATA_OPS_POOL_H
#define STRATA_OPS_POOL_H

#include "ops/op.h"

typedef struct pool_options { /* pairs are (height, width) */
    uint32_t kernel[2];
    uint32_t stride[2];         /* 0: as the kernel */
    uint32_t pad[2];            /* at most half the kernel */
    uint32_t dilation[2];       /* of max_pool */
    uint32_t ceil_mode;         /* the last window may hang over the padded edge, if it starts before it */
    uint32_t count_include_pad; /* of avg_pool: divide by the window's size with its padding */
} pool_options;

typedef struct pool_size {
    uint32_t size[2]; /* of the output of an adaptive pool */
} pool_size;
extern const strata_field pool_adaptive_fields[]; /* of pool_size */

/* The windows of a node, whose options are NULL for an adaptive pool: then all but `adaptive` is 1 or 0, and
 * window o along an axis is [floor(o size / out), ceil((o + 1) size / out)). */
typedef struct pool_windows {
    uint32_t kernel[2], stride[2], pad[2], dilation[2], adaptive;
} pool_windows;
pool_windows pool_windows_of(const pool_options *options);

/* A pass of a node. */
typedef struct pool_pass {
    const strata_node *node;
    pool_windows windows;
    strata_pass pass;
    bool places;     /* are those of maxima kept, too, where it is FORWARD? */
    bool count_pads; /* does a mean count the padding? */
} pool_pass;

/* Record a launch of max_pool's or avg_pool's kernel for so many images. Its grid and its defines are made
 * here: these fold choices and divisions; on a processor, which divides one lane after another, the sizes of
 * the grid, too, and small windows are written out.
 *   args  the kernel's arguments */
strata_status pool_launch(strata_stream *s, const strata_kernel *kernel, const pool_pass *p, uint32_t images,
                          const void *args);

/* Set the output's shape.  Errors: STRATA_BAD_SHAPE for windows that do not fit. */
strata_status pool_infer(strata_node *n, const pool_options *options);
strata_status pool_infer_adaptive(strata_node *n, uint32_t out_h, uint32_t out_w);

/* The members that both kernels' arguments have. */
#define POOL_ARGS(part, in, out, windows)                                                                    \
    .images = (part).count, .h = (in).h, .w = (in).w, .quads = strata_lanes((in).c) / 4, .out_h = (out).h,   \
    .out_w = (out).w, .kernel_h = (windows).kernel[0], .kernel_w = (windows).kernel[1],                      \
    .stride_h = (windows).stride[0], .stride_w = (windows).stride[1], .pad_h = (windows).pad[0],             \
    .pad_w = (windows).pad[1], .adaptive = (windows).adaptive

enum { POOL_MOST = 65535 }; /* of any option: products of two stay in 32 bits */

#endif

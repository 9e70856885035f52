/* Weight and bias gradients of conv2d and linear: sums over pixels, cut into chunks that are summed apart and
 * then added in order. */
#include "ops/activation.h"
#include "ops/conv2d.h"

#include "conv2d_sum.args.h"
#include "conv2d_weight.args.h"

enum {
    CACHE_BYTES = 2 << 20, /* of x and dy in a chunk: at 4, llvmpipe 22.3 waits for memory in [64,8,8,256] */
    STRIP_GROUPS = 8,
    LONG_SUM = 16,      /* rows */
    WINDOW_LANES = 512, /* of a core: what keeps so many loads of 16 bytes in flight hides memory's latency */
    GPU_GROUPS = 12     /* for a core: the last of them leave few idle (4 take up to 1.3 times as long) */
};

uint32_t conv2d_fit_to_chunks(uint32_t most, uint32_t images, const conv2d_chunks *c)
{
    if (most >= images) return images;
    if (most >= c->images) return most - most % c->images;
    uint32_t power = 1;
    while (power <= most / 2) power *= 2;
    return power;
}

conv2d_run conv2d_run_of(strata_images part, const conv2d_chunks *c)
{
    const uint32_t spans = (part.count + c->images - 1) / c->images;
    return (conv2d_run) { part, spans * c->parts, part.first / c->images * c->parts,
                          part.first % c->images == 0 };
}

uint32_t conv2d_start_of(const conv2d_run *r, const conv2d_chunks *c, bool add)
{
    const bool begins = c->count == 1 ? r->images.first == 0 && !add : r->first;
    return begins ? CONV2D_ZERO : CONV2D_OLD;
}

/* On a GPU lanes share what has many rows: else a few long sums wait for one load after another while most of
 * it is idle. */
static strata_status launch_sum(strata_stream *s, strata_pass pass, const struct conv2d_sum_args *a)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const bool gpu = caps->vulkan && !caps->cpu_type, shared = gpu && a->chunk >= LONG_SUM;
    strata_launch how = { .pass = pass,
                          .variant = "plain",
                          .defines = shared                                    ? "SPLIT=8 STEP=4"
                                     : gpu                                     ? "STEP=4"
                                     : strata_texels(s, a, &conv2d_sum_kernel) ? "TEXEL=1"
                                                                               : "",
                          .split = pass == STRATA_REDUCE ? 0 : a->chunks };
    strata_grid(how.groups, (uint64_t)a->chunks * a->quads, shared ? STRATA_GROUP / 8 : STRATA_GROUP);
    return strata_stream_launch(s, &conv2d_sum_kernel, &how, a);
}

strata_status conv2d_add_chunks(strata_stream *s, const strata_node *n, strata_slice to, uint64_t floats,
                                const conv2d_chunks *c)
{
    const struct conv2d_sum_args a = { .from = strata_slice_part(n->scratch, 0, 4 * floats * c->count),
                                       .to = strata_slice_part(to, 0, 4 * floats),
                                       .rows = c->count,
                                       .quads = (uint32_t)(floats / 4),
                                       .columns = (uint32_t)floats,
                                       .span = c->count,
                                       .parts = 1,
                                       .chunk = c->count,
                                       .chunks = 1,
                                       .start = n->add_param ? CONV2D_OLD : CONV2D_ZERO };
    return launch_sum(s, STRATA_REDUCE, &a);
}

/* ---- Weights -------------------------------------------------------------------------------------- */

/* Enough chunks to keep every core busy; on a processor also so small that what a chunk reads stays in its
 * cache while all its tiles pass over it. */
uint32_t conv2d_weight_chunks(const strata_caps *caps, const strata_node *n, conv2d_variant v)
{
    const conv2d_size z = conv2d_size_of(n);
    const uint64_t rows = (uint64_t)z.taps * z.rows, pixels = (uint64_t)n->out->shape.n * z.pixels;
    const uint32_t cores = caps->cores ? caps->cores : CONV2D_CORES_UNKNOWN;
    const bool gpu = (conv2d_is_tile(v) || v == CONV2D_DEPTHWISE || v == CONV2D_WINDOW) && !caps->cpu_type;
    uint64_t wanted = 1, most = conv2d_most_weight_chunks(n, gpu ? CONV2D_PARTIALS_GPU : CONV2D_PARTIALS);
    if (!caps->vulkan) return 1;                   /* the reference splits over weights */
    if (v == CONV2D_DEPTHWISE && caps->cpu_type) { /* an invocation takes all taps of a quad */
        wanted = (uint64_t)cores * STRIP_GROUPS * STRATA_GROUP / (z.cols / 4) + 1;
    } else if (v == CONV2D_WINDOW) { /* those of a line of taps */
        const uint32_t taps_h = ((const conv2d_options *)n->options)->kernel[0];
        wanted = (uint64_t)cores * WINDOW_LANES / ((uint64_t)taps_h * (z.cols / 4)) + 1;
        most = conv2d_most_window_chunks(n);
    } else if (v == CONV2D_PLAIN || v == CONV2D_DEPTHWISE) {
        wanted = (uint64_t)cores * (gpu ? 4096 : 512) / (rows * z.cols) + 1;
    } else {
        const conv2d_problem p = { .rows = rows, .cols = z.cols };
        const conv2d_tile t = conv2d_weight_tile(caps, v, &p);
        const uint64_t tiles = ((rows + t.rows - 1) / t.rows) * ((z.cols + t.cols - 1) / t.cols);
        wanted = ((gpu ? GPU_GROUPS : 4) * (uint64_t)cores + tiles - 1) / tiles;
        if (gpu && wanted > pixels / 128) wanted = pixels / 128;
    }
    if (caps->cpu_type) {
        uint64_t bytes = strata_tensor_bytes(n->in[0]) + strata_tensor_bytes(n->out);
        if (wanted < bytes / CACHE_BYTES) wanted = bytes / CACHE_BYTES;
    }
    if (most > caps->max_range / (4 * z.floats)) most = caps->max_range / (4 * z.floats);
    if (wanted > most) wanted = most;
    return wanted ? (uint32_t)wanted : 1;
}

/* The window of a launch that takes all rows, here the taps. */
static conv2d_window window_of(const struct conv2d_weight_args *a, uint32_t taps)
{
    if (a->row_begin || a->row_end != taps || a->dilation_w != 1) return (conv2d_window) { 0 };
    const uint32_t strip = conv2d_strip(a->y_w);
    return (conv2d_window) { .taps_h = taps / a->kernel_w,
                             .taps_w = a->kernel_w,
                             .mul_w = a->stride_w,
                             .step_w = 1,
                             .line = a->y_w,
                             .first_w = -a->pad_w,
                             .x_w = a->x_w,
                             .cut = a->y_w % strip || a->chunk % strip || a->span % strip };
}

/* A weight gradient: what its launches share. */
typedef struct weight_sum {
    strata_stream *stream;
    const strata_node *node;
    conv2d_variant variant;
    conv2d_chunks chunks;
    uint32_t along; /* pixels of a round on one line, see pixels_along */
} weight_sum;

/* Of the pixels of a line of y, how many read x by the taps of column t. */
static uint32_t line_under(const strata_node *n, uint32_t t)
{
    const conv2d_options *o = n->options;
    const int64_t stride = o->stride[1], first = (int64_t)t * o->dilation[1] - o->pad[1];
    int64_t begin = first < 0 ? (-first + stride - 1) / stride : 0,
            end = (n->in[0]->shape.w - first + stride - 1) / stride;
    if (end > n->out->shape.w) end = n->out->shape.w;
    return end > begin ? (uint32_t)(end - begin) : 0;
}

/* May kernels for subgroups sum in rounds of 4 pixels that all lie under a tap? So they multiply none of the
 * padding: 31 % of all products with 3 x 3 taps on 4 x 4 pixels, 4 % on 32 x 32. 4: neighbours of a line,
 * where rounds at its end waste an eighth at most. 1: a pixel of 4 images each, which come from memory as
 * eight streams: processors that fetch ahead follow fewer (on a Zen 5, Mesa 22.3, [64,32,32,64] takes 1.33
 * times as long by images as by neighbours, [64,16,16,128] 1.19, [64,8,8,256] 1.11, [64,4,4,512] 0.93). 0:
 * neither, for tiles must be whole and of one tap, chunks whole images, or fours of them. The order of a sum
 * is another in each, so this is asked of all launches at once: bits depend on a device's limits only where
 * it binds fewer than 4 images.
 *   most  images of a launch */
static uint32_t pixels_along(const strata_caps *caps, const weight_sum *g, uint32_t most)
{
    const conv2d_size z = conv2d_size_of(g->node);
    const uint32_t images = g->node->out->shape.n, rows = 4 * caps->subgroup,
                   taps = ((const conv2d_options *)g->node->options)->kernel[1];
    uint64_t pixels = 0, places = 0;
    for (uint32_t t = 0; t < taps; t++) {
        const uint32_t n = line_under(g->node, t);
        pixels += n;
        places += (n + 3) / 4 * 4;
    }
    if (g->variant != CONV2D_SUBGROUP || g->chunks.parts != 1 || z.rows % rows != 0 ||
        (uint64_t)rows * 4 * z.cols > caps->max_range)
        return 0;
    if (8 * (places - pixels) <= pixels) return 4;
    return images % 4 == 0 && (most >= images || most % 4 == 0) && g->chunks.images % 4 == 0;
}

static strata_status launch_weight(const weight_sum *g, struct conv2d_weight_args *a)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(g->stream));
    const conv2d_variant v = g->variant;
    if (v == CONV2D_SUBGROUP && a->start == CONV2D_OLD) a->old_dw = a->dw;
    const uint32_t rows = a->row_end - a->row_begin, cols = 4 * a->y_quads;
    const conv2d_problem p = { .rows = rows,
                               .cols = cols,
                               .products = (double)rows * cols * a->images * a->y_h * a->y_w,
                               .exact = strata_op_wants_exact(strata_stream_forced(g->stream)),
                               .old = a->start == CONV2D_OLD,
                               .apart = g->along > 0,
                               .texel = strata_fits_texels(caps, a->x) && strata_fits_texels(caps, a->dy) &&
                                        strata_fits_texels(caps, a->old_dw),
                               .ragged = a->depth % 4 != 0 || a->groups * a->width % 4 != 0,
                               .window = window_of(a, conv2d_size_of(g->node).taps) };
    const conv2d_tile t = conv2d_weight_tile(caps, v, &p);
    strata_launch how = {
        .pass = STRATA_BACKWARD_W, .variant = conv2d_variants[v], .defines = t.defines, .split = a->chunks
    };
    conv2d_tile_grid(how.groups, &t, t.strips ? t.shares : rows, cols, a->chunks);
    return strata_stream_launch(g->stream, &conv2d_weight_kernel, &how, a);
}

/* Rows [begin, end) of one run of images, in pieces that a device binds. */
static strata_status weight_rows(const weight_sum *g, struct conv2d_weight_args a, uint64_t begin,
                                 uint64_t end)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(g->stream));
    const conv2d_size z = conv2d_size_of(g->node);
    const strata_slice dw = a.dw;
    const bool all = begin == 0 && end == (uint64_t)z.taps * z.rows;
    uint64_t most = end - begin;
    if ((all ? dw.bytes : 4 * most * z.cols) > caps->max_range) {
        /* 16 rows of at least 16 bytes are a multiple of STRATA_ALIGN. */
        const uint64_t tile = g->along ? 4 * caps->subgroup : 16,
                       unit = z.groups == 1 ? tile : 16 * (uint64_t)z.rows;
        most = caps->max_range / (4 * (uint64_t)z.cols) / unit * unit;
    }
    if (most == 0)
        return strata_fail(STRATA_BAD_ARG, "%s: 16 rows of its weights are above the %llu bytes of a binding",
                           g->node->name, (unsigned long long)caps->max_range);
    for (uint64_t r = begin; r < end; r += most) {
        a.row_begin = (uint32_t)r;
        a.row_end = (uint32_t)(end - r < most ? end : r + most);
        if (!all || most < end)
            a.dw = strata_slice_part(dw, 4 * r * z.cols, 4 * (uint64_t)(a.row_end - r) * z.cols);
        STRATA_TRY(launch_weight(g, &a));
    }
    return STRATA_OK;
}

/* One run of images. Where the gradient is written at once, the rows of taps that lie in the padding for
 * every pixel are written without a look at any. */
static strata_status weight_taps(const weight_sum *g, const struct conv2d_weight_args *a)
{
    const conv2d_size z = conv2d_size_of(g->node);
    const bool aligned = (uint64_t)z.rows * z.cols % (STRATA_ALIGN / 4) == 0,
               trims = g->chunks.count == 1 && aligned;
    uint32_t h[2], w[2];
    conv2d_live_taps(h, g->node, 0);
    conv2d_live_taps(w, g->node, 1);
    for (uint32_t t = 0, end; t < z.taps; t = end) {
        bool live = true, same = true;
        for (end = t; end < z.taps && same; end += same) {
            const uint32_t r = end / a->kernel_w, q = end % a->kernel_w;
            const bool touches = !trims || (r >= h[0] && r < h[1] && q >= w[0] && q < w[1]);
            if (end == t) live = touches;
            same = touches == live;
        }
        struct conv2d_weight_args b = *a;
        if (!live && b.start == CONV2D_OLD) continue;
        if (!live) b.span = b.chunk = 0;
        STRATA_TRY(weight_rows(g, b, (uint64_t)t * z.rows, (uint64_t)end * z.rows));
    }
    return STRATA_OK;
}

strata_status conv2d_backward_w(strata_stream *s, const strata_node *n)
{
    const conv2d_options *o = n->options;
    const conv2d_size z = conv2d_size_of(n);
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const strata_shape x = n->in[0]->shape, y = n->out->shape;
    const conv2d_variant v = strata_op_variant(s, n, STRATA_BACKWARD_W);
    if (v == CONV2D_WINOGRAD) return conv2d_winograd_backward_w(s, n);
    if (v == CONV2D_WINOGRAD2) return conv2d_winograd2_backward_w(s, n);
    const conv2d_chunks c = conv2d_cut(y.n, z.pixels, conv2d_weight_chunks(caps, n, v), CONV2D_GRAIN);
    const strata_slice whole = n->param[CONV2D_WEIGHT]->grad, to = c.count == 1 ? whole : n->scratch;
    uint32_t most = 0;
    STRATA_TRY(strata_images_per_launch(&most, s, n));
    most = conv2d_fit_to_chunks(most, y.n, &c);
    weight_sum g = { s, n, v, c, 0 };
    g.along = pixels_along(caps, &g, most);
    for (strata_images part = { 0 }; strata_images_next(&part, y.n, most);) {
        const conv2d_run run = conv2d_run_of(part, &c);
        struct conv2d_weight_args a = {
            .x = strata_images_of(n->in[0]->data, x, part),
            .dy = strata_images_of(n->out->grad, y, part),
            .dw = strata_slice_part(to, 0, 4 * z.floats * c.count),
            .images = part.count,
            .x_h = x.h,
            .x_w = x.w,
            .x_quads = z.to_cols / 4,
            .y_h = y.h,
            .y_w = y.w,
            .y_quads = z.cols / 4,
            .stride_h = (int32_t)o->stride[0],
            .stride_w = (int32_t)o->stride[1],
            .pad_h = (int32_t)o->pad[0],
            .pad_w = (int32_t)o->pad[1],
            .dilation_h = (int32_t)o->dilation[0],
            .dilation_w = (int32_t)o->dilation[1],
            .kernel_w = o->kernel[1],
            .groups = z.groups,
            .depth = z.depth,
            .width = z.width,
            .span = c.span,
            .parts = c.parts,
            .chunk = c.chunk,
            .chunks = run.chunks,
            .chunk_first = run.chunk_first,
            .start = conv2d_start_of(&run, &c, n->add_param),
            .along = g.along,
        };
        STRATA_TRY(weight_taps(&g, &a));
    }
    return c.count == 1 ? STRATA_OK : conv2d_add_chunks(s, n, whole, z.floats, &c);
}

/* ---- Biases ---------------------------------------------------------------------------------------- */

strata_status conv2d_backward_bias(strata_stream *s, const strata_node *n)
{
    const conv2d_size z = conv2d_size_of(n);
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const strata_shape y = n->out->shape;
    const uint64_t room = caps->max_range / (4 * (uint64_t)z.cols);
    uint32_t wanted = caps->vulkan ? conv2d_most_bias_chunks(n) : 1;
    if (wanted > room) wanted = room ? (uint32_t)room : 1;
    const conv2d_chunks c = conv2d_cut(y.n, z.pixels, wanted, CONV2D_GRAIN);
    const strata_slice whole = n->param[CONV2D_BIAS]->grad, to = c.count == 1 ? whole : n->scratch;
    uint32_t most = 0;
    STRATA_TRY(strata_images_per_launch(&most, s, n));
    most = conv2d_fit_to_chunks(most, y.n, &c);
    for (strata_images part = { 0 }; strata_images_next(&part, y.n, most);) {
        const conv2d_run run = conv2d_run_of(part, &c);
        const struct conv2d_sum_args a = { .from = strata_images_of(n->out->grad, y, part),
                                           .to = strata_slice_part(to, 0, 4 * (uint64_t)z.cols * c.count),
                                           .rows = part.count * z.pixels,
                                           .quads = z.cols / 4,
                                           .columns = y.c,
                                           .span = c.span,
                                           .parts = c.parts,
                                           .chunk = c.chunk,
                                           .chunks = run.chunks,
                                           .chunk_first = run.chunk_first,
                                           .start = conv2d_start_of(&run, &c, n->add_param) };
        STRATA_TRY(launch_sum(s, STRATA_BACKWARD_STATS, &a));
    }
    return c.count == 1 ? STRATA_OK : conv2d_add_chunks(s, n, whole, z.cols, &c);
}

strata_status conv2d_backward(strata_stream *s, const strata_node *n)
{
    const conv2d_options *o = n->options;
    const strata_param *bias = n->param[CONV2D_BIAS];
    const bool w = n->param[CONV2D_WEIGHT]->grad.block, b = bias && bias->grad.block,
               x = n->in[0]->grad.block;
    if (o->relu && (w || b || x)) STRATA_TRY(strata_relu_mask(s, n));
    if (w) STRATA_TRY(conv2d_backward_w(s, n));
    if (b) STRATA_TRY(conv2d_backward_bias(s, n));
    if (x) STRATA_TRY(conv2d_backward_x(s, n));
    return STRATA_OK;
}

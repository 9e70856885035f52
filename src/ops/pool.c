#include "ops/pool.h"

#include <stdio.h>
#include <string.h>

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

/* ---- Launches -------------------------------------------------------------------------------------- */

enum {
    MOST_TAPS = 64,         /* of a window, and pixels of a block, that are written out */
    MOST_STRIP = 4,         /* outputs of an invocation that share what they read */
    MOST_STORES = 8,        /* that an invocation writes out lane by lane: more take long to compile */
    MOST_BY_ADDRESS = 16,   /* of stores by address */
    LEAST_GROUPS = 64,      /* workgroups that keep all cores busy */
    MUCH_STORED = 128 << 10 /* floats, from which on such stores make up for the time to compile them */
};

/* What one launch goes through. */
typedef struct pool_grid {
    uint32_t block[2]; /* pixels of an invocation, height and width */
    strata_shape shape;
    uint32_t taps[2], over[2]; /* of a window, and of an adaptive pool: windows over a pixel; at most */
    bool written, global;
    uint32_t lanes, each; /* 0: the driver's own stores; else subgroups of so many, `each` times over */
    uint32_t subgroups;   /* of a workgroup */
} pool_grid;

static bool any_half(const strata_node *n) { return n->in[0]->half || n->out->half; }

static uint32_t most_stores(const strata_caps *caps)
{
    return strata_by_address(caps) ? MOST_BY_ADDRESS : MOST_STORES;
}

/* The stores of shaders/lane_stores.glsl want whole subgroups, in a backward pass whole blocks and a
 * subgroup on one line of them. They pay with the widest vectors: at 256 bits most take longer. */
static void choose_stores(pool_grid *g, const strata_caps *caps, const pool_pass *p)
{
    const bool back = p->pass == STRATA_BACKWARD;
    const strata_shape from = back ? p->node->in[0]->shape : g->shape;
    const uint32_t lanes = strata_store_lanes(caps), quads = strata_lanes(g->shape.c) / 4;
    const uint32_t outputs = p->pass == STRATA_FORWARD && p->places ? 2 : 1;
    const uint32_t stores = g->block[0] * g->block[1];
    const uint32_t taps = back ? g->over[0] * g->over[1] : g->taps[0] * g->taps[1];
    const uint64_t groups = lanes ? strata_pixels(g->shape) * quads / lanes : 0;
    g->lanes = 0;
    if (lanes != 16 || !g->written || any_half(p->node) || stores > most_stores(caps)) return;
    if (strata_shape_floats(from) * (back ? 1 : stores) < MUCH_STORED ||
        strata_pixels(g->shape) * quads % lanes)
        return;
    if (stores > 1 && ((lanes % quads && quads % lanes) || (uint64_t)g->shape.w * quads % lanes ||
                       (back && (from.h % g->block[0] || from.w % g->block[1]))))
        return;
    g->each = most_stores(caps) / (stores * outputs);
    while (g->each > 1 && (groups % g->each || groups / g->each < LEAST_GROUPS || g->each * taps > MOST_TAPS))
        g->each /= 2;
    const uint64_t parts = groups / g->each; /* what a subgroup takes */
    if (parts > STRATA_MAX_GROUPS) return;
    g->lanes = lanes;
    g->subgroups = strata_subgroups(caps, parts, 1);
}

/* Of windows [floor(o in / out), ceil((o + 1) in / out)) the most taps. With in and out in each other's place
 * these are the windows over a pixel. */
static uint32_t most_taps(uint32_t in, uint32_t out)
{
    uint32_t most = 0;
    for (uint64_t o = 0; o < out; o++) {
        const uint64_t taps = ((o + 1) * in + out - 1) / out - o * in / out;
        if (taps > most) most = (uint32_t)taps;
    }
    return most;
}

/* Outputs of a forward pass that an invocation takes, one below the other. */
static uint32_t strip_of(const strata_caps *caps, strata_shape out, const pool_grid *g, uint32_t stride)
{
    const uint32_t lanes = strata_store_lanes(caps), quads = strata_lanes(out.c) / 4;
    uint32_t strip = MOST_STRIP;
    if (g->taps[0] <= stride) return 1;                     /* their windows share nothing */
    if (lanes && (uint64_t)out.w * quads % lanes) return 1; /* a workgroup would not stay on a line */
    while (strip > 1 && (out.h % strip || ((strip - 1) * stride + g->taps[0]) * g->taps[1] > MOST_TAPS))
        strip /= 2;
    return strip;
}

static void cut_grid(pool_grid *g, const strata_caps *caps, const pool_pass *p, uint32_t images)
{
    g->shape = p->pass == STRATA_BACKWARD ? p->node->in[0]->shape : p->node->out->shape;
    g->shape.n = images;
    g->shape.h = (g->shape.h + g->block[0] - 1) / g->block[0];
    g->shape.w = (g->shape.w + g->block[1] - 1) / g->block[1];
    choose_stores(g, caps, p);
}

/* Where windows overlap, blocks beside each other share what they read: an invocation takes as many as come
 * out even. */
static void join_blocks(pool_grid *g, const strata_caps *caps, strata_shape in, const pool_windows *w)
{
    const uint32_t quads = strata_lanes(in.c) / 4;
    for (int turn = 0; turn < 4; turn++) {
        const int i = 1 - turn % 2;
        const uint32_t twice = 2 * g->block[i], size = i ? in.w : in.h;
        if (w->kernel[i] <= w->stride[i] || size % twice) continue;
        if (2 * g->block[0] * g->block[1] > most_stores(caps)) return;
        if (i == 0 || size / twice * quads % g->lanes == 0) g->block[i] = twice;
    }
}

/* All pixels of an image share its global window: an invocation takes as many as come out even. */
static void share_window(pool_grid *g, const strata_caps *caps, strata_shape in)
{
    const uint32_t quads = strata_lanes(in.c) / 4, most = most_stores(caps);
    uint32_t best[2] = { 1, 1 };
    for (uint32_t h = 1; h <= most; h++)
        for (uint32_t w = 1; w * h <= most; w++) {
            if (in.h % h || in.w % w || in.w / w * quads % g->lanes || h * w <= best[0] * best[1]) continue;
            best[0] = h;
            best[1] = w;
        }
    memcpy(g->block, best, sizeof best);
}

static pool_grid grid_of(const strata_caps *caps, const pool_pass *p, uint32_t images)
{
    const strata_shape in = p->node->in[0]->shape, out = p->node->out->shape;
    const pool_windows *w = &p->windows;
    const bool back = p->pass == STRATA_BACKWARD;
    pool_grid g = { .block = { 1, 1 }, .global = w->adaptive && out.h == 1 && out.w == 1 };
    for (int i = 0; i < 2; i++) {
        const uint32_t from = i ? in.w : in.h, to = i ? out.w : out.h;
        g.taps[i] = w->adaptive ? most_taps(from, to) : w->kernel[i];
        g.over[i] = w->adaptive ? most_taps(to, from) : 1;
        if (back && !w->adaptive) g.block[i] = w->stride[i];
    }
    if (!back && !w->adaptive) g.block[0] = strip_of(caps, out, &g, w->stride[0]);
    g.written = caps->cpu_type && w->dilation[0] == 1 && w->dilation[1] == 1 &&
                ((back && w->adaptive) || (uint64_t)g.taps[0] * g.taps[1] <= MOST_TAPS) &&
                (uint64_t)g.over[0] * g.over[1] * g.block[0] * g.block[1] <= MOST_TAPS;
    if (!g.written) g.block[0] = g.block[1] = 1;
    cut_grid(&g, caps, p, images);
    if (back && g.lanes && (g.global || !w->adaptive)) {
        if (g.global)
            share_window(&g, caps, in);
        else
            join_blocks(&g, caps, in, w);
        cut_grid(&g, caps, p, images);
    }
    return g;
}

/* Does no window reach over the edge of an input with so much padding? */
static bool all_inside(const pool_pass *p, const uint32_t pad[2])
{
    const strata_shape in = p->node->in[0]->shape, out = p->node->out->shape;
    const pool_windows *w = &p->windows;
    return !w->adaptive && w->pad[0] <= pad[0] && w->pad[1] <= pad[1] &&
           (uint64_t)(out.h - 1) * w->stride[0] + w->kernel[0] <= (uint64_t)in.h + w->pad[0] + pad[0] &&
           (uint64_t)(out.w - 1) * w->stride[1] + w->kernel[1] <= (uint64_t)in.w + w->pad[1] + pad[1];
}

typedef struct pool_defines {
    char s[256];
} pool_defines;

static pool_defines defines_of(const strata_caps *caps, const pool_pass *p, const pool_grid *g, bool texel)
{
    const pool_windows *w = &p->windows;
    const uint32_t none[2] = { 0 };
    char strip[40] = "", over[40] = "", window[136], grid[48] = "", lanes[STRATA_SUBGROUP_DEFINES + 32] = "";
    pool_defines d;
    if (g->global)
        snprintf(over, sizeof over, "GLOBAL=1 ");
    else if (w->adaptive)
        snprintf(over, sizeof over, "ADAPTIVE=1 OVER_H=%u OVER_W=%u ", g->over[0], g->over[1]);
    if (g->written)
        snprintf(window, sizeof window,
                 "%sKERNEL_H=%u KERNEL_W=%u STRIDE_H=%u STRIDE_W=%u PAD_H=%u PAD_W=%u%s", over, g->taps[0],
                 g->taps[1], w->stride[0], w->stride[1], w->pad[0], w->pad[1],
                 all_inside(p, none)                      ? " WHOLE=1"
                 : p->count_pads && all_inside(p, w->pad) ? " WHOLE=2"
                                                          : "");
    else if (w->adaptive)
        snprintf(window, sizeof window, "ADAPTIVE=1 GLOBAL=%d", g->global);
    else
        snprintf(window, sizeof window, "ADAPTIVE=0 STRIDE_H=%u STRIDE_W=%u DILATION_H=%u DILATION_W=%u",
                 w->stride[0], w->stride[1], w->dilation[0], w->dilation[1]);
    if (caps->cpu_type)
        snprintf(grid, sizeof grid, " GRID_H=%u GRID_W=%u QUADS=%u", g->shape.h, g->shape.w,
                 strata_lanes(g->shape.c) / 4);
    if (p->pass != STRATA_BACKWARD && g->written && g->block[0] > 1)
        snprintf(strip, sizeof strip, " STRIP=%u", g->block[0]);
    if (p->pass == STRATA_BACKWARD && g->written && (g->global || !w->adaptive))
        snprintf(strip, sizeof strip, " BLOCKS_H=%u BLOCKS_W=%u", g->block[0] / w->stride[0],
                 g->block[1] / w->stride[1]);
    if (g->lanes) {
        const uint32_t n = strata_subgroup_defines(lanes, caps, true);
        snprintf(lanes + n, sizeof lanes - n, " SUBGROUPS=%u EACH=%u ", g->subgroups, g->each);
    }
    snprintf(d.s, sizeof d.s, "%s%s ADD_DX=%d%s%s%s", lanes, window,
             p->pass == STRATA_BACKWARD && p->node->add_in[0], texel ? " TEXEL=1" : "", grid, strip);
    return d;
}

strata_status pool_launch(strata_stream *s, const strata_kernel *kernel, const pool_pass *p, uint32_t images,
                          const void *args)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const pool_grid g = grid_of(caps, p, images);
    const pool_defines defines = defines_of(caps, p, &g, strata_texels(s, args, kernel));
    strata_launch how = { .pass = p->pass, .variant = "plain", .defines = defines.s };
    strata_grid(how.groups, (uint64_t)images * strata_image_quads(g.shape),
                g.lanes ? g.lanes * g.each * g.subgroups : STRATA_GROUP);
    return strata_stream_launch(s, kernel, &how, args);
}

/* ---- Shapes ------------------------------------------------------------------------------------------ */

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

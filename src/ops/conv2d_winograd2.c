/* Convolutions of 3 x 3 windows by Winograd's F(2x2,3x3), all passes, for GPUs: one kernel transforms what it
 * reads, multiplies at the 16 points and transforms back, with all of it in registers and shared memory. A
 * product does the work of 2.25 of a direct sum, where F(4x4,3x3) has 4 but moves every number at its 36
 * points through memory: this is for few channels, for which that takes longer than the products.
 *
 * Kernels: shaders/winograd2.comp, winograd2_weight.comp.  References: src/cpu/ of the same names. */
#include "ops/conv2d.h"

#include <stdio.h>

#include "winograd2.args.h"
#include "winograd2_weight.args.h"

enum { /* of the shaders */
       POINTS = 16,
       ROUND = 8,   /* terms of a sum: channels, or tiles */
       LINE = 8,    /* quads: the columns of a workgroup, or its rows where they are channels */
       TILES = 32,  /* its rows where they are tiles */
       BLOCK = 8,   /* rows and columns of an invocation */
       GROUP = 256, /* invocations */
       SHARED = 2 * ROUND * POINTS * LINE * 16 /* bytes */
};
enum {
    GROUPS = 4,       /* of a weight gradient, for a core: some two are there at once */
    LEAST_TILES = 128 /* of one of those groups: 16 rounds for each time that it transforms back */
};

static uint32_t ceiling(uint64_t a, uint64_t b) { return (uint32_t)((a + b - 1) / b); }

/* Rows and columns of the transformed weights, in rounds and panels, and tiles of an image. */
typedef struct winograd2 {
    strata_shape from, to; /* x and y in FORWARD and BACKWARD_W, dy and dx in BACKWARD_X */
    uint32_t from_quads, to_quads, rows, panels, tiles_h, tiles_w;
    uint64_t u_bytes;
} winograd2;

static winograd2 winograd2_of(const strata_node *n, strata_pass pass)
{
    const bool back = pass == STRATA_BACKWARD_X;
    const strata_shape x = n->in[0]->shape, y = n->out->shape;
    winograd2 g = { .from = back ? y : x, .to = back ? x : y };
    g.from_quads = strata_lanes(g.from.c) / 4;
    g.to_quads = strata_lanes(g.to.c) / 4;
    g.rows = ROUND * ceiling(4 * g.from_quads, ROUND);
    g.panels = ceiling(g.to_quads, LINE);
    g.tiles_h = ceiling(g.to.h, 2);
    g.tiles_w = ceiling(g.to.w, 2);
    g.u_bytes = (uint64_t)g.panels * g.rows * POINTS * LINE * 16;
    return g;
}

/* Enough chunks of tiles to keep every core busy. */
static uint32_t chunks_of(const strata_caps *caps, const strata_node *n, const winograd2 *g)
{
    const uint64_t bytes = 4 * conv2d_size_of(n).floats, tiles = (uint64_t)g->to.n * g->tiles_h * g->tiles_w;
    const uint64_t groups = (uint64_t)ceiling(g->from_quads, LINE) * g->panels;
    uint64_t wanted = ceiling(GROUPS * (uint64_t)(caps->cores ? caps->cores : CONV2D_CORES_UNKNOWN), groups);
    uint64_t most = conv2d_most_weight_chunks(n, CONV2D_PARTIALS_GPU);
    if (!caps->vulkan) return 1;
    if (most > caps->max_range / bytes) most = caps->max_range / bytes;
    if (wanted > tiles / LEAST_TILES) wanted = tiles / LEAST_TILES;
    if (wanted > most) wanted = most;
    return wanted ? (uint32_t)wanted : 1;
}

/* All passes or none: transformed weights, there and back, are bound at once, and larger than a gradient. */
bool conv2d_winograd2_admits(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    if (!conv2d_suits_winograd(n, pass)) return false;
    const winograd2 there = winograd2_of(n, STRATA_FORWARD), back = winograd2_of(n, STRATA_BACKWARD_X);
    return there.u_bytes <= caps->max_range && back.u_bytes <= caps->max_range &&
           there.panels <= STRATA_MAX_GROUPS && back.panels <= STRATA_MAX_GROUPS &&
           (!caps->vulkan || (caps->max_group >= GROUP && caps->shared_bytes >= SHARED));
}

/* Is it the faster way, before any measurement, where F(4x4,3x3) is not? That has too few matrices for weight
 * gradients of few channels: of 64 an H100 takes those of 16, 32, 56 and 80 pixels a side, batch 64, in 0.73,
 * 0.91, 0.92 and 0.93 of the time of tile128x64, of 48 in 1.10, of 128 in 1.0 (tests/bench/conv_bench.c). On
 * no other pass is it the fastest there, and no other GPU was measured; --tune finds out. */
bool conv2d_winograd2_pays(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    const uint32_t c = n->in[0]->shape.c, to = n->out->shape.c;
    return pass == STRATA_BACKWARD_W && caps->driver_id == CONV2D_NVIDIA &&
           caps->cores >= CONV2D_MANY_CORES && c > 48 && c <= 64 && to > 48 && to <= 64 &&
           conv2d_winograd2_admits(caps, n, pass);
}

uint64_t conv2d_winograd2_scratch(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    if (!conv2d_suits_winograd(n, pass)) return 0;
    const winograd2 g = winograd2_of(n, pass);
    if (pass != STRATA_BACKWARD_W) return g.u_bytes;
    const uint32_t chunks = caps->vulkan ? chunks_of(caps, n, &g)
                                         : conv2d_most_weight_chunks(n, CONV2D_PARTIALS_GPU);
    return chunks > 1 ? 4 * conv2d_size_of(n).floats * chunks : 0;
}

/* ---- Launches ------------------------------------------------------------------------------------ */

static strata_status launch(strata_stream *s, const struct winograd2_args *a, strata_pass pass,
                            const uint32_t groups[3], uint32_t split)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const bool sums_tiles = pass == STRATA_BACKWARD_W;
    const bool ragged = sums_tiles ? a->depth % (4 * LINE) || a->width % (4 * LINE) : a->depth % ROUND;
    const char *const ending = conv2d_ending(a->table.block, a->z.block, a->start & CONV2D_RELU);
    char defines[80];
    snprintf(defines, sizeof defines, "GROUP=%u%s%s%s%s", GROUP, ragged ? " RAGGED=1" : "",
             conv2d_rolls(caps, BLOCK) ? " ROLLED=1" : "", *ending ? " " : "", ending);
    const strata_launch how = { .pass = pass,
                                .variant = conv2d_variants[CONV2D_WINOGRAD2],
                                .defines = defines,
                                .groups = { groups[0], groups[1], groups[2] },
                                .split = split };
    return strata_stream_launch(s, &winograd2_kernel, &how, a);
}

/* The weights of a node at the points, in the scratch. */
static strata_status transform_weights(strata_slice *u, strata_stream *s, const strata_node *n,
                                       strata_pass pass, const winograd2 *g)
{
    const conv2d_size z = conv2d_size_of(n);
    const struct winograd2_weight_args a = { .w = strata_param_read(n->param[CONV2D_WEIGHT], z.floats),
                                             .u = strata_slice_part(n->scratch, 0, g->u_bytes),
                                             .rows = g->rows,
                                             .panels = g->panels,
                                             .row_end = 4 * g->from_quads,
                                             .quads = g->to_quads,
                                             .w_rows = z.rows,
                                             .w_quads = z.cols / 4 };
    strata_launch how = { .pass = pass, .variant = conv2d_variants[CONV2D_WINOGRAD2], .defines = "" };
    strata_grid(how.groups, (uint64_t)g->panels * g->rows * LINE, STRATA_GROUP);
    *u = a.u;
    return strata_stream_launch(s, &winograd2_weight_kernel, &how, &a);
}

/* What all launches of a pass share, but for the tensors. */
static struct winograd2_args args_of(const winograd2 *g, int32_t pad_h, int32_t pad_w)
{
    return (struct winograd2_args) { .tiles_h = g->tiles_h,
                                     .tiles_w = g->tiles_w,
                                     .x_h = g->from.h,
                                     .x_w = g->from.w,
                                     .x_quads = g->from_quads,
                                     .y_h = g->to.h,
                                     .y_w = g->to.w,
                                     .y_quads = g->to_quads,
                                     .pad_h = pad_h,
                                     .pad_w = pad_w,
                                     .depth = g->from.c,
                                     .width = g->to.c,
                                     .span = 1,
                                     .parts = 1,
                                     .chunk = 1 };
}

/* All images, as many at a time as bind. `a` has the whole tensors, and how sums begin and end. */
static strata_status record(strata_stream *s, const strata_node *n, strata_pass pass, const winograd2 *g,
                            struct winograd2_args a)
{
    const strata_slice from = a.x, to = a.to, z = a.z;
    uint32_t most = 0;
    STRATA_TRY(transform_weights(&a.by, s, n, pass, g));
    STRATA_TRY(strata_images_per_launch(&most, s, n));
    for (strata_images part = { 0 }; strata_images_next(&part, g->to.n, most);) {
        const uint64_t tiles = (uint64_t)part.count * g->tiles_h * g->tiles_w;
        uint32_t groups[3];
        strata_grid(groups, tiles, TILES);
        groups[2] = g->panels;
        a.x = strata_images_of(from, g->from, part);
        a.to = strata_images_of(to, g->to, part);
        a.z = strata_images_of(z, g->to, part);
        a.images = part.count;
        STRATA_TRY(launch(s, &a, pass, groups, 0));
    }
    return STRATA_OK;
}

/* ---- Passes -------------------------------------------------------------------------------------- */

strata_status conv2d_winograd2_forward(strata_stream *s, const strata_node *n)
{
    const conv2d_options *o = n->options;
    const strata_param *bias = n->param[CONV2D_BIAS];
    const winograd2 g = winograd2_of(n, STRATA_FORWARD);
    struct winograd2_args a = args_of(&g, (int32_t)o->pad[0], (int32_t)o->pad[1]);
    if (bias) a.bias = bias->data, a.start = CONV2D_BIASED;
    if (o->relu) a.start |= CONV2D_RELU;
    if (n->n_in > 1) a.z = n->in[1]->data;
    a.table = n->kept[CONV2D_TABLE];
    a.x = n->in[0]->data, a.to = n->out->data;
    return record(s, n, STRATA_FORWARD, &g, a);
}

strata_status conv2d_winograd2_backward_x(strata_stream *s, const strata_node *n)
{
    const conv2d_options *o = n->options;
    const winograd2 g = winograd2_of(n, STRATA_BACKWARD_X);
    struct winograd2_args a = args_of(&g, 2 - (int32_t)o->pad[0], 2 - (int32_t)o->pad[1]);
    a.start = n->add_in[0] ? CONV2D_OLD : CONV2D_ZERO;
    a.x = n->out->grad, a.to = n->in[0]->grad;
    return record(s, n, STRATA_BACKWARD_X, &g, a);
}

strata_status conv2d_winograd2_backward_w(strata_stream *s, const strata_node *n)
{
    const conv2d_options *o = n->options;
    const winograd2 g = winograd2_of(n, STRATA_BACKWARD_W);
    const uint64_t floats = conv2d_size_of(n).floats;
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const conv2d_chunks c = conv2d_cut(g.to.n, g.tiles_h * g.tiles_w, chunks_of(caps, n, &g), ROUND);
    const strata_slice whole = n->param[CONV2D_WEIGHT]->grad;
    struct winograd2_args a = args_of(&g, (int32_t)o->pad[0], (int32_t)o->pad[1]);
    a.span = c.span, a.parts = c.parts, a.chunk = c.chunk;
    a.to = strata_slice_part(c.count == 1 ? whole : n->scratch, 0, 4 * floats * c.count);
    uint32_t most = 0;
    STRATA_TRY(strata_images_per_launch(&most, s, n));
    most = conv2d_fit_to_chunks(most, g.to.n, &c);
    for (strata_images part = { 0 }; strata_images_next(&part, g.to.n, most);) {
        const conv2d_run run = conv2d_run_of(part, &c);
        a.x = strata_images_of(n->in[0]->data, g.from, part);
        a.by = strata_images_of(n->out->grad, g.to, part);
        a.images = part.count;
        a.chunk_first = run.chunk_first;
        a.start = conv2d_start_of(&run, &c, n->add_param);
        const uint32_t groups[3] = { ceiling(g.from_quads, LINE), g.panels, run.chunks };
        STRATA_TRY(launch(s, &a, STRATA_BACKWARD_W, groups, run.chunks));
    }
    return c.count == 1 ? STRATA_OK : conv2d_add_chunks(s, n, whole, floats, &c);
}

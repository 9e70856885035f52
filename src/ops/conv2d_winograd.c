/* Convolutions of 3 x 3 windows by Winograd's F(4x4,3x3), all passes: 36 products of matrices with transforms
 * before and after. It needs a fourth of the multiplications and makes errors four to six times as large (a
 * relative root of mean squares of 1.6e-6 to 6.8e-6 at 64 to 512 channels, where direct sums have 4e-7 to
 * 1.1e-6).
 *
 * Transformed inputs, products and transformed weights lie in the scratch. It is kept small, and in a
 * processor's cache, by runs of some hundred tiles of 4 x 4 pixels; a tile's numbers do not depend on its
 * run.
 *
 * Kernels: shaders/winograd_input.comp, winograd_weight.comp, winograd_product.comp, winograd_output.comp.
 * References: src/cpu/ of the same names. */
#include <stdio.h>

#include "ops/conv2d.h"

#include "winograd_input.args.h"
#include "winograd_output.args.h"
#include "winograd_product.args.h"
#include "winograd_weight.args.h"

enum {
    POINTS = 36,
    QUAD = 16,                /* bytes */
    RUN_BYTES = 10 << 20,     /* of transformed inputs and products together; half and double are as fast */
    RUN_BYTES_GPU = 32 << 20, /* as many as keep its cores busy; the largest have such caches */
    PANEL = 16,               /* quads of the widest panel of weights; their room is for this one */
    ROWS = 4 * PANEL,         /* the highest tile of the product */
};

/* What a pass of a node is made of. `from` is what is read in windows, `to` is what lies in tiles: x and y in
 * FORWARD, dy and dx in BACKWARD_X, x and dy in BACKWARD_W. */
typedef struct winograd {
    strata_shape from, to;
    int32_t pad[2]; /* how far the first window reaches over the edge of `from` */
    uint32_t from_quads, to_quads;
    uint32_t tiles_h, tiles_w;       /* of an image */
    uint32_t run;                    /* tiles at most; 0: this device cannot */
    uint32_t panel;                  /* quads of a panel of weights */
    uint32_t v_step, m_step, u_step; /* quads from one point to the next */
    uint64_t v_at, m_at, u_at, end;  /* bytes in the scratch */
} winograd;

/* The subgroups of a device that the fast product is for; 0: none. */
static uint32_t lanes_of(const strata_caps *caps)
{
    const uint32_t n = caps->vulkan && caps->cpu_type ? caps->subgroup : 0;
    return n == 4 || n == 8 || n == 16 ? n : 0;
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t round_up(uint64_t n, uint64_t unit) { return (n + unit - 1) / unit * unit; }

/* An odd number of lines of 64 bytes: 36 streams that are powers of two apart would meet in the same lines of
 * a cache. */
static uint64_t apart(uint64_t quads) { return ((quads + 3) / 4 | 1) * 4; }

/* Quads at one point that a device may bind of all; `apart` takes up to 7, and a subgroup may store up to 15
 * behind the last. */
static uint64_t room_of(const strata_caps *caps)
{
    const uint64_t most = caps->max_range / (POINTS * QUAD), spare = 7 + PANEL - 1;
    return most < spare ? 0 : most - spare;
}

/* Quads of `rows` rows, and of those up to a whole tile of the product where there is room: it may write
 * them. */
static uint64_t with_room(uint64_t rows, uint64_t quads, const strata_caps *caps)
{
    const uint64_t all = round_up(rows, ROWS) * quads;
    return all <= room_of(caps) ? all : rows * quads;
}

/* Tiles of a run: as many as memory allows, in whole workgroups of the product if there are that many. */
static uint64_t tiles_of_run(const winograd *g, const strata_caps *caps)
{
    const uint64_t bytes = lanes_of(caps) ? RUN_BYTES : RUN_BYTES_GPU, line = POINTS * QUAD;
    const uint64_t all = (uint64_t)g->to.n * g->tiles_h * g->tiles_w;
    const uint32_t widest = g->from_quads > g->to_quads ? g->from_quads : g->to_quads;
    uint64_t run = least(bytes / (line * (g->from_quads + g->to_quads)), all);
    if (run < ROWS) run = least(ROWS, all);
    run = least(run, room_of(caps) / widest);
    return run > ROWS && run < all ? run - run % ROWS : run;
}

static winograd winograd_of(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    const conv2d_options *o = n->options;
    const strata_shape x = n->in[0]->shape, y = n->out->shape;
    const uint32_t lanes = lanes_of(caps);
    winograd g = { .from = x, .to = y, .pad = { (int32_t)o->pad[0], (int32_t)o->pad[1] } };
    if (pass == STRATA_BACKWARD_X)
        g = (winograd) { .from = y, .to = x, .pad = { 2 - (int32_t)o->pad[0], 2 - (int32_t)o->pad[1] } };
    g.from_quads = strata_lanes(g.from.c) / 4;
    g.to_quads = strata_lanes(g.to.c) / 4;
    g.tiles_h = (g.to.h + 3) / 4;
    g.tiles_w = (g.to.w + 3) / 4;
    g.panel = lanes ? lanes : PANEL;
    const uint64_t run = tiles_of_run(&g, caps);
    const uint64_t v_step = apart(round_up(run * g.from_quads, PANEL)),
                   m_step = apart(round_up(with_room(run, g.to_quads, caps), PANEL)),
                   u_step = apart(with_room(4 * (uint64_t)g.from_quads, round_up(g.to_quads, PANEL), caps)),
                   line = POINTS * QUAD;
    if (line * u_step > caps->max_range || line * u_step > INT32_MAX) return g;
    g.run = (uint32_t)run;
    g.v_step = (uint32_t)v_step, g.m_step = (uint32_t)m_step, g.u_step = (uint32_t)u_step;
    g.m_at = strata_align(line * v_step);
    g.u_at = strata_align(g.m_at + line * m_step);
    g.end = g.u_at + line * u_step;
    return g;
}

/* A window that is the whole image has but one output. */
bool conv2d_suits_winograd(const strata_node *n, strata_pass pass)
{
    const conv2d_options *o = n->options;
    for (int side = 0; side < 2; side++)
        if (o->kernel[side] != 3 || o->stride[side] != 1 || o->dilation[side] != 1) return false;
    return o->groups == 1 && n->out->shape.h * n->out->shape.w > 1 &&
           (pass == STRATA_FORWARD || pass == STRATA_BACKWARD_X || pass == STRATA_BACKWARD_W);
}

bool conv2d_winograd_admits(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    return conv2d_suits_winograd(n, pass) && winograd_of(caps, n, pass).run > 0;
}

/* What a pass takes, in the time of a multiplication and addition of a direct sum: on the processor, where
 * lavapipe is measured. One of a product costs 1.6, as the rows of a matrix are few; to transform an input or
 * a product, 41 for each of the 36 numbers; to transform a weight, 50. (lavapipe 22.3 at 512 bits, 48 to 512
 * channels, 4 x 4 to 32 x 32 pixels: within 15 %.) */
static bool pays_on_processor(const winograd *g, double pairs, double tiles)
{
    const double direct = 9 * pairs * (double)strata_pixels(g->to);
    const double product = 36 * 1.6 * pairs * tiles, weights = 36 * 50 * pairs,
                 transforms = 36 * 41 * tiles * 4 * (g->from_quads + g->to_quads);
    return direct > 1.2 * (product + transforms + weights);
}

/* The same on a GPU, in its multiplications and additions: `a_byte` of them in the time of a byte moved, and
 * every number at the 36 points is written once and read once. `busy`: the share of its cores that have work,
 * as the matrices of a weight gradient are few. (An H100, 9 a byte, 64 to 512 channels, 4 x 4 to 56 x 56
 * pixels, batch 64: within 20 %; the passes it says yes to take 0.36 to 0.94 of a direct sum's time.) */
static bool pays_on_gpu(const winograd *g, double pairs, double tiles, double busy, double a_byte)
{
    const double direct = 9 * pairs * (double)strata_pixels(g->to);
    const double moved = a_byte * 2 * 4 * 36 * (tiles * (g->from.c + g->to.c) + 2 * pairs);
    return direct > 1.1 * (36 * pairs * tiles / busy + moved);
}

/* An H100's memory would ask for 21 (63.8 TFLOP/s, 1.52 TB/s), but a run lies in its cache. Smaller cards
 * were not measured and may not hold it, so they are taken to have memory alone: 19 on an RTX 3090 (35.6
 * TFLOP/s, 0.94 TB/s), by which 64 channels take direct sums and 256 do not. */
static double work_of_a_byte(const strata_caps *caps) { return caps->cores >= CONV2D_MANY_CORES ? 9 : 19; }

/* Is it the faster way, before any measurement? GPUs of makers that are not measured keep to direct sums;
 * --tune finds out. */
bool conv2d_winograd_pays(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    if (!conv2d_winograd_admits(caps, n, pass)) return false;
    const winograd g = winograd_of(caps, n, pass);
    const double pairs = (double)g.from.c * g.to.c, tiles = (double)g.to.n * g.tiles_h * g.tiles_w;
    if (caps->driver_id == CONV2D_NVIDIA) {
        const uint32_t groups = POINTS * ((g.from.c + 127) / 128) * ((g.to.c + 63) / 64);
        const bool idle = pass == STRATA_BACKWARD_W && groups < caps->cores;
        return pays_on_gpu(&g, pairs, tiles, idle ? (double)groups / caps->cores : 1, work_of_a_byte(caps));
    }
    return caps->driver_id == STRATA_LAVAPIPE && lanes_of(caps) && pays_on_processor(&g, pairs, tiles);
}

uint64_t conv2d_winograd_scratch(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    return conv2d_suits_winograd(n, pass) ? winograd_of(caps, n, pass).end : 0;
}

/* ---- Launches ------------------------------------------------------------------------------------ */

/* One pass being recorded. */
typedef struct recorder {
    strata_stream *stream;
    const strata_node *node;
    strata_pass pass;
    const strata_caps *caps;
    winograd g;
    strata_slice v, m, u;
} recorder;

static recorder recorder_of(strata_stream *s, const strata_node *n, strata_pass pass)
{
    recorder r = {
        .stream = s, .node = n, .pass = pass, .caps = strata_device_caps(strata_stream_device(s))
    };
    const uint64_t line = POINTS * QUAD;
    r.g = winograd_of(r.caps, n, pass);
    r.v = strata_slice_part(n->scratch, 0, line * r.g.v_step);
    r.m = strata_slice_part(n->scratch, r.g.m_at, line * r.g.m_step);
    r.u = strata_slice_part(n->scratch, r.g.u_at, line * r.g.u_step);
    return r;
}

/* Is what a launch reads better read as texels? `also`: another tensor, or "no tensor". */
static const char *texels(const recorder *r, strata_slice from, strata_slice also)
{
    const bool both = strata_fits_texels(r->caps, from) && (!also.block || strata_fits_texels(r->caps, also));
    return both ? "TEXEL=1" : "";
}

/* The defines of a transform, and the invocations of a workgroup that they ask for. */
typedef struct define_list {
    char s[112];
    uint32_t group;
} define_list;

/* One invocation for each of `items`. */
static strata_status launch(const recorder *r, const strata_kernel *kernel, const void *args, uint64_t items,
                            const define_list *d)
{
    strata_launch how = { .pass = r->pass, .variant = conv2d_variants[CONV2D_WINOGRAD], .defines = d->s };
    strata_grid(how.groups, items, d->group);
    return strata_stream_launch(r->stream, kernel, &how, args);
}

/* `more`, and where `lanes` is not 0 what STORE of shaders/lane_stores.glsl wants. */
static define_list defines_of(const recorder *r, const char *more, const char *kind, uint32_t lanes)
{
    define_list d = { .group = lanes ? lanes : STRATA_GROUP };
    char subgroup[STRATA_SUBGROUP_DEFINES] = "";
    if (lanes) strata_subgroup_defines(subgroup, r->caps, true);
    const int n = snprintf(d.s, sizeof d.s, "%s%s%s", more, *more && *kind ? " " : "", kind);
    snprintf(d.s + n, sizeof d.s - (size_t)n, "%s%s", n && lanes ? " " : "", subgroup);
    return d;
}

/* Does a transform take a channel for each invocation? Two floats of 16 bits share a word and are written at
 * once. */
static bool is_scalar(const recorder *r, strata_slice to) { return !lanes_of(r->caps) && !to.half; }

/* How a transform of activations reads. */
static const char *kind_of(const recorder *r, strata_slice from, strata_slice also, strata_slice to)
{
    return is_scalar(r, to) ? "SCALAR=1" : texels(r, from, also);
}

/* Its invocations, for so many quads. */
static uint64_t items_of(const recorder *r, uint64_t quads, strata_slice to)
{
    return is_scalar(r, to) ? 4 * quads : quads;
}

static const char *ragged(uint32_t channels) { return channels % 4 ? "RAGGED=1" : ""; }

static strata_status transform_input(const recorder *r, strata_slice x, uint32_t tiles, uint32_t first)
{
    const winograd *g = &r->g;
    const struct winograd_input_args a = { .x = x,
                                           .v = r->v,
                                           .tiles = tiles,
                                           .tile_first = first,
                                           .tiles_h = g->tiles_h,
                                           .tiles_w = g->tiles_w,
                                           .x_h = g->from.h,
                                           .x_w = g->from.w,
                                           .x_quads = g->from_quads,
                                           .pad_h = g->pad[0],
                                           .pad_w = g->pad[1],
                                           .depth = g->from.c,
                                           .v_step = g->v_step };
    const define_list d = defines_of(r, ragged(g->from.c), kind_of(r, x, (strata_slice) { 0 }, r->v),
                                     strata_store_lanes(r->caps));
    return launch(r, &winograd_input_kernel, &a, items_of(r, (uint64_t)tiles * g->from_quads, r->v), &d);
}

/* The lanes of STORE for tensors of `quads` quads to a row, or 0. */
static uint32_t whole_lanes(const recorder *r, uint32_t quads)
{
    const uint32_t lanes = strata_store_lanes(r->caps);
    return lanes && quads % lanes == 0 ? lanes : 0;
}

/* Between products and the tiles of y, there or (BACKWARD_W) back. */
static strata_status transform_output(const recorder *r, struct winograd_output_args a, strata_slice y,
                                      uint32_t tiles, uint32_t first)
{
    const winograd *g = &r->g;
    const bool back = r->pass == STRATA_BACKWARD_W;
    a.from = back ? y : r->m;
    a.to = back ? r->m : y;
    if (a.start == CONV2D_OLD) a.old_to = y;
    a.tiles = tiles;
    a.tile_first = first;
    a.tiles_h = g->tiles_h, a.tiles_w = g->tiles_w;
    a.y_h = g->to.h, a.y_w = g->to.w, a.y_quads = g->to_quads;
    a.depth = g->to.c;
    a.m_step = g->m_step;
    const char *more = a.start == CONV2D_OLD ? "OLD=1"
                       : back                ? ragged(g->to.c)
                                             : conv2d_ending(a.table.block, a.z.block, a.start & CONV2D_RELU);
    const bool plain = a.to.half ||
                       (!back && (g->to.h % 4 || g->to.w % 4)); /* pairs of 16 bits, or an edge */
    const uint32_t lanes = plain ? 0 : back ? strata_store_lanes(r->caps) : whole_lanes(r, g->to_quads);
    const define_list d = defines_of(r, more, kind_of(r, a.from, a.z.block ? a.z : a.old_to, a.to), lanes);
    return launch(r, &winograd_output_kernel, &a, items_of(r, (uint64_t)tiles * g->to_quads, a.to), &d);
}

static strata_status transform_weight(const recorder *r, strata_slice from, strata_slice to, uint32_t start)
{
    const winograd *g = &r->g;
    const conv2d_size z = conv2d_size_of(r->node);
    const bool back = r->pass == STRATA_BACKWARD_W;
    const struct winograd_weight_args a = { .from = from,
                                            .to = to,
                                            .rows = 4 * g->from_quads,
                                            .quads = g->to_quads,
                                            .w_rows = z.rows,
                                            .w_quads = z.cols / 4,
                                            .panel = back ? g->to_quads : g->panel,
                                            .u_step = g->u_step,
                                            .start = start };
    const uint32_t lanes = back ? whole_lanes(r, a.quads) : strata_store_lanes(r->caps);
    const uint64_t quads = lanes ? round_up(a.quads, lanes) : a.quads; /* of a row, with its panel's room */
    const define_list d = defines_of(r, start == CONV2D_OLD ? "OLD=1" : "",
                                     texels(r, from, (strata_slice) { 0 }), lanes);
    return launch(r, &winograd_weight_kernel, &a, a.rows * quads, &d);
}

static strata_status launch_product(const recorder *r, const struct winograd_product_args *a)
{
    const uint32_t lanes = lanes_of(r->caps);
    const char *texel = strata_texels(r->stream, a, &winograd_product_kernel) ? "TEXEL=1" : "";
    char defines[112], subgroup[STRATA_SUBGROUP_DEFINES];
    if (lanes == 0) {
        const define_list d = defines_of(r, "", texel, 0);
        const conv2d_tile t = conv2d_product_tile(r->caps, a->rows, 4 * a->quads);
        strata_launch how = { .pass = r->pass,
                              .variant = conv2d_variants[CONV2D_WINOGRAD],
                              .defines = t.defines };
        if (t.rows == 1)
            return launch(r, &winograd_product_kernel, a, (uint64_t)POINTS * a->rows * a->quads, &d);
        conv2d_tile_grid(how.groups, &t, a->rows, 4 * a->quads, POINTS);
        return strata_stream_launch(r->stream, &winograd_product_kernel, &how, a);
    }
    const uint32_t height = 4 * lanes, tiles = (a->rows + height - 1) / height,
                   lines = (tiles + STRATA_MAX_GROUPS - 1) / STRATA_MAX_GROUPS;
    const bool room = conv2d_stores_lanes(r->caps) && a->quads % lanes == 0 &&
                      round_up(a->rows, height) * a->quads <= a->m_step;
    strata_subgroup_defines(subgroup, r->caps, room);
    snprintf(defines, sizeof defines, "%s ROWS=%u WIDE=4 OUT=vec4 %s%s", subgroup, height, texel,
             a->start == CONV2D_OLD ? " OLD=1" : "");
    strata_launch how = { .pass = r->pass,
                          .variant = conv2d_variants[CONV2D_WINOGRAD],
                          .defines = defines,
                          .groups = { (tiles + lines - 1) / lines, lines,
                                      (a->quads + lanes - 1) / lanes * POINTS } };
    return strata_stream_launch(r->stream, &winograd_product_kernel, &how, a);
}

static strata_status multiply(const recorder *r, uint32_t tiles, bool old)
{
    const winograd *g = &r->g;
    if (r->pass == STRATA_BACKWARD_W) {
        const struct winograd_product_args a = { .v = r->v,
                                                 .u = r->m,
                                                 .m = r->u,
                                                 .old_m = old ? r->u : (strata_slice) { 0 },
                                                 .rows = 4 * g->from_quads,
                                                 .sums = tiles,
                                                 .quads = g->to_quads,
                                                 .panel = g->panel,
                                                 .u_panel = g->panel,
                                                 .u_row = g->to_quads,
                                                 .v_row = g->from_quads,
                                                 .v_step = g->v_step,
                                                 .u_step = g->m_step,
                                                 .m_step = g->u_step,
                                                 .start = old ? CONV2D_OLD : CONV2D_ZERO };
        return launch_product(r, &a);
    }
    const struct winograd_product_args a = { .v = r->v,
                                             .u = r->u,
                                             .m = r->m,
                                             .rows = tiles,
                                             .sums = 4 * g->from_quads,
                                             .quads = g->to_quads,
                                             .panel = g->panel,
                                             .u_panel = 4 * g->from_quads * g->panel,
                                             .u_row = g->panel,
                                             .v_row = g->from_quads,
                                             .v_step = g->v_step,
                                             .u_step = g->u_step,
                                             .m_step = g->m_step };
    return launch_product(r, &a);
}

/* ---- Passes -------------------------------------------------------------------------------------- */

/* All tiles, run by run, of as many images as bind at once. `y` has how the output's sums begin and end. */
static strata_status record_tiles(const recorder *r, strata_slice from, strata_slice to,
                                  const struct winograd_output_args *y)
{
    const winograd *g = &r->g;
    uint32_t most = 0;
    bool old = false;
    STRATA_TRY(strata_images_per_launch(&most, r->stream, r->node));
    for (strata_images part = { 0 }; strata_images_next(&part, g->to.n, most);) {
        const strata_slice some_from = strata_images_of(from, g->from, part),
                           some_to = strata_images_of(to, g->to, part);
        const uint32_t all = part.count * g->tiles_h * g->tiles_w;
        struct winograd_output_args out = *y;
        out.z = strata_images_of(y->z, g->to, part);
        for (uint32_t first = 0; first < all; first += g->run) {
            const uint32_t tiles = all - first < g->run ? all - first : g->run;
            STRATA_TRY(transform_input(r, some_from, tiles, first));
            if (r->pass == STRATA_BACKWARD_W) STRATA_TRY(transform_output(r, out, some_to, tiles, first));
            STRATA_TRY(multiply(r, tiles, old));
            if (r->pass != STRATA_BACKWARD_W) STRATA_TRY(transform_output(r, out, some_to, tiles, first));
            old = true;
        }
    }
    return STRATA_OK;
}

static strata_slice weights_of(const strata_node *n)
{
    return strata_param_read(n->param[CONV2D_WEIGHT], conv2d_size_of(n).floats);
}

strata_status conv2d_winograd_forward(strata_stream *s, const strata_node *n)
{
    const recorder r = recorder_of(s, n, STRATA_FORWARD);
    const strata_param *bias = n->param[CONV2D_BIAS];
    const conv2d_options *o = n->options;
    const struct winograd_output_args y = { .bias = bias ? bias->data : (strata_slice) { 0 },
                                            .start = (bias ? CONV2D_BIASED : CONV2D_ZERO) |
                                                     (o->relu ? CONV2D_RELU : 0),
                                            .z = n->n_in > 1 ? n->in[1]->data : (strata_slice) { 0 },
                                            .table = n->kept[CONV2D_TABLE] };
    STRATA_TRY(transform_weight(&r, weights_of(n), r.u, CONV2D_ZERO));
    return record_tiles(&r, n->in[0]->data, n->out->data, &y);
}

strata_status conv2d_winograd_backward_x(strata_stream *s, const strata_node *n)
{
    const recorder r = recorder_of(s, n, STRATA_BACKWARD_X);
    const struct winograd_output_args y = { .start = n->add_in[0] ? CONV2D_OLD : CONV2D_ZERO };
    STRATA_TRY(transform_weight(&r, weights_of(n), r.u, CONV2D_ZERO));
    return record_tiles(&r, n->out->grad, n->in[0]->grad, &y);
}

strata_status conv2d_winograd_backward_w(strata_stream *s, const strata_node *n)
{
    const recorder r = recorder_of(s, n, STRATA_BACKWARD_W);
    const struct winograd_output_args y = { .start = CONV2D_ZERO };
    STRATA_TRY(record_tiles(&r, n->in[0]->data, n->out->grad, &y));
    const strata_slice dw = n->param[CONV2D_WEIGHT]->grad;
    return transform_weight(&r, r.u, strata_slice_part(dw, 0, 4 * conv2d_size_of(n).floats),
                            n->add_param ? CONV2D_OLD : CONV2D_ZERO);
}

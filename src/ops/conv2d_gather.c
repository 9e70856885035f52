/* Forward pass and input gradient of conv2d and linear: one gather kernel, in slices of images and of weights
 * where a tensor is above what a device binds. */
#include "ops/conv2d.h"

#include <string.h>

#include "ops/batch_norm.h"
#include "conv2d.args.h"
#include "conv2d_transpose.args.h"

enum { MOST_TURNED = 8192 }; /* rows, see turns */

/* One gather over all images and all weights: what its launches share. */
typedef struct gather {
    strata_stream *stream;
    const strata_node *node;
    strata_pass pass;
    conv2d_variant variant;
    strata_shape x, y;
    bool turned;             /* the weights are read as FORWARD reads them, and turned in the kernel */
    strata_slice z, table;   /* of the sums' end, whole; no tensor: none */
    bool relu;               /* what the last launch stores is not below 0 */
    struct conv2d_args args; /* with whole slices */
} gather;

/* A run of the weights, in the order they are summed. */
typedef struct weight_run {
    uint32_t tap_begin, tap_end, quad_begin, quad_end;
} weight_run;

static uint64_t tap_quads(const struct conv2d_args *a)
{
    return (uint64_t)(a->groups == 1 ? 4 * a->x_quads : a->depth) * a->y_quads;
}

/* May all weights be bound at once? Without a tap none are read. */
static bool is_whole(const struct conv2d_args *a, uint64_t max_range)
{
    return a->w.bytes <= max_range || a->tap_begin == a->tap_end;
}

/* The next run that a device binds: all of them, or one tap, or some channels of one tap.
 *   r  all-zero before the first;  more  out: false after the last */
static strata_status next_run(weight_run *r, bool *more, const gather *g, uint64_t max_range)
{
    const struct conv2d_args *a = &g->args;
    const bool begun = r->quad_end > 0;
    if (is_whole(a, max_range)) {
        *r = (weight_run) { a->tap_begin, a->tap_end, a->quad_begin, a->quad_end };
        *more = !begun;
        return STRATA_OK;
    }
    if (!begun)
        *r = (weight_run) { .tap_begin = a->tap_begin, .quad_end = a->quad_begin };
    else if (r->quad_end == a->quad_end)
        *r = (weight_run) { .tap_begin = r->tap_begin + 1, .quad_end = a->quad_begin };
    *more = r->tap_begin < a->tap_end;
    r->tap_end = r->tap_begin + 1;
    r->quad_begin = r->quad_end;
    r->quad_end = a->quad_end;
    const uint64_t quad = strata_quad_bytes(a->w.half);
    const uint64_t room = (max_range - STRATA_ALIGN) / quad, quads = room / (4 * (uint64_t)a->y_quads);
    if (tap_quads(a) <= room) return STRATA_OK;
    if (a->groups != 1 || quads == 0)
        return strata_fail(
            STRATA_BAD_ARG, "%s: %llu bytes of weights of one tap, one binding holds at most %llu",
            g->node->name, (unsigned long long)(tap_quads(a) * quad), (unsigned long long)max_range);
    if (a->quad_end - r->quad_begin > quads) r->quad_end = r->quad_begin + (uint32_t)quads;
    return STRATA_OK;
}

/* Is that the last run? */
static bool ends(const weight_run *r, const struct conv2d_args *a)
{
    return r->tap_end == a->tap_end && r->quad_end == a->quad_end;
}

/* Restrict the arguments to a run; the weights are bound from an aligned offset at or before its first. */
static void bind_run(struct conv2d_args *a, const weight_run *r, uint64_t max_range)
{
    const bool whole = is_whole(a, max_range);
    a->tap_begin = r->tap_begin;
    a->tap_end = r->tap_end;
    a->quad_begin = r->quad_begin;
    a->quad_end = r->quad_end;
    if (whole) {
        if (a->w.bytes > max_range) a->w = strata_slice_part(a->w, 0, STRATA_ALIGN);
        return;
    }
    const int64_t tap = a->w_first + (int64_t)(r->tap_begin / a->taps_w) * a->w_step_h +
                        (int64_t)(r->tap_begin % a->taps_w) * a->w_step_w;
    const uint64_t line = 4 * (uint64_t)a->y_quads, quad = strata_quad_bytes(a->w.half);
    uint64_t first = (uint64_t)tap + r->quad_begin * line, last = (uint64_t)tap + r->quad_end * line;
    if (a->groups != 1) last = (uint64_t)tap + tap_quads(a);
    first -= first % (STRATA_ALIGN / quad);
    a->w = strata_slice_part(a->w, first * quad, (last - first) * quad);
    a->w_first -= (int32_t)first;
}

/* Does a launch take whole lines of taps, from the first on? */
static bool takes_window(const struct conv2d_args *a)
{
    return a->tap_begin == 0 && a->tap_end % a->taps_w == 0;
}

static uint32_t start_of(const struct conv2d_args *a) { return a->start & ~(uint32_t)CONV2D_RELU; }

static conv2d_window window_of(const struct conv2d_args *a)
{
    if (!takes_window(a)) return (conv2d_window) { 0 };
    return (conv2d_window) { .taps_h = a->tap_end / a->taps_w,
                             .taps_w = a->taps_w,
                             .mul_w = a->mul_w,
                             .step_w = a->step_w,
                             .line = a->rows_w,
                             .first_w = a->first_w,
                             .x_w = a->x_w,
                             .biased = start_of(a) == CONV2D_BIASED };
}

/* Tap t of row i touches i place[0] + place[1] + t place[2] of a side of x. */
static bool is_inside(uint32_t t, uint32_t i, const int32_t place[3], uint32_t x)
{
    const int64_t at = (int64_t)i * place[0] + place[1] + (int64_t)t * place[2];
    return at >= 0 && at < x;
}

static uint64_t count_inside(uint32_t taps, uint32_t rows, const int32_t place[3], uint32_t x)
{
    uint64_t n = 0;
    for (uint32_t t = 0; t < taps; t++)
        for (uint32_t i = 0; i < rows; i++) n += is_inside(t, i, place, x);
    return n;
}

/* The share of the products that are with the padding: of 3 x 3 taps on 2 x 2 pixels 5/9, on 4 x 4 31 %. */
static double share_outside(const struct conv2d_args *a)
{
    if (!takes_window(a) || a->tap_end == 0) return 0;
    const uint32_t taps_h = a->tap_end / a->taps_w;
    const uint64_t h = count_inside(taps_h, a->rows_h, (int32_t[]) { a->mul_h, a->first_h, a->step_h },
                                    a->x_h);
    const uint64_t w = count_inside(a->taps_w, a->rows_w, (int32_t[]) { a->mul_w, a->first_w, a->step_w },
                                    a->x_w);
    return 1 - (double)h * (double)w / ((double)a->tap_end * a->rows_h * a->rows_w);
}

static strata_status launch(const gather *g, struct conv2d_args *a)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(g->stream));
    const bool old = start_of(a) == CONV2D_OLD;
    if (g->variant == CONV2D_SUBGROUP && old) a->old_y = a->y;
    const uint64_t rows = (uint64_t)a->images * a->rows_h * a->rows_w;
    const conv2d_problem p = { .rows = rows,
                               .cols = 4 * a->y_quads,
                               .products = 4.0 * a->y_quads * (double)rows * (a->tap_end - a->tap_begin) *
                                           a->depth,
                               .exact = strata_op_wants_exact(strata_stream_forced(g->stream)),
                               .images = a->images,
                               .outside = g->variant == CONV2D_SUBGROUP ? share_outside(a) : 0,
                               .depth = a->depth,
                               .flat = a->y_first == 0 && a->y_step == 1 && a->y_line == a->rows_w &&
                                       a->y_image == a->rows_h * a->rows_w,
                               .old = old,
                               .norm = a->table.block,
                               .sum = a->z.block,
                               .relu = a->start & CONV2D_RELU,
                               .half = a->y.half,
                               .texel = strata_fits_texels(caps, a->x) && strata_fits_texels(caps, a->w) &&
                                        strata_fits_texels(caps, a->old_y) &&
                                        strata_fits_texels(caps, a->z) && strata_fits_texels(caps, a->table),
                               .ragged = a->depth % 4 != 0,
                               .turned = g->turned,
                               .whole = (a->quad_end - a->quad_begin) % 4 == 0,
                               .window = window_of(a) };
    const conv2d_tile t = conv2d_gather_tile(caps, g->variant, &p);
    a->abreast = t.abreast;
    strata_launch how = { .pass = g->pass, .variant = conv2d_variants[g->variant], .defines = t.defines };
    const uint32_t each = t.strips ? conv2d_strip(a->rows_w) : 1;
    const uint64_t strips = (uint64_t)a->images * a->rows_h * ((a->rows_w + each - 1) / each);
    conv2d_tile_grid(how.groups, &t, strips, 4 * a->y_quads, 1);
    if (t.lines[0]) memcpy(how.groups, t.lines, sizeof t.lines);
    return strata_stream_launch(g->stream, &conv2d_kernel, &how, a);
}

/* The taps of one side that touch x from any row, see conv2d_live_taps. */
static void live_taps(uint32_t out[2], uint32_t taps, uint32_t rows, const int32_t place[3], uint32_t x)
{
    out[0] = out[1] = 0;
    for (uint32_t t = 0; t < taps; t++)
        for (uint32_t i = 0; i < rows; i++) {
            if (!is_inside(t, i, place, x)) continue;
            if (out[1] == 0) out[0] = t;
            out[1] = t + 1;
            break;
        }
}

void conv2d_live_taps(uint32_t out[2], const strata_node *n, int side)
{
    const conv2d_options *o = n->options;
    const strata_shape x = n->in[0]->shape, y = n->out->shape;
    const int32_t place[3] = { (int32_t)o->stride[side], -(int32_t)o->pad[side], (int32_t)o->dilation[side] };
    live_taps(out, o->kernel[side], side ? y.w : y.h, place, side ? x.w : x.h);
}

/* Leave out the taps at the border of the window that lie in the padding for every row: most of a window on
 * an image smaller than it. */
static void trim(struct conv2d_args *a)
{
    uint32_t h[2], w[2];
    live_taps(h, a->tap_end / a->taps_w, a->rows_h, (int32_t[]) { a->mul_h, a->first_h, a->step_h }, a->x_h);
    live_taps(w, a->taps_w, a->rows_w, (int32_t[]) { a->mul_w, a->first_w, a->step_w }, a->x_w);
    a->first_h += (int32_t)h[0] * a->step_h;
    a->first_w += (int32_t)w[0] * a->step_w;
    a->w_first += (int32_t)h[0] * a->w_step_h + (int32_t)w[0] * a->w_step_w;
    a->tap_end = (h[1] - h[0]) * (w[1] - w[0]);
    a->taps_w = a->tap_end ? w[1] - w[0] : 1;
}

/* Let a launch be the last of its images. */
static void end(const gather *g, struct conv2d_args *a, strata_images part)
{
    a->table = g->table;
    a->z = strata_images_of(g->z, g->y, part);
    if (g->relu) a->start |= CONV2D_RELU;
}

static strata_status record(gather *g)
{
    trim(&g->args);
    if (g->args.tap_end == 0 && g->args.start == CONV2D_OLD) return STRATA_OK; /* nothing is added */

    const uint64_t max_range = strata_device_caps(strata_stream_device(g->stream))->max_range;
    uint32_t most = 0;
    STRATA_TRY(strata_images_per_launch(&most, g->stream, g->node));
    for (strata_images part = { 0 }; strata_images_next(&part, g->x.n, most);) {
        struct conv2d_args a = g->args;
        a.x = strata_images_of(a.x, g->x, part);
        a.y = strata_images_of(a.y, g->y, part);
        a.images = part.count;
        weight_run run = { 0 };
        for (bool more = true, first = true;; first = false) {
            STRATA_TRY(next_run(&run, &more, g, max_range));
            if (!more) break;
            struct conv2d_args b = a;
            bind_run(&b, &run, max_range);
            if (!first) b.start = CONV2D_OLD;
            if (ends(&run, &a)) end(g, &b, part);
            STRATA_TRY(launch(g, &b));
        }
    }
    return STRATA_OK;
}

/* The table of a norm that the node took in. */
static strata_status describe(strata_stream *s, const strata_node *n)
{
    const conv2d_options *o = n->options;
    strata_node norm = *o->norm;
    norm.name = n->name;
    norm.kept[0] = n->kept[CONV2D_TABLE];
    norm.scratch = n->scratch;
    return strata_norm_describe(s, &norm);
}

strata_status conv2d_forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    (void)mode;
    const conv2d_options *o = n->options;
    if (o->norm) STRATA_TRY(describe(s, n));
    const conv2d_variant v = strata_op_variant(s, n, STRATA_FORWARD);
    if (v == CONV2D_WINOGRAD) return conv2d_winograd_forward(s, n);
    if (v == CONV2D_WINOGRAD2) return conv2d_winograd2_forward(s, n);
    const conv2d_size z = conv2d_size_of(n);
    const strata_shape x = n->in[0]->shape, y = n->out->shape;
    const strata_param *bias = n->param[CONV2D_BIAS];
    const int32_t w_step = (int32_t)((uint64_t)z.rows * z.cols / 4);
    gather g = {
        .stream = s, .node = n, .pass = STRATA_FORWARD, .x = x, .y = y,
        .variant = v,
        .z = n->n_in > 1 ? n->in[1]->data : (strata_slice) { 0 },
        .table = n->kept[CONV2D_TABLE],
        .relu = o->relu,
        .args = {
            .x = n->in[0]->data, .y = n->out->data,
            .w = strata_param_read(n->param[CONV2D_WEIGHT], z.floats),
            .bias = bias ? bias->data : (strata_slice) { 0 },
            .rows_h = y.h, .rows_w = y.w,
            .x_h = x.h, .x_w = x.w, .x_quads = z.to_cols / 4,
            .y_quads = z.cols / 4, .y_image = y.h * y.w, .y_line = y.w, .y_step = 1,
            .mul_h = (int32_t)o->stride[0], .mul_w = (int32_t)o->stride[1],
            .first_h = -(int32_t)o->pad[0], .first_w = -(int32_t)o->pad[1],
            .step_h = (int32_t)o->dilation[0], .step_w = (int32_t)o->dilation[1],
            .taps_w = o->kernel[1], .tap_end = z.taps,
            .w_step_h = w_step * (int32_t)o->kernel[1], .w_step_w = w_step,
            .groups = z.groups, .depth = z.depth, .width = z.width, .quad_end = (z.depth + 3) / 4,
            .start = bias ? CONV2D_BIASED : CONV2D_ZERO,
        },
    };
    return record(&g);
}

/* ---- The input gradient ----------------------------------------------------------------------- */

static int32_t floor_divide(int32_t a, int32_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

/* One side (height or width) of the pixels h = phase + i stride of x. Tap r reads y at (h + pad - r dilation)
 * / stride, where that is whole: at the taps r = first, first + tap_step, .. */
typedef struct phase {
    uint32_t pixels, first, taps, tap_step;
    int32_t at, step; /* of y: where the first tap reads for i = 0, and from one tap to the next */
} phase;

static phase phase_of(const strata_node *n, int side, uint32_t offset)
{
    const conv2d_options *o = n->options;
    const uint32_t in = side ? n->in[0]->shape.w : n->in[0]->shape.h;
    const int32_t stride = (int32_t)o->stride[side], dilation = (int32_t)o->dilation[side];
    const int32_t from = (int32_t)(offset + o->pad[side]), taps = (int32_t)o->kernel[side];
    phase p = { .pixels = offset < in ? (in - offset + o->stride[side] - 1) / o->stride[side] : 0 };
    int32_t r = 0, step = 1;
    while (step * dilation % stride != 0) step++;
    while (r < taps && (from - r * dilation) % stride != 0) r++;
    if (r >= taps) return p;
    p.first = (uint32_t)r;
    p.taps = (uint32_t)((taps - r + step - 1) / step);
    p.tap_step = (uint32_t)step;
    p.at = floor_divide(from - r * dilation, stride);
    p.step = -(step * dilation / stride);
    return p;
}

/* Does TRANSPOSE change nothing? So it is where each channel has its own window. */
static bool is_symmetric(const conv2d_size *z) { return z->groups > 1 && z->depth == 1 && z->width == 1; }

/* Does the kernel for subgroups read the weights themselves? They need not be transposed then, 52 of the
 * 355 ms of a step of ResNet-18, 64 x 64, batch 8, on Mesa 22.3 and 20 of 235 on 25.0; but what it reads
 * lies farther apart. Batch 64, processor time of both kernels together, 22.3 and 25.0: 512 channels at 4 x 4
 * 18 and 8 % faster, 256 at 8 x 8 10 and 3 %, 128 at 16 x 16 6 and 5 % slower, 64 at 32 x 32 9 and 8 %. */
static bool turns(strata_stream *s, const strata_node *n)
{
    const conv2d_options *o = n->options;
    const conv2d_size z = conv2d_size_of(n);
    const strata_slice w = strata_param_read(n->param[CONV2D_WEIGHT], z.floats);
    return z.groups == 1 && strata_op_variant(s, n, STRATA_BACKWARD_X) == CONV2D_SUBGROUP &&
           w.bytes <= strata_device_caps(strata_stream_device(s))->max_range &&
           strata_pixels(n->in[0]->shape) / (o->stride[0] * o->stride[1]) <= MOST_TURNED;
}

/* Where the scratch holds the transposed weights, with the bits of what they are made of. */
static strata_slice transposed_of(const strata_node *n, const conv2d_size *z)
{
    const bool half = n->param[CONV2D_WEIGHT]->copy.half;
    strata_slice wt = strata_slice_part(n->scratch, 0, strata_float_bytes(z->to_floats, half));
    wt.half = half;
    return wt;
}

/* The taps and rows that one launch of TRANSPOSE takes: of w, and of wt. */
typedef struct transpose_piece {
    uint32_t tap, taps, row, rows, to_row, to_rows;
} transpose_piece;

/* One launch. `whole`: all of both is bound; else the piece alone, from an aligned offset before it. */
static strata_status launch_transpose(strata_stream *s, const struct conv2d_transpose_args *all,
                                      const conv2d_size *z, const transpose_piece *p, bool whole)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    struct conv2d_transpose_args a = *all;
    const bool half = a.w.half;
    const uint64_t from = strata_float_bytes(((uint64_t)p->tap * z->rows + p->row) * z->cols, half),
                   skip = from % STRATA_ALIGN;
    const uint64_t to = strata_float_bytes(((uint64_t)p->tap * z->to_rows + p->to_row) * z->to_cols, half),
                   to_skip = to % STRATA_ALIGN;
    a.taps = p->taps;
    a.row_begin = p->row;
    a.row_end = p->row + p->rows;
    a.to_begin = p->to_row;
    a.to_end = p->to_row + p->to_rows;
    a.w_at = (uint32_t)((whole ? from : skip) / strata_quad_bytes(half));
    a.to_at = (uint32_t)((whole ? to : to_skip) / strata_quad_bytes(half));
    if (!whole) {
        a.w = strata_slice_part(a.w, from - skip,
                                strata_float_bytes((uint64_t)p->rows * z->cols, half) + skip);
        a.wt = strata_slice_part(a.wt, to - to_skip,
                                 strata_float_bytes((uint64_t)p->to_rows * z->to_cols, half) + to_skip);
    }
    const bool square = z->groups == 1;
    strata_launch how = { .pass = STRATA_TRANSPOSE, .variant = "plain", .defines = "" };
    if (square) how.defines = strata_fits_texels(caps, a.w) ? "SQUARE=1 TEXEL=1" : "SQUARE=1";
    const uint64_t items = square ? (uint64_t)(p->rows / 4) * (p->to_rows / 4)
                                  : (uint64_t)p->to_rows * a.to_quads;
    strata_grid(how.groups, items * p->taps, STRATA_GROUP);
    return strata_stream_launch(s, &conv2d_transpose_kernel, &how, &a);
}

/* The taps [first, last) of the weights into the scratch, transposed. */
static strata_status transpose(strata_stream *s, const strata_node *n, const conv2d_size *z, uint32_t first,
                               uint32_t last)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const struct conv2d_transpose_args all = {
        .w = strata_param_read(n->param[CONV2D_WEIGHT], z->floats),
        .wt = transposed_of(n, z),
        .cols = z->cols,
        .to_quads = z->to_cols / 4,
        .groups = z->groups,
        .depth = z->depth,
        .width = z->width,
    };
    if (all.w.bytes <= caps->max_range && all.wt.bytes <= caps->max_range) {
        const transpose_piece p = { first, last - first, 0, z->rows, 0, z->to_rows };
        return first < last ? launch_transpose(s, &all, z, &p, true) : STRATA_OK;
    }
    const uint64_t room = caps->max_range - STRATA_ALIGN, unit = z->groups == 1 ? 4 : 1;
    uint64_t rows = room / strata_float_bytes(z->cols, all.w.half) / unit * unit;
    uint64_t to_rows = room / strata_float_bytes(z->to_cols, all.w.half) / unit * unit;
    if (rows > z->rows || z->groups != 1) rows = z->rows;
    if (to_rows > z->to_rows) to_rows = z->to_rows;
    if (rows == 0 || to_rows == 0)
        return strata_fail(STRATA_BAD_ARG, "%s: 4 rows of its weights are above the %llu bytes of a binding",
                           n->name, (unsigned long long)caps->max_range);
    for (uint32_t tap = first; tap < last; tap++)
        for (uint32_t r = 0; r < z->rows; r += (uint32_t)rows)
            for (uint32_t t = 0; t < z->to_rows; t += (uint32_t)to_rows) {
                transpose_piece p = { tap, 1, r, (uint32_t)rows, t, (uint32_t)to_rows };
                if (p.rows > z->rows - r) p.rows = z->rows - r;
                if (p.to_rows > z->to_rows - t) p.to_rows = z->to_rows - t;
                STRATA_TRY(launch_transpose(s, &all, z, &p, false));
            }
    return STRATA_OK;
}

static strata_status record_phase(gather *g, const conv2d_size *z, uint32_t offset_h, uint32_t offset_w)
{
    const conv2d_options *o = g->node->options;
    const phase h = phase_of(g->node, 0, offset_h), w = phase_of(g->node, 1, offset_w);
    if (h.pixels * w.pixels == 0) return STRATA_OK;
    const int32_t tap = (int32_t)((uint64_t)z->to_rows * z->to_cols / 4), line = tap * (int32_t)o->kernel[1];
    struct conv2d_args *a = &g->args;
    a->rows_h = h.pixels, a->rows_w = w.pixels;
    a->first_h = h.at, a->first_w = w.at;
    a->step_h = h.step, a->step_w = w.step;
    a->taps_w = w.taps ? w.taps : 1, a->tap_end = h.taps * w.taps;
    a->w_first = (int32_t)h.first * line + (int32_t)w.first * tap;
    a->w_step_h = (int32_t)h.tap_step * line, a->w_step_w = (int32_t)w.tap_step * tap;
    a->y_first = offset_h * g->y.w + offset_w;
    return record(g);
}

/* Where the window is the whole image, each of its taps and channels is a channel of an image of one pixel,
 * which lies the same in memory: otherwise every pixel of dx would try every tap, and one fits. */
static bool is_whole_image(const strata_node *n)
{
    const conv2d_options *o = n->options;
    const strata_shape x = n->in[0]->shape;
    return o->groups == 1 && n->out->shape.h * n->out->shape.w == 1 && o->kernel[0] == x.h &&
           o->kernel[1] == x.w && o->dilation[0] == 1 && o->dilation[1] == 1 && o->pad[0] == 0 &&
           o->pad[1] == 0;
}

static strata_status backward_whole_image(strata_stream *s, const strata_node *n)
{
    conv2d_size z = conv2d_size_of(n);
    const strata_shape x = n->out->shape, y = { x.n, 1, 1, z.taps * z.rows };
    z.rows = z.to_cols = z.depth = z.taps * z.rows;
    z.taps = 1;
    const bool turned = turns(s, n);
    if (!turned) STRATA_TRY(transpose(s, n, &z, 0, 1));
    gather g = {
        .stream = s, .node = n, .pass = STRATA_BACKWARD_X, .x = x, .y = y,
        .variant = strata_op_variant(s, n, STRATA_BACKWARD_X),
        .turned = turned,
        .args = {
            .x = n->out->grad, .y = n->in[0]->grad,
            .w = turned ? strata_param_read(n->param[CONV2D_WEIGHT], z.floats) : transposed_of(n, &z),
            .rows_h = 1, .rows_w = 1,
            .x_h = 1, .x_w = 1, .x_quads = z.cols / 4,
            .y_quads = z.to_cols / 4, .y_image = 1, .y_line = 1, .y_step = 1,
            .mul_h = 1, .mul_w = 1,
            .taps_w = 1, .tap_end = 1,
            .groups = 1, .depth = z.width, .width = z.depth, .quad_end = (z.width + 3) / 4,
            .start = n->add_in[0] ? CONV2D_OLD : CONV2D_ZERO,
        },
    };
    return record(&g);
}

strata_status conv2d_backward_x(strata_stream *s, const strata_node *n)
{
    const conv2d_variant v = strata_op_variant(s, n, STRATA_BACKWARD_X);
    if (v == CONV2D_WINOGRAD) return conv2d_winograd_backward_x(s, n);
    if (v == CONV2D_WINOGRAD2) return conv2d_winograd2_backward_x(s, n);
    if (is_whole_image(n)) return backward_whole_image(s, n);
    const conv2d_options *o = n->options;
    const conv2d_size z = conv2d_size_of(n);
    const strata_shape x = n->out->shape, y = n->in[0]->shape; /* of the gather: dy and dx */
    strata_slice w = strata_param_read(n->param[CONV2D_WEIGHT], z.floats);
    const bool turned = turns(s, n);
    if (!turned && !is_symmetric(&z)) {
        uint32_t h[2], q[2];
        conv2d_live_taps(h, n, 0);
        conv2d_live_taps(q, n, 1);
        const uint32_t last = h[1] && q[1] ? (h[1] - 1) * o->kernel[1] + q[1] : 0;
        STRATA_TRY(transpose(s, n, &z, h[0] * o->kernel[1] + q[0], last));
        w = transposed_of(n, &z);
    }
    gather g = {
        .stream = s, .node = n, .pass = STRATA_BACKWARD_X, .x = x, .y = y,
        .variant = v,
        .turned = turned,
        .args = {
            .x = n->out->grad, .y = n->in[0]->grad, .w = w,
            .x_h = x.h, .x_w = x.w, .x_quads = z.cols / 4,
            .y_quads = z.to_cols / 4, .y_image = y.h * y.w, .y_line = o->stride[0] * y.w,
            .y_step = o->stride[1],
            .mul_h = 1, .mul_w = 1,
            .groups = z.groups, .depth = z.width, .width = z.depth, .quad_end = (z.width + 3) / 4,
            .start = n->add_in[0] ? CONV2D_OLD : CONV2D_ZERO,
        },
    };
    for (uint32_t h = 0; h < o->stride[0]; h++)
        for (uint32_t q = 0; q < o->stride[1]; q++) STRATA_TRY(record_phase(&g, &z, h, q));
    return STRATA_OK;
}

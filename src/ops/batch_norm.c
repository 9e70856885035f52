/* batch_norm -- PyTorch's BatchNorm2d, and BatchNorm1d on [n,1,1,d]; with what follows it in a residual
 * network in the same pass over memory: the sum with a second input, then relu.
 *
 *   x [n,h,w,c] (z [n,h,w,c]) -> y [n,h,w,c];  keeps a table [4, c] of mean, inverse standard deviation,
 *   scale and offset.  Parameters: weight (the gain), bias, running_mean, running_var, all [c]
 *
 * In training the statistics are those of the micro-batch, and each micro-batch moves the running ones; in
 * evaluation and with frozen_stats the running ones are used and stay.
 *
 * Kernels: shaders/batch_norm.comp, batch_norm_sums.comp, batch_norm_finish.comp.  References: src/cpu/ of
 * the same names. */
#include <stdio.h>
#include <string.h>

#include "ops/batch_norm.h"
#include "batch_norm.args.h"
#include "batch_norm_finish.args.h"
#include "batch_norm_sums.args.h"

typedef struct norm_options {
    float eps, momentum;
    uint32_t affine, zero_init, relu;
} norm_options;

static const strata_field fields[] = {
    { "eps", STRATA_FIELD_FLOAT, offsetof(norm_options, eps), 1e-5, false, 0, 1 },
    { "momentum", STRATA_FIELD_FLOAT, offsetof(norm_options, momentum), 0.1, false, 0, 1 },
    { "affine", STRATA_FIELD_BOOL, offsetof(norm_options, affine), 1, false, 0, 1 },
    { "zero_init", STRATA_FIELD_BOOL, offsetof(norm_options, zero_init), 0, false, 0, 1 },
    { "relu", STRATA_FIELD_BOOL, offsetof(norm_options, relu), 0, false, 0, 1 },
    { 0 },
};

enum { GAIN, BIAS, RUNNING_MEAN, RUNNING_VAR };
enum { TABLE };                /* kept */
enum { NOTHING, ASSIGN, ADD }; /* of the shader */
enum { OF_Y = 1, OF_X };       /* of the shaders: what says where relu gave 0 */

/* Pixels that an invocation loads before it adds them up: 4, or 16 on processors, where a loop's mask costs
 * more than registers. [64,32,32,64] on llvmpipe, 256 bits, process time: forward 13.2 ms against 14.8,
 * backward 20.5 ms against 25.6. */
enum { PLAIN, LONG };
static const char *const variants[] = { "plain", "long", NULL };

static uint32_t prefer(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    (void)n;
    (void)pass;
    return caps->cpu_type ? LONG : PLAIN;
}

/* ---- How the work is cut ---------------------------------------------------------------------------- */

enum {
    GROUP = 64,           /* of the shaders */
    LEAST_GROUP_CPU = 16, /* fewer lanes leave fewer partials, and are a subgroup of 512 bits */
    GRAIN = 16,       /* pixels: of 4 floats at least, so that a part of so many begins aligned; with 16 bits
                         twice as many */
    EACH_GPU = 8,     /* pixels that share the loads of their channel's numbers */
    EACH_CPU = 1,     /* where such loads cost next to nothing beside a store */
    EACH_LANES = 16,  /* with the stores of shaders/lane_stores.glsl: a workgroup costs as much as 4, and
                          more are too much code to compile */
    LEAST_EACH = 8,   /* pixels that an invocation adds up at least */
    GROUPS_GPU = 512, /* workgroups of a sum: enough to fill a large GPU; partials stay few */
    GROUPS_CPU = 32,  /* enough to keep processor cores even */
    MANY_PARTIALS = 256, /* of a channel; above, more lanes of a GPU total them: all else waits for it */
    MAX_CHUNKS = 512
};

typedef struct cut {
    uint32_t pixels, quads, cols, rows, chunk, chunks, most; /* most: pixels of one launch, whole chunks */
    uint32_t each;      /* pixels of an invocation that goes element by element */
    uint32_t across;    /* workgroups side by side, `cols` quads each */
    uint32_t subgroups; /* of a workgroup that goes element by element, one below the other */
    uint32_t group;     /* invocations of a workgroup of a sum */
} cut;

enum { QUAD_BYTES = 16, TABLE_ROWS = 4 };

static uint64_t row_bytes(uint32_t quads) { return QUAD_BYTES * (uint64_t)quads; }

/* The scratch holds coef [2, quads], then the partials. */
static uint64_t coef_bytes(uint32_t quads) { return strata_align(2 * row_bytes(quads)); }

static uint32_t cols_of(uint32_t quads, uint32_t group) { return quads < group ? quads : group; }
static uint32_t across_of(uint32_t quads, uint32_t cols) { return (quads + cols - 1) / cols; }

/* Of the workgroups of sums that leave the fewest lanes idle, the smallest. */
static uint32_t group_of(const strata_caps *caps, uint32_t quads)
{
    uint32_t best = GROUP, best_lanes = 0, best_rows = 0;
    if (!caps->vulkan || !caps->cpu_type) return GROUP;
    for (uint32_t group = GROUP; group >= LEAST_GROUP_CPU; group /= 2) {
        const uint32_t cols = cols_of(quads, group), rows = group / cols,
                       lanes = group * across_of(quads, cols); /* for so many rows */
        if (best_rows && (uint64_t)lanes * best_rows > (uint64_t)best_lanes * rows) continue;
        best = group, best_lanes = lanes, best_rows = rows;
    }
    return best;
}

static uint64_t partial_bytes(uint32_t chunks, uint32_t rows, uint32_t quads)
{
    return 2 * chunks * rows * row_bytes(quads);
}

static uint64_t round_up(uint64_t n, uint64_t grain) { return (n + grain - 1) / grain * grain; }

static bool any_half(const strata_node *n)
{
    return n->in[0]->half || n->out->half || (n->n_in > 1 && n->in[1]->half);
}

/* Errors: STRATA_BAD_ARG when the tensor does not fit MAX_CHUNKS bound slices. */
static strata_status cut_up(cut *out, const strata_caps *caps, const strata_node *n)
{
    const strata_shape shape = n->in[0]->shape;
    cut c = { .pixels = (uint32_t)strata_pixels(shape), .quads = strata_lanes(shape.c) / 4 };
    c.group = group_of(caps, c.quads);
    c.cols = cols_of(c.quads, c.group);
    c.each = caps->cpu_type ? EACH_CPU : EACH_GPU;
    c.rows = caps->vulkan ? c.group / c.cols : 1;
    c.across = across_of(c.quads, c.cols);
    uint32_t wanted = !caps->vulkan ? 1 : (caps->cpu_type ? GROUPS_CPU : GROUPS_GPU) / c.across;
    const uint32_t grain = any_half(n) ? 2 * GRAIN : GRAIN;
    if (wanted == 0) wanted = 1;
    uint64_t chunk = (c.pixels + wanted - 1) / wanted, bound = caps->max_range / (16 * (uint64_t)c.quads);
    if (chunk < LEAST_EACH * c.rows) chunk = LEAST_EACH * c.rows;
    chunk = round_up(chunk, grain);
    if (chunk > bound) chunk = bound - bound % grain;
    const uint64_t chunks = chunk ? (c.pixels + chunk - 1) / chunk : UINT64_MAX;
    if (chunks > MAX_CHUNKS)
        return strata_fail(
            STRATA_BAD_ARG, "%s: batch_norm of %s does not fit %d pieces of the %llu bytes that %s binds",
            n->name, strata_shape_text(shape).s, MAX_CHUNKS, (unsigned long long)caps->max_range, caps->name);
    /* The partials are one slice, too: on a device of small ranges fewer rows work. */
    while (c.rows > 1 &&
           coef_bytes(c.quads) + partial_bytes((uint32_t)chunks, c.rows, c.quads) > caps->max_range)
        c.rows /= 2;
    c.chunk = (uint32_t)chunk;
    c.chunks = (uint32_t)chunks;
    bound = bound / chunk * chunk;
    c.most = bound < c.pixels ? (uint32_t)bound : c.pixels;
    *out = c;
    return STRATA_OK;
}

/* ---- Shapes ------------------------------------------------------------------------------------------ */

static strata_status infer(strata_builder *b, strata_node *n)
{
    const strata_shape shape = n->in[0]->shape;
    const norm_options *options = n->options;
    if (n->n_in == 2) {
        const strata_shape z = n->in[1]->shape;
        if (n->in[0] == n->in[1]) /* both gradients would be written in one launch */
            return strata_fail(STRATA_BAD_SHAPE,
                               "%s: batch_norm wants another tensor to add than its input %s", n->name,
                               n->in[0]->name);
        if (z.n != shape.n || z.h != shape.h || z.w != shape.w || z.c != shape.c)
            return strata_fail(
                STRATA_BAD_SHAPE, "%s: batch_norm wants inputs of one shape, got %s of %s and %s of %s",
                n->name, strata_shape_text(shape).s, n->in[0]->name, strata_shape_text(z).s, n->in[1]->name);
    }
    if (options->relu) n->backward_reads |= STRATA_READS_OUT;
    const uint32_t quads = strata_lanes(shape.c) / 4;
    uint64_t chunks = (strata_pixels(shape) + GRAIN - 1) / GRAIN;
    if (chunks > MAX_CHUNKS) chunks = MAX_CHUNKS;
    n->out->shape = shape;
    n->kept_bytes[TABLE] = TABLE_ROWS * row_bytes(quads);
    n->scratch_bytes = coef_bytes(quads) +
                       partial_bytes((uint32_t)chunks, GROUP / cols_of(quads, GROUP), quads);

    strata_param like = {
        .kind = STRATA_PARAM_VECTOR,
        .norm = true,
        .co = shape.c,
        .ci = 1,
        .r = 1,
        .s = 1,
        .groups = 1,
        .file_rank = 1,
        .init = STRATA_INIT_CONSTANT,
        .fan_in = shape.c,
    };
    if (options->affine) {
        like.scale = options->zero_init ? 0 : 1;
        STRATA_TRY(strata_builder_param(b, n, GAIN, "weight", &like));
        like.scale = 0;
        like.bias = true;
        STRATA_TRY(strata_builder_param(b, n, BIAS, "bias", &like));
        like.bias = false;
    }
    like.running = true;
    like.scale = 0;
    STRATA_TRY(strata_builder_param(b, n, RUNNING_MEAN, "running_mean", &like));
    like.scale = 1;
    return strata_builder_param(b, n, RUNNING_VAR, "running_var", &like);
}

/* One sum of two, then one relu. Its own input is no summand: both gradients would be written at once. */
static bool take_in(strata_node *n, const strata_node *next)
{
    norm_options *options = n->options;
    if (options->relu) return false;
    if (strcmp(next->op->name, "relu") == 0) {
        options->relu = 1;
        n->backward_reads |= STRATA_READS_OUT;
        return true;
    }
    if (strcmp(next->op->name, "add") != 0 || next->n_in != 2 || n->n_in != 1) return false;
    strata_tensor *other = next->in[next->in[0] == n->out];
    if (other == n->in[0]) return false;
    n->in[n->n_in++] = other;
    return true;
}

/* ---- Launches ---------------------------------------------------------------------------------------- */

static strata_slice data_of(const strata_param *p) { return p ? p->data : (strata_slice) { 0 }; }
static strata_slice grad_of(const strata_param *p) { return p ? p->grad : (strata_slice) { 0 }; }

static bool has_sum(const strata_node *n) { return n->n_in == 2; }
static bool has_relu(const strata_node *n) { return ((const norm_options *)n->options)->relu; }
bool strata_norm_relu(const strata_node *norm) { return has_relu(norm); }

static strata_slice pixels_of(strata_slice s, const cut *c, uint32_t first, uint32_t pixels)
{
    const uint64_t row = strata_quad_bytes(s.half) * c->quads;
    return strata_slice_part(s, first * row, pixels * row);
}

/* The grid of both kernels over pixels: `each` pixels to a workgroup. */
static void grid(uint32_t groups[3], const cut *c, uint32_t pixels, uint32_t each)
{
    uint32_t over[3];
    if (pixels % each || !strata_grid_whole(over, pixels / each)) strata_grid(over, pixels, each);
    groups[0] = c->across;
    groups[1] = over[0];
    groups[2] = over[1];
}

/* How a backward pass, which reads x or does not, learns where relu gave 0. Without a sum y follows from x,
 * which saves a tensor; one of 16 bits may have been rounded to 0. */
static uint32_t mask_of(const strata_caps *caps, const strata_node *n, bool reads_x)
{
    if (!has_relu(n)) return 0;
    return caps->vulkan && reads_x && !has_sum(n) && !any_half(n) ? OF_X : OF_Y;
}

/* How the kernel that goes element by element is launched for `pixels` of `c`, with `more` defines. */
typedef struct element_grid {
    cut cut;
    char defines[160];
} element_grid;

/* The stores of shaders/lane_stores.glsl want whole workgroups of `lanes` neighbours in memory, which may be
 * of several pixels: `across` of them are `rows` pixels, and an invocation goes through `each` times as many.
 * False where that does not come out even. */
static bool cut_lanes(cut *c, const strata_caps *caps, uint32_t pixels)
{
    const uint32_t lanes = strata_store_lanes(caps);
    uint32_t shared = lanes, over[3];
    while (c->quads % shared) shared /= 2; /* lanes are a power of two */
    const uint32_t rows = lanes / shared;
    uint32_t each = EACH_LANES;
    while (each > 1 && pixels % (each * rows)) each /= 2;
    if (pixels % (each * rows)) return false;
    const uint32_t across = c->quads / shared,
                   subgroups = strata_subgroups(caps, pixels / (each * rows), across);
    if (!strata_grid_whole(over, pixels / (each * rows * subgroups))) return false;
    c->cols = lanes, c->rows = rows, c->each = each;
    c->across = across, c->subgroups = subgroups;
    return true;
}

/* Bits of a workgroup's place that are not 0, for kernels that look each up. */
static uint32_t place_defines(char *out, size_t size, const cut *c, uint32_t pixels)
{
    const bool few = c->across < 1 << 8 && pixels / (c->rows * c->each) < 1 << 16;
    return few ? (uint32_t)snprintf(out, size, " RUN_BITS=16 ACROSS_BITS=8") : 0;
}

static element_grid elements_of(const strata_caps *caps, const cut *c, uint32_t pixels, bool half,
                                const char *more)
{
    const uint32_t lanes = half ? 0 : strata_store_lanes(caps);
    element_grid e = { .cut = *c };
    e.cut.cols = cols_of(c->quads, GROUP);
    e.cut.rows = caps->vulkan ? GROUP / e.cut.cols : 1;
    e.cut.across = across_of(c->quads, e.cut.cols);
    e.cut.subgroups = 1;
    uint32_t n = 0, cols = e.cut.cols;
    if (lanes && cut_lanes(&e.cut, caps, pixels)) {
        cols = e.cut.rows > 1 ? c->quads : 0; /* 0: the quads of a pixel are whole workgroups */
        n = strata_subgroup_defines(e.defines, caps, true);
        n += (uint32_t)snprintf(e.defines + n, sizeof e.defines - n, " SUBGROUPS=%u", e.cut.subgroups);
        if (!strata_by_address(caps)) n += place_defines(e.defines + n, sizeof e.defines - n, &e.cut, pixels);
    }
    snprintf(e.defines + n, sizeof e.defines - n, "%sEACH=%u COLS=%u %s", n ? " " : "", e.cut.each, cols,
             more);
    return e;
}

/* The sums of a pass, STATS or BACKWARD_STATS, in slices of pixels. */
static strata_status sum_up(strata_stream *s, const strata_node *n, const cut *c, strata_pass pass)
{
    const bool back = pass == STRATA_BACKWARD_STATS;
    const uint32_t mask = back ? mask_of(strata_device_caps(strata_stream_device(s)), n, true) : 0;
    const uint32_t variant = strata_op_variant(s, n, pass);
    struct batch_norm_sums_args args = {
        .table = back ? n->kept[TABLE] : (strata_slice) { 0 },
        .partial = strata_slice_part(n->scratch, coef_bytes(c->quads),
                                     partial_bytes(c->chunks, c->rows, c->quads)),
        .quads = c->quads,
        .cols = c->cols,
        .rows = c->rows,
        .chunk = c->chunk,
        .chunks = c->chunks,
        .relu = mask,
    };
    for (uint32_t first = 0; first < c->pixels; first += c->most) {
        args.pixels = c->pixels - first < c->most ? c->pixels - first : c->most;
        args.first = first / c->chunk;
        args.x = pixels_of(n->in[0]->data, c, first, args.pixels);
        if (mask == OF_Y) args.y = pixels_of(n->out->data, c, first, args.pixels);
        if (back) args.dy = pixels_of(n->out->grad, c, first, args.pixels);
        char defines[64];
        snprintf(defines, sizeof defines, "GROUP=%u COLS=%u ROWS=%u RELU=%u STEP=%d%s", c->group, c->cols,
                 c->rows, args.relu, variant == LONG ? 16 : 4,
                 strata_texels(s, &args, &batch_norm_sums_kernel) ? " TEXEL=1" : "");
        strata_launch how = { .pass = pass,
                              .variant = variants[variant],
                              .defines = defines,
                              .split = (args.pixels + c->chunk - 1) / c->chunk };
        grid(how.groups, c, args.pixels, c->chunk);
        STRATA_TRY(strata_stream_launch(s, &batch_norm_sums_kernel, &how, &args));
    }
    return STRATA_OK;
}

/* The totals of a pass, STATS_FINISH or BACKWARD_FINISH. */
static strata_status finish(strata_stream *s, const strata_node *n, const cut *c, bool frozen,
                            strata_pass pass)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const norm_options *options = n->options;
    const bool back = pass == STRATA_BACKWARD_FINISH;
    struct batch_norm_finish_args args = {
        .sums = strata_slice_part(n->scratch, 0,
                                  coef_bytes(c->quads) + partial_bytes(c->chunks, c->rows, c->quads)),
        .table = n->kept[TABLE],
        .total = c->pixels,
        .quads = c->quads,
        .channels = n->in[0]->shape.c,
        .chunk = c->chunk,
        .chunks = c->chunks,
        .rows = c->rows,
        .partial_at = (uint32_t)(coef_bytes(c->quads) / QUAD_BYTES),
        .frozen = frozen,
        .affine = n->param[GAIN] != NULL,
        .add_param = n->add_param,
        .eps = options->eps,
        .momentum = options->momentum,
    };
    if (back) {
        args.dgain = grad_of(n->param[GAIN]);
        args.dbias = grad_of(n->param[BIAS]);
        args.has_dgain = args.dgain.block != NULL;
        args.has_dbias = args.dbias.block != NULL;
    } else {
        args.gain = data_of(n->param[GAIN]);
        args.bias = data_of(n->param[BIAS]);
        args.running_mean = n->param[RUNNING_MEAN]->data;
        args.running_var = n->param[RUNNING_VAR]->data;
        if (frozen) args.sums = (strata_slice) { 0 };
    }
    const bool many = c->chunks * c->rows > MANY_PARTIALS && caps->max_group >= 256;
    char defines[48];
    if (caps->cpu_type)
        snprintf(defines, sizeof defines, "GROUP=%d LANE_QUAD=1 ROWS=%u", LEAST_GROUP_CPU,
                 c->rows ? c->rows : 1);
    else
        snprintf(defines, sizeof defines, "%sAHEAD=4", many ? "GROUP=256 " : "");
    strata_launch how = { .pass = pass, .variant = "plain", .defines = defines };
    strata_grid(how.groups, c->quads, caps->cpu_type ? LEAST_GROUP_CPU : 1);
    return strata_stream_launch(s, &batch_norm_finish_kernel, &how, &args);
}

strata_status strata_norm_describe(strata_stream *s, const strata_node *norm)
{
    const strata_shape shape = norm->in[0]->shape;
    const cut c = { .pixels = (uint32_t)strata_pixels(shape), .quads = strata_lanes(shape.c) / 4 };
    return finish(s, norm, &c, true, STRATA_STATS_FINISH);
}

static strata_status normalise(strata_stream *s, const strata_node *n, const cut *c)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const uint32_t variant = strata_op_variant(s, n, STRATA_FORWARD);
    struct batch_norm_args args = {
        .table = n->kept[TABLE],
        .quads = c->quads,
        .channels = n->in[0]->shape.c,
        .cols = c->cols,
        .rows = c->rows,
        .relu = has_relu(n),
        .sum = has_sum(n),
    };
    for (uint32_t first = 0; first < c->pixels; first += c->most) {
        args.pixels = c->pixels - first < c->most ? c->pixels - first : c->most;
        args.x = pixels_of(n->in[0]->data, c, first, args.pixels);
        if (args.sum) args.z = pixels_of(n->in[1]->data, c, first, args.pixels);
        args.y = pixels_of(n->out->data, c, first, args.pixels);
        char defines[64];
        snprintf(defines, sizeof defines, "FROZEN=0 RELU=%u SUM=%u DO_DX=0 DO_DZ=0%s", args.relu, args.sum,
                 strata_texels(s, &args, &batch_norm_kernel) ? " TEXEL=1" : "");
        const element_grid e = elements_of(caps, c, args.pixels, any_half(n), defines);
        args.cols = e.cut.cols, args.rows = e.cut.rows;
        strata_launch how = { .pass = STRATA_FORWARD, .variant = variants[variant], .defines = e.defines };
        grid(how.groups, &e.cut, args.pixels, e.cut.rows * e.cut.each * e.cut.subgroups);
        STRATA_TRY(strata_stream_launch(s, &batch_norm_kernel, &how, &args));
    }
    return STRATA_OK;
}

static uint32_t what_to_do(const strata_node *n, uint32_t i)
{
    if (i >= n->n_in || !n->in[i]->grad.block) return NOTHING;
    return n->add_in[i] ? ADD : ASSIGN;
}

static strata_status denormalise(strata_stream *s, const strata_node *n, const cut *c)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const uint32_t variant = strata_op_variant(s, n, STRATA_BACKWARD);
    struct batch_norm_args args = {
        .table = n->kept[TABLE],
        .quads = c->quads,
        .channels = n->in[0]->shape.c,
        .cols = c->cols,
        .rows = c->rows,
        .frozen = n->frozen_stats,
        .do_dx = what_to_do(n, 0),
        .do_dz = what_to_do(n, 1),
    };
    if (args.do_dx == NOTHING && args.do_dz == NOTHING) return STRATA_OK;
    const bool centres = args.do_dx != NOTHING && !args.frozen; /* else neither x nor the sums are read */
    args.relu = mask_of(caps, n, centres);
    if (centres) args.coef = strata_slice_part(n->scratch, 0, 2 * row_bytes(c->quads));
    for (uint32_t first = 0; first < c->pixels; first += c->most) {
        args.pixels = c->pixels - first < c->most ? c->pixels - first : c->most;
        if (centres) args.x = pixels_of(n->in[0]->data, c, first, args.pixels);
        if (args.relu == OF_Y) args.y = pixels_of(n->out->data, c, first, args.pixels);
        if (args.do_dx) args.dx = pixels_of(n->in[0]->grad, c, first, args.pixels);
        if (args.do_dz) args.dz = pixels_of(n->in[1]->grad, c, first, args.pixels);
        args.dy = pixels_of(n->out->grad, c, first, args.pixels);
        char defines[64];
        snprintf(defines, sizeof defines, "FROZEN=%u RELU=%u SUM=0 DO_DX=%u DO_DZ=%u%s", !centres, args.relu,
                 args.do_dx, args.do_dz, strata_texels(s, &args, &batch_norm_kernel) ? " TEXEL=1" : "");
        const element_grid e = elements_of(caps, c, args.pixels, any_half(n), defines);
        args.cols = e.cut.cols, args.rows = e.cut.rows;
        strata_launch how = { .pass = STRATA_BACKWARD, .variant = variants[variant], .defines = e.defines };
        grid(how.groups, &e.cut, args.pixels, e.cut.rows * e.cut.each * e.cut.subgroups);
        STRATA_TRY(strata_stream_launch(s, &batch_norm_kernel, &how, &args));
    }
    return STRATA_OK;
}

static strata_status forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    const bool frozen = mode == STRATA_EVALUATE_MODE || n->frozen_stats;
    cut c;
    STRATA_TRY(cut_up(&c, strata_device_caps(strata_stream_device(s)), n));
    if (!frozen && c.pixels == 1)
        return strata_fail(STRATA_BAD_SHAPE,
                           "%s: batch_norm wants more than one value per channel in training, got %s; a "
                           "larger batch or image has them",
                           n->name, strata_shape_text(n->in[0]->shape).s);
    if (mode == STRATA_AGAIN) return normalise(s, n, &c); /* the table is kept */
    if (!frozen) STRATA_TRY(sum_up(s, n, &c, STRATA_STATS));
    STRATA_TRY(finish(s, n, &c, frozen, STRATA_STATS_FINISH));
    return normalise(s, n, &c);
}

static strata_status backward(strata_stream *s, const strata_node *n)
{
    const strata_param *gain = n->param[GAIN], *bias = n->param[BIAS];
    const bool wants_params = (gain && gain->grad.block) || (bias && bias->grad.block);
    cut c;
    STRATA_TRY(cut_up(&c, strata_device_caps(strata_stream_device(s)), n));
    if (wants_params || (n->in[0]->grad.block && !n->frozen_stats)) {
        STRATA_TRY(sum_up(s, n, &c, STRATA_BACKWARD_STATS));
        STRATA_TRY(finish(s, n, &c, n->frozen_stats, STRATA_BACKWARD_FINISH));
    }
    return denormalise(s, n, &c);
}

/* Sums over x come before the first y, and sums over x and dy (behind a sum and relu, y) before the first dx:
 * all are read twice. Without a sum y need not be read. */
static strata_work work(const strata_node *n, strata_pass pass)
{
    const strata_shape shape = n->in[0]->shape;
    const double elements = (double)strata_pixels(shape) * shape.c;
    const double again = n->frozen_stats ? 0 : (double)strata_tensor_bytes(n->in[0]);
    strata_work w = strata_tensor_work(n, pass);
    if (pass == STRATA_FORWARD) w.bytes += again;
    const bool follows = has_relu(n) && !has_sum(n) && !n->frozen_stats && !any_half(n);
    if (pass == STRATA_BACKWARD) w.bytes += (has_relu(n) && !follows ? 3 : 2) * again;
    if (pass == STRATA_BACKWARD && follows) w.bytes -= (double)strata_tensor_bytes(n->out);
    /* x gain + bias; before it d = x - guess, sums of d and d d; backward sums of dy and dy xhat, then dx. */
    w.flops = elements * (pass == STRATA_EVALUATE || n->frozen_stats ? 2 : pass == STRATA_FORWARD ? 6 : 10);
    w.flops += elements * (has_sum(n) + has_relu(n));
    return w;
}

const strata_op strata_op_batch_norm = {
    .name = "batch_norm",
    .min_in = 1,
    .max_in = 2,
    .fields = fields,
    .options_bytes = sizeof(norm_options),
    .backward_reads = STRATA_READS_IN0,
    .in_place = 3,
    .grad_in_place = 3,
    .variants = variants,
    .prefer = prefer,
    .infer = infer,
    .take_in = take_in,
    .forward = forward,
    .backward = backward,
    .work = work,
};

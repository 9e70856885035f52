/* batch_norm -- PyTorch's BatchNorm2d, and BatchNorm1d on [n,1,1,d].
 *
 *   x [n,h,w,c] -> y [n,h,w,c];  keeps mean [c] and inverse standard deviation [c] of the batch
 *   parameters: weight (the gain), bias, running_mean, running_var, all [c]
 *
 * In training the statistics are those of the micro-batch, and each micro-batch moves the running ones; in
 * evaluation and with frozen_stats the running ones are used and stay.
 *
 * Kernel: shaders/batch_norm.comp.  Reference: src/cpu/batch_norm.c. */
#include <stdio.h>

#include "ops/op.h"
#include "batch_norm.args.h"

typedef struct norm_options {
    float eps, momentum;
    uint32_t affine, zero_init;
} norm_options;

static const strata_field fields[] = {
    { "eps", STRATA_FIELD_FLOAT, offsetof(norm_options, eps), 1e-5, false, 0, 1 },
    { "momentum", STRATA_FIELD_FLOAT, offsetof(norm_options, momentum), 0.1, false, 0, 1 },
    { "affine", STRATA_FIELD_BOOL, offsetof(norm_options, affine), 1, false, 0, 1 },
    { "zero_init", STRATA_FIELD_BOOL, offsetof(norm_options, zero_init), 0, false, 0, 1 },
    { 0 },
};

enum { GAIN, BIAS, RUNNING_MEAN, RUNNING_VAR };
enum { MEAN, SPREAD }; /* kept */

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

enum { GROUP = 64, EACH = 8 }; /* of the shader */
enum {
    GRAIN = 16,       /* pixels: of 4 floats at least, so that a part of so many begins aligned */
    LEAST_EACH = 8,   /* pixels that an invocation adds up at least */
    GROUPS_GPU = 512, /* workgroups of a sum: enough to fill a large GPU; partials stay few */
    GROUPS_CPU = 32,  /* enough to keep processor cores even */
    MAX_CHUNKS = 512
};

typedef struct cut {
    uint32_t pixels, quads, cols, rows, chunk, chunks, most; /* most: pixels of one launch, whole chunks */
} cut;

static uint32_t cols_of(uint32_t quads) { return quads < GROUP ? quads : GROUP; }

static uint64_t partial_bytes(uint32_t chunks, uint32_t rows, uint32_t quads)
{
    return 2 * (uint64_t)chunks * rows * quads * 16;
}

static uint64_t round_up(uint64_t n, uint64_t grain) { return (n + grain - 1) / grain * grain; }

/* Errors: STRATA_BAD_ARG when the tensor does not fit MAX_CHUNKS bound slices. */
static strata_status cut_up(cut *out, const strata_caps *caps, const strata_node *n)
{
    const strata_shape shape = n->in[0]->shape;
    cut c = { .pixels = (uint32_t)strata_pixels(shape), .quads = strata_lanes(shape.c) / 4 };
    c.cols = cols_of(c.quads);
    c.rows = caps->vulkan ? GROUP / c.cols : 1;
    const uint32_t across = (c.quads + c.cols - 1) / c.cols;
    uint32_t wanted = !caps->vulkan ? 1 : (caps->cpu_type ? GROUPS_CPU : GROUPS_GPU) / across;
    if (wanted == 0) wanted = 1;
    uint64_t chunk = (c.pixels + wanted - 1) / wanted, bound = caps->max_range / (16 * (uint64_t)c.quads);
    if (chunk < LEAST_EACH * c.rows) chunk = LEAST_EACH * c.rows;
    chunk = round_up(chunk, GRAIN);
    if (chunk > bound) chunk = bound - bound % GRAIN;
    const uint64_t chunks = chunk ? (c.pixels + chunk - 1) / chunk : UINT64_MAX;
    if (chunks > MAX_CHUNKS)
        return strata_fail(
            STRATA_BAD_ARG, "%s: batch_norm of %s does not fit %d pieces of the %llu bytes that %s binds",
            n->name, strata_shape_text(shape).s, MAX_CHUNKS, (unsigned long long)caps->max_range, caps->name);
    /* The partials are one slice, too: on a device of small ranges fewer rows work. */
    while (c.rows > 1 && partial_bytes((uint32_t)chunks, c.rows, c.quads) > caps->max_range) c.rows /= 2;
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
    const uint32_t quads = strata_lanes(shape.c) / 4;
    uint64_t chunks = (strata_pixels(shape) + GRAIN - 1) / GRAIN;
    if (chunks > MAX_CHUNKS) chunks = MAX_CHUNKS;
    n->out->shape = shape;
    n->kept_bytes[MEAN] = n->kept_bytes[SPREAD] = 16 * (uint64_t)quads;
    n->scratch_bytes = strata_align(partial_bytes((uint32_t)chunks, GROUP / cols_of(quads), quads)) +
                       32 * (uint64_t)quads;

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

/* ---- Launches ---------------------------------------------------------------------------------------- */

static strata_slice data_of(const strata_param *p) { return p ? p->data : (strata_slice) { 0 }; }
static strata_slice grad_of(const strata_param *p) { return p ? p->grad : (strata_slice) { 0 }; }

/* What all passes share; tensors larger than a slice are left out. */
static struct batch_norm_args common(const strata_node *n, const cut *c, bool frozen)
{
    const norm_options *options = n->options;
    const strata_param *gain = n->param[GAIN], *bias = n->param[BIAS];
    const uint64_t partial = partial_bytes(c->chunks, c->rows, c->quads);
    return (struct batch_norm_args) {
        .gain = data_of(gain),
        .bias = data_of(bias),
        .mean = frozen ? n->param[RUNNING_MEAN]->data : n->kept[MEAN],
        .spread = frozen ? n->param[RUNNING_VAR]->data : n->kept[SPREAD],
        .partial = strata_slice_part(n->scratch, 0, partial),
        .coef = strata_slice_part(n->scratch, strata_align(partial), 32 * (uint64_t)c->quads),
        .total = c->pixels,
        .quads = c->quads,
        .channels = n->in[0]->shape.c,
        .cols = c->cols,
        .rows = c->rows,
        .chunk = c->chunk,
        .chunks = c->chunks,
        .frozen = frozen,
        .affine = gain != NULL,
        .add_dx = n->add_in[0],
        .add_param = n->add_param,
        .eps = options->eps,
        .momentum = options->momentum,
    };
}

/* A pass over pixels, in slices. */
static strata_status over_pixels(strata_stream *s, const strata_node *n, const cut *c, bool frozen,
                                 strata_pass pass)
{
    const bool sums = pass == STRATA_STATS || pass == STRATA_BACKWARD_STATS;
    const bool back = pass == STRATA_BACKWARD || pass == STRATA_BACKWARD_STATS;
    const uint64_t pixel_bytes = 16 * (uint64_t)c->quads;
    struct batch_norm_args args = common(n, c, frozen);
    const uint32_t variant = strata_op_variant(s, n, pass);
    char defines[64];
    snprintf(defines, sizeof defines, "FROZEN=%u AFFINE=%u ADD_DX=%u STEP=%d", args.frozen, args.affine,
             pass == STRATA_BACKWARD && args.add_dx, variant == LONG ? 16 : 4);
    for (uint32_t first = 0; first < c->pixels; first += c->most) {
        args.pixels = c->pixels - first < c->most ? c->pixels - first : c->most;
        args.first = first / c->chunk;
        const uint64_t at = first * pixel_bytes, bytes = args.pixels * pixel_bytes;
        args.x = strata_slice_part(n->in[0]->data, at, bytes);
        if (pass == STRATA_FORWARD) args.y = strata_slice_part(n->out->data, at, bytes);
        if (pass == STRATA_BACKWARD) args.dx = strata_slice_part(n->in[0]->grad, at, bytes);
        if (back) args.dy = strata_slice_part(n->out->grad, at, bytes);
        strata_launch how = { .pass = pass, .variant = variants[variant], .defines = defines };
        const uint32_t each = sums ? c->chunk : c->rows * EACH;
        strata_grid(how.groups, args.pixels, each);
        if (sums) how.split = (args.pixels + c->chunk - 1) / c->chunk;
        how.groups[2] = how.groups[1];
        how.groups[1] = how.groups[0];
        how.groups[0] = (c->quads + c->cols - 1) / c->cols;
        STRATA_TRY(strata_stream_launch(s, &batch_norm_kernel, &how, &args));
    }
    return STRATA_OK;
}

static strata_status finish(strata_stream *s, const cut *c, const struct batch_norm_args *args,
                            strata_pass pass)
{
    strata_launch how = { .pass = pass, .variant = "plain", .defines = "" };
    strata_grid(how.groups, c->quads, 1);
    return strata_stream_launch(s, &batch_norm_kernel, &how, args);
}

static strata_status forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    const bool frozen = mode == STRATA_EVALUATE_MODE || n->frozen_stats;
    cut c;
    STRATA_TRY(cut_up(&c, strata_device_caps(strata_stream_device(s)), n));
    if (!frozen) {
        if (c.pixels == 1)
            return strata_fail(STRATA_BAD_SHAPE,
                               "%s: batch_norm wants more than one value per channel in training, got %s; a "
                               "larger batch or image has them",
                               n->name, strata_shape_text(n->in[0]->shape).s);
        STRATA_TRY(over_pixels(s, n, &c, false, STRATA_STATS));
        struct batch_norm_args args = common(n, &c, false);
        args.running_mean = n->param[RUNNING_MEAN]->data;
        args.running_var = n->param[RUNNING_VAR]->data;
        STRATA_TRY(finish(s, &c, &args, STRATA_STATS_FINISH));
    }
    return over_pixels(s, n, &c, frozen, STRATA_FORWARD);
}

static strata_status backward(strata_stream *s, const strata_node *n)
{
    const bool frozen = n->frozen_stats;
    cut c;
    STRATA_TRY(cut_up(&c, strata_device_caps(strata_stream_device(s)), n));
    struct batch_norm_args args = common(n, &c, frozen);
    args.dgain = grad_of(n->param[GAIN]);
    args.dbias = grad_of(n->param[BIAS]);
    args.has_dgain = args.dgain.block != NULL;
    args.has_dbias = args.dbias.block != NULL;
    const bool wants_dx = n->in[0]->grad.block != NULL;
    if (args.has_dgain || args.has_dbias || (wants_dx && !frozen)) {
        STRATA_TRY(over_pixels(s, n, &c, frozen, STRATA_BACKWARD_STATS));
        STRATA_TRY(finish(s, &c, &args, STRATA_BACKWARD_FINISH));
    }
    return wants_dx ? over_pixels(s, n, &c, frozen, STRATA_BACKWARD) : STRATA_OK;
}

/* Sums over x come before the first y, and sums over x and dy before the first dx: both are read twice. */
static strata_work work(const strata_node *n, strata_pass pass)
{
    const strata_shape shape = n->in[0]->shape;
    const double elements = (double)strata_pixels(shape) * shape.c;
    const double again = n->frozen_stats ? 0 : 4.0 * (double)strata_shape_floats(shape);
    strata_work w = strata_tensor_work(n, pass);
    if (pass == STRATA_FORWARD) w.bytes += again;
    if (pass == STRATA_BACKWARD) w.bytes += 2 * again;
    /* x gain + bias; before it d = x - guess, sums of d and d d; backward sums of dy and dy xhat, then dx. */
    w.flops = elements * (pass == STRATA_EVALUATE || n->frozen_stats ? 2 : pass == STRATA_FORWARD ? 6 : 10);
    return w;
}

const strata_op strata_op_batch_norm = {
    .name = "batch_norm",
    .min_in = 1,
    .max_in = 1,
    .fields = fields,
    .options_bytes = sizeof(norm_options),
    .backward_reads = STRATA_READS_IN0,
    .variants = variants,
    .prefer = prefer,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .work = work,
};

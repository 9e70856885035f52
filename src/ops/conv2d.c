/* conv2d -- convolution with any window, stride, padding, dilation and groups, as PyTorch's Conv2d.
 *
 *   x [n,h,w,c] -> y [n,p,q,out],  p = (h + 2 pad - dilation (kernel - 1) - 1) / stride + 1
 *   weight [r][s][c / groups][out] in files [out, c / groups, r, s];  bias [out]
 *
 * In the same pass over memory with a relu behind it, whose gradient is masked by y > 0 before all else, in
 * place; in evaluation with a batch norm behind it, its sum with z [n,p,q,out], and its relu.
 *
 * Kernels: shaders/conv2d.comp (forward, input gradient), conv2d_weight.comp, conv2d_transpose.comp,
 * conv2d_sum.comp.  References: src/cpu/ of the same names. */
#include "ops/conv2d.h"

#include <string.h>

#include "ops/batch_norm.h"

const char *const conv2d_variants[] = { "plain",    "depthwise", "window",     "tile32",
                                        "tile64",   "tile64x8",  "tile128x64", "tile128",
                                        "subgroup", "winograd",  "winograd2",  NULL };

enum { MOST_CHUNKS = 256, MOST_CHUNKS_GPU = 1024, MOST_CHUNKS_WINDOW = 4096 };

conv2d_size conv2d_size_of(const strata_node *n)
{
    const conv2d_options *o = n->options;
    const uint32_t ci = n->in[0]->shape.c;
    conv2d_size z = { .taps = o->kernel[0] * o->kernel[1],
                      .groups = o->groups,
                      .depth = ci / o->groups,
                      .width = o->out / o->groups,
                      .cols = strata_lanes(o->out),
                      .to_cols = strata_lanes(ci),
                      .pixels = n->out->shape.h * n->out->shape.w };
    z.rows = o->groups == 1 ? strata_lanes(ci) : z.depth;
    z.to_rows = o->groups == 1 ? strata_lanes(o->out) : z.width;
    z.floats = (uint64_t)z.taps * z.rows * z.cols;
    z.to_floats = (uint64_t)z.taps * z.to_rows * z.to_cols;
    return z;
}

static uint32_t clamp(uint64_t v, uint32_t high)
{
    if (v < 1) return 1;
    return v < high ? (uint32_t)v : high;
}

uint32_t conv2d_most_weight_chunks(const strata_node *n, uint64_t bytes)
{
    const conv2d_size z = conv2d_size_of(n);
    const uint64_t by_pixels = (uint64_t)n->out->shape.n * z.pixels / 64, by_bytes = bytes / (4 * z.floats);
    return clamp(by_pixels < by_bytes ? by_pixels : by_bytes,
                 bytes > CONV2D_PARTIALS ? MOST_CHUNKS_GPU : MOST_CHUNKS);
}

uint32_t conv2d_most_window_chunks(const strata_node *n)
{
    const conv2d_size z = conv2d_size_of(n);
    const uint64_t by_pixels = (uint64_t)n->out->shape.n * z.pixels / 16,
                   by_bytes = CONV2D_PARTIALS_GPU / (4 * z.floats);
    return clamp(by_pixels < by_bytes ? by_pixels : by_bytes, MOST_CHUNKS_WINDOW);
}

uint32_t conv2d_most_bias_chunks(const strata_node *n)
{
    return clamp((uint64_t)n->out->shape.n * conv2d_size_of(n).pixels / 128, MOST_CHUNKS);
}

conv2d_chunks conv2d_cut(uint32_t images, uint32_t pixels, uint32_t wanted, uint32_t grain)
{
    conv2d_chunks c = { .images = 1, .parts = 1 };
    if (wanted < images) {
        while ((uint64_t)c.images * wanted < images) c.images *= 2;
        c.chunk = c.span = c.images * pixels;
        c.count = (images + c.images - 1) / c.images;
        return c;
    }
    c.span = pixels;
    c.chunk = (pixels + wanted / images - 1) / (wanted / images);
    c.chunk = (c.chunk + grain - 1) / grain * grain;
    c.parts = (pixels + c.chunk - 1) / c.chunk;
    c.count = images * c.parts;
    return c;
}

/* Multiplications of zeros in the padding are counted, as everybody does. */
strata_work conv2d_work(const strata_node *n, strata_pass pass)
{
    const conv2d_size z = conv2d_size_of(n);
    strata_work w = strata_tensor_work(n, pass);
    if (pass == STRATA_BACKWARD_X && !n->in[0]->grad.block) return (strata_work) { 0 };
    w.flops = 2.0 * n->out->shape.n * z.pixels * z.taps * z.depth * z.width * z.groups;
    const conv2d_options *o = n->options;
    if (o->norm) w.flops += (n->n_in > 1 ? 3.0 : 2.0) * n->out->shape.n * z.pixels * o->out;
    const double out = (double)strata_tensor_bytes(n->out);
    const double relu = (double)n->out->shape.n * z.pixels * o->out;
    if (pass == STRATA_BACKWARD) /* the mask of both gradients' dy: y, dy and back */
        return o->relu ? (strata_work) { relu, 3 * out } : (strata_work) { 0 };
    if (!o->relu || pass == STRATA_BACKWARD_X) return w;
    if (pass == STRATA_BACKWARD_W)
        w.bytes -= out; /* which the mask reads */
    else
        w.flops += relu;
    return w;
}

bool conv2d_take_in(strata_node *n, const strata_node *next)
{
    conv2d_options *o = n->options;
    if (o->relu || strcmp(next->op->name, "relu") != 0) return false;
    o->relu = 1;
    n->backward_reads |= STRATA_READS_OUT | STRATA_SPOILS_GRAD;
    return true;
}

/* Where the weights are summed run by run, y holds sums before z is read, and y may lie over it. The kernels
 * for subgroups take no norm: each way to end would make one more of those that compile longest, by 2 s on
 * Mesa 22.3, and a batch of 64 takes 8 ms less by it (64 channels, 32 x 32). */
bool conv2d_take_norm(const strata_caps *caps, const char *forced, strata_node *n, const strata_node *norm)
{
    conv2d_options *o = n->options;
    if (o->relu || o->norm) return false;
    if (strata_op_choose(caps, forced, n, STRATA_FORWARD) == CONV2D_SUBGROUP) return false;
    if (norm->n_in > 1 && 4 * conv2d_size_of(n).floats > caps->max_range) return false;
    o->norm = norm;
    o->relu = strata_norm_relu(norm);
    if (norm->n_in > 1) n->in[n->n_in++] = norm->in[1];
    for (uint32_t i = 0; CONV2D_NORM + i < STRATA_MAX_PARAMS; i++) n->param[CONV2D_NORM + i] = norm->param[i];
    n->kept_bytes[CONV2D_TABLE] = norm->kept_bytes[0];
    return true;
}

const char *conv2d_ending(bool norm, bool sum, bool relu)
{
    static const char *const names[] = { "",       "NORM=1",        "SUM=1",        "NORM=1 SUM=1",
                                         "RELU=1", "NORM=1 RELU=1", "SUM=1 RELU=1", "NORM=1 SUM=1 RELU=1" };
    return names[norm + 2 * sum + 4 * relu];
}

/* ---- Shapes and parameters ---------------------------------------------------------------------- */

static strata_status infer_side(uint32_t *out, const strata_node *n, uint32_t in, int side)
{
    const conv2d_options *o = n->options;
    const uint64_t window = (uint64_t)o->dilation[side] * (o->kernel[side] - 1) + 1;
    const uint64_t padded = in + 2 * (uint64_t)o->pad[side];
    if (padded < window)
        return strata_fail(STRATA_BAD_SHAPE, "%s: a window of %llu does not fit %s %u padded by %u", n->name,
                           (unsigned long long)window, side ? "width" : "height", in, o->pad[side]);
    *out = (uint32_t)((padded - window) / o->stride[side] + 1);
    return STRATA_OK;
}

static strata_status add_params(strata_builder *b, strata_node *n, uint32_t file_rank)
{
    const conv2d_options *o = n->options;
    const bool zero_bias = o->kaiming || o->std > 0;
    strata_param weight = { .kind = STRATA_PARAM_FILTER,
                            .co = o->out,
                            .ci = n->in[0]->shape.c / o->groups,
                            .r = o->kernel[0],
                            .s = o->kernel[1],
                            .groups = o->groups,
                            .file_rank = file_rank,
                            .init = STRATA_INIT_UNIFORM_FAN_IN };
    weight.fan_in = (uint64_t)weight.ci * weight.r * weight.s;
    if (o->kaiming) weight.init = file_rank == 2 ? STRATA_INIT_KAIMING_FAN_IN : STRATA_INIT_KAIMING_FAN_OUT;
    if (o->std > 0) weight.init = STRATA_INIT_NORMAL, weight.scale = (double)o->std;
    STRATA_TRY(strata_builder_param(b, n, CONV2D_WEIGHT, "weight", &weight));
    if (!o->bias) return STRATA_OK;
    return strata_builder_param(
        b, n, CONV2D_BIAS, "bias",
        &(strata_param) { .kind = STRATA_PARAM_VECTOR,
                          .bias = true,
                          .co = o->out,
                          .ci = 1,
                          .r = 1,
                          .s = 1,
                          .groups = 1,
                          .file_rank = 1,
                          .fan_in = weight.fan_in,
                          .init = zero_bias ? STRATA_INIT_CONSTANT : STRATA_INIT_UNIFORM_FAN_IN });
}

strata_status conv2d_infer(strata_builder *b, strata_node *n, uint32_t file_rank)
{
    const conv2d_options *o = n->options;
    const strata_shape x = n->in[0]->shape;
    if (x.c % o->groups != 0 || o->out % o->groups != 0)
        return strata_fail(STRATA_BAD_SHAPE,
                           "%s: groups=%u wants to divide the channels of %s, %u, and out=%u", n->name,
                           o->groups, n->in[0]->name, x.c, o->out);
    strata_shape y = { .n = x.n, .c = o->out };
    STRATA_TRY(infer_side(&y.h, n, x.h, 0));
    STRATA_TRY(infer_side(&y.w, n, x.w, 1));
    n->out->shape = y;
    const conv2d_size z = conv2d_size_of(n);
    if (!strata_countable(z.taps, z.rows, z.cols, 1) || !strata_countable(z.taps, z.to_rows, z.to_cols, 1))
        return strata_fail(STRATA_BAD_SHAPE, "%s: a weight of %u x %u x %u has more than %d elements",
                           n->name, z.taps, z.rows, z.cols, INT32_MAX);

    /* Needed one after the other: partial weight gradients, partial bias gradients, transposed weights. */
    const uint32_t chunks = conv2d_most_weight_chunks(n, CONV2D_PARTIALS);
    uint64_t bytes = chunks > 1 ? 4 * z.floats * chunks : 0;
    const uint64_t bias_bytes = o->bias ? 4 * (uint64_t)z.cols * conv2d_most_bias_chunks(n) : 0;
    if (bytes < bias_bytes) bytes = bias_bytes;
    if (bytes < 4 * z.to_floats) bytes = 4 * z.to_floats;
    n->scratch_bytes = bytes;
    return add_params(b, n, file_rank);
}

static strata_status infer(strata_builder *b, strata_node *n) { return conv2d_infer(b, n, 4); }

static const strata_field fields[] = {
    { "out", STRATA_FIELD_UINT, offsetof(conv2d_options, out), .required = true, .low = 1, .high = 1 << 20 },
    { "kernel", STRATA_FIELD_PAIR, offsetof(conv2d_options, kernel), .required = true, .low = 1,
      .high = 4096 },
    { "stride", STRATA_FIELD_PAIR, offsetof(conv2d_options, stride), .fallback = 1, .low = 1, .high = 4096 },
    { "pad", STRATA_FIELD_PAIR, offsetof(conv2d_options, pad), .low = 0, .high = 4096 },
    { "dilation", STRATA_FIELD_PAIR, offsetof(conv2d_options, dilation), .fallback = 1, .low = 1,
      .high = 4096 },
    { "groups", STRATA_FIELD_UINT, offsetof(conv2d_options, groups), .fallback = 1, .low = 1,
      .high = 1 << 20 },
    { "bias", STRATA_FIELD_BOOL, offsetof(conv2d_options, bias), .fallback = 1, .high = 1 },
    { "kaiming", STRATA_FIELD_BOOL, offsetof(conv2d_options, kaiming), .high = 1 },
    { 0 },
};

static bool skips(const strata_node *n)
{
    const conv2d_options *o = n->options;
    return 2 * (uint64_t)o->kernel[0] * o->kernel[1] <= (uint64_t)o->stride[0] * o->stride[1];
}

const strata_op strata_op_conv2d = {
    .name = "conv2d",
    .min_in = 1,
    .max_in = 1,
    .fields = fields,
    .options_bytes = sizeof(conv2d_options),
    .backward_reads = STRATA_READS_IN0,
    .variants = conv2d_variants,
    .admits = conv2d_admits,
    .prefer = conv2d_prefer,
    .prefer_exact = conv2d_prefer_exact,
    .scratch = conv2d_scratch,
    .infer = infer,
    .forward = conv2d_forward,
    .backward = conv2d_backward,
    .take_in = conv2d_take_in,
    .take_norm = conv2d_take_norm,
    .in_place = 2, /* z */
    .split_backward = true,
    .skips = skips,
    .work = conv2d_work,
};

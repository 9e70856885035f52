/* The operations of src/ops in terms of ONNX's opset 13 (its Operators.md). Sizes of images are known, so
 * that ceil_mode and adaptive windows become plain ones; only the number of images is open. */
#include "model/onnx_graph.h"

#include <stdio.h>
#include <string.h>

/* ---- A node's own ------------------------------------------------------------------------------ */

static const void *option(const strata_node *n, const char *name)
{
    for (const strata_field *f = n->op->fields; f && f->name; f++)
        if (strcmp(f->name, name) == 0) return (const char *)n->options + f->offset;
    return NULL;
}

static uint32_t whole(const strata_node *n, const char *name, int i)
{
    const uint32_t *value = option(n, name);
    return value ? value[i] : 0;
}

static float real(const strata_node *n, const char *name)
{
    const float *value = option(n, name);
    return value ? *value : 0;
}

static const char *param(const strata_node *n, const char *suffix)
{
    for (int i = 0; i < STRATA_MAX_PARAMS; i++) {
        const char *dot = n->param[i] ? strrchr(n->param[i]->name, '.') : NULL;
        if (dot && strcmp(dot + 1, suffix) == 0) return n->param[i]->name;
    }
    return NULL;
}

static onnx_value *value_of(const onnx_builder *b, const strata_tensor *t)
{
    uint32_t i = 0;
    while (b->graph->tensor[i] != t) i++;
    return &b->value[i];
}

static onnx_value input(const onnx_builder *b, const strata_node *n, uint32_t i)
{
    return *value_of(b, n->in[i]);
}

static void output(onnx_builder *b, const strata_node *n, const char *name, uint32_t rank)
{
    *value_of(b, n->out) = (onnx_value) { name, rank };
}

/* One node, as the graph has it: its inputs as they are, and the rank of the first. */
static strata_status same(onnx_builder *b, const strata_node *n, const char *type, strata_text *attributes)
{
    const char *in[STRATA_MAX_IN];
    for (uint32_t i = 0; i < n->n_in; i++) in[i] = input(b, n, i).name;
    onnx_add_node(b, type, n->out->name, in, n->n_in, attributes);
    output(b, n, n->out->name, input(b, n, 0).rank);
    return STRATA_OK;
}

/* ---- Shapes ------------------------------------------------------------------------------------ */

onnx_value onnx_flat(onnx_builder *b, onnx_value v, const char *of)
{
    strata_text attributes = { 0 };
    if (v.rank == 2) return v;
    const char *name = onnx_name(b, of, "flat");
    onnx_attribute_int(&attributes, "axis", 1);
    onnx_add_node(b, "Flatten", name, &v.name, 1, &attributes);
    return (onnx_value) { name, 2 };
}

/* The input as [N,C,H,W]: behind a linear layer it is [N,C]. */
static onnx_value image_input(onnx_builder *b, const strata_node *n)
{
    const onnx_value v = input(b, n, 0);
    if (v.rank == 4) return v;
    const int64_t shape[4] = { 0, n->in[0]->shape.c, 1, 1 }; /* 0: as it is */
    const onnx_constant like = { NULL, ONNX_INT64, 1, { 4 }, sizeof shape, shape };
    const char *name = onnx_name(b, n->name, "image");
    const char *in[2] = { v.name, onnx_add_constant(b, n->name, "shape", &like) };
    onnx_add_node(b, "Reshape", name, in, 2, NULL);
    return (onnx_value) { name, 4 };
}

/* Inputs of add and concat want one rank. */
static strata_status add_joined(onnx_builder *b, const strata_node *n, const char *type,
                                strata_text *attributes)
{
    const char *in[STRATA_MAX_IN];
    char part[16];
    uint32_t rank = 4;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (input(b, n, i).rank == 2) rank = 2;
    for (uint32_t i = 0; i < n->n_in; i++) {
        snprintf(part, sizeof part, "in%u", (unsigned)i);
        const onnx_value v = input(b, n, i);
        in[i] = rank == 2 ? onnx_flat(b, v, onnx_name(b, n->name, part)).name : v.name;
    }
    if (attributes || n->n_in == 2) {
        onnx_add_node(b, type, n->out->name, in, n->n_in, attributes);
    } else { /* ONNX adds two at a time */
        const char *sum[2] = { in[0], NULL };
        for (uint32_t i = 1; i < n->n_in; i++) {
            snprintf(part, sizeof part, "sum%u", (unsigned)i);
            sum[1] = in[i];
            const char *name = i + 1 < n->n_in ? onnx_name(b, n->name, part) : n->out->name;
            onnx_add_node(b, type, name, sum, 2, NULL);
            sum[0] = name;
        }
    }
    output(b, n, n->out->name, rank);
    return STRATA_OK;
}

static strata_status add_sum(onnx_builder *b, const strata_node *n) { return add_joined(b, n, "Add", NULL); }

static strata_status add_concat(onnx_builder *b, const strata_node *n)
{
    strata_text attributes = { 0 };
    onnx_attribute_int(&attributes, "axis", 1);
    return add_joined(b, n, "Concat", &attributes);
}

/* flatten, identity, and dropout, which does nothing in evaluation: another name for the same. */
static strata_status add_alias(onnx_builder *b, const strata_node *n)
{
    *value_of(b, n->out) = input(b, n, 0);
    return STRATA_OK;
}

/* ---- Layers with weights -------------------------------------------------------------------------- */

static strata_status add_conv(onnx_builder *b, const strata_node *n)
{
    strata_text a = { 0 };
    const char *in[3] = { image_input(b, n).name, param(n, "weight"), param(n, "bias") };
    const int64_t kernel[2] = { whole(n, "kernel", 0), whole(n, "kernel", 1) };
    const int64_t stride[2] = { whole(n, "stride", 0), whole(n, "stride", 1) };
    const int64_t dilation[2] = { whole(n, "dilation", 0), whole(n, "dilation", 1) };
    const int64_t pad[4] = { whole(n, "pad", 0), whole(n, "pad", 1), whole(n, "pad", 0), whole(n, "pad", 1) };
    onnx_attribute_ints(&a, "dilations", dilation, 2);
    onnx_attribute_int(&a, "group", whole(n, "groups", 0));
    onnx_attribute_ints(&a, "kernel_shape", kernel, 2);
    onnx_attribute_ints(&a, "pads", pad, 4);
    onnx_attribute_ints(&a, "strides", stride, 2);
    onnx_add_node(b, "Conv", n->out->name, in, in[2] ? 3 : 2, &a);
    output(b, n, n->out->name, 4);
    return STRATA_OK;
}

static strata_status add_linear(onnx_builder *b, const strata_node *n)
{
    strata_text a = { 0 };
    const char *in[3] = { onnx_flat(b, input(b, n, 0), n->name).name, param(n, "weight"), param(n, "bias") };
    onnx_attribute_int(&a, "transB", 1);
    onnx_add_node(b, "Gemm", n->out->name, in, in[2] ? 3 : 2, &a);
    output(b, n, n->out->name, 2);
    return STRATA_OK;
}

/* A vector of one value for every channel. */
static const char *constant_vector(onnx_builder *b, const strata_node *n, const char *what, float value)
{
    const uint32_t channels = n->in[0]->shape.c;
    float *values = strata_arena_take(&b->arena, channels * sizeof *values);
    if (!values) return b->failed = true, "";
    for (uint32_t i = 0; i < channels; i++) values[i] = value;
    const onnx_constant like = { NULL, ONNX_FLOAT, 1, { channels }, channels * sizeof *values, values };
    return onnx_add_constant(b, n->name, what, &like);
}

static strata_status add_norm(onnx_builder *b, const strata_node *n)
{
    strata_text a = { 0 };
    const char *in[5] = { input(b, n, 0).name, param(n, "weight"), param(n, "bias"), param(n, "running_mean"),
                          param(n, "running_var") };
    if (!in[1]) in[1] = constant_vector(b, n, "weight", 1); /* one that is not affine */
    if (!in[2]) in[2] = constant_vector(b, n, "bias", 0);
    onnx_attribute_float(&a, "epsilon", real(n, "eps"));
    onnx_add_node(b, "BatchNormalization", n->out->name, in, 5, &a);
    output(b, n, n->out->name, input(b, n, 0).rank);
    return STRATA_OK;
}

/* ---- Functions --------------------------------------------------------------------------------------- */

static strata_status add_relu(onnx_builder *b, const strata_node *n) { return same(b, n, "Relu", NULL); }

static strata_status add_leaky(onnx_builder *b, const strata_node *n)
{
    strata_text a = { 0 };
    onnx_attribute_float(&a, "alpha", real(n, "slope"));
    return same(b, n, "LeakyRelu", &a);
}

static const char *scalar(onnx_builder *b, const strata_node *n, const char *what, float value)
{
    const onnx_constant like = { NULL, ONNX_FLOAT, 0, { 0 }, sizeof value, &value };
    return onnx_add_constant(b, n->name, what, &like);
}

/* `out` = x op y. */
static const char *binary(onnx_builder *b, const char *op, const char *out, const char *x, const char *y)
{
    const char *in[2] = { x, y };
    onnx_add_node(b, op, out, in, 2, NULL);
    return out;
}

static strata_status add_silu(onnx_builder *b, const strata_node *n)
{
    const onnx_value x = input(b, n, 0);
    const char *gate = onnx_name(b, n->name, "gate");
    onnx_add_node(b, "Sigmoid", gate, &x.name, 1, NULL);
    output(b, n, binary(b, "Mul", n->out->name, x.name, gate), x.rank);
    return STRATA_OK;
}

/* x/2 (1 + erf(x / sqrt 2)), or x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): opset 13 has no Gelu. */
static strata_status add_gelu(onnx_builder *b, const strata_node *n)
{
    const onnx_value v = input(b, n, 0);
    const char *x = v.name, *in = NULL, *curve = onnx_name(b, n->name, "curve");
    if (whole(n, "tanh", 0)) {
        const char *square = binary(b, "Mul", onnx_name(b, n->name, "square"), x, x);
        const char *part = binary(b, "Mul", onnx_name(b, n->name, "part"), square,
                                  scalar(b, n, "cubic", 0.044715f));
        const char *more = binary(b, "Add", onnx_name(b, n->name, "more"), part, scalar(b, n, "one", 1));
        const char *sum = binary(b, "Mul", onnx_name(b, n->name, "sum"), more, x);
        in = binary(b, "Mul", onnx_name(b, n->name, "in"), sum, scalar(b, n, "scale", 0.79788456f));
    } else {
        in = binary(b, "Mul", onnx_name(b, n->name, "in"), x, scalar(b, n, "scale", 0.70710678f));
    }
    onnx_add_node(b, whole(n, "tanh", 0) ? "Tanh" : "Erf", curve, &in, 1, NULL);
    const char *gate = binary(b, "Add", onnx_name(b, n->name, "gate"), curve, scalar(b, n, "unit", 1));
    const char *half = binary(b, "Mul", onnx_name(b, n->name, "half"), x, scalar(b, n, "share", 0.5f));
    output(b, n, binary(b, "Mul", n->out->name, half, gate), v.rank);
    return STRATA_OK;
}

/* ---- Pooling ------------------------------------------------------------------------------------------ */

static bool is_max(const strata_node *n) { return strstr(n->op->name, "max") != NULL; }

static const char *pool_type(const strata_node *n) { return is_max(n) ? "MaxPool" : "AveragePool"; }

/* An image with zeros around it.  pad: rows, columns */
static const char *padded(onnx_builder *b, const strata_node *n, const char *x, const int64_t pad[2])
{
    const int64_t pads[8] = { 0, 0, pad[0], pad[1], 0, 0, pad[0], pad[1] };
    const onnx_constant like = { NULL, ONNX_INT64, 1, { 8 }, sizeof pads, pads };
    const char *in[2] = { x, onnx_add_constant(b, n->name, "pads", &like) };
    const char *name = onnx_name(b, n->name, "padded");
    onnx_add_node(b, "Pad", name, in, 2, NULL);
    return name;
}

/* The windows that ceil_mode adds hang over the far edge: there the padding is made wide enough for them. An
 * average that counts padding, which OpenCV 4.6 never does, is one of an image with zeros around it; what
 * hangs over that is not counted, as in PyTorch. */
static strata_status add_pool(onnx_builder *b, const strata_node *n)
{
    strata_text a = { 0 };
    onnx_value x = image_input(b, n);
    const uint32_t in[2] = { n->in[0]->shape.h, n->in[0]->shape.w };
    const uint32_t out[2] = { n->out->shape.h, n->out->shape.w };
    int64_t kernel[2], stride[2], dilation[2], around[2], pad[4];
    for (int i = 0; i < 2; i++) {
        kernel[i] = whole(n, "kernel", i);
        stride[i] = whole(n, "stride", i) ? whole(n, "stride", i) : kernel[i];
        dilation[i] = whole(n, "dilation", i) ? whole(n, "dilation", i) : 1;
        around[i] = pad[i] = pad[i + 2] = whole(n, "pad", i);
        const int64_t end = (out[i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 - in[i] - pad[i];
        if (end > pad[i + 2]) pad[i + 2] = end;
    }
    if (!is_max(n) && whole(n, "count_include_pad", 0) && (around[0] || around[1])) {
        x.name = padded(b, n, x.name, around);
        for (int i = 0; i < 4; i++) pad[i] -= around[i % 2];
    }
    if (!is_max(n)) onnx_attribute_int(&a, "count_include_pad", 0);
    if (dilation[0] != 1 || dilation[1] != 1) onnx_attribute_ints(&a, "dilations", dilation, 2);
    onnx_attribute_ints(&a, "kernel_shape", kernel, 2);
    onnx_attribute_ints(&a, "pads", pad, 4);
    onnx_attribute_ints(&a, "strides", stride, 2);
    onnx_add_node(b, pool_type(n), n->out->name, &x.name, 1, &a);
    output(b, n, n->out->name, 4);
    return STRATA_OK;
}

/* Pool with windows that do not overlap. */
static void add_windows(onnx_builder *b, const strata_node *n, const char *out, const char *in,
                        const int64_t kernel[2])
{
    strata_text a = { 0 };
    onnx_attribute_ints(&a, "kernel_shape", kernel, 2);
    onnx_attribute_ints(&a, "strides", kernel, 2);
    onnx_add_node(b, pool_type(n), out, &in, 1, &a);
}

/* Rows [begin, end) of axis 2, or columns of axis 3. */
static const char *slice(onnx_builder *b, const char *name, const char *from, int64_t axis,
                         const int64_t range[2])
{
    onnx_constant like = { NULL, ONNX_INT64, 1, { 1 }, sizeof *range, &range[0] };
    const char *in[4] = { from, onnx_add_constant(b, name, "begin", &like) };
    like.bytes = &range[1];
    in[2] = onnx_add_constant(b, name, "end", &like);
    like.bytes = &axis;
    in[3] = onnx_add_constant(b, name, "axis", &like);
    onnx_add_node(b, "Slice", name, in, 4, NULL);
    return name;
}

/* Pool one axis (0: rows) of `in` pixels to `out` windows [floor(o in / out), ceil((o + 1) in / out)), which
 * differ in length, one by one. Returns the name of the result. */
static const char *pool_axis(onnx_builder *b, const strata_node *n, const char *x, int axis,
                             const uint32_t size[2])
{
    const uint64_t in = size[0], out = size[1];
    const char **part = strata_arena_take(&b->arena, (size_t)out * sizeof *part);
    char what[32];
    if (!part) return b->failed = true, x;
    for (uint64_t o = 0; o < out; o++) {
        const int64_t range[2] = { (int64_t)(o * in / out), (int64_t)(((o + 1) * in + out - 1) / out) };
        const int64_t kernel[2] = { axis ? 1 : range[1] - range[0], axis ? range[1] - range[0] : 1 };
        snprintf(what, sizeof what, "%s%llu", axis ? "columns" : "rows", (unsigned long long)o);
        part[o] = slice(b, onnx_name(b, n->name, what), x, axis + 2, range);
        if (range[1] - range[0] == 1) continue;
        const char *pooled = onnx_name(b, part[o], "pool");
        add_windows(b, n, pooled, part[o], kernel);
        part[o] = pooled;
    }
    strata_text a = { 0 };
    const char *name = onnx_name(b, n->name, axis ? "columns" : "rows");
    onnx_attribute_int(&a, "axis", axis + 2);
    onnx_add_node(b, "Concat", name, part, (uint32_t)out, &a);
    return name;
}

static strata_status add_adaptive(onnx_builder *b, const strata_node *n)
{
    const onnx_value x = image_input(b, n);
    const uint32_t h[2] = { n->in[0]->shape.h, n->out->shape.h },
                   w[2] = { n->in[0]->shape.w, n->out->shape.w };
    const int64_t kernel[2] = { h[0] / h[1], w[0] / w[1] };
    const char *name = n->out->name;
    if (h[1] == 1 && w[1] == 1) {
        onnx_add_node(b, is_max(n) ? "GlobalMaxPool" : "GlobalAveragePool", name, &x.name, 1, NULL);
    } else if (h[0] % h[1] == 0 && w[0] % w[1] == 0) {
        add_windows(b, n, name, x.name, kernel);
    } else { /* a mean of means is the mean: the windows are rectangles */
        name = pool_axis(b, n, pool_axis(b, n, x.name, 0, h), 1, w);
    }
    output(b, n, name, 4);
    return STRATA_OK;
}

/* ---- The table ---------------------------------------------------------------------------------------- */

static const struct {
    const char *op;
    strata_status (*add)(onnx_builder *b, const strata_node *n);
} table[] = {
    { "adaptive_avg_pool", add_adaptive },
    { "adaptive_max_pool", add_adaptive },
    { "add", add_sum },
    { "avg_pool", add_pool },
    { "batch_norm", add_norm },
    { "concat", add_concat },
    { "conv2d", add_conv },
    { "dropout", add_alias },
    { "flatten", add_alias },
    { "gelu", add_gelu },
    { "global_avg_pool", add_adaptive },
    { "global_max_pool", add_adaptive },
    { "identity", add_alias },
    { "leaky_relu", add_leaky },
    { "linear", add_linear },
    { "max_pool", add_pool },
    { "relu", add_relu },
    { "silu", add_silu },
};

strata_status onnx_add(onnx_builder *b, const strata_node *n)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].op, n->op->name) == 0) return table[i].add(b, n);
    return strata_fail(STRATA_BAD_ARG, "%s: there is no export of %s to ONNX", n->name, n->op->name);
}

/* relu, leaky_relu, gelu, silu -- element-wise functions, as PyTorch's of the same names.
 *
 *   x [n,h,w,c] -> y [n,h,w,c]
 *
 * Kernel: shaders/activation.comp.  Reference: src/cpu/activation.c. */
#include <stdio.h>
#include <string.h>

#include "ops/activation.h"
#include "activation.args.h"

enum { RELU, LEAKY_RELU, GELU, GELU_TANH, SILU };

typedef struct leaky_options {
    float slope;
} leaky_options;

typedef struct gelu_options {
    uint32_t tanh;
} gelu_options;

static strata_status infer(strata_builder *b, strata_node *n)
{
    (void)b;
    n->out->shape = n->in[0]->shape;
    return STRATA_OK;
}

static strata_status record(strata_stream *s, const strata_node *n, strata_pass pass, uint32_t kind,
                            float slope)
{
    const strata_tensor *x = n->in[0], *y = n->out;
    const bool back = pass == STRATA_BACKWARD, add = back && n->add_in[0];
    const bool half = x->half || y->half;
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    if (back && !x->grad.block) return STRATA_OK;
    uint32_t most = 0;
    STRATA_TRY(strata_images_per_launch(&most, s, n));
    for (strata_images part = { 0 }; strata_images_next(&part, x->shape.n, most);) {
        struct activation_args args = {
            .x = strata_images_of(back && kind == RELU ? y->data : x->data, x->shape, part),
            .images = part.count,
            .image_quads = strata_image_quads(x->shape),
            .kind = kind,
            .add_dx = add,
            .slope = slope,
        };
        if (back) {
            args.dx = strata_images_of(x->grad, x->shape, part);
            args.dy = strata_images_of(y->grad, x->shape, part);
        } else {
            args.y = strata_images_of(y->data, x->shape, part);
        }
        const strata_elements e = strata_cut_elements(caps, (uint64_t)part.count * args.image_quads, 1, half);
        char defines[sizeof e.defines + 48];
        snprintf(defines, sizeof defines, "%sKIND=%u ADD_DX=%d%s", e.defines, kind, add,
                 strata_texels(s, &args, &activation_kernel) ? " TEXEL=1" : "");
        strata_launch how = { .pass = pass, .variant = "plain", .defines = defines };
        memcpy(how.groups, e.groups, sizeof how.groups);
        STRATA_TRY(strata_stream_launch(s, &activation_kernel, &how, &args));
    }
    return STRATA_OK;
}

static strata_status relu_forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    (void)mode;
    return record(s, n, STRATA_FORWARD, RELU, 0);
}

static strata_status relu_backward(strata_stream *s, const strata_node *n)
{
    return record(s, n, STRATA_BACKWARD, RELU, 0);
}

/* As the relu itself does where the gradient of its input lies over that of its output. */
strata_status strata_relu_mask(strata_stream *s, const strata_node *n)
{
    const strata_node relu = { .op = n->op, .name = n->name, .in = { n->out }, .n_in = 1, .out = n->out };
    return record(s, &relu, STRATA_BACKWARD, RELU, 0);
}

const strata_op strata_op_relu = {
    .name = "relu",
    .min_in = 1,
    .max_in = 1,
    .in_place = 1,
    .grad_in_place = 1,
    .backward_reads = STRATA_READS_OUT,
    .infer = infer,
    .forward = relu_forward,
    .backward = relu_backward,
};

static strata_status leaky_forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    (void)mode;
    return record(s, n, STRATA_FORWARD, LEAKY_RELU, ((const leaky_options *)n->options)->slope);
}

static strata_status leaky_backward(strata_stream *s, const strata_node *n)
{
    return record(s, n, STRATA_BACKWARD, LEAKY_RELU, ((const leaky_options *)n->options)->slope);
}

static const strata_field leaky_fields[] = {
    { "slope", STRATA_FIELD_FLOAT, offsetof(leaky_options, slope), .fallback = 0.01, .low = -1e6,
      .high = 1e6 },
    { 0 },
};

const strata_op strata_op_leaky_relu = {
    .name = "leaky_relu",
    .min_in = 1,
    .max_in = 1,
    .in_place = 1,
    .grad_in_place = 1,
    .fields = leaky_fields,
    .options_bytes = sizeof(leaky_options),
    .backward_reads = STRATA_READS_IN0,
    .infer = infer,
    .forward = leaky_forward,
    .backward = leaky_backward,
};

static uint32_t gelu_kind(const strata_node *n)
{
    return ((const gelu_options *)n->options)->tanh ? GELU_TANH : GELU;
}

static strata_status gelu_forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    (void)mode;
    return record(s, n, STRATA_FORWARD, gelu_kind(n), 0);
}

static strata_status gelu_backward(strata_stream *s, const strata_node *n)
{
    return record(s, n, STRATA_BACKWARD, gelu_kind(n), 0);
}

static const strata_field gelu_fields[] = {
    { "tanh", STRATA_FIELD_BOOL, offsetof(gelu_options, tanh), .high = 1 },
    { 0 },
};

const strata_op strata_op_gelu = {
    .name = "gelu",
    .min_in = 1,
    .max_in = 1,
    .in_place = 1,
    .grad_in_place = 1,
    .fields = gelu_fields,
    .options_bytes = sizeof(gelu_options),
    .backward_reads = STRATA_READS_IN0,
    .infer = infer,
    .forward = gelu_forward,
    .backward = gelu_backward,
};

static strata_status silu_forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    (void)mode;
    return record(s, n, STRATA_FORWARD, SILU, 0);
}

static strata_status silu_backward(strata_stream *s, const strata_node *n)
{
    return record(s, n, STRATA_BACKWARD, SILU, 0);
}

const strata_op strata_op_silu = {
    .name = "silu",
    .min_in = 1,
    .max_in = 1,
    .in_place = 1,
    .grad_in_place = 1,
    .backward_reads = STRATA_READS_IN0,
    .infer = infer,
    .forward = silu_forward,
    .backward = silu_backward,
};

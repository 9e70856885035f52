/* linear -- every output sees the whole input, as PyTorch's Flatten and Linear.
 *
 *   x [n,h,w,c] -> y [n,1,1,out];  weight in files [out, c h w] (the order C,H,W);  bias [out]
 *
 * It is the convolution whose window is its input: ops/conv2d.h. */
#include "ops/conv2d.h"

static strata_status infer(strata_builder *b, strata_node *n)
{
    conv2d_options *o = n->options;
    const strata_shape x = n->in[0]->shape;
    *o = (conv2d_options) { .out = o->out,
                            .bias = o->bias,
                            .kaiming = o->kaiming,
                            .std = o->std,
                            .kernel = { x.h, x.w },
                            .stride = { 1, 1 },
                            .dilation = { 1, 1 },
                            .groups = 1 };
    return conv2d_infer(b, n, 2);
}

static const strata_field fields[] = {
    { "out", STRATA_FIELD_UINT, offsetof(conv2d_options, out), .required = true, .low = 1, .high = 1 << 20 },
    { "bias", STRATA_FIELD_BOOL, offsetof(conv2d_options, bias), .fallback = 1, .high = 1 },
    { "kaiming", STRATA_FIELD_BOOL, offsetof(conv2d_options, kaiming), .high = 1 },
    { "std", STRATA_FIELD_FLOAT, offsetof(conv2d_options, std), .low = 0, .high = 1e3 },
    { 0 },
};

const strata_op strata_op_linear = {
    .name = "linear",
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
    .in_place = 2, /* see conv2d.c */
    .split_backward = true,
    .work = conv2d_work,
};

/* max_pool, adaptive_max_pool, global_max_pool -- the maximum over windows, as PyTorch's of the same names.
 *
 *   x [n,h,w,c] -> y [n,out_h,out_w,c];  keeps at [n,out_h,out_w,lanes(c)]: where each maximum was found
 *
 * Kernel: shaders/max_pool.comp.  Reference: src/cpu/max_pool.c. */
#include "ops/pool.h"
#include "max_pool.args.h"

static strata_status record(strata_stream *s, const strata_node *n, const pool_options *options,
                            strata_pass pass)
{
    const strata_shape in = n->in[0]->shape, out = n->out->shape;
    const pool_pass p = { n, pool_windows_of(options), pass, .places = true };
    const bool back = pass == STRATA_BACKWARD, add = back && n->add_in[0];
    if (back && !n->in[0]->grad.block) return STRATA_OK;
    uint32_t most = 0;
    STRATA_TRY(strata_images_per_launch(&most, s, n));
    for (strata_images part = { 0 }; strata_images_next(&part, in.n, most);) {
        struct max_pool_args args = {
            POOL_ARGS(part, in, out, p.windows),
            .dilation_h = p.windows.dilation[0],
            .dilation_w = p.windows.dilation[1],
            .add_dx = add,
        };
        if (pass != STRATA_EVALUATE) args.at = strata_images_of(n->kept[0], out, part);
        if (back) {
            args.dx = strata_images_of(n->in[0]->grad, in, part);
            args.dy = strata_images_of(n->out->grad, out, part);
        } else {
            args.x = strata_images_of(n->in[0]->data, in, part);
            args.y = strata_images_of(n->out->data, out, part);
        }
        STRATA_TRY(pool_launch(s, &max_pool_kernel, &p, part.count, &args));
    }
    return STRATA_OK;
}

static strata_pass forward_pass(strata_mode mode)
{
    return mode != STRATA_EVALUATE_MODE ? STRATA_FORWARD : STRATA_EVALUATE;
}

static void keep(strata_node *n) { n->kept_bytes[0] = 4 * strata_shape_floats(n->out->shape); }

static strata_status infer(strata_builder *b, strata_node *n)
{
    (void)b;
    STRATA_TRY(pool_infer(n, n->options));
    keep(n);
    return STRATA_OK;
}

static strata_status forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    return record(s, n, n->options, forward_pass(mode));
}

static strata_status backward(strata_stream *s, const strata_node *n)
{
    return record(s, n, n->options, STRATA_BACKWARD);
}

static const strata_field fields[] = {
    { "kernel", STRATA_FIELD_PAIR, offsetof(pool_options, kernel), .required = true, .low = 1,
      .high = POOL_MOST },
    { "stride", STRATA_FIELD_PAIR, offsetof(pool_options, stride), .high = POOL_MOST },
    { "pad", STRATA_FIELD_PAIR, offsetof(pool_options, pad), .high = POOL_MOST },
    { "dilation", STRATA_FIELD_PAIR, offsetof(pool_options, dilation), .fallback = 1, .low = 1,
      .high = POOL_MOST },
    { "ceil_mode", STRATA_FIELD_BOOL, offsetof(pool_options, ceil_mode), .high = 1 },
    { 0 },
};

const strata_op strata_op_max_pool = {
    .name = "max_pool",
    .min_in = 1,
    .max_in = 1,
    .fields = fields,
    .options_bytes = sizeof(pool_options),
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

static strata_status adaptive_infer(strata_builder *b, strata_node *n)
{
    (void)b;
    const pool_size *o = n->options;
    STRATA_TRY(pool_infer_adaptive(n, o->size[0], o->size[1]));
    keep(n);
    return STRATA_OK;
}

static strata_status adaptive_forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    return record(s, n, NULL, forward_pass(mode));
}

static strata_status adaptive_backward(strata_stream *s, const strata_node *n)
{
    return record(s, n, NULL, STRATA_BACKWARD);
}

const strata_op strata_op_adaptive_max_pool = {
    .name = "adaptive_max_pool",
    .min_in = 1,
    .max_in = 1,
    .fields = pool_adaptive_fields,
    .options_bytes = sizeof(pool_size),
    .infer = adaptive_infer,
    .forward = adaptive_forward,
    .backward = adaptive_backward,
};

static strata_status global_infer(strata_builder *b, strata_node *n)
{
    (void)b;
    STRATA_TRY(pool_infer_adaptive(n, 1, 1));
    keep(n);
    return STRATA_OK;
}

const strata_op strata_op_global_max_pool = {
    .name = "global_max_pool",
    .min_in = 1,
    .max_in = 1,
    .infer = global_infer,
    .forward = adaptive_forward,
    .backward = adaptive_backward,
};

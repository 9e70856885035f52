/* avg_pool, adaptive_avg_pool, global_avg_pool -- the mean over windows, as PyTorch's of the same names.
 *
 *   x [n,h,w,c] -> y [n,out_h,out_w,c]
 *
 * Kernel: shaders/avg_pool.comp.  Reference: src/cpu/avg_pool.c. */
#include "ops/pool.h"
#include "avg_pool.args.h"

static strata_status record(strata_stream *s, const strata_node *n, const pool_options *options,
                            strata_pass pass)
{
    const strata_shape in = n->in[0]->shape, out = n->out->shape;
    const bool count_pads = options && options->count_include_pad;
    const pool_pass p = { n, pool_windows_of(options), pass, .count_pads = count_pads };
    const bool back = pass == STRATA_BACKWARD, add = back && n->add_in[0];
    if (back && !n->in[0]->grad.block) return STRATA_OK;
    uint32_t most = 0;
    STRATA_TRY(strata_images_per_launch(&most, s, n));
    for (strata_images part = { 0 }; strata_images_next(&part, in.n, most);) {
        struct avg_pool_args args = {
            POOL_ARGS(part, in, out, p.windows),
            .count_pads = count_pads,
            .add_dx = add,
        };
        if (back) {
            args.dx = strata_images_of(n->in[0]->grad, in, part);
            args.dy = strata_images_of(n->out->grad, out, part);
        } else {
            args.x = strata_images_of(n->in[0]->data, in, part);
            args.y = strata_images_of(n->out->data, out, part);
        }
        STRATA_TRY(pool_launch(s, &avg_pool_kernel, &p, part.count, &args));
    }
    return STRATA_OK;
}

static strata_status infer(strata_builder *b, strata_node *n)
{
    (void)b;
    return pool_infer(n, n->options);
}

static strata_status forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    (void)mode;
    return record(s, n, n->options, STRATA_FORWARD);
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
    { "ceil_mode", STRATA_FIELD_BOOL, offsetof(pool_options, ceil_mode), .high = 1 },
    { "count_include_pad", STRATA_FIELD_BOOL, offsetof(pool_options, count_include_pad), .fallback = 1,
      .high = 1 },
    { 0 },
};

const strata_op strata_op_avg_pool = {
    .name = "avg_pool",
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
    return pool_infer_adaptive(n, o->size[0], o->size[1]);
}

static strata_status adaptive_forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    (void)mode;
    return record(s, n, NULL, STRATA_FORWARD);
}

static strata_status adaptive_backward(strata_stream *s, const strata_node *n)
{
    return record(s, n, NULL, STRATA_BACKWARD);
}

const strata_op strata_op_adaptive_avg_pool = {
    .name = "adaptive_avg_pool",
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
    return pool_infer_adaptive(n, 1, 1);
}

const strata_op strata_op_global_avg_pool = {
    .name = "global_avg_pool",
    .min_in = 1,
    .max_in = 1,
    .infer = global_infer,
    .forward = adaptive_forward,
    .backward = adaptive_backward,
};

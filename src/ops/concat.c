/* concat -- 2 to 8 tensors side by side along channels, in the order of the inputs.
 *
 *   in[i] [n,h,w,c_i] -> y [n,h,w,sum of c_i]
 *
 * The output's channels are dense, with padding at their end only. One launch per input.
 * Kernel: shaders/concat.comp.  Reference: src/cpu/concat.c. */
#include <stdio.h>

#include "ops/op.h"
#include "concat.args.h"

static strata_status infer(strata_builder *b, strata_node *n)
{
    (void)b;
    const strata_shape first = n->in[0]->shape;
    uint64_t channels = 0;
    for (uint32_t i = 0; i < n->n_in; i++) {
        strata_shape s = n->in[i]->shape;
        if (s.n != first.n || s.h != first.h || s.w != first.w)
            return strata_fail(STRATA_BAD_SHAPE,
                               "%s: concat wants inputs equal in all but channels, got %s of %s and %s of %s",
                               n->name, strata_shape_text(first).s, n->in[0]->name, strata_shape_text(s).s,
                               n->in[i]->name);
        channels += s.c;
    }
    if (channels > INT32_MAX)
        return strata_fail(STRATA_BAD_SHAPE, "%s: concat wants at most %d channels, got %llu", n->name,
                           INT32_MAX, (unsigned long long)channels);
    n->out->shape = (strata_shape) { first.n, first.h, first.w, (uint32_t)channels };
    return STRATA_OK;
}

/* The launch of one input, whose first channel is channel `offset` of the output. */
static strata_status launch(strata_stream *s, const strata_node *n, strata_pass pass, uint32_t i,
                            uint32_t offset, strata_images part)
{
    const strata_shape in = n->in[i]->shape, out = n->out->shape;
    const bool back = pass == STRATA_BACKWARD, add = back && n->add_in[i];
    const bool aligned = offset % 4 == 0 && (back || in.c % 4 == 0 || offset + in.c == out.c);
    struct concat_args args = {
        .images = part.count,
        .pixels = in.h * in.w,
        .channels = in.c,
        .quads = strata_lanes(in.c) / 4,
        .out_quads = strata_lanes(out.c) / 4,
        .offset = offset,
        .add_dx = add,
    };
    if (back) {
        args.dx = strata_images_of(n->in[i]->grad, in, part);
        args.dy = strata_images_of(n->out->grad, out, part);
    } else {
        args.x = strata_images_of(n->in[i]->data, in, part);
        args.y = strata_images_of(n->out->data, out, part);
    }
    char defines[32];
    snprintf(defines, sizeof defines, "ALIGNED=%d ADD_DX=%d", aligned, add);
    strata_launch how = { .pass = pass, .variant = "plain", .defines = defines };
    uint64_t items = (uint64_t)part.count * strata_image_quads(in);
    if (args.y.half && !aligned) /* then each of the quads of y */
        items = (uint64_t)part.count * in.h * in.w * ((offset + in.c + 3) / 4 - offset / 4);
    strata_grid(how.groups, items, STRATA_GROUP);
    return strata_stream_launch(s, &concat_kernel, &how, &args);
}

static strata_status record(strata_stream *s, const strata_node *n, strata_pass pass)
{
    uint32_t most = 0;
    STRATA_TRY(strata_images_per_launch(&most, s, n));
    for (strata_images part = { 0 }; strata_images_next(&part, n->out->shape.n, most);) {
        uint32_t offset = 0;
        for (uint32_t i = 0; i < n->n_in; offset += n->in[i++]->shape.c)
            if (pass == STRATA_FORWARD || n->in[i]->grad.block)
                STRATA_TRY(launch(s, n, pass, i, offset, part));
    }
    return STRATA_OK;
}

static strata_status forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    (void)mode;
    return record(s, n, STRATA_FORWARD);
}

static strata_status backward(strata_stream *s, const strata_node *n)
{
    return record(s, n, STRATA_BACKWARD);
}

const strata_op strata_op_concat = {
    .name = "concat",
    .min_in = 2,
    .max_in = STRATA_MAX_IN,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

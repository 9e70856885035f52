/* dropout -- zero each channel of each pixel with probability p in training; a copy in evaluation.
 *
 *   x [n,h,w,c] -> y [n,h,w,c];  the mask is not kept: it is a function of seed, step, sample, node and place
 *
 * Kernel: shaders/dropout.comp.  Reference: src/cpu/dropout.c. */
#include <stdio.h>
#include <string.h>

#include "ops/op.h"
#include "dropout.args.h"

enum { LEAST_IMAGE = 16 }; /* quads: a lane's next may lie in the next image, and not beyond */

typedef struct dropout_options {
    float p;
} dropout_options;

static strata_status infer(strata_builder *b, strata_node *n)
{
    (void)b;
    n->out->shape = n->in[0]->shape;
    return STRATA_OK;
}

static strata_status record(strata_stream *s, const strata_node *n, strata_pass pass)
{
    const strata_tensor *x = n->in[0], *y = n->out;
    const float p = ((const dropout_options *)n->options)->p;
    const bool back = pass == STRATA_BACKWARD, add = back && n->add_in[0];
    const bool by_one = x->half || y->half || strata_image_quads(x->shape) < LEAST_IMAGE;
    if (back && !x->grad.block) return STRATA_OK;
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    uint32_t most = 0;
    STRATA_TRY(strata_images_per_launch(&most, s, n));
    for (strata_images part = { 0 }; strata_images_next(&part, x->shape.n, most);) {
        struct dropout_args args = {
            .images = part.count,
            .image_quads = strata_image_quads(x->shape),
            .first = part.first,
            .node = n->index,
            .add_dx = add,
            .p = p,
            .scale = p < 1 ? 1 / (1 - p) : 0,
        };
        if (pass != STRATA_EVALUATE) args.values = strata_stream_step_slice(s);
        if (back) {
            args.dx = strata_images_of(x->grad, x->shape, part);
            args.dy = strata_images_of(y->grad, x->shape, part);
        } else {
            args.x = strata_images_of(x->data, x->shape, part);
            args.y = strata_images_of(y->data, x->shape, part);
        }
        const strata_elements e = strata_cut_elements(caps, (uint64_t)part.count * args.image_quads, 1,
                                                      by_one);
        char defines[sizeof e.defines + 32];
        snprintf(defines, sizeof defines, "%sADD_DX=%d%s", e.defines, add,
                 strata_texels(s, &args, &dropout_kernel) ? " TEXEL=1" : "");
        strata_launch how = { .pass = pass, .variant = "plain", .defines = defines };
        memcpy(how.groups, e.groups, sizeof how.groups);
        STRATA_TRY(strata_stream_launch(s, &dropout_kernel, &how, &args));
    }
    return STRATA_OK;
}

static strata_status forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    return record(s, n, mode != STRATA_EVALUATE_MODE ? STRATA_FORWARD : STRATA_EVALUATE);
}

static strata_status backward(strata_stream *s, const strata_node *n)
{
    return record(s, n, STRATA_BACKWARD);
}

static const strata_field fields[] = {
    { "p", STRATA_FIELD_FLOAT, offsetof(dropout_options, p), .fallback = 0.5, .high = 1 },
    { 0 },
};

const strata_op strata_op_dropout = {
    .name = "dropout",
    .min_in = 1,
    .max_in = 1,
    .in_place = 1,
    .grad_in_place = 1,
    .fields = fields,
    .options_bytes = sizeof(dropout_options),
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

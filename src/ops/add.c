/* add -- the sum of 2 to 8 tensors of one shape, as residual connections need it.
 *
 *   in[0..] [n,h,w,c] -> y [n,h,w,c]
 *
 * Kernel: shaders/add.comp.  Reference: src/cpu/add.c. */
#include <stdio.h>
#include <string.h>

#include "ops/op.h"
#include "add.args.h"

enum { NOTHING, ASSIGN, ADD };

static strata_status infer(strata_builder *b, strata_node *n)
{
    (void)b;
    const strata_shape first = n->in[0]->shape;
    for (uint32_t i = 1; i < n->n_in; i++) {
        strata_shape s = n->in[i]->shape;
        if (s.n != first.n || s.h != first.h || s.w != first.w || s.c != first.c)
            return strata_fail(
                STRATA_BAD_SHAPE, "%s: add wants inputs of one shape, got %s of %s and %s of %s", n->name,
                strata_shape_text(first).s, n->in[0]->name, strata_shape_text(s).s, n->in[i]->name);
    }
    n->out->shape = first;
    return STRATA_OK;
}

static strata_status launch(strata_stream *s, strata_pass pass, const struct add_args *args)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const bool half = args->x0.half || args->x1.half || args->y.half || args->dx0.half || args->dx1.half ||
                      args->dy.half;
    const uint32_t stores = args->do_dx1 != NOTHING ? 2 : 1;
    const strata_elements e = strata_cut_elements(caps, (uint64_t)args->images * args->image_quads, stores,
                                                  half);
    char defines[sizeof e.defines + 48];
    snprintf(defines, sizeof defines, "%sDO_DX0=%u DO_DX1=%u%s", e.defines, args->do_dx0, args->do_dx1,
             strata_texels(s, args, &add_kernel) ? " TEXEL=1" : "");
    strata_launch how = { .pass = pass, .variant = "plain", .defines = defines };
    memcpy(how.groups, e.groups, sizeof how.groups);
    return strata_stream_launch(s, &add_kernel, &how, args);
}

static strata_status forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    (void)mode;
    const strata_shape shape = n->out->shape;
    uint32_t most = 0;
    STRATA_TRY(strata_images_per_launch(&most, s, n));
    for (strata_images part = { 0 }; strata_images_next(&part, shape.n, most);) {
        strata_slice y = strata_images_of(n->out->data, shape, part);
        for (uint32_t i = 1; i < n->n_in; i++)
            STRATA_TRY(launch(s, STRATA_FORWARD,
                              &(struct add_args) {
                                  .x0 = i == 1 ? strata_images_of(n->in[0]->data, shape, part) : y,
                                  .x1 = strata_images_of(n->in[i]->data, shape, part),
                                  .y = y,
                                  .images = part.count,
                                  .image_quads = strata_image_quads(shape),
                              }));
    }
    return STRATA_OK;
}

static bool same_slice(strata_slice a, strata_slice b) { return a.block == b.block && a.offset == b.offset; }

/* In the order of the inputs, as add_in wants it. Gradients go out two to a launch, so that dy is read once
 * for the usual two inputs; a tensor that comes in twice never meets itself, as its bindings would alias. */
static strata_status give(strata_stream *s, const strata_node *n, strata_images part)
{
    const strata_shape shape = n->out->shape;
    uint32_t wanted[STRATA_MAX_IN], n_wanted = 0;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i]->grad.block) wanted[n_wanted++] = i;
    for (uint32_t i = 0; i < n_wanted;) {
        const uint32_t a = wanted[i++];
        struct add_args args = {
            .dx0 = strata_images_of(n->in[a]->grad, shape, part),
            .dy = strata_images_of(n->out->grad, shape, part),
            .images = part.count,
            .image_quads = strata_image_quads(shape),
            .do_dx0 = n->add_in[a] ? ADD : ASSIGN,
            .do_dx1 = NOTHING,
        };
        if (i < n_wanted && !same_slice(n->in[wanted[i]]->grad, n->in[a]->grad)) {
            const uint32_t b = wanted[i++];
            args.dx1 = strata_images_of(n->in[b]->grad, shape, part);
            args.do_dx1 = n->add_in[b] ? ADD : ASSIGN;
        }
        STRATA_TRY(launch(s, STRATA_BACKWARD, &args));
    }
    return STRATA_OK;
}

static strata_status backward(strata_stream *s, const strata_node *n)
{
    uint32_t most = 0;
    STRATA_TRY(strata_images_per_launch(&most, s, n));
    for (strata_images part = { 0 }; strata_images_next(&part, n->out->shape.n, most);)
        STRATA_TRY(give(s, n, part));
    return STRATA_OK;
}

const strata_op strata_op_add = {
    .name = "add",
    .min_in = 2,
    .max_in = STRATA_MAX_IN,
    .in_place = 3, /* the others' turn comes when the sum of these is written */
    .grad_in_place = 0xff,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

/* flatten, identity -- the same memory under another name: no kernel.
 *
 *   x [n,h,w,c] -> y [n,h,w,c]
 *
 * Stored channels are padded, so a map of h * w > 1 pixels is not one row of h * w * c features: flatten
 * keeps the shape, and `linear` takes the whole map as its input, with its weights in the file's (c, h, w)
 * order. */
#include "ops/op.h"

static strata_status infer(strata_builder *b, strata_node *n)
{
    (void)b;
    n->out->shape = n->in[0]->shape;
    return STRATA_OK;
}

const strata_op strata_op_flatten = {
    .name = "flatten", .min_in = 1, .max_in = 1, .view = true, .infer = infer
};

const strata_op strata_op_identity = {
    .name = "identity", .min_in = 1, .max_in = 1, .view = true, .infer = infer
};

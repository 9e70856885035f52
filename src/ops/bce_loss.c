/* bce_loss -- binary cross-entropy of sigmoid(logits) against targets in [0, 1], in nats: PyTorch's
 * BCEWithLogitsLoss, where a sample's loss is the mean over its classes.
 *
 *   logits [n,1,1,k] f32, target [n,1,1,k] f32  ->  loss [n] f32
 *
 * Kernel: shaders/bce_loss.comp.  Reference: src/cpu/bce_loss.c. */
#include <string.h>

#include "ops/loss.h"
#include "bce_loss.args.h"

static strata_status infer(strata_builder *b, strata_node *n)
{
    (void)b;
    const strata_tensor *logits = n->in[0], *target = n->in[1];
    STRATA_TRY(loss_check_logits(n));
    if (target->rows || memcmp(&target->shape, &logits->shape, sizeof target->shape) != 0)
        return strata_fail(STRATA_BAD_SHAPE, "%s: bce_loss wants targets of the logits' shape %s, got %s",
                           n->name, strata_shape_text(logits->shape).s, strata_shape_text(target->shape).s);
    n->out->shape = (strata_shape) { logits->shape.n, 1, 1, 1 };
    n->out->rows = true;
    return STRATA_OK;
}

static strata_status record(strata_stream *s, const strata_node *n, strata_pass pass)
{
    const strata_tensor *logits = n->in[0];
    const uint64_t row_bytes = 4 * (uint64_t)strata_lanes(logits->shape.c);
    uint32_t most = 0;
    STRATA_TRY(loss_rows_per_slice(&most, s, n));
    for (uint32_t first = 0; first < logits->shape.n; first += most) {
        const uint32_t rows = logits->shape.n - first < most ? logits->shape.n - first : most;
        const struct bce_loss_args args = {
            .logits = strata_slice_part(logits->data, first * row_bytes, rows * row_bytes),
            .dlogits = strata_slice_part(logits->grad, first * row_bytes, rows * row_bytes),
            .target = strata_slice_part(n->in[1]->data, first * row_bytes, rows * row_bytes),
            .loss = strata_slice_part(n->out->data, 4 * (uint64_t)first, 4 * (uint64_t)rows),
            .dloss = strata_slice_part(n->out->grad, 4 * (uint64_t)first, 4 * (uint64_t)rows),
            .rows = rows,
            .classes = logits->shape.c,
            .add_dlogits = n->add_in[0],
        };
        STRATA_TRY(loss_launch(s, n, &bce_loss_kernel, pass, rows, &args));
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
    return n->in[0]->grad.block ? record(s, n, STRATA_BACKWARD) : STRATA_OK;
}

const strata_op strata_op_bce_loss = {
    .name = "bce_loss",
    .min_in = 2,
    .max_in = 2,
    .backward_reads = STRATA_READS_ALL_IN,
    .loss = true,
    .variants = loss_variants,
    .prefer = loss_prefer,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

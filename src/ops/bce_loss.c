/* bce_loss -- binary cross-entropy of sigmoid(logits) against targets in [0, 1], in nats: PyTorch's
 * BCEWithLogitsLoss, where a sample's loss is the mean over its classes.
 *
 *   logits [n,1,1,k] f32, target [n,1,1,k] f32  ->  loss [n] f32
 *
 * Kernel: shaders/bce_loss.comp.  Reference: src/cpu/bce_loss.c. */
#include "ops/loss.h"
#include "bce_loss.args.h"

static strata_status infer(strata_builder *b, strata_node *n)
{
    (void)b;
    STRATA_TRY(loss_check_logits(n));
    STRATA_TRY(loss_check_targets(n));
    loss_set_output(n, 0);
    return STRATA_OK;
}

static strata_status launch(strata_stream *s, const strata_node *n, strata_pass pass, const loss_rows *rows)
{
    const struct bce_loss_args args = {
        .logits = rows->logits,
        .dlogits = rows->dlogits,
        .target = loss_classes_of(n, rows, n->in[1]->data),
        .loss = rows->loss,
        .dloss = rows->dloss,
        .rows = rows->count,
        .classes = n->in[0]->shape.c,
        .add_dlogits = n->add_in[0],
    };
    return loss_launch(s, n, &bce_loss_kernel, pass, rows->count, &args);
}

static strata_status forward(strata_stream *s, const strata_node *n, strata_mode mode)
{
    (void)mode;
    return loss_record(s, n, STRATA_FORWARD, launch);
}

static strata_status backward(strata_stream *s, const strata_node *n)
{
    return loss_record(s, n, STRATA_BACKWARD, launch);
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

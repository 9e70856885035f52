/* softmax_target_loss -- cross-entropy of softmax(logits) against shares of classes, in nats, as PyTorch's
 * CrossEntropyLoss of probabilities with reduction "none", label_smoothing and weight.
 *
 *   logits [n,1,1,k] f32, target [n,1,1,k] f32, optional class weights [k] f32  ->  loss [n] f32;  keeps
 *   [n,2] f32
 *
 * Kernel: shaders/softmax_target_loss.comp.  Reference: src/cpu/softmax_target_loss.c. */
#include "ops/loss.h"
#include "softmax_target_loss.args.h"

static strata_status infer(strata_builder *b, strata_node *n)
{
    (void)b;
    STRATA_TRY(loss_check_logits(n));
    STRATA_TRY(loss_check_targets(n));
    STRATA_TRY(loss_check_weights(n));
    loss_set_output(n, LOSS_SOFTMAX_KEPT);
    return STRATA_OK;
}

static strata_status launch(strata_stream *s, const strata_node *n, strata_pass pass, const loss_rows *rows)
{
    const loss_softmax_options *options = n->options;
    const struct softmax_target_loss_args args = {
        .logits = rows->logits,
        .dlogits = rows->dlogits,
        .target = loss_classes_of(n, rows, n->in[1]->data),
        .weight = n->n_in > 2 ? n->in[2]->data : (strata_slice) { 0 },
        .lse = loss_values_of(rows, n->kept[0], LOSS_SOFTMAX_KEPT),
        .loss = rows->loss,
        .dloss = rows->dloss,
        .rows = rows->count,
        .classes = n->in[0]->shape.c,
        .weighted = n->n_in > 2,
        .add_dlogits = n->add_in[0],
        .smoothing = options->smoothing,
    };
    return loss_launch(s, n, &softmax_target_loss_kernel, pass, rows->count, &args);
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

const strata_op strata_op_softmax_target_loss = {
    .name = "softmax_target_loss",
    .min_in = 2,
    .max_in = 3,
    .fields = loss_softmax_fields,
    .options_bytes = sizeof(loss_softmax_options),
    .backward_reads = STRATA_READS_ALL_IN,
    .loss = true,
    .variants = loss_variants,
    .prefer = loss_prefer,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

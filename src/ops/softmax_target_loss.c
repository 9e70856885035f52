/* softmax_target_loss -- cross-entropy of softmax(logits) against shares of classes, in nats, as PyTorch's
 * CrossEntropyLoss of probabilities with reduction "none", label_smoothing and weight.
 *
 *   logits [n,1,1,k] f32, target [n,1,1,k] f32, optional class weights [k] f32  ->  loss [n] f32;  keeps
 *   [n,2] f32
 *
 * Kernel: shaders/softmax_target_loss.comp.  Reference: src/cpu/softmax_target_loss.c. */
#include <string.h>

#include "ops/loss.h"
#include "softmax_target_loss.args.h"

typedef struct softmax_options {
    float smoothing;
} softmax_options;

static const strata_field fields[] = {
    { "smoothing", STRATA_FIELD_FLOAT, offsetof(softmax_options, smoothing), 0, false, 0, 1 },
    { 0 },
};

static strata_status infer(strata_builder *b, strata_node *n)
{
    (void)b;
    const strata_tensor *logits = n->in[0], *target = n->in[1], *weight = n->n_in > 2 ? n->in[2] : NULL;
    STRATA_TRY(loss_check_logits(n));
    if (target->rows || memcmp(&target->shape, &logits->shape, sizeof target->shape) != 0)
        return strata_fail(STRATA_BAD_SHAPE,
                           "%s: softmax_target_loss wants targets of the logits' shape %s, got %s", n->name,
                           strata_shape_text(logits->shape).s, strata_shape_text(target->shape).s);
    if (weight && (!weight->rows || weight->shape.n != logits->shape.c))
        return strata_fail(STRATA_BAD_SHAPE,
                           "%s: softmax_target_loss wants one weight for each of %u classes, got %s", n->name,
                           logits->shape.c, strata_shape_text(weight->shape).s);
    n->out->shape = (strata_shape) { logits->shape.n, 1, 1, 1 };
    n->out->rows = true;
    n->kept_bytes[0] = 8 * (uint64_t)logits->shape.n;
    return STRATA_OK;
}

static strata_status record(strata_stream *s, const strata_node *n, strata_pass pass)
{
    const strata_tensor *logits = n->in[0];
    const softmax_options *options = n->options;
    const uint64_t row_bytes = 4 * (uint64_t)strata_lanes(logits->shape.c);
    uint32_t most = 0;
    STRATA_TRY(loss_rows_per_slice(&most, s, n));
    for (uint32_t first = 0; first < logits->shape.n; first += most) {
        const uint32_t rows = logits->shape.n - first < most ? logits->shape.n - first : most;
        const uint64_t at = 4 * (uint64_t)first, bytes = 4 * (uint64_t)rows;
        const struct softmax_target_loss_args args = {
            .logits = strata_slice_part(logits->data, first * row_bytes, rows * row_bytes),
            .dlogits = strata_slice_part(logits->grad, first * row_bytes, rows * row_bytes),
            .target = strata_slice_part(n->in[1]->data, first * row_bytes, rows * row_bytes),
            .weight = n->n_in > 2 ? n->in[2]->data : (strata_slice) { 0 },
            .lse = strata_slice_part(n->kept[0], 2 * at, 2 * bytes),
            .loss = strata_slice_part(n->out->data, at, bytes),
            .dloss = strata_slice_part(n->out->grad, at, bytes),
            .rows = rows,
            .classes = logits->shape.c,
            .weighted = n->n_in > 2,
            .add_dlogits = n->add_in[0],
            .smoothing = options->smoothing,
        };
        STRATA_TRY(loss_launch(s, n, &softmax_target_loss_kernel, pass, rows, &args));
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

const strata_op strata_op_softmax_target_loss = {
    .name = "softmax_target_loss",
    .min_in = 2,
    .max_in = 3,
    .fields = fields,
    .options_bytes = sizeof(softmax_options),
    .backward_reads = STRATA_READS_ALL_IN,
    .loss = true,
    .variants = loss_variants,
    .prefer = loss_prefer,
    .infer = infer,
    .forward = forward,
    .backward = backward,
};

#include "ops/loss.h"

#include <string.h>

enum { GROUP_ROW, LANE_ROW, GROUP = 64, ROWS_ALIGNED = STRATA_ALIGN / 4 };
const char *const loss_variants[] = { "group", "lane", NULL };

uint32_t loss_prefer(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    (void)pass;
    /* A workgroup of 64 on fewer than 16 quads of classes leaves three quarters of it without work. */
    return caps->cpu_type || n->in[0]->shape.c <= 64 ? LANE_ROW : GROUP_ROW;
}

const strata_field loss_softmax_fields[] = {
    { "smoothing", STRATA_FIELD_FLOAT, offsetof(loss_softmax_options, smoothing), 0, false, 0, 1 },
    { 0 },
};

strata_status loss_check_logits(const strata_node *n)
{
    const strata_tensor *logits = n->in[0];
    if (logits->rows || logits->shape.h != 1 || logits->shape.w != 1)
        return strata_fail(STRATA_BAD_SHAPE, "%s: %s wants logits [n,1,1,k], got %s", n->name, n->op->name,
                           strata_shape_text(logits->shape).s);
    return STRATA_OK;
}

strata_status loss_check_targets(const strata_node *n)
{
    const strata_tensor *logits = n->in[0], *target = n->in[1];
    if (target->rows || memcmp(&target->shape, &logits->shape, sizeof target->shape) != 0)
        return strata_fail(STRATA_BAD_SHAPE, "%s: %s wants targets of the logits' shape %s, got %s", n->name,
                           n->op->name, strata_shape_text(logits->shape).s,
                           strata_shape_text(target->shape).s);
    return STRATA_OK;
}

strata_status loss_check_weights(const strata_node *n)
{
    const strata_tensor *logits = n->in[0], *weight = n->n_in > 2 ? n->in[2] : NULL;
    if (weight && (!weight->rows || weight->shape.n != logits->shape.c))
        return strata_fail(STRATA_BAD_SHAPE, "%s: %s wants one weight for each of %u classes, got %s",
                           n->name, n->op->name, logits->shape.c, strata_shape_text(weight->shape).s);
    return STRATA_OK;
}

void loss_set_output(strata_node *n, uint32_t kept)
{
    const uint32_t rows = n->in[0]->shape.n;
    n->out->shape = (strata_shape) { rows, 1, 1, 1 };
    n->out->rows = true;
    n->kept_bytes[0] = 4 * (uint64_t)kept * rows;
}

/* How many rows one launch may take: a multiple of 64, so that values of 4 bytes a row stay aligned, or all.
 */
static strata_status rows_per_slice(uint32_t *out, strata_stream *s, const strata_node *n)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const strata_shape shape = n->in[0]->shape;
    const uint64_t row_bytes = 4 * (uint64_t)strata_lanes(shape.c);
    uint64_t rows = caps->max_range / row_bytes;
    if (rows >= shape.n)
        rows = shape.n;
    else
        rows -= rows % ROWS_ALIGNED;
    if (rows == 0)
        return strata_fail(STRATA_BAD_ARG, "%s: %d rows of %u classes take %llu bytes, %s binds at most %llu",
                           n->name, ROWS_ALIGNED, shape.c, (unsigned long long)(ROWS_ALIGNED * row_bytes),
                           caps->name, (unsigned long long)caps->max_range);
    *out = (uint32_t)rows;
    return STRATA_OK;
}

strata_slice loss_classes_of(const strata_node *n, const loss_rows *rows, strata_slice all)
{
    return loss_values_of(rows, all, strata_lanes(n->in[0]->shape.c));
}

strata_slice loss_values_of(const loss_rows *rows, strata_slice all, uint32_t floats)
{
    const uint64_t row_bytes = 4 * (uint64_t)floats;
    return strata_slice_part(all, rows->first * row_bytes, rows->count * row_bytes);
}

strata_status loss_record(strata_stream *s, const strata_node *n, strata_pass pass, loss_launcher *launch)
{
    const strata_tensor *logits = n->in[0];
    uint32_t most = 0;
    if (pass == STRATA_BACKWARD && !logits->grad.block) return STRATA_OK;
    STRATA_TRY(rows_per_slice(&most, s, n));
    for (loss_rows rows = { 0 }; rows.first < logits->shape.n; rows.first += most) {
        const uint32_t left = logits->shape.n - rows.first;
        rows.count = left < most ? left : most;
        rows.logits = loss_classes_of(n, &rows, logits->data);
        rows.dlogits = loss_classes_of(n, &rows, logits->grad);
        rows.loss = loss_values_of(&rows, n->out->data, 1);
        rows.dloss = loss_values_of(&rows, n->out->grad, 1);
        STRATA_TRY(launch(s, n, pass, &rows));
    }
    return STRATA_OK;
}

strata_status loss_launch(strata_stream *s, const strata_node *n, const strata_kernel *kernel,
                          strata_pass pass, uint32_t rows, const void *args)
{
    uint32_t variant = strata_op_variant(s, n, pass);
    strata_launch how = {
        .pass = pass,
        .variant = loss_variants[variant],
        .defines = variant == LANE_ROW ? "LANE_ROW=1" : "",
    };
    strata_grid(how.groups, rows, variant == LANE_ROW ? GROUP : 1);
    return strata_stream_launch(s, kernel, &how, args);
}

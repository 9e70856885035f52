#include "ops/loss.h"

enum { GROUP_ROW, LANE_ROW, GROUP = 64, ROWS_ALIGNED = STRATA_ALIGN / 4 };
const char *const loss_variants[] = { "group", "lane", NULL };

uint32_t loss_prefer(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    (void)pass;
    /* A workgroup of 64 on fewer than 16 quads of classes leaves three quarters of it without work. */
    return caps->cpu_type || n->in[0]->shape.c <= 64 ? LANE_ROW : GROUP_ROW;
}

strata_status loss_check_logits(const strata_node *n)
{
    const strata_tensor *logits = n->in[0];
    if (logits->rows || logits->shape.h != 1 || logits->shape.w != 1)
        return strata_fail(STRATA_BAD_SHAPE, "%s: %s wants logits [n,1,1,k], got %s", n->name, n->op->name,
                           strata_shape_text(logits->shape).s);
    return STRATA_OK;
}

strata_status loss_rows_per_slice(uint32_t *out, strata_stream *s, const strata_node *n)
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

/* What the loss ops share: kernels over rows of classes, one row to a workgroup or to an invocation
 * (shaders/row.glsl). */
#ifndef STRATA_OPS_LOSS_H
#define STRATA_OPS_LOSS_H

#include "ops/op.h"

/* "group": a row to a workgroup; "lane": a row to an invocation. */
extern const char *const loss_variants[];
uint32_t loss_prefer(const strata_caps *caps, const strata_node *n, strata_pass pass);

/* Errors: STRATA_BAD_SHAPE unless in[0] is [n,1,1,k]. */
strata_status loss_check_logits(const strata_node *n);

/* How many rows one launch may take: a multiple of 64, so that vectors of 4 bytes a row stay aligned, or all.
 * Errors: STRATA_BAD_ARG naming the node, when 64 rows are too large for a slice. */
strata_status loss_rows_per_slice(uint32_t *out, strata_stream *s, const strata_node *n);

/* Record one launch over `rows` rows in the variant that applies. */
strata_status loss_launch(strata_stream *s, const strata_node *n, const strata_kernel *kernel,
                          strata_pass pass, uint32_t rows, const void *args);

#endif

/* What the loss ops share: rows of classes, cut into as many launches as a device's range wants, by kernels
 * that give a row to a workgroup or to an invocation (shaders/row.glsl). */
#ifndef STRATA_OPS_LOSS_H
#define STRATA_OPS_LOSS_H

#include "ops/op.h"

/* "group": a row to a workgroup; "lane": a row to an invocation. */
extern const char *const loss_variants[];
uint32_t loss_prefer(const strata_caps *caps, const strata_node *n, strata_pass pass);

/* Options of the cross-entropies. */
typedef struct loss_softmax_options {
    float smoothing; /* share of the target that is spread over all classes, 0 .. 1 */
} loss_softmax_options;
extern const strata_field loss_softmax_fields[];
enum { LOSS_SOFTMAX_KEPT = 2 }; /* floats of a row: its largest logit, the log of its sum over that */

/* Errors, all STRATA_BAD_SHAPE: in[0] is not [n,1,1,k]; in[1] is not targets of the same shape; in[2] is
 * there and not [k] weights. */
strata_status loss_check_logits(const strata_node *n);
strata_status loss_check_targets(const strata_node *n);
strata_status loss_check_weights(const strata_node *n);

/* Make the output a loss for each row of in[0], and keep `kept` floats a row for the backward pass. */
void loss_set_output(strata_node *n, uint32_t kept);

/* The rows of one launch, and of what logits and losses hold those. */
typedef struct loss_rows {
    uint32_t first, count;
    strata_slice logits, dlogits, loss, dloss;
} loss_rows;
/* Of [n,1,1,k] as the logits, and of `floats` 32-bit values a row. */
strata_slice loss_classes_of(const strata_node *n, const loss_rows *rows, strata_slice all);
strata_slice loss_values_of(const loss_rows *rows, strata_slice all, uint32_t floats);

/* Record a pass: `launch` is called for one part of the rows after another, and not at all by a backward pass
 * of logits that want no gradient.
 * Errors: those of `launch`; STRATA_BAD_ARG naming the node, when 64 rows are too large for a slice. */
typedef strata_status loss_launcher(strata_stream *s, const strata_node *n, strata_pass pass,
                                    const loss_rows *rows);
strata_status loss_record(strata_stream *s, const strata_node *n, strata_pass pass, loss_launcher *launch);

/* Record one launch over `rows` rows in the variant that applies. */
strata_status loss_launch(strata_stream *s, const strata_node *n, const strata_kernel *kernel,
                          strata_pass pass, uint32_t rows, const void *args);

#endif

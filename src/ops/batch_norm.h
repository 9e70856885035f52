/* What ops that took in a batch norm do in evaluation. */
#ifndef STRATA_OPS_BATCH_NORM_H
#define STRATA_OPS_BATCH_NORM_H

#include "ops/op.h"

/* Does it end in a relu? */
bool strata_norm_relu(const strata_node *norm);

/* Record what makes the table of a norm, its kept[0], of running statistics: [4, quads] of means, inverse
 * standard deviations, scales and offsets. */
strata_status strata_norm_describe(strata_stream *s, const strata_node *norm);

#endif

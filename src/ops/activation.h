/* What ops that took in a relu do backward. */
#ifndef STRATA_OPS_ACTIVATION_H
#define STRATA_OPS_ACTIVATION_H

#include "ops/op.h"

/* Make the gradient of n's output that of what its relu took, in place: 0 where the output is not above 0. */
strata_status strata_relu_mask(strata_stream *s, const strata_node *n);

#endif

/* Options of a node, from text to the op's struct, and back. */
#ifndef STRATA_GRAPH_SETTINGS_H
#define STRATA_GRAPH_SETTINGS_H

#include "core/text.h"
#include "graph/graph.h"

/* Fill `options` [op->options_bytes] from defaults and settings [n].  node: the name used in messages.
 * Errors: STRATA_BAD_ARG naming the node, the option, its range and what came; a missing or unknown option.
 */
strata_status settings_fill(void *options, const strata_op *op, const char *node,
                            const strata_setting *settings, uint32_t n);

/* Append "[64,32,32,64] -> [64,32,32,64] kernel=3 pad=1": its first input, its output, and the options of
 * a model file that are not the default. Of what it took in, nothing. */
void settings_put_shape(strata_text *out, const strata_node *n);

#endif

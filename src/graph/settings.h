/* Options of a node, from text to the op's struct. */
#ifndef STRATA_GRAPH_SETTINGS_H
#define STRATA_GRAPH_SETTINGS_H

#include "graph/graph.h"

/* Fill `options` [op->options_bytes] from defaults and settings [n].  node: the name used in messages.
 * Errors: STRATA_BAD_ARG naming the node, the option, its range and what came; a missing or unknown option.
 */
strata_status settings_fill(void *options, const strata_op *op, const char *node,
                            const strata_setting *settings, uint32_t n);

#endif

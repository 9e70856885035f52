/* The sizes and lives of everything a plan places; between plan.c and its parts. */
#ifndef STRATA_GRAPH_LAYOUT_H
#define STRATA_GRAPH_LAYOUT_H

#include "graph/place.h"
#include "graph/plan.h"

/* Fill the plan's offsets (in_*, result_*) and the list of items. `items` has room for layout_room() of them.
 * Every item's slice belongs to the plan, its graph's tensors or its nodes.
 * Errors: STRATA_BAD_ARG where the graph lacks a loss that training needs. */
strata_status layout_items(strata_plan *p, place_item *items, uint32_t *n_items);
uint32_t layout_room(const strata_graph *g);

/* Add to the list what comes and goes within a step: all of it that depends on the order. */
void layout_passing(strata_plan *p, place_item *items, uint32_t *n_items);

/* After place_bind: the parts of the larger slices, views, and which gradients exist under the frozen prefix.
 */
void layout_parts(strata_plan *p);
void layout_gradients(strata_plan *p);

/* Let tensors that are computed again lie where that is done (`again`), or where the forward pass makes
 * them. */
void layout_again(strata_plan *p, bool again);

/* Does node n's backward pass read its input i? */
bool layout_reads_back(const strata_node *n, uint32_t i);

/* The tensor whose memory `t` is a view of; itself where it is not a view. */
const strata_tensor *layout_root(const strata_graph *g, const strata_tensor *t);

#endif

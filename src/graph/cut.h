/* Where the nodes are cut into segments for recompute. */
#ifndef STRATA_GRAPH_CUT_H
#define STRATA_GRAPH_CUT_H

#include "graph/place.h"
#include "graph/plan.h"

/* Choose the cuts of p->order that take the least memory of those looked at, and make the order. The time
 * grows with the square of the nodes: each is cut or not a few times, and all of them are weighed then.
 *   room  for layout_room() items and order_times() times */
void cut_choose(strata_plan *p, const place_room *room);

#endif

/* What is said where a plan has no room: which batch would. */
#ifndef STRATA_GRAPH_FIT_H
#define STRATA_GRAPH_FIT_H

#include "graph/place.h"
#include "graph/plan.h"

/* Fail as place_items did for its largest item, whose message stands: what grows with the batch may be
 * smaller. */
strata_status fit_item(const strata_plan *p, const place_item *largest);

/* Fail since p->device_bytes is more than `limit`. A batch that is named fits; none is named where it is not
 * sure. The items' slices are left with sizes alone. */
strata_status fit_plan(const strata_plan *p, const place_item *items, uint32_t n_items, uint64_t limit);

#endif

#include "graph/cut.h"

#include "graph/layout.h"
#include "graph/order.h"

enum { MOST_CROSSING = 2, SEARCHES = 4 };

typedef struct cutter {
    strata_plan *plan;
    const place_room *room;
    uint64_t least; /* bytes that come and go, alive at once with the best cuts so far */
} cutter;

/* Bytes alive at once with the cuts as they are, but for what lives always, which is the same with all. */
static uint64_t weigh(const cutter *c)
{
    uint32_t n = 0;
    order_make(c->plan);
    layout_passing(c->plan, c->room->items, &n);
    return place_least(c->room->items, n, c->room);
}

/* A cut at every stride-th place that one tensor crosses. */
static void cut_each(const strata_plan *p, uint32_t stride)
{
    for (uint32_t k = 0, n = 0; k < p->n_nodes; k++)
        p->order->cut[k] = p->order->crossing[k] == 1 && ++n % stride == 0;
}

/* Of all even cuts at such places, those that take the least memory. */
static void cut_evenly(cutter *c)
{
    const strata_plan *p = c->plan;
    uint32_t places = 0, best = 0;
    for (uint32_t k = 0; k < p->n_nodes; k++) places += p->order->crossing[k] == 1;
    for (uint32_t stride = 1; stride <= places + 1; stride += (stride + 2) / 3) {
        cut_each(p, stride);
        const uint64_t bytes = weigh(c);
        if (bytes < c->least) c->least = bytes, best = stride;
    }
    cut_each(p, best);
}

/* Cut here and there, or no more: networks narrow from layer to layer, and even cuts leave most of the memory
 * to the first segments. Is it less with any? */
static bool move_cuts(cutter *c)
{
    const strata_order *o = c->plan->order;
    bool better = false;
    for (uint32_t k = 0; k < c->plan->n_nodes; k++) {
        if (o->crossing[k] == 0 || o->crossing[k] > MOST_CROSSING) continue;
        o->cut[k] = !o->cut[k];
        const uint64_t bytes = weigh(c);
        if (bytes < c->least)
            c->least = bytes, better = true;
        else
            o->cut[k] = !o->cut[k];
    }
    return better;
}

void cut_choose(strata_plan *p, const place_room *room)
{
    cutter c = { p, room, UINT64_MAX };
    bool better = true;
    cut_evenly(&c);
    for (int i = 0; i < SEARCHES && better; i++) better = move_cuts(&c);
    order_make(p);
}

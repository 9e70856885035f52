#include "graph/order.h"

#include <string.h>

#include "graph/layout.h"
#include "graph/lives.h"

static uint32_t *numbers(strata_plan *p, uint32_t n, uint32_t value)
{
    uint32_t *list = strata_arena_take(&p->arena, (n ? n : 1) * sizeof *list);
    for (uint32_t i = 0; list && i < n; i++) list[i] = value;
    return list;
}

/* The number of the tensor whose memory `t` is. */
static uint32_t number_of(const strata_graph *g, const strata_tensor *t)
{
    const strata_tensor *root = layout_root(g, t);
    uint32_t i = 0;
    while (g->tensor[i] != root) i++;
    return i;
}

static bool *flags(strata_plan *p, uint32_t n)
{
    bool *list = strata_arena_take(&p->arena, n ? n : 1);
    if (list) memset(list, 0, n);
    return list;
}

/* Who takes what, whatever the cuts. */
static void find_uses(strata_plan *p)
{
    strata_order *o = p->order;
    for (uint32_t k = 0; k < p->n_nodes; k++) {
        const strata_node *node = p->node[k];
        const uint32_t out = o->out[k] = number_of(p->graph, node->out);
        if (!node->op->view) o->made[out] = k;
        o->last[out] = k;
        for (uint32_t i = 0; i < node->n_in; i++) {
            const uint32_t in = o->in[k * STRATA_MAX_IN + i] = number_of(p->graph, node->in[i]);
            o->last[in] = k;
            o->uses[in] += !node->op->view;
        }
    }
}

/* Behind the last node no segment ends. */
static void count_crossing(strata_plan *p)
{
    strata_order *o = p->order;
    for (uint32_t t = 0; t < p->graph->n_tensors; t++)
        for (uint32_t k = o->made[t]; k < o->last[t]; k++) o->crossing[k]++;
}

strata_status order_open(strata_plan *p)
{
    const uint32_t n = p->n_nodes, tensors = p->graph->n_tensors;
    strata_order *o = p->order = strata_arena_take(&p->arena, sizeof *o);
    if (!o) return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    *o = (strata_order) { .move = strata_arena_take(&p->arena, 3 * (size_t)(n + 1) * sizeof *o->move),
                          .segment = numbers(p, n, 0),
                          .cut = flags(p, n),
                          .crossing = numbers(p, n, 0),
                          .again = numbers(p, n, ORDER_NEVER),
                          .back = numbers(p, n, 0),
                          .made = numbers(p, tensors, ORDER_NEVER),
                          .last = numbers(p, tensors, 0),
                          .dropped = flags(p, tensors),
                          .wanted = flags(p, tensors),
                          .given = flags(p, tensors),
                          .root = numbers(p, tensors, 0),
                          .uses = numbers(p, tensors, 0),
                          .out = numbers(p, n, 0),
                          .in = numbers(p, n * STRATA_MAX_IN, 0) };
    if (!o->move || !o->segment || !o->cut || !o->crossing || !o->again || !o->back || !o->made || !o->last ||
        !o->dropped || !o->wanted || !o->given || !o->root || !o->uses || !o->out || !o->in)
        return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    for (uint32_t t = 0; t < tensors; t++) o->root[t] = number_of(p->graph, p->graph->tensor[t]);
    o->logits = number_of(p->graph, p->graph->logits);
    find_uses(p);
    count_crossing(p);
    STRATA_TRY(lives_open(p));
    order_make(p);
    return STRATA_OK;
}

uint32_t order_times(const strata_plan *p) { return 2 * (3 * p->n_nodes + 1); }

/* Which tensors end with the forward pass, and which nodes make them again: those whose output a backward
 * pass of their segment reads, or another such node. */
static void drop(strata_plan *p)
{
    strata_order *o = p->order;
    bool *wanted = o->wanted;
    memset(wanted, 0, p->graph->n_tensors);
    for (uint32_t t = 0; t < p->graph->n_tensors; t++)
        o->dropped[t] = o->made[t] != ORDER_NEVER && o->segment[o->made[t]] + 1 < o->n_segments &&
                        o->segment[o->last[t]] == o->segment[o->made[t]];
    for (uint32_t k = 0; k < p->n_nodes; k++) {
        const strata_node *n = p->node[k];
        o->again[k] = ORDER_NEVER;
        if (n->backward_reads & STRATA_READS_OUT) wanted[o->out[k]] = true;
        for (uint32_t i = 0; i < n->n_in; i++)
            if (layout_reads_back(n, i)) wanted[o->in[k * STRATA_MAX_IN + i]] = true;
    }
    for (uint32_t k = p->n_nodes; k-- > 0;) {
        const strata_node *n = p->node[k];
        if (n->op->view || !wanted[o->out[k]] || !o->dropped[o->out[k]]) continue;
        o->again[k] = 0; /* its time comes with the moves */
        for (uint32_t i = 0; i < n->n_in; i++) wanted[o->in[k * STRATA_MAX_IN + i]] = true;
    }
}

static void list_moves(strata_plan *p)
{
    strata_order *o = p->order;
    for (uint32_t k = 0; k < p->n_nodes; k++) o->move[o->n_moves++] = (order_move) { k, ORDER_FORWARD };
    for (uint32_t end = p->n_nodes, first = end; end > 0; end = first) { /* segments, the last one first */
        while (first > 0 && o->segment[first - 1] == o->segment[end - 1]) first--;
        for (uint32_t k = first; k < end; k++)
            if (o->again[k] != ORDER_NEVER) {
                o->again[k] = o->n_moves;
                o->move[o->n_moves++] = (order_move) { k, ORDER_AGAIN };
            }
        for (uint32_t k = end; k-- > first;) {
            o->back[k] = o->n_moves;
            o->move[o->n_moves++] = (order_move) { k, ORDER_BACKWARD };
        }
    }
}

void order_make(strata_plan *p)
{
    strata_order *o = p->order;
    o->n_segments = o->n_moves = 0;
    for (uint32_t k = 0; k < p->n_nodes; k++) {
        o->segment[k] = o->n_segments;
        o->n_segments += o->cut[k];
    }
    o->n_segments++;
    drop(p);
    list_moves(p);
    lives_make(p);
}

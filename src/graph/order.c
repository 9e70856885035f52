#include "graph/order.h"

#include <string.h>

#include "graph/layout.h"

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

static strata_status open(strata_plan *p)
{
    const uint32_t n = p->n_nodes, tensors = p->graph->n_tensors;
    strata_order *o = p->order = strata_arena_take(&p->arena, sizeof *o);
    if (!o) return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    *o = (strata_order) { .move = strata_arena_take(&p->arena, 3 * (size_t)(n + 1) * sizeof *o->move),
                          .segment = numbers(p, n, 0),
                          .again = numbers(p, n, ORDER_NEVER),
                          .back = numbers(p, n, 0),
                          .made = numbers(p, tensors, ORDER_NEVER),
                          .last = numbers(p, tensors, 0),
                          .dropped = strata_arena_take(&p->arena, tensors + 1) };
    if (!o->move || !o->segment || !o->again || !o->back || !o->made || !o->last || !o->dropped)
        return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    memset(o->dropped, 0, tensors);
    for (uint32_t k = 0; k < n; k++) {
        const strata_node *node = p->node[k];
        const uint32_t out = number_of(p->graph, node->out);
        if (!node->op->view) o->made[out] = k;
        o->last[out] = k;
        for (uint32_t i = 0; i < node->n_in; i++) o->last[number_of(p->graph, node->in[i])] = k;
    }
    return STRATA_OK;
}

/* May a segment end behind node k: does one tensor alone go on from there? */
static bool is_place(const strata_plan *p, uint32_t k)
{
    const strata_order *o = p->order;
    uint32_t cross = 0;
    for (uint32_t t = 0; t < p->graph->n_tensors; t++)
        cross += o->made[t] != ORDER_NEVER && o->made[t] <= k && o->last[t] > k;
    return cross == 1 && k + 1 < p->n_nodes;
}

/* Which tensors end with the forward pass, and which nodes make them again: those whose output a backward
 * pass of their segment reads, or another such node. */
static strata_status drop(strata_plan *p)
{
    strata_order *o = p->order;
    bool *wanted = strata_arena_take(&p->arena, p->graph->n_tensors + 1);
    if (!wanted) return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    memset(wanted, 0, p->graph->n_tensors);
    for (uint32_t t = 0; t < p->graph->n_tensors; t++)
        o->dropped[t] = o->made[t] != ORDER_NEVER && o->segment[o->made[t]] + 1 < o->n_segments &&
                        o->segment[o->last[t]] == o->segment[o->made[t]];
    for (uint32_t k = 0; k < p->n_nodes; k++) {
        const strata_node *n = p->node[k];
        if (n->backward_reads & STRATA_READS_OUT) wanted[number_of(p->graph, n->out)] = true;
        for (uint32_t i = 0; i < n->n_in; i++)
            if (layout_reads_back(n, i)) wanted[number_of(p->graph, n->in[i])] = true;
    }
    for (uint32_t k = p->n_nodes; k-- > 0;) {
        const strata_node *n = p->node[k];
        const uint32_t out = number_of(p->graph, n->out);
        if (n->op->view || !wanted[out] || !o->dropped[out]) continue;
        o->again[k] = 0; /* its time comes with the moves */
        for (uint32_t i = 0; i < n->n_in; i++) wanted[number_of(p->graph, n->in[i])] = true;
    }
    return STRATA_OK;
}

static void list_moves(strata_plan *p)
{
    strata_order *o = p->order;
    for (uint32_t k = 0; k < p->n_nodes; k++) o->move[o->n_moves++] = (order_move) { k, ORDER_FORWARD };
    for (uint32_t s = o->n_segments; s-- > 0;) {
        for (uint32_t k = 0; k < p->n_nodes; k++)
            if (o->segment[k] == s && o->again[k] != ORDER_NEVER) {
                o->again[k] = o->n_moves;
                o->move[o->n_moves++] = (order_move) { k, ORDER_AGAIN };
            }
        for (uint32_t k = p->n_nodes; k-- > 0;)
            if (o->segment[k] == s) {
                o->back[k] = o->n_moves;
                o->move[o->n_moves++] = (order_move) { k, ORDER_BACKWARD };
            }
    }
}

strata_status order_make(strata_plan *p, uint32_t stride, uint32_t *places)
{
    *places = 0;
    STRATA_TRY(open(p));
    strata_order *o = p->order;
    for (uint32_t k = 0; k < p->n_nodes; k++) {
        o->segment[k] = o->n_segments;
        if (!is_place(p, k)) continue;
        *places += 1;
        if (stride && *places % stride == 0) o->n_segments++;
    }
    o->n_segments++;
    STRATA_TRY(drop(p));
    list_moves(p);
    return STRATA_OK;
}

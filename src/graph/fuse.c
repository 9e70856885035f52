#include "graph/fuse.h"

#include <string.h>

/* The one node that takes `t`, once; NULL where there is another use, or the graph's caller looks at it. */
static strata_node *only_user(const strata_graph *g, const strata_tensor *t)
{
    strata_node *user = NULL;
    uint32_t uses = t == g->logits || t == g->loss;
    for (uint32_t k = 0; k < g->n_nodes; k++)
        for (uint32_t i = 0; i < g->node[k]->n_in; i++)
            if (g->node[k]->in[i] == t) {
                user = g->node[k];
                uses++;
            }
    return uses == 1 ? user : NULL;
}

/* A node on its way into the list: `at` says before which graph node it must not run, since another input of
 * it is made there. */
typedef struct entry {
    strata_node *node; /* NULL: taken in by another */
    uint32_t at;
} entry;

/* Let entry k take in what follows it. */
static strata_status grow(strata_plan *p, entry *list, uint32_t k)
{
    const strata_graph *g = p->graph;
    strata_node *n = list[k].node, *next;
    if (!n || !n->op->take_in) return STRATA_OK;
    strata_node copy = *n;
    copy.options = strata_arena_take(&p->arena, n->op->options_bytes);
    strata_node *made = strata_arena_take(&p->arena, sizeof *made);
    if (!copy.options || !made) return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    memcpy(copy.options, n->options, n->op->options_bytes);
    while ((next = only_user(g, copy.out)) && list[next->index].node == next) {
        const uint32_t n_in = copy.n_in;
        if (!n->op->take_in(&copy, next)) break;
        if (copy.n_in > n_in) list[k].at = next->index;
        copy.out = next->out;
        copy.last = next->index;
        list[next->index].node = NULL;
    }
    *made = copy;
    if (copy.last != n->last) list[k].node = made;
    return STRATA_OK;
}

static bool reads(const strata_node *n, const strata_tensor *t)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] == t) return true;
    return false;
}

/* A node that skips most of its input goes first of those that read it, so that its backward pass comes last
 * of theirs and adds a little to their gradient, where it would begin it with zeros. */
static void put_skipping_first(strata_plan *p)
{
    for (uint32_t k = 1; k < p->n_nodes; k++) {
        strata_node *n = p->node[k];
        uint32_t at = 0;
        if (n->n_in != 1 || !n->op->skips || !n->op->skips(n)) continue;
        while (at < k && !reads(p->node[at], n->in[0])) at++;
        memmove(&p->node[at + 1], &p->node[at], (k - at) * sizeof *p->node);
        p->node[at] = n;
    }
}

strata_status fuse_nodes(strata_plan *p)
{
    const strata_graph *g = p->graph;
    const bool fuses = !p->config.no_fuse && !p->config.keep_all;
    entry *list = strata_arena_take(&p->arena, g->n_nodes * sizeof *list);
    p->node = strata_arena_take(&p->arena, g->n_nodes * sizeof(strata_node *));
    if (!list || !p->node) return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    for (uint32_t k = 0; k < g->n_nodes; k++) list[k] = (entry) { g->node[k], k };
    for (uint32_t k = 0; fuses && k < g->n_nodes; k++) STRATA_TRY(grow(p, list, k));
    p->n_nodes = 0;
    for (uint32_t at = 0; at < g->n_nodes; at++)
        for (uint32_t k = 0; k <= at; k++)
            if (list[k].node && list[k].at == at) p->node[p->n_nodes++] = list[k].node;
    if (p->config.train) put_skipping_first(p);
    return STRATA_OK;
}

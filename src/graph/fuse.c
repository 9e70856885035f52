#include "graph/fuse.h"

#include <string.h>

#include "graph/lives.h"
#include "graph/order.h"

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

/* A copy that may take in others. NULL: no memory. */
static strata_node *copy_of(strata_plan *p, const strata_node *n)
{
    strata_node *copy = strata_arena_take(&p->arena, sizeof *copy);
    void *options = strata_arena_take(&p->arena, n->op->options_bytes);
    if (!copy || !options) return NULL;
    *copy = *n;
    copy->options = memcpy(options, n->options, n->op->options_bytes);
    return copy;
}

/* Let entry k take in what follows it. */
static strata_status grow(strata_plan *p, entry *list, uint32_t k)
{
    strata_node *n = list[k].node, *next;
    if (!n || !n->op->take_in) return STRATA_OK;
    strata_node *copy = copy_of(p, n);
    if (!copy) return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    while ((next = only_user(p->graph, copy->out)) && list[next->index].node == next) {
        const uint32_t n_in = copy->n_in;
        if (!n->op->take_in(copy, next)) break;
        if (copy->n_in > n_in) list[k].at = next->index;
        copy->out = next->out;
        copy->last = next->index;
        list[next->index].node = NULL;
    }
    if (copy->last != n->last) list[k].node = copy;
    return STRATA_OK;
}

/* A copy of n that for evaluation took in the norm behind it. *out out: NULL where there is none that it
 * could. */
static strata_status with_norm(strata_plan *p, strata_node **out, const strata_node *n,
                               const strata_node *norm)
{
    *out = NULL;
    if (!n->op->take_norm || strcmp(norm->op->name, "batch_norm") != 0) return STRATA_OK;
    if (norm->in[0] != n->out) return STRATA_OK; /* what it adds to x, but not x */
    strata_node *copy = copy_of(p, n);
    if (!copy) return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    if (!n->op->take_norm(strata_device_caps(p->device), p->config.variants, copy, norm)) return STRATA_OK;
    copy->out = norm->out;
    copy->last = norm->last;
    *out = copy;
    return STRATA_OK;
}

/* Let entry k, where there is no training, take in the norm behind it with what that took in. */
static strata_status grow_norm(strata_plan *p, entry *list, uint32_t k)
{
    strata_node *n = list[k].node, *made;
    strata_node *next = n ? only_user(p->graph, n->out) : NULL;
    entry *norm = next ? &list[next->index] : NULL;
    if (!norm || !norm->node) return STRATA_OK;
    STRATA_TRY(with_norm(p, &made, n, norm->node));
    if (!made) return STRATA_OK;
    if (made->n_in > n->n_in) list[k].at = norm->at;
    list[k].node = made;
    norm->node = NULL;
    return STRATA_OK;
}

static bool reads(const strata_node *n, const strata_tensor *t)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] == t) return true;
    return false;
}

static bool fuses_any(const strata_plan *p) { return !p->config.no_fuse && !p->config.keep_all; }

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
    const bool fuses = fuses_any(p);
    entry *list = strata_arena_take(&p->arena, g->n_nodes * sizeof *list);
    p->node = strata_arena_take(&p->arena, g->n_nodes * sizeof(strata_node *));
    if (!list || !p->node) return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    for (uint32_t k = 0; k < g->n_nodes; k++) list[k] = (entry) { g->node[k], k };
    for (uint32_t k = 0; fuses && k < g->n_nodes; k++) STRATA_TRY(grow(p, list, k));
    for (uint32_t k = 0; fuses && !p->config.train && k < g->n_nodes; k++) STRATA_TRY(grow_norm(p, list, k));
    p->n_nodes = 0;
    for (uint32_t at = 0; at < g->n_nodes; at++)
        for (uint32_t k = 0; k <= at; k++)
            if (list[k].node && list[k].at == at) p->node[p->n_nodes++] = list[k].node;
    if (p->config.train) put_skipping_first(p);
    return STRATA_OK;
}

/* ---- Evaluation beside training ------------------------------------------------------------------- */

/* Are the values of node c's input still there when node k runs, and does k's output lie elsewhere? */
static bool outlives(const strata_plan *p, uint32_t c, uint32_t k)
{
    const strata_order *o = p->order;
    const strata_lives *l = p->lives;
    const uint32_t x = o->in[c * STRATA_MAX_IN];
    const bool stays = o->made[x] == ORDER_NEVER || l->life[x].last >= k;
    return stays && l->home[x] != l->home[o->out[k]];
}

strata_status fuse_evaluation(strata_plan *p)
{
    p->evaluated = p->node;
    if (!p->config.train || !fuses_any(p)) return STRATA_OK;
    p->evaluated = strata_arena_take(&p->arena, p->n_nodes * sizeof(strata_node *));
    if (!p->evaluated) return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    memcpy(p->evaluated, p->node, p->n_nodes * sizeof(strata_node *));
    for (uint32_t c = 0; c < p->n_nodes; c++) {
        strata_node *n = p->node[c], *made;
        const strata_node *next = only_user(p->graph, n->out);
        uint32_t k = c;
        while (next && k < p->n_nodes && p->node[k]->index != next->index) k++;
        if (!next || k == p->n_nodes || !outlives(p, c, k)) continue;
        STRATA_TRY(with_norm(p, &made, n, p->node[k]));
        if (!made) continue;
        memcpy(made->kept, p->node[k]->kept, sizeof made->kept);
        p->evaluated[c] = NULL;
        p->evaluated[k] = made;
    }
    return STRATA_OK;
}

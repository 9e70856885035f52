#include "graph/lives.h"

#include "graph/layout.h"
#include "graph/order.h"

static const life never = { UINT32_MAX, 0 };

strata_status lives_open(strata_plan *p)
{
    const size_t values = LIVES_KINDS * (size_t)p->graph->n_tensors;
    strata_lives *l = p->lives = strata_arena_take(&p->arena, sizeof *l);
    if (l)
        *l = (strata_lives) { .life = strata_arena_take(&p->arena, values * sizeof *l->life),
                              .span = strata_arena_take(&p->arena, values * sizeof *l->span),
                              .home = strata_arena_take(&p->arena, values * sizeof *l->home) };
    return l && l->life && l->span && l->home ? STRATA_OK
                                              : strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
}

static uint32_t value_of(const strata_plan *p, int kind, uint32_t t)
{
    return (uint32_t)kind * p->graph->n_tensors + t;
}

static bool lives(life l) { return l.first <= l.last; }

static void stretch(life *l, uint32_t time)
{
    if (time < l->first) l->first = time;
    if (time > l->last) l->last = time;
}

static life *life_of(const strata_plan *p, int kind, uint32_t t)
{
    return &p->lives->life[value_of(p, kind, t)];
}

/* Where the backward pass finds the values of tensor t. */
static life *late_of(const strata_plan *p, uint32_t t)
{
    return life_of(p, p->order->dropped[t] && p->config.train ? LIVES_AGAIN : LIVES_DATA, t);
}

/* Node k makes tensor t, or takes it in. */
static void live_through(const strata_plan *p, uint32_t k, uint32_t t, bool read_back)
{
    const strata_order *o = p->order;
    const bool train = p->config.train;
    stretch(life_of(p, LIVES_DATA, t), k);
    if (train && !p->node[k]->op->view) stretch(life_of(p, LIVES_GRAD, t), o->back[k]);
    if (train && o->again[k] != ORDER_NEVER) stretch(late_of(p, t), o->again[k]);
    if (train && read_back) stretch(late_of(p, t), o->back[k]);
}

/* Views count as uses of what they show. */
static void find_lives(const strata_plan *p)
{
    const strata_order *o = p->order;
    for (uint32_t v = 0; v < LIVES_KINDS * p->graph->n_tensors; v++) p->lives->life[v] = never;
    for (uint32_t k = 0; k < p->n_nodes; k++) {
        const strata_node *n = p->node[k];
        live_through(p, k, o->out[k], n->backward_reads & STRATA_READS_OUT);
        for (uint32_t i = 0; i < n->n_in; i++)
            live_through(p, k, o->in[k * STRATA_MAX_IN + i], layout_reads_back(n, i));
    }
}

/* ---- One over another ------------------------------------------------------------------------------- */

static void lay(strata_lives *l, uint32_t value, uint32_t over)
{
    const uint32_t home = l->home[value] = l->home[over];
    if (!lives(l->life[value])) return;
    stretch(&l->span[home], l->life[value].first);
    stretch(&l->span[home], l->life[value].last);
}

static bool same_size(const strata_tensor *a, const strata_tensor *b)
{
    return a->half == b->half && strata_tensor_bytes(a) == strata_tensor_bytes(b);
}

/* Does tensor t come into node k in one of the places that are not in `mask`? */
static bool comes_beside(const strata_plan *p, uint32_t k, uint32_t t, uint32_t mask)
{
    for (uint32_t i = 0; i < p->node[k]->n_in; i++)
        if (p->order->in[k * STRATA_MAX_IN + i] == t && !(mask >> i & 1)) return true;
    return false;
}

/* Let the output that node k makes at `time` lie over the first of its inputs that is read no more. What the
 * host fills no node made; and the logits lie where it reads them. */
static void lay_output(strata_plan *p, uint32_t k, uint32_t time, int kind)
{
    const strata_order *o = p->order;
    const strata_graph *g = p->graph;
    const strata_node *n = p->node[k];
    const strata_tensor *out = g->tensor[o->out[k]];
    for (uint32_t i = 0; i < n->n_in && o->out[k] != o->logits; i++) {
        const uint32_t t = o->in[k * STRATA_MAX_IN + i], again = value_of(p, LIVES_AGAIN, t);
        const uint32_t in = kind == LIVES_AGAIN && lives(p->lives->life[again]) ? again : t;
        if (!(n->op->in_place >> i & 1) || comes_beside(p, k, t, n->op->in_place)) continue;
        if (o->made[t] == ORDER_NEVER || !same_size(g->tensor[t], out)) continue;
        if (p->lives->life[in].last != time) continue;
        lay(p->lives, value_of(p, kind, o->out[k]), in);
        return;
    }
}

/* Let the gradient of the first of node k's inputs that nobody else takes lie over that of its output. */
static void lay_gradient(strata_plan *p, uint32_t k)
{
    const strata_node *n = p->node[k];
    const uint32_t out = p->order->out[k];
    for (uint32_t i = 0; i < n->n_in; i++) {
        const uint32_t t = p->order->in[k * STRATA_MAX_IN + i];
        if (!(n->op->grad_in_place >> i & 1) || p->order->uses[t] != 1 || !same_size(n->in[i], n->out))
            continue;
        lay(p->lives, value_of(p, LIVES_GRAD, t), value_of(p, LIVES_GRAD, out));
        return;
    }
}

void lives_make(strata_plan *p)
{
    const strata_order *o = p->order;
    const uint32_t tensors = p->graph->n_tensors;
    find_lives(p);
    for (uint32_t v = 0; v < LIVES_KINDS * tensors; v++)
        p->lives->span[v] = p->lives->life[v], p->lives->home[v] = v;
    if (p->config.keep_all || p->config.apart) return;
    for (uint32_t i = 0; i < o->n_moves; i++)
        if (o->move[i].kind != ORDER_BACKWARD)
            lay_output(p, o->move[i].node, i, o->move[i].kind == ORDER_AGAIN ? LIVES_AGAIN : LIVES_DATA);
    for (uint32_t k = p->n_nodes; k-- > 0;) lay_gradient(p, k);
}

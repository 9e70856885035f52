/* Where everything lies. */
#include "graph/layout.h"

#include <string.h>

#include "core/sample.h"
#include "graph/lives.h"
#include "graph/order.h"
#include "ops/update.h"

static uint32_t tensor_index(const strata_graph *g, const strata_tensor *t)
{
    uint32_t i = 0;
    while (g->tensor[i] != t) i++;
    return i;
}

static const strata_node *maker(const strata_graph *g, const strata_tensor *t)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->node[i]->out == t) return g->node[i];
    return NULL;
}

const strata_tensor *layout_root(const strata_graph *g, const strata_tensor *t)
{
    for (const strata_node *n; (n = maker(g, t)) && n->op->view;) t = n->in[0];
    return t;
}

uint32_t layout_room(const strata_graph *g) { return 3 * g->n_tensors + STRATA_MAX_KEPT * g->n_nodes + 20; }

typedef struct list {
    place_item *items;
    uint32_t n;
    bool keep_all;
} list;

/* `first` and `last` are halves of moves. */
static void put_halves(list *l, strata_slice *slice, const char *name, uint64_t bytes, life halves)
{
    *slice = (strata_slice) { 0 };
    if (l->keep_all) halves = (life) { 0, UINT32_MAX };
    if (bytes) l->items[l->n++] = (place_item) { bytes, halves.first, halves.last, slice, name, 0, 0 };
}

static void put(list *l, strata_slice *slice, const char *name, uint64_t bytes, uint32_t first, uint32_t last)
{
    put_halves(l, slice, name, bytes, (life) { 2 * first, 2 * last + 1 });
}

bool layout_reads_back(const strata_node *n, uint32_t i)
{
    return n->backward_reads & (1u << (i < 8 ? i : 7));
}

static strata_slice *slice_of(const strata_plan *p, uint32_t value)
{
    const uint32_t n = p->graph->n_tensors;
    strata_slice *const kind[] = { p->data_home, p->again_home, p->grad_home };
    return kind[value / n] + value % n;
}

/* The node that at this time goes backward and spoils the gradient of its output first; NULL: none does. */
static const strata_node *spoiler(const strata_plan *p, uint32_t time)
{
    const order_move *m = &p->order->move[time];
    const strata_node *n = p->node[m->node];
    return m->kind == ORDER_BACKWARD && n->backward_reads & STRATA_SPOILS_GRAD ? n : NULL;
}

/* When the memory that begins with this value of tensor t is in use. A spoiler has read its output by the
 * second half of its move, when it writes the gradient of its input. */
static life halves_of(const strata_plan *p, int kind, uint32_t t, uint32_t value)
{
    const life *span = &p->lives->span[value], *own = &p->lives->life[value];
    life halves = { 2 * span->first, 2 * span->last + 1 };
    const strata_node *first = spoiler(p, span->first), *last = spoiler(p, span->last);
    if (kind == LIVES_GRAD)
        halves.first += first && own->first == span->first && first->out != p->graph->tensor[t];
    else
        halves.last -= last && own->last == span->last && last->out == p->graph->tensor[t];
    return halves;
}

/* The memory of a value of tensor t, unless it lies in another's. */
static void put_value(strata_plan *p, list *l, int kind, uint32_t t)
{
    const uint32_t value = (uint32_t)kind * p->graph->n_tensors + t;
    const life *span = &p->lives->span[value];
    const strata_tensor *tensor = p->graph->tensor[t];
    if (p->lives->home[value] == value && span->first <= span->last)
        put_halves(l, slice_of(p, value), tensor->name, strata_tensor_bytes(tensor),
                   halves_of(p, kind, t, value));
}

/* The range that the host fills for each micro-batch. */
static uint64_t lay_in(strata_plan *p)
{
    const strata_graph *g = p->graph;
    const strata_augment *a = p->config.augment;
    const bool mixes = a && p->config.train && strata_augment_mixes(a);
    uint64_t end = 0;
    p->in_step = end;
    end = strata_align(end + sizeof(strata_step_values));
    p->in_rates = end;
    end = strata_align(end + (uint64_t)g->n_rows * sizeof(strata_rate));
    p->in_target = end;
    if (g->target) end = strata_align(end + strata_tensor_bytes(g->target));
    p->in_weights = end;
    end = strata_align(end + 4 * (uint64_t)g->input->shape.n);
    p->in_samples = end;
    if (a) end = strata_align(end + (uint64_t)g->input->shape.n * sizeof(strata_sample));
    p->in_class_weights = end;
    if (g->class_weight) end = strata_align(end + strata_tensor_bytes(g->class_weight));
    const uint64_t stored = a ? strata_stored_bytes(a->h, a->w, a->c) : 0;
    p->in_other_samples = end;
    if (mixes) end = strata_align(end + (uint64_t)g->input->shape.n * sizeof(strata_sample));
    p->in_others = end;
    if (mixes) end = strata_align(end + g->input->shape.n * stored);
    p->in_pixels = end;
    return strata_align(end + (a ? g->input->shape.n * stored : strata_tensor_bytes(g->input)));
}

static uint64_t moved_bytes(const strata_graph *g) { return 2 * sizeof(float) * (uint64_t)g->n_rows; }

static uint64_t lay_result(strata_plan *p)
{
    const strata_graph *g = p->graph;
    p->result_loss = strata_align(sizeof(strata_state));
    p->result_train_bytes = p->result_loss + (g->loss ? 4 * (uint64_t)g->loss->shape.n : 0);
    p->result_moved = strata_align(p->result_train_bytes);
    if (p->config.train) p->result_train_bytes = p->result_moved + moved_bytes(g);
    p->result_logits = strata_align(p->result_train_bytes);
    return p->result_logits + strata_tensor_bytes(g->logits);
}

/* Whole quads, which lie before what follows the weights of the samples. */
static uint64_t counts_bytes(const strata_graph *g) { return 4 * (uint64_t)strata_lanes(g->input->shape.n); }

static uint64_t param_bytes(const strata_param *param)
{
    const uint64_t grain = 4 * STRATA_RATE_BLOCK; /* a row of rates owns whole blocks */
    return (4 * strata_param_floats(param) + grain - 1) / grain * grain;
}

static uint64_t params_bytes(const strata_graph *g, bool running)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < g->n_params; i++)
        if (g->param[i]->running == running) bytes += param_bytes(g->param[i]);
    return bytes;
}

/* What lives from the first step to the last. */
static void put_lasting(strata_plan *p, list *l)
{
    const strata_graph *g = p->graph;
    const strata_plan_config *c = &p->config;
    const uint32_t end = p->order->n_moves;
    uint64_t weights = params_bytes(g, false), scratch = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const uint64_t bytes = strata_op_scratch(strata_device_caps(p->device), c->variants, g->node[i],
                                                 c->train);
        if (bytes > scratch) scratch = bytes;
    }
    uint64_t update = strata_update_scratch((uint32_t)(weights / (4 * STRATA_RATE_BLOCK)));
    if (c->train && update > scratch) scratch = update;
    const bool adam = c->optimizer != STRATA_SGD && c->optimizer != STRATA_LARS;
    const bool trust = c->optimizer == STRATA_LARS || c->optimizer == STRATA_LAMB;
    put(l, &p->in, "the inputs of a step", lay_in(p), 0, end);
    put(l, &p->result, "the results of a step", lay_result(p), 0, end);
    put(l, &p->scratch, "the scratch memory", scratch, 0, end);
    put(l, &p->input, "the network's input", c->augment ? strata_tensor_bytes(g->input) : 0, 0, end);
    const uint64_t records = c->augment && c->train ? g->input->shape.n * (uint64_t)STRATA_AUGMENT_RECORD : 0;
    put(l, &p->records, "what is done to each image", records, 0, end);
    put(l, &p->other_records, "what is done to what is mixed into it",
        records && strata_augment_mixes(c->augment) ? records : 0, 0, end);
    put(l, &p->counts, "the samples' scaled weights", c->train && c->half ? counts_bytes(g) : 0, 0, end);
    if (c->share) return;
    put(l, &p->copies, "the parameters' copies", c->half ? weights / 2 : 0, 0, end);
    put(l, &p->weights, "the parameters", weights, 0, end);
    put(l, &p->running, "the running statistics", params_bytes(g, true), 0, end);
    put(l, &p->grads, "the gradients", c->train ? weights : 0, 0, end);
    put(l, &p->moment1, "the first moments", c->train && (adam || c->momentum) ? weights : 0, 0, end);
    put(l, &p->moment2, "the second moments", c->train && adam ? weights : 0, 0, end);
    put(l, &p->owner, "the rows of the parameters", c->train ? weights / STRATA_RATE_BLOCK : 0, 0, end);
    put(l, &p->pieces, "the pieces of the parameters", p->n_pieces * sizeof(strata_piece), 0, end);
    put(l, &p->trust, "the trust ratios", c->train && trust ? 4 * (uint64_t)g->n_rows : 0, 0, end);
    const bool counted = c->train && c->half && adam;
    put(l, &p->row_steps, "the steps of each row", counted ? 4 * (uint64_t)g->n_rows : 0, 0, end);
}

void layout_passing(strata_plan *p, place_item *items, uint32_t *n_items)
{
    const strata_graph *g = p->graph;
    list l = { items, *n_items, p->config.keep_all };
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        strata_tensor *t = g->tensor[i];
        t->data = t->grad = p->data_home[i] = p->again_home[i] = p->grad_home[i] = (strata_slice) { 0 };
        if (t == g->input || t == g->target || t == g->loss || t == g->class_weight) continue;
        if (p->order->root[i] != i) continue;
        for (int kind = 0; kind < LIVES_KINDS; kind++)
            if (kind != LIVES_DATA || i != p->order->logits) put_value(p, &l, kind, i);
    }
    for (uint32_t k = 0; k < p->n_nodes; k++) {
        strata_node *n = p->node[k];
        for (int i = 0; i < STRATA_MAX_KEPT; i++)
            put(&l, &n->kept[i], n->name, n->kept_bytes[i], k, p->config.train ? p->order->back[k] : k);
    }
    *n_items = l.n;
}

strata_status layout_items(strata_plan *p, place_item *items, uint32_t *n_items)
{
    list l = { items, 0, p->config.keep_all };
    if (p->config.train && !p->graph->loss)
        return strata_fail(STRATA_BAD_ARG, "training wants a network that ends in a loss");
    put_lasting(p, &l);
    *n_items = l.n;
    layout_passing(p, items, n_items);
    return STRATA_OK;
}

static void bind_params(strata_plan *p)
{
    uint64_t trained = 0, running = 0;
    for (uint32_t i = 0; i < p->graph->n_params; i++) {
        strata_param *param = p->graph->param[i];
        uint64_t *at = param->running ? &running : &trained;
        param->data = strata_slice_part(param->running ? p->running : p->weights, *at,
                                        4 * strata_param_floats(param));
        param->copy = (strata_slice) { 0 };
        if (p->copies.block && param->kind == STRATA_PARAM_FILTER)
            param->copy = strata_slice_part(p->copies, *at / 2, 2 * strata_param_floats(param));
        *at += param_bytes(param);
    }
}

/* Whose floats have 16 bits: activations, all but those that the host fills or reads, and views of them. */
void strata_plan_types(strata_graph *g, const strata_plan_config *c)
{
    const strata_tensor *logits = layout_root(g, g->logits);
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        strata_tensor *t = g->tensor[i];
        const strata_tensor *root = layout_root(g, t);
        const bool filled = (root == g->input && !c->augment) || root == logits || t == g->target;
        t->half = c->half && !t->rows && !filled;
    }
}

void layout_parts(strata_plan *p)
{
    strata_graph *g = p->graph;
    const strata_plan *share = p->config.share;
    if (share) {
        p->weights = share->weights, p->running = share->running, p->grads = share->grads;
        p->moment1 = share->moment1, p->moment2 = share->moment2, p->owner = share->owner;
        p->pieces = share->pieces, p->trust = share->trust, p->copies = share->copies;
        p->row_steps = share->row_steps;
    }
    p->copies.half = p->copies.block != NULL;
    p->input.half = g->input->half;
    for (uint32_t i = 0; i < g->n_tensors; i++)
        p->data_home[i].half = p->again_home[i].half = p->grad_home[i].half = g->tensor[i]->half;
    for (uint32_t v = 0; v < LIVES_KINDS * g->n_tensors; v++)
        *slice_of(p, v) = *slice_of(p, p->lives->home[v]);
    p->step_values = strata_slice_part(p->in, p->in_step, sizeof(strata_step_values));
    p->rates = strata_slice_part(p->in, p->in_rates, (uint64_t)g->n_rows * sizeof(strata_rate));
    p->sample_weights = strata_slice_part(p->in, p->in_weights, 4 * (uint64_t)g->input->shape.n);
    p->state = strata_slice_part(p->result, 0, sizeof(strata_state));
    p->moved = strata_slice_part(p->result, p->result_moved, moved_bytes(g));
    g->input->data = p->config.augment
                         ? p->input
                         : strata_slice_part(p->in, p->in_pixels, strata_tensor_bytes(g->input));
    if (g->target) g->target->data = strata_slice_part(p->in, p->in_target, strata_tensor_bytes(g->target));
    if (g->class_weight)
        g->class_weight->data = strata_slice_part(p->in, p->in_class_weights,
                                                  strata_tensor_bytes(g->class_weight));
    if (g->loss) {
        g->loss->data = strata_slice_part(p->result, p->result_loss, strata_tensor_bytes(g->loss));
        g->loss->grad = p->sample_weights; /* d(weighted sum of losses) / d(loss of one sample) */
        if (p->counts.block) g->loss->grad = p->counts;
    }
    const strata_tensor *logits = layout_root(g, g->logits);
    for (uint32_t i = 0; i < g->n_tensors; i++)
        if (g->tensor[i] == logits && logits != g->input && logits != g->loss)
            g->tensor[i]->data = strata_slice_part(p->result, p->result_logits, strata_tensor_bytes(logits));
    for (uint32_t i = 0; i < g->n_tensors; i++)
        if (g->tensor[i]->data.block) p->data_home[i] = g->tensor[i]->data;
    layout_again(p, false);
    for (uint32_t i = 0; i < p->n_nodes; i++) p->node[i]->scratch = p->scratch;
    bind_params(p);
}

void layout_again(strata_plan *p, bool again)
{
    strata_graph *g = p->graph;
    for (uint32_t i = 0; i < g->n_tensors; i++)
        g->tensor[i]->data = again && p->again_home[i].block ? p->again_home[i] : p->data_home[i];
    for (uint32_t i = 0; i < g->n_tensors; i++) g->tensor[i]->data = layout_root(g, g->tensor[i])->data;
}

/* A tensor's gradient is wanted where a parameter that learns lies before it. */
static bool wants_grad(const strata_plan *p, const strata_node *n)
{
    if (n->last < p->config.frozen_nodes) return false;
    for (int i = 0; n->index >= p->config.frozen_nodes && i < STRATA_MAX_PARAMS; i++)
        if (n->param[i] && !n->param[i]->running) return true;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const strata_node *before = maker(p->graph, n->in[i]);
        if (before && before->out->grad.block) return true;
    }
    return false;
}

/* In backward order the first node to give a tensor its gradient assigns it, the others add; within a node,
 * its first input does. */
static void say_who_adds(strata_plan *p)
{
    bool *given = p->order->given;
    memset(given, 0, p->graph->n_tensors);
    for (uint32_t k = p->n_nodes; k-- > 0;) {
        strata_node *n = p->node[k];
        for (uint32_t i = 0; i < n->n_in; i++) {
            const uint32_t t = p->order->in[k * STRATA_MAX_IN + i];
            n->add_in[i] = given[t];
            given[t] = given[t] || (!n->op->view && n->out->grad.block);
        }
    }
}

void layout_gradients(strata_plan *p)
{
    strata_graph *g = p->graph;
    uint64_t at = 0;
    for (uint32_t k = 0; k < g->n_nodes; k++) g->node[k]->frozen_stats = p->config.hold && p->config.hold[k];
    for (uint32_t k = 0; k < p->n_nodes; k++) {
        strata_node *n = p->node[k];
        const strata_tensor *root = layout_root(g, n->out);
        if (n->out != g->loss)
            n->out->grad = wants_grad(p, n) ? p->grad_home[tensor_index(g, root)] : (strata_slice) { 0 };
        n->frozen_stats = g->node[n->index]->frozen_stats;
    }
    say_who_adds(p);
    for (uint32_t i = 0; i < g->n_params; i++) {
        strata_param *param = g->param[i];
        if (param->running) continue;
        bool learns = p->config.train;
        for (uint32_t k = 0; k < p->config.frozen_nodes && k < g->n_nodes; k++)
            learns = learns && g->node[k]->name != param->node;
        param->grad = learns ? strata_slice_part(p->grads, at, param->data.bytes) : (strata_slice) { 0 };
        at += param_bytes(param);
    }
}

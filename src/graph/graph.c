#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "graph/settings.h"

struct strata_builder {
    strata_graph *graph;
};

static strata_status no_memory(const char *what)
{
    return strata_fail(STRATA_NO_MEMORY, "no memory for %s", what);
}

/* Append a pointer to one of the graph's lists, which double when full (the arena keeps the old ones until
 * the end). */
static strata_status append(strata_graph *g, void ***list, uint32_t *n, uint32_t *room, void *item)
{
    if (!item) return no_memory("a graph");
    if (*n == *room) {
        uint32_t more = *room ? 2 * *room : 64;
        void **grown = strata_arena_take(&g->arena, more * sizeof *grown);
        if (!grown) return no_memory("a graph");
        if (*n) memcpy(grown, *list, *n * sizeof *grown);
        *list = grown;
        *room = more;
    }
    (*list)[(*n)++] = item;
    return STRATA_OK;
}

static strata_status add_tensor(strata_graph *g, strata_tensor **out, const char *name, strata_shape shape,
                                bool rows)
{
    strata_tensor *t = strata_arena_take(&g->arena, sizeof *t);
    const char *copy = strata_arena_text(&g->arena, name);
    if (!t || !copy) return no_memory("a graph");
    *t = (strata_tensor) { .name = copy, .shape = shape, .rows = rows };
    STRATA_TRY(append(g, (void ***)&g->tensor, &g->n_tensors, &g->tensor_room, t));
    *out = t;
    return STRATA_OK;
}

/* Lanes of the most channels that are counted fit in 32 bits. */
static strata_status check_size(const char *name, strata_shape s)
{
    if (s.c <= INT32_MAX && strata_countable(strata_lanes(s.c), s.w, s.h, s.n)) return STRATA_OK;
    return strata_fail(STRATA_BAD_SHAPE, "%s: %s has more than %d elements", name, strata_shape_text(s).s,
                       INT32_MAX);
}

strata_status strata_graph_open(strata_graph **out, strata_shape input)
{
    strata_status status = STRATA_OK;
    strata_graph *g = calloc(1, sizeof *g);
    *out = NULL;
    if (!g) return no_memory("a graph");
    if (!input.n || !input.h || !input.w || !input.c)
        STRATA_GO(strata_fail(STRATA_BAD_SHAPE,
                              "a network wants images of at least 1 in every dimension, got %s",
                              strata_shape_text(input).s));
    STRATA_GO(check_size("input", input));
    STRATA_GO(add_tensor(g, &g->input, "input", input, false));
    *out = g;
    return STRATA_OK;
done:
    strata_graph_close(g);
    return status;
}

void strata_graph_close(strata_graph *g)
{
    if (!g) return;
    strata_arena arena = g->arena;
    free(g);
    strata_arena_free(&arena);
}

strata_status strata_builder_param(strata_builder *b, strata_node *n, uint32_t slot, const char *suffix,
                                   const strata_param *like)
{
    strata_graph *g = b->graph;
    strata_param *p = strata_arena_take(&g->arena, sizeof *p);
    size_t room = strlen(n->name) + strlen(suffix) + 2;
    char *name = strata_arena_take(&g->arena, room);
    if (!p || !name) return no_memory("a parameter");
    snprintf(name, room, "%s.%s", n->name, suffix);
    *p = *like;
    p->name = name;
    p->node = n->name;
    if (p->kind == STRATA_PARAM_VECTOR) p->ci = p->r = p->s = p->groups = 1;
    p->row = p->running ? UINT32_MAX : g->n_rows++;
    p->data = p->grad = (strata_slice) { 0 };
    if (!strata_countable(strata_lanes(p->co), strata_param_ci(p), p->r, p->s))
        return strata_fail(STRATA_BAD_SHAPE, "%s: %u x %u x %u x %u, more than %d elements", name, p->co,
                           p->ci, p->r, p->s, INT32_MAX);
    n->param[slot] = p;
    return append(g, (void ***)&g->param, &g->n_params, &g->param_room, p);
}

static strata_status find_op(const strata_op **out, const char *name)
{
    const char *names[128];
    uint32_t n = 0;
    *out = strata_op_find(name);
    if (*out) return STRATA_OK;
    for (const strata_op *const *op = strata_ops; *op && n < 128; op++) names[n++] = (*op)->name;
    const char *near = strata_nearest(name, names, n);
    return strata_fail(STRATA_BAD_ARG, "there is no operation '%s'%s%s%s", name,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* A copy of the name that no node has yet; "" becomes "<op>_<index>". */
static strata_status name_node(strata_graph *g, const char **out, const strata_op *op, const char *name)
{
    char made[96];
    snprintf(made, sizeof made, "%s_%u", op->name, (unsigned)g->n_nodes);
    if (!name || !*name) name = made;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (strcmp(g->node[i]->name, name) == 0)
            return strata_fail(STRATA_BAD_ARG, "two layers are named '%s'", name);
    *out = strata_arena_text(&g->arena, name);
    return *out ? STRATA_OK : no_memory("a node");
}

static strata_status make_node(strata_graph *g, strata_node **out, const strata_op *op, const char *name,
                               strata_tensor *const *in, uint32_t n_in)
{
    if (n_in < op->min_in || n_in > op->max_in)
        return strata_fail(STRATA_BAD_ARG, "%s: %s takes %u to %u inputs, got %u",
                           name && *name ? name : op->name, op->name, (unsigned)op->min_in,
                           (unsigned)op->max_in, (unsigned)n_in);
    strata_node *n = strata_arena_take(&g->arena, sizeof *n);
    if (!n) return no_memory("a node");
    STRATA_TRY(name_node(g, &n->name, op, name));
    n->op = op;
    n->index = n->last = g->n_nodes;
    n->backward_reads = op->backward_reads;
    n->n_in = n_in;
    memcpy(n->in, in, n_in * sizeof *in);
    n->options = strata_arena_take(&g->arena, op->options_bytes);
    if (!n->options) return no_memory("a node");
    *out = n;
    return STRATA_OK;
}

strata_status strata_graph_add(strata_graph *g, strata_tensor **out, const char *op_name, const char *name,
                               strata_tensor *const *in, uint32_t n_in, const strata_setting *settings,
                               uint32_t n_settings)
{
    const strata_op *op;
    strata_node *n = NULL;
    strata_builder builder = { g };
    STRATA_TRY(find_op(&op, op_name));
    STRATA_TRY(make_node(g, &n, op, name, in, n_in));
    STRATA_TRY(settings_fill(n->options, op, n->name, settings, n_settings));
    STRATA_TRY(add_tensor(g, &n->out, n->name, n->in[0]->shape, op->loss));
    STRATA_TRY(op->infer(&builder, n));
    if (!op->loss) STRATA_TRY(check_size(n->name, n->out->shape));
    STRATA_TRY(append(g, (void ***)&g->node, &g->n_nodes, &g->node_room, n));
    g->logits = n->out;
    *out = n->out;
    return STRATA_OK;
}

strata_status strata_graph_add_class_weights(strata_graph *g, uint32_t classes)
{
    return add_tensor(g, &g->class_weight, "class_weight", (strata_shape) { classes, 1, 1, 1 }, true);
}

strata_status strata_graph_add_loss(strata_graph *g, strata_tensor *logits, const char *op_name,
                                    const strata_setting *settings, uint32_t n_settings)
{
    const strata_op *op;
    STRATA_TRY(find_op(&op, op_name));
    if (!op->loss) return strata_fail(STRATA_BAD_ARG, "'%s' is not a loss", op_name);
    bool labels = strcmp(op_name, "softmax_loss") == 0;
    strata_shape shape = logits->shape;
    if (labels) shape.h = shape.w = shape.c = 1;
    STRATA_TRY(add_tensor(g, &g->target, "target", shape, labels));
    STRATA_TRY(strata_graph_add(g, &g->loss, op_name, "loss",
                                (strata_tensor *[]) { logits, g->target, g->class_weight },
                                op->max_in > 2 && g->class_weight ? 3 : 2, settings, n_settings));
    g->logits = logits;
    return STRATA_OK;
}

strata_param *strata_graph_param(const strata_graph *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_params; i++)
        if (strcmp(g->param[i]->name, name) == 0) return g->param[i];
    return NULL;
}

strata_tensor *strata_graph_tensor(const strata_graph *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_tensors; i++)
        if (strcmp(g->tensor[i]->name, name) == 0) return g->tensor[i];
    return NULL;
}

uint64_t strata_graph_param_count(const strata_graph *g)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < g->n_params; i++)
        if (!g->param[i]->running) n += strata_param_count(g->param[i]);
    return n;
}

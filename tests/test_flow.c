/* Whatever lies over whatever: each move of a plan's step finds in memory what was written there for it, and
 * writes over nothing that it still reads. Told by the slices alone: 256 bytes at a time, a note says which
 * value lies there, in random graphs of maps of many sizes. */
#include "net.h"

#include "graph/layout.h"
#include "graph/lives.h"
#include "graph/order.h"
#include "ops/inside.h"

enum { UNIT = 256, BATCH = 3, SIDE = 12, NODES = 20, GRAPHS = 120, WIDEST = 24 };

/* ---- Random graphs -------------------------------------------------------------------------- */

static uint32_t below(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % n;
}

static strata_tensor *put_all(strata_graph *g, const char *op, strata_tensor *const *in, uint32_t n,
                              uint32_t pick)
{
    static const strata_setting wide[] = { { "out", "9" }, { "kernel", "3" }, { "pad", "1" } },
                                narrow[] = { { "out", "4" }, { "kernel", "1" } },
                                step[] = { { "out", "7" },
                                           { "kernel", "3" },
                                           { "stride", "2" },
                                           { "pad", "1" } },
                                pool[] = { { "kernel", "2" }, { "stride", "2" }, { "ceil_mode", "true" } },
                                same[] = { { "kernel", "3" }, { "stride", "1" }, { "pad", "1" } },
                                fc[] = { { "out", "5" } };
    const strata_setting *settings = NULL;
    uint32_t n_settings = 0;
    strata_tensor *out = NULL;
    if (strcmp(op, "conv2d") == 0) {
        settings = pick % 3 == 0 ? wide : pick % 3 == 1 ? narrow : step;
        n_settings = pick % 3 == 0 ? 3 : pick % 3 == 1 ? 2 : 4;
    } else if (strcmp(op, "max_pool") == 0 || strcmp(op, "avg_pool") == 0) {
        settings = pick % 2 ? pool : same;
        n_settings = 3;
    } else if (strcmp(op, "linear") == 0) {
        settings = fc;
        n_settings = 1;
    }
    OK(strata_graph_add(g, &out, op, "", in, n, settings, n_settings));
    return out;
}

static strata_tensor *put(strata_graph *g, const char *op, strata_tensor *x)
{
    return put_all(g, op, &x, 1, 0);
}

/* norm(conv(x)) + x, of 9 channels where x has as many: what an evaluation's convolution takes in. */
static strata_tensor *put_block(strata_graph *g, strata_tensor *x)
{
    if (x->shape.c != 9) x = put(g, "conv2d", x);
    strata_tensor *in[] = { put(g, "batch_norm", put(g, "conv2d", x)), x };
    return put(g, "relu", put_all(g, "add", in, 2, 0));
}

static bool alike(const strata_tensor *a, const strata_tensor *b, bool channels)
{
    return a->shape.h == b->shape.h && a->shape.w == b->shape.w && (!channels || a->shape.c == b->shape.c);
}

/* One of the first k tensors, rather the last of them; like x, if there is one. */
static uint32_t pick_one(strata_tensor *const *made, uint32_t k, uint32_t *seed, const strata_tensor *x,
                         bool channels)
{
    uint32_t at = below(seed, 3) ? k - 1 : below(seed, k);
    for (uint32_t i = 0; x && i < k; i++, at = (at + 1) % k)
        if (alike(made[at], x, channels)) break;
    return at;
}

/* Nodes that take the last tensor, or any other; of what nobody took the means are classified, and summed. */
static strata_graph *random_graph(uint32_t seed)
{
    static const char *const ops[] = { "conv2d",   "relu",   "add",  "dropout",  "relu",   "batch_norm",
                                       "gelu",     "conv2d", "silu", "identity", "relu",   "max_pool",
                                       "avg_pool", "add",    "relu", "concat",   "conv2d", "block" };
    strata_graph *g = NULL;
    strata_tensor *made[NODES + 1], *sum = NULL;
    bool taken[NODES + 1] = { false };
    OK(strata_graph_open(&g, (strata_shape) { BATCH, SIDE, SIDE, 3 }));
    made[0] = put(g, "conv2d", g->input);
    for (uint32_t k = 1; k <= NODES; k++) {
        const char *op = ops[below(&seed, sizeof ops / sizeof *ops)];
        const bool sums = strcmp(op, "add") == 0, joins = strcmp(op, "concat") == 0;
        uint32_t n = sums || joins ? 2 + below(&seed, 3) : 1, from[4], channels = 0;
        strata_tensor *in[4];
        for (uint32_t i = 0; i < n; i++) {
            from[i] = pick_one(made, k, &seed, i ? in[0] : NULL, sums);
            in[i] = made[from[i]];
            channels += in[i]->shape.c;
        }
        if (joins && channels > WIDEST) op = "conv2d", n = 1;
        for (uint32_t i = 0; i < n; i++) taken[from[i]] = true;
        made[k] = strcmp(op, "block") == 0 ? put_block(g, in[0]) : put_all(g, op, in, n, below(&seed, 6));
    }
    for (uint32_t k = 0; k <= NODES; k++) {
        if (taken[k]) continue;
        strata_tensor *x = put(g, "linear", put(g, "global_avg_pool", made[k]));
        sum = sum ? put_all(g, "add", (strata_tensor *[]) { sum, x }, 2, 0) : x;
    }
    OK(strata_graph_add_loss(g, sum, "softmax_loss", NULL, 0));
    return g;
}

/* ---- Notes of what lies where ----------------------------------------------------------------- */

typedef struct notes {
    strata_plan *plan;
    uint32_t **tag; /* [n_blocks][units]; 0: nothing of this step */
    uint32_t n_blocks;
    const char *what, *move;
    uint32_t over, spoilt, again; /* outputs over inputs, gradients over outputs that were read before, and
                                     moves again: a test that sees none shows nothing */
} notes;

enum { LASTING = 1, KEPT = 1000, VALUES = 100000 };

static uint32_t value_of(const notes *n, const strata_tensor *t, int kind)
{
    const strata_graph *g = n->plan->graph;
    const strata_tensor *root = layout_root(g, t);
    uint32_t i = 0;
    while (g->tensor[i] != root) i++;
    return VALUES + (uint32_t)kind * g->n_tensors + i;
}

static uint32_t *tags(const notes *n, strata_slice s)
{
    return n->tag[s.block - n->plan->block] + s.offset / UNIT;
}

static uint64_t units(strata_slice s)
{
    assert_int_equal(s.offset % UNIT, 0);
    assert_true(s.offset + s.bytes <= s.block->bytes);
    return (s.bytes + UNIT - 1) / UNIT;
}

static void note(const notes *n, strata_slice s, uint32_t value)
{
    for (uint64_t i = 0; i < units(s); i++) tags(n, s)[i] = value;
}

static bool lies(const notes *n, strata_slice s, uint32_t value)
{
    for (uint64_t i = 0; i < units(s); i++)
        if (tags(n, s)[i] != value) return false;
    return true;
}

static void find(const notes *n, strata_slice s, uint32_t value, const char *name)
{
    if (!s.block) fail_msg("%s: %s: %s has no memory", n->what, n->move, name);
    if (!lies(n, s, value)) fail_msg("%s: %s: %s was written over", n->what, n->move, name);
}

static bool meets(strata_slice a, strata_slice b)
{
    return a.block && a.block == b.block && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

/* Written bytes and those that are read until then do not meet; with `over` they may be the same. */
static void apart(const notes *n, strata_slice written, strata_slice read, bool over, const char *name)
{
    if (!meets(written, read)) return;
    if (over && written.offset == read.offset && written.bytes == read.bytes) return;
    fail_msg("%s: %s: lies over %s", n->what, n->move, name);
}

static void note_lasting(notes *n, bool check)
{
    const strata_plan *p = n->plan;
    const strata_slice moved = p->config.train ? p->moved : (strata_slice) { 0 };
    const strata_slice all[] = { p->step_values, p->rates,   p->state,  moved,       p->scratch,
                                 p->weights,     p->running, p->grads,  p->owner,    p->moment1,
                                 p->moment2,     p->pieces,  p->copies, p->row_steps };
    for (uint32_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!all[i].block || all[i].bytes == 0) continue;
        if (check)
            find(n, all[i], LASTING + i, "what lasts");
        else if (!lies(n, all[i], 0))
            fail_msg("%s: two things that last lie in one place", n->what);
        else
            note(n, all[i], LASTING + i);
    }
}

/* A step begins: nothing lies anywhere but what lasts, and what the host filled. */
static void begin(notes *n, bool train)
{
    const strata_plan *p = n->plan;
    const strata_graph *g = p->graph;
    for (uint32_t b = 0; b < p->n_blocks; b++)
        memset(n->tag[b], 0, p->block[b].bytes / UNIT * sizeof **n->tag);
    note_lasting(n, false);
    note(n, g->input->data, value_of(n, g->input, LIVES_DATA));
    note(n, g->target->data, value_of(n, g->target, LIVES_DATA));
    if (train) note(n, g->loss->grad, value_of(n, g->loss, LIVES_GRAD));
}

/* ---- Moves ------------------------------------------------------------------------------------ */

/* Backward passes read what is made again, where it is. */
static uint32_t data_value(const notes *n, const strata_tensor *t, bool back)
{
    const uint32_t again = value_of(n, t, LIVES_AGAIN);
    const strata_slice home = n->plan->again_home[again - VALUES - n->plan->graph->n_tensors];
    return back && home.block ? again : value_of(n, t, LIVES_DATA);
}

static uint32_t kept_value(uint32_t index, int i) { return KEPT + STRATA_MAX_KEPT * index + (uint32_t)i; }

static void forward(notes *n, const strata_node *node, order_kind kind)
{
    const bool again = kind == ORDER_AGAIN;
    for (uint32_t i = 0; i < node->n_in; i++) {
        find(n, node->in[i]->data, data_value(n, node->in[i], again), node->in[i]->name);
        apart(n, node->out->data, node->in[i]->data, node->op->in_place >> i & 1, node->in[i]->name);
        n->over += meets(node->out->data, node->in[i]->data);
    }
    n->again += again;
    for (int i = 0; i < STRATA_MAX_KEPT; i++) {
        if (!node->kept[i].block) continue;
        if (again)
            find(n, node->kept[i], kept_value(node->index, i), "what is kept");
        else
            note(n, node->kept[i], kept_value(node->index, i));
    }
    note(n, node->out->data, data_value(n, node->out, again));
}

/* What the backward pass reads besides the gradient of its output. */
static void read_back(const notes *n, const strata_node *node)
{
    if (node->backward_reads & STRATA_READS_OUT)
        find(n, node->out->data, data_value(n, node->out, true), node->out->name);
    for (uint32_t i = 0; i < node->n_in; i++)
        if (node->backward_reads >> (i < 8 ? i : 7) & 1)
            find(n, node->in[i]->data, data_value(n, node->in[i], true), node->in[i]->name);
    for (int i = 0; i < STRATA_MAX_KEPT; i++)
        if (node->kept[i].block) find(n, node->kept[i], kept_value(node->index, i), "what is kept");
}

/* Where it has read all that it wants of its output before, an input's gradient may lie over that. */
static void write_back(notes *n, const strata_node *node, uint32_t i)
{
    const strata_slice dx = node->in[i]->grad;
    const bool add = node->add_in[i], spoils = node->backward_reads & STRATA_SPOILS_GRAD;
    apart(n, dx, node->out->grad, !add && (node->op->grad_in_place >> i & 1), "its output's gradient");
    n->spoilt += spoils && meets(dx, node->out->data);
    if (!spoils && (node->backward_reads & STRATA_READS_OUT))
        apart(n, dx, node->out->data, false, "its output");
    for (uint32_t k = 0; k < node->n_in; k++) {
        if (node->backward_reads >> (k < 8 ? k : 7) & 1) apart(n, dx, node->in[k]->data, false, "its input");
        if (layout_root(n->plan->graph, node->in[k]) != layout_root(n->plan->graph, node->in[i]))
            apart(n, dx, node->in[k]->grad, false, "another gradient");
    }
    for (int k = 0; k < STRATA_MAX_KEPT; k++) apart(n, dx, node->kept[k], false, "what is kept");
    const uint32_t value = value_of(n, node->in[i], LIVES_GRAD);
    if (add)
        find(n, dx, value, "what it adds to");
    else if (lies(n, dx, value))
        fail_msg("%s: %s: a second gradient is written over the first", n->what, n->move);
    note(n, dx, value);
}

static void backward(notes *n, const strata_node *node)
{
    find(n, node->out->grad, value_of(n, node->out, LIVES_GRAD), "its output's gradient");
    read_back(n, node);
    if (node->backward_reads & STRATA_SPOILS_GRAD)
        apart(n, node->out->grad, node->out->data, false, "its output");
    for (uint32_t i = 0; i < node->n_in; i++)
        if (node->in[i]->grad.block) write_back(n, node, i);
}

/* Is a backward pass of this segment recorded? Else nothing of it is made again. */
static bool learns(const strata_plan *p, uint32_t segment)
{
    for (uint32_t k = 0; k < p->n_nodes; k++)
        if (p->order->segment[k] == segment && p->node[k]->out->grad.block) return true;
    return false;
}

static void train(notes *n)
{
    strata_plan *p = n->plan;
    const strata_order *o = p->order;
    begin(n, true);
    for (uint32_t m = 0; m < o->n_moves; m++) {
        const strata_node *node = p->node[o->move[m].node];
        const order_kind kind = o->move[m].kind;
        layout_again(p, kind != ORDER_FORWARD);
        n->move = node->name;
        if (node->op->view) continue;
        if (kind == ORDER_BACKWARD && node->out->grad.block) backward(n, node);
        if (kind == ORDER_FORWARD || (kind == ORDER_AGAIN && learns(p, o->segment[o->move[m].node])))
            forward(n, node, kind);
    }
    layout_again(p, false);
    note_lasting(n, true);
    find(n, p->graph->logits->data, value_of(n, p->graph->logits, LIVES_DATA), "logits");
    find(n, p->graph->loss->data, value_of(n, p->graph->loss, LIVES_DATA), "losses");
}

static void evaluate(notes *n)
{
    strata_plan *p = n->plan;
    begin(n, false);
    for (uint32_t k = 0; k < p->n_nodes; k++) {
        const strata_node *node = p->evaluated[k];
        if (!node || node->op->view) continue;
        n->move = node->name;
        forward(n, node, ORDER_FORWARD);
    }
    note_lasting(n, true);
    find(n, p->graph->logits->data, value_of(n, p->graph->logits, LIVES_DATA), "logits");
    find(n, p->graph->loss->data, value_of(n, p->graph->loss, LIVES_DATA), "losses");
}

/* ---- Launches ------------------------------------------------------------------------------------ */

static bool inside(strata_slice s, strata_slice of)
{
    return of.block == s.block && of.offset <= s.offset && s.offset + s.bytes <= of.offset + of.bytes;
}

static bool has_a_place(const strata_plan *p, strata_slice s)
{
    const strata_graph *g = p->graph;
    const strata_slice all[] = { p->in,    p->result,  p->scratch,   p->weights,      p->running, p->grads,
                                 p->owner, p->moment1, p->moment2,   p->pieces,       p->copies,  p->counts,
                                 p->input, p->records, p->row_steps, p->other_records };
    for (uint32_t i = 0; i < sizeof all / sizeof *all; i++)
        if (inside(s, all[i])) return true;
    for (uint32_t t = 0; t < g->n_tensors; t++)
        if (inside(s, p->data_home[t]) || inside(s, p->again_home[t]) || inside(s, p->grad_home[t]))
            return true;
    for (uint32_t k = 0; k < p->n_nodes; k++)
        for (int i = 0; i < STRATA_MAX_KEPT; i++)
            if (inside(s, p->node[k]->kept[i])) return true;
    return false;
}

/* What a launch is given lies in one of the things that have a place, and not beyond its end. */
static void look_at_launches(const notes *n)
{
    for (int part = 0; part < STRATA_PARTS; part++)
        for (uint32_t i = 0; i < n->plan->part[part].n; i++) {
            const strata_stream *s = n->plan->part[part].segment[i];
            for (uint32_t k = 0; k < s->n; k++) {
                const strata_args_layout *layout = s->launch[k]->kernel->layout;
                const strata_slice *slice = s->launch[k]->args;
                for (uint32_t b = 0; b < layout->n_slices; b++)
                    if (slice[b].block && !has_a_place(n->plan, slice[b]))
                        fail_msg("%s: %s of %s: slice %u lies in no place of its own", n->what, layout->stem,
                                 s->launch[k]->recorded.label, b);
            }
        }
}

/* An update begins with the first parameter that learns: what is frozen before it costs nothing. */
static void look_at_update(const notes *n)
{
    const strata_plan *p = n->plan;
    const strata_part *part = &p->part[STRATA_PART_UPDATE];
    uint64_t first = UINT64_MAX, wanted = UINT64_MAX;
    for (uint32_t i = 0; i < part->n; i++)
        for (uint32_t k = 0; k < part->segment[i]->n; k++) {
            const stream_launch *l = part->segment[i]->launch[k];
            const strata_slice *slice = l->args;
            for (uint32_t b = 0; b < l->kernel->layout->n_slices; b++)
                if (inside(slice[b], p->weights) && slice[b].offset < first) first = slice[b].offset;
        }
    for (uint32_t i = p->graph->n_params; i-- > 0;)
        if (p->graph->param[i]->grad.block) wanted = p->graph->param[i]->data.offset;
    if (first != wanted) fail_msg("%s: an update begins at %" PRIu64 " for %" PRIu64, n->what, first, wanted);
}

/* ---- All ways ---------------------------------------------------------------------------------- */

static const strata_augment augment = {
    .h = SIDE + 2, .w = SIDE + 2, .c = 3, .scale = 255, .std = { 1, 1, 1 }, .mixup = 1
};

static const struct way {
    const char *name, *limits;
    bool over, spoilt, again, apart; /* what is seen in some graph: as in `notes`; and more than one block */
    strata_plan_config config;
} ways[] = {
    { "each node by itself", NULL, true, false, false, false, { .train = true, .no_fuse = true } },
    { "fused", NULL, true, true, false, false, { .train = true } },
    { "16 bits", NULL, true, true, false, false, { .train = true, .half = true } },
    { "again", NULL, true, false, true, false, { .train = true, .no_fuse = true, .recompute = true } },
    { "fused, again", NULL, true, true, true, false, { .train = true, .recompute = true } },
    { "16 bits, again", NULL, true, true, true, false, { .train = true, .half = true, .recompute = true } },
    { "evaluation", NULL, true, false, false, false, { .train = false } },
    { "evaluation of each", NULL, true, false, false, false, { .train = false, .no_fuse = true } },
    { "small blocks", "block=98304", true, true, false, true, { .train = true } },
    { "all memory kept", NULL, false, false, false, false, { .train = true, .keep_all = true } },
    { "stored images", NULL, true, true, false, false, { .train = true, .augment = &augment } },
    { "stored images, 16 bits",
      NULL,
      true,
      true,
      false,
      false,
      { .train = true, .half = true, .augment = &augment } },
    { "apart", NULL, false, true, true, false, { .train = true, .apart = true, .recompute = true } },
};
enum { WAYS = sizeof ways / sizeof *ways };

/* g: closed afterwards */
static notes look_at(const struct way *way, strata_graph *g, uint32_t number)
{
    char what[100];
    strata_device *d = NULL;
    notes n = { .what = what };
    uint64_t bytes = 0;
    snprintf(what, sizeof what, "graph %u, %s", (unsigned)number, way->name);
    OK(strata_device_open(&d, &(strata_device_config) { .name = "cpu", .limits = way->limits }));
    OK(strata_plan_open(&n.plan, g, d, &way->config));
    n.n_blocks = n.plan->n_blocks;
    n.tag = calloc(n.plan->n_blocks, sizeof *n.tag);
    assert_non_null(n.tag);
    for (uint32_t b = 0; b < n.plan->n_blocks; b++) {
        bytes += n.plan->block[b].bytes;
        n.tag[b] = calloc(n.plan->block[b].bytes / UNIT, sizeof **n.tag);
        assert_non_null(n.tag[b]);
    }
    assert_int_equal(n.plan->device_bytes, bytes);
    assert_true(n.plan->least_bytes <= bytes);
    look_at_launches(&n);
    evaluate(&n);
    if (way->config.train) train(&n);
    for (uint32_t frozen = 1; way->config.train && frozen < g->n_nodes; frozen += 1 + g->n_nodes / 4) {
        OK(strata_plan_freeze(n.plan, frozen, NULL));
        look_at_update(&n);
        train(&n);
    }
    for (uint32_t b = 0; b < n.plan->n_blocks; b++) free(n.tag[b]);
    free(n.tag);
    strata_plan_close(n.plan);
    strata_graph_close(g);
    strata_device_close(d);
    return n;
}

static void every_move_finds_what_was_written_for_it(void **state)
{
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        uint32_t over = 0, spoilt = 0, again = 0, apart = 0;
        for (uint32_t seed = 0; seed < GRAPHS; seed++) {
            const notes n = look_at(&ways[way], random_graph(seed), seed);
            over += n.over, spoilt += n.spoilt, again += n.again, apart += n.n_blocks > 1;
        }
        print_message("%s: %u over others, %u over what was read, %u again\n", ways[way].name, over, spoilt,
                      again);
        assert_int_equal(over > 0, ways[way].over);
        assert_int_equal(spoilt > 0, ways[way].spoilt);
        assert_int_equal(again > 0, ways[way].again);
        assert_int_equal(apart > 0, ways[way].apart);
    }
}

/* The optimizer's sums are longer than those of any layer. */
static void many_small_layers_have_room(void **state)
{
    (void)state;
    enum { LAYERS = 40 };
    for (int way = 0; way < WAYS; way++) {
        strata_graph *g = NULL;
        OK(strata_graph_open(&g, (strata_shape) { BATCH, 1, 1, 4 }));
        strata_tensor *x = g->input;
        for (int i = 0; i < LAYERS; i++) x = put(g, "relu", put_all(g, "conv2d", &x, 1, 1));
        OK(strata_graph_add_loss(g, put(g, "linear", x), "softmax_loss", NULL, 0));
        look_at(&ways[way], g, LAYERS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_move_finds_what_was_written_for_it),
                                        cmocka_unit_test(many_small_layers_have_room) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

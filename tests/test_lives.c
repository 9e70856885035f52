/* Which tensors lie over others that are read no more, and that it changes nothing but memory. */
#include "net.h"

#include "graph/fuse.h"
#include "graph/lives.h"
#include "graph/order.h"

enum { BATCH = 16, SIDE = 16, CHANNELS = 6, CLASSES = 5, STEPS = 2 };

/* ---- Graphs whose maps are all of one size -------------------------------------------------------- */

static strata_graph *open_graph(void)
{
    strata_graph *g = NULL;
    OK(strata_graph_open(&g, (strata_shape) { BATCH, SIDE, SIDE, CHANNELS }));
    return g;
}

static strata_tensor *put_all(strata_graph *g, const char *op, const char *name, strata_tensor *const *in,
                              uint32_t n)
{
    static const strata_setting conv[] = { { "out", "6" }, { "kernel", "3" }, { "pad", "1" } },
                                pool[] = { { "kernel", "3" }, { "stride", "1" }, { "pad", "1" } },
                                fc[] = { { "out", "5" } };
    const bool is_conv = strcmp(op, "conv2d") == 0, is_pool = strcmp(op, "max_pool") == 0,
               is_fc = strcmp(op, "linear") == 0;
    const strata_setting *settings = is_conv ? conv : is_pool ? pool : is_fc ? fc : NULL;
    strata_tensor *out = NULL;
    OK(strata_graph_add(g, &out, op, name, in, n, settings, is_conv || is_pool ? 3 : is_fc));
    return out;
}

static strata_tensor *put(strata_graph *g, const char *op, const char *name, strata_tensor *x)
{
    return put_all(g, op, name, &x, 1);
}

static strata_tensor *put_sum(strata_graph *g, const char *name, strata_tensor *a, strata_tensor *b,
                              strata_tensor *c)
{
    return put_all(g, "add", name, (strata_tensor *[]) { a, b, c }, c ? 3 : 2);
}

/* Everything behind the maps. */
static strata_graph *end(strata_graph *g, strata_tensor *x)
{
    x = put(g, "linear", "fc", put(g, "global_avg_pool", "pool", x));
    OK(strata_graph_add_loss(g, x, "softmax_loss", NULL, 0));
    return g;
}

/* ---- Who lies over whom ------------------------------------------------------------------------------- */

static const strata_plan_config training = { .train = true, .no_fuse = true },
                                evaluation = { .no_fuse = true };

/* The part of a plan that knows. */
static strata_plan open_lives(strata_graph *g, const strata_plan_config *config)
{
    strata_plan p = { .graph = g, .config = *config };
    OK(strata_device_open(&p.device, &(strata_device_config) { .name = "cpu" }));
    strata_plan_types(g, config);
    OK(fuse_nodes(&p));
    OK(order_open(&p));
    return p;
}

static void close_lives(strata_plan *p)
{
    strata_device_close(p->device);
    strata_arena_free(&p->arena);
}

static uint32_t home(const strata_plan *p, int kind, const char *name)
{
    uint32_t t = 0;
    while (strcmp(p->graph->tensor[t]->name, name) != 0) t++;
    return p->lives->home[(uint32_t)kind * p->graph->n_tensors + t];
}

static bool meet(const strata_plan *p, int kind, const char *a, const char *b)
{
    return home(p, kind, a) == home(p, kind, b);
}

/* Does the output `a` lie over `b` in a plan of this graph? Kinds: of lives.h. */
static bool lies(const strata_graph *g, const strata_plan_config *config, int kind, const char *a,
                 const char *b)
{
    strata_plan p = open_lives((strata_graph *)g, config);
    const bool yes = meet(&p, kind, a, b);
    close_lives(&p);
    return yes;
}

static bool over(const strata_graph *g, const strata_plan_config *config, const char *a, const char *b)
{
    return lies(g, config, LIVES_DATA, a, b);
}

static void backward_passes_keep_what_they_read(void **state)
{
    (void)state;
    strata_graph *g = open_graph();
    strata_tensor *x = put(g, "relu", "relu", put(g, "conv2d", "conv", g->input));
    end(g, put(g, "gelu", "gelu", put(g, "conv2d", "conv2", put(g, "dropout", "drop", x))));
    assert_true(over(g, &training, "relu", "conv"));
    assert_false(over(g, &training, "drop", "relu"));  /* relu's own reads its output */
    assert_false(over(g, &training, "gelu", "conv2")); /* gelu's its input */
    assert_true(over(g, &evaluation, "relu", "conv"));
    assert_true(over(g, &evaluation, "drop", "conv")); /* one after the other */
    assert_true(over(g, &evaluation, "gelu", "conv2"));
    assert_false(over(g, &evaluation, "conv2", "drop")); /* no element by itself */
    strata_graph_close(g);
}

static void who_reads_last_lies_over(void **state)
{
    (void)state;
    strata_graph *g = open_graph();
    strata_tensor *x = put(g, "conv2d", "conv", g->input), *r = put(g, "relu", "relu", x);
    end(g, put_sum(g, "sum", r, x, NULL));
    for (int train = 0; train < 2; train++) {
        const strata_plan_config *config = train ? &training : &evaluation;
        assert_false(over(g, config, "relu", "conv"));
        assert_int_equal(over(g, config, "sum", "relu"), !train);
        assert_int_equal(over(g, config, "sum", "conv"), train);
    }
    strata_graph_close(g);
}

static void views_are_looked_through(void **state)
{
    (void)state;
    strata_graph *g = open_graph();
    strata_tensor *x = put(g, "conv2d", "conv", g->input), *view = put(g, "identity", "view", x);
    strata_tensor *r = put(g, "relu", "relu", x), *y = put(g, "conv2d", "conv2", r);
    y = put(g, "relu", "relu2", put(g, "flatten", "flat", y));
    end(g, put_sum(g, "sum", y, view, NULL));
    assert_false(over(g, &training, "relu", "conv"));
    assert_true(over(g, &training, "relu2", "conv2"));
    assert_true(over(g, &training, "sum", "conv"));
    strata_graph_close(g);
}

/* The host fills the input and reads the logits, be it through a view, and looks at everything where it asks
 * to. */
static void what_the_host_looks_at_stays(void **state)
{
    (void)state;
    strata_plan_config config = training;
    strata_graph *g = open_graph();
    strata_tensor *x = put(g, "relu", "relu", put(g, "conv2d", "conv", put(g, "dropout", "drop", g->input)));
    x = put(g, "linear", "fc", put(g, "global_avg_pool", "pool", x));
    x = put(g, "flatten", "flat", put(g, "dropout", "last", x));
    OK(strata_graph_add_loss(g, x, "softmax_loss", NULL, 0));
    assert_true(over(g, &config, "relu", "conv"));
    assert_false(over(g, &config, "drop", "input"));
    assert_false(over(g, &config, "last", "fc"));
    config.apart = true;
    assert_false(over(g, &config, "relu", "conv"));
    config.apart = false;
    config.keep_all = true;
    assert_false(over(g, &config, "relu", "conv"));
    strata_graph_close(g);
}

static void sizes_are_the_same(void **state)
{
    (void)state;
    strata_plan_config config = training;
    strata_graph *g = open_graph();
    strata_tensor *x = put(g, "relu", "relu", put(g, "conv2d", "conv", g->input));
    x = put(g, "dropout", "drop", put(g, "linear", "fc", put(g, "global_avg_pool", "pool", x)));
    OK(strata_graph_add_loss(g, x, "softmax_loss", NULL, 0));
    for (int half = 0; half < 2; half++) {
        config.half = half;
        assert_true(over(g, &config, "relu", "conv"));
        assert_int_equal(lies(g, &config, LIVES_GRAD, "fc", "drop"), !half); /* logits have 32 bits */
    }
    strata_plan p = open_lives(g, &config);
    strata_graph_tensor(g, "conv")->half = false;
    order_make(&p);
    assert_false(meet(&p, LIVES_DATA, "relu", "conv"));
    close_lives(&p);
    strata_graph_close(g);
}

/* A sum of three is two sums: over the third the first would be written too early. */
static void sums_lie_over_one_of_the_first_two(void **state)
{
    (void)state;
    static const struct {
        const char *in[4], *over; /* of a, b, c; a fourth is read once more behind the sum */
    } cases[] = {
        { { "a", "b", NULL, NULL }, "a" }, { { "b", "a", NULL, NULL }, "b" },
        { { "a", "b", "c", NULL }, "a" },  { { "a", "b", "c", "a" }, "b" },
        { { "a", "b", "a", NULL }, "b" },  { { "a", "b", "a", "b" }, NULL },
        { { "a", "a", NULL, NULL }, "a" }, { { "a", "a", "a", NULL }, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        strata_graph *g = open_graph();
        static const char *const names[] = { "a", "b", "c" };
        strata_tensor *in[4] = { NULL };
        for (int k = 0; k < 3; k++) put(g, "conv2d", names[k], g->input);
        for (int k = 0; k < 4; k++)
            if (cases[i].in[k]) in[k] = strata_graph_tensor(g, cases[i].in[k]);
        strata_tensor *x = put_sum(g, "sum", in[0], in[1], in[2]);
        end(g, put_sum(g, "after", put(g, "conv2d", "conv", x), in[3] ? in[3] : g->input, NULL));
        for (int k = 0; k < 3; k++) {
            const bool wanted = cases[i].over && strcmp(cases[i].over, names[k]) == 0;
            if (over(g, &training, "sum", names[k]) != wanted)
                fail_msg("case %zu: the sum lies%s over %s", i, wanted ? " not" : "", names[k]);
        }
        strata_graph_close(g);
    }
}

static void norms_lie_over_what_they_need_no_more(void **state)
{
    (void)state;
    const strata_plan_config fused = { .train = true }, evaluated = { .train = false };
    strata_graph *g = open_graph();
    strata_tensor *z = put(g, "conv2d", "short", g->input);
    strata_tensor *x = put(g, "dropout", "drop", put(g, "conv2d", "conv", g->input));
    x = put(g, "batch_norm", "norm", x);
    end(g, put(g, "relu", "relu", put_sum(g, "sum", x, z, NULL)));
    assert_false(over(g, &fused, "relu", "drop")); /* backward reads it */
    assert_true(over(g, &fused, "relu", "short"));
    assert_true(over(g, &evaluated, "relu", "drop"));
    assert_false(over(g, &evaluated, "relu", "short"));
    strata_graph_close(g);

    /* Within a convolution, over the other summand, but where it is what the convolution reads. */
    g = open_graph();
    z = put(g, "conv2d", "short", g->input);
    x = put(g, "batch_norm", "norm", put(g, "conv2d", "conv", g->input));
    x = put(g, "relu", "relu", put_sum(g, "sum", x, z, NULL));
    z = put(g, "gelu", "gelu", x);
    x = put(g, "batch_norm", "norm2", put(g, "conv2d", "conv2", z));
    end(g, put(g, "relu", "relu2", put_sum(g, "sum2", x, z, NULL)));
    assert_true(over(g, &evaluated, "relu", "short"));
    assert_false(over(g, &evaluated, "relu", "conv"));
    assert_false(over(g, &evaluated, "relu2", "gelu"));
    assert_false(over(g, &evaluated, "relu2", "conv2"));
    strata_graph_close(g);
}

/* Who is computed again reads its inputs again: then, and not before, its output lies over them. */
static void what_is_computed_again_is_kept_for_it(void **state)
{
    (void)state;
    strata_graph *g = open_graph();
    strata_tensor *x = put(g, "gelu", "gelu", put(g, "conv2d", "conv", g->input));
    x = put(g, "conv2d", "conv3", put(g, "relu", "relu", put(g, "conv2d", "conv2", x)));
    end(g, put(g, "conv2d", "conv4", put(g, "relu", "relu3", x)));
    strata_plan p = open_lives(g, &training);
    assert_false(meet(&p, LIVES_DATA, "gelu", "conv"));
    p.order->cut[place_of(&p, "relu3")] = true;
    order_make(&p);
    assert_true(meet(&p, LIVES_DATA, "gelu", "conv")); /* which is made again for gelu's backward pass */
    assert_false(meet(&p, LIVES_AGAIN, "gelu", "conv"));
    assert_true(meet(&p, LIVES_DATA, "relu", "conv2"));
    assert_true(meet(&p, LIVES_AGAIN, "relu", "conv2"));
    p.order->cut[place_of(&p, "conv2")] = true;
    order_make(&p);
    assert_false(meet(&p, LIVES_DATA, "relu", "conv2")); /* kept, for relu made again of it */
    assert_int_equal(home(&p, LIVES_AGAIN, "relu"), home(&p, LIVES_DATA, "conv2"));
    close_lives(&p);
    strata_graph_close(g);
}

static void gradients_lie_over_where_one_node_writes_them(void **state)
{
    (void)state;
    strata_graph *g = open_graph();
    strata_tensor *skip = put(g, "relu", "relu", put(g, "conv2d", "conv", g->input));
    strata_tensor *x = put(g, "dropout", "drop", put(g, "conv2d", "conv2", skip));
    x = put_sum(g, "sum", skip, x, NULL);
    end(g, put(g, "relu", "relu2", put(g, "flatten", "flat", put(g, "conv2d", "conv3", x))));
    assert_true(lies(g, &training, LIVES_GRAD, "conv", "relu"));
    assert_true(lies(g, &training, LIVES_GRAD, "conv2", "sum"));
    assert_true(lies(g, &training, LIVES_GRAD, "conv3", "relu2"));
    assert_false(lies(g, &training, LIVES_GRAD, "relu", "sum"));
    strata_graph_close(g);
}

/* ---- The same bits -------------------------------------------------------------------------------- */

static uint32_t below(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % n;
}

/* Nodes that take the last tensor, or any other; what nobody took is summed up at the end. */
static strata_graph *random_graph(uint32_t seed)
{
    static const char *const ops[] = { "conv2d", "relu", "add",  "dropout", "relu", "batch_norm",
                                       "gelu",   "add",  "silu", "flatten", "relu", "max_pool" };
    enum { NODES = 14, OPS = sizeof ops / sizeof *ops };
    strata_graph *g = open_graph();
    strata_tensor *made[NODES + 1] = { put(g, "conv2d", "first", g->input) };
    bool taken[NODES + 1] = { false };
    for (uint32_t k = 1; k <= NODES; k++) {
        const char *op = ops[below(&seed, OPS)];
        const uint32_t n = strcmp(op, "add") == 0 ? 2 + below(&seed, 3) : 1;
        strata_tensor *in[4];
        for (uint32_t i = 0; i < n; i++) {
            const uint32_t from = below(&seed, 3) ? k - 1 : below(&seed, k);
            in[i] = made[from];
            taken[from] = true;
        }
        made[k] = put_all(g, op, "", in, n);
    }
    strata_tensor *x = made[NODES];
    for (uint32_t k = 0; k < NODES; k++)
        if (!taken[k]) x = put_sum(g, "", x, made[k], NULL);
    return end(g, x);
}

static void open_net(net *n, strata_graph *g, const strata_device_config *device,
                     const strata_plan_config *config)
{
    *n = (net) { .graph = g };
    OK(strata_device_open(&n->device, device));
    OK(strata_plan_open(&n->plan, g, n->device, config));
    OK(strata_ring_open(&n->ring, n->device, n->plan->in, n->plan->result));
    for (uint32_t i = 0; i < g->n_params; i++) {
        const strata_param *p = g->param[i];
        float v[9 * CHANNELS * CHANNELS];
        const bool one = p->init == STRATA_INIT_CONSTANT && p->scale > 0;
        for (uint32_t k = 0; k < strata_param_count(p); k++) v[k] = (one ? 1 : 0) + 0.15f * uniform(k, i);
        OK(strata_plan_write_param(n->plan, p, v));
    }
}

/* A step, or an evaluation, waited for. out: losses and logits. */
static void run(net *n, uint32_t number, bool train, float out[BATCH + BATCH * CLASSES])
{
    strata_plan *p = n->plan;
    uint64_t which;
    const char *result;
    char *in;
    OK(strata_ring_begin(n->ring, (void **)&in));
    put_step(n, in, number, CLASSES);
    OK(train ? strata_plan_submit_train(p, n->ring, false, STRATA_UPDATE)
             : strata_plan_submit_evaluate(p, n->ring));
    OK(strata_ring_begin(n->ring, (void **)&in));
    for (;;) {
        OK(strata_ring_result(n->ring, true, &which, (const void **)&result));
        if (!result) break;
        memcpy(out, result + p->result_loss, BATCH * sizeof *out);
        for (uint32_t i = 0; i < BATCH; i++)
            memcpy(out + BATCH + i * CLASSES, result + p->result_logits + i * 8 * sizeof *out,
                   CLASSES * sizeof *out);
    }
}

static void same_params(const net *a, const net *b, const char *when)
{
    for (uint32_t i = 0; i < a->graph->n_params; i++) {
        const strata_param *p = a->graph->param[i], *q = b->graph->param[i];
        float x[9 * CHANNELS * CHANNELS], y[9 * CHANNELS * CHANNELS];
        assert_int_equal(p->grad.block != NULL, q->grad.block != NULL);
        for (int grad = 0; grad < 1 + (p->grad.block != NULL); grad++) {
            OK(strata_plan_read_param(a->plan, p, x, grad));
            OK(strata_plan_read_param(b->plan, q, y, grad));
            if (memcmp(x, y, strata_param_count(p) * sizeof *x) != 0)
                fail_msg("%s: the bits of %s%s differ", when, grad ? "d" : "", p->name);
        }
    }
}

/* Train and evaluate both, behind a frozen prefix too: not a bit of a loss, a logit or a gradient differs. */
static void compare(net *a, net *b, const char *what)
{
    float x[BATCH + BATCH * CLASSES] = { 0 }, y[BATCH + BATCH * CLASSES] = { 0 };
    for (uint32_t i = 0; i < 2 * STEPS + 1; i++) {
        const bool train = i % 2 == 0;
        if (i == 2 * STEPS) {
            OK(strata_plan_freeze(a->plan, a->graph->n_nodes / 3, NULL));
            OK(strata_plan_freeze(b->plan, b->graph->n_nodes / 3, NULL));
        }
        run(a, i, train, x);
        run(b, i, train, y);
        if (memcmp(x, y, (train ? BATCH : BATCH + BATCH * CLASSES) * sizeof *x) != 0)
            fail_msg("%s: losses or logits of %u differ", what, (unsigned)i);
        for (int k = 0; k < BATCH; k++)
            if (!isfinite(x[k])) fail_msg("%s: the loss is %g", what, (double)x[k]);
        same_params(a, b, what);
    }
}

static const strata_plan_config ways[] = {
    { .train = true, .no_fuse = true },
    { .train = true },
    { .train = true, .no_fuse = true, .half = true },
    { .train = true, .no_fuse = true, .recompute = true },
    { .train = true, .half = true, .recompute = true },
};
enum { WAYS = sizeof ways / sizeof *ways };

/* Returns the bytes saved. */
static uint64_t compare_graphs(uint32_t seed, const char *device, const char *limits, int way)
{
    const strata_device_config d = { .name = device,
                                     .limits = limits,
                                     .validate = strcmp(device, "cpu") != 0 };
    strata_plan_config config = ways[way];
    net over, apart;
    char what[64];
    snprintf(what, sizeof what, "graph %u, way %d on %s", (unsigned)seed, way, device);
    config.momentum = config.poison = true;
    config.optimizer = STRATA_SGD;
    open_net(&over, random_graph(seed), &d, &config);
    config.apart = true;
    open_net(&apart, random_graph(seed), &d, &config);
    compare(&over, &apart, what);
    if (over.plan->least_bytes > apart.plan->least_bytes && !config.recompute)
        fail_msg("%s: more memory", what); /* cuts are searched for, and the best not always found */
    const uint64_t least = over.plan->least_bytes, other = apart.plan->least_bytes;
    close_net(&over);
    close_net(&apart);
    return other > least ? other - least : 0;
}

static void random_graphs_change_no_bit(void **state)
{
    (void)state;
    enum { GRAPHS = 60 };
    uint32_t saved[WAYS] = { 0 };
    for (uint32_t seed = 0; seed < GRAPHS; seed++)
        saved[seed % WAYS] += compare_graphs(seed, "cpu", NULL, (int)(seed % WAYS)) > 0;
    for (int way = 0; way < WAYS; way++)
        if (saved[way] < GRAPHS / WAYS / 4) fail_msg("way %d: %u graphs save", way, (unsigned)saved[way]);
}

/* Activations have 128 KiB: whole, and in slices of half the batch. */
static void devices_change_no_bit(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < WAYS; seed++)
        compare_graphs(seed, device_name(), seed % 2 ? "range=65536" : NULL, (int)seed);
}

/* ---- Memory --------------------------------------------------------------------------------------- */

/* Convolutions and relu, as in VGG without norms, each by itself. Apart, all outputs of relu and two
 * gradients live at once, where a relu's backward pass begins: that of its output, that of its input.
 * Forward, a relu's input and its output do. The most is then beside the pooled map, or its gradient.
 * Where a convolution takes the relu in, its sums have no memory at all. */
static void plain_networks_save_one_activation(void **state)
{
    (void)state;
    enum { LAYERS = 5 };
    for (int train = 0; train < 2; train++)
        for (int half = 0; half < 2; half++) {
            const uint64_t image = 8 * strata_float_bytes(1, half), pooled = strata_align(BATCH * image),
                           saved = BATCH * SIDE * SIDE * image - pooled;
            uint64_t least[3], whole[3];
            enum { OVER, APART, FUSED };
            for (int way = 0; way < 3; way++) {
                strata_device *d = NULL;
                strata_plan *p = NULL;
                strata_graph *g = open_graph();
                const strata_plan_config config = {
                    .train = train, .half = half, .apart = way != OVER, .no_fuse = way != FUSED
                };
                strata_tensor *x = g->input;
                for (int i = 0; i < (train ? LAYERS : 1); i++)
                    x = put(g, "relu", "", put(g, "conv2d", "", x));
                end(g, x);
                OK(strata_device_open(&d, &(strata_device_config) { .name = "cpu" }));
                OK(strata_plan_open(&p, g, d, &config));
                least[way] = p->least_bytes, whole[way] = p->device_bytes;
                strata_plan_close(p);
                strata_graph_close(g);
                strata_device_close(d);
            }
            assert_int_equal(least[APART] - least[OVER], saved);
            assert_int_equal(whole[APART] - whole[OVER], saved);
            assert_int_equal(least[FUSED], least[OVER]);
            assert_int_equal(whole[FUSED], whole[OVER]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backward_passes_keep_what_they_read),
        cmocka_unit_test(who_reads_last_lies_over),
        cmocka_unit_test(views_are_looked_through),
        cmocka_unit_test(what_the_host_looks_at_stays),
        cmocka_unit_test(sizes_are_the_same),
        cmocka_unit_test(sums_lie_over_one_of_the_first_two),
        cmocka_unit_test(norms_lie_over_what_they_need_no_more),
        cmocka_unit_test(what_is_computed_again_is_kept_for_it),
        cmocka_unit_test(gradients_lie_over_where_one_node_writes_them),
        cmocka_unit_test(random_graphs_change_no_bit),
        cmocka_unit_test(devices_change_no_bit),
        cmocka_unit_test(plain_networks_save_one_activation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

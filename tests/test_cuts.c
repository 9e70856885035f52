/* Where recompute cuts a network: each choice weighed as its rule says it, and a time that deep networks
 * bear. */
#include "net.h"

#include "core/clock.h"
#include "graph/cut.h"
#include "graph/fuse.h"
#include "graph/layout.h"
#include "graph/order.h"

enum { BATCH = 2, SIDE = 8 };

/* ---- Networks of residual blocks ------------------------------------------------------------------ */

static strata_tensor *put_all(strata_graph *g, const char *op, strata_tensor *const *in, uint32_t n)
{
    static const strata_setting conv[] = { { "out", "8" }, { "kernel", "3" }, { "pad", "1" } },
                                fc[] = { { "out", "5" } };
    const bool is_conv = strcmp(op, "conv2d") == 0, is_fc = strcmp(op, "linear") == 0;
    strata_tensor *out = NULL;
    OK(strata_graph_add(g, &out, op, "", in, n, is_conv ? conv : is_fc ? fc : NULL, is_conv ? 3 : is_fc));
    return out;
}

static strata_tensor *put(strata_graph *g, const char *op, strata_tensor *x) { return put_all(g, op, &x, 1); }

static strata_graph *deep_graph(uint32_t blocks)
{
    strata_graph *g = NULL;
    OK(strata_graph_open(&g, (strata_shape) { BATCH, SIDE, SIDE, 3 }));
    strata_tensor *x = put(g, "conv2d", g->input);
    for (uint32_t i = 0; i < blocks; i++) {
        strata_tensor *y = put(g, "relu", put(g, "batch_norm", put(g, "conv2d", x)));
        y = put(g, "batch_norm", put(g, "conv2d", y));
        x = put(g, "relu", put_all(g, "add", (strata_tensor *[]) { y, x }, 2));
    }
    x = put(g, "linear", put(g, "global_avg_pool", x));
    OK(strata_graph_add_loss(g, x, "softmax_loss", NULL, 0));
    return g;
}

/* The part of a plan that chooses. */
typedef struct chooser {
    strata_plan plan;
    place_room room;
} chooser;

static void open_chooser(chooser *c, uint32_t blocks)
{
    strata_plan *p = &c->plan;
    *p = (strata_plan) { .graph = deep_graph(blocks), .config = { .train = true, .recompute = true } };
    OK(strata_device_open(&p->device, &(strata_device_config) { .name = "cpu" }));
    strata_plan_types(p->graph, &p->config);
    OK(fuse_nodes(p));
    p->data_home = calloc(p->graph->n_tensors, sizeof *p->data_home);
    p->again_home = calloc(p->graph->n_tensors, sizeof *p->again_home);
    p->grad_home = calloc(p->graph->n_tensors, sizeof *p->grad_home);
    assert_true(p->data_home && p->again_home && p->grad_home);
    OK(place_room_init(&c->room, layout_room(p->graph), order_times(p)));
    OK(order_open(p));
}

static void close_chooser(chooser *c)
{
    strata_plan *p = &c->plan;
    place_room_free(&c->room);
    free(p->data_home);
    free(p->again_home);
    free(p->grad_home);
    strata_device_close(p->device);
    strata_graph_close(p->graph);
    strata_arena_free(&p->arena);
}

/* ---- Tests ------------------------------------------------------------------------------------------ */

static void what_crosses_is_counted(void **state)
{
    (void)state;
    chooser c;
    open_chooser(&c, 2);
    const strata_plan *p = &c.plan;
    for (uint32_t k = 0; k < p->n_nodes; k++) {
        uint32_t cross = 0;
        for (uint32_t t = 0; t < p->graph->n_tensors && k + 1 < p->n_nodes; t++)
            cross += p->order->made[t] != ORDER_NEVER && p->order->made[t] <= k && p->order->last[t] > k;
        assert_int_equal(p->order->crossing[k], cross);
    }
    close_chooser(&c);
}

/* All that lives at the worst time, as the items of the whole plan say it. */
static uint64_t whole(chooser *c)
{
    uint32_t n = 0;
    uint64_t most = 0;
    order_make(&c->plan);
    OK(layout_items(&c->plan, c->room.items, &n));
    for (uint32_t i = 0; i < n; i++) {
        const place_item *it = &c->room.items[i];
        uint64_t alive = 0;
        for (uint32_t j = 0; j < n; j++)
            if (c->room.items[j].first <= it->first && it->first <= c->room.items[j].last)
                alive += strata_align(c->room.items[j].bytes);
        if (alive > most) most = alive;
    }
    return most;
}

/* No cut more or less, of those that are looked at, takes less memory; without any it is much more. */
static void no_other_cut_takes_less(void **state)
{
    (void)state;
    for (uint32_t blocks = 1; blocks < 12; blocks++) {
        chooser c;
        open_chooser(&c, blocks);
        const strata_order *o = c.plan.order;
        const uint64_t uncut = whole(&c);
        cut_choose(&c.plan, &c.room);
        const uint64_t chosen = whole(&c);
        for (uint32_t k = 0; k < c.plan.n_nodes; k++) {
            if (o->crossing[k] != 1 && o->crossing[k] != 2) continue;
            o->cut[k] = !o->cut[k];
            if (whole(&c) < chosen)
                fail_msg("%u blocks: another choice behind node %u takes less", blocks, k);
            o->cut[k] = !o->cut[k];
        }
        assert_true(chosen <= uncut);
        if (blocks > 4) assert_true(10 * chosen < 8 * uncut);
        close_chooser(&c);
    }
}

enum { DEPTH = 40, TIMES = 4, RUNS = 3 };

static double seconds_of(uint32_t blocks)
{
    double least = INFINITY;
    for (int i = 0; i < RUNS; i++) {
        chooser c;
        open_chooser(&c, blocks);
        const double from = strata_thread_time();
        cut_choose(&c.plan, &c.room);
        least = fmin(least, strata_thread_time() - from);
        close_chooser(&c);
    }
    return least;
}

/* A network of TIMES the depth takes TIMES squared the time. With the cube, where each weighing looks at all
 * pairs of things, one of a thousand layers takes minutes. */
static void time_grows_with_the_square_of_the_depth(void **state)
{
    (void)state;
    const double shallow = seconds_of(DEPTH), deep = seconds_of(TIMES * DEPTH);
    print_message("%d blocks: %.1f ms; %d blocks: %.1f ms\n", DEPTH, 1e3 * shallow, TIMES * DEPTH,
                  1e3 * deep);
    assert_true(deep < 2 * TIMES * TIMES * shallow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_crosses_is_counted),
        cmocka_unit_test(no_other_cut_takes_less),
        cmocka_unit_test(time_grows_with_the_square_of_the_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

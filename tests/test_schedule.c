/* One network, run in several ways: with and without fused nodes, with activations kept or computed again.
 * Each way gives the numbers of the others, for every frozen prefix. */
#include "net.h"

enum { BATCH = 4, SIDE = 24, CHANNELS = 3, CLASSES = 5, STEPS = 3 };

/* ---- A small ResNet: an identity shortcut and one with a convolution and a norm of its own ------- */

static strata_tensor *add(strata_graph *g, const char *op, const char *name, strata_tensor *x,
                          strata_tensor *z)
{
    strata_tensor *out = NULL;
    OK(strata_graph_add(g, &out, op, name, (strata_tensor *[]) { x, z }, z ? 2 : 1, NULL, 0));
    return out;
}

static strata_tensor *conv(strata_graph *g, const char *name, strata_tensor *x, const char *out,
                           const char *kernel, const char *stride)
{
    const strata_setting s[] = { { "out", out },
                                 { "kernel", kernel },
                                 { "stride", stride },
                                 { "pad", *kernel == '3' ? "1" : "0" },
                                 { "bias", "false" } };
    strata_tensor *y = NULL;
    OK(strata_graph_add(g, &y, "conv2d", name, &x, 1, s, 5));
    return y;
}

static strata_graph *residual_net(void)
{
    strata_graph *g = NULL;
    OK(strata_graph_open(&g, (strata_shape) { BATCH, SIDE, SIDE, CHANNELS }));
    strata_tensor *x = conv(g, "conv1", g->input, "6", "3", "1");
    x = add(g, "batch_norm", "bn1", x, NULL);
    strata_tensor *skip = x = add(g, "relu", "relu1", x, NULL);
    x = add(g, "batch_norm", "bn0", conv(g, "conv0", x, "6", "3", "1"), NULL);
    x = add(g, "dropout", "drop", add(g, "relu", "relu0", x, NULL), NULL); /* within: no segment ends here */
    x = add(g, "batch_norm", "bn2", conv(g, "conv2", x, "6", "3", "1"), NULL);
    x = add(g, "add", "sum1", x, skip);
    skip = x = add(g, "relu", "relu2", x, NULL);
    x = add(g, "batch_norm", "bn3", conv(g, "conv3", x, "9", "3", "2"), NULL);
    skip = add(g, "batch_norm", "bn4", conv(g, "conv4", skip, "9", "1", "2"), NULL);
    x = add(g, "relu", "relu3", add(g, "add", "sum2", x, skip), NULL);
    x = add(g, "global_avg_pool", "pool", x, NULL);
    x = add(g, "flatten", "flat", x, NULL);
    strata_tensor *y = NULL;
    OK(strata_graph_add(g, &y, "linear", "fc", &x, 1, (strata_setting[]) { { "out", "5" } }, 1));
    OK(strata_graph_add_loss(g, y, "softmax_loss", NULL, 0));
    return g;
}

/* Norms whose input others take, too: before a convolution, and twice. */
static strata_graph *norms_first_net(void)
{
    strata_graph *g = NULL;
    OK(strata_graph_open(&g, (strata_shape) { BATCH, SIDE, SIDE, CHANNELS }));
    strata_tensor *skip = conv(g, "conv1", g->input, "6", "3", "1");
    strata_tensor *x = add(g, "relu", "relu1", add(g, "batch_norm", "bn1", skip, NULL), NULL);
    skip = x = add(g, "add", "sum1", conv(g, "conv2", x, "6", "3", "1"), skip);
    x = add(g, "batch_norm", "bn2", x, NULL);
    x = add(g, "add", "sum2", x, add(g, "batch_norm", "bn3", skip, NULL));
    x = add(g, "batch_norm", "bn5", add(g, "batch_norm", "bn4", x, NULL), NULL); /* one over another */
    x = add(g, "flatten", "flat", add(g, "global_avg_pool", "pool", x, NULL), NULL);
    strata_tensor *y = NULL;
    OK(strata_graph_add(g, &y, "linear", "fc", &x, 1, (strata_setting[]) { { "out", "5" } }, 1));
    OK(strata_graph_add_loss(g, y, "softmax_loss", NULL, 0));
    return g;
}

/* A relu behind each convolution, one of them depthwise, and behind a linear layer; of "both" the sums
 * themselves are used, too. */
static strata_graph *plain_net(void)
{
    strata_graph *g = NULL;
    OK(strata_graph_open(&g, (strata_shape) { BATCH, SIDE, SIDE, CHANNELS }));
    strata_tensor *x = add(g, "relu", "relu1", conv(g, "conv1", g->input, "9", "3", "1"), NULL);
    x = add(g, "relu", "relu2", conv(g, "conv2", x, "9", "3", "1"), NULL);
    const strata_setting each[] = { { "out", "9" }, { "kernel", "3" }, { "pad", "1" }, { "groups", "9" } };
    OK(strata_graph_add(g, &x, "conv2d", "each", &x, 1, each, 4));
    x = add(g, "dropout", "drop", add(g, "relu", "relu3", x, NULL), NULL);
    strata_tensor *both = x = conv(g, "both", x, "9", "1", "2");
    x = add(g, "add", "sum", add(g, "relu", "relu4", x, NULL), both);
    x = add(g, "global_avg_pool", "pool", add(g, "relu", "relu5", conv(g, "conv5", x, "7", "3", "2"), NULL),
            NULL);
    OK(strata_graph_add(g, &x, "linear", "fc1", &x, 1, (strata_setting[]) { { "out", "13" } }, 1));
    x = add(g, "relu", "relu6", x, NULL);
    OK(strata_graph_add(g, &x, "linear", "fc2", &x, 1, (strata_setting[]) { { "out", "5" } }, 1));
    OK(strata_graph_add_loss(g, x, "softmax_loss", NULL, 0));
    return g;
}

/* Norms that add a second input themselves: one that comes before their first, and one behind it. */
static strata_graph *sums_in_norms_net(void)
{
    strata_graph *g = NULL;
    OK(strata_graph_open(&g, (strata_shape) { BATCH, SIDE, SIDE, CHANNELS }));
    strata_tensor *skip = conv(g, "skip1", g->input, "6", "3", "1");
    strata_tensor *x = add(g, "batch_norm", "bn1", conv(g, "conv1", g->input, "6", "3", "1"), skip);
    strata_tensor *first = conv(g, "conv2", x, "6", "3", "1");
    x = add(g, "batch_norm", "bn2", first, conv(g, "skip2", x, "6", "1", "1"));
    x = add(g, "flatten", "flat", add(g, "global_avg_pool", "pool", x, NULL), NULL);
    OK(strata_graph_add(g, &x, "linear", "fc", &x, 1, (strata_setting[]) { { "out", "5" } }, 1));
    OK(strata_graph_add_loss(g, x, "softmax_loss", NULL, 0));
    return g;
}

static const char *limits; /* of the device that is opened next; NULL: its own */

static void open_graph(net *n, strata_graph *g, const char *device, const strata_plan_config *config)
{
    *n = (net) { .graph = g };
    const bool reference = strcmp(device, "cpu") == 0;
    OK(strata_device_open(
        &n->device, &(strata_device_config) { .name = device, .validate = !reference, .limits = limits }));
    OK(strata_plan_open(&n->plan, n->graph, n->device, config));
    OK(strata_ring_open(&n->ring, n->device, n->plan->in,
                        strata_slice_part(n->plan->result, 0, n->plan->result_train_bytes)));
    for (uint32_t i = 0; i < n->graph->n_params; i++) {
        const strata_param *p = n->graph->param[i];
        float v[9 * 9 * 9];
        const bool one = p->init == STRATA_INIT_CONSTANT && p->scale > 0;
        for (uint32_t k = 0; k < strata_param_count(p); k++) v[k] = (one ? 1 : 0) + 0.4f * uniform(k, i);
        OK(strata_plan_write_param(n->plan, p, v));
    }
}

static void open_net(net *n, const char *device, const strata_plan_config *config)
{
    open_graph(n, residual_net(), device, config);
}

/* A step of one micro-batch, waited for. */
static void step(net *n, uint32_t number)
{
    strata_plan *p = n->plan;
    uint64_t which;
    const void *result;
    char *in;
    OK(strata_ring_begin(n->ring, (void **)&in));
    put_step(n, in, number, CLASSES);
    OK(strata_plan_submit_train(p, n->ring, false, STRATA_UPDATE));
    OK(strata_ring_begin(n->ring, (void **)&in));
    do OK(strata_ring_result(n->ring, true, &which, &result));
    while (result);
}

/* The largest distance of two vectors, beside the length of one, over all parameters, or all their gradients;
 * a parameter has a gradient in both or in none. */
static double distance(const net *a, const net *b, bool grad)
{
    double worst = 0;
    for (uint32_t i = 0; i < a->graph->n_params; i++) {
        const strata_param *p = a->graph->param[i], *q = b->graph->param[i];
        float x[9 * 9 * 9], y[9 * 9 * 9];
        double d = 0, s = 0;
        assert_int_equal(p->grad.block != NULL, q->grad.block != NULL);
        if (grad && !p->grad.block) continue;
        OK(strata_plan_read_param(a->plan, p, x, grad));
        OK(strata_plan_read_param(b->plan, q, y, grad));
        for (uint32_t k = 0; k < strata_param_count(p); k++) {
            d += pow((double)x[k] - (double)y[k], 2);
            s += pow((double)y[k], 2);
        }
        assert_true(isfinite(d));
        if (s > 0 && sqrt(d / s) > worst) worst = sqrt(d / s);
    }
    return worst;
}

static void same_bits(net *a, net *b, const char *when)
{
    for (uint32_t i = 0; i < a->graph->n_params; i++) {
        const strata_param *p = a->graph->param[i];
        float x[9 * 9 * 9], y[9 * 9 * 9];
        for (int grad = 0; grad < 1 + (p->grad.block != NULL); grad++) {
            OK(strata_plan_read_param(a->plan, p, x, grad));
            OK(strata_plan_read_param(b->plan, b->graph->param[i], y, grad));
            if (memcmp(x, y, strata_param_count(p) * sizeof *x) != 0)
                fail_msg("%s: the bits of %s%s differ", when, grad ? "d" : "", p->name);
        }
    }
}

static const strata_plan_config sgd = {
    .train = true, .optimizer = STRATA_SGD, .momentum = true, .poison = true
};

/* Rounding moves values of one half of the network by some 2^-23, and three steps by a little more. */
enum { ROUNDINGS = 64 };
static const double close_enough = ROUNDINGS * 0x1p-24;

/* ---- Fusing ------------------------------------------------------------------------------------- */

static const strata_node *runs(const strata_plan *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_nodes; i++)
        if (strcmp(p->node[i]->name, name) == 0) return p->node[i];
    return NULL;
}

static void norms_take_in_what_follows(void **state)
{
    (void)state;
    net n;
    open_net(&n, device_name(), &sgd);
    static const char *const gone[] = { "relu0", "relu1", "sum1", "relu2", "sum2", "relu3" };
    for (int i = 0; i < 6; i++) assert_null(runs(n.plan, gone[i]));
    assert_string_equal(runs(n.plan, "bn1")->out->name, "relu1");
    assert_string_equal(runs(n.plan, "bn2")->out->name, "relu2");
    assert_string_equal(runs(n.plan, "bn3")->out->name, "relu3");
    assert_string_equal(runs(n.plan, "bn4")->out->name, "bn4");
    assert_int_equal(n.plan->n_nodes + 6, n.graph->n_nodes);
    assert_null(strata_graph_tensor(n.graph, "sum1")->data.block); /* nobody makes it */
    close_net(&n);

    strata_plan_config config = sgd;
    config.keep_all = true; /* for looking at them */
    open_net(&n, device_name(), &config);
    assert_int_equal(n.plan->n_nodes, n.graph->n_nodes);
    assert_non_null(strata_graph_tensor(n.graph, "sum1")->data.block);
    close_net(&n);
}

static void fused_is_unfused(void **state)
{
    (void)state;
    static const char *const devices[] = { "cpu", NULL };
    for (int d = 0; d < 2; d++) {
        const char *device = devices[d] ? devices[d] : device_name();
        strata_plan_config config = sgd;
        net fused, apart;
        open_net(&fused, device, &config);
        config.no_fuse = true;
        open_net(&apart, device, &config);
        for (uint32_t i = 0; i < STEPS; i++) {
            step(&fused, i);
            step(&apart, i);
        }
        const double off = distance(&fused, &apart, false);
        if (off > close_enough) fail_msg("%s: %.3g apart, %.3g expected", device, off, close_enough);
        close_net(&fused);
        close_net(&apart);
    }
}

/* A prefix may end within a fused node: before the convolution that makes its other input. */
static void fused_is_unfused_behind_every_prefix(void **state)
{
    (void)state;
    strata_plan_config config = sgd;
    net fused, apart;
    open_net(&fused, device_name(), &config);
    config.no_fuse = true;
    open_net(&apart, device_name(), &config);
    for (uint32_t frozen = 1; frozen < fused.graph->n_nodes - 1; frozen++) {
        bool hold[64] = { false };
        for (uint32_t k = 0; k < frozen; k++) hold[k] = frozen % 2;
        OK(strata_plan_freeze(fused.plan, frozen, hold));
        OK(strata_plan_freeze(apart.plan, frozen, hold));
        step(&fused, frozen);
        step(&apart, frozen);
        const double off = fmax(distance(&fused, &apart, true), distance(&fused, &apart, false));
        if (off > close_enough) fail_msg("%u frozen: %.3g apart", (unsigned)frozen, off);
    }
    close_net(&fused);
    close_net(&apart);
}

static void convolutions_take_in_relus(void **state)
{
    (void)state;
    net n;
    open_graph(&n, plain_net(), device_name(), &sgd);
    static const char *const gone[] = { "relu1", "relu2", "relu3", "relu5", "relu6" };
    for (int i = 0; i < 5; i++) assert_null(runs(n.plan, gone[i]));
    assert_string_equal(runs(n.plan, "each")->out->name, "relu3");
    assert_string_equal(runs(n.plan, "fc1")->out->name, "relu6");
    assert_string_equal(runs(n.plan, "both")->out->name, "both");
    assert_int_equal(n.plan->n_nodes + 5, n.graph->n_nodes);
    close_net(&n);
}

/* A relu of the sums that are stored and of those that will be is one, and so is the mask of a gradient: no
 * bit differs, with activations of 16 bits, too, computed again, and in slices. */
static void relus_in_convolutions_change_no_bit(void **state)
{
    (void)state;
    static const struct {
        const char *name, *device, *limits;
        bool half, recompute;
    } ways[] = { { "reference", "cpu", NULL, false, false },
                 { "device", NULL, NULL, false, false },
                 { "16 bits", NULL, NULL, true, false },
                 { "again", NULL, NULL, false, true },
                 { "slices", NULL, "range=32768", false, false } };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const char *device = ways[i].device ? ways[i].device : device_name();
        strata_plan_config config = sgd;
        net fused, apart;
        config.half = ways[i].half;
        config.recompute = ways[i].recompute;
        limits = ways[i].limits;
        open_graph(&fused, plain_net(), device, &config);
        config.no_fuse = true;
        open_graph(&apart, plain_net(), device, &config);
        limits = NULL;
        for (uint32_t k = 0; k < STEPS; k++) {
            step(&fused, k);
            step(&apart, k);
        }
        same_bits(&fused, &apart, ways[i].name);
        for (uint32_t frozen = 1; frozen < fused.graph->n_nodes - 1; frozen++) {
            OK(strata_plan_freeze(fused.plan, frozen, NULL));
            OK(strata_plan_freeze(apart.plan, frozen, NULL));
            step(&fused, frozen);
            step(&apart, frozen);
            same_bits(&fused, &apart, "behind a frozen prefix");
        }
        close_net(&fused);
        close_net(&apart);
    }
}

/* Losses and logits of one batch in evaluation mode. */
enum { RESULTS = BATCH * (1 + CLASSES) };

static void evaluate(net *n, float out[RESULTS])
{
    strata_plan *p = n->plan;
    strata_ring *ring = NULL;
    uint64_t which;
    const void *result;
    char *in;
    OK(strata_ring_open(&ring, n->device, p->in, p->result));
    OK(strata_ring_begin(ring, (void **)&in));
    for (uint32_t i = 0; i < BATCH; i++) {
        ((int32_t *)(void *)(in + p->in_target))[i] = (int32_t)(i % CLASSES);
        ((float *)(void *)(in + p->in_weights))[i] = 1.0f / BATCH;
    }
    for (uint32_t i = 0; i < BATCH * SIDE * SIDE * 4; i++)
        ((float *)(void *)(in + p->in_pixels))[i] = i % 4 < CHANNELS ? uniform(i, 200) : NAN;
    OK(strata_plan_submit_evaluate(p, ring));
    OK(strata_ring_begin(ring, (void **)&in));
    OK(strata_ring_result(ring, true, &which, &result));
    assert_non_null(result);
    memcpy(out, (const char *)result + p->result_loss, BATCH * sizeof *out);
    const float *logits = (const float *)(const void *)((const char *)result + p->result_logits);
    for (uint32_t i = 0; i < BATCH * CLASSES; i++)
        out[BATCH + i] = logits[i / CLASSES * strata_lanes(CLASSES) + i % CLASSES];
    strata_ring_close(ring);
}

static uint32_t launches(const strata_plan *p)
{
    const strata_part *part = &p->part[STRATA_PART_EVALUATE];
    uint32_t n = 0;
    for (uint32_t s = 0; s < part->n; s++)
        for (uint32_t i = 0; strata_stream_recorded(part->segment[s], i); i++) n++;
    return n;
}

/* Processors give the same bits, as the sums that are not stored are those that would be. The reference does
 * not round them, nor are they rounded to 16 bits, and a GPU's compiler may put them together in another
 * way. */
static void compare_results(const net *n, const char *when, const float *x, const float *y, bool half)
{
    const double most = half ? 0x1p-7 : 0x1p-20;
    const bool same = !half && strata_device_caps(n->device)->cpu_type;
    if (same && memcmp(x, y, RESULTS * sizeof *x) != 0) fail_msg("%s: bits differ", when);
    for (int k = 0; k < RESULTS; k++)
        if (!(fabs((double)x[k] - (double)y[k]) <= most * (1 + fabs((double)y[k]))))
            fail_msg("%s: %g, and apart %g", when, (double)x[k], (double)y[k]);
}

/* Norms, sums and relus within convolutions, in a plan that evaluates and in one that trains, too, of which a
 * convolution runs later then. */
static void evaluation_within_convolutions_is_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *name, *device, *limits, *variants;
        bool train, half, recompute;
        uint32_t fewer; /* launches */
        strata_graph *(*graph)(void);
    } ways[] = {
        { "reference", "cpu", NULL, NULL, false, false, false, 11, residual_net },
        { "reference of training", "cpu", NULL, NULL, true, false, false, 11, residual_net },
        { "evaluation", NULL, NULL, "tile32", false, false, false, 11, residual_net },
        { "training", NULL, NULL, "tile32", true, false, false, 11, residual_net },
        { "again", NULL, NULL, "tile32", true, false, true, 8, residual_net },
        { "by Winograd", NULL, NULL, "tile32,conv2d=winograd", false, false, false, 11, residual_net },
        { "16 bits", NULL, NULL, "plain", false, true, false, 11, residual_net },
        { "16 bits of training", NULL, NULL, "tile32", true, true, false, 11, residual_net },
        { "16 bits again", NULL, NULL, "tile32", true, true, true, 8, residual_net },
        { "slices", NULL, "range=65536", "plain", false, false, false, 18, residual_net },
        { "second inputs", "cpu", NULL, NULL, false, false, false, 2, sums_in_norms_net },
        { "second inputs, training", NULL, NULL, "tile32", true, false, false, 2, sums_in_norms_net }
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const char *device = ways[i].device ? ways[i].device : device_name();
        strata_plan_config config = sgd;
        net fused, apart;
        float x[RESULTS], y[RESULTS];
        config.train = ways[i].train;
        config.half = ways[i].half;
        config.recompute = ways[i].recompute;
        config.variants = ways[i].variants;
        limits = ways[i].limits;
        open_graph(&fused, ways[i].graph(), device, &config);
        config.no_fuse = true;
        open_graph(&apart, ways[i].graph(), device, &config);
        limits = NULL;
        evaluate(&fused, x);
        evaluate(&apart, y);
        compare_results(&fused, ways[i].name, x, y, ways[i].half);
        if (launches(fused.plan) + ways[i].fewer != launches(apart.plan))
            fail_msg("%s: %u launches, apart %u", ways[i].name, launches(fused.plan), launches(apart.plan));
        close_net(&fused);
        close_net(&apart);
    }
}

/* What is looked at outside of the pair, and a norm's own input as the other summand, stay apart. */
static void nothing_is_fused_that_is_used_elsewhere(void **state)
{
    (void)state;
    strata_graph *g = NULL;
    strata_device *d = NULL;
    strata_plan *p = NULL;
    OK(strata_device_open(&d, &(strata_device_config) { .name = "cpu" }));
    OK(strata_graph_open(&g, (strata_shape) { BATCH, SIDE, SIDE, CHANNELS }));
    strata_tensor *a = conv(g, "conv", g->input, "4", "3", "1");
    strata_tensor *twice = add(g, "batch_norm", "twice", a, NULL);
    strata_tensor *x = add(g, "add", "sum1", add(g, "relu", "relu1", twice, NULL), twice);
    x = add(g, "add", "sum2", add(g, "batch_norm", "own", x, NULL), x);
    x = add(g, "batch_norm", "last", add(g, "global_avg_pool", "pool", x, NULL), NULL);
    OK(strata_graph_add_loss(g, x, "softmax_loss", NULL, 0));
    OK(strata_plan_open(&p, g, d, &sgd));
    assert_int_equal(p->n_nodes, g->n_nodes);
    strata_plan_close(p);
    strata_graph_close(g);
    strata_device_close(d);
}

/* ---- Computing again ------------------------------------------------------------------------------ */

/* Deep enough that the segments' ends are few beside what lies between. */
static void recompute_changes_memory_alone(void **state)
{
    (void)state;
    static const char *const devices[] = { "cpu", NULL };
    for (int d = 0; d < 2; d++)
        for (int way = 0; way < 3; way++) {
            static const char *const names[] = { "fused", "apart", "with 16 bits" };
            strata_plan_config config = sgd;
            net keeps, again;
            config.no_fuse = way == 1;
            config.half = way == 2;
            open_net(&keeps, devices[d] ? devices[d] : device_name(), &config);
            config.recompute = true;
            open_net(&again, devices[d] ? devices[d] : device_name(), &config);
            assert_true(again.plan->least_bytes < keeps.plan->least_bytes);
            for (uint32_t i = 0; i < STEPS; i++) {
                step(&keeps, i);
                step(&again, i);
            }
            same_bits(&keeps, &again, names[way]);
            for (uint32_t frozen = 1; frozen < keeps.graph->n_nodes - 1; frozen++) {
                OK(strata_plan_freeze(keeps.plan, frozen, NULL));
                OK(strata_plan_freeze(again.plan, frozen, NULL));
                step(&keeps, frozen);
                step(&again, frozen);
                same_bits(&keeps, &again, "behind a frozen prefix");
            }
            close_net(&keeps);
            close_net(&again);
        }
}

/* The first activations are 72 KiB: their passes go in slices of three images and one. */
static void a_device_that_binds_little_computes_the_same(void **state)
{
    (void)state;
    for (int recompute = 0; recompute < 2; recompute++) {
        strata_plan_config config = sgd;
        net sliced, whole;
        config.recompute = recompute;
        limits = "range=65536";
        open_net(&sliced, device_name(), &config);
        limits = NULL;
        open_net(&whole, "cpu", &config);
        for (uint32_t i = 0; i < STEPS; i++) {
            step(&sliced, i);
            step(&whole, i);
        }
        const double weights = distance(&sliced, &whole, false), grads = distance(&sliced, &whole, true);
        if (!(weights < close_enough)) fail_msg("weights are %g off, at most %g", weights, close_enough);
        if (!(grads < BATCH * close_enough)) fail_msg("gradients are %g off", grads);
        close_net(&sliced);
        close_net(&whole);
    }
}

/* Where each tensor has memory of its own, no gradient lies over another. */
static void gradients_over_others_change_no_bit(void **state)
{
    (void)state;
    static strata_graph *(*const make[])(void) = { residual_net, norms_first_net };
    for (int i = 0; i < 2; i++) {
        strata_plan_config config = sgd;
        net over, apart;
        config.no_fuse = true;
        open_graph(&over, make[i](), device_name(), &config);
        config.keep_all = true;
        open_graph(&apart, make[i](), device_name(), &config);
        for (uint32_t k = 0; k < STEPS; k++) {
            step(&over, k);
            step(&apart, k);
        }
        same_bits(&over, &apart, i ? "norms first" : "residual");
        close_net(&over);
        close_net(&apart);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_take_in_what_follows),
        cmocka_unit_test(fused_is_unfused),
        cmocka_unit_test(fused_is_unfused_behind_every_prefix),
        cmocka_unit_test(convolutions_take_in_relus),
        cmocka_unit_test(relus_in_convolutions_change_no_bit),
        cmocka_unit_test(evaluation_within_convolutions_is_the_same),
        cmocka_unit_test(nothing_is_fused_that_is_used_elsewhere),
        cmocka_unit_test(recompute_changes_memory_alone),
        cmocka_unit_test(gradients_over_others_change_no_bit),
        cmocka_unit_test(a_device_that_binds_little_computes_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The plan: memory reuse, barriers, rows of the rates table, micro-batches, frozen prefixes. Each test
 * compares the bits of two ways that must agree, or a device with the reference. */
#include "net.h"

#include "core/thread.h"

enum { BATCH = 6, SIDE = 9, CHANNELS = 3, CLASSES = 5, STEPS = 4 };

/* ---- A network with a residual, an odd number of channels, batch norm and dropout ------------- */

static strata_tensor *add(strata_graph *g, const char *op, const char *name, strata_tensor *const *in,
                          uint32_t n, const strata_setting *settings, uint32_t n_settings)
{
    strata_tensor *out = NULL;
    OK(strata_graph_add(g, &out, op, name, in, n, settings, n_settings));
    return out;
}

static strata_graph *make_graph(uint32_t n, bool dropout)
{
    strata_graph *g = NULL;
    OK(strata_graph_open(&g, (strata_shape) { n, SIDE, SIDE, CHANNELS }));
    const strata_setting conv[] = { { "out", "5" }, { "kernel", "3" }, { "pad", "1" } };
    /* No bias before a norm: its gradient is rounding alone, which Adam would blow up to a whole step. */
    const strata_setting first[] = { { "out", "5" }, { "kernel", "3" }, { "pad", "1" }, { "bias", "false" } };
    strata_tensor *x = add(g, "conv2d", "conv1", &g->input, 1, first, 4);
    x = add(g, "batch_norm", "bn1", &x, 1, NULL, 0);
    strata_tensor *skip = x = add(g, "relu", "relu1", &x, 1, NULL, 0);
    x = add(g, "conv2d", "conv2", &x, 1, conv, 3);
    x = add(g, "silu", "silu", &x, 1, NULL, 0);
    x = add(g, "add", "sum", (strata_tensor *[]) { x, skip }, 2, NULL, 0);
    x = add(g, "max_pool", "pool", &x, 1, (strata_setting[]) { { "kernel", "2" } }, 1);
    if (dropout) x = add(g, "dropout", "drop", &x, 1, (strata_setting[]) { { "p", "0.25" } }, 1);
    x = add(g, "flatten", "flat", &x, 1, NULL, 0);
    x = add(g, "linear", "fc", &x, 1, (strata_setting[]) { { "out", "5" } }, 1);
    OK(strata_graph_add_loss(g, x, "softmax_loss", NULL, 0));
    return g;
}

/* A residual block that halves its images. */
static strata_graph *make_shortcut(void)
{
    strata_graph *g = NULL;
    OK(strata_graph_open(&g, (strata_shape) { BATCH, SIDE, SIDE, CHANNELS }));
    const strata_setting stem[] = { { "out", "6" }, { "kernel", "3" }, { "pad", "1" } };
    const strata_setting wide[] = { { "out", "8" }, { "kernel", "3" }, { "stride", "2" }, { "pad", "1" } };
    const strata_setting narrow[] = { { "out", "8" }, { "kernel", "1" }, { "stride", "2" } };
    strata_tensor *x = add(g, "conv2d", "stem", &g->input, 1, stem, 3), *branch[2];
    branch[0] = add(g, "conv2d", "wide", &x, 1, wide, 4);
    branch[1] = add(g, "conv2d", "narrow", &x, 1, narrow, 3);
    x = add(g, "add", "sum", branch, 2, NULL, 0);
    x = add(g, "flatten", "flat", &x, 1, NULL, 0);
    x = add(g, "linear", "fc", &x, 1, (strata_setting[]) { { "out", "5" } }, 1);
    OK(strata_graph_add_loss(g, x, "softmax_loss", NULL, 0));
    return g;
}

static void set_params(strata_plan *p)
{
    for (uint32_t i = 0; i < p->graph->n_params; i++) {
        const strata_param *param = p->graph->param[i];
        uint64_t n = strata_param_count(param);
        float *v = calloc(n, sizeof *v);
        bool unit = strstr(param->name, "bn1.weight") || strstr(param->name, "var");
        for (uint32_t k = 0; k < n; k++) v[k] = unit ? 1 : 0.3f * uniform(k, i);
        OK(strata_plan_write_param(p, param, v));
        free(v);
    }
}

static void open_graph(net *n, strata_graph *g, const char *device, const strata_plan_config *config)
{
    *n = (net) { .graph = g };
    OK(strata_device_open(
        &n->device, &(strata_device_config) { .name = device, .validate = strcmp(device, "cpu") != 0 }));
    OK(strata_plan_open(&n->plan, n->graph, n->device, config));
    OK(strata_ring_open(&n->ring, n->device, n->plan->in,
                        strata_slice_part(n->plan->result, 0, n->plan->result_train_bytes)));
    set_params(n->plan);
}

static void open_net(net *n, const char *device, uint32_t images, bool dropout,
                     const strata_plan_config *config)
{
    open_graph(n, make_graph(images, dropout), device, config);
}

/* One micro-batch: images first .. first + n of the step's BATCH; `alter` may change the table. */
typedef void alter_rows(strata_rate *rows, uint32_t n, uint64_t step);

static void submit_part(net *n, uint64_t step, uint32_t first, bool last, alter_rows *alter)
{
    strata_plan *p = n->plan;
    const uint32_t images = n->graph->input->shape.n;
    uint64_t number;
    const void *result;
    char *in;
    OK(strata_ring_begin(n->ring, (void **)&in));
    do OK(strata_ring_result(n->ring, false, &number, &result));
    while (result);
    *(strata_step_values *)(void *)(in + p->in_step) = (strata_step_values) { 11,    0, (uint32_t)step,
                                                                              first, 0, { 0 } };
    strata_rate *rows = (void *)(in + p->in_rates);
    for (uint32_t i = 0; i < n->graph->n_rows; i++)
        rows[i] = (strata_rate) { 0.05f * (float)(1 + i % 3), 0.9f, 0.99f, 1e-8f, 0.01f, 1, 1,
                                  STRATA_RATE_ACTIVE };
    if (alter) alter(rows, n->graph->n_rows, step);
    for (uint32_t i = 0; i < images; i++) {
        ((int32_t *)(void *)(in + p->in_target))[i] = (int32_t)((first + i + step) % CLASSES);
        ((float *)(void *)(in + p->in_weights))[i] = 1.0f / BATCH;
    }
    float *pixels = (void *)(in + p->in_pixels);
    const uint32_t dots = SIDE * SIDE, lanes = strata_lanes(CHANNELS);
    for (uint32_t i = 0; i < images * dots; i++)
        for (uint32_t c = 0; c < lanes; c++)
            pixels[i * lanes + c] = c < CHANNELS
                                        ? uniform((first * dots + i) * CHANNELS + c, 100 + (uint32_t)step)
                                        : NAN;
    OK(strata_plan_submit_train(p, n->ring, first != 0, last ? STRATA_UPDATE : STRATA_NO_UPDATE));
}

static void train(net *n, uint64_t from, uint64_t to, alter_rows *alter)
{
    const uint32_t images = n->graph->input->shape.n;
    uint64_t number;
    const void *result;
    for (uint64_t step = from; step < to; step++)
        for (uint32_t at = 0; at < BATCH; at += images) submit_part(n, step, at, at + images == BATCH, alter);
    char *in;
    OK(strata_ring_begin(n->ring, (void **)&in));
    do OK(strata_ring_result(n->ring, true, &number, &result));
    while (result);
}

static float *params(net *n, const strata_param *param)
{
    float *v = calloc(strata_param_count(param), sizeof *v);
    OK(strata_plan_read_param(n->plan, param, v, false));
    return v;
}

/* The name of the first parameter (statistics too) whose bits differ, or NULL. `only` skips that one. */
static const char *differs(net *a, net *b, const char *only)
{
    for (uint32_t i = 0; i < a->graph->n_params; i++) {
        const strata_param *param = a->graph->param[i];
        if (only && strcmp(param->name, only) == 0) continue;
        float *x = params(a, param), *y = params(b, b->graph->param[i]);
        bool same = memcmp(x, y, strata_param_count(param) * sizeof *x) == 0;
        free(x);
        free(y);
        if (!same) return param->name;
    }
    return NULL;
}

static double distance(net *a, net *b)
{
    double worst = 0;
    for (uint32_t i = 0; i < a->graph->n_params; i++) {
        double d = 0, s = 0;
        float *x = params(a, a->graph->param[i]), *y = params(b, b->graph->param[i]);
        for (uint64_t k = 0; k < strata_param_count(a->graph->param[i]); k++) {
            d += pow((double)x[k] - (double)y[k], 2);
            s += pow((double)y[k], 2);
        }
        free(x);
        free(y);
        assert_true(isfinite(d));
        if (s > 0 && sqrt(d / s) > worst) worst = sqrt(d / s);
    }
    return worst;
}

static const strata_plan_config sgd = {
    .train = true, .optimizer = STRATA_SGD, .momentum = true, .poison = true
};

/* ---- Promises ------------------------------------------------------------------------------------ */

static void reuse_changes_nothing(void **state)
{
    (void)state;
    net reused, apart;
    strata_plan_config config = sgd;
    open_net(&reused, device_name(), BATCH, true, &config);
    config.keep_all = true;
    open_net(&apart, device_name(), BATCH, true, &config);
    assert_true(reused.plan->device_bytes < apart.plan->device_bytes);
    train(&reused, 0, STEPS, NULL);
    train(&apart, 0, STEPS, NULL);
    const char *name = differs(&reused, &apart, NULL);
    if (name) fail_msg("%s differs", name);
    close_net(&reused);
    close_net(&apart);
}

static void the_device_agrees_with_the_reference(void **state)
{
    (void)state;
    for (int optimizer = 0; optimizer < 3; optimizer++) {
        net device, reference;
        strata_plan_config config = sgd;
        config.optimizer = (strata_optimizer)optimizer;
        open_net(&device, device_name(), BATCH, true, &config);
        open_net(&reference, "cpu", BATCH, true, &config);
        train(&device, 0, 2, NULL);
        train(&reference, 0, 2, NULL);
        double d = distance(&device, &reference);
        if (!(d < 2e-4)) fail_msg("optimizer %d: relative distance %g", optimizer, d);
        close_net(&device);
        close_net(&reference);
    }
}

/* The scratch is for the variants that are taken, and large enough for them. */
static void a_variant_has_its_scratch(void **state)
{
    (void)state;
    net direct, winograd;
    strata_plan_config config = sgd;
    config.variants = "exact";
    open_net(&direct, device_name(), BATCH, true, &config);
    config.variants = "winograd";
    open_net(&winograd, device_name(), BATCH, true, &config);
    assert_true(direct.plan->scratch.bytes < winograd.plan->scratch.bytes);
    train(&direct, 0, 2, NULL);
    train(&winograd, 0, 2, NULL);
    double d = distance(&winograd, &direct);
    if (!(d < 2e-4)) fail_msg("relative distance %g", d);
    close_net(&direct);
    close_net(&winograd);
}

static uint32_t altered_row;
static void double_one(strata_rate *rows, uint32_t n, uint64_t step)
{
    assert_true(altered_row < n);
    if (step == STEPS - 1) rows[altered_row].lr *= 2;
}
static void stop_one(strata_rate *rows, uint32_t n, uint64_t step)
{
    assert_true(altered_row < n);
    (void)step;
    rows[altered_row] = (strata_rate) { 0 };
}

/* At the last step a row reaches its own tensor and no other, whichever row it is. */
static void a_row_moves_its_tensor_alone(void **state)
{
    (void)state;
    net plain;
    open_net(&plain, device_name(), BATCH, false, &sgd);
    train(&plain, 0, STEPS, NULL);
    for (uint32_t i = 0; i < plain.graph->n_params; i++) {
        const strata_param *param = plain.graph->param[i];
        if (param->running) continue;
        net other;
        altered_row = param->row;
        open_net(&other, device_name(), BATCH, false, &sgd);
        const strata_part before[] = { other.plan->part[STRATA_PART_FIRST],
                                       other.plan->part[STRATA_PART_UPDATE] };
        train(&other, 0, STEPS, double_one);
        assert_memory_equal(before, other.plan->part, sizeof *before); /* nothing was recorded again */
        assert_memory_equal(before + 1, other.plan->part + STRATA_PART_UPDATE, sizeof *before);
        const char *name = differs(&plain, &other, param->name);
        if (name) fail_msg("row of %s moved %s", param->name, name);
        name = differs(&plain, &other, NULL);
        if (!name || strcmp(name, param->name) != 0) fail_msg("row of %s did not move it", param->name);
        close_net(&other);
    }
    close_net(&plain);
}

static void a_zero_row_keeps_every_bit(void **state)
{
    (void)state;
    net start, end;
    open_net(&start, device_name(), BATCH, false, &sgd);
    for (altered_row = 0; altered_row < start.graph->n_rows; altered_row++) {
        open_net(&end, device_name(), BATCH, false, &sgd);
        train(&end, 0, 2, stop_one);
        for (uint32_t i = 0; i < start.graph->n_params; i++) {
            const strata_param *param = start.graph->param[i];
            if (param->running) continue;
            float *a = params(&start, param), *b = params(&end, end.graph->param[i]);
            bool same = memcmp(a, b, strata_param_count(param) * sizeof *a) == 0;
            free(a);
            free(b);
            assert_int_equal(same, param->row == altered_row);
        }
        close_net(&end);
    }
    close_net(&start);
}

/* Without batch norm in the way, accumulated micro-batches are the batch, dropout masks included. */
static void strip_norm(strata_rate *rows, uint32_t n, uint64_t step) { (void)rows, (void)n, (void)step; }
static void micro_batches_are_the_batch(void **state)
{
    (void)state;
    net whole, parts;
    strata_plan_config config = sgd;
    config.frozen_nodes = 2;
    config.hold = (const bool[64]) { [1] = true }; /* running statistics: nothing depends on the batch */
    open_net(&whole, device_name(), BATCH, true, &config);
    config.micro_batches = 3;
    open_net(&parts, device_name(), BATCH / 3, true, &config);
    train(&whole, 0, 2, strip_norm);
    train(&parts, 0, 2, strip_norm);
    double d = distance(&parts, &whole);
    if (!(d < 2e-5)) fail_msg("relative distance %g", d);
    close_net(&whole);
    close_net(&parts);
}

/* The rows of a frozen layer are inactive: its gradients are of an earlier step. */
static void freeze_rows(strata_rate *rows, uint32_t n, uint64_t step)
{
    assert_true(n > 3 && step > 0);
    for (uint32_t i = 0; i < 3; i++) rows[i] = (strata_rate) { 0 }; /* conv1.weight, bn1.weight, bn1.bias */
}

static void a_frozen_prefix_stays(void **state)
{
    (void)state;
    net start, end;
    open_net(&start, device_name(), BATCH, false, &sgd);
    open_net(&end, device_name(), BATCH, false, &sgd);
    train(&end, 0, 1, NULL);
    train(&start, 0, 1, NULL);
    OK(strata_plan_freeze(end.plan, 3, (const bool[64]) { [1] = true })); /* conv1, bn1, relu1 */
    train(&end, 1, 3, freeze_rows);
    for (uint32_t i = 0; i < start.graph->n_params; i++) {
        const strata_param *param = start.graph->param[i];
        bool frozen = strcmp(param->node, "conv1") == 0 || strcmp(param->node, "bn1") == 0;
        float *a = params(&start, param), *b = params(&end, end.graph->param[i]);
        assert_int_equal(memcmp(a, b, strata_param_count(param) * sizeof *a) == 0, frozen);
        free(a);
        free(b);
    }
    close_net(&start);
    close_net(&end);
}

/* The reference splits its work over threads, never a sum. */
static void threads_change_no_bit(void **state)
{
    (void)state;
    net one, many;
    strata_threads_set(1);
    open_net(&one, "cpu", BATCH, true, &sgd);
    train(&one, 0, 2, NULL);
    strata_threads_set(5);
    open_net(&many, "cpu", BATCH, true, &sgd);
    train(&many, 0, 2, NULL);
    strata_threads_set(0);
    const char *name = differs(&one, &many, NULL);
    if (name) fail_msg("%s differs", name);
    close_net(&one);
    close_net(&many);
}

/* The shortcut of a block that halves its images sees a quarter of the pixels: backward it adds to what the
 * other branch wrote everywhere. Without a backward pass nodes stay where they are. */
static void what_skips_most_pixels_adds_last(void **state)
{
    (void)state;
    net n[2];
    for (int i = 0; i < 2; i++) {
        open_graph(&n[i], make_shortcut(), i ? "cpu" : device_name(), &sgd);
        const strata_plan *p = n[i].plan;
        const uint32_t narrow = place_of(p, "narrow"), wide = place_of(p, "wide");
        assert_true(place_of(p, "stem") < narrow && narrow < wide);
        assert_true(p->node[narrow]->add_in[0]);
        assert_false(p->node[wide]->add_in[0]);
        train(&n[i], 0, 2, NULL);
    }
    assert_true(distance(&n[0], &n[1]) < 2e-4);
    close_net(&n[0]);
    close_net(&n[1]);

    strata_plan_config config = sgd;
    config.train = false;
    open_graph(&n[0], make_shortcut(), device_name(), &config);
    assert_true(place_of(n[0].plan, "wide") < place_of(n[0].plan, "narrow"));
    close_net(&n[0]);
}

static void too_large_says_what_fits(void **state)
{
    (void)state;
    strata_device *d;
    strata_plan *p;
    OK(strata_device_open(&d, &(strata_device_config) { .name = device_name() }));
    strata_graph *g = make_graph(64, false);
    strata_plan_config config = sgd;
    config.memory_limit = 1024 * 1024;
    assert_int_equal(strata_plan_open(&p, g, d, &config), STRATA_DEVICE_MEMORY);
    assert_non_null(strstr(strata_message(), "--batch "));
    unsigned fits = (unsigned)strtoul(strstr(strata_message(), "--batch ") + 8, NULL, 10);
    assert_in_range(fits, 1, 63);
    const char *micro = strstr(strata_message(), "--micro-batch ");
    assert_non_null(micro);
    unsigned part = (unsigned)strtoul(micro + strlen("--micro-batch "), NULL, 10);
    assert_in_range(part, 1, fits);
    assert_int_equal(64 % part, 0);
    strata_graph_close(g);
    g = make_graph(fits, false); /* the promise is kept */
    OK(strata_plan_open(&p, g, d, &config));
    strata_plan_close(p);
    strata_graph_close(g);
    strata_device_close(d);
}

/* What no block of memory holds may be smaller, unless the batch is of one image. */
static void too_large_for_a_block_is_told(void **state)
{
    (void)state;
    static const char hint[] = "; a smaller --batch or --micro-batch takes less";
    strata_device *d;
    strata_plan *p;
    OK(strata_device_open(&d, &(strata_device_config) { .name = "cpu", .limits = "block=4096" }));
    for (uint32_t batch = 1; batch <= 256; batch *= 256) {
        strata_graph *g = make_graph(batch, false);
        assert_int_equal(strata_plan_open(&p, g, d, &sgd), STRATA_DEVICE_MEMORY);
        assert_non_null(strstr(strata_message(), "one block of memory has at most "));
        assert_int_equal(strstr(strata_message(), hint) != NULL, batch > 1);
        strata_graph_close(g);
    }
    strata_device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reuse_changes_nothing),
        cmocka_unit_test(the_device_agrees_with_the_reference),
        cmocka_unit_test(a_variant_has_its_scratch),
        cmocka_unit_test(a_row_moves_its_tensor_alone),
        cmocka_unit_test(a_zero_row_keeps_every_bit),
        cmocka_unit_test(micro_batches_are_the_batch),
        cmocka_unit_test(a_frozen_prefix_stays),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(what_skips_most_pixels_adds_last),
        cmocka_unit_test(too_large_says_what_fits),
        cmocka_unit_test(too_large_for_a_block_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

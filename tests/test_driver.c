/* A driver that fails, one that is lost, and one whose memory is not coherent: the calls of an open device go
 * through the functions of driver.h. */
#include "net.h"

#include "driver.h"
#include "rig.h"

enum { BATCH = 4, SIDE = 8, CLASSES = 5 };

/* ---- Work that meets it ------------------------------------------------------------------------- */

static strata_status make_graph(strata_graph **g)
{
    static const strata_setting conv[] = { { "out", "4" }, { "kernel", "3" }, { "pad", "1" } },
                                fc[] = { { "out", "5" } };
    strata_tensor *x = NULL;
    STRATA_TRY(strata_graph_open(g, (strata_shape) { BATCH, SIDE, SIDE, 3 }));
    STRATA_TRY(strata_graph_add(*g, &x, "conv2d", "conv1", &(*g)->input, 1, conv, 3));
    STRATA_TRY(strata_graph_add(*g, &x, "batch_norm", "norm", &x, 1, NULL, 0));
    STRATA_TRY(strata_graph_add(*g, &x, "relu", "relu", &x, 1, NULL, 0));
    STRATA_TRY(strata_graph_add(*g, &x, "conv2d", "conv2", &x, 1, conv, 3));
    STRATA_TRY(strata_graph_add(*g, &x, "global_avg_pool", "pool", &x, 1, NULL, 0));
    STRATA_TRY(strata_graph_add(*g, &x, "linear", "fc", &x, 1, fc, 1));
    return strata_graph_add_loss(*g, x, "softmax_loss", NULL, 0);
}

typedef struct seen { /* of a piece of work that came to its end */
    float loss[3][BATCH], weight[4 * CLASSES];
    uint32_t copied[N];
} seen;

static strata_status set_params(const net *n)
{
    for (uint32_t i = 0; i < n->graph->n_params; i++) {
        const strata_param *p = n->graph->param[i];
        float v[9 * 4 * 4];
        for (uint32_t k = 0; k < strata_param_count(p); k++) v[k] = 0.5f + 0.4f * uniform(k, i);
        STRATA_TRY(strata_plan_write_param(n->plan, p, v));
    }
    return STRATA_OK;
}

static strata_status take_loss(const net *n, float loss[BATCH])
{
    uint64_t which;
    const void *result;
    STRATA_TRY(strata_ring_result(n->ring, true, &which, &result));
    assert_non_null(result);
    memcpy(loss, (const char *)result + n->plan->result_loss, BATCH * sizeof *loss);
    return STRATA_OK;
}

/* A ring that could not submit a step takes no more of them: it does not wait for that one. */
static strata_status submit(const net *n, bool next, bool train)
{
    const strata_ending end = next ? STRATA_UPDATE_MEASURED : STRATA_NO_UPDATE;
    const strata_status status = train ? strata_plan_submit_train(n->plan, n->ring, next, end)
                                       : strata_plan_submit_evaluate(n->plan, n->ring);
    void *in;
    if (status == STRATA_DEVICE_LOST)
        FAILS(strata_ring_begin(n->ring, &in), STRATA_DEVICE, "after one that could not be submitted");
    return status;
}

/* A step of two micro-batches, or an evaluation. */
static strata_status step(const net *n, float loss[BATCH], uint32_t number, bool train)
{
    for (int part = 0; part < 1 + train; part++) {
        void *in;
        STRATA_TRY(strata_ring_begin(n->ring, &in));
        put_step(n, in, number, CLASSES);
        STRATA_TRY(submit(n, part == 1, train));
        STRATA_TRY(take_loss(n, loss));
    }
    return STRATA_OK;
}

/* What could not be frozen is, when it is asked for once more; until then all is as it was. */
static strata_status freeze(const net *n, bool *failed)
{
    strata_plan *p = n->plan;
    strata_part before[STRATA_PARTS];
    const strata_param *first = p->graph->param[0];
    memcpy(before, p->part, sizeof before);
    if (strata_plan_freeze(p, 2, NULL) == STRATA_OK) return STRATA_OK;
    *failed = true;
    assert_memory_equal(before, p->part, sizeof before);
    assert_non_null(first->grad.block);
    assert_int_equal(p->config.frozen_nodes, 0);
    return strata_plan_freeze(p, 2, NULL);
}

static strata_status learn(seen *out, strata_device *d, bool *failed)
{
    static const strata_plan_config config = {
        .train = true, .optimizer = STRATA_SGD, .momentum = true, .clip_norm = 1, .micro_batches = 2
    };
    strata_status status = STRATA_OK;
    net n = { .device = d };
    STRATA_GO(make_graph(&n.graph));
    STRATA_GO(strata_plan_open(&n.plan, n.graph, d, &config));
    STRATA_GO(set_params(&n));
    STRATA_GO(strata_ring_open(&n.ring, d, n.plan->in, n.plan->result));
    STRATA_GO(step(&n, out->loss[0], 0, true));
    STRATA_GO(freeze(&n, failed));
    STRATA_GO(step(&n, out->loss[1], 1, true));
    STRATA_GO(step(&n, out->loss[2], 2, false));
    STRATA_GO(strata_plan_read_param(n.plan, strata_graph_param(n.graph, "fc.weight"), out->weight, false));
done:
    strata_ring_close(n.ring);
    strata_plan_close(n.plan);
    strata_graph_close(n.graph);
    return status;
}

/* Mapped memory, and a recording by itself and with times. */
static strata_status copy(seen *out, strata_device *d)
{
    strata_status status = STRATA_OK;
    strata_block up = { 0 }, other = { 0 }, down = { 0 };
    strata_stream *s = NULL;
    double seconds;
    STRATA_GO(strata_block_open(&up, d, 4 * N, STRATA_MEMORY_UPLOAD));
    STRATA_GO(strata_block_open(&other, d, 4 * N, STRATA_MEMORY_UPLOAD));
    STRATA_GO(strata_block_open(&down, d, 4 * N, STRATA_MEMORY_READBACK));
    strata_block_close(&other, d); /* those before and after it are still flushed */
    STRATA_GO(strata_stream_open(&s, d));
    STRATA_GO(try_launch(s, part(&up, 0), part(&down, 0), 2));
    STRATA_GO(strata_stream_end(s));
    for (uint32_t i = 0; i < N; i++) ((uint32_t *)up.host)[i] = i;
    STRATA_GO(strata_stream_run(s));
    memcpy(out->copied, down.host, sizeof out->copied);
    STRATA_GO(strata_stream_time(s, &seconds, false));
done:
    strata_stream_close(s);
    strata_block_close(&up, d);
    strata_block_close(&other, d);
    strata_block_close(&down, d);
    return status;
}

static strata_status work(seen *out, strata_device *d, bool *failed)
{
    STRATA_TRY(copy(out, d));
    return learn(out, d, failed);
}

static void same(const seen *a, const seen *b, const char *when)
{
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < BATCH; k++) assert_true(isfinite(a->loss[i][k]));
    if (memcmp(a, b, sizeof *a) != 0) fail_msg("%s: other numbers came", when);
}

static strata_status try_device(strata_device **d)
{
    return strata_device_open(d, &(strata_device_config) { .name = device_name(), .no_cache = true });
}

static bool no_vulkan(void) { return strcmp(device_name(), "cpu") == 0; }

/* ---- Tests ------------------------------------------------------------------------------------------ */

/* Where any call fails that can, the status says so, everything is freed, and the device works as before. */
static void each_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    seen right, again;
    strata_device *d = NULL;
    bool failed = false;
    uint32_t n = 0, which = 0;
    if (no_vulkan()) skip();
    OK(try_device(&d));
    from_now_on(0, ANY_CALL);
    OK(work(&right, d, &failed)); /* kernels are made, which stay */
    for (;;) {
        const long before = alive, kept = held;
        failed = false;
        from_now_on(++which, ANY_CALL);
        const strata_status status = work(&again, d, &failed);
        n = calls;
        from_now_on(0, ANY_CALL);
        if (alive != before) fail_msg("call %u failed: %ld objects are left", which, alive - before);
        if (held != kept) fail_msg("call %u failed: %ld pieces of memory are left", which, held - kept);
        if (status == STRATA_OK) same(&right, &again, failed ? "frozen when asked once more" : "none failed");
        if (status == STRATA_OK && !failed && n < which) break;
        if (status == STRATA_OK && !failed) fail_msg("call %u failed, and nobody told", which);
        if (status != STRATA_OK && status != STRATA_DEVICE_MEMORY && status != STRATA_DEVICE_LOST)
            fail_msg("call %u: status %d, %s", which, (int)status, strata_message());
    }
    print_message("%u calls failed, one in each run\n", which - 1);
    OK(work(&again, d, &failed));
    same(&right, &again, "at the end");
    strata_device_close(d);
    assert_int_equal(alive, 0);
}

/* The same of opening a device and making its first kernels, which may do without some of the host's memory:
 * without a list of extensions there are none. */
static void each_failure_to_open_leaves_nothing(void **state)
{
    (void)state;
    if (no_vulkan()) skip();
    for (int host = 0; host < 2; host++) {
        uint32_t which = 1;
        for (bool met = true; met; which++) {
            seen out;
            strata_device *d = NULL;
            const long before = held;
            from_now_on(which, host ? HOST : ANY_CALL);
            strata_status status = try_device(&d);
            if (status == STRATA_OK) status = copy(&out, d);
            strata_device_close(d);
            met = calls >= which;
            from_now_on(0, ANY_CALL);
            if (status == STRATA_OK && !host && met) fail_msg("call %u failed, and nobody told", which);
            if (alive != 0) fail_msg("call %u failed: %ld objects are left", which, (long)alive);
            if (held != before) fail_msg("%u failed: %ld pieces of memory are left", which, held - before);
        }
        print_message("%u %s failed\n", which - 2, host ? "allocations" : "calls");
    }
}

/* Where the host has no memory: on the reference, and on a device whose kernels are made. */
static void no_memory_is_told_and_leaves_nothing(const char *name)
{
    seen right, again;
    strata_device *d = NULL;
    bool failed = false;
    uint32_t which = 0;
    from_now_on(0, ANY_CALL);
    OK(strata_device_open(&d, &(strata_device_config) { .name = name, .no_cache = true }));
    OK(work(&right, d, &failed));
    for (;;) {
        const long before = held;
        failed = false;
        from_now_on(++which, HOST);
        const strata_status status = work(&again, d, &failed);
        const uint32_t n = calls;
        from_now_on(0, ANY_CALL);
        if (held != before) fail_msg("allocation %u failed: %ld are left", which, held - before);
        if (status == STRATA_OK) same(&right, &again, failed ? "frozen when asked once more" : "none failed");
        if (status == STRATA_OK && !failed && n < which) break;
        if (status == STRATA_OK && !failed) fail_msg("allocation %u failed, and nobody told", which);
    }
    print_message("%u allocations failed\n", which - 1);
    strata_device_close(d);
}

static void the_host_has_no_memory(void **state)
{
    (void)state;
    no_memory_is_told_and_leaves_nothing("cpu");
    if (!no_vulkan()) no_memory_is_told_and_leaves_nothing(device_name());
}

/* From some call on the device is lost: it is told, and all is closed without a wait that never ends. */
static void a_lost_device_is_told(void **state)
{
    (void)state;
    strata_status status = STRATA_DEVICE_LOST;
    if (no_vulkan()) skip();
    uint32_t which = 1;
    for (; status != STRATA_OK; which += 3) {
        seen out;
        bool failed = false;
        strata_device *d = NULL;
        from_now_on(which, LOSS);
        status = try_device(&d);
        if (status == STRATA_OK) status = work(&out, d, &failed);
        strata_device_close(d);
        if (status != STRATA_OK) assert_int_equal(status, STRATA_DEVICE_LOST);
        assert_int_equal(lost, status != STRATA_OK);
        assert_int_equal(alive, 0);
    }
    assert_true(which > 30); /* many calls there were */
}

static void memory_need_not_be_coherent(void **state)
{
    (void)state;
    seen right, apart;
    bool failed = false;
    if (no_vulkan()) skip();
    from_now_on(0, ANY_CALL);
    for (int i = 0; i < 2; i++) {
        strata_device *d = NULL;
        not_coherent = i;
        OK(try_device(&d));
        OK(work(i ? &apart : &right, d, &failed));
        strata_device_close(d);
    }
    not_coherent = false;
    same(&apart, &right, "with memory that is not coherent");
    assert_true(pushes > 0);
    print_message("%u views and %u pushes were looked at\n", views, pushes);
    for (uint32_t i = 0; i < N; i++) assert_int_equal(apart.copied[i], 3 * i + 2);
}

/* Kernels that bind more than four buffers are refused by name, and all else runs. */
static void the_least_device_is_told_what_it_lacks(void **state)
{
    (void)state;
    static const char *const axis[] = { "workgroups in x", "workgroups in y", "workgroups in z" };
    const struct selftest_args none = { .n = 0 };
    seen out;
    bool failed = false;
    strata_device *d = NULL;
    strata_stream *s = NULL;
    if (no_vulkan()) skip();
    from_now_on(0, ANY_CALL);
    least = true;
    OK(try_device(&d));
    least = false;
    OK(copy(&out, d));
    for (uint32_t i = 0; i < N; i++) assert_int_equal(out.copied[i], 3 * i + 2);
    FAILS(learn(&out, d, &failed), STRATA_BAD_ARG, "buffers and");
    OK(strata_stream_open(&s, d));
    for (int i = 0; i < 3; i++) {
        strata_launch how = { .pass = STRATA_FORWARD, .defines = "" };
        how.groups[i] = LEAST_GROUPS;
        OK(strata_stream_launch(s, &selftest_kernel, &how, &none));
        how.groups[i]++;
        FAILS(strata_stream_launch(s, &selftest_kernel, &how, &none), STRATA_BAD_ARG, axis[i]);
    }
    strata_stream_close(s);
    strata_device_close(d);
    assert_int_equal(alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_need_not_be_coherent),
        cmocka_unit_test(each_failure_is_told_and_leaves_nothing),
        cmocka_unit_test(each_failure_to_open_leaves_nothing),
        cmocka_unit_test(the_host_has_no_memory),
        cmocka_unit_test(a_lost_device_is_told),
        cmocka_unit_test(the_least_device_is_told_what_it_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

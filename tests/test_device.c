/* The device layer on the reference and on whatever Vulkan device there is: memory, recordings with their
 * barriers, the ring, limits. Without a Vulkan device or the validation layer the test fails: nothing here is
 * skipped silently. */
#include "rig.h"

/* ---- Memory ----------------------------------------------------------------------------------- */

static void round_trip(strata_device *d, strata_memory_kind kind)
{
    strata_block block = { 0 };
    uint32_t out[N], in[N];
    OK(strata_block_open(&block, d, 3 * strata_align(4 * N), kind));
    if (kind != STRATA_MEMORY_DEVICE) assert_non_null(block.host);
    for (uint32_t i = 0; i < N; i++) out[i] = i * i + (uint32_t)kind;
    OK(strata_device_fill(d, (strata_slice) { &block, 0, block.bytes, false }, 0xabcdef01u));
    OK(strata_device_write(d, part(&block, 1), out));
    OK(strata_device_read(d, in, part(&block, 1)));
    assert_memory_equal(in, out, sizeof in);
    OK(strata_device_read(d, in, part(&block, 0))); /* neighbours hold what they were filled with */
    for (uint32_t i = 0; i < N; i++) assert_int_equal(in[i], 0xabcdef01u);
    OK(strata_device_read(d, in, part(&block, 2)));
    for (uint32_t i = 0; i < N; i++) assert_int_equal(in[i], 0xabcdef01u);
    strata_block_close(&block, d);
}

static void memory_of_each_kind(const char *name)
{
    strata_device *d = open_device(name, NULL);
    round_trip(d, STRATA_MEMORY_DEVICE);
    round_trip(d, STRATA_MEMORY_UPLOAD);
    round_trip(d, STRATA_MEMORY_READBACK);
    close_device(d);
}
static void memory_on_vulkan(void **state) { (void)state, memory_of_each_kind("auto"); }
static void memory_on_cpu(void **state) { (void)state, memory_of_each_kind("cpu"); }

/* More than one piece of staging, and a length that is not a multiple of it. */
static void large_copies(void **state)
{
    (void)state;
    const size_t n = (9 << 20) + 12;
    strata_device *d = open_device("auto", NULL);
    strata_block block = { 0 };
    char *out = malloc(n), *in = calloc(1, n);
    assert_true(out && in);
    for (size_t i = 0; i < n; i++) out[i] = (char)(i * 7 + i / 4096);
    OK(strata_block_open(&block, d, n + 512, STRATA_MEMORY_DEVICE));
    OK(strata_device_write(d, (strata_slice) { &block, 256, n, false }, out));
    OK(strata_device_read(d, in, (strata_slice) { &block, 256, n, false }));
    assert_memory_equal(in, out, n);
    free(in);
    free(out);
    strata_block_close(&block, d);
    close_device(d);
}

/* Fills that nobody waits for: what comes after them in the queue finds them done, and so does a block that
 * is closed under them. A mapped block is filled when the call returns. */
static void fills_that_go_on(const char *name)
{
    const size_t n = 64 << 20;
    strata_device *d = open_device(name, NULL);
    strata_block block = { 0 }, mapped = { 0 };
    uint32_t x[N], y[N];
    for (uint32_t i = 0; i < N; i++) x[i] = i;
    for (int round = 0; round < 3; round++) {
        OK(strata_block_open(&block, d, n, STRATA_MEMORY_DEVICE));
        const strata_slice end = { &block, n - strata_align(4 * N), 4 * N, false };
        const strata_slice halves[] = { { &block, 0, n / 2, false }, { &block, n / 2, n / 2, false } };
        OK(strata_device_fill_all(d, halves, 2, 0xabcdef01u));
        if (round == 0) OK(strata_device_write(d, end, x));
        OK(strata_device_read(d, y, end));
        for (uint32_t i = 0; i < N; i++) assert_int_equal(y[i], round == 0 ? i : 0xabcdef01u);
        if (round == 1) OK(strata_device_fill_all(d, halves, 2, 0));
        strata_block_close(&block, d);
    }
    OK(strata_block_open(&mapped, d, n, STRATA_MEMORY_READBACK));
    OK(strata_device_fill_all(d, &(strata_slice) { &mapped, 0, n, false }, 1, 7));
    assert_int_equal(((uint32_t *)mapped.host)[n / 4 - 1], 7);
    strata_block_close(&mapped, d);
    close_device(d);
}
static void fills_on_vulkan(void **state) { (void)state, fills_that_go_on("auto"); }
static void fills_on_cpu(void **state) { (void)state, fills_that_go_on("cpu"); }

/* ---- Recordings ----------------------------------------------------------------------------------- */

/* 50 launches back and forth between two slices: each reads what the one before wrote, and writes what it
 * read. The recording runs twice. */
static void chain_on(const char *name)
{
    strata_device *d = open_device(name, NULL);
    strata_block block = { 0 };
    strata_stream *s = NULL;
    uint32_t x[N], y[N];
    OK(strata_block_open(&block, d, 2 * strata_align(4 * N), STRATA_MEMORY_DEVICE));
    for (uint32_t i = 0; i < N; i++) x[i] = i;
    OK(strata_device_write(d, part(&block, 0), x));
    OK(strata_stream_open(&s, d));
    strata_stream_label(s, "chain");
    for (uint32_t i = 0; i < 50; i++) OK(try_launch(s, part(&block, i % 2), part(&block, 1 - i % 2), i));
    OK(strata_stream_end(s));
    OK(strata_stream_run(s));
    OK(strata_stream_run(s));
    OK(strata_device_read(d, y, part(&block, 0)));
    for (uint32_t i = 0; i < N; i++) {
        uint32_t v = x[i];
        for (uint32_t k = 0; k < 100; k++) v = 3 * v + k % 50;
        assert_int_equal(y[i], v);
    }
    assert_string_equal(strata_stream_recorded(s, 49)->label, "chain");
    assert_string_equal(strata_stream_recorded(s, 49)->stem, "selftest");
    assert_null(strata_stream_recorded(s, 50));
    strata_stream_close(s);
    strata_block_close(&block, d);
    close_device(d);
}
static void chain_on_vulkan(void **state) { (void)state, chain_on("auto"); }
static void chain_on_cpu(void **state) { (void)state, chain_on("cpu"); }

/* ---- The ring -------------------------------------------------------------------------------------- */

static void take_results(strata_ring *r, bool wait, uint64_t *taken)
{
    uint64_t step;
    const uint32_t *result;
    for (;;) {
        OK(strata_ring_result(r, wait, &step, (const void **)&result));
        if (!result) return;
        assert_int_equal(step, *taken);
        for (uint32_t i = 0; i < N; i++) assert_int_equal(result[i], 9 * (1000 * step + i) + 3 * 5 + 6);
        *taken += 1;
    }
}

/* 20 steps of two recordings whose input changes every step. */
static void ring_on(const char *name)
{
    strata_device *d = open_device(name, NULL);
    strata_block block = { 0 };
    strata_stream *s[2] = { 0 };
    strata_ring *ring = NULL;
    uint64_t taken = 0;
    OK(strata_block_open(&block, d, 3 * strata_align(4 * N), STRATA_MEMORY_DEVICE));
    for (uint32_t i = 0; i < 2; i++) {
        OK(strata_stream_open(&s[i], d));
        OK(try_launch(s[i], part(&block, i), part(&block, i + 1), 5 + i));
        OK(strata_stream_end(s[i]));
    }
    OK(strata_ring_open(&ring, d, part(&block, 0), part(&block, 2)));
    for (uint32_t step = 0; step < 20; step++) {
        uint32_t *in;
        OK(strata_ring_begin(ring, (void **)&in));
        take_results(ring, false, &taken);
        for (uint32_t i = 0; i < N; i++) in[i] = 1000 * step + i;
        OK(strata_ring_submit(ring, s, 2));
        if (step % 7 != 3) continue;
        uint32_t y[N]; /* a copy comes after the steps in flight */
        OK(strata_device_read(d, y, part(&block, 2)));
        for (uint32_t i = 0; i < N; i++) assert_int_equal(y[i], 9 * (1000 * step + i) + 3 * 5 + 6);
    }
    take_results(ring, true, &taken);
    assert_int_equal(taken, 20);
    strata_ring_close(ring);
    for (uint32_t i = 0; i < 2; i++) strata_stream_close(s[i]);
    strata_block_close(&block, d);
    close_device(d);
}
static void ring_on_vulkan(void **state) { (void)state, ring_on("auto"); }
static void ring_on_cpu(void **state) { (void)state, ring_on("cpu"); }

/* A step is not submitted over a result that nobody took. */
static void ring_is_not_overrun_on(const char *name)
{
    strata_device *d = open_device(name, NULL), *other = open_device("cpu", NULL);
    strata_block block = { 0 };
    strata_stream *s = NULL, *foreign = NULL;
    strata_ring *ring = NULL;
    uint64_t step = 0;
    void *in;
    const void *result;
    OK(strata_block_open(&block, d, 2 * strata_align(4 * N), STRATA_MEMORY_DEVICE));
    OK(strata_stream_open(&s, d));
    OK(strata_stream_open(&foreign, other));
    OK(strata_stream_end(foreign));
    OK(try_launch(s, part(&block, 0), part(&block, 1), 1));
    OK(strata_ring_open(&ring, d, part(&block, 0), part(&block, 1)));
    OK(strata_ring_begin(ring, &in));
    memset(in, 0, 4 * N);
    FAILS(strata_ring_submit(ring, &s, 1), STRATA_BAD_ARG, "has not ended");
    FAILS(strata_ring_submit(ring, &foreign, 1), STRATA_BAD_ARG, "another device");
    OK(strata_stream_end(s));
    for (int i = 0; i < STRATA_RING_SLOTS; i++) {
        OK(strata_ring_begin(ring, &in));
        OK(strata_ring_submit(ring, &s, 1));
    }
    OK(strata_ring_begin(ring, &in));
    FAILS(strata_ring_submit(ring, &s, 1), STRATA_BAD_ARG, "result of step 0");
    OK(strata_ring_result(ring, true, &step, &result));
    assert_non_null(result);
    OK(strata_ring_submit(ring, &s, 1));
    strata_ring_close(ring); /* with steps in flight */
    strata_stream_close(s);
    strata_stream_close(foreign);
    strata_block_close(&block, d);
    close_device(other);
    close_device(d);
}
static void ring_is_not_overrun(void **state)
{
    (void)state;
    ring_is_not_overrun_on("auto");
    ring_is_not_overrun_on("cpu");
}

/* A ring may have no input, no result and no recordings. */
static void empty_ring(void **state)
{
    (void)state;
    strata_device *d = open_device("auto", NULL);
    strata_ring *ring = NULL;
    uint64_t step = 99;
    void *in;
    const void *result;
    OK(strata_ring_open(&ring, d, (strata_slice) { 0 }, (strata_slice) { 0 }));
    OK(strata_ring_begin(ring, &in));
    OK(strata_ring_submit(ring, NULL, 0));
    OK(strata_ring_result(ring, true, &step, &result));
    assert_int_equal(step, 0);
    assert_non_null(result);
    strata_ring_close(ring);
    close_device(d);
}

/* ---- Several at once ---------------------------------------------------------------------------------- */

static void two_devices(void **state)
{
    (void)state;
    strata_device *a = open_device("auto", NULL), *b = open_device("auto", NULL);
    OK(run_one(a, 3));
    OK(run_one(b, 3));
    close_device(a); /* the older first: nothing of it is shared */
    OK(run_one(b, 3));
    a = open_device("auto", NULL);
    OK(run_one(b, 3));
    OK(run_one(a, 3));
    close_device(b);
    close_device(a);
}

/* Recordings are closed and made anew while others live, and their kernels are shared. */
static void recordings_come_and_go(void **state)
{
    (void)state;
    strata_device *d = open_device("auto", NULL);
    strata_block block = { 0 };
    strata_stream *old = NULL, *new = NULL;
    uint32_t x[N] = { 0 }, y[N];
    OK(strata_block_open(&block, d, 2 * strata_align(4 * N), STRATA_MEMORY_DEVICE));
    OK(strata_device_write(d, part(&block, 0), x));
    OK(strata_stream_open(&old, d));
    OK(try_launch(old, part(&block, 0), part(&block, 1), 1));
    OK(strata_stream_end(old));
    for (uint32_t i = 0; i < 5; i++) {
        OK(strata_stream_open(&new, d));
        OK(try_launch(new, part(&block, 1), part(&block, 0), i));
        OK(strata_stream_end(new));
        OK(strata_stream_run(old));
        OK(strata_stream_run(new));
        strata_stream_close(new);
        OK(strata_device_read(d, y, part(&block, 0)));
        for (uint32_t k = 0; k < N; k++) assert_int_equal(y[k], x[k] = 3 * (3 * x[k] + 1) + i);
    }
    strata_stream_close(old);
    strata_block_close(&block, d);
    close_device(d);
}

/* Mapped memory is written by the host and read by kernels without a call between, and the other way. */
static void mapped_memory(void **state)
{
    (void)state;
    strata_device *d = open_device("auto", NULL);
    strata_block up = { 0 }, down = { 0 };
    strata_stream *s = NULL;
    OK(strata_block_open(&up, d, 4 * N, STRATA_MEMORY_UPLOAD));
    OK(strata_block_open(&down, d, 4 * N, STRATA_MEMORY_READBACK));
    OK(strata_stream_open(&s, d));
    OK(try_launch(s, part(&up, 0), part(&down, 0), 2));
    OK(strata_stream_end(s));
    for (uint32_t k = 0; k < 3; k++) {
        for (uint32_t i = 0; i < N; i++) ((uint32_t *)up.host)[i] = i * k;
        OK(strata_stream_run(s));
        for (uint32_t i = 0; i < N; i++) assert_int_equal(((uint32_t *)down.host)[i], 3 * i * k + 2);
    }
    strata_stream_close(s);
    strata_block_close(&up, d);
    strata_block_close(&down, d);
    close_device(d);
}

/* ---- Limits and refusals ---------------------------------------------------------------------------------
 */

static void refusals_on(const char *name)
{
    strata_device *d = open_device(name, "range=8192,block=1048576,memory=2097152");
    const strata_caps *caps = strata_device_caps(d);
    strata_block block = { 0 }, more = { 0 };
    strata_stream *s = NULL;
    assert_int_equal(caps->max_range, 8192);
    assert_int_equal(caps->max_block, 1048576);
    FAILS(strata_block_open(&block, d, 1048577, STRATA_MEMORY_DEVICE), STRATA_DEVICE_MEMORY, "1048577");
    OK(strata_block_open(&block, d, 1048576, STRATA_MEMORY_DEVICE));
    OK(strata_block_open(&more, d, 900000, STRATA_MEMORY_DEVICE));
    strata_block third = { 0 };
    FAILS(strata_block_open(&third, d, 1048576, STRATA_MEMORY_DEVICE), STRATA_DEVICE_MEMORY, "1048576 bytes");
    assert_null(third.device);
    strata_block_close(&third, d);
    OK(strata_stream_open(&s, d));
    strata_stream_label(s, "layer9");
    const strata_slice good = part(&block, 0);
    FAILS(try_launch(s, good, (strata_slice) { &block, 4096, 8196, false }, 0), STRATA_BAD_ARG,
          "y has 8196 bytes");
    FAILS(try_launch(s, (strata_slice) { &block, 128, 4000, false }, good, 0), STRATA_BAD_ARG,
          "selftest (layer9): x has");
    FAILS(try_launch(s, good, (strata_slice) { &block, 1048576 - 256, 512, false }, 0), STRATA_BAD_ARG,
          "of its block");
    FAILS(strata_device_write(d, (strata_slice) { &block, 1048576, 4, false }, ""), STRATA_BAD_ARG,
          "of a block of");
    FAILS(strata_device_fill(d, (strata_slice) { &block, 0, 6, false }, 0), STRATA_BAD_ARG, "multiples of 4");
    OK(strata_stream_end(s));
    assert_null(strata_stream_recorded(s, 0)); /* a refused launch is not in the list */
    FAILS(strata_stream_end(s), STRATA_BAD_ARG, "twice");
    FAILS(try_launch(s, good, good, 0), STRATA_BAD_ARG, "after its recording's end");
    strata_stream_close(s);
    strata_block_close(&more, d);
    strata_block_close(&block, d);
    close_device(d);
}
/* A device of small blocks is tested at its start as any other, and has all of its memory afterwards. */
static void small_blocks(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    strata_device *d = NULL, *wide = open_device("auto", NULL);
    strata_block block[2] = { { 0 } };
    const strata_device_config small = { .limits = "block=1048576,memory=2097152",
                                         .validate = true,
                                         .no_cache = true };
    char *out = malloc(MIB), *in = calloc(1, MIB);
    assert_true(out && in);
    for (size_t i = 0; i < MIB; i++) out[i] = (char)(i * 7 + i / 4096);
    OK(strata_device_open(&d, &small));
    assert_int_equal(strata_device_caps(d)->subgroup, strata_device_caps(wide)->subgroup);
    OK(strata_block_open(&block[0], d, MIB, STRATA_MEMORY_DEVICE));
    OK(strata_block_open(&block[1], d, 900000, STRATA_MEMORY_DEVICE));
    OK(strata_device_write(d, (strata_slice) { &block[0], 0, MIB, false }, out));
    OK(strata_device_read(d, in, (strata_slice) { &block[0], 0, MIB, false }));
    assert_memory_equal(in, out, MIB);
    for (int i = 0; i < 2; i++) strata_block_close(&block[i], d);
    free(in);
    free(out);
    close_device(d);
    close_device(wide);
}

static void refusals(void **state)
{
    (void)state;
    refusals_on("cpu");
    refusals_on("auto");
}

static void limits_of_shaders(void **state)
{
    (void)state;
    strata_device *d = open_device("auto", "group=32,subgroup=0,texels=0,shared=1000");
    const strata_caps *caps = strata_device_caps(d);
    assert_int_equal(caps->max_group, 32);
    assert_int_equal(caps->subgroup, 0);
    assert_int_equal(caps->max_texels, 0);
    assert_int_equal(caps->shared_bytes, 1000);
    FAILS(run_one(d, 3), STRATA_BAD_ARG, "wants 64 x 1 x 1 invocations");
    FAILS(run_one(d, 3), STRATA_BAD_ARG, "one: selftest"); /* again: nothing half-made was kept */
    close_device(d);
    strata_device *none = NULL;
    for (int i = 0; i < 6; i++) {
        static const char *const wrong[] = { "rnage=4",           "range",    "range=4x",
                                             "group=99999999999", "range=16", "group=64,cores=2,group=32" };
        assert_int_equal(strata_device_open(&none, &(strata_device_config) { .limits = wrong[i] }),
                         STRATA_BAD_ARG);
        assert_non_null(strstr(strata_message(), "--limits "));
        assert_null(none);
    }
}

static void too_many_groups(void **state)
{
    (void)state;
    strata_device *d = open_device("auto", NULL);
    strata_block block = { 0 };
    strata_stream *s = NULL;
    OK(strata_block_open(&block, d, 4 * N, STRATA_MEMORY_DEVICE));
    OK(strata_stream_open(&s, d));
    const struct selftest_args args = { .x = part(&block, 0), .y = part(&block, 0) };
    const strata_launch how = { .pass = STRATA_FORWARD, .defines = "", .groups = { 1, UINT32_MAX, 1 } };
    FAILS(strata_stream_launch(s, &selftest_kernel, &how, &args), STRATA_BAD_ARG,
          "workgroups in y: wanted 4294967295");
    char text[300];
    memset(text, 'A', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    FAILS(strata_stream_launch(s, &selftest_kernel, &(strata_launch) { .defines = text }, &args),
          STRATA_BAD_ARG, "299 characters");
    strata_stream_close(s);
    strata_block_close(&block, d);
    close_device(d);
}

/* A pass that touches no tensor is given none. */
static void no_tensor(void **state)
{
    (void)state;
    strata_device *d = open_device("auto", NULL);
    strata_stream *s = NULL;
    const struct selftest_args args = { .n = 0, .size = 1 };
    OK(strata_stream_open(&s, d));
    OK(strata_stream_launch(s, &selftest_kernel, &(strata_launch) { .pass = STRATA_REDUCE, .defines = "" },
                            &args));
    OK(strata_stream_end(s));
    OK(strata_stream_run(s));
    strata_stream_close(s);
    close_device(d);
}

/* ---- Choice ------------------------------------------------------------------------------------------- */

static void names(void **state)
{
    (void)state;
    strata_device_entry list[17];
    strata_device *d = NULL;
    const char *note;
    char text[16];
    uint32_t n = 0;
    OK(strata_device_list(list, 17, &n, &note));
    assert_true(n >= 2);
    assert_string_equal(note, "");
    assert_string_equal(list[n - 1].type, "reference");
    assert_string_equal(list[n - 1].caps.name, "cpu");
    assert_false(list[n - 1].caps.vulkan);
    FAILS(strata_device_open(&d, &(strata_device_config) { .name = "no such thing" }), STRATA_NO_DEVICE,
          list[0].caps.name);
    assert_null(d);
    FAILS(strata_device_open(&d, &(strata_device_config) { .name = "77" }), STRATA_NO_DEVICE, "no device 77");
    FAILS(strata_device_open(&d, &(strata_device_config) { .name = "" }), STRATA_BAD_ARG, "wanted auto");
    for (int i = 0; i < 15; i++) { /* part of a name, in the other case */
        char c = list[0].caps.name[i];
        text[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c >= 'A' && c <= 'Z' ? c + 32 : c);
        text[i + 1] = '\0';
    }
    d = open_device(text, NULL);
    assert_true(strata_device_caps(d)->vulkan);
    close_device(d);
    snprintf(text, sizeof text, "%u", n - 1);
    d = open_device(text, NULL);
    assert_false(strata_device_caps(d)->vulkan);
    close_device(d);
    OK(strata_device_list(list, 1, &n, &note)); /* room for the reference alone */
    assert_int_equal(n, 1);
    assert_string_equal(list[0].type, "reference");
}

/* The start-up test's kernel says the same on the device and on the reference. */
static void subgroup_kernel(void **state)
{
    (void)state;
    strata_device *d[2] = { open_device("auto", NULL), open_device("cpu", NULL) };
    const strata_caps *caps = strata_device_caps(d[0]);
    const uint32_t size = caps->subgroup;
    uint32_t x[N], y[2][N];
    char defines[64];
    if (size == 0) {
        print_message("%s has no subgroup operations that can be trusted\n", caps->name);
        strata_device_close(d[0]);
        strata_device_close(d[1]);
        return;
    }
    const uint32_t used = 4 * (N / size * size);
    snprintf(defines, sizeof defines, "GROUP=%u SG=%u SHUFFLE=%d", size, size, !caps->shuffle);
    for (uint32_t i = 0; i < N; i++) x[i] = i * i * 977;
    for (int k = 0; k < 2; k++) {
        strata_block block = { 0 };
        strata_stream *s = NULL;
        OK(strata_block_open(&block, d[k], 2 * strata_align(4 * N), STRATA_MEMORY_DEVICE));
        OK(strata_device_write(d[k], part(&block, 0), x));
        const struct selftest_args args = {
            .x = part(&block, 0), .y = part(&block, 1), .n = used / 4, .add = 3, .size = size
        };
        OK(strata_stream_open(&s, d[k]));
        OK(strata_stream_launch(
            s, &selftest_kernel,
            &(strata_launch) { .pass = STRATA_REDUCE, .defines = defines, .groups = { N / size } }, &args));
        OK(strata_stream_end(s));
        OK(strata_stream_run(s));
        OK(strata_device_read(d[k], y[k], part(&block, 1)));
        strata_stream_close(s);
        strata_block_close(&block, d[k]);
        close_device(d[k]);
    }
    assert_memory_equal(y[0], y[1], used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_on_cpu),       cmocka_unit_test(chain_on_cpu),
        cmocka_unit_test(ring_on_cpu),         cmocka_unit_test(names),
        cmocka_unit_test(memory_on_vulkan),    cmocka_unit_test(fills_on_vulkan),
        cmocka_unit_test(fills_on_cpu),        cmocka_unit_test(large_copies),
        cmocka_unit_test(chain_on_vulkan),     cmocka_unit_test(ring_on_vulkan),
        cmocka_unit_test(ring_is_not_overrun), cmocka_unit_test(empty_ring),
        cmocka_unit_test(two_devices),         cmocka_unit_test(recordings_come_and_go),
        cmocka_unit_test(mapped_memory),       cmocka_unit_test(refusals),
        cmocka_unit_test(small_blocks),        cmocka_unit_test(limits_of_shaders),
        cmocka_unit_test(too_many_groups),     cmocka_unit_test(no_tensor),
        cmocka_unit_test(subgroup_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

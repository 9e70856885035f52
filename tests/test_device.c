/* The device layer on the reference and on whatever Vulkan device there is: memory, recordings with their
 * barriers, the ring, limits, the cache. Without a Vulkan device the test fails: nothing here is skipped
 * silently. The validation layer is asked for wherever it is installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/shape.h"
#include "ops/device.h"
#include "selftest.args.h"

enum { N = 1000 };

#define OK(call)                                                                                             \
    do {                                                                                                     \
        strata_status ok_status = (call);                                                                    \
        if (ok_status != STRATA_OK) fail_msg("%s: %s", #call, strata_message());                             \
    } while (0)

static strata_device *open_device(const char *name, const char *limits)
{
    strata_device *d = NULL;
    OK(strata_device_open(&d, &(strata_device_config) { .name = name, .limits = limits, .validate = true }));
    return d;
}

static void close_device(strata_device *d)
{
    const char *first = "";
    if (strata_device_complaints(d, &first) != 0) fail_msg("validation: %s", first);
    strata_device_close(d);
}

static strata_slice part(const strata_block *b, uint32_t i)
{
    return (strata_slice) { b, i * strata_align(4 * N), 4 * N };
}

static void launch_on(strata_stream *s, strata_slice x, strata_slice y, uint32_t added)
{
    const struct selftest_args args = { .x = x, .y = y, .n = N, .add = added };
    OK(strata_stream_launch(
        s, &selftest_kernel,
        &(strata_launch) {
            .pass = STRATA_FORWARD, .variant = "plain", .defines = "", .groups = { (N + 63) / 64 } },
        &args));
}

/* ---- Memory ----------------------------------------------------------------------------------- */

static void round_trip(strata_device *d, strata_memory_kind kind)
{
    strata_block block = { 0 };
    uint32_t out[N], in[N];
    OK(strata_block_open(&block, d, 3 * strata_align(4 * N), kind));
    if (kind != STRATA_MEMORY_DEVICE) assert_non_null(block.host);
    for (uint32_t i = 0; i < N; i++) out[i] = i * i + (uint32_t)kind;
    OK(strata_device_fill(d, (strata_slice) { &block, 0, block.bytes }, 0xabcdef01u));
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
static void memory_on_vulkan(void **state) { memory_of_each_kind(*state ? *state : "auto"); }
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
    OK(strata_device_write(d, (strata_slice) { &block, 256, n }, out));
    OK(strata_device_read(d, in, (strata_slice) { &block, 256, n }));
    assert_memory_equal(in, out, n);
    free(in);
    free(out);
    strata_block_close(&block, d);
    close_device(d);
}

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
    for (uint32_t i = 0; i < 50; i++) launch_on(s, part(&block, i % 2), part(&block, 1 - i % 2), i);
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
        launch_on(s[i], part(&block, i), part(&block, i + 1), 5 + i);
        OK(strata_stream_end(s[i]));
    }
    OK(strata_ring_open(&ring, d, part(&block, 0), part(&block, 2)));
    for (uint32_t step = 0; step < 20; step++) {
        uint32_t *in;
        OK(strata_ring_begin(ring, (void **)&in));
        take_results(ring, false, &taken);
        for (uint32_t i = 0; i < N; i++) in[i] = 1000 * step + i;
        OK(strata_ring_submit(ring, s, 2));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_on_cpu),    cmocka_unit_test(chain_on_cpu), cmocka_unit_test(ring_on_cpu),
        cmocka_unit_test(memory_on_vulkan), cmocka_unit_test(large_copies), cmocka_unit_test(chain_on_vulkan),
        cmocka_unit_test(ring_on_vulkan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

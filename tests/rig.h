/* What the tests of the device layer share: failing with the library's message, and the small kernel
 * shaders/selftest.comp, y[i] = 3 x[i] + add. */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

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
#include "ok.h"
#include "selftest.args.h" /* made from the shader by the build */

enum { N = 1000 };

/* The call fails with this status and a message that holds this text. */
#define FAILS(call, status, text)                                                                            \
    do {                                                                                                     \
        assert_int_equal(call, status);                                                                      \
        if (!strstr(strata_message(), text)) fail_msg("\"%s\" is not in: %s", text, strata_message());       \
    } while (0)

/* With the validation layer: it is part of what the tests need. */
static inline strata_device *open_device(const char *name, const char *limits)
{
    strata_device *d = NULL;
    OK(strata_device_open(&d, &(strata_device_config) { .name = name, .limits = limits, .validate = true }));
    return d;
}

static inline void close_device(strata_device *d)
{
    const char *first = "";
    if (strata_device_complaints(d, &first) != 0) fail_msg("validation: %s", first);
    strata_device_close(d);
}

/* Room for N numbers: the i-th of a block. */
static inline strata_slice part(const strata_block *b, uint32_t i)
{
    return (strata_slice) { b, i * strata_align(4 * N), 4 * N, false };
}

static inline strata_status try_launch(strata_stream *s, strata_slice x, strata_slice y, uint32_t added)
{
    const struct selftest_args args = { .x = x, .y = y, .n = N, .add = added };
    const strata_launch how = {
        .pass = STRATA_FORWARD, .variant = "plain", .defines = "", .groups = { (N + 63) / 64 }
    };
    return strata_stream_launch(s, &selftest_kernel, &how, &args);
}

/* Open, run one launch on x[i] = i, compare and close everything but the device; fails as the library does.
 */
static inline strata_status run_one(strata_device *d, uint32_t factor)
{
    strata_status status = STRATA_OK;
    strata_block block = { 0 };
    strata_stream *s = NULL;
    uint32_t x[N], y[N];
    for (uint32_t i = 0; i < N; i++) x[i] = i;
    OK(strata_block_open(&block, d, 2 * strata_align(4 * N), STRATA_MEMORY_DEVICE));
    OK(strata_device_write(d, part(&block, 0), x));
    OK(strata_stream_open(&s, d));
    strata_stream_label(s, "one");
    OK(try_launch(s, part(&block, 0), part(&block, 1), 7));
    status = strata_stream_end(s);
    if (status == STRATA_OK) {
        OK(strata_stream_run(s));
        OK(strata_device_read(d, y, part(&block, 1)));
        for (uint32_t i = 0; i < N; i++) assert_int_equal(y[i], factor * i + 7);
    }
    strata_stream_close(s);
    strata_block_close(&block, d);
    return status;
}

#endif

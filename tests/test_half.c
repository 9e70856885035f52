/* Tensors of 16 bits: every operation and variant on the device against the reference, numbers rounded as
 * IEEE has it on devices that would truncate, and kernels that know nothing of them are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "add.args.h"
#include "core/half.h"
#include "judged.h"
#include "ok.h"
#include "sgd.args.h"

static strata_device *device, *reference;

static int open_devices(void **state)
{
    (void)state;
    strata_device_config config = judged_config();
    strata_status status = strata_device_open(&device, &config);
    if (status == STRATA_OK)
        status = strata_device_open(&reference, &(strata_device_config) { .name = "cpu" });
    if (status == STRATA_OK) return 0;
    print_error("%s\n", strata_message());
    return -1;
}

static int close_devices(void **state)
{
    (void)state;
    strata_device_close(device);
    strata_device_close(reference);
    return 0;
}

static void silent(const strata_device *d)
{
    const char *first = "";
    if (strata_device_complaints(d, &first) != 0) fail_msg("validation: %s", first);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static void test_rows(void **state)
{
    (void)state;
    strata_judge j = {
        .device = device, .reference = reference, .depth = judged_depth(), .half = true, .line = judged_tell
    };
    for (const strata_row *row = strata_rows; row->op; row++) OK(strata_judge_row(&j, row));
    print_message("%u verdicts on %s\n", j.lines, strata_device_caps(device)->name);
    silent(device);
    assert_int_equal(j.failures, 0);
}

static void test_rows_in_pieces(void **state)
{
    (void)state;
    strata_judge j = { .reference = reference,
                       .twin = device,
                       .half = true,
                       .line = judged_tell,
                       .sizes = "N=130 H=8 W=8 C=8 K=13" };
    strata_device_config config = judged_config();
    config.limits = "range=32768";
    OK(strata_device_open(&j.device, &config));
    for (const strata_row *row = strata_rows; row->op; row++) OK(strata_judge_row(&j, row));
    silent(j.device);
    strata_device_close(j.device);
    assert_int_equal(j.failures, 0);
}

/* ---- Rounding --------------------------------------------------------------------------------- */

enum { HALVES = 1 << 16, EACH = 4, NUMBERS = EACH * HALVES };

static float next(float v, int ulps)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits += (uint32_t)ulps;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Every half, and what lies in the middle of it and the next, a little below and above. */
static void fill(float *v)
{
    for (uint32_t h = 0; h < HALVES; h++) {
        const float here = strata_from_half((uint16_t)h), after = strata_from_half((uint16_t)(h + 1));
        const float middle = isfinite(after) ? here + (after - here) / 2 : h >> 15 ? -65520.0F : 65520.0F;
        const bool last = !isfinite(here);
        v[EACH * h] = here;
        v[EACH * h + 1] = last ? 1e30F : middle;
        v[EACH * h + 2] = last ? -1e5F : next(middle, -1);
        v[EACH * h + 3] = last ? 1e-30F : next(middle, 1);
    }
}

/* y = x + 0. */
static void copy(strata_slice x, strata_slice zero, strata_slice y)
{
    const struct add_args args = { .x0 = x, .x1 = zero, .y = y, .images = 1, .image_quads = NUMBERS / 4 };
    strata_launch how = { .pass = STRATA_FORWARD, .variant = "plain", .defines = "DO_DX0=0 DO_DX1=0" };
    strata_stream *s;
    strata_grid(how.groups, args.image_quads, STRATA_GROUP);
    OK(strata_stream_open(&s, device));
    OK(strata_stream_launch(s, &add_kernel, &how, &args));
    const char *halves = x.half || zero.half || y.half ? "DO_DX0=0 DO_DX1=0 HALF=" : "DO_DX0=0 DO_DX1=0";
    assert_memory_equal(strata_stream_recorded(s, 0)->defines, halves, strlen(halves));
    OK(strata_stream_end(s));
    OK(strata_stream_run(s));
    strata_stream_close(s);
}

static void test_numbers_are_rounded_to_nearest(void **state)
{
    (void)state;
    strata_block b;
    static float x[NUMBERS], back[NUMBERS];
    static uint16_t half[NUMBERS];
    OK(strata_block_open(&b, device, 14 * NUMBERS, STRATA_MEMORY_DEVICE));
    const strata_slice wide = { &b, 0, 4 * NUMBERS, false }, zero = { &b, 4 * NUMBERS, 4 * NUMBERS, false },
                       narrow = { &b, 8 * NUMBERS, 2 * NUMBERS, true },
                       again = { &b, 10 * NUMBERS, 4 * NUMBERS, false };
    fill(x);
    OK(strata_device_write(device, wide, x));
    OK(strata_device_fill(device, zero, 0x80000000u)); /* -0 + 0 would be 0 */
    copy(wide, zero, narrow);
    copy(narrow, zero, again);
    OK(strata_device_read(device, half, narrow));
    OK(strata_device_read(device, back, again));
    for (uint32_t i = 0; i < NUMBERS; i++) {
        const uint16_t wanted = strata_to_half(x[i]);
        if (isnan(x[i]) ? (half[i] & 0x7fff) <= 0x7c00 : half[i] != wanted)
            fail_msg("%a became %04x, wanted %04x", (double)x[i], half[i], wanted);
        if (isnan(x[i]) ? !isnan(back[i]) : back[i] != strata_from_half(wanted))
            fail_msg("%04x became %a", half[i], (double)back[i]);
    }
    strata_block_close(&b, device);
}

/* ---- Refusal ------------------------------------------------------------------------------------- */

static void test_a_kernel_that_knows_none_is_refused(void **state)
{
    (void)state;
    strata_block b;
    strata_stream *s;
    OK(strata_block_open(&b, device, 1024, STRATA_MEMORY_DEVICE));
    const struct sgd_args args = { .trust = { &b, 0, 256, true } };
    const strata_launch how = { .pass = STRATA_FORWARD, .variant = "plain", .defines = "" };
    OK(strata_stream_open(&s, device));
    OK(strata_stream_launch(s, &sgd_kernel, &how, &args));
    assert_string_equal(strata_stream_recorded(s, 0)->defines, "HALF=64"); /* bit 6 */
    if (strata_device_caps(device)->vulkan) {
        assert_int_equal(strata_stream_end(s), STRATA_BAD_SHADER);
        if (!strstr(strata_message(), "no floats of 16 bits in binding 6, trust"))
            fail_msg("%s", strata_message());
    }
    strata_stream_close(s);
    strata_block_close(&b, device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_rounded_to_nearest),
        cmocka_unit_test(test_a_kernel_that_knows_none_is_refused),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rows_in_pieces),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}

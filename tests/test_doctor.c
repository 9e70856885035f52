/* strata_doctor by its public header: what it tells, and what it returns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "strata/doctor.h"

typedef struct told {
    uint32_t lines, failures, steps, updates;
} told;

static void tell(void *context, const strata_doctor_line *line)
{
    told *t = context;
    assert_true(line->op[0] && line->variant[0] && line->tensor[0]);
    assert_int_equal(line->passed, line->why[0] == '\0');
    t->lines++;
    t->failures += !line->passed;
    t->steps += strcmp(line->op, "training step") == 0;
    t->updates += strcmp(line->op, "update") == 0;
    if (!line->passed) print_error("%s %s %s: %s\n", line->op, line->options, line->tensor, line->why);
}

static void test_a_good_device_passes(void **state)
{
    (void)state;
    told t = { 0 };
    strata_doctor_result result;
    strata_doctor_config config = { .line = tell, .context = &t };
    config.device = (strata_device_config) { .name = getenv("STRATA_TEST_DEVICE"), .validate = true };
    if (strata_doctor(&result, &config) != STRATA_OK) fail_msg("%s", strata_message());
    assert_int_equal(t.failures, 0);
    assert_int_equal(result.failures, 0);
    assert_int_equal(result.lines, t.lines);
    assert_true(t.lines > 100 && t.steps > 10 && t.updates > 5);
    assert_true(result.caps.name[0]);
}

static void test_no_such_device(void **state)
{
    (void)state;
    strata_doctor_result result;
    strata_doctor_config config = { .device = { .name = "Voodoo2" } };
    assert_int_equal(strata_doctor(&result, &config), STRATA_NO_DEVICE);
    assert_int_equal(strata_status_exit_code(STRATA_NO_DEVICE), 3);
    assert_int_equal(result.lines, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_device_passes),
        cmocka_unit_test(test_no_such_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

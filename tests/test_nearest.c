/* A typo is answered with the name it stands for, and nonsense with nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/nearest.h"

static const char *const names[] = { "conv2d", "linear", "relu", "leaky_relu", "add", "kernel" };

static const char *near(const char *wanted) { return strata_nearest(wanted, names, 6); }

static void finds_typos(void **state)
{
    (void)state;
    assert_string_equal(near("conv2"), "conv2d");
    assert_string_equal(near("lienar"), "linear");
    assert_string_equal(near("dad"), "add"); /* neighbours swapped count once */
    assert_string_equal(near("Conv2D"), "conv2d");
    assert_string_equal(near("leakyrelu"), "leaky_relu");
    assert_string_equal(near("ad"), "add");
    assert_string_equal(near("relu"), "relu");
}

static void refuses_nonsense(void **state)
{
    (void)state;
    assert_null(near("softmax"));
    assert_null(near(""));
    assert_null(near("llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll"));
    assert_null(strata_nearest("relu", names, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(finds_typos), cmocka_unit_test(refuses_nonsense) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where barriers are wanted, and where not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vulkan/hazard.h"

static strata_block one, two;

/* A launch that reads [a, a + 256) and writes [b, b + 256) of a block. */
static bool launch(hazard_list *l, const strata_block *block, uint64_t a, uint64_t b)
{
    bool barrier = false;
    const strata_slice slice[] = { { block, a, 256, false }, { 0 }, { block, b, 256, false } };
    assert_true(hazard_add(l, &barrier, slice, 3, 6));
    return barrier;
}

static void barriers_where_bytes_meet(void **state)
{
    (void)state;
    hazard_list l = { 0 };
    assert_false(launch(&l, &one, 0, 256));
    assert_false(launch(&l, &one, 0, 512));         /* both read the same */
    assert_false(launch(&l, &two, 256, 0));         /* another block */
    assert_true(launch(&l, &one, 256, 1024));       /* reads what the first wrote */
    assert_false(launch(&l, &one, 512, 2048));      /* what the second wrote lies before that barrier */
    assert_true(launch(&l, &one, 4096, 512));       /* writes what the last but one read */
    assert_true(launch(&l, &one, 8192, 512));       /* writes what the last one wrote */
    assert_true(launch(&l, &one, 512 + 255, 9999)); /* one byte is enough */
    assert_false(launch(&l, &one, 512 + 512, 768 + 4096)); /* a neighbour is not */
    hazard_free(&l);
}

/* A barrier clears the list of all that came before, also of what it was not for. */
static void a_barrier_is_for_everything(void **state)
{
    (void)state;
    hazard_list l = { 0 };
    for (uint64_t i = 0; i < 100; i++) assert_false(launch(&l, &one, 100000, 256 * i)); /* the list grows */
    assert_true(launch(&l, &one, 256 * 50, 200000));
    assert_false(launch(&l, &one, 256 * 7, 300000));
    assert_int_equal(l.n, 4);
    hazard_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(barriers_where_bytes_meet),
                                        cmocka_unit_test(a_barrier_is_for_everything) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

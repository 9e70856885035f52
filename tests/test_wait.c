/* How long a device waited for images: what it still did does not count, what it was idle for does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/wait.h"

/* A batch is made from `began` on in pieces of one second each; the device is done at `done`. */
static double waited(double began, double done, uint32_t pieces)
{
    data_wait w = { 0 };
    for (uint32_t i = 0; i <= pieces; i++) data_wait_look(&w, began + i, began + i >= done);
    data_wait_end(&w, began + pieces);
    return w.seconds;
}

static void only_idle_time_counts(void **state)
{
    (void)state;
    assert_true(waited(100, 0, 8) == 8);     /* it had nothing to do from the start */
    assert_true(waited(100, 109, 8) == 0);   /* it was busy to the end */
    assert_true(waited(100, 108, 8) == 0);   /* it was done when the batch was */
    assert_true(waited(100, 106, 8) == 2);   /* 6 of the 8 seconds it worked */
    assert_true(waited(100, 105.5, 8) == 2); /* short by less than a piece, never long */
}

static void batches_add_up(void **state)
{
    (void)state;
    data_wait w = { 0 };
    data_wait_look(&w, 1, true);
    data_wait_look(&w, 3, true);
    data_wait_end(&w, 4);
    data_wait_look(&w, 10, false); /* the batch before is forgotten */
    data_wait_end(&w, 20);
    data_wait_look(&w, 30, false);
    data_wait_look(&w, 31, true);
    data_wait_end(&w, 33);
    assert_true(w.seconds == 5);
}

static void pieces_are_a_batch(void **state)
{
    (void)state;
    for (uint32_t n = 1; n < 200; n++) {
        uint32_t done = 0, pieces = 0;
        for (; done < n; pieces++) {
            const uint32_t rows = data_wait_piece(n, done);
            assert_true(rows >= 1 && rows <= n - done);
            done += rows;
        }
        assert_true(done == n && pieces <= 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_idle_time_counts),
        cmocka_unit_test(batches_add_up),
        cmocka_unit_test(pieces_are_a_batch),
    };
    return cmocka_run_group_tests_name("wait", tests, NULL, NULL);
}

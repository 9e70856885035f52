/* Which variant is recorded: the op's preference, or what was forced where the device admits it. */
#include "ops/op.h"
#include "rig.h"

static const char *const three[] = { "plain", "fast", "odd", NULL };

static bool not_odd(const strata_caps *caps, const strata_node *n, strata_pass pass, uint32_t i)
{
    (void)caps, (void)n, (void)pass;
    return i != 2;
}
static uint32_t the_fast(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    (void)caps, (void)n;
    return pass == STRATA_FORWARD ? 1 : 0;
}
static uint32_t the_plain(const strata_caps *caps, const strata_node *n, strata_pass pass)
{
    (void)caps, (void)n, (void)pass;
    return 0;
}

static const strata_op thing = {
    .name = "thing", .variants = three, .admits = not_odd, .prefer = the_fast, .prefer_exact = the_plain
};
static const strata_op simple = { .name = "simple" };

static void forced_and_preferred(void **state)
{
    (void)state;
    static const struct {
        const char *forced;
        uint32_t forward, backward;
    } rows[] = {
        { NULL, 1, 0 },
        { "", 1, 0 },
        { "plain", 0, 0 },
        { "fast", 1, 1 },
        { "odd", 1, 0 },    /* not admitted */
        { "faster", 1, 0 }, /* no such variant */
        { "thing=plain", 0, 0 },
        { "thin=plain", 1, 0 },
        { "thing.FORWARD=plain", 0, 0 },
        { "thing.BACKWARD_X=fast", 1, 1 },
        { "thing.FORWARD=plain,fast", 0, 1 }, /* the exact one wins, wherever it stands */
        { "fast,thing=plain,simple=fast", 0, 0 },
        { "plain,thing.BACKWARD_X=fast", 0, 1 },
        { "exact", 0, 0 },
        { "exact,simple=fast", 0, 0 },
        { "thing.BACKWARD_X=fast,exact", 0, 1 },
        { "exactly", 1, 0 },
        { "plain,fast", 1, 1 }, /* among equals the last */
    };
    strata_device *d = open_device("cpu", NULL);
    strata_stream *s = NULL;
    const strata_node node = { .op = &thing }, other = { .op = &simple };
    OK(strata_stream_open(&s, d));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        strata_stream_force(s, rows[i].forced);
        assert_int_equal(strata_op_variant(s, &node, STRATA_FORWARD), rows[i].forward);
        assert_int_equal(strata_op_variant(s, &node, STRATA_BACKWARD_X), rows[i].backward);
        assert_int_equal(strata_op_variant(s, &other, STRATA_FORWARD), 0);
    }
    assert_string_equal(strata_stream_forced(s), "plain,fast");
    strata_stream_close(s);
    close_device(d);
}

/* What forces nothing because it is misspelt is told. */
static void misspelt_lists_are_refused(void **state)
{
    (void)state;
    static const char *const right[] = { "",
                                         "exact",
                                         "plain",
                                         "conv2d=winograd",
                                         "conv2d.BACKWARD_X=tile64,,exact,relu=plain,",
                                         "gone:FORWARD=of_an_earlier_strata,gone:FORWARD=plain" };
    static const struct {
        const char *list, *why;
    } wrong[] = { { "winogrod", "no operation has a variant 'winogrod'" },
                  { "exactly", "no operation has a variant 'exactly'" },
                  { "plain,con2d=plain", "there is no operation 'con2d'; did you mean 'conv2d'?" },
                  { "conv2d=wino", "conv2d has no variant 'wino'; it has: plain, " },
                  { "relu=winograd", "relu has no variant 'winograd'; it has: plain" },
                  { "conv2d=plain,relu=plain,conv2d=winograd", "conv2d is there twice" },
                  { "conv2d=", "conv2d has no variant ''" },
                  { "conv2d.FORWRD=plain", "there is no pass 'FORWRD'" } };
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) OK(strata_variants_check(right[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (strata_variants_check(wrong[i].list) != STRATA_BAD_ARG) fail_msg("accepted: %s", wrong[i].list);
        if (!strstr(strata_message(), wrong[i].why))
            fail_msg("%s: \"%s\" is not in \"%s\"", wrong[i].list, wrong[i].why, strata_message());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(forced_and_preferred),
                                        cmocka_unit_test(misspelt_lists_are_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

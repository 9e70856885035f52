/* Which variant is recorded: the op's preference, or what was forced where the device admits it; and what
 * convolutions prefer on devices that are not at hand. */
#include "ops/conv2d.h"
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

/* A 3 x 3 convolution of 64 images of `side` x `side`, from `channels` channels to as many. */
static uint32_t preferred(const strata_caps *caps, uint32_t channels, uint32_t side, strata_pass pass)
{
    conv2d_options o = { .out = channels,
                         .kernel = { 3, 3 },
                         .stride = { 1, 1 },
                         .pad = { 1, 1 },
                         .dilation = { 1, 1 },
                         .groups = 1 };
    strata_tensor x = { .shape = { 64, side, side, channels } }, y = x;
    const strata_node node = { .options = &o, .in = { &x }, .n_in = 1, .out = &y };
    return conv2d_prefer(caps, &node, pass);
}

/* Makers whose compilers were seen at work get the largest tiles, and loops only where those spill. */
static void tiles_of_makers(void **state)
{
    (void)state;
    static const struct {
        uint32_t vendor, driver, tile;
        bool rolls, rolls_small;
    } rows[] = {
        { 0x1002, 3, CONV2D_TILE128X64, false, false },  /* AMD, RADV */
        { 0x10de, 24, CONV2D_TILE128X64, false, false }, /* NVIDIA, NVK */
        { 0x8086, 6, CONV2D_TILE128, true, false },      /* Intel, ANV */
        { 0x106b, 14, CONV2D_TILE64, true, false },      /* Apple, MoltenVK */
        { 0x10005, 26, CONV2D_TILE64, true, false },     /* Mesa's id, Honeykrisp */
        { 0x5143, 8, CONV2D_TILE64, true, true },        /* Qualcomm */
        { 0x13b5, 9, CONV2D_TILE32, true, true },        /* Arm */
        { 0x14e4, 19, CONV2D_TILE32, true, true },       /* Broadcom, V3DV */
        { 0, 0, CONV2D_TILE32, true, true },
    };
    static const strata_pass passes[] = { STRATA_FORWARD, STRATA_BACKWARD_X, STRATA_BACKWARD_W };
    strata_caps caps = {
        .vulkan = true, .max_group = 1024, .shared_bytes = 32768, .max_range = 1 << 30, .max_block = 1 << 30
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        caps.vendor_id = rows[i].vendor;
        caps.driver_id = rows[i].driver;
        for (size_t k = 0; k < 3; k++) assert_int_equal(preferred(&caps, 128, 32, passes[k]), rows[i].tile);
        /* A few pixels of few channels fill no device by large ones. */
        assert_int_equal(preferred(&caps, 16, 2, STRATA_FORWARD), CONV2D_TILE32);
        assert_int_equal(conv2d_rolls(&caps, 8), rows[i].rolls);
        assert_int_equal(conv2d_rolls(&caps, 4), rows[i].rolls_small);
    }
}

/* By Winograd, unmeasured: on the H100 that the rule was fitted to, on smaller cards with more channels. */
static void winograd_of_cards(void **state)
{
    (void)state;
    static const struct {
        uint32_t cores, channels, side;
        bool by_winograd;
    } rows[] = {
        { 132, 64, 32, true }, { 132, 256, 8, true }, { 132, 16, 32, false }, { 28, 64, 32, false },
        { 82, 64, 56, false }, { 28, 256, 14, true }, { 0, 64, 32, false },   { 0, 256, 14, true },
    };
    strata_caps caps = { .vulkan = true,
                         .vendor_id = 0x10de,
                         .max_group = 1024,
                         .shared_bytes = 49152,
                         .max_range = (uint64_t)1 << 32,
                         .max_block = 1 << 30 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        caps.cores = rows[i].cores;
        caps.driver_id = 4; /* NVIDIA's own */
        const uint32_t v = preferred(&caps, rows[i].channels, rows[i].side, STRATA_FORWARD);
        assert_int_equal(v == CONV2D_WINOGRAD, rows[i].by_winograd);
        const uint32_t weights = preferred(&caps, rows[i].channels, rows[i].side, STRATA_BACKWARD_W);
        assert_int_equal(weights == CONV2D_WINOGRAD2, rows[i].cores == 132 && rows[i].channels == 64);
        caps.driver_id = 24; /* NVK: not measured */
        assert_true(conv2d_is_tile(preferred(&caps, rows[i].channels, rows[i].side, STRATA_FORWARD)));
        assert_true(conv2d_is_tile(preferred(&caps, rows[i].channels, rows[i].side, STRATA_BACKWARD_W)));
    }
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
                                        cmocka_unit_test(tiles_of_makers),
                                        cmocka_unit_test(winograd_of_cards),
                                        cmocka_unit_test(misspelt_lists_are_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

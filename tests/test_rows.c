/* Every operation, every variant, all passes on the device against the reference, and the reference's
 * gradients against differences. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "judged.h"

static strata_judge judge;

static int open_devices(void **state)
{
    (void)state;
    strata_device_config config = judged_config();
    judge.depth = judged_depth();
    judge.line = judged_tell;
    strata_status status = strata_device_open(&judge.device, &config);
    if (status == STRATA_OK)
        status = strata_device_open(&judge.reference, &(strata_device_config) { .name = "cpu" });
    if (status == STRATA_OK) return 0;
    print_error("%s\n", strata_message());
    return -1;
}

static int close_devices(void **state)
{
    (void)state;
    strata_device_close(judge.device);
    strata_device_close(judge.reference);
    return 0;
}

static void expect(strata_status status)
{
    if (status != STRATA_OK) fail_msg("%s", strata_message());
}

/* What has little to do with subgroups is left out, and said to be, where only they are another: it takes
 * several minutes more (matrix.sh). */
static void once(void)
{
    if (judged_depth() == STRATA_JUDGE_QUICK) skip();
}

static void test_every_op_has_a_row(void **state)
{
    (void)state;
    for (const strata_op *const *op = strata_ops; *op; op++) {
        const strata_row *row = strata_rows;
        while (row->op && strcmp(row->op, (*op)->name) != 0) row++;
        if (!row->op) fail_msg("src/check/rows.c has no row for %s", (*op)->name);
    }
}

static void test_rows(void **state)
{
    (void)state;
    judge.failures = 0;
    for (const strata_row *row = strata_rows; row->op; row++) expect(strata_judge_row(&judge, row));
    print_message("%u verdicts on %s\n", judge.lines, strata_device_caps(judge.device)->name);
    assert_int_equal(judge.failures, 0);
}

/* A device that binds `range` bytes. */
static strata_judge smaller(const char *range)
{
    strata_judge j = { .reference = judge.reference, .twin = judge.device, .line = judged_tell };
    strata_device_config config = judged_config();
    config.limits = range;
    expect(strata_device_open(&j.device, &config));
    return j;
}

static void close_smaller(strata_judge *j)
{
    const char *first = "";
    if (strata_device_complaints(j->device, &first) != 0) fail_msg("%s", first);
    strata_device_close(j->device);
    assert_int_equal(j->failures, 0);
}

/* A launch in pieces, as on a device that binds little memory: activations are several times what it binds.
 */
static void test_rows_in_pieces(void **state)
{
    (void)state;
    once();
    strata_judge j = smaller("range=16384");
    j.sizes = "N=130 H=8 W=8 C=8 K=13";
    for (const strata_row *row = strata_rows; row->op; row++) expect(strata_judge_row(&j, row));
    close_smaller(&j);
}

/* Pieces of images, and runs of tiles within them; its transformed weights want to be bound at once. With and
 * without texels. */
static void test_winograd_in_pieces(void **state)
{
    (void)state;
    static const char *const limits[] = { "range=262144", "range=262144,texels=0" };
    for (int i = 0; i < 2; i++) {
        strata_judge j = smaller(limits[i]);
        j.sizes = "N=130 H=8 W=8 C=8 K=13";
        j.variant = "winograd";
        for (const strata_row *row = strata_rows; row->op; row++)
            if (strcmp(row->op, "conv2d") == 0) expect(strata_judge_row(&j, row));
        close_smaller(&j);
    }
}

/* Sums that are cut within their weights end once: behind the last piece; not with another tensor, which y
 * may lie over. */
static void test_sums_end_in_pieces(void **state)
{
    (void)state;
    strata_judge j = smaller("range=16384");
    j.sizes = "N=3 H=5 W=4 C=64 K=64";
    for (const strata_row *row = strata_rows; row->op; row++)
        if (row->then && !strstr(row->then, "add") && strcmp(row->op, "conv2d") == 0)
            expect(strata_judge_row(&j, row));
    close_smaller(&j);
}

/* Convolutions of both kinds for subgroups, and batch norm. */
static void judge_stores(strata_judge *j, const char *sizes)
{
    j->sizes = sizes;
    for (const strata_row *row = strata_rows; row->op; row++) {
        const bool conv = strcmp(row->op, "conv2d") == 0;
        j->variant = conv ? "subgroup" : NULL;
        if (conv || strcmp(row->op, "batch_norm") == 0) expect(strata_judge_row(j, row));
        j->variant = "winograd";
        if (conv) expect(strata_judge_row(j, row));
    }
    j->variant = NULL;
}

/* Rows that are whole subgroups at every width, which lavapipe stores lane by lane, and some that are not;
 * tiles that fill the images, and some that reach over the edge; whole tiles of products and of weights, and
 * parts. */
static void test_lane_stores(void **state)
{
    (void)state;
    static const char *const sizes[] = { "N=4 H=8 W=8 C=64 K=64", "N=7 H=5 W=4 C=64 K=68",
                                         "N=4 H=8 W=8 C=18 K=64" };
    strata_judge j = { .reference = judge.reference, .device = judge.device, .line = judged_tell };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) judge_stores(&j, sizes[i]);
    assert_int_equal(j.failures, 0);
}

/* Pixels that share a workgroup of stores: a whole number of them, and pixels that begin in one workgroup and
 * end in the next; 32 to an invocation, fewer, one, and so many that the last workgroup would not fill. And
 * workgroups whose place has more digits than one: down the pixels, and across the quads. */
static void test_lane_stores_of_norms(void **state)
{
    (void)state;
    static const char *const sizes[] = { "N=8 H=8 W=4 C=16",    "N=4 H=4 W=4 C=24",  "N=8 H=2 W=1 C=24",
                                         "N=8 H=8 W=2 C=12",    "N=8 H=3 W=2 C=12",  "N=3 H=7 W=7 C=8",
                                         "N=17 H=32 W=32 C=64", "N=2 H=4 W=4 C=1088" };
    strata_judge j = { .reference = judge.reference, .device = judge.device, .line = judged_tell };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        j.sizes = sizes[i];
        for (const strata_row *row = strata_rows; row->op; row++)
            if (strcmp(row->op, "batch_norm") == 0) expect(strata_judge_row(&j, row));
    }
    assert_int_equal(j.failures, 0);
}

/* Sums of windows of 3 x 3, and of parameters over all pixels. */
static uint64_t nine(const strata_node *n, strata_sum what)
{
    return what == STRATA_SUM_PARAM ? strata_pixels(n->out->shape) : 9;
}

static uint64_t of_image(const strata_node *n, strata_sum what)
{
    (void)what;
    return (uint64_t)n->in[0]->shape.h * n->in[0]->shape.w;
}

enum { TIES = STRATA_ROW_TIES | STRATA_ROW_NO_DIFFERENCES };
static const strata_row pool_rows[] = {
    { "max_pool", "x:N,H,W,C", "kernel=2", "x", .range = 2, .flags = TIES },
    { "max_pool", "x:N,H,W,C", "kernel=3 stride=2 pad=1", "x", .range = 2, .flags = TIES },
    { "max_pool", "x:N,H,W,C", "kernel=3,1 stride=1,2 pad=1,0", "x", .range = 2, .flags = TIES },
    { "avg_pool", "x:N,H,W,C", "kernel=2", "x", .range = 2, .terms = nine },
    { "avg_pool", "x:N,H,W,C", "kernel=4,1 stride=2,4 pad=2,0 count_include_pad=false", "x", .range = 2,
      .terms = nine },
    { "avg_pool", "x:N,H,W,C", "kernel=3 stride=1 pad=1", "x", .range = 2, .terms = nine },
    { "avg_pool", "x:N,H,W,C", "kernel=3 stride=2 pad=1 ceil_mode=true", "x", .range = 2, .terms = nine },
    { "adaptive_max_pool", "x:N,H,W,C", "size=7,9", "x", .range = 2, .flags = TIES },
    { "global_avg_pool", "x:N,H,W,C", "", "x", .range = 2, .terms = of_image },
    { "global_max_pool", "x:N,H,W,C", "", "x", .range = 2, .flags = TIES },
};
static const char *const pool_sizes[] = {
    "N=4 H=24 W=24 C=256", "N=33 H=24 W=24 C=32", "N=7 H=24 W=29 C=128",
    "N=7 H=29 W=24 C=128", "N=30 H=24 W=32 C=24", "N=7 H=66 W=66 C=20"
};

static void judge_pools(strata_judge *j, const char *sizes)
{
    j->sizes = sizes;
    for (size_t r = 0; r < sizeof pool_rows / sizeof *pool_rows; r++)
        expect(strata_judge_row(j, &pool_rows[r]));
}

/* How a pool's results are stored changes no bit: a device without subgroups stores none lane by lane. Blocks
 * of the strides that fill the image and that do not; pixels of fewer quads than a subgroup has lanes, and of
 * more; one place to an invocation, and several. */
static void test_lane_stores_of_pools(void **state)
{
    (void)state;
    strata_judge j = smaller("subgroup=0");
    for (size_t i = 0; i < sizeof pool_sizes / sizeof *pool_sizes; i++) judge_pools(&j, pool_sizes[i]);
    j.half = true;
    judge_pools(&j, pool_sizes[0]);
    close_smaller(&j);
    j = smaller("group=128"); /* of 16 subgroups 8 have room in a workgroup */
    judge_pools(&j, pool_sizes[0]);
    close_smaller(&j);
}

static const char *const element_sizes[] = { "N=4 H=32 W=64 C=16", "N=4 H=8 W=258 C=16",
                                             "N=9 H=16 W=57 C=16", "N=8 H=25 W=41 C=16",
                                             "N=1 H=91 W=91 C=16", "N=2 H=129 W=127 C=5",
                                             "N=4096 H=1 W=1 C=68" };

static void judge_elements(strata_judge *j, const char *sizes)
{
    static const char *const ops[] = { "relu", "leaky_relu", "gelu", "silu", "add", "dropout" };
    j->sizes = sizes;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (const strata_row *row = strata_rows; row->op; row++)
            if (strcmp(row->op, ops[i]) == 0) expect(strata_judge_row(j, row));
}

/* The same of what goes element by element: 8 quads to an invocation by four pages at once, 8 (or 4), 4 and
 * 2 one after the other, quads that are no whole workgroups, and images of little more than a subgroup. */
static void test_lane_stores_of_elements(void **state)
{
    (void)state;
    strata_judge j = smaller("subgroup=0");
    for (size_t i = 0; i < sizeof element_sizes / sizeof *element_sizes; i++)
        judge_elements(&j, element_sizes[i]);
    j.half = true;
    judge_elements(&j, element_sizes[0]);
    close_smaller(&j);
    judge.failures = 0;
    judge_elements(&judge, element_sizes[0]); /* adding to gradients, too */
    judge.sizes = NULL;
    assert_int_equal(judge.failures, 0);
}

/* So many elements that their grid is folded: never by a workgroup too many where lanes are stored, be a
 * workgroup one subgroup or as many as are even. */
static void check_folded(uint32_t max_group)
{
    const strata_caps caps = {
        .vulkan = true, .driver_id = STRATA_LAVAPIPE, .doubles = true, .subgroup = 16, .max_group = max_group
    };
    /* 65537 is a prime, and the last one takes too many lines of workgroups of one subgroup. */
    static const uint64_t parts[] = { 512, 65535, 65536, 3 * 65535, 65537, 1 << 20, 64 * 65535, 65 * 65535 };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const uint64_t quads = parts[i] * 16 * 4;
        const strata_elements e = strata_cut_elements(&caps, quads, 2, false);
        const uint64_t all = (uint64_t)e.groups[0] * e.groups[1];
        const bool lanes = parts[i] != 65537 && (max_group > 16 || parts[i] != 65 * 65535);
        assert_true(e.groups[0] <= STRATA_MAX_GROUPS && e.groups[1] <= STRATA_MAX_GROUPS && e.groups[2] == 1);
        const bool pages = lanes && quads % 1024 == 0 && quads / 1024 <= 1 << 16; /* fours have 16 bits */
        assert_int_equal(*e.defines != 0, lanes);
        assert_int_equal(strstr(e.defines, "PAGES=1") != NULL, pages);
        uint32_t subgroups = 1;
        const char *const told = strstr(e.defines, " SUBGROUPS=");
        if (told) subgroups = (uint32_t)strtoul(told + strlen(" SUBGROUPS="), NULL, 10);
        assert_true(subgroups <= max_group / 16 && (!lanes || max_group == 16 || subgroups > 1));
        assert_true(lanes ? all * subgroups == parts[i] : all * STRATA_GROUP >= quads);
    }
}

static void test_folded_elements(void **state)
{
    (void)state;
    check_folded(16);
    check_folded(128);
    check_folded(1024);
}

/* The same of depthwise convolutions: strips of a line that are several to a subgroup, or a part of it; lines
 * that do not fill workgroups or are no whole strips, and pixels that straddle subgroups. */
static void test_lane_stores_of_depthwise(void **state)
{
    (void)state;
    static const strata_row rows[] = {
        { "conv2d", "x:N,H,W,C", "out=C kernel=3 pad=1 groups=C", "x", .range = 1, .terms = nine,
          .flags = STRATA_ROW_SPLITS },
        { "conv2d", "x:N,H,W,C", "out=C kernel=3,2 pad=1 stride=2 groups=C bias=false", "x", .range = 1,
          .terms = nine, .flags = STRATA_ROW_SPLITS },
        { "conv2d", "x:N,H,W,C z:N,H,W,C", "out=C kernel=3 pad=1 groups=C", "", .range = 1, .terms = nine,
          .flags = STRATA_ROW_SPLITS, .then = "batch_norm add relu" },
    };
    static const char *const sizes[] = {
        "N=17 H=32 W=32 C=64", "N=34 H=32 W=32 C=32", "N=17 H=32 W=32 C=24",
        "N=9 H=32 W=31 C=32",  "N=33 H=8 W=8 C=128",  "N=13 H=32 W=20 C=32"
    };
    strata_judge j = smaller("subgroup=0");
    j.variant = "depthwise";
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            j.sizes = sizes[i];
            j.half = i == 0;
            expect(strata_judge_row(&j, &rows[r]));
            j.half = false;
            expect(strata_judge_row(&j, &rows[r]));
        }
    close_smaller(&j);
}

static uint64_t over_pixels(const strata_node *n, strata_sum what)
{
    (void)what;
    return strata_pixels(n->out->shape);
}

/* Stores by address, as lavapipe gets them from Mesa 25 on, which nothing but shuffles tells from one before:
 * the same bits as by lanes. Columns of one, two and four floats, whole tiles and parts. */
static void test_stores_by_address(void **state)
{
    (void)state;
    static const strata_row norm = { "batch_norm", "x:N,H,W,C", "", "x", .range = 2, .terms = over_pixels };
    static const char *const sizes[] = { "N=4 H=8 W=8 C=64 K=64", "N=7 H=5 W=4 C=20 K=68",
                                         "N=3 H=3 W=5 C=18 K=9", "N=3 H=3 W=5 C=6 K=5" };
    strata_judge j = smaller(NULL);
    strata_caps *caps = (strata_caps *)strata_device_caps(j.device);
    uint32_t lanes = strata_store_lanes(caps);
    caps->shuffle = false;
    if (lanes && caps->addresses) assert_true(strata_by_address(caps));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) judge_stores(&j, sizes[i]);
    expect(strata_judge_updates(&j));
    judge_pools(&j, pool_sizes[0]), judge_pools(&j, pool_sizes[1]);
    judge_elements(&j, element_sizes[0]);
    j.sizes = "N=3 H=149 W=149 C=64"; /* a folded grid: a workgroup too many would store behind the end */
    expect(strata_judge_row(&j, &norm));
    close_smaller(&j);
}

/* As on a GPU: without the subgroups of a CPU-type device, its product and transforms are others. */
static void test_winograd_for_gpus(void **state)
{
    (void)state;
    once();
    strata_judge j = smaller("subgroup=0");
    j.sizes = "N=9 H=9 W=6 C=70 K=37";
    j.variant = "winograd";
    for (const strata_row *row = strata_rows; row->op; row++)
        if (strcmp(row->op, "conv2d") == 0) expect(strata_judge_row(&j, row));
    close_smaller(&j);
}

/* Open a device, to be taken for a GPU. */
static strata_device *open_gpu(const char *limits)
{
    strata_device *d = NULL;
    strata_device_config config = judged_config();
    config.limits = limits;
    expect(strata_device_open(&d, &config));
    ((strata_caps *)strata_device_caps(d))->cpu_type = false;
    return d;
}

/* What GPUs alone get: lanes that share long sums, totals of norms by larger workgroups, gradients' norms of
 * several blocks at a time, depthwise convolutions written out for their windows. */
static void test_kernels_for_gpus(void **state)
{
    (void)state;
    once();
    static const strata_row rows[] = {
        { "conv2d", "x:N,H,W,C", "out=C kernel=3 pad=1 groups=C", "x", .range = 1, .terms = nine,
          .flags = STRATA_ROW_SPLITS },
        { "conv2d", "x:N,H,W,C", "out=C kernel=3 pad=1 stride=2 groups=C bias=false", "x", .range = 1,
          .terms = nine, .flags = STRATA_ROW_SPLITS },
        { "conv2d", "x:N,H,W,C", "out=C kernel=2,3 pad=3,4 stride=1,3 groups=C", "x", .range = 1,
          .terms = nine, .flags = STRATA_ROW_SPLITS },
        { "conv2d", "x:N,H,W,C z:N,H,W,C", "out=C kernel=3 pad=1 groups=C", "", .range = 1, .terms = nine,
          .flags = STRATA_ROW_SPLITS, .then = "batch_norm add relu" },
    };
    static const char *const sizes[] = { "N=5 H=16 W=16 C=64", "N=4 H=7 W=14 C=24", "N=33 H=4 W=4 C=70",
                                         "N=3 H=31 W=2 C=9", "N=40 H=1 W=1 C=64" };
    strata_judge j = { .device = open_gpu("range=65536"),
                       .reference = judge.reference,
                       .twin = open_gpu(NULL),
                       .line = judged_tell };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            j.sizes = sizes[i];
            j.half = i == 1;
            j.variant = "window";
            expect(strata_judge_row(&j, &rows[r]));
        }
    strata_device_close(j.device);
    j.device = j.twin, j.twin = NULL;
    j.half = false;
    j.sizes = "N=7 H=23 W=19 C=5 K=37";
    for (const strata_row *row = strata_rows; row->op; row++) {
        j.variant = strcmp(row->op, "conv2d") == 0 ? "tile32" : NULL;
        if (j.variant || strcmp(row->op, "batch_norm") == 0) expect(strata_judge_row(&j, row));
    }
    j.sizes = "N=9 H=16 W=16 C=5"; /* whose last partial sum has pixels */
    for (const strata_row *row = strata_rows; row->op; row++)
        if (strcmp(row->op, "batch_norm") == 0) expect(strata_judge_row(&j, row));
    expect(strata_judge_updates(&j));
    close_smaller(&j);
}

/* F(2x2,3x3): gradients of weights in chunks of several images, of a part of one, and in one chunk, all cut
 * by launches; panels and rounds that are not full, and tiles over the edge; windows that lie in the padding.
 * With 16 bits, too. */
static void test_winograd2(void **state)
{
    (void)state;
    once();
    static const strata_row far = { "conv2d",   "x:N,H,W,C",   "out=K kernel=3 pad=4,3",  "x",
                                    .range = 1, .terms = nine, .flags = STRATA_ROW_SPLITS };
    static const struct {
        const char *limits, *sizes;
    } cases[] = {
        { "range=65536", "N=130 H=8 W=8 C=8 K=13" },
        { "range=524288", "N=2 H=32 W=34 C=16 K=64" },
        { "range=16384", "N=63 H=3 W=3 C=5 K=3" },
        { NULL, "N=9 H=9 W=6 C=70 K=37" },
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        strata_judge j = smaller(cases[i / 2].limits);
        j.sizes = cases[i / 2].sizes;
        j.half = i % 2;
        j.variant = "winograd2";
        for (const strata_row *row = strata_rows; row->op; row++)
            if (row->loose_variant) expect(strata_judge_row(&j, row));
        const uint32_t lines = j.lines;
        j.sizes = "N=3 H=1 W=5 C=5 K=6";
        expect(strata_judge_row(&j, &far));
        assert_true(lines > 0 && j.lines > lines);
        close_smaller(&j);
    }
}

static void test_updates_in_pieces(void **state)
{
    (void)state;
    strata_judge j = smaller("range=65536");
    expect(strata_judge_updates(&j));
    close_smaller(&j);
}

static void test_augmentation(void **state)
{
    (void)state;
    judge.failures = 0;
    expect(strata_judge_augment(&judge));
    assert_int_equal(judge.failures, 0);
}

/* Small images of odd sizes begin aligned every 64: that many have to fit. */
static void test_augmentation_in_pieces(void **state)
{
    (void)state;
    once();
    strata_judge j = smaller("range=262144");
    expect(strata_judge_augment(&j));
    close_smaller(&j);
}

static void test_reference_gradients(void **state)
{
    (void)state;
    once();
    judge.failures = 0;
    for (const strata_row *row = strata_rows; row->op; row++) expect(strata_judge_differences(&judge, row));
    assert_int_equal(judge.failures, 0);
}

static void test_updates(void **state)
{
    (void)state;
    judge.failures = 0;
    expect(strata_judge_updates(&judge));
    assert_int_equal(judge.failures, 0);
}

/* A shader of the tree that no row launched is judged by nobody: but for the probe of the device itself, and
 * what measures it, which test_bench judges. */
static void test_every_kernel_ran(void **state)
{
    (void)state;
    once();
    DIR *d = opendir(SOURCE_DIR "/shaders");
    assert_non_null(d);
    int missing = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        const char *dot = strstr(e->d_name, ".comp");
        bool ran = !dot || strcmp(e->d_name, "selftest.comp") == 0 || strcmp(e->d_name, "limits.comp") == 0;
        for (uint32_t i = 0; i < judge.n_launched && !ran; i++) {
            size_t length = strlen(judge.launched[i].stem);
            ran = e->d_name + length == dot && strncmp(judge.launched[i].stem, e->d_name, length) == 0;
        }
        if (ran) continue;
        print_error("no row launches shaders/%s\n", e->d_name);
        missing++;
    }
    closedir(d);
    assert_int_equal(missing, 0);
}

static void test_validation_is_silent(void **state)
{
    (void)state;
    const char *first = "";
    if (strata_device_complaints(judge.device, &first) != 0) fail_msg("%s", first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_op_has_a_row),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_rows_in_pieces),
        cmocka_unit_test(test_winograd_in_pieces),
        cmocka_unit_test(test_sums_end_in_pieces),
        cmocka_unit_test(test_lane_stores),
        cmocka_unit_test(test_lane_stores_of_norms),
        cmocka_unit_test(test_lane_stores_of_pools),
        cmocka_unit_test(test_lane_stores_of_elements),
        cmocka_unit_test(test_folded_elements),
        cmocka_unit_test(test_lane_stores_of_depthwise),
        cmocka_unit_test(test_winograd_for_gpus),
        cmocka_unit_test(test_stores_by_address),
        cmocka_unit_test(test_kernels_for_gpus),
        cmocka_unit_test(test_winograd2),
        cmocka_unit_test(test_updates_in_pieces),
        cmocka_unit_test(test_updates),
        cmocka_unit_test(test_augmentation),
        cmocka_unit_test(test_augmentation_in_pieces),
        cmocka_unit_test(test_every_kernel_ran),
        cmocka_unit_test(test_reference_gradients),
        cmocka_unit_test(test_validation_is_silent),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}

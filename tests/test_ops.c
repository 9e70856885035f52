/* What operations promise beside their values, which the judge holds them to: NaN passes through, dropout
 * counts by sample, a batch in slices gives the same bits, and shapes that do not fit are refused in words.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/bench.h"
#include "ok.h"

/* One run of one node: `out` and `dx` are logical elements. */
typedef struct run {
    float *out, *dx;
    uint64_t n_out, n_x;
} run;

typedef struct setup {
    const char *op, *options, *sizes, *limits, *device;
    uint32_t sample; /* number of the first sample within the step */
    uint32_t skip;   /* elements of x and dout that come before, in a larger batch */
    int64_t nan_at;  /* element of x that is NaN; -1: none */
    bool evaluate;
} setup;

/* The same numbers whatever the batch: a function of the element. */
static float number(uint64_t i) { return (float)((i * 7919 + 104729) % 8191) / 4096 - 1; }

static const piece *find(const bench *b, piece_kind kind)
{
    for (uint32_t i = 0; i < b->n_pieces; i++)
        if (b->piece[i].kind == kind) return &b->piece[i];
    fail_msg("no such piece");
    return NULL;
}

static float *values(const piece *p, const void *image)
{
    float *v = malloc(bench_count(p) * sizeof *v);
    assert_non_null(v);
    bench_values(p, image, v);
    return v;
}

static void fill(const bench *b, const setup *s, char *image)
{
    bench_fill(b, image, 1, false);
    const piece *x = find(b, PIECE_IN), *dout = find(b, PIECE_OUT_GRAD);
    for (uint64_t i = 0; i < bench_count(x); i++)
        bench_put(x, image, i, (int64_t)i == s->nan_at ? NAN : number(s->skip + i));
    for (uint64_t i = 0; i < bench_count(dout); i++) bench_put(dout, image, i, number(3 * (s->skip + i)));
    ((strata_step_values *)(void *)(image + find(b, PIECE_STEP)->offset))->sample = s->sample;
}

static run run_node(const setup *s)
{
    const strata_row row = {
        .op = s->op, .inputs = "x:N,H,W,C", .options = s->options, .differentiable = "x", .range = 1
    };
    strata_device *d = NULL;
    pattern p;
    bench b;
    bool skip;
    OK(strata_device_open(
        &d, &(strata_device_config) { .name = s->device, .limits = s->limits, .validate = true }));
    OK(pattern_read(&p, &row, s->sizes));
    OK(bench_open(&b, d, &p, &row, &skip));
    assert_false(skip);
    char *image = malloc(b.block.bytes);
    bench_result r = { .forward = malloc(b.block.bytes), .backward = malloc(b.block.bytes) };
    assert_true(image && r.forward && r.backward);
    fill(&b, s, image);
    OK(bench_run(&b, &r,
                 &(bench_way) { .name = "", .mode = s->evaluate ? STRATA_EVALUATE_MODE : STRATA_TRAIN },
                 image));
    const run result = { .out = values(find(&b, PIECE_OUT), r.forward),
                         .dx = s->evaluate ? NULL : values(find(&b, PIECE_IN_GRAD), r.backward),
                         .n_out = bench_count(find(&b, PIECE_OUT)),
                         .n_x = bench_count(find(&b, PIECE_IN)) };
    const char *first = "";
    if (strata_device_complaints(d, &first) != 0) fail_msg("validation: %s", first);
    free(image);
    free(r.forward);
    free(r.backward);
    bench_close(&b);
    strata_device_close(d);
    return result;
}

static void free_run(run *r)
{
    free(r->out);
    free(r->dx);
}

/* ---- NaN ------------------------------------------------------------------------------------------ */

static uint64_t n_nan(const float *v, uint64_t n)
{
    uint64_t found = 0;
    for (uint64_t i = 0; i < n; i++) found += isnan(v[i]) != 0;
    return found;
}

static void check_nan(const char *op, const char *options, uint64_t outputs)
{
    static const char *const devices[] = { "cpu", "auto" };
    for (int k = 0; k < 2; k++) {
        /* Pixel (2, 2) of 6 x 6, the second of three channels. */
        run r = run_node(&(setup) { .op = op,
                                    .options = options,
                                    .sizes = "N=1 H=6 W=6 C=3",
                                    .device = devices[k],
                                    .nan_at = (2 * 6 + 2) * 3 + 1 });
        if (n_nan(r.out, r.n_out) != outputs)
            fail_msg("%s %s on %s: %llu outputs are NaN, wanted %llu", op, options, devices[k],
                     (unsigned long long)n_nan(r.out, r.n_out), (unsigned long long)outputs);
        free_run(&r);
    }
}

static void test_nan_passes_through(void **state)
{
    (void)state;
    check_nan("relu", "", 1);
    check_nan("leaky_relu", "", 1);
    check_nan("gelu", "", 1);
    check_nan("gelu", "tanh=true", 1);
    check_nan("silu", "", 1);
    check_nan("max_pool", "kernel=3 stride=1 pad=1", 9);
    check_nan("global_max_pool", "", 1);
    check_nan("avg_pool", "kernel=2", 1);
}

/* The gradient of a window with a NaN goes to the NaN, as in PyTorch. */
static void test_a_nan_takes_the_gradient(void **state)
{
    (void)state;
    const int64_t at = (2 * 6 + 2) * 3 + 1;
    run r = run_node(
        &(setup) { .op = "global_max_pool", .options = "", .sizes = "N=1 H=6 W=6 C=3", .nan_at = at });
    for (uint64_t i = 1; i < r.n_x; i += 3)
        if ((r.dx[i] != 0) != ((int64_t)i == at))
            fail_msg("element %llu has gradient %g", (unsigned long long)i, (double)r.dx[i]);
    free_run(&r);
}

/* ---- Dropout ---------------------------------------------------------------------------------------- */

static void test_dropout_counts_by_sample(void **state)
{
    (void)state;
    static const char *const devices[] = { "cpu", "auto" };
    for (int k = 0; k < 2; k++) {
        setup s = { .op = "dropout",
                    .options = "p=0.4",
                    .sizes = "N=6 H=5 W=4 C=7",
                    .device = devices[k],
                    .sample = 2,
                    .nan_at = -1 };
        run whole = run_node(&s);
        s.sizes = "N=2 H=5 W=4 C=7";
        s.sample = 6;
        s.skip = 4 * 5 * 4 * 7;
        run part = run_node(&s); /* samples 6 and 7: the last two of the whole */
        assert_memory_equal(part.out, whole.out + s.skip, part.n_out * sizeof(float));
        assert_memory_equal(part.dx, whole.dx + s.skip, part.n_x * sizeof(float));
        free_run(&part);
        free_run(&whole);
    }
}

static void test_dropout_drops_its_share(void **state)
{
    (void)state;
    setup s = { .op = "dropout", .options = "p=0.4", .sizes = "N=8 H=16 W=16 C=7", .nan_at = -1 };
    run r = run_node(&s);
    uint64_t dropped = 0, drawn = 0;
    for (uint64_t i = 0; i < r.n_out; i++) {
        if (number(i) == 0 || number(3 * i) == 0) continue;
        dropped += r.out[i] == 0;
        drawn++;
        assert_int_equal(r.out[i] == 0, r.dx[i] == 0);
    }
    double off = (double)dropped - 0.4 * (double)drawn, deviation = sqrt(0.4 * 0.6 * (double)drawn);
    if (fabs(off) > 5 * deviation)
        fail_msg("%llu of %llu are dropped", (unsigned long long)dropped, (unsigned long long)drawn);
    free_run(&r);
    s.evaluate = true;
    r = run_node(&s);
    for (uint64_t i = 0; i < r.n_out; i++) assert_true(r.out[i] == number(i));
    free_run(&r);
}

/* ---- Slices -------------------------------------------------------------------------------------------- */

static void check_slices(const char *op, const char *options)
{
    setup s = { .op = op, .options = options, .sizes = "N=37 H=6 W=6 C=5", .nan_at = -1 };
    run whole = run_node(&s);
    s.limits = "range=16384"; /* of 42624 bytes: 14 images, or fewer where parts must begin aligned */
    run parts = run_node(&s);
    if (memcmp(parts.out, whole.out, whole.n_out * sizeof(float)) != 0)
        fail_msg("%s in slices gives another output", op);
    if (memcmp(parts.dx, whole.dx, whole.n_x * sizeof(float)) != 0)
        fail_msg("%s in slices gives another gradient", op);
    free_run(&whole);
    free_run(&parts);
}

static void test_slices_give_the_same_bits(void **state)
{
    (void)state;
    check_slices("relu", "");
    check_slices("max_pool", "kernel=3 stride=2 pad=1");
    check_slices("global_avg_pool", "");
    check_slices("dropout", "");
}

/* ---- Refusals --------------------------------------------------------------------------------------- */

static void check_refused(const char *op, const char *options, strata_shape second, const char *wanted)
{
    const strata_row row = { .op = op, .inputs = "x:N,H,W,C", .options = options, .differentiable = "x" };
    pattern p;
    strata_graph *g = NULL;
    strata_tensor *out = NULL;
    strata_tensor other = { .name = "other", .shape = second };
    OK(pattern_read(&p, &row, "N=2 H=5 W=7 C=3"));
    OK(strata_graph_open(&g, p.in[0].shape));
    strata_tensor *in[] = { g->input, &other };
    assert_int_equal(strata_graph_add(g, &out, op, "here", in, second.n ? 2 : 1, p.setting, p.n_settings),
                     STRATA_BAD_SHAPE);
    if (!strstr(strata_message(), wanted) || !strstr(strata_message(), "here"))
        fail_msg("%s %s says \"%s\", wanted \"%s\"", op, options, strata_message(), wanted);
    strata_graph_close(g);
}

static void test_misfits_are_refused_in_words(void **state)
{
    (void)state;
    const strata_shape none = { 0 };
    check_refused("max_pool", "kernel=6,2", none, "at least its window, 6, got height 5");
    check_refused("max_pool", "kernel=3 pad=2", none, "at most half its kernel, 1, got 2");
    check_refused("avg_pool", "kernel=2,9 pad=0,0", none, "got width 7");
    check_refused("max_pool", "kernel=2 pad=1 dilation=6 stride=9", none, "a tap of each window");
    check_refused("add", "", (strata_shape) { 2, 5, 7, 4 }, "[2,5,7,3] of input and [2,5,7,4] of other");
    check_refused("concat", "", (strata_shape) { 2, 5, 8, 4 }, "equal in all but channels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nan_passes_through),        cmocka_unit_test(test_a_nan_takes_the_gradient),
        cmocka_unit_test(test_dropout_counts_by_sample),  cmocka_unit_test(test_dropout_drops_its_share),
        cmocka_unit_test(test_slices_give_the_same_bits), cmocka_unit_test(test_misfits_are_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

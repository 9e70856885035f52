/* Convolutions above what a device binds: slices of images and of weights go on with the same sums, so the
 * bits are those of a device without the limit. (Weight gradients of the variant for subgroups have others
 * where fewer than 4 images bind of a batch in fours.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/bench.h"

#define OK(e)                                                                                                \
    do {                                                                                                     \
        strata_status ok_status = (e);                                                                       \
        if (ok_status != STRATA_OK) fail_msg("%s: %s", #e, strata_message());                                \
    } while (0)

typedef struct slice_case {
    strata_row row;
    const char *sizes, *limits;
} slice_case;

/* Fewer than 64 pixels, so that weight gradients are one chunk whatever the device; images, taps and channels
 * above the limit each. */
static const slice_case cases[] = {
    { { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=1", "x", .range = 1 },
      "N=3 H=4 W=4 C=64 K=64",
      "range=8192" },
    { { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=1", "x", .range = 1 },
      "N=8 H=2 W=3 C=64 K=64",
      "range=20480" },
    { { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=1 stride=2", "x", .range = 1 },
      "N=32 H=3 W=2 C=64 K=64",
      "range=16384" },
    { { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=1", "x", .range = 1 },
      "N=6 H=3 W=3 C=64 K=16",
      "range=9216" },
    { { "conv2d", "x:N,H,W,C", "out=K kernel=3 pad=1 stride=2", "x", .range = 1 },
      "N=7 H=5 W=4 C=16 K=32",
      "range=4096" },
    { { "conv2d", "x:N,H,W,C", "out=K kernel=1 bias=false", "x", .range = 1 },
      "N=5 H=2 W=4 C=62 K=17",
      "range=4096" },
    { { "linear", "x:N,H,W,C", "out=K", "x", .range = 1 }, "N=17 H=4 W=4 C=16 K=64", "range=8192" },
    { { "linear", "x:N,C", "out=K", "x", .range = 1 }, "N=5 C=250 K=67", "range=8192" },
};

/* A case on one device, run forward and backward. */
typedef struct trial {
    strata_device *device;
    pattern pattern;
    bench bench;
    bench_result result;
    uint32_t launches;
} trial;

static void count(void *context, const strata_recorded *launch)
{
    (void)launch;
    ++*(uint32_t *)context;
}

static trial *run(const slice_case *c, const char *limits, const char *variant, bool add)
{
    trial *t = calloc(1, sizeof *t);
    bool skip = false;
    assert_non_null(t);
    OK(strata_device_open(&t->device, &(strata_device_config) { .limits = limits, .validate = true }));
    OK(pattern_read(&t->pattern, &c->row, c->sizes));
    OK(bench_open(&t->bench, t->device, &t->pattern, &c->row, &skip));
    assert_false(skip);
    const uint64_t bytes = t->bench.block.bytes;
    char *image = malloc(bytes);
    t->result = (bench_result) {
        .forward = malloc(bytes), .backward = malloc(bytes), .launched = count, .context = &t->launches
    };
    assert_true(image && t->result.forward && t->result.backward);
    bench_fill(&t->bench, image, 1, add);
    OK(bench_run(&t->bench, &t->result,
                 &(bench_way) { .name = "slices", .mode = STRATA_TRAIN, .add = add, .variant = variant },
                 image));
    assert_string_equal(t->result.why, "");
    free(image);
    return t;
}

static void close_trial(trial *t)
{
    const char *first = "";
    if (strata_device_complaints(t->device, &first) != 0) fail_msg("validation: %s", first);
    bench_close(&t->bench);
    strata_device_close(t->device);
    free(t->result.forward);
    free(t->result.backward);
    free(t);
}

static void compare(const trial *whole, const trial *sliced, const piece *p, const char *what)
{
    const bool forward = p->kind == PIECE_OUT;
    const uint64_t n = bench_count(p);
    float *v = malloc(2 * n * sizeof *v);
    assert_non_null(v);
    bench_values(p, forward ? whole->result.forward : whole->result.backward, v);
    bench_values(p, forward ? sliced->result.forward : sliced->result.backward, v + n);
    if (memcmp(v, v + n, n * sizeof *v) != 0) fail_msg("%s: %s has other bits in slices", what, p->name);
    free(v);
}

static void slices_go_on_with_the_same_sums(void **state)
{
    (void)state;
    static const char *const variants[] = { NULL, "plain", "tile32", "tile128", "subgroup" };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++)
        for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
            const slice_case *c = &cases[i / 2];
            trial *whole = run(c, NULL, variants[v], i % 2), *sliced = run(c, c->limits, variants[v], i % 2);
            assert_true(sliced->launches > 2 * whole->launches); /* it was sliced at all */
            for (uint32_t k = 0; k < whole->bench.n_pieces; k++) {
                const piece_kind kind = whole->bench.piece[k].kind;
                if (kind == PIECE_OUT || kind == PIECE_IN_GRAD || kind == PIECE_PARAM_GRAD)
                    compare(whole, sliced, &whole->bench.piece[k], c->row.options);
            }
            close_trial(sliced);
            close_trial(whole);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(slices_go_on_with_the_same_sums) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

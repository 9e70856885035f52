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
#include "ops/conv2d.h"
#include "ok.h"

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

/* Every pixel is in one chunk, as the shaders count them, and all chunks but an image's last are of whole
 * grains. */
static void check_cut(uint32_t images, uint32_t pixels, uint32_t wanted, uint32_t grain)
{
    const conv2d_chunks c = conv2d_cut(images, pixels, wanted, grain);
    uint32_t next = 0, short_ones = 0;
    assert_true(c.count >= 1 && c.count <= wanted);
    for (uint32_t z = 0; z < c.count; z++) {
        const uint32_t first = z / c.parts * c.span + z % c.parts * c.chunk,
                       whole = (z / c.parts + 1) * c.span;
        uint32_t end = first + c.chunk < whole ? first + c.chunk : whole;
        if (end > images * pixels) end = images * pixels;
        assert_true(first == next && end > first);
        next = end;
        short_ones += (end - first) % grain != 0;
    }
    assert_int_equal(next, images * pixels);
    assert_true(wanted < images || short_ones <= images);
}

static void chunks_are_whole_rounds(void **state)
{
    (void)state;
    for (uint32_t images = 1; images <= 64; images *= 4)
        for (uint32_t side = 1; side <= 28; side += 3)
            for (uint32_t wanted = 1; wanted <= 400; wanted += 13)
                for (uint32_t grain = 4; grain <= 8; grain *= 2)
                    check_cut(images, side * side, wanted, grain);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(slices_go_on_with_the_same_sums),
                                        cmocka_unit_test(chunks_are_whole_rounds) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

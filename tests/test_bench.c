/* The figures of a bench: that each time belongs to its launch, and that work is what the shapes say. */
#include <math.h>
#include <signal.h>
#include <sys/time.h>

#include "rig.h"

#include "core/clock.h"
#include "core/file.h"
#include "ops/op.h"
#include "graph/place.h"
#include "limits.args.h"
#include "strata/bench.h"
#include "train/speed.h"

static const char *device_name(void)
{
    const char *name = getenv("STRATA_TEST_DEVICE");
    return name && *name ? name : "auto";
}

/* A long launch between two short ones takes the longest, by either clock, and gives what an untimed run
 * gives. */
static void times_belong_to_their_launches(const char *name)
{
    enum { SHORT = 64, LONG = 1 << 22 };
    strata_device *d = open_device(name, NULL);
    strata_block block = { 0 };
    strata_stream *s = NULL;
    const uint64_t bytes = 4 * (uint64_t)LONG;
    OK(strata_block_open(&block, d, 2 * bytes, STRATA_MEMORY_DEVICE));
    OK(strata_device_fill(d, (strata_slice) { &block, 0, bytes, false }, 5));
    OK(strata_stream_open(&s, d));
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t n = i == 1 ? LONG : SHORT;
        const struct selftest_args args = {
            .x = { &block, 0, 4 * n }, .y = { &block, bytes, 4 * n }, .n = n, .add = i
        };
        const strata_launch how = { .pass = STRATA_FORWARD,
                                    .variant = "plain",
                                    .defines = "",
                                    .groups = { n / 64 < 65535 ? n / 64 : 32768, n / 64 < 65535 ? 1 : 2 } };
        OK(strata_stream_launch(s, &selftest_kernel, &how, &args));
    }
    OK(strata_stream_end(s));
    for (int processor = 0; processor < 2; processor++) {
        double seconds[3] = { 0 }, from = 0;
        uint32_t y[2] = { 0 };
        /* The first run compiles on some drivers, and a short launch may meet another program. */
        for (int tries = 0; tries < 5 && (seconds[1] <= 2 * seconds[0] || seconds[1] <= 2 * seconds[2]);
             tries++) {
            OK(strata_device_fill(d, (strata_slice) { &block, bytes, bytes, false }, 0));
            from = strata_now();
            OK(strata_stream_time(s, seconds, processor));
            from = strata_now() - from;
        }
        for (int i = 0; i < 3; i++) assert_true(seconds[i] >= 0);
        assert_true(seconds[1] > 2 * seconds[0] && seconds[1] > 2 * seconds[2]);
        assert_true(seconds[0] + seconds[1] + seconds[2] < (processor ? 64 : 1) * from);
        OK(strata_device_read(d, &y[0], (strata_slice) { &block, bytes, 4, false }));
        OK(strata_device_read(d, &y[1], (strata_slice) { &block, bytes + 4 * SHORT, 4, false }));
        assert_int_equal(y[0], 17); /* of the last launch */
        assert_int_equal(y[1], 16); /* of the long one */
    }
    strata_stream_close(s);
    strata_block_close(&block, d);
    close_device(d);
}

/* One of the kernels that bench --limits times: a copy, or with `sums` so many chains. */
typedef struct limit_way {
    uint32_t sums, lanes, each;
    bool texel, pages;
} limit_way;
enum { WAY_QUADS = 1024, WAY_FLOATS = 4 * WAY_QUADS, WAY_BYTES = 4 * WAY_FLOATS };

/* 16 steps of s / 2 + 1 from s are 2 + (s - 2) / 65536, without rounding for the small s here. */
static void compute_way(strata_device *d, strata_block *block, const limit_way *w)
{
    const strata_slice from = { block, 0, WAY_BYTES, false }, to = { block, WAY_BYTES, WAY_BYTES, false };
    const uint32_t sums = w->sums, group = w->lanes ? w->lanes : STRATA_GROUP;
    const struct limits_args args = { .x = from, .y = to, .n = sums ? 1 : WAY_QUADS };
    float x[WAY_FLOATS], y[WAY_FLOATS];
    char lanes[STRATA_SUBGROUP_DEFINES] = "", defines[2 * STRATA_SUBGROUP_DEFINES];
    if (w->lanes) strata_subgroup_defines(lanes, strata_device_caps(d), true);
    snprintf(defines, sizeof defines, "%s SUMS=%u EACH=%u%s%s", lanes, sums ? sums : 4, w->each,
             w->texel ? " TEXEL=1" : "", w->pages ? " PAGES=1" : "");
    for (uint32_t i = 0; i < WAY_FLOATS; i++) x[i] = sums == 0 ? (float)i + 0.25f : i < 4 ? 0.5f : 1;
    OK(strata_device_write(d, from, x));
    OK(strata_device_fill(d, to, 0x7fc00000)); /* NaN */
    strata_stream *s = NULL;
    const strata_launch how = { .pass = sums ? STRATA_REDUCE : STRATA_FORWARD,
                                .variant = "plain",
                                .defines = defines,
                                .groups = { WAY_QUADS / (group * w->each), 1, 1 } };
    OK(strata_stream_open(&s, d));
    OK(strata_stream_launch(s, &limits_kernel, &how, &args));
    OK(strata_stream_end(s));
    OK(strata_stream_run(s));
    strata_stream_close(s);
    OK(strata_device_read(d, y, to));
    for (uint32_t i = 0; i < WAY_FLOATS; i++) {
        const float begun = (float)(i / 4 * sums) + (float)(sums * (sums - 1)) / 2; /* all of them */
        const float want = sums ? 2 * (float)sums + (begun - 2 * (float)sums) / 65536 : x[i];
        if (y[i] != want)
            fail_msg("%s: y[%u] is %g, wanted %g", defines, (unsigned)i, (double)y[i], (double)want);
    }
}

/* What bench --limits times computes what it says: nothing may be left out to make it fast. */
static void limits_compute_what_they_say(void **state)
{
    (void)state;
    strata_device *d = open_device(device_name(), NULL);
    const uint32_t lanes = strata_store_lanes(strata_device_caps(d));
    strata_block block = { 0 };
    OK(strata_block_open(&block, d, 2 * WAY_BYTES, STRATA_MEMORY_DEVICE));
    for (int texel = 0; texel < 2; texel++) {
        for (uint32_t sums = 2; sums <= 4; sums += 2)
            compute_way(d, &block, &(limit_way) { .sums = sums, .each = 1, .texel = texel });
        for (uint32_t each = 1; each <= 8; each *= 2)
            compute_way(d, &block, &(limit_way) { .each = each, .texel = texel });
        for (uint32_t each = 8; lanes && each <= 32; each *= 2)
            for (int pages = 0; pages < 2; pages++)
                compute_way(d, &block,
                            &(limit_way) { .lanes = lanes, .each = each, .texel = texel, .pages = pages });
    }
    strata_block_close(&block, d);
    close_device(d);
}

/* A launch is set beside the copies nearest in size, or beside multiplications where those take longer. */
static void limits_of_a_size(void **state)
{
    (void)state;
    const strata_limits l = { .flops_per_s = 10,
                              .copy = { { 100, 100 }, { 400, 200 }, { 1600, 100 } }, /* 1, 2 and 16 s */
                              .n_copies = 3 };
    static const struct {
        double flops, bytes, seconds;
    } cases[] = { { 0, 0, 0 },    { 0, 50, 0.5 },  { 0, 100, 1 },   { 0, 250, 1.5 }, { 0, 400, 2 },
                  { 0, 1000, 9 }, { 0, 1600, 16 }, { 0, 3200, 32 }, { 5, 250, 1.5 }, { 20, 250, 2 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(fabs(strata_limits_seconds(&l, cases[i].flops, cases[i].bytes) - cases[i].seconds) <
                    1e-12);
    assert_true(strata_limits_seconds(&(strata_limits) { 0 }, 1, 1) == 0); /* nothing could be measured */
}

/* Each copy is four times the one before, and the last one's rate is that of the whole. */
static void copies_are_told(const char *device, const char *clamps, uint32_t n, double least)
{
    strata_limits l = { 0 };
    strata_device *d = open_device(device, clamps);
    OK(strata_device_measure(&l, d, false));
    assert_int_equal(l.n_copies, n);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(l.copy[i].bytes == least && l.copy[i].bytes_per_s > 0);
        least *= 4;
    }
    assert_true(l.bytes_per_s == l.copy[n - 1].bytes_per_s);
    close_device(d);
}

static void copies_of_every_size(void **state)
{
    (void)state;
    copies_are_told(device_name(), NULL, 4, 2 << 20);
    copies_are_told("cpu", "range=8388608", 2, 4 << 20);
    copies_are_told("cpu", "range=262144", 1, 512 << 10);
    copies_are_told("cpu", NULL, 4, 2 << 20);
}

static void times_of_a_device(void **state)
{
    (void)state;
    times_belong_to_their_launches(device_name());
}

static void times_of_the_reference(void **state)
{
    (void)state;
    times_belong_to_their_launches("cpu");
}

static const strata_bench_line *line(const strata_bench *b, const char *node, const char *pass,
                                     const char *phase)
{
    for (uint32_t i = 0; i < b->n_lines; i++)
        if (strcmp(b->line[i].node, node) == 0 && strcmp(b->line[i].pass, pass) == 0 &&
            strcmp(b->line[i].phase, phase) == 0)
            return &b->line[i];
    fail_msg("no %s of %s in %s", pass, node, phase);
    return NULL;
}

static void check_line(const strata_bench_line *l, double flops, double bytes)
{
    if (l->flops != flops || l->bytes != bytes)
        fail_msg("%s %s: %g flops, %g bytes, wanted %g and %g", l->node, l->pass, l->flops, l->bytes, flops,
                 bytes);
}

/* By hand: small-cnn's layers at 4 images of 8x8x1. */
static void work_is_what_shapes_say(void **state)
{
    (void)state;
    strata_recipe *r = NULL;
    const strata_bench *b = NULL;
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, "device", device_name()));
    OK(strata_recipe_set(r, "model", "small-cnn"));
    OK(strata_recipe_set(r, "opt", "sgd"));
    OK(strata_recipe_set(r, "batch", "4"));
    OK(strata_recipe_set(r, "validate", "true"));
    OK(strata_recipe_set(r, "no-fuse", "true"));
    OK(strata_bench_open(&b, &(strata_bench_config) { .recipe = r, .h = 8, .w = 8, .c = 1, .steps = 2 }));
    double train = 0, infer = 0;
    for (uint32_t i = 0; i < b->n_lines; i++) {
        const strata_bench_line *l = &b->line[i];
        assert_true(l->launches > 0 && l->seconds >= 0 && l->bytes > 0);
        *(strcmp(l->phase, "train") == 0 ? &train : &infer) += l->seconds;
    }
    assert_true(train == b->kernel_s && infer == b->infer_kernel_s && train > 0 && infer > 0);
    assert_true(b->train_images_per_s == 4 / b->train_s && b->infer_images_per_s == 4 / b->infer_s);
    assert_true(b->least_memory <= b->memory && b->limits.flops_per_s > 0 && b->limits.bytes_per_s > 0);
    assert_true(b->open_s > 0 && b->start_s > b->open_s && b->host_s > 0);
    /* conv1: 1 channel, stored as 4, to 24. conv2: 24 to 32. Pixels: 256. */
    check_line(line(b, "conv1", "FORWARD", "train"), 2.0 * 256 * 9 * 24,
               4.0 * (256 * 4 + 256 * 24 + 9 * 4 * 24));
    const double conv2 = 2.0 * 256 * 9 * 24 * 32, moved = 4.0 * (256 * 24 + 256 * 32 + 9 * 24 * 32);
    check_line(line(b, "conv2", "FORWARD", "infer"), conv2, moved);
    check_line(line(b, "conv2", "BACKWARD_X", "train"), conv2, moved);
    check_line(line(b, "conv2", "BACKWARD_W", "train"), conv2, moved);
    /* x twice and y; four parameters, and what is kept: the table of four. */
    check_line(line(b, "bn1", "FORWARD", "train"), 6.0 * 256 * 24, 4.0 * (3 * 256 * 24 + 8 * 24));
    check_line(line(b, "bn1", "FORWARD", "infer"), 2.0 * 256 * 24, 4.0 * (2 * 256 * 24 + 4 * 24));
    check_line(line(b, "bn1", "BACKWARD", "train"), 10.0 * 256 * 24, 4.0 * (5 * 256 * 24 + 6 * 24));
    check_line(line(b, "relu1", "FORWARD", "train"), 256 * 24, 4.0 * 2 * 256 * 24);
    strata_bench_close(b);
    strata_recipe_close(r);
}

/* A relu behind a convolution masks the gradient that both backward passes read, in a pass of its own. By
 * hand: 4 images of 8x8x1, stored as 4 channels, to 5, stored as 8; 256 pixels. */
static void a_mask_is_no_pass_of_weights(void **state)
{
    (void)state;
    static const char path[] = "./bench-masked.yaml",
                      text[] = "name: masked\nimage: [8, 8, 1]\nclasses: 10\nlayers:\n"
                               "  - {op: conv2d, name: conv, out: 5, kernel: 3, pad: 1}\n"
                               "  - {op: relu}\n"
                               "  - {op: conv2d, name: next, out: 5, kernel: 3, pad: 1}\n"
                               "  - {op: flatten}\n"
                               "  - {op: linear, name: fc, out: $classes}\n";
    strata_recipe *r = NULL;
    const strata_bench *b = NULL;
    const double w = 9 * 4 * 8 + 8, macs = 2.0 * 256 * 9 * 5, relu = 256 * 5;
    OK(strata_file_write(path, text, strlen(text)));
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, "device", device_name()));
    OK(strata_recipe_set(r, "model", path));
    OK(strata_recipe_set(r, "batch", "4"));
    OK(strata_bench_open(&b, &(strata_bench_config) { .recipe = r, .h = 8, .w = 8, .c = 1, .steps = 2 }));
    check_line(line(b, "conv", "FORWARD", "train"), macs + relu, 4 * (256 * 4 + 256 * 8 + w));
    check_line(line(b, "conv", "BACKWARD", "train"), relu, 4 * (3 * 256 * 8));
    check_line(line(b, "conv", "BACKWARD_W", "train"), macs, 4 * (256 * 4 + 256 * 8 + w));
    assert_int_equal(line(b, "conv", "BACKWARD", "train")->launches, 1);
    for (uint32_t i = 0; i < b->n_lines; i++) /* nobody else has one */
        assert_true(strcmp(b->line[i].op, "conv2d") != 0 || strcmp(b->line[i].pass, "BACKWARD") != 0 ||
                    strcmp(b->line[i].node, "conv") == 0);
    strata_bench_close(b);
    strata_recipe_close(r);
    remove(path);
}

static const strata_bench *open_bench(const strata_recipe *r)
{
    const strata_bench *b = NULL;
    OK(strata_bench_open(&b, &(strata_bench_config) { .recipe = r, .h = 8, .w = 8, .c = 1, .steps = 2 }));
    return b;
}

/* Of a step that is shorter than its launches one by one nothing is left over. */
static void a_share_is_none_below_zero(void **state)
{
    (void)state;
    assert_true(speed_outside(4, 3) == 0.25);
    assert_true(speed_outside(3, 3) == 0 && speed_outside(3, 4) == 0 && speed_outside(0, 0) == 0);
}

/* Of one round the least step is the one there is: by the clock that launches are timed by. */
static void a_share_is_of_the_least_step(void **state)
{
    (void)state;
    strata_recipe *r = NULL;
    const strata_bench *b = NULL;
    uint32_t above = 0;
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, "device", "cpu"));
    OK(strata_recipe_set(r, "model", "small-cnn"));
    OK(strata_recipe_set(r, "batch", "4"));
    for (int i = 0; i < 60 && above < 2; i++) {
        strata_bench_config config = {
            .recipe = r, .h = 8, .w = 8, .c = 1, .steps = 2, .processor_time = i % 2 == 1
        };
        OK(strata_bench_open(&b, &config));
        const double step = config.processor_time ? b->cpu_s : b->train_s;
        assert_true(b->outside == speed_outside(step, b->kernel_s));
        above += b->outside > 0;
        strata_bench_close(b);
    }
    assert_true(above > 0); /* or nothing was seen */
    strata_recipe_close(r);
}

/* Of several rounds it is of the shortest, which is no longer than the median. And what is said to be a
 * batch's time is of all its parts, as its launches are: those alone, at their least, are hardly longer. */
static void times_are_of_whole_batches(void **state)
{
    (void)state;
    strata_recipe *r = NULL;
    const strata_bench *b = NULL;
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, "device", "cpu"));
    OK(strata_recipe_set(r, "model", "small-cnn"));
    OK(strata_recipe_set(r, "batch", "12"));
    OK(strata_recipe_set(r, "micro-batch", "3"));
    const strata_bench_config config = {
        .recipe = r, .h = 16, .w = 16, .c = 1, .steps = 6, .processor_time = true
    };
    OK(strata_bench_open(&b, &config));
    assert_int_equal(b->micro_batch, 3);
    assert_true(b->outside <= speed_outside(b->cpu_s, b->kernel_s));
    assert_true(b->cpu_s > 0.6 * b->kernel_s && b->infer_cpu_s > 0.6 * b->infer_kernel_s);
    strata_bench_close(b);
    strata_recipe_close(r);
}

/* A name that no line will have is refused before anything is timed, which this signal would end. */
static void wrong_names_are_told_before_the_rounds(void **state)
{
    (void)state;
    static const volatile int signalled = 1;
    strata_recipe *r = NULL;
    const strata_bench *b = NULL;
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, "device", "cpu"));
    OK(strata_recipe_set(r, "model", "small-cnn"));
    OK(strata_recipe_set(r, "batch", "2"));
    strata_bench_config config = { .recipe = r, .h = 8, .w = 8, .c = 1, .steps = 2, .interrupt = &signalled };
    config.wanted = "conv2";
    assert_int_equal(strata_bench_open(&b, &config), STRATA_INTERRUPTED);
    config.wanted = "conv2d";
    assert_int_equal(strata_bench_open(&b, &config), STRATA_INTERRUPTED);
    config.wanted = "covn2d";
    assert_int_equal(strata_bench_open(&b, &config), STRATA_BAD_ARG);
    assert_string_equal(strata_message(), "--op covn2d: the network has no such operation or layer; did you "
                                          "mean 'conv2d'?");
    assert_null(b);
    strata_recipe_close(r);
}

static volatile int stopped;
static void stop(int number) { stopped = number; }

/* A signal in the first step, which may compile for minutes, ends the bench with that step. By the processor
 * time of the reference, whose steps are alike. */
static void a_signal_ends_it_with_its_step(void **state)
{
    (void)state;
    strata_recipe *r = NULL;
    const strata_bench *b = NULL;
    strata_bench_config config = { .h = 16, .w = 16, .c = 1, .steps = 2 };
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, "device", "cpu"));
    OK(strata_recipe_set(r, "model", "small-cnn"));
    OK(strata_recipe_set(r, "batch", "64"));
    config.recipe = r;
    OK(strata_bench_open(&b, &config));
    const double step = b->cpu_s;
    strata_bench_close(b);
    signal(SIGPROF, stop);
    assert_true(step > 0.02); /* longer than what is around it, and than the timer's tick */
    const struct itimerval half = { .it_value = { (time_t)(step / 2),
                                                  (suseconds_t)(1e6 * fmod(step / 2, 1)) } };
    config.interrupt = &stopped;
    const double from = strata_process_time();
    assert_int_equal(setitimer(ITIMER_PROF, &half, NULL), 0);
    assert_int_equal(strata_bench_open(&b, &config), STRATA_INTERRUPTED);
    assert_int_equal(stopped, SIGPROF);
    if (strata_process_time() - from > 2.5 * step)
        fail_msg("it took the time of %.1f steps", (strata_process_time() - from) / step);
    strata_recipe_close(r);
}

/* A step in three parts is the work of a whole one, in three times its launches, but one update. */
static void micro_batches_add_up(void **state)
{
    (void)state;
    strata_recipe *r = NULL;
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, "device", device_name()));
    OK(strata_recipe_set(r, "model", "small-cnn"));
    OK(strata_recipe_set(r, "opt", "sgd"));
    OK(strata_recipe_set(r, "batch", "6"));
    OK(strata_recipe_set(r, "validate", "true"));
    const strata_bench *whole = open_bench(r);
    OK(strata_recipe_set(r, "micro-batch", "2"));
    const strata_bench *parts = open_bench(r);
    assert_int_equal(whole->micro_batch, 6);
    assert_int_equal(parts->batch, 6);
    assert_int_equal(parts->micro_batch, 2);
    assert_int_equal(parts->n_lines, whole->n_lines);
    assert_true(parts->train_images_per_s == 6 / parts->train_s);
    assert_true(parts->infer_images_per_s == 6 / parts->infer_s);
    for (uint32_t i = 0; i < whole->n_lines; i++) {
        const strata_bench_line *w = &whole->line[i], *p = &parts->line[i];
        const bool update = strcmp(w->node, "update") == 0;
        assert_string_equal(p->node, w->node);
        assert_int_equal(p->launches, update ? w->launches : 3 * w->launches);
        assert_true(p->seconds > 0);
        if (update || strcmp(w->pass, "BACKWARD_W") == 0) continue; /* the parameters are read by each part */
        if (!(p->flops == w->flops && p->bytes >= w->bytes))
            fail_msg("%s %s: %g flops in parts, %g whole", w->node, w->pass, p->flops, w->flops);
    }
    strata_bench_close(parts);
    strata_bench_close(whole);
    strata_recipe_close(r);
}

/* Three that live at once, and one that comes when they are gone. */
static void least_memory_is_what_lives_at_once(void **state)
{
    (void)state;
    const place_item items[] = { { .bytes = 1000, .first = 0, .last = 3 },
                                 { .bytes = 256, .first = 2, .last = 2 },
                                 { .bytes = 512, .first = 3, .last = 3 },
                                 { .bytes = 700, .first = 4, .last = 9 } };
    place_room room;
    OK(place_room_init(&room, 0, 10));
    assert_int_equal(place_least(items, 4, &room), 1024 + 512);
    assert_int_equal(place_least(items, 0, &room), 0);
    place_room_free(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_compute_what_they_say),
        cmocka_unit_test(limits_of_a_size),
        cmocka_unit_test(copies_of_every_size),
        cmocka_unit_test(times_of_a_device),
        cmocka_unit_test(times_of_the_reference),
        cmocka_unit_test(work_is_what_shapes_say),
        cmocka_unit_test(a_mask_is_no_pass_of_weights),
        cmocka_unit_test(a_share_is_none_below_zero),
        cmocka_unit_test(a_share_is_of_the_least_step),
        cmocka_unit_test(times_are_of_whole_batches),
        cmocka_unit_test(wrong_names_are_told_before_the_rounds),
        cmocka_unit_test(a_signal_ends_it_with_its_step),
        cmocka_unit_test(micro_batches_add_up),
        cmocka_unit_test(least_memory_is_what_lives_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

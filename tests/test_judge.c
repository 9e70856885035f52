/* The judge rejects wrong kernels. Each is the tree's own shader with one thing changed, read from a folder
 * of its own; the unchanged copy passes. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "judged.h"

static strata_device *reference;
static char folder[] = "/tmp/strata-judge-XXXXXX";

/* A fault: in `file`, `was` becomes `is`. A row of `op` must fail, the one with `options` where there are
 * some; "update": one of strata_judge_updates; "augment": one of strata_judge_augment; "fp16 op": with
 * tensors of 16 bits. */
typedef struct fault {
    const char *name, *op, *file, *was, *is, *options;
} fault;

static const fault faults[] = {
    { "a gradient is assigned, not added", "gelu", "activation.comp", "if (ADD_DX != 0) g += GET(dx, i);", "",
      NULL },
    { "the last element is not written", "silu", "activation.comp", "if (i >= images", "if (i + 1 >= images",
      NULL },
    { "an input is read behind the output's first store", "leaky_relu", "activation.comp",
      "PUT(y, i, f(AT(x, i)));", "PUT(y, i, vec4(0.0)); PUT(y, i, f(AT(x, i)));", NULL },
    { "a gradient is read behind a store over it", "dropout", "dropout.comp", "vec4 d = drop(",
      "PUT(dx, i, ADD_DX != 0 ? GET(dx, i) : vec4(0.0)); vec4 d = drop(", NULL },
    { "one row of a window is missing", "avg_pool", "avg_pool.comp", "+ KERNEL_H; a++", "+ KERNEL_H - 1; a++",
      "kernel=2" },
    { "one row of a window of any size is missing", "global_avg_pool", "avg_pool.comp", "r < rows.end; r++",
      "r + 1 < rows.end; r++", NULL },
    { "windows of an adaptive pool end where they would if they were even", "adaptive_avg_pool", "pool.glsl",
      "+ uvec2(GRID_H, GRID_W) - 1) /", ") /", "size=3,2" },
    { "a window over a pixel is left out", "adaptive_max_pool", "pool.glsl", "o <= ((at + 1)",
      "o < ((at + 1)", "size=3,2" },
    { "pads leak into a sum", "bce_loss", "bce_loss.comp", "mix(vec4(0.0), each, real_channels(q, classes))",
      "each", NULL },
    { "the last of equal maxima wins", "max_pool", "max_pool.comp", "greaterThan(v, best)",
      "greaterThanEqual(v, best)", NULL },
    { "a barrier is missing", "softmax_loss", "reduce.glsl",
      "reduce_room[lane] += reduce_room[lane + half_size];\n        barrier();",
      "reduce_room[lane] += reduce_room[lane + half_size];", NULL },
    { "backward drops other elements", "dropout", "dropout.comp", "node, values[2])",
      "node, values[2] + uint(PASS == BACKWARD))", NULL },
    { "inputs are put at the wrong channel", "concat", "concat.comp", "out_quads * 4 + offset + c",
      "out_quads * 4 + c", NULL },
    { "a little is wrong everywhere", "gelu", "activation.comp",
      "return t * normal_cdf(t, exp(-0.5 * t * t));", "return t * (normal_cdf(t, exp(-0.5 * t * t)) + 2e-6);",
      NULL },
    { "a gradient depends on whether another is wanted", "add", "add.comp",
      "if (DO_DX0 == ASSIGN) PUT(dx0, i, d);",
      "if (DO_DX0 == ASSIGN) PUT(dx0, i, DO_DX1 == NOTHING ? d * 1.0000002 : d);", NULL },
    { "a tap is missing", "conv2d", "conv2d_tile.glsl", "uint(k.b) < tap_end", "uint(k.b) + 1 < tap_end",
      "out=K kernel=3 pad=1" },
    { "undefined channels are multiplied", "conv2d", "conv2d.comp", "uvec4(depth))", "uvec4(depth + 3u))",
      "out=K kernel=3 pad=1" },
    { "a barrier between loads and sums is missing", "conv2d", "conv2d_tile.glsl",
      "bs[lane + l * GROUP] = ws[l];\n    barrier();", "bs[lane + l * GROUP] = ws[l];",
      "out=K kernel=3 pad=1" },
    { "a tap of small images is left out", "conv2d", "subgroup.glsl", "size - 1 - from + by",
      "size - 2 - from + by", "out=K kernel=3 pad=1 bias=false" },
    { "a tap of small images is left out where taps are two apart", "conv2d", "subgroup.glsl",
      "by - 1 - from", "2 * by - 2 - from", "out=K kernel=3 pad=2 dilation=2 stride=1,3" },
    { "many small images are the first few", "conv2d", "conv2d.comp", "(place - block) * abreast",
      "place * abreast - (abreast == 1 ? block : 0)", "out=K kernel=3 pad=1 bias=false" },
    { "weights that are turned begin anew in each round", "conv2d", "conv2d_subgroup.glsl", "* w_depth + k);",
      "* w_depth + quad_begin);", "out=K kernel=3 pad=1 bias=false" },
    { "pixels under a tap are left out", "conv2d", "conv2d_weight_subgroup.glsl", "p = down.x, q",
      "p = down.x + 1, q", "out=K kernel=3 pad=1 stride=2" },
    { "sums below 0 are stored by tiles", "conv2d", "conv2d_tile.glsl",
      "ENDED(sum[i][j], of[j], AT(z, to * y_quads + c))", "sum[i][j]", "out=K kernel=3,2 pad=1" },
    { "sums below 0 are stored by subgroups", "conv2d", "conv2d_subgroup.glsl",
      "if (to != NOWHERE && col < cols) STORE_OUT(y, to * cols + same_col, above_zero(sum[r]))",
      "if (to != NOWHERE && col < cols) STORE_OUT(y, to * cols + same_col, sum[r])",
      "out=K kernel=3,2 pad=1" },
    { "sums below 0 are stored one by one", "conv2d", "conv2d.comp", "ended(sum_of(at, col, sum), col, to)",
      "sum_of(at, col, sum)", "out=K kernel=3,2 pad=1" },
    { "sums below 0 are stored by strips", "conv2d", "conv2d_depthwise.glsl",
      "ENDED(sum[e], of, AT(z, to + e * y_step * y_quads))", "sum[e]",
      "out=C kernel=3 pad=1,0 groups=C bias=false" },
    { "sums below 0 are stored by Winograd", "conv2d", "winograd_output.comp",
      "ENDED(first + pixels[w], of, TAKE(4, z, pixel + c))", "first + pixels[w]", "out=K kernel=3 pad=1,0" },
    { "sums below 0 are stored by F(2x2,3x3)", "conv2d", "winograd2.comp",
      "ENDED(first + pixels[w], of, AT(z, i))", "first + pixels[w]", "out=K kernel=3 pad=1,0" },
    { "a norm within a convolution has no gain", "conv2d", "epilogue.glsl", "number(2)", "number(1)",
      "out=K kernel=3,1 pad=1,0" },
    { "all columns of a tile are normalised as the first", "conv2d", "conv2d_tile.glsl",
      "min(col + col_of(j), y_quads - 1)", "col", "out=K kernel=3,1 pad=1,0" },
    { "a strip adds the same pixel of another tensor", "conv2d", "conv2d_depthwise.glsl",
      "AT(z, to + e * y_step * y_quads)", "AT(z, to)", "out=C kernel=3 pad=1 groups=C bias=false" },
    { "Winograd adds another pixel", "conv2d", "winograd_output.comp", "TAKE(4, z, pixel + c)",
      "TAKE(4, z, c)", "out=K kernel=3 pad=1 bias=false" },
    { "a summand is read behind a store over it", "conv2d", "conv2d.comp", "y[to] = ended(",
      "y[to] = 0.0; y[to] = ended(", "out=K kernel=1,3 pad=0,1 bias=false" },
    { "both floats of a summand's word are the first", "fp16 conv2d", "conv2d.comp", "col + 1, 2 * to + 1)",
      "col + 1, 2 * to)", "out=K kernel=1,3 pad=0,1 bias=false" },
    { "a gradient is not masked", "linear", "activation.comp",
      "mix(d, vec4(0.0), lessThanEqual(t, vec4(0.0)))", "d", "out=K bias=false" },
    { "the optimizer moves after a NaN", "update", "rate.glsl", "|| not_finite != 0", "", NULL },
    { "frozen rows count in the norm", "update", "grad_norm.comp", "].w & ACTIVE) != 0", "].w & ACTIVE) != 9",
      NULL },
    { "a correction is left out", "update", "adam.comp", "sqrt(moment2) * rate.correction2", "sqrt(moment2)",
      NULL },
    { "numbers of 16 bits are truncated", "fp16 avg_pool", "tensor.glsl",
      "size + (size >> 13 & 1u) + (0xfffu - 0x38000000u)", "size - 0x38000000u", "kernel=2" },
    { "the other half of a word is lost", "fp16 concat", "concat.comp",
      "vec4 v = GET(y, pixel * out_quads + q);", "vec4 v = vec4(0.0);", NULL },
    { "both floats of a word are the first", "fp16 conv2d", "conv2d.comp", "sum_of(at, col + 1, sum.y)",
      "sum_of(at, col, sum.y)", "out=K kernel=3 pad=1" },
    { "pixels of 16 bits are truncated by Winograd", "fp16 conv2d", "winograd_output.comp",
      "STORE(to, pixel + to_c, ENDED(first + pixels[w], of, TAKE(4, z, pixel + c)))",
      "STORE(to, pixel + to_c, uintBitsToFloat(floatBitsToUint(ENDED(first + pixels[w], of, "
      "TAKE(4, z, pixel + c))) & 0xffffe000u))",
      "out=K kernel=3 pad=1" },
    { "augmentation does not look at the epoch", "augment", "augment_draw.comp", "sample_of.x, values[4]",
      "sample_of.x, 0", NULL },
    { "an image is shifted one pixel too far", "augment", "augment_draw.comp", "below(first.z, places.x)",
      "below(first.z, places.x + 1)", NULL },
    { "the second row of an image is the first again", "augment", "augment.comp", "uint(y) * w",
      "uint(y / 2) * w", NULL },
    { "there is a pixel beside the image", "augment", "augment.comp", "i >= 0 && i < n", "i >= 0 && i <= n",
      NULL },
    { "an image is repeated, not reflected", "augment", "augment.comp", "min(at, period - 1 - at)", "at % n",
      NULL },
    { "what is erased is one column wider", "augment", "augment.comp", "j < hole.z", "j <= hole.z", NULL },
    { "what is mixed in is the image itself", "augment", "augment.comp", "augmented(true, n, j, i)",
      "augmented(false, n, j, i)", NULL },
    { "a target is not smoothed", "softmax_target_loss", "softmax_target_loss.comp",
      "smoothing / float(classes)", "0.0", NULL },
    { "a warp takes the width for the height", "augment", "augment_draw.comp", "z.y * by_h", "z.y * by_w",
      NULL },
    { "a turned hue is a little off", "augment", "augment_colour.glsl", "0.329805", "0.329705", NULL },
};
enum { N_FAULTS = sizeof faults / sizeof *faults };

static char *read_whole(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s cannot be read", path);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

static void write_whole(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void each_shader(void (*work)(const char *from, const char *to))
{
    DIR *d = opendir(SOURCE_DIR "/shaders");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char from[1024], to[1024];
        if (e->d_name[0] == '.') continue;
        snprintf(from, sizeof from, "%s/%s", SOURCE_DIR "/shaders", e->d_name);
        snprintf(to, sizeof to, "%s/%s", folder, e->d_name);
        work(from, to);
    }
    closedir(d);
}

static void copy(const char *from, const char *to)
{
    char *text = read_whole(from);
    write_whole(to, text);
    free(text);
}

static void forget(const char *from, const char *to)
{
    (void)from;
    remove(to);
}

static void plant(const fault *f)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", SOURCE_DIR "/shaders", f->file);
    char *text = read_whole(path), *at = strstr(text, f->was);
    if (!at)
        fail_msg("shaders/%s has no \"%s\" any more: plant \"%s\" in another way", f->file, f->was, f->name);
    char *changed = calloc(1, strlen(text) + strlen(f->is) + 1);
    assert_non_null(changed);
    memcpy(changed, text, (size_t)(at - text));
    strcat(changed, f->is);
    strcat(changed, at + strlen(f->was));
    snprintf(path, sizeof path, "%s/%s", folder, f->file);
    write_whole(path, changed);
    free(changed);
    free(text);
}

/* Failures of the op's rows (with these options, if any) with the shaders of the folder as they are now.
 *   sizes  NULL: the rows' own */
static uint32_t judge_fault(const fault *f, const char *sizes, char *first, size_t room)
{
    const bool half = strncmp(f->op, "fp16 ", 5) == 0;
    const char *op = half ? f->op + 5 : f->op, *options = f->options;
    strata_judge j = { .reference = reference, .half = half, .sizes = sizes };
    strata_device_config config = judged_config();
    config.shader_dir = folder;
    config.no_cache = true;
    if (strata_device_open(&j.device, &config) != STRATA_OK) fail_msg("%s", strata_message());
    strata_status status = strcmp(op, "update") == 0    ? strata_judge_updates(&j)
                           : strcmp(op, "augment") == 0 ? strata_judge_augment(&j)
                                                        : STRATA_OK;
    for (const strata_row *row = strata_rows; row->op && status == STRATA_OK; row++)
        if (strcmp(row->op, op) == 0 && (!options || strcmp(row->options, options) == 0))
            status = strata_judge_row(&j, row);
    strata_device_close(j.device);
    if (status != STRATA_OK) fail_msg("%s", strata_message());
    snprintf(first, room, "%s", j.first);
    return j.failures;
}

static void test_wrong_kernels_are_rejected(void **state)
{
    (void)state;
    char first[512];
    for (int i = 0; i < N_FAULTS; i++) {
        char from[1024], to[1024];
        plant(&faults[i]);
        uint32_t failures = judge_fault(&faults[i], NULL, first, sizeof first);
        snprintf(from, sizeof from, "%s/%s", SOURCE_DIR "/shaders", faults[i].file);
        snprintf(to, sizeof to, "%s/%s", folder, faults[i].file);
        copy(from, to);
        if (failures == 0) fail_msg("nobody saw that %s", faults[i].name);
        print_message("%s: %s\n", faults[i].name, first);
    }
}

static void test_unchanged_kernels_pass(void **state)
{
    (void)state;
    char first[512];
    for (int i = 0; i < N_FAULTS; i++)
        if (judge_fault(&faults[i], NULL, first, sizeof first) != 0) fail_msg("%s", first);
}

/* Rounds of weight gradients are neighbours on lines that are not narrow, whole tiles of channels: no row of
 * a short judgement. */
static void test_ends_of_lines_are_seen(void **state)
{
    (void)state;
    static const fault end = { "a neighbour behind the end of a line counts",
                               "conv2d",
                               "conv2d_weight_subgroup.glsl",
                               "int(d) <= last",
                               "int(d) <= last + 1",
                               "out=K kernel=3 pad=1" };
    static const char sizes[] = "N=1 H=8 W=8 C=64 K=64";
    char first[512], from[1024], to[1024];
    plant(&end);
    const uint32_t failures = judge_fault(&end, sizes, first, sizeof first);
    snprintf(from, sizeof from, "%s/%s", SOURCE_DIR "/shaders", end.file);
    snprintf(to, sizeof to, "%s/%s", folder, end.file);
    copy(from, to);
    if (failures == 0) fail_msg("nobody saw that %s", end.name);
    assert_int_equal(judge_fault(&end, sizes, first, sizeof first), 0);
}

static void test_doctor_fails_a_wrong_kernel(void **state)
{
    (void)state;
    strata_doctor_result result;
    strata_doctor_config config = { .device = judged_config() };
    config.device.shader_dir = folder;
    config.device.no_cache = true;
    plant(&faults[0]);
    assert_int_equal(strata_doctor(&result, &config), STRATA_CHECK_FAILED);
    assert_int_equal(strata_status_exit_code(STRATA_CHECK_FAILED), 1);
    assert_true(result.failures > 0 && result.failures < result.lines);
    assert_non_null(strstr(strata_message(), "gelu"));
    char from[1024], to[1024];
    snprintf(from, sizeof from, "%s/%s", SOURCE_DIR "/shaders", faults[0].file);
    snprintf(to, sizeof to, "%s/%s", folder, faults[0].file);
    copy(from, to);
}

/* At 0 the reference gives relu no slope, and a central difference finds half: the two disagree where they
 * meet a kink. */
static void test_wrong_gradients_are_rejected(void **state)
{
    (void)state;
    const strata_row row = { "relu", "x:N,H,W,C", "", "x", .range = 1, .flags = STRATA_ROW_TIES };
    strata_judge j = { .reference = reference };
    assert_int_equal(strata_judge_differences(&j, &row), STRATA_OK);
    assert_int_equal(j.failures, 1);
}

static void test_bad_rows_are_errors(void **state)
{
    (void)state;
    static const strata_row rows[] = {
        { "relo", "x:N,C", "", "x", .range = 1 },
        { "relu", "x:N,H,C", "", "x", .range = 1 },
        { "relu", "x:N,Q", "", "x", .range = 1 },
        { "relu", "x", "", "x", .range = 1 },
        { "relu", "x:N,C", "slope", "x", .range = 1 },
        { "relu", "x:N,C", "slope=2", "x", .range = 1 },
        { "relu", "x:N,C", "", "x", .range = 1, .sizes = "N=0" },
        { "relu", "x:N,C", "", "x", .range = 1, .looser = 2 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        strata_judge j = { .device = reference, .reference = reference };
        assert_int_equal(strata_judge_row(&j, &rows[i]), STRATA_BAD_ARG);
        assert_non_null(strstr(strata_message(), rows[i].op));
    }
}

static int prepare(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    each_shader(copy);
    return strata_device_open(&reference, &(strata_device_config) { .name = "cpu" }) == STRATA_OK ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    strata_device_close(reference);
    each_shader(forget);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged_kernels_pass),
        cmocka_unit_test(test_wrong_kernels_are_rejected),
        cmocka_unit_test(test_ends_of_lines_are_seen),
        cmocka_unit_test(test_doctor_fails_a_wrong_kernel),
        cmocka_unit_test(test_wrong_gradients_are_rejected),
        cmocka_unit_test(test_bad_rows_are_errors),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}

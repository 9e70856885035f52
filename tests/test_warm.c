#define _GNU_SOURCE /* nftw, mkdtemp */
/* Kernels compiled ahead, on several devices at once: the launches find them, nothing is compiled twice, and
 * the numbers are those of a run without. And equal kernels are one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <sys/stat.h>
#include <volk.h>

#include "core/thread.h"
#include "limits.args.h"
#include "selftest.args.h" /* made from the shader by the build */
#include "train/trainer.h"
#include "vulkan/kernel.h"

enum { BATCH = 8, SIDE = 8 };

static uint32_t marks, codes;
static bool one_file; /* Mesa keeps all code in one data base: there is nothing to count */

static int count(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind;
    const char *name = path + at->base;
    marks += strncmp(name, "compiled-", 9) == 0;
    codes += strstr(path, "/mesa/") && at->level > 2 && kind == FTW_F;
    one_file |= strstr(path, "_db") != NULL;
    return 0;
}

static int erase(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

static void use_folder(char *folder, uint32_t threads)
{
    char mesa[64];
    assert_non_null(mkdtemp(folder));
    snprintf(mesa, sizeof mesa, "%s/mesa", folder);
    assert_int_equal(mkdir(mesa, 0700), 0);
    setenv("XDG_CACHE_HOME", folder, 1);
    setenv("MESA_SHADER_CACHE_DIR", mesa, 1);
    unsetenv("MESA_SHADER_CACHE_DISABLE");
    unsetenv("MESA_GLSL_CACHE_DISABLE");
    strata_threads_set(threads);
}

static void look(const char *folder)
{
    marks = codes = 0;
    assert_int_equal(nftw(folder, count, 16, FTW_PHYS), 0);
}

static double one_step(strata_trainer *t)
{
    engine_input in;
    trainer_result result = { 0 };
    bool got;
    assert_int_equal(trainer_begin(t, BATCH, BATCH, true, 0, &in), STRATA_OK);
    for (uint32_t i = 0; i < BATCH; i++) {
        in.labels[i] = (int32_t)(i % 10);
        in.weights[i] = 1.0f / BATCH;
    }
    for (uint32_t i = 0; i < BATCH * SIDE * SIDE * 4; i++) in.pixels[i] = i % 4 ? 0 : (float)(i % 7) / 7;
    assert_int_equal(trainer_submit(t), STRATA_OK);
    assert_int_equal(trainer_take(t, true, &result, &got), STRATA_OK);
    assert_true(got);
    return result.loss;
}

/* Make all recordings and take `steps` steps; the loss of the last. */
static double train(uint32_t steps)
{
    const char *name = getenv("STRATA_TEST_DEVICE");
    strata_recipe *r;
    strata_device *d;
    strata_trainer *t;
    double loss = 0;
    assert_int_equal(strata_recipe_open(&r), STRATA_OK);
    assert_int_equal(strata_recipe_set(r, "model", "small-cnn"), STRATA_OK);
    assert_int_equal(strata_recipe_set(r, "batch", "8"), STRATA_OK);
    /* Sums are split by the number of cores: the same kernels, whatever there are. */
    const strata_device_config config = { .name = name, .limits = "cores=2", .validate = true };
    assert_int_equal(strata_device_open(&d, &config), STRATA_OK);
    const bool compiles_late = strata_device_caps(d)->driver_id == VK_DRIVER_ID_MESA_LLVMPIPE;
    if (compiles_late) {
        if (strata_trainer_open(&t, d, r, &(strata_task) { SIDE, SIDE, 1, 10, 10, 0 }) != STRATA_OK)
            fail_msg("%s", strata_message());
        for (uint32_t i = 0; i < steps; i++) loss = one_step(t);
        strata_trainer_close(t);
    }
    const char *first = "";
    if (strata_device_complaints(d, &first) != 0) fail_msg("validation: %s", first);
    strata_device_close(d);
    strata_recipe_close(r);
    if (!compiles_late) skip();
    return loss;
}

static void launches_find_what_was_compiled_ahead(void **state)
{
    (void)state;
    char alone[] = "/tmp/strata-alone-XXXXXX", ahead[] = "/tmp/strata-ahead-XXXXXX";
    use_folder(alone, 1);
    const double wanted = train(3);
    look(alone);
    assert_int_equal(marks, 0);
    const uint32_t all = codes;

    use_folder(ahead, 3);
    double came = train(3);
    look(ahead);
    const uint32_t marked = marks, compiled = codes;
    /* Also what is recorded and not run here: more than the launches ask for, but nearly nothing twice. */
    assert_true(4 * marked > 3 * all || one_file);
    assert_true(marked > 8);
    if (!one_file) assert_true(7 * compiled < 8 * marked);
    assert_memory_equal(&came, &wanted, sizeof came);
    came = train(3);
    look(ahead);
    assert_int_equal(marks, marked); /* known to be compiled: no second time */
    /* Mesa 22.3 now and then keeps one kernel under another name than the time before. */
    if (!one_file) assert_in_range(codes, compiled, compiled + 1);
    assert_memory_equal(&came, &wanted, sizeof came);

    nftw(alone, erase, 16, FTW_DEPTH | FTW_PHYS);
    nftw(ahead, erase, 16, FTW_DEPTH | FTW_PHYS);
}

/* Mesa says where it keeps nothing: what a helper compiled would be lost. */
static void not_without_a_cache_of_mesas(void **state)
{
    (void)state;
    char folder[] = "/tmp/strata-none-XXXXXX";
    use_folder(folder, 3);
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
    train(1);
    unsetenv("MESA_SHADER_CACHE_DISABLE");
    look(folder);
    assert_int_equal(marks, 0);
    nftw(folder, erase, 16, FTW_DEPTH | FTW_PHYS);
}

static const strata_caps none = { .max_group = UINT32_MAX,
                                  .shared_bytes = UINT32_MAX,
                                  .max_range = UINT64_MAX,
                                  .max_block = UINT64_MAX,
                                  .max_texels = UINT32_MAX,
                                  .memory = UINT64_MAX,
                                  .subgroup = UINT32_MAX };

/* Kernels of equal SPIR-V share a pipeline, made together or one after the other; any other has its own. */
static void equal_modules_have_one_pipeline(void **state)
{
    (void)state;
    static const char *const defines[] = { "PASS=FORWARD", "PASS=FORWARD SAME=1", "PASS=FORWARD GROUP=32",
                                           "PASS=FORWARD SAME=2" };
    const struct selftest_args args = { .n = 0 };
    const gpu_kernel *kernel[4];
    strata_gpu_launch launch[4];
    strata_gpu_recording *together, *after;
    strata_gpu *g;
    for (int i = 0; i < 4; i++)
        launch[i] = (strata_gpu_launch) { &selftest_layout, defines[i], NULL, &args, { 1, 1, 1 } };
    assert_int_equal(strata_gpu_open(&g, &(strata_gpu_config) { .name = getenv("STRATA_TEST_DEVICE"),
                                                                .ceiling = &none,
                                                                .no_cache = true }),
                     STRATA_OK);
    assert_int_equal(strata_gpu_record(&together, g, launch, 3), STRATA_OK);
    assert_int_equal(strata_gpu_record(&after, g, &launch[3], 1), STRATA_OK);
    for (int i = 0; i < 4; i++) kernel[i] = kernel_find(g, &selftest_layout, defines[i]);
    assert_ptr_equal(kernel[1]->twin, kernel[0]);
    assert_ptr_equal(kernel[3]->twin, kernel[0]);
    assert_true(kernel[1]->pipeline == kernel[0]->pipeline && kernel[3]->pipeline == kernel[0]->pipeline);
    assert_true(!kernel[2]->twin && kernel[2]->pipeline != kernel[0]->pipeline);
    assert_int_equal(strata_gpu_run(g, together), STRATA_OK);
    assert_int_equal(strata_gpu_run(g, after), STRATA_OK);
    strata_gpu_recording_close(together);
    strata_gpu_recording_close(after);
    strata_gpu_close(g);
}

/* Copy `bytes` of a block of its own; the kernel reads them as texels. */
static void copy_texels(strata_gpu *g, uint32_t bytes)
{
    strata_block from, to;
    strata_gpu_recording *r;
    assert_int_equal(strata_gpu_block_open(&from, g, bytes, STRATA_MEMORY_DEVICE), STRATA_OK);
    assert_int_equal(strata_gpu_block_open(&to, g, bytes, STRATA_MEMORY_DEVICE), STRATA_OK);
    const struct limits_args args = { .x = { &from, 0, bytes, false },
                                      .y = { &to, 0, bytes, false },
                                      .n = bytes / 16 };
    const uint32_t groups = (bytes / 16 + 63) / 64;
    const strata_gpu_launch launch = {
        &limits_layout, "PASS=FORWARD TEXEL=1", NULL, &args, { groups, 1, 1 }
    };
    assert_int_equal(strata_gpu_record(&r, g, &launch, 1), STRATA_OK);
    assert_int_equal(strata_gpu_run(g, r), STRATA_OK);
    strata_gpu_recording_close(r);
    strata_gpu_block_close(&from, g);
    strata_gpu_block_close(&to, g);
}

/* Copies of all these sizes leave the code of one. Mesa has written it when its device is closed. */
static void views_share_code(void **state)
{
    (void)state;
    static const uint32_t bytes[] = { 256, 4096, 65536, 16, 65536 + 256, 65536 - 512, 131072 };
    char folder[] = "/tmp/strata-views-XXXXXX";
    bool compiles_late = false;
    uint32_t first = 0;
    use_folder(folder, 1);
    for (uint32_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        strata_gpu *g;
        const strata_gpu_config config = { .name = getenv("STRATA_TEST_DEVICE"), .ceiling = &none };
        assert_int_equal(strata_gpu_open(&g, &config), STRATA_OK);
        compiles_late = g->physical.compiles_at_launch;
        copy_texels(g, bytes[i]);
        strata_gpu_close(g);
        look(folder);
        if (i == 0) first = codes;
        if (compiles_late && !one_file) assert_int_equal(codes, first);
    }
    nftw(folder, erase, 16, FTW_DEPTH | FTW_PHYS);
    if (!compiles_late) skip();
}

/* What is recorded later does not hold up what runs now. */
static void later_recordings_wait(void **state)
{
    (void)state;
    char folder[] = "/tmp/strata-later-XXXXXX";
    const struct selftest_args args = { .n = 0 };
    const strata_gpu_launch launch[] = {
        { &selftest_layout, "PASS=FORWARD", NULL, &args, { 1, 1, 1 } },
        { &selftest_layout, "PASS=FORWARD GROUP=32", NULL, &args, { 1, 1, 1 } }
    };
    strata_gpu_recording *now, *later;
    strata_gpu *g;
    use_folder(folder, 3);
    assert_int_equal(
        strata_gpu_open(&g, &(strata_gpu_config) { .name = getenv("STRATA_TEST_DEVICE"), .ceiling = &none }),
        STRATA_OK);
    if (!g->physical.compiles_at_launch) { /* then nothing is ahead of anything */
        strata_gpu_close(g);
        nftw(folder, erase, 16, FTW_DEPTH | FTW_PHYS);
        skip();
    }
    assert_int_equal(strata_gpu_record(&now, g, launch, 1), STRATA_OK);
    assert_int_equal(strata_gpu_record(&later, g, launch, 2), STRATA_OK);
    assert_int_equal(g->n_to_warm, 2);
    assert_int_equal(strata_gpu_run(g, now), STRATA_OK);
    assert_int_equal(g->n_to_warm, 1);
    assert_int_equal(strata_gpu_run(g, later), STRATA_OK);
    assert_int_equal(g->n_to_warm, 0);
    strata_gpu_recording_close(now);
    strata_gpu_recording_close(later);
    strata_gpu_close(g);
    nftw(folder, erase, 16, FTW_DEPTH | FTW_PHYS);
}

/* Mesa 25 may not compile on two threads at a width that is not its own: then nothing is ahead. */
static void widths_that_compile_alone(void **state)
{
    (void)state;
    assert_true(gpu_compiles_alone("Mesa 25.0.7-2 (LLVM 15.0.6)", "512", 16));
    assert_true(gpu_compiles_alone("Mesa 25.0.7-2 (LLVM 15.0.6)", "128", 4));
    assert_false(gpu_compiles_alone("Mesa 25.0.7-2 (LLVM 15.0.6)", "256", 8));
    assert_false(gpu_compiles_alone("Mesa 25.0.7-2 (LLVM 15.0.6)", NULL, 4));
    assert_false(gpu_compiles_alone("Mesa 22.3.6 (LLVM 15.0.6)", "512", 16));
    assert_true(gpu_compiles_alone("?", "512", 16));

    char folder[] = "/tmp/strata-apart-XXXXXX";
    const struct selftest_args args = { .n = 0 };
    const strata_gpu_launch launch = { &selftest_layout, "PASS=FORWARD", NULL, &args, { 1, 1, 1 } };
    strata_gpu_recording *r;
    strata_gpu *g;
    use_folder(folder, 3);
    assert_int_equal(
        strata_gpu_open(&g, &(strata_gpu_config) { .name = getenv("STRATA_TEST_DEVICE"), .ceiling = &none }),
        STRATA_OK);
    g->physical.compiles_alone = true;
    assert_int_equal(strata_gpu_record(&r, g, &launch, 1), STRATA_OK);
    assert_int_equal(g->n_to_warm, 0);
    assert_int_equal(strata_gpu_run(g, r), STRATA_OK);
    strata_gpu_recording_close(r);
    strata_gpu_close(g);
    nftw(folder, erase, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    unsetenv("LP_NATIVE_VECTOR_WIDTH"); /* so that Mesa 25 may compile on several threads */
    const struct CMUnitTest tests[] = { cmocka_unit_test(equal_modules_have_one_pipeline),
                                        cmocka_unit_test(later_recordings_wait),
                                        cmocka_unit_test(views_share_code),
                                        cmocka_unit_test(launches_find_what_was_compiled_ahead),
                                        cmocka_unit_test(not_without_a_cache_of_mesas),
                                        cmocka_unit_test(widths_that_compile_alone) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

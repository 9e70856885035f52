/* The start-up test of subgroup operations. Drivers may report a size that they do not execute: lavapipe with
 * LP_NATIVE_VECTOR_WIDTH=1024 reports 32 and runs 16. A kernel that takes elements of other invocations would
 * compute wrong numbers there, so the size is believed only after the shader of this name gave what the host
 * computes. Shader: shaders/selftest.comp. */
#include <stdio.h>

#include "selftest.args.h" /* made from the shader by the build */
#include "vulkan/cache.h"

enum { GROUPS = 5, MAX_SUBGROUP = 128 };

/* What REDUCE gives for the element `i`: a sum over its subgroup, each member times an odd number of its own
 * place, so that no exchange and no omission of members goes unseen. */
static uint32_t expected(const uint32_t *x, uint32_t i, uint32_t size, uint32_t add)
{
    uint32_t first = i / size * size, sum = add;
    for (uint32_t k = 0; k < size; k++) sum += x[first + k] * (2 * k + 1);
    return sum * 256 + i % size;
}

static strata_status run(bool *right, strata_gpu *g, strata_block *block, uint32_t size)
{
    strata_status status = STRATA_OK;
    strata_gpu_recording *recording = NULL;
    uint32_t x[GROUPS * MAX_SUBGROUP], y[GROUPS * MAX_SUBGROUP];
    const uint32_t n = GROUPS * size;
    const uint64_t bytes = n * sizeof *x;
    char defines[96];
    for (uint32_t i = 0; i < n; i++) x[i] = i * 2654435761u; /* Knuth's: no two alike */
    const struct selftest_args args = { .x = { .block = block, .bytes = bytes },
                                        .y = { .block = block, .offset = sizeof x, .bytes = bytes },
                                        .n = n,
                                        .add = 7,
                                        .size = size };
    snprintf(defines, sizeof defines, "PASS=REDUCE GROUP=%u SG=%u SHUFFLE=%d", size, size, g->caps.shuffle);
    const strata_gpu_launch launch = {
        .layout = &selftest_layout, .defines = defines, .args = &args, .groups = { GROUPS, 1, 1 }
    };
    STRATA_GO(strata_gpu_write(g, args.x, x));
    STRATA_GO(strata_gpu_record(&recording, g, &launch, 1));
    STRATA_GO(strata_gpu_run(g, recording));
    STRATA_GO(strata_gpu_read(g, y, args.y));
    *right = true;
    for (uint32_t i = 0; i < n; i++) *right = *right && y[i] == expected(x, i, size, args.add);
done:
    strata_gpu_recording_close(recording);
    return status;
}

strata_status gpu_selftest(strata_gpu *g)
{
    const VkSubgroupFeatureFlags wanted = VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_BALLOT_BIT;
    const uint32_t size = g->caps.subgroup;
    char what[96];
    g->caps.subgroup = 0;
    if ((g->physical.subgroups & wanted) != wanted || size < 4 || size > MAX_SUBGROUP ||
        (size & (size - 1)) || size > g->caps.max_group)
        return STRATA_OK;
    snprintf(what, sizeof what, "subgroup-%u-%s", size, g->caps.shuffle ? "shuffle" : "broadcast");
    int verdict = g->sources.folder ? -1 : cache_verdict(g, what);
    if (verdict < 0) {
        bool right = false;
        strata_block block = { 0 };
        strata_status status = gpu_block_open_private(&block, g, 2 * GROUPS * MAX_SUBGROUP * sizeof(uint32_t),
                                                      STRATA_MEMORY_DEVICE);
        if (status == STRATA_OK) status = run(&right, g, &block, size);
        strata_gpu_block_close(&block, g);
        strata_gpu_block_close(&g->staging_up, g); /* all memory is left, as where the verdict was kept */
        strata_gpu_block_close(&g->staging_down, g);
        STRATA_TRY(status);
        verdict = right;
        cache_keep_verdict(g, what, verdict);
    }
    g->caps.subgroup = verdict ? size : 0;
    return STRATA_OK;
}

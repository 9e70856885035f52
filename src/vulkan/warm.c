#include "vulkan/warm.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/thread.h"
#include "vulkan/cache.h"
#include "vulkan/kernel.h"

enum {
    LEAST_JOBS = 4,   /* a device takes some 20 ms to open: what a few kernels take */
    MOST_DEVICES = 16 /* LLVM takes 100 MB and more for a large kernel */
};

/* The slices, then the push constants. */
typedef union arguments {
    strata_slice slice[STRATA_MAX_BINDINGS];
    char bytes[sizeof(strata_slice[STRATA_MAX_BINDINGS]) + STRATA_MAX_PUSH];
} arguments;

typedef struct job {
    const gpu_kernel *kernel;
    uint32_t views; /* views_of */
    const strata_gpu_launch *launch;
    bool done;
} job;

typedef struct jobs {
    strata_gpu *gpu;
    job *job; /* [n] those that take longest first, so that all threads end together */
    uint32_t n;
    atomic_uint next;
} jobs;

static void name_of(char out[48], const gpu_kernel *k, uint32_t views)
{
    snprintf(out, 48, "compiled-%016" PRIx64 "-%08x", k->hash, views);
}

/* Mesa's own ways to say it. */
static bool mesa_keeps_shaders(void)
{
    const char *off = getenv("MESA_SHADER_CACHE_DISABLE");
    if (!off) off = getenv("MESA_GLSL_CACHE_DISABLE");
    return !off || strchr("0nNfF", off[0]);
}

/* ---- One kernel ---------------------------------------------------------------------------------- */

/* Before Mesa 25 code is compiled for the texel views of a launch, in what a texture could have there: two
 * bits of each binding say whether the size of the buffer is a power of two, and whether bits 8 to 15 of the
 * view's size, the levels of a texture, are 0. */
enum { ROUND_BUFFER = 1, NO_LEVELS = 2 };

static uint32_t views_of(const gpu_kernel *k, const strata_gpu_launch *l)
{
    const strata_slice *slice = l->args;
    uint32_t views = 0;
    for (uint32_t i = 0; i < k->block.n_bindings; i++) {
        if (k->block.binding[i].kind != SPIRV_TEXEL || !slice[i].block) continue;
        const uint64_t room = gpu_block_room(slice[i].block);
        if ((room & (room - 1)) == 0) views |= (uint32_t)ROUND_BUFFER << 2 * i;
        if (((slice[i].bytes + 15) / 16 * 16 & 0xff00) == 0) views |= (uint32_t)NO_LEVELS << 2 * i;
    }
    return views;
}

/* Arguments of the same kind in the memory of a helper. The push constants stay: Mesa compiles some
 * kernels for their values. */
static strata_status stand_in(arguments *out, const strata_gpu *helper, const strata_block *odd, const job *j)
{
    const strata_gpu_launch *l = j->launch;
    const strata_slice *slice = l->args;
    if (l->layout->push_at + l->layout->push_bytes > sizeof *out || l->layout->n_slices > STRATA_MAX_BINDINGS)
        return STRATA_BAD_ARG;
    memcpy(out, l->args, l->layout->push_at + l->layout->push_bytes);
    for (uint32_t i = 0; i < l->layout->n_slices; i++) {
        if (!slice[i].block) continue;
        const uint32_t view = j->views >> 2 * i;
        out->slice[i] = (strata_slice) { .block = view & ROUND_BUFFER ? &helper->dummy : odd,
                                         .bytes = view & NO_LEVELS ? 16 : 256,
                                         .half = slice[i].half };
    }
    return STRATA_OK;
}

/* Launch no workgroup of it: the driver compiles before it looks at their number. */
static strata_status launch_none(strata_gpu *g, const strata_gpu_launch *l, const void *args)
{
    const strata_gpu_launch none = { .layout = l->layout, .defines = l->defines, .args = args };
    strata_gpu_recording *r;
    STRATA_TRY(strata_gpu_record(&r, g, &none, 1));
    const strata_status status = strata_gpu_run(g, r);
    strata_gpu_recording_close(r);
    return status;
}

static void work_on_own(jobs *all)
{
    for (uint32_t i; (i = atomic_fetch_add(&all->next, 1)) < all->n;) {
        job *j = &all->job[i];
        j->done = launch_none(all->gpu, j->launch, j->launch->args) == STRATA_OK;
    }
}

/* ---- Helpers ------------------------------------------------------------------------------------- */

static strata_status open_helper(strata_gpu **out, strata_block *odd, const strata_gpu *g)
{
    const strata_gpu_config config = { .name = g->caps.name,
                                       .shader_dir = g->shader_dir,
                                       .ceiling = &g->caps };
    STRATA_TRY(strata_gpu_open(out, &config));
    const VkPhysicalDeviceProperties *a = &g->physical.properties, *b = &(*out)->physical.properties;
    if (a->driverVersion != b->driverVersion ||
        memcmp(a->pipelineCacheUUID, b->pipelineCacheUUID, VK_UUID_SIZE) != 0)
        return STRATA_NO_DEVICE; /* another driver's device of that name */
    return gpu_block_open_private(odd, *out, 3 * STRATA_ALIGN, STRATA_MEMORY_DEVICE);
}

static void work_on_helper(jobs *all)
{
    strata_gpu *helper = NULL;
    strata_block odd = { 0 };
    arguments args;
    if (open_helper(&helper, &odd, all->gpu) == STRATA_OK)
        for (uint32_t i; (i = atomic_fetch_add(&all->next, 1)) < all->n;) {
            job *j = &all->job[i];
            j->done = stand_in(&args, helper, &odd, j) == STRATA_OK &&
                      launch_none(helper, j->launch, &args) == STRATA_OK;
        }
    if (!helper) return;
    helper->cache_changed = false; /* the caller keeps the same pipelines */
    strata_gpu_block_close(&odd, helper);
    strata_gpu_close(helper); /* its instance ends, for which the driver writes what is not yet on disk */
}

static void work(void *context, uint32_t device)
{
    jobs *all = context;
    if (device == 0)
        work_on_own(all);
    else if (atomic_load(&all->next) < all->n)
        work_on_helper(all);
}

/* ---- The list ------------------------------------------------------------------------------------ */

static bool listed(const jobs *all, const gpu_kernel *k, uint32_t views)
{
    for (uint32_t i = 0; i < all->n; i++)
        if (all->job[i].kernel == k && all->job[i].views == views) return true;
    return false;
}

static int slower_first(const void *a, const void *b)
{
    const double x = ((const job *)a)->kernel->seconds, y = ((const job *)b)->kernel->seconds;
    return x < y ? 1 : x > y ? -1 : 0;
}

void warm_kernels(strata_gpu *g, const gpu_kernel *const *kernel, const strata_gpu_launch *launch, uint32_t n)
{
    char name[48];
    uint32_t devices = strata_threads();
    if (!g->physical.compiles_at_launch || devices < 2 || !g->cache_folder[0] || !mesa_keeps_shaders())
        return;
    jobs all = { .gpu = g, .job = calloc(n ? n : 1, sizeof *all.job) };
    for (uint32_t i = 0; all.job && i < n; i++) {
        const uint32_t views = views_of(kernel[i], &launch[i]);
        if (listed(&all, kernel[i], views)) continue;
        name_of(name, kernel[i], views);
        if (cache_verdict(g, name) < 0)
            all.job[all.n++] = (job) { .kernel = kernel[i], .views = views, .launch = &launch[i] };
    }
    if (all.n >= LEAST_JOBS) {
        qsort(all.job, all.n, sizeof *all.job, slower_first);
        if (devices > MOST_DEVICES) devices = MOST_DEVICES;
        if (devices > all.n / 2) devices = all.n / 2;
        strata_thread_for_on(devices, devices, work, &all);
        for (uint32_t i = 0; i < all.n; i++) {
            name_of(name, all.job[i].kernel, all.job[i].views);
            if (all.job[i].done) cache_keep_verdict(g, name, 1);
        }
    }
    free(all.job);
}

#include "vulkan/warm.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/thread.h"
#include "vulkan/cache.h"
#include "vulkan/kernel.h"

enum { MOST_DEVICES = 16 }; /* LLVM takes 100 MB and more for a large kernel */

/* The slices, then the push constants. */
typedef union arguments {
    strata_slice slice[STRATA_MAX_BINDINGS];
    char bytes[sizeof(strata_slice[STRATA_MAX_BINDINGS]) + STRATA_MAX_PUSH];
} arguments;

struct warm_job {
    const gpu_kernel *kernel;
    arguments args;  /* of its first launch; of a slice only `half` and whether there is a block still hold */
    uint64_t number; /* of its first recording */
    bool done;
};

typedef struct jobs {
    const strata_gpu *gpu;
    warm_job *job; /* [n] those that take longest first, so that all threads end together */
    uint32_t n;
    atomic_uint next;
} jobs;

static void name_of(char out[48], const gpu_kernel *k) { snprintf(out, 48, "compiled-%016" PRIx64, k->hash); }

/* Mesa's own ways to say it. */
static bool mesa_keeps_shaders(void)
{
    const char *off = getenv("MESA_SHADER_CACHE_DISABLE");
    if (!off) off = getenv("MESA_GLSL_CACHE_DISABLE");
    return !off || strchr("0nNfF", off[0]);
}

/* ---- One kernel ---------------------------------------------------------------------------------- */

/* Arguments of the same kind in memory of `g`. The push constants stay: Mesa compiles some kernels for their
 * values. */
static void stand_in(arguments *out, const strata_gpu *g, const warm_job *j)
{
    *out = j->args;
    for (uint32_t i = 0; i < j->kernel->layout->n_slices; i++)
        if (out->slice[i].block)
            out->slice[i] = (strata_slice) { &g->dummy, 0, STRATA_ALIGN, out->slice[i].half };
}

/* Launch no workgroup of it: the driver compiles before it looks at their number. */
static strata_status launch_none(strata_gpu *g, const gpu_kernel *k, const arguments *args)
{
    const strata_gpu_launch none = { .layout = k->layout, .defines = k->defines, .args = args };
    strata_gpu_recording *r;
    STRATA_TRY(strata_gpu_record(&r, g, &none, 1));
    const strata_status status = strata_gpu_run(g, r);
    strata_gpu_recording_close(r);
    return status;
}

static void work_on(jobs *all, strata_gpu *g)
{
    for (uint32_t i; (i = atomic_fetch_add(&all->next, 1)) < all->n;) {
        arguments args;
        stand_in(&args, g, &all->job[i]);
        all->job[i].done = launch_none(g, all->job[i].kernel, &args) == STRATA_OK;
    }
}

/* ---- All of them ----------------------------------------------------------------------------------- */

static strata_status open_helper(strata_gpu **out, const strata_gpu *g)
{
    const strata_gpu_config config = { .name = g->caps.name,
                                       .shader_dir = g->shader_dir,
                                       .ceiling = &g->caps };
    STRATA_TRY(strata_gpu_open(out, &config));
    const VkPhysicalDeviceProperties *a = &g->physical.properties, *b = &(*out)->physical.properties;
    if (a->driverVersion == b->driverVersion &&
        memcmp(a->pipelineCacheUUID, b->pipelineCacheUUID, VK_UUID_SIZE) == 0)
        return STRATA_OK;
    return STRATA_NO_DEVICE; /* another driver's device of that name */
}

static void help(jobs *all)
{
    strata_gpu *helper = NULL;
    if (open_helper(&helper, all->gpu) == STRATA_OK) work_on(all, helper);
    if (!helper) return;
    helper->cache_changed = false; /* the caller keeps the same pipelines */
    strata_gpu_close(helper); /* its instance ends, for which the driver writes what is not yet on disk */
}

typedef struct crew {
    jobs all;
    strata_gpu *own;
} crew;

static void work(void *context, uint32_t device)
{
    crew *c = context;
    if (device == 0)
        work_on(&c->all, c->own);
    else if (atomic_load(&c->all.next) < c->all.n)
        help(&c->all);
}

static int slower_first(const void *a, const void *b)
{
    const warm_job *x = a, *y = b;
    return x->kernel->seconds < y->kernel->seconds ? 1 : x->kernel->seconds > y->kernel->seconds ? -1 : 0;
}

/* Take the jobs of recordings up to a number off the list, into memory of their own; NULL: there are none. */
static warm_job *take_jobs(strata_gpu *g, uint64_t number, uint32_t *n)
{
    uint32_t left = 0;
    *n = 0;
    for (uint32_t i = 0; i < g->n_to_warm; i++) *n += g->to_warm[i].number <= number;
    warm_job *job = *n ? malloc(*n * sizeof *job) : NULL;
    if (!job) return NULL;
    *n = 0;
    for (uint32_t i = 0; i < g->n_to_warm; i++) {
        if (g->to_warm[i].number <= number)
            job[(*n)++] = g->to_warm[i];
        else
            g->to_warm[left++] = g->to_warm[i];
    }
    g->n_to_warm = left;
    return job;
}

void warm_kernels(strata_gpu *g, uint64_t number)
{
    crew c = { .all = { .gpu = g }, .own = g };
    uint32_t devices = strata_threads();
    if (g->warming) return; /* what it launches itself */
    c.all.job = take_jobs(g, number, &c.all.n);
    if (!c.all.job) return;
    if (devices > MOST_DEVICES) devices = MOST_DEVICES;
    if (devices > c.all.n / 2) devices = c.all.n / 2;
    if (devices > 1) {
        char name[48];
        g->warming = true;
        qsort(c.all.job, c.all.n, sizeof *c.all.job, slower_first);
        strata_thread_for_on(devices, devices, work, &c);
        for (uint32_t i = 0; i < c.all.n; i++) {
            name_of(name, c.all.job[i].kernel);
            if (c.all.job[i].done) cache_keep_verdict(g, name, 1);
        }
        g->warming = false;
    }
    free(c.all.job);
}

/* ---- The list ------------------------------------------------------------------------------------ */

static bool noted(const strata_gpu *g, const gpu_kernel *k)
{
    for (uint32_t i = 0; i < g->n_to_warm; i++)
        if (g->to_warm[i].kernel->hash == k->hash) return true;
    return false;
}

static void note(strata_gpu *g, const gpu_kernel *k, const strata_gpu_launch *l, uint64_t number)
{
    char name[48];
    const uint32_t bytes = l->layout->push_at + l->layout->push_bytes;
    if (noted(g, k) || bytes > sizeof(arguments)) return;
    name_of(name, k);
    if (cache_verdict(g, name) >= 0) return;
    warm_job *more = realloc(g->to_warm, (g->n_to_warm + 1) * sizeof *more);
    if (!more) return;
    g->to_warm = more;
    more += g->n_to_warm++;
    *more = (warm_job) { .kernel = k, .number = number };
    memcpy(&more->args, l->args, bytes);
}

uint64_t warm_note(strata_gpu *g, const gpu_kernel *const *kernel, const strata_gpu_launch *launch,
                   uint32_t n)
{
    const uint64_t number = ++g->recordings;
    if (!g->physical.compiles_at_launch || g->physical.compiles_alone || g->warming || !g->cache_folder[0] ||
        strata_threads() < 2 || !mesa_keeps_shaders())
        return number;
    for (uint32_t i = 0; i < n; i++) note(g, kernel[i], &launch[i], number);
    return number;
}

void warm_forget(strata_gpu *g)
{
    free(g->to_warm);
    g->to_warm = NULL;
    g->n_to_warm = 0;
}

/* What a device can do at best.  Kernel: shaders/limits.comp.  Reference: src/cpu/limits.c. */
#include <stdio.h>

#include "core/clock.h"
#include "core/median.h"
#include "limits.args.h"
#include "ops/op.h"
#include "strata/bench.h"

enum {
    COPY_GPU = 64 << 20, /* beyond the caches of most */
    COPY_CPU = 16 << 20, /* a large activation; in its cache a processor is faster, and in neither limit */
    ROUNDS = 7,
    GROUPS_CPU = 64,
    GROUPS_GPU = 4096,
    RUNS = 64,
    EMPTY = 256
};
static const double LONG_ENOUGH = 0.02; /* seconds of a launch */

typedef struct gauge {
    strata_device *device;
    bool processor; /* time is that of the host's threads */
} gauge;

static uint32_t groups_of(const strata_caps *caps)
{
    return caps->vulkan && !caps->cpu_type ? GROUPS_GPU : GROUPS_CPU;
}

/* Record one kind of launch `times` times. */
static strata_status record(strata_stream **out, strata_device *d, const strata_launch *how,
                            const struct limits_args *args, uint32_t times)
{
    strata_status status = strata_stream_open(out, d);
    for (uint32_t i = 0; status == STRATA_OK && i < times; i++)
        status = strata_stream_launch(*out, &limits_kernel, how, args);
    if (status == STRATA_OK) status = strata_stream_end(*out);
    if (status == STRATA_OK) return STRATA_OK;
    strata_stream_close(*out);
    *out = NULL;
    return status;
}

/* The least time of a launch: what the device can do when nothing disturbs it. */
static strata_status fastest(double *out, const gauge *g, const strata_launch *how,
                             const struct limits_args *args)
{
    strata_status status = STRATA_OK;
    strata_stream *s = NULL;
    double seconds;
    STRATA_TRY(record(&s, g->device, how, args, 1));
    for (int i = 0; i <= ROUNDS; i++) { /* the first touches memory */
        STRATA_GO(strata_stream_time(s, &seconds, g->processor));
        if (i == 1 || (i > 1 && seconds < *out)) *out = seconds;
    }
done:
    strata_stream_close(s);
    return status;
}

/* One way to copy: `lanes` of a workgroup whose stores are written out (shaders/lane_stores.glsl), or 0,
 * `each` vectors to an invocation. */
static strata_status try_copy(strata_limits *out, const gauge *g, const struct limits_args *args,
                              uint32_t lanes, uint32_t each, bool texel)
{
    char defines[STRATA_SUBGROUP_DEFINES + 24];
    strata_launch how = { .pass = STRATA_FORWARD, .variant = "plain", .defines = defines };
    double seconds = 0;
    const uint32_t n = lanes ? strata_subgroup_defines(defines, strata_device_caps(g->device), true) : 0;
    snprintf(defines + n, sizeof defines - n, "%sEACH=%u%s", n ? " " : "", each, texel ? " TEXEL=1" : "");
    strata_grid(how.groups, args->n, (lanes ? lanes : STRATA_GROUP) * each);
    STRATA_TRY(fastest(&seconds, g, &how, args));
    const double bytes = (double)args->x.bytes + (double)args->y.bytes;
    if (seconds > 0 && bytes / seconds > out->bytes_per_s) out->bytes_per_s = bytes / seconds;
    return STRATA_OK;
}

/* Nobody knows beforehand which way is the fastest. All take whole workgroups, as x is a power of two. */
static strata_status measure_copy(strata_limits *out, const gauge *g, strata_slice x, strata_slice y)
{
    const strata_caps *caps = strata_device_caps(g->device);
    const struct limits_args args = { .x = x, .y = y, .n = (uint32_t)(x.bytes / 16) };
    const uint32_t lanes = strata_store_lanes(caps), most = caps->vulkan && !caps->cpu_type ? 8 : 1;
    const bool texels = caps->vulkan && args.n <= caps->max_texels;
    for (int texel = 0; texel <= texels; texel++) {
        for (uint32_t each = 1; each <= most; each *= 2) STRATA_TRY(try_copy(out, g, &args, 0, each, texel));
        for (uint32_t each = 8; lanes && texel == texels && each <= 32; each *= 2)
            STRATA_TRY(try_copy(out, g, &args, lanes, each, texel));
    }
    return STRATA_OK;
}

/* Chains of so many vectors at once, as long as a launch takes time enough to be measured. */
static strata_status measure_sums(strata_limits *out, const gauge *g, strata_slice x, strata_slice y,
                                  uint32_t sums)
{
    const strata_caps *caps = strata_device_caps(g->device);
    const uint32_t groups = groups_of(caps);
    const uint64_t invocations = (uint64_t)groups * STRATA_GROUP;
    char defines[16];
    snprintf(defines, sizeof defines, "SUMS=%u", sums);
    const strata_launch how = {
        .pass = STRATA_REDUCE, .variant = "plain", .defines = defines, .groups = { groups, 1, 1 }
    };
    struct limits_args args = { .x = strata_slice_part(x, 0, 32),
                                .y = strata_slice_part(y, 0, 16 * invocations),
                                .n = 16 };
    /* A clock that stands still ends it too. */
    const double began = strata_now();
    for (double seconds = 0; seconds < LONG_ENOUGH && strata_now() - began < 20 * LONG_ENOUGH; args.n *= 4) {
        STRATA_TRY(fastest(&seconds, g, &how, &args));
        const double flops = 2.0 * 4 * 16 * args.n * sums * (double)invocations;
        if (seconds > 0 && flops / seconds > out->flops_per_s) out->flops_per_s = flops / seconds;
    }
    return STRATA_OK;
}

static strata_status median_run(double *out, strata_stream *s)
{
    double seconds[RUNS];
    for (int i = 0; i < RUNS; i++) {
        const double start = strata_now();
        STRATA_TRY(strata_stream_run(s));
        seconds[i] = strata_now() - start;
    }
    *out = strata_median(seconds, RUNS);
    return STRATA_OK;
}

static strata_status measure_empty(strata_limits *out, strata_device *d)
{
    strata_status status = STRATA_OK;
    strata_stream *one = NULL, *many = NULL;
    const struct limits_args args = { .n = 0 };
    const strata_launch how = { .pass = STRATA_FORWARD, .variant = "plain", .defines = "" };
    double first = 0, all = 0;
    STRATA_GO(record(&one, d, &how, &args, 0));
    STRATA_GO(median_run(&out->submit_s, one));
    strata_stream_close(one);
    one = NULL;
    STRATA_GO(record(&one, d, &how, &args, 1));
    STRATA_GO(record(&many, d, &how, &args, 1 + EMPTY));
    STRATA_GO(median_run(&first, one));
    STRATA_GO(median_run(&all, many));
    out->dispatch_s = all > first ? (all - first) / EMPTY : 0;
done:
    strata_stream_close(one);
    strata_stream_close(many);
    return status;
}

strata_status strata_device_measure(strata_limits *out, strata_device *d, bool processor)
{
    const gauge g = { d, processor };
    static const uint32_t sums[] = { 2, 4, 6, 8 };
    const float factors[8] = { 0.5f, 0.5f, 0.5f, 0.5f, 1, 1, 1, 1 }; /* sums go to 2 */
    const strata_caps *caps = strata_device_caps(d);
    strata_status status = STRATA_OK;
    strata_block block = { 0 };
    uint64_t bytes = caps->vulkan && !caps->cpu_type ? COPY_GPU : COPY_CPU;
    const uint64_t least = 16 * (uint64_t)STRATA_GROUP * groups_of(caps);
    *out = (strata_limits) { .timestamps = strata_device_tells_time(d) };
    while (bytes > STRATA_ALIGN && (bytes > caps->max_range || 2 * bytes > caps->max_block ||
                                    (caps->memory && 4 * bytes > caps->memory)))
        bytes /= 2;
    if (bytes < least)
        return strata_fail(STRATA_BAD_ARG, "a measurement wants bindings of %llu bytes, %s has %llu",
                           (unsigned long long)least, caps->name, (unsigned long long)bytes);
    STRATA_TRY(strata_block_open(&block, d, 2 * bytes, STRATA_MEMORY_DEVICE));
    const strata_slice x = { &block, 0, bytes, false }, y = { &block, bytes, bytes, false };
    STRATA_GO(strata_device_fill(d, x, 0));
    STRATA_GO(strata_device_fill(d, y, 0));
    STRATA_GO(strata_device_write(d, strata_slice_part(x, 0, sizeof factors), factors));
    STRATA_GO(measure_copy(out, &g, x, y));
    for (size_t i = 0; i < (caps->vulkan ? sizeof sums / sizeof *sums : 1); i++)
        STRATA_GO(measure_sums(out, &g, x, y, caps->vulkan ? sums[i] : 1));
    STRATA_GO(measure_empty(out, d));
done:
    strata_block_close(&block, d);
    return status;
}

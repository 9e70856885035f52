/* What a device can do at best.  Kernel: shaders/limits.comp.  Reference: src/cpu/limits.c. */
#include <math.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/median.h"
#include "limits.args.h"
#include "ops/op.h"
#include "strata/bench.h"

enum {
    COPY = 64 << 20, /* the largest: beyond the caches of most, with the one that it goes to */
    LEAST_COPY = 1 << 20,
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

/* One way to copy: `lanes` of a workgroup whose stores are written out (shaders/lane_stores.glsl), or 0;
 * `each` vectors to an invocation, read as texels or not, by four pages at once or not. */
typedef struct copy_way {
    uint32_t lanes, each;
    bool texel, pages, left_out;
} copy_way;
enum { WAYS = 12 };

/* Nobody knows beforehand which way is the fastest. */
static void list_ways(copy_way *way, const strata_caps *caps, uint32_t quads)
{
    const uint32_t lanes = strata_store_lanes(caps), most = caps->vulkan && !caps->cpu_type ? 8 : 1;
    const bool texels = caps->vulkan && quads <= caps->max_texels;
    uint32_t n = 0;
    for (int texel = 0; texel <= texels; texel++) {
        for (uint32_t each = 1; each <= most; each *= 2)
            way[n++] = (copy_way) { .each = each, .texel = texel };
        for (uint32_t each = 8; lanes && texel == texels && each <= 32; each *= 2)
            for (int pages = 0; pages < 2; pages++)
                way[n++] = (copy_way) { .lanes = lanes, .each = each, .texel = texel, .pages = pages };
    }
}

static strata_status time_copy(double *seconds, const gauge *g, const struct limits_args *args,
                               const copy_way *w)
{
    char defines[STRATA_SUBGROUP_DEFINES + 40];
    strata_launch how = { .pass = STRATA_FORWARD, .variant = "plain", .defines = defines };
    const strata_caps *caps = strata_device_caps(g->device);
    const uint64_t parts = w->lanes ? args->n / (w->lanes * w->each) : 0;
    const uint32_t subgroups = strata_subgroups(caps, parts, 1);
    uint32_t n = w->lanes ? strata_subgroup_defines(defines, caps, true) : 0;
    if (w->lanes) n += (uint32_t)snprintf(defines + n, sizeof defines - n, " SUBGROUPS=%u", subgroups);
    snprintf(defines + n, sizeof defines - n, "%sEACH=%u%s%s", n ? " " : "", w->each,
             w->texel ? " TEXEL=1" : "", w->pages ? " PAGES=1" : "");
    *seconds = INFINITY;
    if (!w->lanes)
        strata_grid(how.groups, args->n, STRATA_GROUP * w->each);
    else if (!strata_grid_whole(how.groups, parts / subgroups))
        return STRATA_OK;
    return fastest(seconds, g, &how, args);
}

/* The fastest copy of x to y. A way that takes twice as long as another is not worth its time at larger
 * sizes: on some drivers that is ten times as long. All take whole workgroups, as x is a power of two. */
static strata_status measure_copy(strata_copy_limit *out, const gauge *g, strata_slice x, strata_slice y,
                                  copy_way *way)
{
    const strata_caps *caps = strata_device_caps(g->device);
    const struct limits_args args = { .x = x, .y = y, .n = (uint32_t)(x.bytes / 16) };
    double seconds[WAYS], least = INFINITY;
    for (int i = 0; i < WAYS; i++) {
        seconds[i] = INFINITY;
        if (way[i].each == 0 || way[i].left_out || (way[i].texel && args.n > caps->max_texels)) continue;
        STRATA_TRY(time_copy(&seconds[i], g, &args, &way[i]));
        if (seconds[i] > 0) least = fmin(least, seconds[i]);
    }
    for (int i = 0; i < WAYS; i++) way[i].left_out = seconds[i] > 2 * least;
    out->bytes = (double)x.bytes + (double)y.bytes;
    out->bytes_per_s = isfinite(least) ? out->bytes / least : 0;
    return STRATA_OK;
}

/* From the smallest to the largest, each four times the one before. */
static strata_status measure_copies(strata_limits *out, const gauge *g, strata_slice x, strata_slice y)
{
    copy_way way[WAYS] = { 0 };
    list_ways(way, strata_device_caps(g->device), (uint32_t)(LEAST_COPY / 16));
    for (int k = STRATA_COPIES - 1; k >= 0; k--) {
        const uint64_t bytes = x.bytes >> (2 * k);
        if (k > 0 && bytes < LEAST_COPY) continue;
        strata_copy_limit *copy = &out->copy[out->n_copies++];
        STRATA_TRY(
            measure_copy(copy, g, strata_slice_part(x, 0, bytes), strata_slice_part(y, 0, bytes), way));
        out->bytes_per_s = copy->bytes_per_s;
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
    uint64_t bytes = COPY;
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
    for (size_t i = 0; i < (caps->vulkan ? sizeof sums / sizeof *sums : 1); i++)
        STRATA_GO(measure_sums(out, &g, x, y, caps->vulkan ? sums[i] : 1));
    STRATA_GO(measure_copies(out, &g, x, y)); /* after work that lets a GPU's clock rise */
    STRATA_GO(measure_empty(out, d));
done:
    strata_block_close(&block, d);
    return status;
}

double strata_limits_seconds(const strata_limits *l, double flops, double bytes)
{
    double moved = 0;
    uint32_t k = 0;
    while (k + 1 < l->n_copies && l->copy[k].bytes < bytes) k++;
    if (l->n_copies > 0 && l->copy[k].bytes_per_s > 0) {
        const strata_copy_limit *to = &l->copy[k], *from = k > 0 ? to - 1 : NULL;
        const double end = to->bytes / to->bytes_per_s;
        moved = end * bytes / to->bytes;
        if (from && from->bytes_per_s > 0 && bytes < to->bytes) {
            const double begin = from->bytes / from->bytes_per_s;
            moved = begin + (end - begin) * (bytes - from->bytes) / (to->bytes - from->bytes);
        }
    }
    return fmax(moved, l->flops_per_s > 0 ? flops / l->flops_per_s : 0);
}

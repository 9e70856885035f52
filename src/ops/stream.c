/* Recordings. Launches are listed with a copy of their arguments; at the end the list becomes a Vulkan
 * command buffer, or stays what the reference runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "ops/inside.h"

strata_status strata_stream_open(strata_stream **out, strata_device *d)
{
    strata_stream *s = calloc(1, sizeof *s);
    *out = s;
    if (!s) return strata_fail(STRATA_NO_MEMORY, "the record of a stream");
    s->device = d;
    return STRATA_OK;
}

void strata_stream_close(strata_stream *s)
{
    if (!s) return;
    strata_gpu_recording_close(s->recording);
    strata_gpu_recording_close(s->timed);
    strata_arena_free(&s->arena);
    free(s->wide.host);
    free(s->launch);
    free(s);
}

strata_device *strata_stream_device(const strata_stream *s) { return s->device; }
void strata_stream_label(strata_stream *s, const char *label) { s->label = label; }

void strata_stream_step_values(strata_stream *s, strata_slice values) { s->step_values = values; }
strata_slice strata_stream_step_slice(const strata_stream *s) { return s->step_values; }

/* ---- A launch --------------------------------------------------------------------------------- */

/* The name of slice `i` in a signature "0:x 1:w | ...". */
static void slice_name(char out[48], const char *signature, uint32_t i)
{
    char mark[16];
    snprintf(mark, sizeof mark, "%u:", i);
    const char *at = signature;
    while (at && strncmp(at, mark, strlen(mark)) != 0) {
        at = strchr(at, ' ');
        if (at) at++;
    }
    if (!at || sscanf(at + strlen(mark), "%47[^ |]", out) != 1) snprintf(out, 48, "slice %u", i);
}

static strata_status check_slice(const strata_stream *s, const strata_args_layout *layout, strata_slice slice,
                                 uint32_t i)
{
    const strata_caps *caps = &s->device->caps;
    const char *wrong = NULL;
    uint64_t wanted = 0;
    if (!slice.block) return STRATA_OK;
    if (slice.bytes == 0 || slice.offset > slice.block->bytes ||
        slice.bytes > slice.block->bytes - slice.offset) {
        wrong = "bytes of its block";
        wanted = slice.block->bytes;
    } else if (slice.bytes > caps->max_range) {
        wrong = "bytes at most in one binding";
        wanted = caps->max_range;
    } else if (slice.offset % STRATA_ALIGN != 0) {
        wrong = "the alignment of its start";
        wanted = STRATA_ALIGN;
    }
    if (!wrong) return STRATA_OK;
    char name[48];
    slice_name(name, layout->signature, i);
    return strata_fail(STRATA_BAD_ARG, "%s (%s): %s has %llu bytes at %llu, %s: %llu", layout->stem,
                       s->label ? s->label : "no label", name, (unsigned long long)slice.bytes,
                       (unsigned long long)slice.offset, wrong, (unsigned long long)wanted);
}

static strata_status add(strata_stream *s, stream_launch **out)
{
    if (s->n == s->room) {
        uint32_t room = s->room ? 2 * s->room : 64;
        stream_launch **grown = realloc(s->launch, room * sizeof(stream_launch *));
        if (!grown) return strata_fail(STRATA_NO_MEMORY, "a list of %u launches", room);
        s->launch = grown;
        s->room = room;
    }
    *out = strata_arena_take(&s->arena, sizeof **out);
    return *out ? STRATA_OK : strata_fail(STRATA_NO_MEMORY, "the record of a launch");
}

static strata_gpu_launch gpu_launch(const stream_launch *l)
{
    return (strata_gpu_launch) { .layout = l->kernel->layout,
                                 .defines = l->defines,
                                 .label = l->recorded.label,
                                 .args = l->args,
                                 .groups = { l->recorded.groups[0], l->recorded.groups[1],
                                             l->recorded.groups[2] } };
}

/* Bit i: slice i has floats of 16 bits. */
static uint32_t halves_of(const strata_args_layout *layout, const strata_slice *slice)
{
    uint32_t half = 0;
    for (uint32_t i = 0; i < layout->n_slices; i++) half |= (uint32_t)slice[i].half << i;
    return half;
}

static strata_status fill(strata_stream *s, stream_launch *l, const strata_launch *how, const void *args)
{
    const strata_args_layout *layout = l->kernel->layout;
    const size_t bytes = layout->push_at + layout->push_bytes;
    const uint32_t half = halves_of(layout, args);
    const char *given = how->defines ? how->defines : "";
    char defines[48 + sizeof l->recorded.defines], halves[24] = "";
    if (strlen(given) > STRATA_MAX_DEFINES)
        return strata_fail(STRATA_BAD_ARG, "%s: defines of %zu characters, at most %d: \"%s\"", layout->stem,
                           strlen(given), STRATA_MAX_DEFINES, given);
    l->recorded = (strata_recorded) { .label = s->label,
                                      .stem = layout->stem,
                                      .variant = how->variant ? how->variant : "plain",
                                      .pass = how->pass,
                                      .split = how->split ? how->split : 1 };
    for (int i = 0; i < 3; i++) l->recorded.groups[i] = how->groups[i] ? how->groups[i] : 1;
    if (half) snprintf(halves, sizeof halves, "%sHALF=%u", *given ? " " : "", (unsigned)half);
    snprintf(l->recorded.defines, sizeof l->recorded.defines, "%s%s", given, halves);
    snprintf(defines, sizeof defines, "PASS=%s%s%s", strata_pass_name(how->pass),
             *l->recorded.defines ? " " : "", l->recorded.defines);
    void *copy = strata_arena_take(&s->arena, bytes ? bytes : 1);
    l->defines = strata_arena_text(&s->arena, defines);
    if (!copy || !l->defines)
        return strata_fail(STRATA_NO_MEMORY, "%s: the record of a launch", layout->stem);
    l->args = memcpy(copy, args, bytes);
    return STRATA_OK;
}

strata_status strata_stream_launch(strata_stream *s, const strata_kernel *kernel, const strata_launch *how,
                                   const void *args)
{
    const strata_slice *slice = args; /* every such struct begins with its slices */
    stream_launch *l = NULL;
    if (s->ended)
        return strata_fail(STRATA_BAD_ARG, "%s: a launch after its recording's end", kernel->layout->stem);
    for (uint32_t i = 0; i < kernel->layout->n_slices; i++)
        STRATA_TRY(check_slice(s, kernel->layout, slice[i], i));
    STRATA_TRY(add(s, &l));
    l->kernel = kernel;
    STRATA_TRY(fill(s, l, how, args));
    if (s->device->gpu) {
        const strata_gpu_launch launch = gpu_launch(l);
        STRATA_TRY(strata_gpu_check(s->device->gpu, &launch));
    }
    s->launch[s->n++] = l;
    return STRATA_OK;
}

/* ---- The whole -------------------------------------------------------------------------------- */

typedef enum recording_kind { RUN, TIMED, TIMED_APART } recording_kind;

static strata_status record_as(recording_kind kind, strata_gpu_recording **out, const strata_stream *s)
{
    strata_gpu *g = s->device->gpu;
    strata_gpu_launch *launch = calloc(s->n ? s->n : 1, sizeof *launch);
    if (!launch) return strata_fail(STRATA_NO_MEMORY, "a list of %u launches", s->n);
    for (uint32_t i = 0; i < s->n; i++) launch[i] = gpu_launch(s->launch[i]);
    strata_status status = kind == RUN ? strata_gpu_record(out, g, launch, s->n)
                                       : strata_gpu_record_timed(out, g, launch, s->n, kind == TIMED_APART);
    free(launch);
    return status;
}

strata_status strata_stream_end(strata_stream *s)
{
    if (s->ended) return strata_fail(STRATA_BAD_ARG, "a recording ended twice");
    if (s->device->gpu)
        STRATA_TRY(record_as(RUN, &s->recording, s));
    else
        STRATA_TRY(stream_take_room(s));
    s->ended = true;
    return STRATA_OK;
}

static strata_status make_kernels(strata_gpu *g, strata_stream *const *s, uint32_t n)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < n; i++) all += s[i]->n;
    strata_gpu_launch *launch = calloc(all ? all : 1, sizeof *launch);
    if (!launch) return strata_fail(STRATA_NO_MEMORY, "a list of %u launches", all);
    all = 0;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < s[i]->n; k++) launch[all++] = gpu_launch(s[i]->launch[k]);
    const strata_status status = strata_gpu_make(g, launch, all);
    free(launch);
    return status;
}

strata_status strata_streams_end(strata_stream *const *s, uint32_t n)
{
    if (n > 1 && s[0]->device->gpu) STRATA_TRY(make_kernels(s[0]->device->gpu, s, n));
    for (uint32_t i = 0; i < n; i++) STRATA_TRY(strata_stream_end(s[i]));
    return STRATA_OK;
}

void stream_run_on_cpu(const strata_stream *s)
{
    for (uint32_t i = 0; i < s->n; i++) stream_run_launch(s, s->launch[i]);
}

strata_status strata_stream_run(strata_stream *s)
{
    if (!s->ended) return strata_fail(STRATA_BAD_ARG, "a recording run before its end");
    if (s->device->gpu) return strata_gpu_run(s->device->gpu, s->recording);
    stream_run_on_cpu(s);
    return STRATA_OK;
}

strata_status strata_stream_time(strata_stream *s, double *seconds, bool processor)
{
    strata_gpu *g = s->device->gpu;
    if (!s->ended) return strata_fail(STRATA_BAD_ARG, "a recording timed before its end");
    if (g) {
        if (s->timed && s->timed_apart != processor) {
            strata_gpu_recording_close(s->timed);
            s->timed = NULL;
        }
        s->timed_apart = processor;
        if (!s->timed) STRATA_TRY(record_as(processor ? TIMED_APART : TIMED, &s->timed, s));
        return strata_gpu_run_timed(g, s->timed, seconds, processor);
    }
    for (uint32_t i = 0; i < s->n; i++) {
        const double start = processor ? strata_process_time() : strata_now();
        stream_run_launch(s, s->launch[i]);
        seconds[i] = (processor ? strata_process_time() : strata_now()) - start;
    }
    return STRATA_OK;
}

const strata_recorded *strata_stream_recorded(const strata_stream *s, uint32_t i)
{
    return i < s->n ? &s->launch[i]->recorded : NULL;
}

#include "check/guarded.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ZONE = 256 };                      /* bytes at least between two parts */
static const uint32_t guard = 0x7fe0bad0; /* NaN as a float */

strata_status guarded_init(guarded *g, const char *const *name, const uint64_t *bytes, uint32_t n)
{
    assert(n <= GUARDED_PARTS);
    *g = (guarded) { .name = name, .n = n };
    for (uint32_t i = 0; i < n; i++) {
        g->offset[i] = strata_align(g->total + ZONE);
        g->bytes[i] = bytes[i];
        g->total = g->offset[i] + bytes[i];
    }
    g->total = strata_align(g->total + ZONE);
    g->before = malloc(4 * g->total);
    if (!g->before) return strata_fail(STRATA_NO_MEMORY, "no memory for a check");
    g->want = g->before + g->total;
    g->got = g->want + g->total;
    g->again = g->got + g->total;
    for (uint64_t at = 0; at < g->total; at += 4) memcpy(g->before + at, &guard, sizeof guard);
    return STRATA_OK;
}

void guarded_free(guarded *g)
{
    free(g->before);
    *g = (guarded) { 0 };
}

strata_slice guarded_part(const guarded *g, const strata_block *block, uint32_t i)
{
    return (strata_slice) { .block = block, .offset = g->offset[i], .bytes = g->bytes[i] };
}

/* What one run works with. */
typedef struct job {
    const guarded *memory;
    strata_judge *judge;
    const char *label;
    guarded_recorder *record;
    const void *context;
} job;

static strata_status run(const job *w, strata_device *d, void *after)
{
    strata_status status = STRATA_OK;
    strata_block block = { 0 };
    strata_stream *s = NULL;
    const uint64_t bytes = w->memory->total;
    STRATA_GO(strata_block_open(&block, d, bytes, STRATA_MEMORY_DEVICE));
    STRATA_GO(strata_device_write(d, (strata_slice) { .block = &block, .bytes = bytes }, w->memory->before));
    STRATA_GO(strata_stream_open(&s, d));
    strata_stream_label(s, w->label);
    STRATA_GO(w->record(w->context, s, &block));
    STRATA_GO(strata_stream_end(s));
    STRATA_GO(strata_stream_run(s));
    STRATA_GO(strata_device_read(d, after, (strata_slice) { .block = &block, .bytes = bytes }));
    const strata_recorded *launch;
    for (uint32_t i = 0; d == w->judge->device && (launch = strata_stream_recorded(s, i)) != NULL; i++)
        strata_judge_launched(w->judge, launch);
done:
    strata_stream_close(s);
    if (block.host || block.device) strata_block_close(&block, d);
    return status;
}

strata_status guarded_run(guarded *g, strata_judge *j, const char *label, guarded_recorder *record,
                          const void *context)
{
    const job w = { g, j, label, record, context };
    STRATA_TRY(run(&w, j->reference, g->want));
    STRATA_TRY(run(&w, j->device, g->got));
    return run(&w, j->device, g->again);
}

void guarded_check_kept(const guarded *g, guarded_writable *may_write, const void *context, char *why,
                        size_t room)
{
    uint32_t i = 0;
    for (uint64_t at = 0; at < g->total && !*why; at += 4) {
        while (i < g->n && at >= g->offset[i] + g->bytes[i]) i++;
        const bool inside = i < g->n && at >= g->offset[i];
        if (inside && may_write(context, i, (at - g->offset[i]) / 4)) continue;
        if (memcmp(g->before + at, g->want + at, 4) == 0 && memcmp(g->before + at, g->got + at, 4) == 0)
            continue;
        snprintf(why, room, "%s %s changed",
                 inside ? "what must keep its bits in" : "the guard zone before",
                 i < g->n ? g->name[i] : "the end");
    }
}

void guarded_check_twice(const guarded *g, char *why, size_t room)
{
    if (!*why && memcmp(g->got, g->again, g->total) != 0) snprintf(why, room, "not the same bits twice");
}

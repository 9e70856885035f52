/* References compute with floats of 32 bits. A launch whose tensors have 16 gets copies of them, and those
 * that the kernel may write are rounded back. */
#include <stdlib.h>
#include <string.h>

#include "core/half.h"
#include "core/shape.h"
#include "core/thread.h"
#include "ops/inside.h"

enum { SHARE = 1 << 16 }; /* floats that a thread converts at a time */

typedef struct conversion {
    float *wide;
    uint16_t *half;
    uint64_t floats;
} conversion;

static uint64_t end_of(const conversion *c, uint32_t share)
{
    const uint64_t end = ((uint64_t)share + 1) * SHARE;
    return end < c->floats ? end : c->floats;
}

static void widen(void *context, uint32_t share)
{
    const conversion *c = context;
    for (uint64_t i = (uint64_t)share * SHARE; i < end_of(c, share); i++)
        c->wide[i] = strata_from_half(c->half[i]);
}

static void narrow(void *context, uint32_t share)
{
    const conversion *c = context;
    for (uint64_t i = (uint64_t)share * SHARE; i < end_of(c, share); i++)
        c->half[i] = strata_to_half(c->wide[i]);
}

static void convert(const strata_slice *wide, const strata_slice *half, void (*how)(void *, uint32_t))
{
    conversion c = { strata_slice_host(*wide), strata_slice_host(*half), half->bytes / 2 };
    strata_thread_for((uint32_t)((c.floats + SHARE - 1) / SHARE), how, &c);
}

static uint64_t room_of(const stream_launch *l)
{
    const strata_slice *slice = l->args;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < l->kernel->layout->n_slices; i++)
        if (slice[i].half) bytes += strata_align(2 * slice[i].bytes);
    return bytes;
}

strata_status stream_take_room(strata_stream *s)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (room_of(s->launch[i]) > most) most = room_of(s->launch[i]);
    if (most == 0) return STRATA_OK;
    s->wide = (strata_block) { .host = malloc(most), .bytes = most };
    return s->wide.host
               ? STRATA_OK
               : strata_fail(STRATA_NO_MEMORY, "%llu bytes for tensors of 16 bits", (unsigned long long)most);
}

void stream_run_launch(const strata_stream *s, const stream_launch *l)
{
    const strata_args_layout *layout = l->kernel->layout;
    union {
        strata_slice slice[STRATA_MAX_BINDINGS];
        char bytes[STRATA_MAX_BINDINGS * sizeof(strata_slice) + STRATA_MAX_PUSH];
    } args;
    const strata_slice *slice = l->args;
    uint64_t at = 0;
    if (!s->wide.host) {
        l->kernel->cpu(l->args, l->recorded.pass);
        return;
    }
    memcpy(args.bytes, l->args, layout->push_at + layout->push_bytes);
    for (uint32_t i = 0; i < layout->n_slices; i++) {
        if (!slice[i].half) continue;
        args.slice[i] = (strata_slice) { &s->wide, at, 2 * slice[i].bytes, false };
        at += strata_align(2 * slice[i].bytes);
        convert(&args.slice[i], &slice[i], widen);
    }
    l->kernel->cpu(args.bytes, l->recorded.pass);
    for (uint32_t i = 0; i < layout->n_slices; i++)
        if (slice[i].half && (layout->writes >> i & 1)) convert(&args.slice[i], &slice[i], narrow);
}

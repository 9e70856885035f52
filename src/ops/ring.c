/* The ring. On the reference a step is done when it is submitted; its slots are kept all the same, so that
 * what works there works on a device. */
#include <stdlib.h>
#include <string.h>

#include "ops/inside.h"

_Static_assert((int)STRATA_RING_SLOTS == (int)STRATA_GPU_RING_SLOTS, "one ring, two rooms");

struct strata_ring {
    strata_device *device; /* borrowed */
    strata_gpu_ring *gpu;  /* NULL: the reference, which uses the rest */
    strata_slice in, out;
    char *host_in, *host_out; /* of all slots */
    uint64_t submitted, seen;
};

static strata_status open_ring(strata_ring *r)
{
    if (r->device->gpu) return strata_gpu_ring_open(&r->gpu, r->device->gpu, r->in, r->out);
    r->host_in = calloc(STRATA_RING_SLOTS, r->in.bytes ? (size_t)r->in.bytes : 1);
    r->host_out = calloc(STRATA_RING_SLOTS, r->out.bytes ? (size_t)r->out.bytes : 1);
    if (r->host_in && r->host_out) return STRATA_OK;
    return strata_fail(STRATA_NO_MEMORY, "a ring of %llu and %llu bytes a step",
                       (unsigned long long)r->in.bytes, (unsigned long long)r->out.bytes);
}

strata_status strata_ring_open(strata_ring **out, strata_device *d, strata_slice in, strata_slice result)
{
    *out = NULL;
    if (in.bytes) STRATA_TRY(device_check_inside(in, "a ring's input"));
    if (result.bytes) STRATA_TRY(device_check_inside(result, "a ring's result"));
    strata_ring *r = calloc(1, sizeof *r);
    if (!r) return strata_fail(STRATA_NO_MEMORY, "the record of a ring");
    *r = (strata_ring) { .device = d, .in = in, .out = result };
    strata_status status = open_ring(r);
    if (status != STRATA_OK) {
        strata_ring_close(r);
        return status;
    }
    *out = r;
    return STRATA_OK;
}

void strata_ring_close(strata_ring *r)
{
    if (!r) return;
    strata_gpu_ring_close(r->gpu);
    free(r->host_in);
    free(r->host_out);
    free(r);
}

strata_status strata_ring_begin(strata_ring *r, void **in)
{
    if (r->gpu) return strata_gpu_ring_begin(r->gpu, in);
    *in = r->host_in + r->submitted % STRATA_RING_SLOTS * r->in.bytes;
    return STRATA_OK;
}

strata_status strata_ring_result(strata_ring *r, bool wait, uint64_t *step, const void **result)
{
    if (r->gpu) return strata_gpu_ring_result(r->gpu, wait, step, result);
    *result = NULL;
    if (r->seen == r->submitted) return STRATA_OK;
    *result = r->host_out + r->seen % STRATA_RING_SLOTS * r->out.bytes;
    *step = r->seen++;
    return STRATA_OK;
}

static strata_status submit_on_cpu(strata_ring *r, strata_stream *const *recordings, uint32_t n)
{
    const uint64_t slot = r->submitted % STRATA_RING_SLOTS;
    if (r->submitted - r->seen >= STRATA_RING_SLOTS)
        return strata_fail(STRATA_BAD_ARG, "a step submitted before the result of step %llu was taken",
                           (unsigned long long)r->seen);
    if (r->in.bytes) memcpy(strata_slice_host(r->in), r->host_in + slot * r->in.bytes, (size_t)r->in.bytes);
    for (uint32_t i = 0; i < n; i++) stream_run_on_cpu(recordings[i]);
    if (r->out.bytes)
        memcpy(r->host_out + slot * r->out.bytes, strata_slice_host(r->out), (size_t)r->out.bytes);
    r->submitted++;
    return STRATA_OK;
}

strata_status strata_ring_submit(strata_ring *r, strata_stream *const *recordings, uint32_t n)
{
    strata_gpu_recording *on_gpu[STRATA_GPU_RING_RECORDINGS];
    if (n > STRATA_GPU_RING_RECORDINGS)
        return strata_fail(STRATA_BAD_ARG, "a step of %u recordings, at most %d are taken", n,
                           STRATA_GPU_RING_RECORDINGS);
    for (uint32_t i = 0; i < n; i++) {
        if (!recordings[i]->ended || recordings[i]->device != r->device)
            return strata_fail(STRATA_BAD_ARG, "recording %u of a step %s", i,
                               recordings[i]->ended ? "is of another device" : "has not ended");
        on_gpu[i] = recordings[i]->recording;
    }
    return r->gpu ? strata_gpu_ring_submit(r->gpu, on_gpu, n) : submit_on_cpu(r, recordings, n);
}

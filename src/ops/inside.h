/* The insides that device.c, stream.c, ring.c and variant.c share. */
#ifndef STRATA_OPS_INSIDE_H
#define STRATA_OPS_INSIDE_H

#include "core/arena.h"
#include "ops/op.h"
#include "vulkan/gpu.h"

struct strata_device {
    strata_gpu *gpu; /* NULL: the CPU reference */
    strata_caps caps;
    uint64_t held; /* bytes of the reference's blocks */
};

/* Does the slice lie in its block? Errors: STRATA_BAD_ARG with `what` was tried and the figures. */
strata_status device_check_inside(strata_slice s, const char *what);

typedef struct stream_launch {
    strata_recorded recorded;
    const strata_kernel *kernel;
    const char *defines; /* with PASS */
    const void *args;
} stream_launch;

struct strata_stream {
    strata_device *device; /* borrowed */
    strata_arena arena;    /* of launches, arguments and texts */
    stream_launch **launch;
    uint32_t n, room;
    const char *label, *forced;
    strata_slice step_values;
    strata_gpu_recording *recording; /* after the end; NULL on the reference */
    strata_gpu_recording *timed;     /* made when times are first asked for */
    bool timed_apart;
    bool ended;
    strata_block wide; /* on the reference: room for copies of a launch's tensors of 16 bits */
};

/* Run a recording's launches on the reference. */
void stream_run_on_cpu(const strata_stream *s);

/* One of them; and before the first, the room for copies of tensors of 16 bits: owned by the stream. */
void stream_run_launch(const strata_stream *s, const stream_launch *l);
strata_status stream_take_room(strata_stream *s);

#endif

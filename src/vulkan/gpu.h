/* What the Vulkan room offers, without a word of Vulkan: src/ops builds its device layer on this. Contracts
 * not repeated here are those of the same call in ops/device.h. */
#ifndef STRATA_VULKAN_GPU_H
#define STRATA_VULKAN_GPU_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel.h"
#include "core/status.h"
#include "core/text.h"
#include "strata/device.h"

typedef struct strata_gpu strata_gpu;

typedef struct strata_gpu_config {
    const char *name;           /* "auto", a number of the list, or part of a name; NULL: "auto" */
    const char *shader_dir;     /* NULL: the embedded shaders */
    const strata_caps *ceiling; /* every limit is the least of the device's and this one's */
    bool validate, no_cache;
} strata_gpu_config;

/* Every Vulkan device in the driver's order; caps as they are, without the start-up test. *n out: how many,
 * at most `room`.
 * Errors: STRATA_NO_DEVICE without a loader, a driver or a device, with what to install. */
strata_status strata_gpu_list(strata_device_entry *out, uint32_t room, uint32_t *n);

/* Owner: caller; release with strata_gpu_close. Any number may be open. */
strata_status strata_gpu_open(strata_gpu **out, const strata_gpu_config *config);
void strata_gpu_close(strata_gpu *g);

const strata_caps *strata_gpu_caps(const strata_gpu *g);
unsigned strata_gpu_complaints(const strata_gpu *g, const char **first);

void strata_gpu_recall(strata_text *out, const strata_gpu *g, const char *what);
void strata_gpu_remember(const strata_gpu *g, const char *what, const char *text);

strata_status strata_gpu_block_open(strata_block *out, strata_gpu *g, uint64_t bytes,
                                    strata_memory_kind kind);
void strata_gpu_block_close(strata_block *b, strata_gpu *g);
strata_status strata_gpu_write(strata_gpu *g, strata_slice to, const void *from);
strata_status strata_gpu_read(strata_gpu *g, void *to, strata_slice from);
strata_status strata_gpu_fill(strata_gpu *g, const strata_slice *to, uint32_t n, uint32_t word, bool wait);

/* One launch of a recording. All borrowed until strata_gpu_record returns. */
typedef struct strata_gpu_launch {
    const strata_args_layout *layout;
    const char *defines; /* with PASS */
    const char *label;   /* for messages; NULL: none */
    const void *args;    /* the kernel's struct: slices, then push constants */
    uint32_t groups[3];  /* at least 1 each */
} strata_gpu_launch;

/* What can be said of a launch before its shader is compiled. Errors: STRATA_BAD_ARG. */
strata_status strata_gpu_check(const strata_gpu *g, const strata_gpu_launch *launch);

/* Compile what these launches need and is not compiled yet, on all cores: the more at once, the better they
 * are used. Errors: as strata_gpu_record. */
strata_status strata_gpu_make(strata_gpu *g, const strata_gpu_launch *launch, uint32_t n);

typedef struct strata_gpu_recording strata_gpu_recording;

/* Compile what is not compiled yet and record all launches, with the barriers between them.
 * Owner: caller; release with strata_gpu_recording_close when it does not run. */
strata_status strata_gpu_record(strata_gpu_recording **out, strata_gpu *g, const strata_gpu_launch *launch,
                                uint32_t n);
void strata_gpu_recording_close(strata_gpu_recording *r);
strata_status strata_gpu_run(strata_gpu *g, const strata_gpu_recording *r);

/* The same for measuring: each launch waits for the one before it and its time is taken, by timestamps of the
 * queue, or by the host with a submission for each launch: where the queue has none (strata_gpu_tells_time is
 * false), and where `apart` asks for it. seconds [n] out; `processor`: of the host's threads, of those taken
 * apart. */
strata_status strata_gpu_record_timed(strata_gpu_recording **out, strata_gpu *g,
                                      const strata_gpu_launch *launch, uint32_t n, bool apart);
strata_status strata_gpu_run_timed(strata_gpu *g, const strata_gpu_recording *r, double *seconds,
                                   bool processor);
bool strata_gpu_tells_time(const strata_gpu *g);

typedef struct strata_gpu_ring strata_gpu_ring;

enum { STRATA_GPU_RING_SLOTS = 3, STRATA_GPU_RING_RECORDINGS = 256 };

strata_status strata_gpu_ring_open(strata_gpu_ring **out, strata_gpu *g, strata_slice in,
                                   strata_slice result);
void strata_gpu_ring_close(strata_gpu_ring *r);
strata_status strata_gpu_ring_begin(strata_gpu_ring *r, void **in);
strata_status strata_gpu_ring_result(strata_gpu_ring *r, bool wait, uint64_t *step, const void **result);

/* At most STRATA_GPU_RING_RECORDINGS recordings. */
strata_status strata_gpu_ring_submit(strata_gpu_ring *r, strata_gpu_recording *const *recordings, uint32_t n);

#endif

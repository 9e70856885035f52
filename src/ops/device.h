/* Where kernels run: a Vulkan device or the CPU reference, behind one set of calls. Nothing above this room
 * knows which it is. */
#ifndef STRATA_OPS_DEVICE_H
#define STRATA_OPS_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/kernel.h"
#include "core/status.h"
#include "core/text.h"
#include "strata/device.h"

/* Messages of the validation layer so far, and the first of them ("" if none). */
unsigned strata_device_complaints(const strata_device *d, const char **first);

/* Text that is kept on disk between runs for this device, its driver, its limits as clamped, and the shaders:
 * `out` stays empty where there is none, where the file was damaged, on the reference, and with shaders from
 * a folder. Keeping it never fails: what is lost costs time only. */
void strata_device_recall(strata_text *out, const strata_device *d, const char *what);
void strata_device_remember(const strata_device *d, const char *what, const char *text);

/* ---- Memory ---------------------------------------------------------------------------- */

/* Owner: caller; release with strata_block_close. Errors: STRATA_DEVICE_MEMORY with the bytes asked and held.
 */
strata_status strata_block_open(strata_block *out, strata_device *d, uint64_t bytes, strata_memory_kind kind);
void strata_block_close(strata_block *b, strata_device *d);

/* Copy between the host and a slice of device memory, through staging where it must. Waits for the device. */
strata_status strata_device_write(strata_device *d, strata_slice to, const void *from);
strata_status strata_device_read(strata_device *d, void *to, strata_slice from);

/* Fill a slice with one 32-bit word (bytes a multiple of 4). Waits. */
strata_status strata_device_fill(strata_device *d, strata_slice to, uint32_t word);
/* The same for `n` slices, without a wait: what uses them later finds them filled. */
strata_status strata_device_fill_all(strata_device *d, const strata_slice *to, uint32_t n, uint32_t word);

/* ---- Recordings: launches recorded once, run any number of times ------------------------- */

typedef struct strata_stream strata_stream;

enum { STRATA_MAX_DEFINES = 199 };

typedef struct strata_launch {
    strata_pass pass;
    const char *variant; /* static text; its name in run.json and doctor */
    const char *defines; /* "TILE=64 SG=8", "" for none, at most STRATA_MAX_DEFINES characters; PASS and HALF
                           are added; read before the call returns. Where a device has several subgroup
                           sizes, SG asks for that one */
    uint32_t groups[3];  /* workgroups; 0 counts as 1. The CPU reference does not look at it */
    uint32_t split;      /* partial sums that it makes of each sum, for the record; 0 counts as 1 */
} strata_launch;

/* Begin an empty recording. Owner: caller; release with strata_stream_close when it does not run. */
strata_status strata_stream_open(strata_stream **out, strata_device *d);
void strata_stream_close(strata_stream *s);

strata_device *strata_stream_device(const strata_stream *s);

/* Say what the next launches belong to, for messages and run.json; borrowed static or arena text. */
void strata_stream_label(strata_stream *s, const char *label);

/* Record one launch; `args` is the kernel's struct, read before the call returns; the blocks of its slices
 * must outlive the recording. A barrier is recorded before it exactly where it touches bytes that a launch
 * since the last barrier wrote (or writes bytes that one read).
 * Errors: STRATA_BAD_ARG for slices, groups or push constants that do not fit the device's limits. */
strata_status strata_stream_launch(strata_stream *s, const strata_kernel *kernel, const strata_launch *how,
                                   const void *args);

/* End the recording; no launch may follow. Compiles what is not compiled yet. Errors: STRATA_BAD_SHADER
 * (file:line); STRATA_BAD_ARG for a shader that wants more than the device has: invocations, shared memory,
 * texels. */
strata_status strata_stream_end(strata_stream *s);
/* The same for `n` of one device, whose kernels are made all at once. */
strata_status strata_streams_end(strata_stream *const *s, uint32_t n);

/* Run it once and wait. For tests and one-off work; a training step goes through a ring. */
strata_status strata_stream_run(strata_stream *s);

/* Run it once with the time of each launch, and wait. seconds [launches] out. A second recording is made for
 * it at the first call, in which every launch waits for the one before it: their sum is more than what the
 * recording takes. Times are the device's own where strata_device_tells_time, else the host's around a
 * submission of each launch; with `processor` the time of all threads of this process around it, which is
 * what a software device works, whatever else the machine does. */
strata_status strata_stream_time(strata_stream *s, double *seconds, bool processor);
bool strata_device_tells_time(const strata_device *d);

/* What was recorded, launch by launch; borrowed until the stream closes. NULL past the end. */
typedef struct strata_recorded {
    const char *label, *stem, *variant;
    char defines[STRATA_MAX_DEFINES + 24]; /* HALF among them */
    strata_pass pass;
    uint32_t groups[3], split;
} strata_recorded;
const strata_recorded *strata_stream_recorded(const strata_stream *s, uint32_t i);

/* ---- The ring: uploads in, results out, recordings run without a wait --------------------- */

enum { STRATA_RING_SLOTS = 3 };
typedef struct strata_ring strata_ring;

/* Make a ring that copies `in.bytes` to `in` before the recordings of a step, and `result.bytes` from
 * `result` after them.
 * Owner:  caller; release with strata_ring_close, which waits. */
strata_status strata_ring_open(strata_ring **out, strata_device *d, strata_slice in, strata_slice result);
void strata_ring_close(strata_ring *r);

/* Host memory of the next step, [in.bytes], to be filled before submit. It keeps what was written there
 * STRATA_RING_SLOTS steps ago.
 * Waits:  for the step STRATA_RING_SLOTS ago, which is usually over. */
strata_status strata_ring_begin(strata_ring *r, void **in);

/* Take the oldest result not taken yet. Must be called between begin and submit until it gives NULL.
 *   step    out: its number from 0
 *   result  out: [result.bytes], until the next submit; NULL if none is ready
 * Waits:  only if `wait`. */
strata_status strata_ring_result(strata_ring *r, bool wait, uint64_t *step, const void **result);

/* Submit upload, then `n` recordings in order, then download. All recordings are ended ones of this device.
 */
strata_status strata_ring_submit(strata_ring *r, strata_stream *const *recordings, uint32_t n);

#endif

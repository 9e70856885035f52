/* Kernels compiled ahead, on all cores, for a driver that compiles one when it is first launched: lavapipe,
 * on the one thread of a device's queue. What it compiled lies in Mesa's cache on disk, where another device
 * finds it. So each core but one opens a device of its own, launches kernels with no workgroup there and
 * closes it; the caller's device takes its share, too. What Mesa's cache holds is remembered beside our own.
 * Where Mesa may not compile on two threads (gpu_compiles_alone), nothing is ahead. */
#ifndef STRATA_VULKAN_WARM_H
#define STRATA_VULKAN_WARM_H

#include "vulkan/device.h"

/* Note the kernels of a recording's launches that Mesa's cache is not known to hold.
 *   kernel  [n] those of the launches
 * Returns: the recording's number, which counts them.
 * Owner:  the arguments are copied; kernels live as long as the device. */
uint64_t warm_note(strata_gpu *g, const gpu_kernel *const *kernel, const strata_gpu_launch *launch,
                   uint32_t n);

/* Compile what was noted of recordings up to this number, before it runs: a first step does not wait for what
 * evaluation alone launches, which is recorded after it. A warm-up only: what fails here, or is too little to
 * be shared, is compiled at its first launch.
 * Waits:  until all are compiled and written. */
void warm_kernels(strata_gpu *g, uint64_t number);

void warm_forget(strata_gpu *g); /* what was noted */

#endif

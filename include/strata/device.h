/* Devices: what there is, what it can do, and opening one. */
#ifndef STRATA_DEVICE_H
#define STRATA_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "strata/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a device can do, asked once when it is opened, clamped by `strata_device_config.limits`. For the CPU
 * reference every limit is wide and `vulkan` is false. */
typedef struct strata_caps {
    bool vulkan;      /* false: the CPU reference */
    bool cpu_type;    /* a Vulkan driver that runs on the processor: lavapipe, SwiftShader */
    char name[256];   /* "llvmpipe (LLVM 15.0.6, 256 bits)" */
    char driver[256]; /* "llvmpipe Mesa 22.3.6 (LLVM 15.0.6)" */
    uint32_t vendor_id, device_id, driver_id, driver_version, api_version;
    uint32_t
        subgroup; /* invocations in a subgroup, where the start-up test found its operations right; else 0 */
    bool shuffle; /* subgroupShuffle may be used (else subgroupBroadcast), where `subgroup` is not 0 */
    uint32_t max_group;    /* invocations in a workgroup */
    uint32_t shared_bytes; /* shared memory of a workgroup */
    uint64_t max_range;    /* bytes of one bound slice */
    uint64_t max_block;    /* bytes of one memory block, at most 1 GiB */
    uint32_t max_texels;   /* of a uniform texel buffer (16 bytes each); 0: none */
    uint32_t cores;        /* compute units; of software devices threads; 0: not known */
    uint64_t memory;       /* bytes of the largest device-local heap */
    bool doubles;          /* shaders may use floats of 64 bits */
    bool addresses;        /* and store to the addresses of buffers; asked of software devices only */
} strata_caps;

typedef struct strata_device strata_device;

typedef struct strata_device_config { /* all-zero: the best Vulkan device */
    const char
        *name; /* "auto" (default), "cpu", a number of strata_device_list, or part of a device's name */
    const char *shader_dir; /* NULL: the embedded shaders */
    const char *limits; /* NULL or "range=1048576,group=128,shared=16384,texels=0,subgroup=0,...": clamps, for
                           pretending to be a smaller device */
    bool validate;      /* the Khronos validation layer, core and synchronization */
    bool no_cache;      /* neither read nor write the shader and pipeline cache */
} strata_device_config;

/* Open a device. Owner: caller; release with strata_device_close, after everything made from it.
 * Errors: STRATA_NO_DEVICE with what to install or which names exist; STRATA_BAD_ARG for a name or limit that
 * is not understood. */
STRATA_API strata_status strata_device_open(strata_device **out, const strata_device_config *config);
STRATA_API void strata_device_close(strata_device *d);

STRATA_API const strata_caps *strata_device_caps(const strata_device *d);

/* ---- Listing ---------------------------------------------------------------------------- */

typedef struct strata_device_entry {
    strata_caps caps;
    const char *type; /* "discrete", "integrated", "virtual", "software", "other", "reference" */
    uint32_t subgroup_min, subgroup_max; /* what a kernel may ask for; the same: caps.subgroup and no other */
    bool fp16, usable;
    bool automatic; /* what "auto" takes; the reference is never taken unasked */
    char why[160];  /* why not usable, or "" */
} strata_device_entry;

/* Up to `room` devices, the CPU reference last (always present). *n out: how many. Without a loader or a
 * driver the reference alone is listed and `*note` says what to install (thread's message memory), else "".
 */
STRATA_API strata_status strata_device_list(strata_device_entry *out, uint32_t room, uint32_t *n,
                                            const char **note);

#ifdef __cplusplus
}
#endif
#endif

/* The inside of an open Vulkan device: for the files of this room only. */
#ifndef STRATA_VULKAN_DEVICE_H
#define STRATA_VULKAN_DEVICE_H

#include <string.h>

#include <volk.h>

#include "vulkan/gpu.h"
#include "vulkan/glsl.h"

typedef struct gpu_kernel gpu_kernel;
typedef struct gpu_memory gpu_memory;
typedef struct warm_job warm_job;

/* A Vulkan instance with its validation messages. */
typedef struct gpu_instance {
    VkInstance handle;
    VkDebugUtilsMessengerEXT messenger;
    PFN_vkDestroyDebugUtilsMessengerEXT destroy_messenger; /* not volk's: another instance may lack it */
    unsigned complaints;
    char first_complaint[2048];
} gpu_instance;

/* One physical device and what was asked of it. */
typedef struct gpu_physical {
    VkPhysicalDevice handle;
    VkPhysicalDeviceProperties properties;
    strata_device_entry entry;
    uint32_t family;                  /* of the compute queue; one without graphics where there is one */
    bool portability_subset;          /* must be enabled where it exists */
    bool compiles_at_launch;          /* a kernel when it is first launched, on one thread */
    bool compiles_alone;              /* gpu_compiles_alone */
    bool subgroup_size_control;       /* a pipeline may ask for its subgroup size */
    VkSubgroupFeatureFlags subgroups; /* operations of compute shaders */
    uint32_t subgroup;                /* as reported */
    uint32_t time_bits;               /* of the queue's timestamps; 0: it has none */
} gpu_physical;

struct strata_gpu {
    gpu_instance instance;
    gpu_physical physical;
    strata_caps caps;
    VkPhysicalDeviceMemoryProperties memory;
    VkDevice device;
    struct VolkDeviceTable vk; /* of this device: several may be open */
    VkQueue queue;
    VkCommandPool pool;
    VkCommandBuffer once;    /* recorded anew for each copy or fill */
    VkCommandBuffer to_host; /* recorded once: what was written becomes visible to the host */
    VkFence once_fence;
    bool once_runs; /* `once` was submitted and not waited for */
    VkPipelineCache cache;
    bool cache_changed;
    char cache_folder[800]; /* "" when nothing is kept */
    glsl_sources sources;
    char *shader_dir;
    gpu_kernel *kernels; /* a list */
    warm_job *to_warm;   /* [n_to_warm] kernels to compile before a recording runs that launches them */
    uint32_t n_to_warm;
    uint64_t recordings;      /* made so far */
    bool warming;             /* they are being compiled: nothing is noted */
    gpu_memory *not_coherent; /* a list: mapped memory to flush and invalidate */
    strata_block dummy;       /* [GPU_DUMMIES, STRATA_ALIGN] bound where a launch has no tensor */
    strata_block staging_up, staging_down; /* of copies; made at the first one */
    uint64_t held;                         /* bytes of all blocks */
};

enum { GPU_DUMMIES = 256, GPU_VIEW_MORE = 256 }; /* the second in bytes */

/* ---- instance.c */
strata_status gpu_instance_open(gpu_instance *out, bool validate);
void gpu_instance_close(gpu_instance *i);
strata_status gpu_physical_list(gpu_physical *out, uint32_t room, uint32_t *n, const gpu_instance *i);
strata_status gpu_physical_choose(gpu_physical *out, const gpu_instance *i, const char *name);
/* May lavapipe not compile on two threads of a process, be it for two devices?
 *   mesa   its driverInfo
 *   width  LP_NATIVE_VECTOR_WIDTH; NULL: not set */
bool gpu_compiles_alone(const char *mesa, const char *width, uint32_t subgroup);

/* Loader calls write volk's process-wide pointers: one thread at a time. */
void gpu_lock(void);
void gpu_unlock(void);

/* ---- memory.c */
VkBuffer gpu_block_buffer(const strata_block *b);
/* Where the buffer begins for shaders; only where caps.addresses. */
uint64_t gpu_block_address(const strata_gpu *g, const strata_block *b);

/* Make a mapped block's host writes visible to the device, or the device's to the host. Only for memory
 * that is not coherent is there anything to do. */
strata_status gpu_block_flush(const strata_gpu *g, const strata_block *b, uint64_t offset, uint64_t bytes);
strata_status gpu_block_invalidate(const strata_gpu *g, const strata_block *b, uint64_t offset,
                                   uint64_t bytes);

/* A mapped block that is not in the list of those flushed at every submission: its owner does that. */
strata_status gpu_block_open_private(strata_block *out, strata_gpu *g, uint64_t bytes,
                                     strata_memory_kind kind);

/* Submit with what every submission needs: flushes of mapped memory before it. */
strata_status gpu_submit(strata_gpu *g, const VkCommandBuffer *commands, uint32_t n, VkFence fence);
/* The same and wait; afterwards the host sees what was written. */
strata_status gpu_submit_and_wait(strata_gpu *g, const VkCommandBuffer *commands, uint32_t n);

void gpu_barrier(const strata_gpu *g, VkCommandBuffer c, VkPipelineStageFlags from, VkAccessFlags wrote,
                 VkPipelineStageFlags to, VkAccessFlags uses);

/* ---- selftest.c */
/* Set caps.subgroup to what subgroup operations were seen to do right: the reported size or 0. */
strata_status gpu_selftest(strata_gpu *g);

/* Fail as `result` asks; `what` was tried. */
strata_status gpu_fail(VkResult result, const char *what);

/* The message holds the call's name only: its text may be a whole compound literal. */
#define GPU_TRY(call)                                                                                        \
    do {                                                                                                     \
        VkResult gpu_result = (call);                                                                        \
        if (gpu_result != VK_SUCCESS) return gpu_fail(gpu_result, #call);                                    \
    } while (0)

#endif

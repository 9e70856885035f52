/* One Vulkan device, its queue, its memory blocks and its pipeline cache. */
#ifndef STRATA_VULKAN_DEVICE_H
#define STRATA_VULKAN_DEVICE_H

#include <string.h>

#include <volk.h>

#include "core/kernel.h"
#include "core/status.h"

typedef struct gpu {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    VkDevice device;
    VkQueue queue;
    uint32_t family;
    VkCommandPool pool;
    VkDescriptorPool descriptors;
    VkBufferView view[256]; /* of recorded launches that read texels; destroyed with the device */
    uint32_t n_views;
    VkPipelineCache cache;
    char cache_path[1024]; /* "" when no folder can be had: then nothing is kept */
    VkDebugUtilsMessengerEXT messenger;
    unsigned complaints; /* messages of the validation layer */
} gpu;

/* Open the first device. `validate` asks for the validation layer with synchronization checks, if it is
 * installed. Owner:  caller; release with gpu_close. Errors: STRATA_NO_DEVICE with what to install,
 * STRATA_DEVICE. */
strata_status gpu_open(gpu *out, int validate);
void gpu_close(gpu *g);

/* Memory that the host sees (mapped, coherent) or that is the device's own; usable as storage and for copies.
 */
strata_status block_open(strata_block *out, gpu *g, uint64_t bytes, int host_visible);
void block_close(strata_block *b, gpu *g);
VkBuffer block_buffer(const strata_block *b);

/* The message holds the call's name only: its text may be a whole compound literal. */
#define GPU_TRY(call)                                                                                        \
    do {                                                                                                     \
        VkResult gpu_result = (call);                                                                        \
        if (gpu_result != VK_SUCCESS)                                                                        \
            return strata_fail(STRATA_DEVICE, "%.*s: VkResult %d", (int)strcspn(#call, "("), #call,          \
                               gpu_result);                                                                  \
    } while (0)

#endif

/* Launches recorded into one command buffer, with the descriptor sets and texel views they use. */
#ifndef STRATA_VULKAN_RECORDING_H
#define STRATA_VULKAN_RECORDING_H

#include "vulkan/device.h"

/* A recording has its own pools, so that one can be closed and remade while others live. */
struct strata_gpu_recording {
    strata_gpu *gpu; /* borrowed */
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkDescriptorPool descriptors;
    VkBufferView *view; /* [n_views] */
    uint32_t n_views;
    uint32_t n_barriers; /* between launches */
    uint32_t n_dummies;  /* bound so far */
    VkQueryPool times;   /* [n_launches + 1] of a timed one: before the first launch and after each */
    strata_gpu_recording **single; /* [n_launches] of a timed one where the queue tells no time: one of each
                                      launch */
    uint32_t n_launches;           /* of a timed one */
    uint64_t number;               /* see warm_note */
};

#endif

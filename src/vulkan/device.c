/* Opening a device: the one queue, its pools, its limits as clamped, and how Vulkan's errors become ours. */
#include "vulkan/device.h"

#include <stdio.h>
#include <stdlib.h>

#include "vulkan/cache.h"
#include "vulkan/kernel.h"
#include "vulkan/warm.h"

extern const glsl_file strata_shader_files[]; /* made by the build */
extern const uint32_t strata_n_shader_files;

strata_status gpu_fail(VkResult result, const char *what)
{
    const char *call = what; /* "g->vk.vkWaitForFences(...)" or "vkCreateDevice" */
    while (*call && !(strncmp(call, "vk", 2) == 0 && call[2] >= 'A' && call[2] <= 'Z')) call++;
    if (!*call) call = what;
    const int length = (int)strcspn(call, "(");
    switch (result) {
    case VK_ERROR_DEVICE_LOST:
        return strata_fail(
            STRATA_DEVICE_LOST,
            "%.*s: the device was lost (a driver reset, often after a launch that took too long)", length,
            call);
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
        return strata_fail(STRATA_DEVICE_MEMORY, "%.*s: out of device memory", length, call);
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        return strata_fail(STRATA_NO_MEMORY, "%.*s: out of host memory", length, call);
    default: return strata_fail(STRATA_DEVICE, "%.*s: VkResult %d", length, call, result);
    }
}

static void take_least(strata_caps *c, const strata_caps *ceiling)
{
#define LEAST(member)                                                                                        \
    if (ceiling->member < c->member) c->member = ceiling->member
    LEAST(max_group);
    LEAST(shared_bytes);
    LEAST(max_range);
    LEAST(max_block);
    LEAST(max_texels);
    LEAST(memory);
    if (ceiling->cores) c->cores = ceiling->cores; /* how sums are split, also for more than there are */
    if (ceiling->subgroup < c->subgroup) c->subgroup = 0; /* a smaller one cannot be had */
}

static strata_status open_device(strata_gpu *g)
{
    const float priority = 1;
    const char *extension[3];
    uint32_t n = 0;
    if (g->physical.portability_subset) extension[n++] = "VK_KHR_portability_subset";
    if (g->physical.subgroup_size_control) extension[n++] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME;
    if (g->caps.addresses) extension[n++] = VK_KHR_BUFFER_DEVICE_ADDRESS_EXTENSION_NAME;
    const VkDeviceQueueCreateInfo queue = { .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                            .queueFamilyIndex = g->physical.family,
                                            .queueCount = 1,
                                            .pQueuePriorities = &priority };
    const VkPhysicalDeviceSubgroupSizeControlFeaturesEXT sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES_EXT,
        .subgroupSizeControl = VK_TRUE
    };
    const VkPhysicalDeviceBufferDeviceAddressFeatures addresses = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES,
        .pNext = g->physical.subgroup_size_control ? (void *)&sizes : NULL,
        .bufferDeviceAddress = VK_TRUE
    };
    const VkPhysicalDeviceFeatures features = { .shaderFloat64 = g->physical.entry.caps.doubles };
    const VkDeviceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                      .pNext = g->caps.addresses ? &addresses : addresses.pNext,
                                      .queueCreateInfoCount = 1,
                                      .pQueueCreateInfos = &queue,
                                      .enabledExtensionCount = n,
                                      .ppEnabledExtensionNames = extension,
                                      .pEnabledFeatures = &features };
    GPU_TRY(vkCreateDevice(g->physical.handle, &info, NULL, &g->device));
    volkLoadDeviceTable(&g->vk, g->device);
    g->vk.vkGetDeviceQueue(g->device, g->physical.family, 0, &g->queue);
    return STRATA_OK;
}

static strata_status open_commands(strata_gpu *g)
{
    VkCommandBuffer commands[2];
    GPU_TRY(g->vk.vkCreateCommandPool(
        g->device,
        &(VkCommandPoolCreateInfo) { .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                     .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                     .queueFamilyIndex = g->physical.family },
        NULL, &g->pool));
    GPU_TRY(g->vk.vkAllocateCommandBuffers(
        g->device,
        &(VkCommandBufferAllocateInfo) { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                         .commandPool = g->pool,
                                         .commandBufferCount = 2 },
        commands));
    g->once = commands[0];
    g->to_host = commands[1];
    GPU_TRY(g->vk.vkCreateFence(g->device,
                                &(VkFenceCreateInfo) { .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO }, NULL,
                                &g->once_fence));
    GPU_TRY(g->vk.vkBeginCommandBuffer(
        g->to_host, &(VkCommandBufferBeginInfo) { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO }));
    gpu_barrier(g, g->to_host, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    GPU_TRY(g->vk.vkEndCommandBuffer(g->to_host));
    return STRATA_OK;
}

static strata_status open_in_loader(strata_gpu *g, const strata_gpu_config *config)
{
    STRATA_TRY(gpu_instance_open(&g->instance, config->validate));
    STRATA_TRY(gpu_physical_choose(&g->physical, &g->instance, config->name));
    vkGetPhysicalDeviceMemoryProperties(g->physical.handle, &g->memory);
    g->caps = g->physical.entry.caps;
    take_least(&g->caps, config->ceiling);
    return open_device(g);
}

static strata_status open_all(strata_gpu *g, const strata_gpu_config *config)
{
    gpu_lock();
    strata_status status = open_in_loader(g, config);
    gpu_unlock();
    STRATA_TRY(status);
    g->sources = (glsl_sources) { .file = strata_shader_files, .n_files = strata_n_shader_files };
    if (config->shader_dir) {
        g->shader_dir = malloc(strlen(config->shader_dir) + 1);
        if (!g->shader_dir) return strata_fail(STRATA_NO_MEMORY, "the name of the shader folder");
        g->sources.folder = strcpy(g->shader_dir, config->shader_dir);
    }
    STRATA_TRY(open_commands(g));
    STRATA_TRY(cache_open(g, config->no_cache));
    STRATA_TRY(gpu_block_open_private(&g->dummy, g, GPU_DUMMIES * STRATA_ALIGN, STRATA_MEMORY_DEVICE));
    return gpu_selftest(g);
}

strata_status strata_gpu_open(strata_gpu **out, const strata_gpu_config *config)
{
    *out = NULL;
    strata_gpu *g = calloc(1, sizeof *g);
    if (!g) return strata_fail(STRATA_NO_MEMORY, "the record of a device");
    strata_status status = open_all(g, config);
    if (status != STRATA_OK) {
        strata_gpu_close(g);
        return status;
    }
    *out = g;
    return STRATA_OK;
}

void strata_gpu_close(strata_gpu *g)
{
    if (!g) return;
    if (g->device) {
        g->vk.vkDeviceWaitIdle(g->device);
        warm_forget(g);
        kernel_close_all(g);
        cache_close(g);
        strata_gpu_block_close(&g->dummy, g);
        strata_gpu_block_close(&g->staging_up, g);
        strata_gpu_block_close(&g->staging_down, g);
        g->vk.vkDestroyFence(g->device, g->once_fence, NULL);
        g->vk.vkDestroyCommandPool(g->device, g->pool, NULL);
        g->vk.vkDestroyDevice(g->device, NULL);
    }
    gpu_lock();
    gpu_instance_close(&g->instance);
    gpu_unlock();
    free(g->shader_dir);
    free(g);
}

const strata_caps *strata_gpu_caps(const strata_gpu *g) { return &g->caps; }

unsigned strata_gpu_complaints(const strata_gpu *g, const char **first)
{
    if (first) *first = g->instance.first_complaint;
    return g->instance.complaints;
}

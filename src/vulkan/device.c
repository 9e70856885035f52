#include "vulkan/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan/cache.h"

typedef struct device_memory {
    VkBuffer buffer;
    VkDeviceMemory memory;
} device_memory;

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT type,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    gpu *g = user;
    (void)severity, (void)type;
    g->complaints++;
    if (g->complaints <= 5)
        fprintf(stderr, "validation: %s\n", data->pMessage); /* the product hands this to a callback */
    return VK_FALSE;
}

static int layer_present(const char *name)
{
    VkLayerProperties layer[64];
    uint32_t n = 64;
    if (vkEnumerateInstanceLayerProperties(&n, layer) < 0) return 0;
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(layer[i].layerName, name) == 0) return 1;
    return 0;
}

static strata_status open_instance(gpu *g, int validate)
{
    const char *layer = "VK_LAYER_KHRONOS_validation", *extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    if (validate && !layer_present(layer))
        return strata_fail(STRATA_NO_DEVICE, "%s is not installed (Debian: vulkan-validationlayers)", layer);
    const VkDebugUtilsMessengerCreateInfoEXT messenger = {
        VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = on_message,
        .pUserData = g,
    };
    const VkValidationFeatureEnableEXT sync = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    const VkValidationFeaturesEXT features = { VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT, &messenger,
                                               .enabledValidationFeatureCount = 1,
                                               .pEnabledValidationFeatures = &sync };
    const VkApplicationInfo application = { VK_STRUCTURE_TYPE_APPLICATION_INFO, .pApplicationName = "strata",
                                            .apiVersion = VK_API_VERSION_1_1 };
    VkResult r = vkCreateInstance(
        &(VkInstanceCreateInfo) { VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                  validate ? (const void *)&features : NULL, .pApplicationInfo = &application,
                                  .enabledLayerCount = validate ? 1 : 0, .ppEnabledLayerNames = &layer,
                                  .enabledExtensionCount = validate ? 1 : 0,
                                  .ppEnabledExtensionNames = &extension },
        NULL, &g->instance);
    if (r == VK_ERROR_INCOMPATIBLE_DRIVER)
        return strata_fail(STRATA_NO_DEVICE, "a Vulkan loader but no driver (Debian: mesa-vulkan-drivers)");
    GPU_TRY(r);
    volkLoadInstanceOnly(g->instance);
    if (validate) GPU_TRY(vkCreateDebugUtilsMessengerEXT(g->instance, &messenger, NULL, &g->messenger));
    return STRATA_OK;
}

static strata_status open_device(gpu *g)
{
    uint32_t n = 1, n_families = 16;
    VkQueueFamilyProperties family[16];
    VkResult found = vkEnumeratePhysicalDevices(g->instance, &n, &g->physical);
    if (found < 0 || n == 0)
        return strata_fail(STRATA_NO_DEVICE, "no Vulkan device (Debian: mesa-vulkan-drivers)");
    vkGetPhysicalDeviceProperties(g->physical, &g->properties);
    vkGetPhysicalDeviceMemoryProperties(g->physical, &g->memory);
    vkGetPhysicalDeviceQueueFamilyProperties(g->physical, &n_families, family);
    while (g->family < n_families && !(family[g->family].queueFlags & VK_QUEUE_COMPUTE_BIT)) g->family++;
    if (g->family == n_families)
        return strata_fail(STRATA_NO_DEVICE, "%s has no compute queue", g->properties.deviceName);
    const float priority = 1;
    GPU_TRY(vkCreateDevice(
        g->physical,
        &(VkDeviceCreateInfo) {
            VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .queueCreateInfoCount = 1,
            .pQueueCreateInfos = &(VkDeviceQueueCreateInfo) { VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                                              .queueFamilyIndex = g->family, .queueCount = 1,
                                                              .pQueuePriorities = &priority } },
        NULL, &g->device));
    volkLoadDevice(g->device);
    vkGetDeviceQueue(g->device, g->family, 0, &g->queue);
    return STRATA_OK;
}

static strata_status open_pools(gpu *g)
{
    GPU_TRY(vkCreateCommandPool(
        g->device,
        &(VkCommandPoolCreateInfo) { VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                     .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                     .queueFamilyIndex = g->family },
        NULL, &g->pool));
    const VkDescriptorPoolSize sizes[] = { { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 16384 },
                                           { VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, 4096 } };
    GPU_TRY(vkCreateDescriptorPool(
        g->device,
        &(VkDescriptorPoolCreateInfo) { VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = 4096,
                                        .poolSizeCount = 2, .pPoolSizes = sizes },
        NULL, &g->descriptors));
    return cache_open(g);
}

strata_status gpu_open(gpu *g, int validate)
{
    strata_status status = STRATA_OK;
    *g = (gpu) { 0 };
    if (volkInitialize() != VK_SUCCESS)
        return strata_fail(
            STRATA_NO_DEVICE,
            "no Vulkan loader: install libvulkan1 (Debian), vulkan-loader (Fedora), the "
            "Vulkan runtime of your GPU driver (Windows) or the Vulkan SDK (macOS); --device cpu needs none");
    STRATA_GO(open_instance(g, validate));
    STRATA_GO(open_device(g));
    STRATA_GO(open_pools(g));
    return STRATA_OK;
done:
    gpu_close(g);
    return status;
}

void gpu_close(gpu *g)
{
    if (g->device) {
        vkDeviceWaitIdle(g->device);
        cache_close(g);
        for (uint32_t i = 0; i < g->n_views; i++) vkDestroyBufferView(g->device, g->view[i], NULL);
        vkDestroyDescriptorPool(g->device, g->descriptors, NULL);
        vkDestroyCommandPool(g->device, g->pool, NULL);
        vkDestroyDevice(g->device, NULL);
    }
    if (g->messenger) vkDestroyDebugUtilsMessengerEXT(g->instance, g->messenger, NULL);
    if (g->instance) vkDestroyInstance(g->instance, NULL);
    *g = (gpu) { 0 };
}

static uint32_t memory_type(const gpu *g, uint32_t allowed, VkMemoryPropertyFlags wanted)
{
    for (uint32_t i = 0; i < g->memory.memoryTypeCount; i++)
        if ((allowed >> i & 1) && (g->memory.memoryTypes[i].propertyFlags & wanted) == wanted) return i;
    return UINT32_MAX;
}

strata_status block_open(strata_block *out, gpu *g, uint64_t bytes, int host_visible)
{
    strata_status status = STRATA_OK;
    VkMemoryRequirements needs;
    VkResult r;
    device_memory *m = calloc(1, sizeof *m);
    *out = (strata_block) { .device = m, .bytes = bytes };
    if (!m) return strata_fail(STRATA_NO_MEMORY, "a memory block's record");
    r = vkCreateBuffer(g->device,
                       &(VkBufferCreateInfo) { VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = bytes,
                                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                                        VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
                                                        VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                                        VK_BUFFER_USAGE_TRANSFER_DST_BIT },
                       NULL, &m->buffer);
    if (r != VK_SUCCESS)
        STRATA_GO(
            strata_fail(STRATA_DEVICE, "a buffer of %llu bytes: VkResult %d", (unsigned long long)bytes, r));
    vkGetBufferMemoryRequirements(g->device, m->buffer, &needs);
    uint32_t type = memory_type(g, needs.memoryTypeBits,
                                host_visible ? VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                                   VK_MEMORY_PROPERTY_HOST_COHERENT_BIT
                                             : VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    r = vkAllocateMemory(g->device,
                         &(VkMemoryAllocateInfo) { VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                                   .allocationSize = needs.size, .memoryTypeIndex = type },
                         NULL, &m->memory);
    if (r == VK_SUCCESS) r = vkBindBufferMemory(g->device, m->buffer, m->memory, 0);
    if (r == VK_SUCCESS && host_visible)
        r = vkMapMemory(g->device, m->memory, 0, VK_WHOLE_SIZE, 0, &out->host);
    if (r != VK_SUCCESS)
        STRATA_GO(strata_fail(STRATA_DEVICE, "%llu bytes of device memory: VkResult %d",
                              (unsigned long long)needs.size, r));
    return STRATA_OK;
done:
    block_close(out, g);
    return status;
}

void block_close(strata_block *b, gpu *g)
{
    device_memory *m = b->device;
    if (m) {
        vkDestroyBuffer(g->device, m->buffer, NULL);
        vkFreeMemory(g->device, m->memory, NULL);
    }
    free(m);
    *b = (strata_block) { 0 };
}

VkBuffer block_buffer(const strata_block *b) { return ((const device_memory *)b->device)->buffer; }

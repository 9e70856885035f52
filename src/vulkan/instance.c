/* From nothing to a list of physical devices: loader, instance, validation layer, what each device can do. */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/thread.h"
#include "vulkan/device.h"

enum { MAX_DEVICES = 16 };

/* volk keeps the loader's functions in globals of the process. */
static pthread_mutex_t loader = PTHREAD_MUTEX_INITIALIZER;
void gpu_lock(void) { pthread_mutex_lock(&loader); }
void gpu_unlock(void) { pthread_mutex_unlock(&loader); }

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT type,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    gpu_instance *i = user;
    (void)severity, (void)type;
    if (i->complaints++ == 0) snprintf(i->first_complaint, sizeof i->first_complaint, "%s", data->pMessage);
    return VK_FALSE;
}

static bool layer_present(const char *name)
{
    VkLayerProperties *layer = NULL;
    uint32_t n = 0;
    bool found = false;
    if (vkEnumerateInstanceLayerProperties(&n, NULL) == VK_SUCCESS) layer = calloc(n ? n : 1, sizeof *layer);
    if (layer && vkEnumerateInstanceLayerProperties(&n, layer) >= 0)
        for (uint32_t i = 0; i < n; i++) found |= strcmp(layer[i].layerName, name) == 0;
    free(layer);
    return found;
}

static bool extension_present(const char *name)
{
    VkExtensionProperties *extension = NULL;
    uint32_t n = 0;
    bool found = false;
    if (vkEnumerateInstanceExtensionProperties(NULL, &n, NULL) == VK_SUCCESS)
        extension = calloc(n ? n : 1, sizeof *extension);
    if (extension && vkEnumerateInstanceExtensionProperties(NULL, &n, extension) >= 0)
        for (uint32_t i = 0; i < n; i++) found |= strcmp(extension[i].extensionName, name) == 0;
    free(extension);
    return found;
}

static strata_status find_loader(void)
{
    if (volkGetInstanceVersion() == 0 && volkInitialize() != VK_SUCCESS)
        return strata_fail(STRATA_NO_DEVICE,
                           "no Vulkan loader: install libvulkan1 and mesa-vulkan-drivers (Debian, Ubuntu), "
                           "vulkan-loader and mesa-vulkan-drivers (Fedora), vulkan-icd-loader and your GPU's "
                           "vulkan package (Arch), the GPU maker's driver (Windows) or the Vulkan SDK "
                           "(macOS); the reference, --device cpu, needs none");
    return STRATA_OK;
}

static strata_status open_instance(gpu_instance *out, bool validate)
{
    const char *layer = "VK_LAYER_KHRONOS_validation", *extension[2];
    uint32_t n_extensions = 0;
    STRATA_TRY(find_loader());
    if (validate && !layer_present(layer))
        return strata_fail(STRATA_NO_DEVICE, "%s is not installed (Debian: vulkan-validationlayers)", layer);
    /* Without these a driver that is only a subset of Vulkan, such as Apple's, is not listed at all. */
    const bool subsets = extension_present(VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
    if (subsets) extension[n_extensions++] = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
    if (validate) extension[n_extensions++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    const VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = on_message,
        .pUserData = out,
    };
    const VkValidationFeatureEnableEXT sync = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    const VkValidationFeaturesEXT features = { .sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                               .pNext = &messenger,
                                               .enabledValidationFeatureCount = 1,
                                               .pEnabledValidationFeatures = &sync };
    const VkApplicationInfo application = { .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                            .pApplicationName = "strata",
                                            .apiVersion = VK_API_VERSION_1_1 };
    const VkInstanceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                        .pNext = validate ? &features : NULL,
                                        .flags = subsets ? VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR
                                                         : 0,
                                        .pApplicationInfo = &application,
                                        .enabledLayerCount = validate ? 1 : 0,
                                        .ppEnabledLayerNames = &layer,
                                        .enabledExtensionCount = n_extensions,
                                        .ppEnabledExtensionNames = extension };
    VkResult r = vkCreateInstance(&info, NULL, &out->handle);
    if (r == VK_ERROR_INCOMPATIBLE_DRIVER)
        return strata_fail(
            STRATA_NO_DEVICE,
            "there is a Vulkan loader but no driver: install mesa-vulkan-drivers (Debian, Ubuntu, "
            "Fedora), your GPU's vulkan package (Arch) or the GPU maker's driver; the reference, "
            "--device cpu, needs none");
    GPU_TRY(r);
    volkLoadInstanceOnly(out->handle);
    if (!validate) return STRATA_OK;
    out->destroy_messenger = vkDestroyDebugUtilsMessengerEXT;
    GPU_TRY(vkCreateDebugUtilsMessengerEXT(out->handle, &messenger, NULL, &out->messenger));
    return STRATA_OK;
}

strata_status gpu_instance_open(gpu_instance *out, bool validate)
{
    *out = (gpu_instance) { 0 };
    strata_status status = open_instance(out, validate);
    if (status != STRATA_OK) gpu_instance_close(out);
    return status;
}

void gpu_instance_close(gpu_instance *i)
{
    if (i->messenger) i->destroy_messenger(i->handle, i->messenger, NULL);
    if (i->handle) vkDestroyInstance(i->handle, NULL);
    i->handle = VK_NULL_HANDLE;
    i->messenger = VK_NULL_HANDLE;
}

/* ---- Physical devices ------------------------------------------------------------------------ */

static bool has_extension(const VkExtensionProperties *extension, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(extension[i].extensionName, name) == 0) return true;
    return false;
}

static const char *type_name(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return "discrete";
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return "integrated";
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return "virtual";
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return "software";
    default: return "other";
    }
}

/* The family of the compute queue; UINT32_MAX: none. The first one that computes is the one drivers serve
 * best: a queue of compute alone may lack time slices of the desktop, but is often limited to part of the
 * device. */
static uint32_t compute_family(uint32_t *time_bits, VkPhysicalDevice physical)
{
    VkQueueFamilyProperties family[16];
    uint32_t n = 16;
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &n, family);
    *time_bits = 0;
    for (uint32_t i = 0; i < n; i++)
        if (family[i].queueCount > 0 && (family[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) {
            *time_bits = family[i].timestampValidBits;
            return i;
        }
    return UINT32_MAX;
}

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static void read_limits(strata_caps *c, const VkPhysicalDeviceProperties *p,
                        const VkPhysicalDeviceMaintenance3Properties *maintenance, VkPhysicalDevice physical)
{
    VkPhysicalDeviceMemoryProperties memory;
    VkFormatProperties format;
    c->vulkan = true;
    c->cpu_type = p->deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    snprintf(c->name, sizeof c->name, "%s", p->deviceName);
    c->vendor_id = p->vendorID;
    c->device_id = p->deviceID;
    c->driver_version = p->driverVersion;
    c->api_version = p->apiVersion;
    c->max_group = least(p->limits.maxComputeWorkGroupInvocations, p->limits.maxComputeWorkGroupSize[0]);
    c->shared_bytes = p->limits.maxComputeSharedMemorySize;
    c->max_range = p->limits.maxStorageBufferRange;
    const uint64_t most = (uint64_t)1 << 30;
    c->max_block = maintenance->maxMemoryAllocationSize < most ? maintenance->maxMemoryAllocationSize : most;
    vkGetPhysicalDeviceFormatProperties(physical, VK_FORMAT_R32G32B32A32_SFLOAT, &format);
    if (format.bufferFeatures & VK_FORMAT_FEATURE_UNIFORM_TEXEL_BUFFER_BIT)
        c->max_texels = p->limits.maxTexelBufferElements;
    vkGetPhysicalDeviceMemoryProperties(physical, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) &&
            memory.memoryHeaps[i].size > c->memory)
            c->memory = memory.memoryHeaps[i].size;
}

/* Lavapipe of Mesa 22 makes a loop of subgroupBroadcast and one instruction of subgroupShuffle; from 25 it is
 * the other way round at some widths. SwiftShader broadcasts faster. GPUs do not care. */
static bool prefers_shuffle(uint32_t driver, const char *info)
{
    unsigned major = 0;
    if (driver == VK_DRIVER_ID_GOOGLE_SWIFTSHADER) return false;
    if (driver == VK_DRIVER_ID_MESA_LLVMPIPE) return sscanf(info, "Mesa %u", &major) == 1 && major < 25;
    return true;
}

/* For every kernel it compiles, Mesa 25.0 sets the width of all vectors of the process anew: first to 256
 * bits, then to what the environment says. Another device's thread that compiles meanwhile makes part of its
 * kernel for the first: it ends in "stack smashing detected" (lp_bld_jit_sample.c has room for 8 lanes), or
 * lies in Mesa's cache with both widths in it. 22.3 sets it once; releases between were not looked at. */
bool gpu_compiles_alone(const char *mesa, const char *width, uint32_t subgroup)
{
    unsigned major = 0;
    return width && subgroup != 8 && !(sscanf(mesa, "Mesa %u", &major) == 1 && major < 23);
}

static void read_driver(gpu_physical *p, const VkPhysicalDeviceDriverProperties *driver)
{
    strata_caps *c = &p->entry.caps;
    c->driver_id = (uint32_t)driver->driverID;
    p->compiles_at_launch = driver->driverID == VK_DRIVER_ID_MESA_LLVMPIPE;
    p->compiles_alone = p->compiles_at_launch &&
                        gpu_compiles_alone(driver->driverInfo, getenv("LP_NATIVE_VECTOR_WIDTH"), p->subgroup);
    if (driver->driverName[0])
        snprintf(c->driver, sizeof c->driver, "%.120s%s%.120s", driver->driverName,
                 driver->driverInfo[0] ? " " : "", driver->driverInfo);
    else
        snprintf(c->driver, sizeof c->driver, "version %u.%u.%u", VK_VERSION_MAJOR(c->driver_version),
                 VK_VERSION_MINOR(c->driver_version), VK_VERSION_PATCH(c->driver_version));
    c->shuffle = (p->subgroups & VK_SUBGROUP_FEATURE_SHUFFLE_BIT) &&
                 prefers_shuffle(c->driver_id, driver->driverInfo);
}

static void why_not(strata_device_entry *e, uint32_t family)
{
    const uint32_t api = e->caps.api_version;
    e->usable = false;
    if (api < VK_API_VERSION_1_1)
        snprintf(e->why, sizeof e->why, "its Vulkan is %u.%u, 1.1 is wanted", VK_VERSION_MAJOR(api),
                 VK_VERSION_MINOR(api));
    else if (family == UINT32_MAX)
        snprintf(e->why, sizeof e->why, "it has no compute queue");
    else if (e->caps.memory == 0) /* every device that runs has some */
        snprintf(e->why, sizeof e->why, "it has no memory: a driver that only compiles");
    else
        e->usable = true;
}

/* May a pipeline ask for its subgroup size? Only where more than one is possible; said in the entry. */
static bool size_control(strata_device_entry *e, VkPhysicalDevice physical)
{
    VkPhysicalDeviceSubgroupSizeControlFeaturesEXT feature = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES_EXT
    };
    VkPhysicalDeviceSubgroupSizeControlPropertiesEXT sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES_EXT
    };
    vkGetPhysicalDeviceFeatures2(
        physical, &(VkPhysicalDeviceFeatures2) { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                                 .pNext = &feature });
    vkGetPhysicalDeviceProperties2(
        physical, &(VkPhysicalDeviceProperties2) { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                                   .pNext = &sizes });
    const bool may = feature.subgroupSizeControl &&
                     (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
                     sizes.minSubgroupSize < sizes.maxSubgroupSize &&
                     e->caps.subgroup >= sizes.minSubgroupSize && e->caps.subgroup <= sizes.maxSubgroupSize;
    if (may) {
        e->subgroup_min = sizes.minSubgroupSize;
        e->subgroup_max = sizes.maxSubgroupSize;
    }
    return may;
}

/* Compute units, for those makers whose drivers tell; else what is there already: of a GPU nothing, for the
 * host's threads say nothing of it. */
static void count_units(gpu_physical *p, const VkExtensionProperties *extension, uint32_t n)
{
    VkPhysicalDeviceShaderCorePropertiesAMD amd = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_CORE_PROPERTIES_AMD
    };
    VkPhysicalDeviceShaderSMBuiltinsPropertiesNV nvidia = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_SM_BUILTINS_PROPERTIES_NV
    };
    VkPhysicalDeviceProperties2 ask = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2 };
    if (has_extension(extension, n, VK_AMD_SHADER_CORE_PROPERTIES_EXTENSION_NAME)) ask.pNext = &amd;
    if (has_extension(extension, n, VK_NV_SHADER_SM_BUILTINS_EXTENSION_NAME)) ask.pNext = &nvidia;
    if (!ask.pNext) return;
    vkGetPhysicalDeviceProperties2(p->handle, &ask);
    const uint32_t units = ask.pNext == &nvidia ? nvidia.shaderSMCount
                                                : amd.shaderEngineCount * amd.shaderArraysPerEngineCount *
                                                      amd.computeUnitsPerShaderArray;
    if (units) p->entry.caps.cores = units;
}

/* May shaders use the addresses of buffers? */
static bool has_addresses(const gpu_physical *p, const VkExtensionProperties *extension, uint32_t n)
{
    VkPhysicalDeviceBufferDeviceAddressFeatures feature = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES
    };
    VkPhysicalDeviceFeatures2 features = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                           .pNext = &feature };
    if (!has_extension(extension, n, VK_KHR_BUFFER_DEVICE_ADDRESS_EXTENSION_NAME)) return false;
    vkGetPhysicalDeviceFeatures2(p->handle, &features);
    return feature.bufferDeviceAddress;
}

/* Everything newer than Vulkan 1.1 is asked only where the device says it knows it. */
static void ask_newer(gpu_physical *out, const VkExtensionProperties *extension, uint32_t n)
{
    const bool v12 = out->properties.apiVersion >= VK_API_VERSION_1_2;
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES
    };
    VkPhysicalDeviceMaintenance3Properties maintenance = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES
    };
    VkPhysicalDeviceSubgroupProperties subgroup = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, .pNext = &maintenance
    };
    VkPhysicalDeviceProperties2 properties = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                               .pNext = &subgroup };
    VkPhysicalDevice16BitStorageFeatures storage16 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES
    };
    VkPhysicalDeviceShaderFloat16Int8Features float16 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES
    };
    VkPhysicalDeviceFeatures2 features = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                           .pNext = &storage16 };
    if (v12 || has_extension(extension, n, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME))
        maintenance.pNext = &driver;
    if (v12 || has_extension(extension, n, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME))
        storage16.pNext = &float16;
    vkGetPhysicalDeviceProperties2(out->handle, &properties);
    vkGetPhysicalDeviceFeatures2(out->handle, &features);
    read_limits(&out->entry.caps, &out->properties, &maintenance, out->handle);
    out->entry.caps.doubles = features.features.shaderFloat64;
    out->entry.caps.addresses = out->entry.caps.cpu_type && has_addresses(out, extension, n);
    out->entry.fp16 = float16.shaderFloat16 && storage16.storageBuffer16BitAccess;
    if (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) out->subgroups = subgroup.supportedOperations;
    out->subgroup = out->entry.caps.subgroup = subgroup.subgroupSize;
    out->entry.subgroup_min = out->entry.subgroup_max = subgroup.subgroupSize;
    read_driver(out, &driver);
    count_units(out, extension, n);
    if (has_extension(extension, n, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME))
        out->subgroup_size_control = size_control(&out->entry, out->handle);
}

static strata_status describe(gpu_physical *out, VkPhysicalDevice handle)
{
    VkExtensionProperties *extension = NULL;
    uint32_t n = 0;
    *out = (gpu_physical) { .handle = handle };
    out->family = compute_family(&out->time_bits, handle);
    vkGetPhysicalDeviceProperties(handle, &out->properties);
    out->entry.type = type_name(out->properties.deviceType);
    if (out->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU) out->entry.caps.cores = strata_threads();
    if (vkEnumerateDeviceExtensionProperties(handle, NULL, &n, NULL) == VK_SUCCESS)
        extension = calloc(n ? n : 1, sizeof *extension);
    if (!extension) return strata_fail(STRATA_NO_MEMORY, "%u device extensions", n);
    if (vkEnumerateDeviceExtensionProperties(handle, NULL, &n, extension) < 0) n = 0;
    out->portability_subset = has_extension(extension, n, "VK_KHR_portability_subset");
    if (out->properties.apiVersion >= VK_API_VERSION_1_1)
        ask_newer(out, extension, n);
    else
        read_limits(&out->entry.caps, &out->properties, &(VkPhysicalDeviceMaintenance3Properties) { 0 },
                    handle);
    why_not(&out->entry, out->family);
    free(extension);
    return STRATA_OK;
}

strata_status gpu_physical_list(gpu_physical *out, uint32_t room, uint32_t *n, const gpu_instance *i)
{
    VkPhysicalDevice handle[MAX_DEVICES];
    *n = room < MAX_DEVICES ? room : MAX_DEVICES;
    VkResult r = vkEnumeratePhysicalDevices(i->handle, n, handle);
    if (r != VK_SUCCESS && r != VK_INCOMPLETE) {
        *n = 0;
        return gpu_fail(r, "vkEnumeratePhysicalDevices");
    }
    if (*n == 0)
        return strata_fail(STRATA_NO_DEVICE,
                           "there is a Vulkan driver but no device: install "
                           "mesa-vulkan-drivers (Debian, Ubuntu, Fedora), which can also use "
                           "the processor; the reference, --device cpu, needs none");
    for (uint32_t d = 0; d < *n; d++) STRATA_TRY(describe(&out[d], handle[d]));
    return STRATA_OK;
}

/* ---- The choice ---------------------------------------------------------------------------------- */

static int rank(const gpu_physical *p)
{
    switch (p->properties.deviceType) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return 4;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return 3;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return 0;
    default: return 1;
    }
}

/* Is `part` in `name`, whatever the case? */
static bool holds(const char *name, const char *part)
{
    for (; *name; name++) {
        size_t i = 0;
        while (part[i] && tolower((unsigned char)name[i]) == tolower((unsigned char)part[i])) i++;
        if (!part[i]) return true;
    }
    return false;
}

static const gpu_physical *best(const gpu_physical *list, uint32_t n, const char *part)
{
    const gpu_physical *found = NULL;
    for (uint32_t i = 0; i < n; i++) {
        if (part && !holds(list[i].entry.caps.name, part)) continue;
        if (!part && !list[i].entry.usable) continue;
        if (!found || rank(&list[i]) > rank(found)) found = &list[i];
    }
    return found;
}

static strata_status no_such_device(const gpu_physical *list, uint32_t n, const char *name)
{
    char names[1024] = "";
    for (uint32_t i = 0; i < n; i++) {
        size_t at = strlen(names);
        snprintf(names + at, sizeof names - at, "%s%u %s%s%s", i ? ", " : "", i, list[i].entry.caps.name,
                 list[i].entry.usable ? "" : " - not usable: ", list[i].entry.why);
    }
    return strata_fail(STRATA_NO_DEVICE, "no device %s; there are: %s, %u cpu (the reference)", name, names,
                       n);
}

static strata_status choose(gpu_physical *out, const gpu_physical *list, uint32_t n, const char *name)
{
    const bool automatic = !name || strcmp(name, "auto") == 0;
    const gpu_physical *found = NULL;
    if (!automatic && strspn(name, "0123456789") == strlen(name)) {
        unsigned long i = strtoul(name, NULL, 10);
        found = i < n ? &list[i] : NULL;
    } else {
        found = best(list, n, automatic ? NULL : name);
    }
    if (!found) return no_such_device(list, n, automatic ? "that can be used" : name);
    if (!found->entry.usable)
        return strata_fail(STRATA_NO_DEVICE, "%s cannot be used: %s", found->entry.caps.name,
                           found->entry.why);
    *out = *found;
    return STRATA_OK;
}

strata_status gpu_physical_choose(gpu_physical *out, const gpu_instance *i, const char *name)
{
    uint32_t n = 0;
    gpu_physical *list = calloc(MAX_DEVICES, sizeof *list);
    if (!list) return strata_fail(STRATA_NO_MEMORY, "a list of devices");
    strata_status status = gpu_physical_list(list, MAX_DEVICES, &n, i);
    if (status == STRATA_OK) status = choose(out, list, n, name);
    free(list);
    return status;
}

strata_status strata_gpu_list(strata_device_entry *out, uint32_t room, uint32_t *n)
{
    strata_status status = STRATA_OK;
    gpu_instance instance = { 0 };
    uint32_t found = 0;
    gpu_physical *physical = calloc(MAX_DEVICES, sizeof *physical);
    *n = 0;
    if (!physical) return strata_fail(STRATA_NO_MEMORY, "a list of devices");
    gpu_lock();
    STRATA_GO(gpu_instance_open(&instance, false));
    STRATA_GO(gpu_physical_list(physical, MAX_DEVICES, &found, &instance));
    const gpu_physical *automatic = best(physical, found, NULL);
    for (*n = 0; *n < found && *n < room; *n += 1) {
        out[*n] = physical[*n].entry;
        out[*n].automatic = &physical[*n] == automatic;
    }
done:
    gpu_instance_close(&instance);
    gpu_unlock();
    free(physical);
    return status;
}

/* What the compiler of a driver makes of Strata's shaders: registers, spills, instructions, as it tells by
 * VK_KHR_pipeline_executable_properties. Nothing is run: a driver on a device that does nothing will do.
 *
 *   probe [--assembly] --cache FOLDER                every module that the library kept (vulkan/cache.h)
 *   probe [--assembly] SHADERS STEM [NAME=VALUE...]  shaders/STEM.comp compiled as the library compiles it
 *
 * Prints one JSON object a line and kernel; --assembly adds the driver's last text of it. Exit: 0, 1 failed,
 * 2 usage, 77 the driver tells nothing. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <volk.h>

#include "core/text.h"
#include "vulkan/glsl.h"
#include "vulkan/spirv.h"

enum { MAX_STATISTICS = 64, MAX_EXECUTABLES = 4, MAX_TEXTS = 32, DEFINES_BYTES = 1024 };

typedef struct prober {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkPhysicalDeviceProperties properties;
    VkDevice device;
    bool assembly;
} prober;

/* One kernel: where its defines were read from does not matter any more. */
typedef struct subject {
    char stem[64], defines[DEFINES_BYTES];
    const uint32_t *words;
    size_t n_words;
} subject;

/* ---- The device ------------------------------------------------------------------------------------ */

static bool tells(VkPhysicalDevice physical)
{
    static VkExtensionProperties extension[512];
    uint32_t n = 512;
    if (vkEnumerateDeviceExtensionProperties(physical, NULL, &n, extension) < 0) return false;
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(extension[i].extensionName, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME) == 0)
            return true;
    return false;
}

static uint32_t compute_family(VkPhysicalDevice physical)
{
    VkQueueFamilyProperties family[16];
    uint32_t n = 16, i = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &n, family);
    while (i + 1 < n && !(family[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) i++;
    return i;
}

static int open_device(prober *p)
{
    const VkApplicationInfo application = { .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                            .apiVersion = VK_API_VERSION_1_1 };
    const VkInstanceCreateInfo instance = { .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                            .pApplicationInfo = &application };
    const float priority = 1;
    const char *extension = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
    uint32_t n = 1;
    if (volkInitialize() != VK_SUCCESS || vkCreateInstance(&instance, NULL, &p->instance) != VK_SUCCESS)
        return fprintf(stderr, "probe: no Vulkan loader or driver\n"), 1;
    volkLoadInstance(p->instance);
    if (vkEnumeratePhysicalDevices(p->instance, &n, &p->physical) < 0 || n == 0)
        return fprintf(stderr, "probe: no Vulkan device\n"), 1;
    vkGetPhysicalDeviceProperties(p->physical, &p->properties);
    if (!tells(p->physical))
        return fprintf(stderr, "probe: %s has no %s\n", p->properties.deviceName, extension), 77;
    const VkDeviceQueueCreateInfo queue = { .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                            .queueFamilyIndex = compute_family(p->physical),
                                            .queueCount = 1,
                                            .pQueuePriorities = &priority };
    const VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR feature = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pipelineExecutableInfo = VK_TRUE
    };
    const VkDeviceCreateInfo device = { .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                        .pNext = &feature,
                                        .queueCreateInfoCount = 1,
                                        .pQueueCreateInfos = &queue,
                                        .enabledExtensionCount = 1,
                                        .ppEnabledExtensionNames = &extension };
    if (vkCreateDevice(p->physical, &device, NULL, &p->device) != VK_SUCCESS)
        return fprintf(stderr, "probe: vkCreateDevice failed on %s\n", p->properties.deviceName), 1;
    volkLoadDevice(p->device);
    return 0;
}

static void close_device(prober *p)
{
    if (p->device) vkDestroyDevice(p->device, NULL);
    if (p->instance) vkDestroyInstance(p->instance, NULL);
}

/* ---- What it says of a pipeline ---------------------------------------------------------------------- */

static void put_string(strata_text *out, const char *s, size_t n)
{
    strata_text_append(out, "\"", 1);
    for (size_t i = 0; i < n && s[i]; i++)
        if (s[i] == '\n')
            strata_text_append(out, "\\n", 2);
        else if ((unsigned char)s[i] < ' ')
            strata_text_append(out, " ", 1);
        else
            strata_text_format(out, "%s%c", s[i] == '"' || s[i] == '\\' ? "\\" : "", s[i]);
    strata_text_append(out, "\"", 1);
}

static void put_statistics(strata_text *out, const prober *p, const VkPipelineExecutableInfoKHR *which)
{
    static VkPipelineExecutableStatisticKHR s[MAX_STATISTICS];
    uint32_t n = MAX_STATISTICS;
    for (uint32_t i = 0; i < n; i++)
        s[i] = (VkPipelineExecutableStatisticKHR) {
            .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR
        };
    if (vkGetPipelineExecutableStatisticsKHR(p->device, which, &n, s) < 0) n = 0;
    strata_text_format(out, "\"statistics\":{");
    for (uint32_t i = 0; i < n; i++) {
        put_string(out, s[i].name, sizeof s[i].name);
        if (s[i].format == VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR)
            strata_text_format(out, ":%.17g", s[i].value.f64);
        else
            strata_text_format(out, ":%lld", (long long)s[i].value.i64);
        if (i + 1 < n) strata_text_append(out, ",", 1);
    }
    strata_text_append(out, "}", 1);
}

/* The last text that a driver keeps is that of the machine's own language. */
static void put_assembly(strata_text *out, const prober *p, const VkPipelineExecutableInfoKHR *which)
{
    static VkPipelineExecutableInternalRepresentationKHR r[MAX_TEXTS];
    uint32_t n = MAX_TEXTS, last = MAX_TEXTS;
    for (uint32_t i = 0; i < n; i++)
        r[i] = (VkPipelineExecutableInternalRepresentationKHR) {
            .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR
        };
    if (vkGetPipelineExecutableInternalRepresentationsKHR(p->device, which, &n, r) < 0) return;
    for (uint32_t i = 0; i < n; i++)
        if (r[i].isText && r[i].dataSize > 1) last = i;
    if (last == MAX_TEXTS) return;
    for (uint32_t i = 0; i < n; i++)
        r[i].pData = calloc(1, r[i].dataSize + 1); /* a driver may write the NUL */
    if (vkGetPipelineExecutableInternalRepresentationsKHR(p->device, which, &n, r) == VK_SUCCESS &&
        r[last].pData) {
        strata_text_format(out, ",\"language\":");
        put_string(out, r[last].name, sizeof r[last].name);
        strata_text_format(out, ",\"assembly\":");
        put_string(out, r[last].pData, r[last].dataSize);
    }
    for (uint32_t i = 0; i < n; i++) free(r[i].pData);
}

static void put_executables(strata_text *out, const prober *p, VkPipeline pipeline)
{
    const VkPipelineInfoKHR info = { .sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline };
    VkPipelineExecutablePropertiesKHR e[MAX_EXECUTABLES];
    uint32_t n = MAX_EXECUTABLES;
    for (uint32_t i = 0; i < n; i++)
        e[i] = (VkPipelineExecutablePropertiesKHR) {
            .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR
        };
    if (vkGetPipelineExecutablePropertiesKHR(p->device, &info, &n, e) < 0) n = 0;
    strata_text_format(out, "\"executables\":[");
    for (uint32_t i = 0; i < n; i++) {
        const VkPipelineExecutableInfoKHR which = { .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                                    .pipeline = pipeline,
                                                    .executableIndex = i };
        strata_text_format(out, "%s{\"name\":", i ? "," : "");
        put_string(out, e[i].name, sizeof e[i].name);
        strata_text_format(out, ",\"subgroup\":%u,", e[i].subgroupSize);
        put_statistics(out, p, &which);
        if (p->assembly) put_assembly(out, p, &which);
        strata_text_append(out, "}", 1);
    }
    strata_text_append(out, "]", 1);
}

/* ---- A pipeline as vulkan/kernel.c makes it ------------------------------------------------------------ */

static VkDescriptorSetLayout make_set(const prober *p, const spirv_block *b)
{
    VkDescriptorSetLayout set = VK_NULL_HANDLE;
    VkDescriptorSetLayoutBinding binding[STRATA_MAX_BINDINGS];
    for (uint32_t i = 0; i < b->n_bindings; i++)
        binding[i] = (VkDescriptorSetLayoutBinding) {
            .binding = i,
            .descriptorCount = 1,
            .descriptorType = b->binding[i].kind == SPIRV_TEXEL ? VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER
                                                                : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT
        };
    const VkDescriptorSetLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = b->n_bindings,
        .pBindings = binding
    };
    return vkCreateDescriptorSetLayout(p->device, &info, NULL, &set) == VK_SUCCESS ? set : VK_NULL_HANDLE;
}

static VkResult make_pipeline(VkPipeline *out, const prober *p, const subject *s, VkPipelineLayout layout)
{
    const VkShaderModuleCreateInfo words = { .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                             .codeSize = 4 * s->n_words,
                                             .pCode = s->words };
    VkShaderModule module = VK_NULL_HANDLE;
    VkResult r = vkCreateShaderModule(p->device, &words, NULL, &module);
    if (r != VK_SUCCESS) return r;
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR |
                 (p->assembly ? VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR : 0),
        .layout = layout,
        .stage = { .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                   .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                   .module = module,
                   .pName = "main" },
    };
    r = vkCreateComputePipelines(p->device, VK_NULL_HANDLE, 1, &info, NULL, out);
    vkDestroyShaderModule(p->device, module, NULL);
    return r;
}

static int examine(const prober *p, const subject *s)
{
    spirv_block b;
    strata_text line = { 0 };
    VkPipelineLayout layout = VK_NULL_HANDLE;
    VkPipeline pipeline = VK_NULL_HANDLE;
    if (spirv_reflect(&b, s->words, s->n_words, s->stem) != STRATA_OK)
        return fprintf(stderr, "probe: %s\n", strata_message()), 1;
    const VkDescriptorSetLayout set = make_set(p, &b);
    const VkPushConstantRange push = { VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                       b.digits ? STRATA_MAX_PUSH : 4 * b.n_members };
    const VkPipelineLayoutCreateInfo info = { .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                              .setLayoutCount = 1,
                                              .pSetLayouts = &set,
                                              .pushConstantRangeCount = push.size ? 1 : 0,
                                              .pPushConstantRanges = &push };
    VkResult r = set ? vkCreatePipelineLayout(p->device, &info, NULL, &layout) : VK_ERROR_UNKNOWN;
    if (r == VK_SUCCESS) r = make_pipeline(&pipeline, p, s, layout);
    if (r == VK_SUCCESS) {
        strata_text_format(&line, "{\"device\":");
        put_string(&line, p->properties.deviceName, sizeof p->properties.deviceName);
        strata_text_format(&line, ",\"stem\":\"%s\",\"defines\":\"%s\",\"group\":%u,\"shared\":%u,", s->stem,
                           s->defines, b.local_size[0] * b.local_size[1] * b.local_size[2], b.shared_bytes);
        put_executables(&line, p, pipeline);
        if (!line.failed) printf("%s}\n", line.s);
    } else {
        fprintf(stderr, "probe: %s with \"%s\": VkResult %d\n", s->stem, s->defines, r);
    }
    strata_text_free(&line);
    vkDestroyPipeline(p->device, pipeline, NULL);
    vkDestroyPipelineLayout(p->device, layout, NULL);
    vkDestroyDescriptorSetLayout(p->device, set, NULL);
    return r == VK_SUCCESS ? 0 : 1;
}

/* ---- Where kernels come from --------------------------------------------------------------------------- */

static bool names_pass(const char *name)
{
    for (int i = 0; i < STRATA_PASSES; i++)
        if (strcmp(strata_pass_name((strata_pass)i), name) == 0) return true;
    return false;
}

/* The text that the library compiled says everything: the defines stand between #version and #line 2. */
static bool read_key(subject *s, const char *key)
{
    size_t at = 0;
    s->stem[0] = s->defines[0] = '\0';
    for (const char *p = key; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        char name[64], value[64];
        if (sscanf(p, "#line 2 \"%63[a-z0-9_].comp\"", s->stem) == 1) return true;
        if (sscanf(p, "#define %63s %63[^\n]", name, value) != 2 || names_pass(name)) continue;
        at += (size_t)snprintf(s->defines + at, sizeof s->defines - at, "%s%s=%s", at ? " " : "", name,
                               value);
        if (at >= sizeof s->defines) return false;
    }
    return false;
}

static int examine_file(const prober *p, const char *path)
{
    static char data[1 << 20];
    static uint32_t words[(1 << 20) / 4];
    subject s;
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(data, 1, sizeof data - 1, f) : 0, head = sizeof(uint64_t);
    if (f) fclose(f);
    data[n] = '\0';
    if (n > head) head += strlen(data + head) + 1;
    if (n <= head || (n - head) % 4 != 0 || n == sizeof data - 1 || !read_key(&s, data + sizeof(uint64_t)))
        return fprintf(stderr, "probe: %s is no module of Strata's cache\n", path), 1;
    memcpy(words, data + head, n - head);
    s.words = words;
    s.n_words = (n - head) / 4;
    return examine(p, &s);
}

static int ends_in_spv(const struct dirent *e)
{
    const size_t n = strlen(e->d_name);
    return n > 4 && strcmp(e->d_name + n - 4, ".spv") == 0;
}

static int examine_cache(const prober *p, const char *folder)
{
    struct dirent **entry;
    int failed = 0, n = scandir(folder, &entry, ends_in_spv, alphasort);
    if (n <= 0) return fprintf(stderr, "probe: %s holds no module\n", folder), 1;
    for (int i = 0; i < n; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
        failed |= examine_file(p, path);
        free(entry[i]);
    }
    free(entry);
    return failed;
}

static int examine_source(const prober *p, char **words, int n)
{
    subject s = { .defines = "" };
    glsl_module module = { 0 };
    strata_text text = { 0 };
    char name[80];
    size_t at = 0;
    for (int i = 2; i < n && at < sizeof s.defines; i++)
        at += (size_t)snprintf(s.defines + at, sizeof s.defines - at, "%s%s", at ? " " : "", words[i]);
    snprintf(s.stem, sizeof s.stem, "%s", words[1]);
    snprintf(name, sizeof name, "%s.comp", s.stem);
    strata_status status = glsl_open();
    if (status == STRATA_OK)
        status = glsl_expand(&text, &(glsl_sources) { .folder = words[0] }, name, s.defines);
    if (status == STRATA_OK) status = glsl_compile(&module, name, text.s, 0);
    if (status != STRATA_OK) fprintf(stderr, "probe: %s\n", strata_message());
    s.words = module.words;
    s.n_words = module.n_words;
    const int failed = status == STRATA_OK ? examine(p, &s) : 1;
    glsl_free(&module);
    strata_text_free(&text);
    return failed;
}

int main(int argc, char **argv)
{
    prober p = { 0 };
    int first = 1;
    if (argc > 1 && strcmp(argv[1], "--assembly") == 0) {
        p.assembly = true;
        first = 2;
    }
    if (argc - first < 2)
        return fprintf(stderr, "probe [--assembly] --cache FOLDER | SHADERS STEM [NAME=VALUE...]\n"), 2;
    int failed = open_device(&p);
    if (!failed)
        failed = strcmp(argv[first], "--cache") == 0 ? examine_cache(&p, argv[first + 1])
                                                     : examine_source(&p, argv + first, argc - first);
    close_device(&p);
    return failed;
}

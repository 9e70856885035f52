#include "vulkan/kernel.h"

#include <stdio.h>
#include <stdlib.h>

#include "vulkan/cache.h"

/* Names and unused bindings are gone after optimisation, so the plain module is made and kept: the driver
 * optimises anyway. The key holds all that a shader can depend on, and the limits its launcher looked at. */
static strata_status compile(glsl_module *out, strata_gpu *g, const char *name, const char *defines)
{
    strata_status status = STRATA_OK;
    const strata_caps *c = &g->caps;
    strata_text key = { 0 };
    STRATA_GO(glsl_expand(&key, &g->sources, name, defines));
    strata_text_format(&key, "// %s, vulkan1.1, spirv1.3, plain\n", glsl_version());
    strata_text_format(&key, "// subgroup %u, group %u, shared %u, texels %u, range %llu\n", c->subgroup,
                       c->max_group, c->shared_bytes, c->max_texels, (unsigned long long)c->max_range);
    if (key.failed) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: no memory for its text", name));
    if (cache_find(out, g, key.s)) goto done;
    if (!g->glsl_is_open) STRATA_GO(glsl_open());
    g->glsl_is_open = true;
    STRATA_GO(glsl_compile(out, name, key.s, 0));
    cache_keep(out, g, key.s);
done:
    strata_text_free(&key);
    return status;
}

/* The next field of a signature: "0:x", "|" or "rows:u@0"; its length, 0 at the end. */
static size_t field(const char **s)
{
    while (**s == ' ') (*s)++;
    return strcspn(*s, " ");
}

/* Say where two signatures part. */
static strata_status differ(const char *stem, const char *defines, const char *wanted, const char *came)
{
    size_t w = field(&wanted), c = field(&came);
    while (w && w == c && strncmp(wanted, came, w) == 0) {
        wanted += w;
        came += c;
        w = field(&wanted);
        c = field(&came);
    }
    return strata_fail(
        STRATA_BAD_SHADER,
        "%s.comp with \"%s\": its arguments differ from those the library was built for: "
        "wanted %s%.*s, came %s%.*s (bindings are number:name, push constants name:type@offset)",
        stem, defines, w ? "" : "no more", (int)w, wanted, c ? "" : "no more", (int)c, came);
}

static strata_status check_arguments(const spirv_block *block, const strata_args_layout *layout,
                                     const char *defines)
{
    strata_status status = STRATA_OK;
    strata_text signature = { 0 };
    spirv_signature(&signature, block);
    if (signature.failed)
        status = strata_fail(STRATA_NO_MEMORY, "%s: its signature", layout->stem);
    else if (strcmp(signature.s, layout->signature) != 0)
        status = differ(layout->stem, defines, layout->signature, signature.s);
    strata_text_free(&signature);
    STRATA_TRY(status);
    for (uint32_t i = 0; i < layout->n_slices; i++)
        if (block->binding[i].writes && !(layout->writes >> i & 1))
            return strata_fail(
                STRATA_BAD_SHADER,
                "%s.comp with \"%s\": binding %u, %s: wanted readonly as in the shader the library "
                "was built with, came without it",
                layout->stem, defines, i, block->binding[i].name);
    return STRATA_OK;
}

static strata_status check_limits(const strata_gpu *g, const gpu_kernel *k)
{
    const VkPhysicalDeviceLimits *l = &g->physical.properties.limits;
    const uint32_t *size = k->block.local_size;
    const uint64_t group = (uint64_t)size[0] * size[1] * size[2];
    const char *stem = k->layout->stem;
    if (group > g->caps.max_group || size[1] > l->maxComputeWorkGroupSize[1] ||
        size[2] > l->maxComputeWorkGroupSize[2])
        return strata_fail(STRATA_BAD_ARG,
                           "%s with \"%s\" wants %u x %u x %u invocations in a workgroup, %s has %u", stem,
                           k->defines, size[0], size[1], size[2], g->caps.name, g->caps.max_group);
    if (k->block.shared_bytes > g->caps.shared_bytes)
        return strata_fail(STRATA_BAD_ARG, "%s with \"%s\" wants %u bytes of shared memory, %s has %u", stem,
                           k->defines, k->block.shared_bytes, g->caps.name, g->caps.shared_bytes);
    uint32_t storage = 0, texels = 0;
    for (uint32_t i = 0; i < k->block.n_bindings; i++)
        *(k->block.binding[i].kind == SPIRV_TEXEL ? &texels : &storage) += 1;
    if (storage > l->maxPerStageDescriptorStorageBuffers || texels > l->maxPerStageDescriptorSampledImages)
        return strata_fail(STRATA_BAD_ARG, "%s binds %u buffers and %u texel buffers, %s takes %u and %u",
                           stem, storage, texels, g->caps.name, l->maxPerStageDescriptorStorageBuffers,
                           l->maxPerStageDescriptorSampledImages);
    return STRATA_OK;
}

static strata_status make_layouts(gpu_kernel *k, const strata_gpu *g)
{
    VkDescriptorSetLayoutBinding binding[STRATA_MAX_BINDINGS];
    for (uint32_t i = 0; i < k->block.n_bindings; i++)
        binding[i] = (VkDescriptorSetLayoutBinding) {
            .binding = i,
            .descriptorCount = 1,
            .descriptorType = k->block.binding[i].kind == SPIRV_TEXEL
                                  ? VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER
                                  : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT
        };
    const VkDescriptorSetLayoutCreateInfo set = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = k->block.n_bindings,
        .pBindings = binding
    };
    GPU_TRY(g->vk.vkCreateDescriptorSetLayout(g->device, &set, NULL, &k->set_layout));
    const VkPushConstantRange push = { VK_SHADER_STAGE_COMPUTE_BIT, 0, k->layout->push_bytes };
    const VkPipelineLayoutCreateInfo layout = { .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                                .setLayoutCount = 1,
                                                .pSetLayouts = &k->set_layout,
                                                .pushConstantRangeCount = push.size ? 1 : 0,
                                                .pPushConstantRanges = &push };
    GPU_TRY(g->vk.vkCreatePipelineLayout(g->device, &layout, NULL, &k->pipeline_layout));
    return STRATA_OK;
}

static strata_status make_pipeline(gpu_kernel *k, const strata_gpu *g, const glsl_module *m)
{
    VkShaderModule module;
    const VkShaderModuleCreateInfo words = { .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                             .codeSize = 4 * m->n_words,
                                             .pCode = m->words };
    GPU_TRY(g->vk.vkCreateShaderModule(g->device, &words, NULL, &module));
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .layout = k->pipeline_layout,
        .stage = { .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                   .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                   .module = module,
                   .pName = "main" },
    };
    VkResult r = g->vk.vkCreateComputePipelines(g->device, g->cache, 1, &info, NULL, &k->pipeline);
    g->vk.vkDestroyShaderModule(g->device, module, NULL);
    return r == VK_SUCCESS ? STRATA_OK : gpu_fail(r, "vkCreateComputePipelines");
}

static strata_status make(gpu_kernel *k, strata_gpu *g)
{
    strata_status status = STRATA_OK;
    glsl_module module = { 0 };
    char name[64];
    snprintf(name, sizeof name, "%s.comp", k->layout->stem);
    STRATA_GO(compile(&module, g, name, k->defines));
    STRATA_GO(spirv_reflect(&k->block, module.words, module.n_words, name));
    STRATA_GO(check_arguments(&k->block, k->layout, k->defines));
    STRATA_GO(check_limits(g, k));
    STRATA_GO(make_layouts(k, g));
    STRATA_GO(make_pipeline(k, g, &module));
    g->cache_changed = true;
done:
    glsl_free(&module);
    return status;
}

static void kernel_close(gpu_kernel *k, strata_gpu *g)
{
    g->vk.vkDestroyPipeline(g->device, k->pipeline, NULL);
    g->vk.vkDestroyPipelineLayout(g->device, k->pipeline_layout, NULL);
    g->vk.vkDestroyDescriptorSetLayout(g->device, k->set_layout, NULL);
    free(k->defines);
    free(k);
}

strata_status kernel_get(const gpu_kernel **out, strata_gpu *g, const strata_args_layout *layout,
                         const char *defines)
{
    for (const gpu_kernel *k = g->kernels; k; k = k->next)
        if (strcmp(k->layout->stem, layout->stem) == 0 && strcmp(k->defines, defines) == 0) {
            *out = k;
            return STRATA_OK;
        }
    gpu_kernel *k = calloc(1, sizeof *k);
    char *copy = malloc(strlen(defines) + 1);
    if (!k || !copy) {
        free(k);
        free(copy);
        return strata_fail(STRATA_NO_MEMORY, "%s: its kernel's record", layout->stem);
    }
    k->layout = layout;
    k->defines = strcpy(copy, defines);
    strata_status status = make(k, g);
    if (status != STRATA_OK) {
        kernel_close(k, g);
        return status;
    }
    k->next = g->kernels;
    g->kernels = k;
    *out = k;
    return STRATA_OK;
}

void kernel_close_all(strata_gpu *g)
{
    while (g->kernels) {
        gpu_kernel *k = g->kernels;
        g->kernels = k->next;
        kernel_close(k, g);
    }
}

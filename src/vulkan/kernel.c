#include "vulkan/kernel.h"

#include <stdio.h>
#include <string.h>

#include "vulkan/cache.h"

/* Names and unused bindings are gone after optimisation, so the check is made on the plain module, once per
 * cache entry; the cache keeps the plain module too (the driver optimises anyway). */
static strata_status compile(glsl_module *out, const glsl_sources *sources, const char *name,
                             const char *defines)
{
    strata_status status = STRATA_OK;
    strata_text key = { 0 };
    STRATA_GO(glsl_expand(&key, sources, name, defines));
    strata_text_format(&key, "// %s, vulkan1.1, spirv1.3, plain\n", glsl_version());
    if (key.failed) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: no memory for its text", name));
    if (cache_find(out, key.s)) goto done;
    STRATA_GO(glsl_compile(out, name, key.s, 0));
    cache_keep(out, key.s);
done:
    strata_text_free(&key);
    return status;
}

static strata_status check(const spirv_block *block, const strata_args_layout *layout, const char *defines)
{
    strata_status status = STRATA_OK;
    strata_text signature = { 0 };
    spirv_signature(&signature, block);
    if (signature.failed || strcmp(signature.s, layout->signature) != 0)
        status = strata_fail(
            STRATA_BAD_SHADER,
            "%s.comp with \"%s\" takes (%s), the library was built for (%s): a define may not "
            "change the arguments; after editing them, rebuild",
            layout->stem, defines, signature.s, layout->signature);
    strata_text_free(&signature);
    return status;
}

static strata_status make_layouts(gpu_kernel *k, gpu *g)
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
    GPU_TRY(vkCreateDescriptorSetLayout(
        g->device,
        &(VkDescriptorSetLayoutCreateInfo) { VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                             .bindingCount = k->block.n_bindings, .pBindings = binding },
        NULL, &k->set_layout));
    const VkPushConstantRange push = { VK_SHADER_STAGE_COMPUTE_BIT, 0, k->layout->push_bytes };
    GPU_TRY(vkCreatePipelineLayout(
        g->device,
        &(VkPipelineLayoutCreateInfo) {
            VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1, .pSetLayouts = &k->set_layout,
            .pushConstantRangeCount = push.size ? 1 : 0, .pPushConstantRanges = &push },
        NULL, &k->pipeline_layout));
    return STRATA_OK;
}

static strata_status make_pipeline(gpu_kernel *k, gpu *g, const glsl_module *m)
{
    VkShaderModule module;
    GPU_TRY(
        vkCreateShaderModule(g->device,
                             &(VkShaderModuleCreateInfo) { VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                                           .codeSize = 4 * m->n_words, .pCode = m->words },
                             NULL, &module));
    VkResult r = vkCreateComputePipelines(
        g->device, g->cache, 1,
        &(VkComputePipelineCreateInfo) {
            VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .layout = k->pipeline_layout,
            .stage = { VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                       .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main" } },
        NULL, &k->pipeline);
    vkDestroyShaderModule(g->device, module, NULL);
    return r == VK_SUCCESS ? STRATA_OK
                           : strata_fail(STRATA_DEVICE, "%s: no pipeline: VkResult %d", k->layout->stem, r);
}

strata_status gpu_kernel_open(gpu_kernel *k, gpu *g, const glsl_sources *sources,
                              const strata_args_layout *layout, const char *defines)
{
    strata_status status = STRATA_OK;
    glsl_module module = { 0 };
    char name[64];
    *k = (gpu_kernel) { .layout = layout };
    snprintf(name, sizeof name, "%s.comp", layout->stem);
    STRATA_GO(compile(&module, sources, name, defines));
    STRATA_GO(spirv_reflect(&k->block, module.words, module.n_words, name));
    STRATA_GO(check(&k->block, layout, defines));
    STRATA_GO(make_layouts(k, g));
    STRATA_GO(make_pipeline(k, g, &module));
done:
    glsl_free(&module);
    if (status != STRATA_OK) gpu_kernel_close(k, g);
    return status;
}

void gpu_kernel_close(gpu_kernel *k, gpu *g)
{
    vkDestroyPipeline(g->device, k->pipeline, NULL);
    vkDestroyPipelineLayout(g->device, k->pipeline_layout, NULL);
    vkDestroyDescriptorSetLayout(g->device, k->set_layout, NULL);
    *k = (gpu_kernel) { 0 };
}

/* A view of 4-float texels. Its range must be whole texels: slices are padded, so rounding up stays inside
 * the block. */
static strata_status texel_view(VkBufferView *out, gpu *g, strata_slice s)
{
    const VkPhysicalDeviceLimits *limits = &g->properties.limits;
    uint64_t texels = (s.bytes + 15) / 16;
    if (texels > limits->maxTexelBufferElements || s.offset % limits->minTexelBufferOffsetAlignment != 0)
        return strata_fail(STRATA_BAD_ARG, "%llu texels at byte %llu: %s takes %u at multiples of %llu",
                           (unsigned long long)texels, (unsigned long long)s.offset, g->properties.deviceName,
                           limits->maxTexelBufferElements,
                           (unsigned long long)limits->minTexelBufferOffsetAlignment);
    if (g->n_views == sizeof g->view / sizeof *g->view)
        return strata_fail(STRATA_NO_MEMORY, "more than %u texel views", g->n_views);
    GPU_TRY(vkCreateBufferView(g->device,
                               &(VkBufferViewCreateInfo) { VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                                           .buffer = block_buffer(s.block),
                                                           .format = VK_FORMAT_R32G32B32A32_SFLOAT,
                                                           .offset = s.offset, .range = 16 * texels },
                               NULL, &g->view[g->n_views]));
    *out = g->view[g->n_views++];
    return STRATA_OK;
}

strata_status gpu_launch(VkCommandBuffer commands, gpu *g, const gpu_kernel *k, const void *args,
                         uint32_t groups_x, uint32_t groups_y)
{
    const strata_slice *slice = args; /* the struct begins with its slices, in binding order */
    VkDescriptorBufferInfo info[STRATA_MAX_BINDINGS];
    VkWriteDescriptorSet write[STRATA_MAX_BINDINGS];
    VkBufferView view[STRATA_MAX_BINDINGS];
    VkDescriptorSet set;
    GPU_TRY(vkAllocateDescriptorSets(
        g->device,
        &(VkDescriptorSetAllocateInfo) { VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                         .descriptorPool = g->descriptors, .descriptorSetCount = 1,
                                         .pSetLayouts = &k->set_layout },
        &set));
    for (uint32_t i = 0; i < k->layout->n_slices; i++) {
        info[i] = (VkDescriptorBufferInfo) { block_buffer(slice[i].block), slice[i].offset, slice[i].bytes };
        write[i] = (VkWriteDescriptorSet) { VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                            .dstSet = set,
                                            .dstBinding = i,
                                            .descriptorCount = 1,
                                            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                            .pBufferInfo = &info[i] };
        if (k->block.binding[i].kind != SPIRV_TEXEL) continue;
        STRATA_TRY(texel_view(&view[i], g, slice[i]));
        write[i].descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
        write[i].pTexelBufferView = &view[i];
    }
    vkUpdateDescriptorSets(g->device, k->layout->n_slices, write, 0, NULL);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, k->pipeline);
    vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, k->pipeline_layout, 0, 1, &set, 0,
                            NULL);
    vkCmdPushConstants(commands, k->pipeline_layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, k->layout->push_bytes,
                       (const char *)args + k->layout->push_at);
    vkCmdDispatch(commands, groups_x, groups_y, 1);
    return STRATA_OK;
}

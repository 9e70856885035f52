#include "vulkan/recording.h"

#include <stdlib.h>

#include "core/clock.h"
#include "vulkan/hazard.h"
#include "vulkan/kernel.h"
#include "vulkan/warm.h"

/* ---- Checks --------------------------------------------------------------------------------- */

static strata_status bad(const strata_gpu_launch *l, const char *what, uint64_t wanted, uint64_t has,
                         const strata_gpu *g)
{
    return strata_fail(STRATA_BAD_ARG, "%s (%s): %s: wanted %llu, %s takes %llu", l->layout->stem,
                       l->label ? l->label : "no label", what, (unsigned long long)wanted, g->caps.name,
                       (unsigned long long)has);
}

strata_status strata_gpu_check(const strata_gpu *g, const strata_gpu_launch *l)
{
    static const char *const axis[3] = { "workgroups in x", "workgroups in y", "workgroups in z" };
    const VkPhysicalDeviceLimits *limits = &g->physical.properties.limits;
    for (int i = 0; i < 3; i++)
        if (l->groups[i] > limits->maxComputeWorkGroupCount[i])
            return bad(l, axis[i], l->groups[i], limits->maxComputeWorkGroupCount[i], g);
    if (l->layout->push_bytes > limits->maxPushConstantsSize)
        return bad(l, "bytes of push constants", l->layout->push_bytes, limits->maxPushConstantsSize, g);
    return STRATA_OK;
}

static strata_status check_texels(const strata_gpu *g, const strata_gpu_launch *l, const char *name,
                                  strata_slice s)
{
    const VkDeviceSize step = g->physical.properties.limits.minTexelBufferOffsetAlignment;
    const uint64_t texels = s.half ? (s.bytes + 7) / 8 : (s.bytes + 15) / 16;
    if (texels <= g->caps.max_texels && s.offset % step == 0) return STRATA_OK;
    return strata_fail(
        STRATA_BAD_ARG, "%s (%s): %s: wanted %llu texels at byte %llu, %s takes %u at multiples of %llu",
        l->layout->stem, l->label ? l->label : "no label", name, (unsigned long long)texels,
        (unsigned long long)s.offset, g->caps.name, g->caps.max_texels, (unsigned long long)step);
}

/* ---- Pools of exactly the size that the launches need ------------------------------------------- */

static strata_status open_pools(strata_gpu_recording *r, const gpu_kernel *const *kernel, uint32_t n)
{
    const strata_gpu *g = r->gpu;
    uint32_t storage = 1, texels = 0; /* 1: a pool of nothing is not allowed */
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t b = 0; b < kernel[i]->block.n_bindings; b++)
            *(kernel[i]->block.binding[b].kind == SPIRV_TEXEL ? &texels : &storage) += 1;
    const VkDescriptorPoolSize sizes[] = { { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, storage },
                                           { VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, texels } };
    const VkDescriptorPoolCreateInfo sets = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                              .maxSets = n ? n : 1,
                                              .poolSizeCount = texels ? 2 : 1,
                                              .pPoolSizes = sizes };
    GPU_TRY(g->vk.vkCreateDescriptorPool(g->device, &sets, NULL, &r->descriptors));
    if (texels) r->view = calloc(texels, sizeof(VkBufferView));
    if (texels && !r->view) return strata_fail(STRATA_NO_MEMORY, "%u texel views", texels);
    const VkCommandPoolCreateInfo pool = { .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                           .queueFamilyIndex = g->physical.family };
    GPU_TRY(g->vk.vkCreateCommandPool(g->device, &pool, NULL, &r->pool));
    const VkCommandBufferAllocateInfo one = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = r->pool,
                                              .commandBufferCount = 1 };
    GPU_TRY(g->vk.vkAllocateCommandBuffers(g->device, &one, &r->commands));
    return STRATA_OK;
}

/* ---- One launch ---------------------------------------------------------------------------------- */

/* What binding `i` of a launch takes of its block. Lavapipe before Mesa 25 compiles a kernel for its texel
 * views, in what a texture could have there: is the size of the buffer a power of two (no block's is), and
 * are bits 8 to 15 of the view's size, a texture's levels, 0? A view of such a size goes on behind its
 * tensor, where nobody looks, so each kernel is compiled once. */
static strata_slice bound(const strata_gpu *g, const gpu_kernel *k, const strata_gpu_launch *l, uint32_t i)
{
    strata_slice s = ((const strata_slice *)l->args)[i]; /* the struct begins with them, in binding order */
    if (k->block.binding[i].kind != SPIRV_TEXEL || !s.block) return s;
    s.bytes = (s.bytes + 15) / 16 * 16; /* whole texels of 16 or 8 bytes, inside the block */
    if (g->physical.compiles_at_launch && (s.bytes & 0xff00) == 0) s.bytes += GPU_VIEW_MORE;
    return s;
}

static strata_status make_view(VkBufferView *out, strata_gpu_recording *r, strata_slice s)
{
    const strata_gpu *g = r->gpu;
    const VkBufferViewCreateInfo info = { .sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                          .buffer = gpu_block_buffer(s.block),
                                          .format = s.half ? VK_FORMAT_R16G16B16A16_SFLOAT
                                                           : VK_FORMAT_R32G32B32A32_SFLOAT,
                                          .offset = s.offset,
                                          .range = s.bytes };
    GPU_TRY(g->vk.vkCreateBufferView(g->device, &info, NULL, &r->view[r->n_views]));
    *out = r->view[r->n_views++];
    return STRATA_OK;
}

/* A pass's module still names the tensors of the others, behind branches that the driver folds away. So that
 * the validation layer sees no hazard between two launches that never touch theirs, each has its own. */
static strata_slice next_dummy(strata_gpu_recording *r)
{
    return (strata_slice) { .block = &r->gpu->dummy,
                            .offset = (uint64_t)STRATA_ALIGN * (r->n_dummies++ % GPU_DUMMIES),
                            .bytes = STRATA_ALIGN };
}

static strata_status bind(strata_gpu_recording *r, const gpu_kernel *k, const strata_gpu_launch *l)
{
    const strata_gpu *g = r->gpu;
    VkDescriptorBufferInfo info[STRATA_MAX_BINDINGS];
    VkWriteDescriptorSet write[STRATA_MAX_BINDINGS];
    VkBufferView view[STRATA_MAX_BINDINGS];
    VkDescriptorSet set;
    const VkDescriptorSetAllocateInfo one = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                              .descriptorPool = r->descriptors,
                                              .descriptorSetCount = 1,
                                              .pSetLayouts = &k->set_layout };
    GPU_TRY(g->vk.vkAllocateDescriptorSets(g->device, &one, &set));
    for (uint32_t i = 0; i < l->layout->n_slices; i++) {
        const strata_slice *slice = (const strata_slice *)l->args + i, taken = bound(g, k, l, i),
                           s = taken.block ? taken : next_dummy(r);
        info[i] = (VkDescriptorBufferInfo) { gpu_block_buffer(s.block), s.offset, s.bytes };
        write[i] = (VkWriteDescriptorSet) { .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                            .dstSet = set,
                                            .dstBinding = i,
                                            .descriptorCount = 1,
                                            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                            .pBufferInfo = &info[i] };
        if (k->block.binding[i].kind != SPIRV_TEXEL) continue;
        if (slice->block) STRATA_TRY(check_texels(g, l, k->block.binding[i].name, *slice));
        STRATA_TRY(make_view(&view[i], r, s));
        write[i].descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
        write[i].pTexelBufferView = &view[i];
    }
    g->vk.vkUpdateDescriptorSets(g->device, l->layout->n_slices, write, 0, NULL);
    g->vk.vkCmdBindDescriptorSets(r->commands, VK_PIPELINE_BIND_POINT_COMPUTE, k->pipeline_layout, 0, 1, &set,
                                  0, NULL);
    return STRATA_OK;
}

/* What the push constants end in. */
static void push_tail(strata_gpu_recording *r, const gpu_kernel *k, const strata_gpu_launch *l)
{
    static const uint32_t digits[SPIRV_MOST_DIGITS] = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    };
    const uint32_t table = 4 * k->block.digits;
    const strata_gpu *g = r->gpu;
    const strata_slice *slice = l->args;
    if (table)
        g->vk.vkCmdPushConstants(r->commands, k->pipeline_layout, VK_SHADER_STAGE_COMPUTE_BIT,
                                 STRATA_MAX_PUSH - table, table, digits);
    for (uint32_t i = 0; i < l->layout->n_slices; i++) {
        const spirv_binding *b = &k->block.binding[i];
        if (!b->address_at) continue;
        const uint64_t at = slice[i].block ? gpu_block_address(g, slice[i].block) + slice[i].offset : 0;
        g->vk.vkCmdPushConstants(r->commands, k->pipeline_layout, VK_SHADER_STAGE_COMPUTE_BIT, b->address_at,
                                 sizeof at, &at);
    }
}

static strata_status record_launch(strata_gpu_recording *r, const gpu_kernel *k, const strata_gpu_launch *l)
{
    const strata_gpu *g = r->gpu;
    g->vk.vkCmdBindPipeline(r->commands, VK_PIPELINE_BIND_POINT_COMPUTE, k->pipeline);
    STRATA_TRY(bind(r, k, l));
    if (l->layout->push_bytes)
        g->vk.vkCmdPushConstants(r->commands, k->pipeline_layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                 l->layout->push_bytes, (const char *)l->args + l->layout->push_at);
    push_tail(r, k, l);
    g->vk.vkCmdDispatch(r->commands, l->groups[0], l->groups[1], l->groups[2]);
    return STRATA_OK;
}

/* ---- The recording ---------------------------------------------------------------------------------- */

/* A launch is timed alone: all before it is over, and the time is told when it is over. */
static void tell_time(strata_gpu_recording *r, uint32_t i)
{
    const strata_gpu *g = r->gpu;
    const VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
    if (!r->times) return;
    gpu_barrier(g, r->commands, compute, VK_ACCESS_SHADER_WRITE_BIT, compute,
                VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    g->vk.vkCmdWriteTimestamp(r->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, r->times, i);
}

/* Is there a barrier before a launch? */
static strata_status add_hazards(hazard_list *hazards, bool *barrier, const strata_gpu *g,
                                 const gpu_kernel *k, const strata_gpu_launch *l)
{
    strata_slice slice[STRATA_MAX_BINDINGS];
    for (uint32_t i = 0; i < l->layout->n_slices; i++) slice[i] = bound(g, k, l, i);
    if (hazard_add(hazards, barrier, slice, l->layout->n_slices, l->layout->writes)) return STRATA_OK;
    return strata_fail(STRATA_NO_MEMORY, "the ranges of a launch of %s", l->layout->stem);
}

static strata_status record_all(strata_gpu_recording *r, const gpu_kernel *const *kernel,
                                const strata_gpu_launch *launch, uint32_t n, hazard_list *hazards)
{
    const strata_gpu *g = r->gpu;
    /* A step is submitted while the one before it runs. */
    const VkCommandBufferBeginInfo begin = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                             .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT };
    const VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
    const VkAccessFlags uses = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;
    GPU_TRY(g->vk.vkBeginCommandBuffer(r->commands, &begin));
    /* Whatever ran before may have written what is used here, or still read what is written here. */
    gpu_barrier(g, r->commands, compute | VK_PIPELINE_STAGE_TRANSFER_BIT,
                VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, compute, uses);
    if (r->times) g->vk.vkCmdResetQueryPool(r->commands, r->times, 0, n + 1);
    tell_time(r, 0);
    for (uint32_t i = 0; i < n; i++) {
        bool barrier;
        STRATA_TRY(add_hazards(hazards, &barrier, g, kernel[i], &launch[i]));
        /* A memory barrier also where only a read comes before a write and an execution barrier would do:
         * so nothing written before it need be remembered. */
        if (barrier) gpu_barrier(g, r->commands, compute, VK_ACCESS_SHADER_WRITE_BIT, compute, uses);
        r->n_barriers += barrier;
        STRATA_TRY(record_launch(r, kernel[i], &launch[i]));
        tell_time(r, i + 1);
    }
    GPU_TRY(g->vk.vkEndCommandBuffer(r->commands));
    return STRATA_OK;
}

static strata_status open_times(strata_gpu_recording *r, uint32_t n)
{
    const strata_gpu *g = r->gpu;
    const VkQueryPoolCreateInfo pool = { .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                         .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                         .queryCount = n + 1 };
    GPU_TRY(g->vk.vkCreateQueryPool(g->device, &pool, NULL, &r->times));
    return STRATA_OK;
}

static strata_status record(strata_gpu_recording **out, strata_gpu *g, const strata_gpu_launch *launch,
                            uint32_t n, bool timed)
{
    strata_status status = STRATA_OK;
    hazard_list hazards = { 0 };
    *out = NULL;
    const gpu_kernel **kernel = calloc(n ? n : 1, sizeof(const gpu_kernel *));
    strata_gpu_recording *r = calloc(1, sizeof *r);
    if (!kernel || !r) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "the record of %u launches", n));
    r->gpu = g;
    if (timed) STRATA_GO(open_times(r, n));
    STRATA_GO(kernel_make_all(g, launch, n));
    for (uint32_t i = 0; i < n; i++) kernel[i] = kernel_find(g, launch[i].layout, launch[i].defines);
    r->number = warm_note(g, kernel, launch, n);
    STRATA_GO(open_pools(r, kernel, n));
    STRATA_GO(record_all(r, kernel, launch, n, &hazards));
    *out = r;
    r = NULL;
done:
    hazard_free(&hazards);
    free(kernel);
    strata_gpu_recording_close(r);
    return status;
}

strata_status strata_gpu_make(strata_gpu *g, const strata_gpu_launch *launch, uint32_t n)
{
    return kernel_make_all(g, launch, n);
}

strata_status strata_gpu_record(strata_gpu_recording **out, strata_gpu *g, const strata_gpu_launch *launch,
                                uint32_t n)
{
    return record(out, g, launch, n, false);
}

strata_status strata_gpu_record_timed(strata_gpu_recording **out, strata_gpu *g,
                                      const strata_gpu_launch *launch, uint32_t n, bool apart)
{
    if (g->physical.time_bits && !apart) {
        STRATA_TRY(record(out, g, launch, n, true));
        (*out)->n_launches = n;
        return STRATA_OK;
    }
    strata_gpu_recording *r = calloc(1, sizeof *r);
    *out = r;
    if (r) r->single = calloc(n ? n : 1, sizeof(strata_gpu_recording *));
    strata_status status = r && r->single ? STRATA_OK
                                          : strata_fail(STRATA_NO_MEMORY, "the record of %u launches", n);
    for (; status == STRATA_OK && r->n_launches < n; r->n_launches++)
        status = record(&r->single[r->n_launches], g, &launch[r->n_launches], 1, false);
    if (status == STRATA_OK) return STRATA_OK;
    strata_gpu_recording_close(r);
    *out = NULL;
    return status;
}

void strata_gpu_recording_close(strata_gpu_recording *r)
{
    if (!r) return;
    for (uint32_t i = 0; r->single && i < r->n_launches; i++) strata_gpu_recording_close(r->single[i]);
    free(r->single);
    if (r->gpu) {
        const strata_gpu *g = r->gpu;
        g->vk.vkDestroyQueryPool(g->device, r->times, NULL);
        for (uint32_t i = 0; i < r->n_views; i++) g->vk.vkDestroyBufferView(g->device, r->view[i], NULL);
        g->vk.vkDestroyDescriptorPool(g->device, r->descriptors, NULL);
        g->vk.vkDestroyCommandPool(g->device, r->pool, NULL);
    }
    free(r->view);
    free(r);
}

strata_status strata_gpu_run(strata_gpu *g, const strata_gpu_recording *r)
{
    warm_kernels(g, r->number);
    return gpu_submit_and_wait(g, (const VkCommandBuffer[]) { r->commands, g->to_host }, 2);
}

bool strata_gpu_tells_time(const strata_gpu *g) { return g->physical.time_bits != 0; }

static strata_status run_singles(strata_gpu *g, const strata_gpu_recording *r, double *seconds,
                                 bool processor)
{
    for (uint32_t i = 0; i < r->n_launches; i++) {
        const double start = processor ? strata_process_time() : strata_now();
        STRATA_TRY(strata_gpu_run(g, r->single[i]));
        seconds[i] = (processor ? strata_process_time() : strata_now()) - start;
    }
    return STRATA_OK;
}

strata_status strata_gpu_run_timed(strata_gpu *g, const strata_gpu_recording *r, double *seconds,
                                   bool processor)
{
    const uint32_t n = r->n_launches;
    if (r->single) return run_singles(g, r, seconds, processor);
    strata_status status = STRATA_OK;
    uint64_t *ticks = calloc(n + 1, sizeof *ticks);
    if (!ticks) return strata_fail(STRATA_NO_MEMORY, "the times of %u launches", n);
    STRATA_GO(strata_gpu_run(g, r));
    const VkResult got = g->vk.vkGetQueryPoolResults(g->device, r->times, 0, n + 1, (n + 1) * sizeof *ticks,
                                                     ticks, sizeof *ticks,
                                                     VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
    if (got != VK_SUCCESS) STRATA_GO(gpu_fail(got, "vkGetQueryPoolResults"));
    const uint64_t mask = g->physical.time_bits < 64 ? ((uint64_t)1 << g->physical.time_bits) - 1
                                                     : UINT64_MAX;
    const double period = 1e-9 * (double)g->physical.properties.limits.timestampPeriod;
    for (uint32_t i = 0; i < n; i++) seconds[i] = period * (double)((ticks[i + 1] - ticks[i]) & mask);
done:
    free(ticks);
    return status;
}

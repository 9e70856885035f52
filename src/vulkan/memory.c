/* Memory blocks, copies through staging, and the submission that all of the room uses. */
#include <stdio.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "vulkan/device.h"

struct gpu_memory {
    VkBuffer buffer;
    VkDeviceMemory memory;
    void *mapped;
    uint64_t room; /* bytes: those asked for, rounded up */
    bool coherent;
    gpu_memory *next; /* of strata_gpu.not_coherent */
};

enum {
    STAGING_BYTES = 4 << 20, /* or the largest block, where that is less */
    LEAST_HUGE = 8 << 20
};

static gpu_memory *memory_of(const strata_block *b) { return b->device; }
VkBuffer gpu_block_buffer(const strata_block *b) { return memory_of(b)->buffer; }

uint64_t gpu_block_address(const strata_gpu *g, const strata_block *b)
{
    const VkBufferDeviceAddressInfo of = { .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                           .buffer = memory_of(b)->buffer };
    return g->vk.vkGetBufferDeviceAddressKHR(g->device, &of);
}

/* ---- Which memory ----------------------------------------------------------------------------- */

/* The first type that has all of `wanted`, in the driver's order, which is by speed; UINT32_MAX: none. */
static uint32_t find_type(const strata_gpu *g, uint32_t allowed, VkMemoryPropertyFlags wanted)
{
    for (uint32_t i = 0; i < g->memory.memoryTypeCount; i++)
        if ((allowed >> i & 1) && (g->memory.memoryTypes[i].propertyFlags & wanted) == wanted) return i;
    return UINT32_MAX;
}

static uint32_t choose_type(const strata_gpu *g, uint32_t allowed, strata_memory_kind kind)
{
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                                seen = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                                coherent = seen | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                                cached = seen | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    const VkMemoryPropertyFlags wanted[3][4] = {
        [STRATA_MEMORY_DEVICE] = { local, 0, 0, 0 },
        [STRATA_MEMORY_UPLOAD] = { coherent, seen, seen, seen },
        [STRATA_MEMORY_READBACK] = { cached | coherent, cached, coherent, seen },
    };
    uint32_t type = UINT32_MAX;
    for (int i = 0; i < 4 && type == UINT32_MAX; i++) type = find_type(g, allowed, wanted[kind][i]);
    return type;
}

static strata_status no_memory(const strata_gpu *g, uint64_t bytes, uint32_t heap, const char *why)
{
    return strata_fail(STRATA_DEVICE_MEMORY,
                       "%llu bytes of device memory asked, %llu already taken, heap %u of %s has %llu%s%s",
                       (unsigned long long)bytes, (unsigned long long)g->held, heap, g->caps.name,
                       (unsigned long long)g->memory.memoryHeaps[heap].size, *why ? ": " : "", why);
}

/* Ask for huge pages where a software device's memory is this process's own: its kernels stride through
 * tensors, and each of their small pages is an entry of the processor's table to miss. */
static void ask_huge(const gpu_memory *m, const strata_gpu *g)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    enum { PAGE = 4096 };
    void *at = NULL;
    if (m->room < LEAST_HUGE ||
        g->vk.vkMapMemory(g->device, m->memory, 0, VK_WHOLE_SIZE, 0, &at) != VK_SUCCESS)
        return;
    const uintptr_t from = ((uintptr_t)at + PAGE - 1) / PAGE * PAGE,
                    end = ((uintptr_t)at + m->room) / PAGE * PAGE;
    madvise((void *)from, end - from, MADV_HUGEPAGE); /* the kernel may do without */
    g->vk.vkUnmapMemory(g->device, m->memory);
#else
    (void)m, (void)g;
#endif
}

static strata_status allocate(gpu_memory *m, strata_gpu *g, uint64_t bytes, strata_memory_kind kind)
{
    VkMemoryRequirements needs;
    g->vk.vkGetBufferMemoryRequirements(g->device, m->buffer, &needs);
    uint32_t type = choose_type(g, needs.memoryTypeBits, kind);
    if (type == UINT32_MAX)
        return strata_fail(STRATA_DEVICE,
                           "%s has no memory type that the host sees for a buffer of %llu bytes",
                           g->caps.name, (unsigned long long)bytes);
    const VkMemoryType *t = &g->memory.memoryTypes[type];
    if (g->held + bytes > g->caps.memory && kind == STRATA_MEMORY_DEVICE &&
        g->caps.memory < g->memory.memoryHeaps[t->heapIndex].size) {
        char clamp[64];
        snprintf(clamp, sizeof clamp, "limited to %llu", (unsigned long long)g->caps.memory);
        return no_memory(g, bytes, t->heapIndex, clamp);
    }
    const VkMemoryAllocateFlagsInfo addressed = { .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                                  .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT };
    VkResult r = g->vk.vkAllocateMemory(
        g->device,
        &(VkMemoryAllocateInfo) { .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                  .pNext = g->caps.addresses ? &addressed : NULL,
                                  .allocationSize = needs.size,
                                  .memoryTypeIndex = type },
        NULL, &m->memory);
    if (r == VK_ERROR_OUT_OF_DEVICE_MEMORY) return no_memory(g, bytes, t->heapIndex, "");
    if (r != VK_SUCCESS) return gpu_fail(r, "vkAllocateMemory");
    m->coherent = (t->propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) != 0;
    GPU_TRY(g->vk.vkBindBufferMemory(g->device, m->buffer, m->memory, 0));
    if (g->caps.cpu_type && (t->propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)) ask_huge(m, g);
    if (kind != STRATA_MEMORY_DEVICE)
        GPU_TRY(g->vk.vkMapMemory(g->device, m->memory, 0, VK_WHOLE_SIZE, 0, &m->mapped));
    return STRATA_OK;
}

/* Bytes of a buffer behind its `room`: where views are made alike (bound in recording.c) the longest stays
 * inside, and no buffer's size is a power of two. */
static uint64_t behind(const strata_gpu *g, uint64_t room)
{
    const uint64_t all = room + GPU_VIEW_MORE;
    if (!g->physical.compiles_at_launch) return 0;
    return (all & (all - 1)) == 0 ? 2 * GPU_VIEW_MORE : GPU_VIEW_MORE;
}

static strata_status make_block(gpu_memory *m, strata_gpu *g, uint64_t bytes, strata_memory_kind kind)
{
    VkBufferUsageFlags usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                               VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    if (g->caps.max_texels) usage |= VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT;
    if (g->caps.addresses) usage |= VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
    if (bytes > g->caps.max_block)
        return strata_fail(STRATA_DEVICE_MEMORY, "a block of %llu bytes asked, %s makes them of at most %llu",
                           (unsigned long long)bytes, g->caps.name, (unsigned long long)g->caps.max_block);
    /* Whole units of 256: views of texels and flushed ranges are rounded up and stay inside. */
    m->room = (bytes + 255) / 256 * 256;
    if (m->room == 0) m->room = 256;
    VkResult r = g->vk.vkCreateBuffer(g->device,
                                      &(VkBufferCreateInfo) { .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                                              .size = m->room + behind(g, m->room),
                                                              .usage = usage },
                                      NULL, &m->buffer);
    if (r == VK_ERROR_OUT_OF_DEVICE_MEMORY) return no_memory(g, bytes, 0, "");
    if (r != VK_SUCCESS) return gpu_fail(r, "vkCreateBuffer");
    return allocate(m, g, m->room, kind);
}

static void destroy(gpu_memory *m, strata_gpu *g)
{
    for (gpu_memory **at = &g->not_coherent; *at; at = &(*at)->next)
        if (*at == m) {
            *at = m->next;
            break;
        }
    if (m->buffer) g->vk.vkDestroyBuffer(g->device, m->buffer, NULL);
    if (m->memory) g->vk.vkFreeMemory(g->device, m->memory, NULL);
    free(m);
}

strata_status gpu_block_open_private(strata_block *out, strata_gpu *g, uint64_t bytes,
                                     strata_memory_kind kind)
{
    *out = (strata_block) { 0 };
    gpu_memory *m = calloc(1, sizeof *m);
    if (!m) return strata_fail(STRATA_NO_MEMORY, "the record of a memory block");
    strata_status status = make_block(m, g, bytes, kind);
    if (status != STRATA_OK) {
        destroy(m, g);
        return status;
    }
    g->held += m->room;
    *out = (strata_block) { .host = m->mapped, .device = m, .bytes = bytes };
    return STRATA_OK;
}

/* Wait for the fill that is still running. */
static strata_status settle(strata_gpu *g)
{
    if (!g->once_runs) return STRATA_OK;
    g->once_runs = false;
    GPU_TRY(g->vk.vkWaitForFences(g->device, 1, &g->once_fence, VK_TRUE, UINT64_MAX));
    return STRATA_OK;
}

strata_status strata_gpu_block_open(strata_block *out, strata_gpu *g, uint64_t bytes, strata_memory_kind kind)
{
    STRATA_TRY(gpu_block_open_private(out, g, bytes, kind));
    gpu_memory *m = out->device;
    if (m->mapped && !m->coherent) {
        m->next = g->not_coherent;
        g->not_coherent = m;
    }
    return STRATA_OK;
}

void strata_gpu_block_close(strata_block *b, strata_gpu *g)
{
    if (b->device) {
        if (g->once_runs) settle(g); /* or it is lost, and nobody writes */
        g->held -= memory_of(b)->room;
        destroy(b->device, g);
    }
    *b = (strata_block) { 0 };
}

/* ---- What the host and the device see ------------------------------------------------------------ */

static VkMappedMemoryRange mapped_range(const gpu_memory *m, uint64_t offset, uint64_t bytes)
{
    uint64_t start = offset / 256 * 256, end = (offset + bytes + 255) / 256 * 256; /* 256: the largest atom */
    return (VkMappedMemoryRange) { .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
                                   .memory = m->memory,
                                   .offset = start,
                                   .size = end - start };
}

strata_status gpu_block_flush(const strata_gpu *g, const strata_block *b, uint64_t offset, uint64_t bytes)
{
    const gpu_memory *m = memory_of(b);
    if (m->coherent || bytes == 0) return STRATA_OK;
    const VkMappedMemoryRange range = mapped_range(m, offset, bytes);
    GPU_TRY(g->vk.vkFlushMappedMemoryRanges(g->device, 1, &range));
    return STRATA_OK;
}

strata_status gpu_block_invalidate(const strata_gpu *g, const strata_block *b, uint64_t offset,
                                   uint64_t bytes)
{
    const gpu_memory *m = memory_of(b);
    if (m->coherent || bytes == 0) return STRATA_OK;
    const VkMappedMemoryRange range = mapped_range(m, offset, bytes);
    GPU_TRY(g->vk.vkInvalidateMappedMemoryRanges(g->device, 1, &range));
    return STRATA_OK;
}

void gpu_barrier(const strata_gpu *g, VkCommandBuffer c, VkPipelineStageFlags from, VkAccessFlags wrote,
                 VkPipelineStageFlags to, VkAccessFlags uses)
{
    const VkMemoryBarrier barrier = { .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                      .srcAccessMask = wrote,
                                      .dstAccessMask = uses };
    g->vk.vkCmdPipelineBarrier(c, from, to, 0, 1, &barrier, 0, NULL, 0, NULL);
}

strata_status gpu_submit(strata_gpu *g, const VkCommandBuffer *commands, uint32_t n, VkFence fence)
{
    for (const gpu_memory *m = g->not_coherent; m; m = m->next) {
        const VkMappedMemoryRange range = mapped_range(m, 0, m->room);
        GPU_TRY(g->vk.vkFlushMappedMemoryRanges(g->device, 1, &range));
    }
    GPU_TRY(g->vk.vkQueueSubmit(g->queue, 1,
                                &(VkSubmitInfo) { .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                                  .commandBufferCount = n,
                                                  .pCommandBuffers = commands },
                                fence));
    return STRATA_OK;
}

strata_status gpu_submit_and_wait(strata_gpu *g, const VkCommandBuffer *commands, uint32_t n)
{
    STRATA_TRY(settle(g));
    GPU_TRY(g->vk.vkResetFences(g->device, 1, &g->once_fence));
    STRATA_TRY(gpu_submit(g, commands, n, g->once_fence));
    GPU_TRY(g->vk.vkWaitForFences(g->device, 1, &g->once_fence, VK_TRUE, UINT64_MAX));
    for (const gpu_memory *m = g->not_coherent; m; m = m->next) {
        const VkMappedMemoryRange range = mapped_range(m, 0, m->room);
        GPU_TRY(g->vk.vkInvalidateMappedMemoryRanges(g->device, 1, &range));
    }
    return STRATA_OK;
}

/* ---- Copies ----------------------------------------------------------------------------------- */

static const VkPipelineStageFlags work = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT |
                                         VK_PIPELINE_STAGE_TRANSFER_BIT;

static strata_status begin_once(strata_gpu *g)
{
    STRATA_TRY(settle(g));
    GPU_TRY(g->vk.vkBeginCommandBuffer(
        g->once, &(VkCommandBufferBeginInfo) { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                               .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT }));
    gpu_barrier(g, g->once, work, VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT);
    return STRATA_OK;
}

static strata_status end_once(strata_gpu *g, bool wait)
{
    gpu_barrier(g, g->once, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                work | VK_PIPELINE_STAGE_HOST_BIT,
                VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                    VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_READ_BIT);
    GPU_TRY(g->vk.vkEndCommandBuffer(g->once));
    if (wait) return gpu_submit_and_wait(g, &g->once, 1);
    GPU_TRY(g->vk.vkResetFences(g->device, 1, &g->once_fence));
    STRATA_TRY(gpu_submit(g, &g->once, 1, g->once_fence));
    g->once_runs = true;
    return STRATA_OK;
}

static strata_status copy(strata_gpu *g, const strata_block *to, uint64_t to_at, const strata_block *from,
                          uint64_t from_at, uint64_t bytes)
{
    const VkBufferCopy region = { from_at, to_at, bytes };
    STRATA_TRY(begin_once(g));
    g->vk.vkCmdCopyBuffer(g->once, gpu_block_buffer(from), gpu_block_buffer(to), 1, &region);
    return end_once(g, true);
}

static strata_status need_staging(strata_block *b, strata_gpu *g, strata_memory_kind kind)
{
    const uint64_t bytes = g->caps.max_block < STAGING_BYTES ? g->caps.max_block : STAGING_BYTES;
    return b->device ? STRATA_OK : gpu_block_open_private(b, g, bytes, kind);
}

strata_status strata_gpu_write(strata_gpu *g, strata_slice to, const void *from)
{
    const char *bytes = from;
    STRATA_TRY(need_staging(&g->staging_up, g, STRATA_MEMORY_UPLOAD));
    const uint64_t most = g->staging_up.bytes;
    for (uint64_t at = 0; at < to.bytes; at += most) {
        uint64_t n = to.bytes - at < most ? to.bytes - at : most;
        memcpy(g->staging_up.host, bytes + at, n);
        STRATA_TRY(gpu_block_flush(g, &g->staging_up, 0, n));
        STRATA_TRY(copy(g, to.block, to.offset + at, &g->staging_up, 0, n));
    }
    return STRATA_OK;
}

strata_status strata_gpu_read(strata_gpu *g, void *to, strata_slice from)
{
    char *bytes = to;
    STRATA_TRY(need_staging(&g->staging_down, g, STRATA_MEMORY_READBACK));
    const uint64_t most = g->staging_down.bytes;
    for (uint64_t at = 0; at < from.bytes; at += most) {
        uint64_t n = from.bytes - at < most ? from.bytes - at : most;
        STRATA_TRY(copy(g, &g->staging_down, 0, from.block, from.offset + at, n));
        STRATA_TRY(gpu_block_invalidate(g, &g->staging_down, 0, n));
        memcpy(bytes + at, g->staging_down.host, n);
    }
    return STRATA_OK;
}

strata_status strata_gpu_fill(strata_gpu *g, const strata_slice *to, uint32_t n, uint32_t word, bool wait)
{
    STRATA_TRY(begin_once(g));
    for (uint32_t i = 0; i < n; i++) {
        if (to[i].bytes == 0) continue;
        g->vk.vkCmdFillBuffer(g->once, gpu_block_buffer(to[i].block), to[i].offset, to[i].bytes, word);
        wait = wait || to[i].block->host; /* which the host may read at once */
    }
    return end_once(g, wait);
}

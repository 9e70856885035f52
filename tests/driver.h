/* What lies between an open device and its driver. The linker's --wrap hands volk's table to this, and its
 * calls go through functions that fail, lose the device, keep memory from being coherent, and count what is
 * alive. For one test, which includes it once. */
#ifndef STRATA_TESTS_DRIVER_H
#define STRATA_TESTS_DRIVER_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vulkan/device.h"

void __real_volkLoadDeviceTable(struct VolkDeviceTable *table, VkDevice device);
void __wrap_volkLoadDeviceTable(struct VolkDeviceTable *table, VkDevice device);

enum {
    ATOM = 256
}; /* of mapped memory, and what offsets of bindings are multiples of: the largest allowed */

enum { LEAST_PUSH = 128 }; /* bytes of push constants of each device */

/* ---- What goes wrong --------------------------------------------------------------------------- */

static struct VolkDeviceTable real;
static atomic_long alive, held;   /* objects made and not destroyed; pieces of the host's memory */
static atomic_uint views, pushes; /* that were looked at */
static atomic_uint calls;         /* that can fail so */
static uint32_t failing;          /* the number of the one that does; 0: none */
static enum fault {
    ANY_CALL, /* one of the driver's */
    LOSS,     /* one that speaks to the queue, and so does every later one */
    HOST      /* one for memory of the host */
} fault;
static atomic_bool lost;
static bool not_coherent; /* of devices that are opened */

static bool fails(void) { return atomic_fetch_add(&calls, 1) + 1 == failing; }

static VkResult memory_turn(void)
{
    return fault == ANY_CALL && fails() ? VK_ERROR_OUT_OF_DEVICE_MEMORY : VK_SUCCESS;
}

static VkResult queue_turn(void)
{
    const bool mine = fault != HOST && fails();
    if (mine && fault == LOSS) atomic_store(&lost, true);
    return mine || atomic_load(&lost) ? VK_ERROR_DEVICE_LOST : VK_SUCCESS;
}

static void from_now_on(uint32_t which, enum fault kind)
{
    atomic_store(&calls, 0);
    atomic_store(&lost, false);
    failing = which;
    fault = kind;
}

/* ---- Memory of the host ------------------------------------------------------------------------- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t grain, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t grain, size_t n);
void __wrap_free(void *p);

static bool host_turn(void) { return fault == HOST && fails(); }

static void *hold(void *p)
{
    if (p) held++;
    return p;
}

void *__wrap_malloc(size_t n) { return host_turn() ? NULL : hold(__real_malloc(n)); }
void *__wrap_calloc(size_t n, size_t size) { return host_turn() ? NULL : hold(__real_calloc(n, size)); }
void *__wrap_aligned_alloc(size_t grain, size_t n)
{
    return host_turn() ? NULL : hold(__real_aligned_alloc(grain, n));
}
void *__wrap_realloc(void *p, size_t n)
{
    if (host_turn()) return NULL;
    void *grown = __real_realloc(p, n);
    return p ? grown : hold(grown);
}
void __wrap_free(void *p)
{
    if (p) held--;
    __real_free(p);
}

/* ---- Objects ------------------------------------------------------------------------------------ */

#define CREATES(name, info, object)                                                                          \
    static VKAPI_ATTR VkResult VKAPI_CALL name(VkDevice d, const info *i, const VkAllocationCallbacks *a,    \
                                               object *out)                                                  \
    {                                                                                                        \
        VkResult r = memory_turn();                                                                          \
        if (r == VK_SUCCESS) r = real.vk##name(d, i, a, out);                                                \
        if (r == VK_SUCCESS) alive++;                                                                        \
        return r;                                                                                            \
    }
#define DESTROYS(name, object)                                                                               \
    static VKAPI_ATTR void VKAPI_CALL name(VkDevice d, object o, const VkAllocationCallbacks *a)             \
    {                                                                                                        \
        if (o) alive--;                                                                                      \
        real.vk##name(d, o, a);                                                                              \
    }
#define OBJECTS(X)                                                                                           \
    X(Buffer)                                                                                                \
    X(BufferView)                                                                                            \
    X(CommandPool)                                                                                           \
    X(DescriptorPool)                                                                                        \
    X(DescriptorSetLayout)                                                                                   \
    X(Fence)                                                                                                 \
    X(PipelineCache)                                                                                         \
    X(PipelineLayout)                                                                                        \
    X(QueryPool)                                                                                             \
    X(ShaderModule)
#define BOTH(name)                                                                                           \
    CREATES(Create##name, Vk##name##CreateInfo, Vk##name)                                                    \
    DESTROYS(Destroy##name, Vk##name)
OBJECTS(BOTH)
DESTROYS(DestroyPipeline, VkPipeline)

static VKAPI_ATTR VkResult VKAPI_CALL CreateComputePipelines(VkDevice d, VkPipelineCache cache, uint32_t n,
                                                             const VkComputePipelineCreateInfo *info,
                                                             const VkAllocationCallbacks *a, VkPipeline *out)
{
    VkResult r = memory_turn();
    if (r == VK_SUCCESS) r = real.vkCreateComputePipelines(d, cache, n, info, a, out);
    if (r == VK_SUCCESS) alive += n;
    return r;
}

static VKAPI_ATTR VkResult VKAPI_CALL AllocateCommandBuffers(VkDevice d, const VkCommandBufferAllocateInfo *i,
                                                             VkCommandBuffer *out)
{
    const VkResult r = memory_turn();
    return r == VK_SUCCESS ? real.vkAllocateCommandBuffers(d, i, out) : r;
}

static VKAPI_ATTR VkResult VKAPI_CALL AllocateDescriptorSets(VkDevice d, const VkDescriptorSetAllocateInfo *i,
                                                             VkDescriptorSet *out)
{
    const VkResult r = memory_turn();
    return r == VK_SUCCESS ? real.vkAllocateDescriptorSets(d, i, out) : r;
}

/* ---- Memory: the host sees a copy of what is mapped, of which only flushed or invalidated bytes move --- */

enum { MAPS = 64, GARBAGE = 0xee };
static struct map {
    VkDeviceMemory memory;
    char *device, *host, *base; /* the last: the host's copy when it last was the device's */
    uint64_t bytes;
} maps[MAPS];

static struct map *map_of(VkDeviceMemory memory)
{
    for (int i = 0; i < MAPS; i++)
        if (maps[i].memory == memory) return &maps[i];
    return NULL;
}

static uint64_t sizes[2 * MAPS];
static VkDeviceMemory sized[2 * MAPS];

static VKAPI_ATTR VkResult VKAPI_CALL AllocateMemory(VkDevice d, const VkMemoryAllocateInfo *i,
                                                     const VkAllocationCallbacks *a, VkDeviceMemory *out)
{
    VkResult r = memory_turn();
    if (r == VK_SUCCESS) r = real.vkAllocateMemory(d, i, a, out);
    if (r != VK_SUCCESS) return r;
    alive++;
    int at = 0;
    while (sized[at]) at++;
    sized[at] = *out;
    sizes[at] = i->allocationSize;
    return r;
}

static void unmap(VkDeviceMemory memory)
{
    struct map *m = map_of(memory);
    if (!m) return;
    free(m->host);
    free(m->base);
    *m = (struct map) { 0 };
}

static VKAPI_ATTR void VKAPI_CALL FreeMemory(VkDevice d, VkDeviceMemory memory,
                                             const VkAllocationCallbacks *a)
{
    for (int i = 0; memory && i < 2 * MAPS; i++)
        if (sized[i] == memory) sized[i] = VK_NULL_HANDLE;
    if (memory) unmap(memory), alive--;
    real.vkFreeMemory(d, memory, a);
}

static VKAPI_ATTR VkResult VKAPI_CALL BindBufferMemory(VkDevice d, VkBuffer b, VkDeviceMemory m,
                                                       VkDeviceSize at)
{
    const VkResult r = memory_turn();
    return r == VK_SUCCESS ? real.vkBindBufferMemory(d, b, m, at) : r;
}

static VKAPI_ATTR VkResult VKAPI_CALL MapMemory(VkDevice d, VkDeviceMemory memory, VkDeviceSize at,
                                                VkDeviceSize bytes, VkMemoryMapFlags flags, void **out)
{
    VkResult r = memory_turn();
    if (r == VK_SUCCESS) r = real.vkMapMemory(d, memory, at, bytes, flags, out);
    if (r != VK_SUCCESS || !not_coherent) return r;
    struct map *m = map_of(VK_NULL_HANDLE);
    int which = 0;
    while (sized[which] != memory) which++;
    assert_non_null(m);
    *m = (struct map) { memory, *out, malloc(sizes[which]), malloc(sizes[which]), sizes[which] };
    assert_true(m->host && m->base);
    memset(m->host, GARBAGE, m->bytes);
    memset(m->base, GARBAGE, m->bytes);
    *out = m->host;
    return r;
}

static VKAPI_ATTR void VKAPI_CALL UnmapMemory(VkDevice d, VkDeviceMemory memory)
{
    unmap(memory);
    real.vkUnmapMemory(d, memory);
}

/* An atom goes to the device whole if one byte of it was written. The largest that Vulkan allows has 256. */
static void write_atoms(const struct map *m, uint64_t from, uint64_t end)
{
    for (uint64_t at = from; at < end; at += ATOM) {
        const uint64_t n = end - at < ATOM ? end - at : ATOM;
        if (memcmp(m->host + at, m->base + at, n) == 0) continue;
        memcpy(m->device + at, m->host + at, n);
        memcpy(m->base + at, m->host + at, n);
    }
}

static const struct map *ranged(const VkMappedMemoryRange *range)
{
    const struct map *m = map_of(range->memory);
    assert_non_null(m);
    assert_int_equal(range->offset % ATOM, 0);
    assert_true(range->size % ATOM == 0 || range->offset + range->size == m->bytes);
    assert_true(range->offset + range->size <= m->bytes);
    return m;
}

static VKAPI_ATTR VkResult VKAPI_CALL FlushMappedMemoryRanges(VkDevice d, uint32_t n,
                                                              const VkMappedMemoryRange *range)
{
    const VkResult r = memory_turn();
    if (r != VK_SUCCESS) return r;
    for (uint32_t i = 0; i < n; i++) {
        const struct map *m = ranged(&range[i]);
        write_atoms(m, range[i].offset, range[i].offset + range[i].size);
    }
    return real.vkFlushMappedMemoryRanges(d, n, range);
}

static VKAPI_ATTR VkResult VKAPI_CALL InvalidateMappedMemoryRanges(VkDevice d, uint32_t n,
                                                                   const VkMappedMemoryRange *range)
{
    const VkResult r = memory_turn();
    if (r != VK_SUCCESS) return r;
    for (uint32_t i = 0; i < n; i++) {
        const struct map *m = ranged(&range[i]);
        memcpy(m->host + range[i].offset, m->device + range[i].offset, range[i].size);
        memcpy(m->base + range[i].offset, m->device + range[i].offset, range[i].size);
    }
    return real.vkInvalidateMappedMemoryRanges(d, n, range);
}

/* ---- What a device may hold against a call, and no software device does ------------------------ */

/* Sizes of buffers and of layouts' push constants. Layouts are made in many threads. */
enum { SIZED = 4096 };
static struct sized_object {
    uint64_t handle, bytes;
} objects[SIZED];
static pthread_mutex_t objects_lock = PTHREAD_MUTEX_INITIALIZER;

/* Those of an object; note what they are where `bytes` says so, and forget it where that is 0. */
static uint64_t size_of(uint64_t handle, const uint64_t *bytes)
{
    uint32_t at = 0, empty = SIZED;
    pthread_mutex_lock(&objects_lock);
    for (; at < SIZED && objects[at].handle != handle; at++)
        if (!objects[at].handle && empty == SIZED) empty = at;
    if (at == SIZED && bytes) at = empty;
    if (at < SIZED && bytes) objects[at] = (struct sized_object) { *bytes ? handle : 0, *bytes };
    const uint64_t has = at < SIZED ? objects[at].bytes : 0;
    pthread_mutex_unlock(&objects_lock);
    return has;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_buffer(VkDevice d, const VkBufferCreateInfo *i,
                                                    const VkAllocationCallbacks *a, VkBuffer *out)
{
    const VkResult r = CreateBuffer(d, i, a, out);
    if (r == VK_SUCCESS) size_of((uint64_t)*out, &i->size);
    return r;
}

static VKAPI_ATTR void VKAPI_CALL destroy_buffer(VkDevice d, VkBuffer b, const VkAllocationCallbacks *a)
{
    size_of((uint64_t)b, &(const uint64_t) { 0 });
    DestroyBuffer(d, b, a);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_view(VkDevice d, const VkBufferViewCreateInfo *i,
                                                  const VkAllocationCallbacks *a, VkBufferView *out)
{
    const uint64_t texel = i->format == VK_FORMAT_R16G16B16A16_SFLOAT ? 8 : 16;
    assert_int_equal(i->offset % ATOM, 0);
    assert_int_equal(i->range % texel, 0);
    assert_true(i->range > 0 && i->offset + i->range <= size_of((uint64_t)i->buffer, NULL));
    atomic_fetch_add(&views, 1);
    return CreateBufferView(d, i, a, out);
}

/* One range of them, within what each device has. */
static VKAPI_ATTR VkResult VKAPI_CALL create_layout(VkDevice d, const VkPipelineLayoutCreateInfo *i,
                                                    const VkAllocationCallbacks *a, VkPipelineLayout *out)
{
    const uint64_t bytes = i->pushConstantRangeCount ? i->pPushConstantRanges->size : 0;
    assert_true(i->pushConstantRangeCount <= 1 && bytes <= LEAST_PUSH && bytes % 4 == 0);
    const VkResult r = CreatePipelineLayout(d, i, a, out);
    if (r == VK_SUCCESS) size_of((uint64_t)*out, &bytes);
    return r;
}

static VKAPI_ATTR void VKAPI_CALL destroy_layout(VkDevice d, VkPipelineLayout l,
                                                 const VkAllocationCallbacks *a)
{
    size_of((uint64_t)l, &(const uint64_t) { 0 });
    DestroyPipelineLayout(d, l, a);
}

static VKAPI_ATTR void VKAPI_CALL CmdPushConstants(VkCommandBuffer c, VkPipelineLayout layout,
                                                   VkShaderStageFlags stages, uint32_t at, uint32_t bytes,
                                                   const void *values)
{
    assert_int_equal(stages, VK_SHADER_STAGE_COMPUTE_BIT);
    assert_true(at % 4 == 0 && bytes % 4 == 0 && bytes > 0);
    assert_true(at + bytes <= size_of((uint64_t)layout, NULL));
    pushes++;
    real.vkCmdPushConstants(c, layout, stages, at, bytes, values);
}

/* What the commands of a buffer wrote, that no barrier has made visible to the host. */
static struct recorded {
    VkCommandBuffer commands;
    VkAccessFlags written;
    bool to_host; /* its last command is such a barrier */
} recordings[SIZED];

static struct recorded *recorded_as(VkCommandBuffer c)
{
    uint32_t at = 0;
    while (recordings[at].commands && recordings[at].commands != c) assert_true(++at < SIZED);
    recordings[at].commands = c;
    return &recordings[at];
}

static void note_write(VkCommandBuffer c, VkAccessFlags how)
{
    struct recorded *r = recorded_as(c);
    r->written |= how;
    r->to_host = false;
}

static VKAPI_ATTR void VKAPI_CALL CmdCopyBuffer(VkCommandBuffer c, VkBuffer from, VkBuffer to, uint32_t n,
                                                const VkBufferCopy *region)
{
    note_write(c, VK_ACCESS_TRANSFER_WRITE_BIT);
    real.vkCmdCopyBuffer(c, from, to, n, region);
}

static VKAPI_ATTR void VKAPI_CALL CmdFillBuffer(VkCommandBuffer c, VkBuffer to, VkDeviceSize at,
                                                VkDeviceSize bytes, uint32_t word)
{
    note_write(c, VK_ACCESS_TRANSFER_WRITE_BIT);
    real.vkCmdFillBuffer(c, to, at, bytes, word);
}

/* Vulkan's call has ten parameters, three lists among them. */
#define BARRIERS                                                                                             \
    uint32_t n, const VkMemoryBarrier *memory, uint32_t n_b, const VkBufferMemoryBarrier *buffers,           \
        uint32_t n_i, const VkImageMemoryBarrier *images
static VKAPI_ATTR void VKAPI_CALL CmdPipelineBarrier(VkCommandBuffer c, VkPipelineStageFlags from,
                                                     VkPipelineStageFlags to, VkDependencyFlags how, BARRIERS)
{
    struct recorded *r = recorded_as(c);
    const VkPipelineStageFlags shader = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                               transfer = VK_PIPELINE_STAGE_TRANSFER_BIT;
    if (to & VK_PIPELINE_STAGE_HOST_BIT && n == 1 && memory->dstAccessMask & VK_ACCESS_HOST_READ_BIT) {
        if (from & shader) r->written &= ~(memory->srcAccessMask & VK_ACCESS_SHADER_WRITE_BIT);
        if (from & transfer) r->written &= ~(memory->srcAccessMask & VK_ACCESS_TRANSFER_WRITE_BIT);
        r->to_host = true;
    }
    real.vkCmdPipelineBarrier(c, from, to, how, n, memory, n_b, buffers, n_i, images);
}

/* A fence says that all is over; what the host then reads only a barrier makes visible to it. */
static void look_at_end(const VkSubmitInfo *i)
{
    const struct recorded *last = recorded_as(i->pCommandBuffers[i->commandBufferCount - 1]);
    assert_true(last->to_host);
    assert_int_equal(last->written, 0);
}

/* ---- Commands and the queue ---------------------------------------------------------------------- */

static VKAPI_ATTR VkResult VKAPI_CALL BeginCommandBuffer(VkCommandBuffer c, const VkCommandBufferBeginInfo *i)
{
    const VkResult r = memory_turn();
    *recorded_as(c) = (struct recorded) { .commands = c };
    return r == VK_SUCCESS ? real.vkBeginCommandBuffer(c, i) : r;
}

static VKAPI_ATTR VkResult VKAPI_CALL EndCommandBuffer(VkCommandBuffer c)
{
    const VkResult r = real.vkEndCommandBuffer(c), mine = memory_turn();
    return mine == VK_SUCCESS ? r : mine;
}

static VKAPI_ATTR VkResult VKAPI_CALL ResetFences(VkDevice d, uint32_t n, const VkFence *fence)
{
    const VkResult r = memory_turn();
    return r == VK_SUCCESS ? real.vkResetFences(d, n, fence) : r;
}

static VKAPI_ATTR VkResult VKAPI_CALL QueueSubmit(VkQueue q, uint32_t n, const VkSubmitInfo *i, VkFence fence)
{
    const VkResult r = queue_turn();
    look_at_end(i);
    return r == VK_SUCCESS ? real.vkQueueSubmit(q, n, i, fence) : r;
}

enum { LONGEST_WAIT = 60 }; /* seconds */

/* Those that wait do it all the same: nothing runs on when they say that the device is lost. */
static VKAPI_ATTR VkResult VKAPI_CALL WaitForFences(VkDevice d, uint32_t n, const VkFence *fence,
                                                    VkBool32 all, uint64_t most)
{
    const VkResult r = queue_turn();
    (void)most;
    if (r != VK_SUCCESS) real.vkDeviceWaitIdle(d);
    return r == VK_SUCCESS ? real.vkWaitForFences(d, n, fence, all, LONGEST_WAIT * (uint64_t)1000000000) : r;
}

static VKAPI_ATTR VkResult VKAPI_CALL GetFenceStatus(VkDevice d, VkFence fence)
{
    const VkResult r = queue_turn();
    if (r != VK_SUCCESS) real.vkDeviceWaitIdle(d);
    return r == VK_SUCCESS ? real.vkGetFenceStatus(d, fence) : r;
}

/* ---- The least that Vulkan asks of a device --------------------------------------------------------- */

enum { LEAST_GROUPS = 65535, LEAST_BUFFERS = 4 };
static bool least; /* of devices that are opened */

static VKAPI_ATTR void VKAPI_CALL UpdateDescriptorSets(VkDevice d, uint32_t n,
                                                       const VkWriteDescriptorSet *write, uint32_t n_copies,
                                                       const VkCopyDescriptorSet *copies)
{
    for (uint32_t i = 0; i < n; i++)
        if (write[i].descriptorType == VK_DESCRIPTOR_TYPE_STORAGE_BUFFER)
            assert_int_equal(write[i].pBufferInfo->offset % ATOM, 0);
    real.vkUpdateDescriptorSets(d, n, write, n_copies, copies);
}

static VKAPI_ATTR void VKAPI_CALL CmdDispatch(VkCommandBuffer c, uint32_t x, uint32_t y, uint32_t z)
{
    note_write(c, VK_ACCESS_SHADER_WRITE_BIT);
    assert_true(x <= LEAST_GROUPS && y <= LEAST_GROUPS && z <= LEAST_GROUPS);
    real.vkCmdDispatch(c, x, y, z);
}

static void take_least(VkPhysicalDeviceLimits *limits)
{
    for (int i = 0; i < 3; i++) limits->maxComputeWorkGroupCount[i] = LEAST_GROUPS;
    limits->maxPushConstantsSize = LEAST_PUSH;
    limits->maxPerStageDescriptorStorageBuffers = LEAST_BUFFERS;
}

void __wrap_volkLoadDeviceTable(struct VolkDeviceTable *table, VkDevice device)
{
    strata_gpu *g = (strata_gpu *)(void *)((char *)table - offsetof(strata_gpu, vk));
    __real_volkLoadDeviceTable(table, device);
    real = *table;
#define TAKE(name)      table->vk##name = name
#define TAKE_BOTH(name) TAKE(Create##name), TAKE(Destroy##name);
    OBJECTS(TAKE_BOTH)
    TAKE(DestroyPipeline), TAKE(CreateComputePipelines), TAKE(AllocateCommandBuffers);
    TAKE(AllocateDescriptorSets), TAKE(AllocateMemory), TAKE(FreeMemory), TAKE(BindBufferMemory);
    TAKE(MapMemory), TAKE(UnmapMemory), TAKE(BeginCommandBuffer), TAKE(EndCommandBuffer);
    TAKE(ResetFences), TAKE(QueueSubmit), TAKE(WaitForFences), TAKE(GetFenceStatus);
    TAKE(UpdateDescriptorSets), TAKE(CmdDispatch), TAKE(CmdPushConstants), TAKE(CmdCopyBuffer);
    TAKE(CmdFillBuffer), TAKE(CmdPipelineBarrier);
    table->vkCreateBuffer = create_buffer, table->vkDestroyBuffer = destroy_buffer;
    table->vkCreateBufferView = create_view;
    table->vkCreatePipelineLayout = create_layout, table->vkDestroyPipelineLayout = destroy_layout;
    if (least) take_least(&g->physical.properties.limits);
    if (!not_coherent) return;
    TAKE(FlushMappedMemoryRanges), TAKE(InvalidateMappedMemoryRanges);
    for (uint32_t i = 0; i < g->memory.memoryTypeCount; i++)
        g->memory.memoryTypes[i].propertyFlags &= ~(
            VkMemoryPropertyFlags)VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
}

#endif

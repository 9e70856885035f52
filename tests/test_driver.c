/* A driver that fails, one that is lost, and one whose memory is not coherent: the calls of an open device go
 * through functions of this test, as the linker's --wrap hands it volk's table. */
#include "net.h"

#include <stdatomic.h>

#include "ops/inside.h"
#include "rig.h"
#include "vulkan/device.h"

enum { BATCH = 4, SIDE = 8, CLASSES = 5, UNIT = 256 };

void __real_volkLoadDeviceTable(struct VolkDeviceTable *table, VkDevice device);
void __wrap_volkLoadDeviceTable(struct VolkDeviceTable *table, VkDevice device);

/* ---- What goes wrong --------------------------------------------------------------------------- */

static struct VolkDeviceTable real;
static atomic_long alive; /* objects made and not destroyed */
static atomic_uint calls; /* that can fail so */
static uint32_t failing;  /* the number of the one that does; 0: none */
static bool loses;        /* it loses the device, and every later one that speaks to its queue fails, too */
static atomic_bool lost;
static bool not_coherent; /* of devices that are opened */

static bool fails(void) { return atomic_fetch_add(&calls, 1) + 1 == failing; }

static VkResult memory_turn(void) { return !loses && fails() ? VK_ERROR_OUT_OF_DEVICE_MEMORY : VK_SUCCESS; }

static VkResult queue_turn(void)
{
    const bool mine = fails();
    if (mine && loses) atomic_store(&lost, true);
    return mine || atomic_load(&lost) ? VK_ERROR_DEVICE_LOST : VK_SUCCESS;
}

static void from_now_on(uint32_t which, bool lose)
{
    atomic_store(&calls, 0);
    atomic_store(&lost, false);
    failing = which;
    loses = lose;
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
    for (uint64_t at = from; at < end; at += UNIT) {
        const uint64_t n = end - at < UNIT ? end - at : UNIT;
        if (memcmp(m->host + at, m->base + at, n) == 0) continue;
        memcpy(m->device + at, m->host + at, n);
        memcpy(m->base + at, m->host + at, n);
    }
}

static const struct map *ranged(const VkMappedMemoryRange *range)
{
    const struct map *m = map_of(range->memory);
    assert_non_null(m);
    assert_int_equal(range->offset % UNIT, 0);
    assert_true(range->size % UNIT == 0 || range->offset + range->size == m->bytes);
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

/* ---- Commands and the queue ---------------------------------------------------------------------- */

static VKAPI_ATTR VkResult VKAPI_CALL BeginCommandBuffer(VkCommandBuffer c, const VkCommandBufferBeginInfo *i)
{
    const VkResult r = memory_turn();
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
    return r == VK_SUCCESS ? real.vkQueueSubmit(q, n, i, fence) : r;
}

/* Those that wait do it all the same: nothing runs on when they say that the device is lost. */
static VKAPI_ATTR VkResult VKAPI_CALL WaitForFences(VkDevice d, uint32_t n, const VkFence *fence,
                                                    VkBool32 all, uint64_t most)
{
    const VkResult r = queue_turn();
    if (r != VK_SUCCESS) real.vkDeviceWaitIdle(d);
    return r == VK_SUCCESS ? real.vkWaitForFences(d, n, fence, all, most) : r;
}

static VKAPI_ATTR VkResult VKAPI_CALL GetFenceStatus(VkDevice d, VkFence fence)
{
    const VkResult r = queue_turn();
    if (r != VK_SUCCESS) real.vkDeviceWaitIdle(d);
    return r == VK_SUCCESS ? real.vkGetFenceStatus(d, fence) : r;
}

/* ---- The least that Vulkan asks of a device --------------------------------------------------------- */

enum { LEAST_GROUPS = 65535, LEAST_PUSH = 128 };

static VKAPI_ATTR void VKAPI_CALL UpdateDescriptorSets(VkDevice d, uint32_t n,
                                                       const VkWriteDescriptorSet *write, uint32_t n_copies,
                                                       const VkCopyDescriptorSet *copies)
{
    for (uint32_t i = 0; i < n; i++)
        if (write[i].descriptorType == VK_DESCRIPTOR_TYPE_STORAGE_BUFFER)
            assert_int_equal(write[i].pBufferInfo->offset % UNIT, 0);
    real.vkUpdateDescriptorSets(d, n, write, n_copies, copies);
}

static VKAPI_ATTR void VKAPI_CALL CmdDispatch(VkCommandBuffer c, uint32_t x, uint32_t y, uint32_t z)
{
    assert_true(x <= LEAST_GROUPS && y <= LEAST_GROUPS && z <= LEAST_GROUPS);
    real.vkCmdDispatch(c, x, y, z);
}

void __wrap_volkLoadDeviceTable(struct VolkDeviceTable *table, VkDevice device)
{
    __real_volkLoadDeviceTable(table, device);
    real = *table;
#define TAKE(name)      table->vk##name = name
#define TAKE_BOTH(name) TAKE(Create##name), TAKE(Destroy##name);
    OBJECTS(TAKE_BOTH)
    TAKE(DestroyPipeline), TAKE(CreateComputePipelines), TAKE(AllocateCommandBuffers);
    TAKE(AllocateDescriptorSets), TAKE(AllocateMemory), TAKE(FreeMemory), TAKE(BindBufferMemory);
    TAKE(MapMemory), TAKE(UnmapMemory), TAKE(BeginCommandBuffer), TAKE(EndCommandBuffer);
    TAKE(ResetFences), TAKE(QueueSubmit), TAKE(WaitForFences), TAKE(GetFenceStatus);
    TAKE(UpdateDescriptorSets), TAKE(CmdDispatch);
    if (!not_coherent) return;
    TAKE(FlushMappedMemoryRanges), TAKE(InvalidateMappedMemoryRanges);
    strata_gpu *g = (strata_gpu *)(void *)((char *)table - offsetof(strata_gpu, vk));
    for (uint32_t i = 0; i < g->memory.memoryTypeCount; i++)
        g->memory.memoryTypes[i].propertyFlags &= ~(
            VkMemoryPropertyFlags)VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
}

/* ---- Work that meets it ------------------------------------------------------------------------- */

static strata_graph *make_graph(void)
{
    static const strata_setting conv[] = { { "out", "4" }, { "kernel", "3" }, { "pad", "1" } },
                                fc[] = { { "out", "5" } };
    strata_graph *g = NULL;
    strata_tensor *x = NULL;
    OK(strata_graph_open(&g, (strata_shape) { BATCH, SIDE, SIDE, 3 }));
    OK(strata_graph_add(g, &x, "conv2d", "conv1", &g->input, 1, conv, 3));
    OK(strata_graph_add(g, &x, "batch_norm", "norm", &x, 1, NULL, 0));
    OK(strata_graph_add(g, &x, "relu", "relu", &x, 1, NULL, 0));
    OK(strata_graph_add(g, &x, "conv2d", "conv2", &x, 1, conv, 3));
    OK(strata_graph_add(g, &x, "global_avg_pool", "pool", &x, 1, NULL, 0));
    OK(strata_graph_add(g, &x, "linear", "fc", &x, 1, fc, 1));
    OK(strata_graph_add_loss(g, x, "softmax_loss", NULL, 0));
    return g;
}

typedef struct seen { /* of a piece of work that came to its end */
    float loss[3][BATCH];
    uint32_t copied[N];
} seen;

static strata_status set_params(const net *n)
{
    for (uint32_t i = 0; i < n->graph->n_params; i++) {
        const strata_param *p = n->graph->param[i];
        float v[9 * 4 * 4];
        for (uint32_t k = 0; k < strata_param_count(p); k++) v[k] = 0.5f + 0.4f * uniform(k, i);
        STRATA_TRY(strata_plan_write_param(n->plan, p, v));
    }
    return STRATA_OK;
}

static strata_status take_loss(const net *n, float loss[BATCH])
{
    uint64_t which;
    const void *result;
    STRATA_TRY(strata_ring_result(n->ring, true, &which, &result));
    assert_non_null(result);
    memcpy(loss, (const char *)result + n->plan->result_loss, BATCH * sizeof *loss);
    return STRATA_OK;
}

/* A step of two micro-batches, or an evaluation. */
static strata_status step(const net *n, float loss[BATCH], uint32_t number, bool train)
{
    for (int part = 0; part < 1 + train; part++) {
        void *in;
        STRATA_TRY(strata_ring_begin(n->ring, &in));
        put_step(n, in, number, CLASSES);
        STRATA_TRY(train ? strata_plan_submit_train(n->plan, n->ring, part == 1,
                                                    part == 1 ? STRATA_UPDATE_MEASURED : STRATA_NO_UPDATE)
                         : strata_plan_submit_evaluate(n->plan, n->ring));
        STRATA_TRY(take_loss(n, loss));
    }
    return STRATA_OK;
}

/* What could not be frozen is, when it is asked for once more: a failure leaves nothing half made. */
static strata_status freeze(const net *n, bool *failed)
{
    if (strata_plan_freeze(n->plan, 2, NULL) == STRATA_OK) return STRATA_OK;
    *failed = true;
    return strata_plan_freeze(n->plan, 2, NULL);
}

static strata_status learn(seen *out, strata_device *d, bool *failed)
{
    static const strata_plan_config config = {
        .train = true, .optimizer = STRATA_SGD, .momentum = true, .clip_norm = 1, .micro_batches = 2
    };
    strata_status status = STRATA_OK;
    net n = { .graph = make_graph(), .device = d };
    float v[4 * 5];
    STRATA_GO(strata_plan_open(&n.plan, n.graph, d, &config));
    STRATA_GO(set_params(&n));
    STRATA_GO(strata_ring_open(&n.ring, d, n.plan->in, n.plan->result));
    STRATA_GO(step(&n, out->loss[0], 0, true));
    STRATA_GO(freeze(&n, failed));
    STRATA_GO(step(&n, out->loss[1], 1, true));
    STRATA_GO(step(&n, out->loss[2], 2, false));
    STRATA_GO(strata_plan_read_param(n.plan, strata_graph_param(n.graph, "fc.weight"), v, false));
done:
    strata_ring_close(n.ring);
    strata_plan_close(n.plan);
    strata_graph_close(n.graph);
    return status;
}

/* Mapped memory, and a recording by itself and with times. */
static strata_status copy(seen *out, strata_device *d)
{
    strata_status status = STRATA_OK;
    strata_block up = { 0 }, down = { 0 };
    strata_stream *s = NULL;
    double seconds;
    STRATA_GO(strata_block_open(&up, d, 4 * N, STRATA_MEMORY_UPLOAD));
    STRATA_GO(strata_block_open(&down, d, 4 * N, STRATA_MEMORY_READBACK));
    STRATA_GO(strata_stream_open(&s, d));
    STRATA_GO(try_launch(s, part(&up, 0), part(&down, 0), 2));
    STRATA_GO(strata_stream_end(s));
    for (uint32_t i = 0; i < N; i++) ((uint32_t *)up.host)[i] = i;
    STRATA_GO(strata_stream_run(s));
    memcpy(out->copied, down.host, sizeof out->copied);
    STRATA_GO(strata_stream_time(s, &seconds, false));
done:
    strata_stream_close(s);
    strata_block_close(&up, d);
    strata_block_close(&down, d);
    return status;
}

static strata_status work(seen *out, strata_device *d, bool *failed)
{
    STRATA_TRY(copy(out, d));
    return learn(out, d, failed);
}

static void same(const seen *a, const seen *b, const char *when)
{
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < BATCH; k++) assert_true(isfinite(a->loss[i][k]));
    if (memcmp(a, b, sizeof *a) != 0) fail_msg("%s: other numbers came", when);
}

static strata_status try_device(strata_device **d)
{
    return strata_device_open(d, &(strata_device_config) { .name = device_name(), .no_cache = true });
}

static bool no_vulkan(void) { return strcmp(device_name(), "cpu") == 0; }

/* ---- Tests ------------------------------------------------------------------------------------------ */

/* Where any call fails that can, the status says so, everything is freed, and the device works as before. */
static void each_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    seen right, again;
    strata_device *d = NULL;
    bool failed = false;
    uint32_t n = 0, which = 0;
    if (no_vulkan()) skip();
    OK(try_device(&d));
    from_now_on(0, false);
    OK(work(&right, d, &failed)); /* kernels are made, which stay */
    for (;;) {
        const long before = alive;
        failed = false;
        from_now_on(++which, false);
        const strata_status status = work(&again, d, &failed);
        n = calls;
        from_now_on(0, false);
        if (alive != before) fail_msg("call %u failed: %ld objects are left", which, alive - before);
        if (status == STRATA_OK) same(&right, &again, failed ? "frozen when asked once more" : "none failed");
        if (status == STRATA_OK && !failed && n < which) break;
        if (status == STRATA_OK && !failed) fail_msg("call %u failed, and nobody told", which);
        if (status != STRATA_OK && status != STRATA_DEVICE_MEMORY && status != STRATA_DEVICE_LOST)
            fail_msg("call %u: status %d, %s", which, (int)status, strata_message());
    }
    print_message("%u calls failed, one in each run\n", which - 1);
    OK(work(&again, d, &failed));
    same(&right, &again, "at the end");
    strata_device_close(d);
    assert_int_equal(alive, 0);
}

/* The same of opening a device and making its first kernels. */
static void each_failure_to_open_leaves_nothing(void **state)
{
    (void)state;
    strata_status status = STRATA_DEVICE_MEMORY;
    if (no_vulkan()) skip();
    for (uint32_t which = 1; status != STRATA_OK; which++) {
        seen out;
        strata_device *d = NULL;
        from_now_on(which, false);
        status = try_device(&d);
        if (status == STRATA_OK) status = copy(&out, d);
        strata_device_close(d);
        if (status == STRATA_OK && calls >= which) fail_msg("call %u failed, and nobody told", which);
        if (alive != 0) fail_msg("call %u failed: %ld objects are left", which, (long)alive);
    }
}

/* From some call on the device is lost: it is told, and all is closed without a wait that never ends. */
static void a_lost_device_is_told(void **state)
{
    (void)state;
    strata_status status = STRATA_DEVICE_LOST;
    if (no_vulkan()) skip();
    uint32_t which = 1;
    for (; status != STRATA_OK; which += 3) {
        seen out;
        bool failed = false;
        strata_device *d = NULL;
        from_now_on(which, true);
        status = try_device(&d);
        if (status == STRATA_OK) status = work(&out, d, &failed);
        strata_device_close(d);
        if (status != STRATA_OK) assert_int_equal(status, STRATA_DEVICE_LOST);
        assert_int_equal(lost, status != STRATA_OK);
        assert_int_equal(alive, 0);
    }
    assert_true(which > 30); /* many calls there were */
}

static void memory_need_not_be_coherent(void **state)
{
    (void)state;
    seen right, apart;
    bool failed = false;
    if (no_vulkan()) skip();
    from_now_on(0, false);
    for (int i = 0; i < 2; i++) {
        strata_device *d = NULL;
        not_coherent = i;
        OK(try_device(&d));
        OK(work(i ? &apart : &right, d, &failed));
        strata_device_close(d);
    }
    not_coherent = false;
    same(&apart, &right, "with memory that is not coherent");
    for (uint32_t i = 0; i < N; i++) assert_int_equal(apart.copied[i], 3 * i + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_need_not_be_coherent),
        cmocka_unit_test(each_failure_is_told_and_leaves_nothing),
        cmocka_unit_test(each_failure_to_open_leaves_nothing),
        cmocka_unit_test(a_lost_device_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

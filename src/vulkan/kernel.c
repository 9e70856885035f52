#include "vulkan/kernel.h"

#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

#include "core/clock.h"
#include "core/thread.h"
#include "vulkan/cache.h"

/* Names and unused bindings are gone after optimisation, so the plain module is made and kept: the driver
 * optimises anyway. The key holds all that a shader can depend on, and the limits its launcher looked at. */
static strata_status compile(glsl_module *out, const strata_gpu *g, const char *name, const char *defines)
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

/* The value of a define; 0: there is none. */
static uint32_t define_of(const char *defines, const char *name)
{
    const char *at = strstr(defines, name);
    return at ? (uint32_t)strtoul(at + strlen(name), NULL, 10) : 0;
}

/* A shader that knows nothing of HALF would take two floats for one. */
static strata_status check_halves(const spirv_block *block, const strata_args_layout *layout,
                                  const char *defines)
{
    const uint32_t half = define_of(defines, " HALF=");
    for (uint32_t i = 0; i < layout->n_slices; i++)
        if ((half >> i & 1) && block->binding[i].kind != SPIRV_TEXEL && !block->binding[i].integers)
            return strata_fail(STRATA_BAD_SHADER,
                               "%s.comp with \"%s\": it takes no floats of 16 bits in binding %u, %s",
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
    const bool tail = k->block.digits || k->block.addresses;
    const VkPushConstantRange push = { VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                       tail ? STRATA_MAX_PUSH : k->layout->push_bytes };
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
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfoEXT size = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO_EXT,
        .requiredSubgroupSize = define_of(k->defines, " SG="), /* what the shader was written out for */
    };
    const bool sized = g->physical.subgroup_size_control && size.requiredSubgroupSize;
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .layout = k->pipeline_layout,
        .stage = { .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                   .pNext = sized ? &size : NULL,
                   .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                   .module = module,
                   .pName = "main" },
    };
    const double from = strata_thread_time();
    VkResult r = g->vk.vkCreateComputePipelines(g->device, g->cache, 1, &info, NULL, &k->pipeline);
    k->seconds = strata_thread_time() - from;
    g->vk.vkDestroyShaderModule(g->device, module, NULL);
    return r == VK_SUCCESS ? STRATA_OK : gpu_fail(r, "vkCreateComputePipelines");
}

static strata_status make_module(glsl_module *out, gpu_kernel *k, const strata_gpu *g)
{
    char name[64];
    snprintf(name, sizeof name, "%s.comp", k->layout->stem);
    STRATA_TRY(compile(out, g, name, k->defines));
    k->hash = XXH64(out->words, 4 * out->n_words, define_of(k->defines, " SG="));
    STRATA_TRY(spirv_reflect(&k->block, out->words, out->n_words, name));
    STRATA_TRY(check_arguments(&k->block, k->layout, k->defines));
    STRATA_TRY(check_halves(&k->block, k->layout, k->defines));
    return check_limits(g, k);
}

static void kernel_close(gpu_kernel *k, const strata_gpu *g)
{
    if (!k->twin) {
        g->vk.vkDestroyPipeline(g->device, k->pipeline, NULL);
        g->vk.vkDestroyPipelineLayout(g->device, k->pipeline_layout, NULL);
        g->vk.vkDestroyDescriptorSetLayout(g->device, k->set_layout, NULL);
    }
    free(k->defines);
    free(k);
}

/* ---- The device's list --------------------------------------------------------------------------- */

const gpu_kernel *kernel_find(const strata_gpu *g, const strata_args_layout *layout, const char *defines)
{
    for (const gpu_kernel *k = g->kernels; k; k = k->next)
        if (strcmp(k->layout->stem, layout->stem) == 0 && strcmp(k->defines, defines) == 0) return k;
    return NULL;
}

/* What is to be made, one job each: a message lives in the thread that failed, so it is carried over. */
typedef struct job {
    gpu_kernel *kernel;
    const char *label;
    glsl_module module;
    strata_status status;
    char *message;
} job;

typedef struct jobs {
    const strata_gpu *gpu;
    job *job;
    job **by_size; /* [n] the longest SPIR-V first, so that all threads end together */
    uint32_t n;
} jobs;

static void end(job *j, strata_status status)
{
    j->status = status;
    if (status == STRATA_OK) return;
    j->message = malloc(strlen(strata_message()) + 1);
    if (j->message) strcpy(j->message, strata_message());
}

static void work_on_module(void *context, uint32_t i)
{
    const jobs *all = context;
    job *j = &all->job[i];
    end(j, make_module(&j->module, j->kernel, all->gpu));
}

static void work_on_pipeline(void *context, uint32_t i)
{
    const jobs *all = context;
    job *j = all->by_size[i];
    if (j->status != STRATA_OK || j->kernel->twin) return;
    end(j, make_layouts(j->kernel, all->gpu));
    if (j->status == STRATA_OK) end(j, make_pipeline(j->kernel, all->gpu, &j->module));
}

/* The passes of a kernel that differ only in what they are given: one pipeline does. */
static bool twins(const gpu_kernel *a, const gpu_kernel *b)
{
    return !a->twin && a->hash == b->hash && strcmp(a->layout->stem, b->layout->stem) == 0;
}

static void find_twins(const jobs *all)
{
    for (uint32_t i = 0; i < all->n; i++) {
        gpu_kernel *k = all->job[i].kernel;
        for (const gpu_kernel *made = all->gpu->kernels; made && !k->twin; made = made->next)
            if (twins(made, k)) k->twin = made;
        for (uint32_t before = 0; before < i && !k->twin; before++)
            if (twins(all->job[before].kernel, k)) k->twin = all->job[before].kernel;
    }
}

static int longer_first(const void *a, const void *b)
{
    const job *x = *(job *const *)a, *y = *(job *const *)b;
    return x->module.n_words < y->module.n_words ? 1 : x->module.n_words > y->module.n_words ? -1 : 0;
}

static void sort_jobs(const jobs *all)
{
    for (uint32_t i = 0; i < all->n; i++) all->by_size[i] = &all->job[i];
    qsort(all->by_size, all->n, sizeof *all->by_size, longer_first);
}

static bool listed(const jobs *all, const strata_gpu_launch *l)
{
    for (uint32_t i = 0; i < all->n; i++)
        if (strcmp(all->job[i].kernel->layout->stem, l->layout->stem) == 0 &&
            strcmp(all->job[i].kernel->defines, l->defines) == 0)
            return true;
    return false;
}

static strata_status add_job(jobs *all, const strata_gpu_launch *l)
{
    gpu_kernel *k = calloc(1, sizeof *k);
    char *defines = malloc(strlen(l->defines) + 1);
    if (!k || !defines) {
        free(k);
        free(defines);
        return strata_fail(STRATA_NO_MEMORY, "%s: its kernel's record", l->layout->stem);
    }
    k->layout = l->layout;
    k->defines = strcpy(defines, l->defines);
    all->job[all->n++] = (job) { .kernel = k, .label = l->label };
    return STRATA_OK;
}

/* Move what was made to the device's list; the first failure is the one that is told. */
static strata_status take_jobs(strata_gpu *g, jobs *all, strata_status status)
{
    for (uint32_t i = 0; i < all->n; i++) {
        job *j = &all->job[i];
        if (status == STRATA_OK && j->status != STRATA_OK)
            status = strata_fail(j->status, "%s%s%s", j->label ? j->label : "", j->label ? ": " : "",
                                 j->message ? j->message : "no memory for the message");
        if (status == STRATA_OK) {
            const gpu_kernel *owner = j->kernel->twin;
            if (owner) {
                j->kernel->set_layout = owner->set_layout;
                j->kernel->pipeline_layout = owner->pipeline_layout;
                j->kernel->pipeline = owner->pipeline;
            }
            j->kernel->next = g->kernels;
            g->kernels = j->kernel;
            g->cache_changed = true;
        } else {
            kernel_close(j->kernel, g);
        }
        glsl_free(&j->module);
        free(j->message);
    }
    return status;
}

strata_status kernel_make_all(strata_gpu *g, const strata_gpu_launch *launch, uint32_t n)
{
    strata_status status = STRATA_OK;
    jobs all = { .gpu = g,
                 .job = calloc(n ? n : 1, sizeof *all.job),
                 .by_size = calloc(n ? n : 1, sizeof(job *)) };
    if (!all.job || !all.by_size) status = strata_fail(STRATA_NO_MEMORY, "a list of %u kernels", n);
    for (uint32_t i = 0; i < n && status == STRATA_OK; i++)
        if (!kernel_find(g, launch[i].layout, launch[i].defines) && !listed(&all, &launch[i]))
            status = add_job(&all, &launch[i]);
    if (status == STRATA_OK && all.n) status = glsl_open();
    if (status == STRATA_OK) {
        strata_thread_for(all.n, work_on_module, &all);
        find_twins(&all);
        sort_jobs(&all);
        strata_thread_for(all.n, work_on_pipeline, &all);
    }
    status = take_jobs(g, &all, status);
    free(all.job);
    free(all.by_size);
    return status;
}

void kernel_close_all(strata_gpu *g)
{
    while (g->kernels) {
        gpu_kernel *k = g->kernels;
        g->kernels = k->next;
        kernel_close(k, g);
    }
}

/* An Intel GPU that is not there: preloaded into a program, this answers what ANV and hasvk ask the i915
 * kernel driver, so that these drivers of Mesa load, compile and submit. Memory is a file of memory; every
 * submission is done at once and does nothing. I915_SHIM_GPU names the GPU (default tgl).
 *
 * Written from the kernel's public headers (libdrm-dev), and from what the drivers were seen to ask. An ioctl
 * that is not known fails with EINVAL and is told on standard error. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <drm.h>
#include <i915_drm.h>

#define NODE "/dev/dri/renderD128"

enum { MAX_FILES = 64, MAX_BUFFERS = 1 << 18, MAX_SYNCS = 1 << 16, BUFFER_ALIGN = 1 << 16 };
#define SYSTEM_MEMORY (16ull << 30)
#define LOCAL_MEMORY  (8ull << 30) /* of a discrete GPU; all of it is visible to the host */

/* What libdrm's xf86drm.h declares of a device; its layout is part of that library's ABI. */
typedef struct drm_device {
    char **nodes;
    int available_nodes, bustype;
    struct pci_place {
        uint16_t domain;
        uint8_t bus, dev, func;
    } * businfo;
    struct pci_ids {
        uint16_t vendor, device, subvendor, subdevice;
        uint8_t revision;
    } * deviceinfo;
} drm_device;

typedef struct gpu {
    const char *name;
    uint16_t id;
    uint8_t revision;
    int slices, subslices, eus; /* subslices of a slice, EUs of a subslice */
    bool local;                 /* has memory of its own */
    bool compute;               /* has a compute engine beside the render engine */
} gpu;

/* PCI ids and fused parts as sold, one of each family that Mesa's compiler tells apart. */
static const gpu gpus[] = {
    { "ivb", 0x0166, 9, 1, 2, 8, false, false },  { "hsw", 0x0412, 6, 1, 2, 10, false, false },
    { "bdw", 0x1616, 9, 1, 3, 8, false, false },  { "skl", 0x1912, 6, 1, 3, 8, false, false },
    { "kbl", 0x5916, 2, 1, 3, 8, false, false },  { "cfl", 0x3e92, 0, 1, 3, 8, false, false },
    { "icl", 0x8a52, 7, 1, 8, 8, false, false },  { "tgl", 0x9a49, 1, 1, 6, 16, false, false },
    { "rkl", 0x4c8a, 4, 1, 2, 16, false, false }, { "adl", 0x4680, 12, 1, 2, 16, false, false },
    { "rpl", 0xa780, 4, 1, 2, 16, false, false }, { "adlp", 0x46a6, 12, 1, 6, 16, false, false },
    { "dg1", 0x4905, 1, 1, 6, 16, true, false },  { "dg2", 0x56a0, 8, 8, 4, 16, true, true },
    { "mtl", 0x7d55, 4, 1, 8, 16, false, false }, { "arl", 0x7d51, 0, 1, 8, 16, false, false },
};

static const gpu *chosen;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int file[MAX_FILES], n_files;
static struct buffer {
    uint64_t offset, bytes; /* of the file of memory */
} buffer[MAX_BUFFERS];
static uint32_t next_buffer = 1, next_sync = 1;
static uint64_t next_offset = 1 << 20;
static uint64_t reached[MAX_SYNCS]; /* the point of a timeline */

static int (*real_open)(const char *, int, ...);
static int (*real_ioctl)(int, unsigned long, ...);
static int (*real_close)(int);

__attribute__((constructor)) static void start(void)
{
    const char *name = getenv("I915_SHIM_GPU");
    real_open = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    real_ioctl = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    real_close = (int (*)(int))dlsym(RTLD_NEXT, "close");
    for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++)
        if (strcmp(name ? name : "tgl", gpus[i].name) == 0) chosen = &gpus[i];
    if (!chosen) {
        fprintf(stderr, "i915shim: I915_SHIM_GPU: there is no %s; there are:", name);
        for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++) fprintf(stderr, " %s", gpus[i].name);
        fprintf(stderr, "\n");
        _exit(2);
    }
}

/* ---- Files ------------------------------------------------------------------------------------------- */

/* The index of a file that is ours, -1: it is not. Under the mutex. */
static int find_file(int fd)
{
    for (int i = 0; i < n_files; i++)
        if (file[i] == fd) return i;
    return -1;
}

static int open_node(void)
{
    int fd = memfd_create("i915shim", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 1ll << 38) != 0) return -1; /* sparse: only what is touched takes memory */
    pthread_mutex_lock(&mutex);
    if (n_files < MAX_FILES) file[n_files++] = fd;
    pthread_mutex_unlock(&mutex);
    return fd;
}

static int open_any(const char *path, int flags, va_list more)
{
    const int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0;
    return strcmp(path, NODE) == 0 ? open_node() : real_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    const int fd = open_any(path, flags, more);
    va_end(more);
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    const int fd = open_any(path, flags, more);
    va_end(more);
    return fd;
}

int close(int fd)
{
    pthread_mutex_lock(&mutex);
    const int i = find_file(fd);
    if (i >= 0) file[i] = file[--n_files];
    pthread_mutex_unlock(&mutex);
    return real_close(fd);
}

/* ---- libdrm's list of devices ----------------------------------------------------------------------- */

static void free_device(drm_device *d)
{
    if (!d) return;
    for (int i = 0; d->nodes && i < 3; i++) free(d->nodes[i]);
    free(d->nodes);
    free(d->businfo);
    free(d->deviceinfo);
    free(d);
}

static drm_device *make_device(void)
{
    drm_device *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->nodes = calloc(3, sizeof *d->nodes);
    d->businfo = calloc(1, sizeof *d->businfo);
    d->deviceinfo = calloc(1, sizeof *d->deviceinfo);
    if (d->nodes && d->businfo && d->deviceinfo) {
        d->nodes[0] = strdup("/dev/dri/card0");
        d->nodes[1] = strdup("");
        d->nodes[2] = strdup(NODE);
        d->available_nodes = 1 << 2; /* DRM_NODE_RENDER */
        d->businfo->dev = 2;
        *d->deviceinfo = (struct pci_ids) { 0x8086, chosen->id, 0x8086, 0x2212, chosen->revision };
        return d;
    }
    free_device(d);
    return NULL;
}

int drmGetDevices2(uint32_t flags, drm_device **out, int room);
int drmGetDevices2(uint32_t flags, drm_device **out, int room)
{
    (void)flags;
    if (!out) return 1;
    if (room < 1) return 0;
    out[0] = make_device();
    return out[0] ? 1 : -ENOMEM;
}

int drmGetDevice2(int fd, uint32_t flags, drm_device **out);
int drmGetDevice2(int fd, uint32_t flags, drm_device **out)
{
    (void)fd, (void)flags;
    *out = make_device();
    return *out ? 0 : -ENODEV;
}

void drmFreeDevice(drm_device **d);
void drmFreeDevice(drm_device **d)
{
    free_device(*d);
    *d = NULL;
}

void drmFreeDevices(drm_device **d, int n);
void drmFreeDevices(drm_device **d, int n)
{
    for (int i = 0; i < n; i++) drmFreeDevice(&d[i]);
}

/* ---- What the kernel knows of the GPU ---------------------------------------------------------------- */

static int get_parameter(const struct drm_i915_getparam *p)
{
    switch (p->param) {
    case I915_PARAM_CHIPSET_ID: *p->value = chosen->id; break;
    case I915_PARAM_REVISION: *p->value = chosen->revision; break;
    case I915_PARAM_NUM_FENCES_AVAIL: *p->value = 32; break;
    case I915_PARAM_CS_TIMESTAMP_FREQUENCY: *p->value = 19200000; break;
    case I915_PARAM_SUBSLICE_TOTAL: *p->value = chosen->slices * chosen->subslices; break;
    case I915_PARAM_EU_TOTAL: *p->value = chosen->slices * chosen->subslices * chosen->eus; break;
    case I915_PARAM_SLICE_MASK: *p->value = (1 << chosen->slices) - 1; break;
    case I915_PARAM_SUBSLICE_MASK: *p->value = (1 << chosen->subslices) - 1; break;
    case I915_PARAM_HAS_ALIASING_PPGTT: *p->value = 3; break; /* full, 48 bits */
    case I915_PARAM_CMD_PARSER_VERSION: *p->value = 10; break;
    case I915_PARAM_MMAP_GTT_VERSION: *p->value = 4; break;
    case I915_PARAM_HAS_SCHEDULER: *p->value = 7; break;
    case I915_PARAM_PERF_REVISION: *p->value = 5; break;
    case I915_PARAM_HAS_WT:
    case I915_PARAM_HAS_RESOURCE_STREAMER: *p->value = 0; break;
    default: *p->value = 1; /* the others ask whether something is there */
    }
    return 0;
}

typedef union answer {
    struct drm_i915_query_topology_info topology;
    struct drm_i915_query_engine_info engines;
    struct drm_i915_query_memory_regions regions;
    uint8_t room[4096];
} answer;

/* Masks of slices, of each slice's subslices and of each subslice's EUs, one bit each. */
static size_t tell_topology(answer *a)
{
    struct drm_i915_query_topology_info *t = &a->topology;
    const int slices = chosen->slices, subslices = chosen->subslices, eus = chosen->eus;
    const int per_slice = (subslices + 7) / 8, per_subslice = (eus + 7) / 8;
    t->max_slices = (uint16_t)slices;
    t->max_subslices = (uint16_t)subslices;
    t->max_eus_per_subslice = (uint16_t)eus;
    t->subslice_offset = (uint16_t)((slices + 7) / 8);
    t->subslice_stride = (uint16_t)per_slice;
    t->eu_offset = (uint16_t)(t->subslice_offset + slices * per_slice);
    t->eu_stride = (uint16_t)per_subslice;
    t->data[0] = (uint8_t)((1 << slices) - 1);
    for (int i = 0; i < slices * subslices; i++) {
        t->data[t->subslice_offset + i / subslices * per_slice + i % subslices / 8] |=
            (uint8_t)(1 << i % subslices % 8);
        for (int e = 0; e < eus; e++)
            t->data[t->eu_offset + i * per_subslice + e / 8] |= (uint8_t)(1 << e % 8);
    }
    return sizeof *t + t->eu_offset + (size_t)(slices * subslices * per_subslice);
}

static size_t tell_engines(answer *a)
{
    static const uint16_t classes[] = { I915_ENGINE_CLASS_RENDER, I915_ENGINE_CLASS_COPY,
                                        I915_ENGINE_CLASS_VIDEO, I915_ENGINE_CLASS_VIDEO_ENHANCE,
                                        I915_ENGINE_CLASS_COMPUTE };
    a->engines.num_engines = chosen->compute ? 5 : 4;
    for (uint32_t i = 0; i < a->engines.num_engines; i++)
        a->engines.engines[i].engine.engine_class = classes[i];
    return sizeof a->engines + a->engines.num_engines * sizeof *a->engines.engines;
}

static size_t tell_regions(answer *a)
{
    struct drm_i915_query_memory_regions *r = &a->regions;
    r->num_regions = chosen->local ? 2 : 1;
    r->regions[0].region.memory_class = I915_MEMORY_CLASS_SYSTEM;
    r->regions[0].probed_size = r->regions[0].unallocated_size = SYSTEM_MEMORY;
    if (chosen->local) {
        r->regions[1].region.memory_class = I915_MEMORY_CLASS_DEVICE;
        r->regions[1].probed_size = r->regions[1].unallocated_size = LOCAL_MEMORY;
        r->regions[1].probed_cpu_visible_size = r->regions[1].unallocated_cpu_visible_size = LOCAL_MEMORY;
    }
    return sizeof *r + r->num_regions * sizeof *r->regions;
}

static int answer_query(const struct drm_i915_query *q)
{
    struct drm_i915_query_item *item = (struct drm_i915_query_item *)(uintptr_t)q->items_ptr;
    for (uint32_t i = 0; i < q->num_items; i++) {
        answer a = { 0 };
        size_t n = 0;
        switch (item[i].query_id) {
        case DRM_I915_QUERY_TOPOLOGY_INFO:
        case DRM_I915_QUERY_GEOMETRY_SUBSLICES: n = tell_topology(&a); break;
        case DRM_I915_QUERY_ENGINE_INFO: n = tell_engines(&a); break;
        case DRM_I915_QUERY_MEMORY_REGIONS: n = tell_regions(&a); break;
        default: break;
        }
        const bool asks_length = item[i].length == 0,
                   fits = n && (asks_length || (size_t)item[i].length >= n);
        if (fits && !asks_length) memcpy((void *)(uintptr_t)item[i].data_ptr, &a, n);
        item[i].length = fits ? (int32_t)n : -EINVAL;
    }
    return 0;
}

/* ---- Buffers and fences -------------------------------------------------------------------------------- */

static uint32_t make_buffer(uint64_t bytes)
{
    pthread_mutex_lock(&mutex);
    if (next_buffer == MAX_BUFFERS) {
        fprintf(stderr, "i915shim: more than %d buffers\n", MAX_BUFFERS);
        _exit(2);
    }
    const uint32_t handle = next_buffer++;
    buffer[handle].bytes = (bytes + BUFFER_ALIGN - 1) / BUFFER_ALIGN * BUFFER_ALIGN;
    buffer[handle].offset = next_offset;
    next_offset += buffer[handle].bytes;
    pthread_mutex_unlock(&mutex);
    return handle;
}

static uint32_t make_sync(void)
{
    pthread_mutex_lock(&mutex);
    const uint32_t handle = next_sync++;
    pthread_mutex_unlock(&mutex);
    return handle;
}

static void reach(uint32_t handle, uint64_t point)
{
    if (handle < MAX_SYNCS && reached[handle] < point) reached[handle] = point;
}

/* A submission is done as soon as it is made: what it would signal is reached. */
static int submit(const struct drm_i915_gem_execbuffer2 *e)
{
    if (!(e->flags & I915_EXEC_USE_EXTENSIONS)) return 0;
    const struct i915_user_extension *x = (const void *)(uintptr_t)e->cliprects_ptr;
    for (; x; x = (const void *)(uintptr_t)x->next_extension) {
        if (x->name != DRM_I915_GEM_EXECBUFFER_EXT_TIMELINE_FENCES) continue;
        const struct drm_i915_gem_execbuffer_ext_timeline_fences *t = (const void *)x;
        const struct drm_i915_gem_exec_fence *fence = (const void *)(uintptr_t)t->handles_ptr;
        const uint64_t *value = (const uint64_t *)(uintptr_t)t->values_ptr;
        for (uint64_t i = 0; i < t->fence_count; i++)
            if (fence[i].flags & I915_EXEC_FENCE_SIGNAL) reach(fence[i].handle, value[i]);
    }
    return 0;
}

static int map_buffer(int fd, struct drm_i915_gem_mmap *m)
{
    void *p = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                   (off_t)(buffer[m->handle].offset + m->offset));
    if (p == MAP_FAILED) return -1;
    m->addr_ptr = (uintptr_t)p;
    return 0;
}

static int tell_version(struct drm_version *v)
{
    static const char *const text[3] = { "i915", "20201103", "Intel Graphics" };
    char *to[3] = { v->name, v->date, v->desc };
    __kernel_size_t *length[3] = { &v->name_len, &v->date_len, &v->desc_len };
    v->version_major = 1;
    v->version_minor = 6;
    for (int i = 0; i < 3; i++) {
        const size_t n = strlen(text[i]);
        if (to[i]) memcpy(to[i], text[i], *length[i] < n ? *length[i] : n);
        *length[i] = n;
    }
    return 0;
}

/* ---- ioctl ------------------------------------------------------------------------------------------ */

enum { KNOWN, UNKNOWN = 1 }; /* else -1: it fails, errno says how */

static int of_fences(unsigned number, void *arg)
{
    switch (number) {
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_CREATE): ((struct drm_syncobj_create *)arg)->handle = make_sync(); break;
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_DESTROY):
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_RESET):
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_SIGNAL):
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_TRANSFER):
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_WAIT):
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT): break;
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD):
        ((struct drm_syncobj_handle *)arg)->fd = memfd_create("sync", MFD_CLOEXEC);
        break;
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE): {
        struct drm_syncobj_handle *s = arg;
        if (!s->handle) s->handle = make_sync();
        break;
    }
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_QUERY):
    case _IOC_NR(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL): {
        const struct drm_syncobj_timeline_array *t = arg;
        const uint32_t *handle = (const uint32_t *)(uintptr_t)t->handles;
        uint64_t *point = (uint64_t *)(uintptr_t)t->points;
        for (uint32_t i = 0; i < t->count_handles; i++)
            if (number == _IOC_NR(DRM_IOCTL_SYNCOBJ_QUERY))
                point[i] = handle[i] < MAX_SYNCS ? reached[handle[i]] : 0;
            else
                reach(handle[i], point[i]);
        break;
    }
    default: return UNKNOWN;
    }
    return KNOWN;
}

static int of_buffers(int fd, unsigned number, void *arg)
{
    switch (number) {
    case _IOC_NR(DRM_IOCTL_GEM_CLOSE): break;
    case _IOC_NR(DRM_IOCTL_PRIME_HANDLE_TO_FD):
        ((struct drm_prime_handle *)arg)->fd = memfd_create("prime", MFD_CLOEXEC);
        break;
    case _IOC_NR(DRM_IOCTL_PRIME_FD_TO_HANDLE):
        ((struct drm_prime_handle *)arg)->handle = make_buffer(BUFFER_ALIGN);
        break;
    case _IOC_NR(DRM_IOCTL_I915_GEM_CREATE):
    case _IOC_NR(DRM_IOCTL_I915_GEM_CREATE_EXT): {
        struct drm_i915_gem_create *c = arg; /* the newer form begins with the same members */
        c->handle = make_buffer(c->size);
        break;
    }
    case _IOC_NR(DRM_IOCTL_I915_GEM_USERPTR): {
        struct drm_i915_gem_userptr *u = arg;
        u->handle = make_buffer(u->user_size);
        break;
    }
    case _IOC_NR(DRM_IOCTL_I915_GEM_MMAP): return map_buffer(fd, arg);
    case _IOC_NR(DRM_IOCTL_I915_GEM_MMAP_OFFSET): {
        struct drm_i915_gem_mmap_offset *m = arg;
        m->offset = buffer[m->handle].offset;
        break;
    }
    case _IOC_NR(DRM_IOCTL_I915_GEM_BUSY): ((struct drm_i915_gem_busy *)arg)->busy = 0; break;
    case _IOC_NR(DRM_IOCTL_I915_GEM_MADVISE): ((struct drm_i915_gem_madvise *)arg)->retained = 1; break;
    case _IOC_NR(DRM_IOCTL_I915_GEM_GET_TILING): {
        struct drm_i915_gem_get_tiling *t = arg;
        t->tiling_mode = t->swizzle_mode = 0;
        break;
    }
    case _IOC_NR(DRM_IOCTL_I915_GEM_WAIT):
    case _IOC_NR(DRM_IOCTL_I915_GEM_SET_DOMAIN):
    case _IOC_NR(DRM_IOCTL_I915_GEM_SET_CACHING):
    case _IOC_NR(DRM_IOCTL_I915_GEM_SET_TILING): break;
    default: return UNKNOWN;
    }
    return KNOWN;
}

static int of_the_device(unsigned number, void *arg)
{
    static uint64_t clock; /* a register that counts must move */
    switch (number) {
    case _IOC_NR(DRM_IOCTL_VERSION): return tell_version(arg);
    case _IOC_NR(DRM_IOCTL_GET_CAP): {
        struct drm_get_cap *c = arg;
        c->value = c->capability == DRM_CAP_PRIME ? DRM_PRIME_CAP_IMPORT | DRM_PRIME_CAP_EXPORT : 1;
        break;
    }
    case _IOC_NR(DRM_IOCTL_I915_GETPARAM): return get_parameter(arg);
    case _IOC_NR(DRM_IOCTL_I915_QUERY): return answer_query(arg);
    case _IOC_NR(DRM_IOCTL_I915_GEM_CONTEXT_CREATE):
        ((struct drm_i915_gem_context_create_ext *)arg)->ctx_id = 7;
        break;
    case _IOC_NR(DRM_IOCTL_I915_GEM_CONTEXT_GETPARAM): {
        struct drm_i915_gem_context_param *p = arg;
        p->value = p->param == I915_CONTEXT_PARAM_GTT_SIZE ? 1ull << 48 : p->param == I915_CONTEXT_PARAM_VM;
        break;
    }
    case _IOC_NR(DRM_IOCTL_I915_GEM_VM_CREATE): ((struct drm_i915_gem_vm_control *)arg)->vm_id = 1; break;
    case _IOC_NR(DRM_IOCTL_I915_GEM_CONTEXT_DESTROY):
    case _IOC_NR(DRM_IOCTL_I915_GEM_CONTEXT_SETPARAM):
    case _IOC_NR(DRM_IOCTL_I915_GEM_VM_DESTROY): break;
    case _IOC_NR(DRM_IOCTL_I915_GEM_EXECBUFFER2): return submit(arg);
    case _IOC_NR(DRM_IOCTL_I915_GEM_GET_APERTURE): {
        struct drm_i915_gem_get_aperture *a = arg;
        a->aper_size = a->aper_available_size = 4ull << 30;
        break;
    }
    case _IOC_NR(DRM_IOCTL_I915_REG_READ): ((struct drm_i915_reg_read *)arg)->val = clock += 1000; break;
    case _IOC_NR(DRM_IOCTL_I915_GET_RESET_STATS): {
        struct drm_i915_reset_stats *r = arg;
        r->reset_count = r->batch_active = r->batch_pending = 0;
        break;
    }
    case _IOC_NR(DRM_IOCTL_I915_PERF_ADD_CONFIG):
    case _IOC_NR(DRM_IOCTL_I915_PERF_OPEN): errno = ENODEV; return -1;
    default: return UNKNOWN;
    }
    return KNOWN;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list more;
    va_start(more, request);
    void *arg = va_arg(more, void *);
    va_end(more);
    pthread_mutex_lock(&mutex);
    const bool ours = _IOC_TYPE(request) == DRM_IOCTL_BASE && find_file(fd) >= 0;
    pthread_mutex_unlock(&mutex);
    if (!ours) return real_ioctl(fd, request, arg);
    int r = of_the_device(_IOC_NR(request), arg);
    if (r == UNKNOWN) r = of_buffers(fd, _IOC_NR(request), arg);
    if (r == UNKNOWN) r = of_fences(_IOC_NR(request), arg);
    if (r != UNKNOWN) return r;
    fprintf(stderr, "i915shim: ioctl %#lx (number %#lx) is not known\n", request,
            (unsigned long)_IOC_NR(request));
    errno = EINVAL;
    return -1;
}

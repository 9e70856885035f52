/* What both backends and every op agree on: where a tensor lies, how a kernel's arguments are described, and
 * the names of its passes. */
#ifndef STRATA_CORE_KERNEL_H
#define STRATA_CORE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STRATA_MAX_BINDINGS = 16, STRATA_MAX_PUSH = 128 }; /* 128: the least maxPushConstantsSize of Vulkan */
enum { STRATA_ALIGN = 256 }; /* of every slice; the largest offset alignment Vulkan allows */

/* One large piece of memory. The backend that made it owns it; `device` means nothing to the other backend.
 */
typedef struct strata_block {
    void *host;   /* mapped or plain memory; NULL when the host cannot see it */
    void *device; /* the Vulkan backend's buffer and memory; NULL in plain memory */
    uint64_t bytes;
} strata_block;

typedef enum strata_memory_kind {
    STRATA_MEMORY_DEVICE,  /* the device's own; reached by strata_device_write and _read */
    STRATA_MEMORY_UPLOAD,  /* mapped, written by the host */
    STRATA_MEMORY_READBACK /* mapped, cached where there is such memory, read by the host */
} strata_memory_kind;

/* A tensor's bytes: a range of one block (borrowed). All-zero means "no tensor": a kernel given one in a pass
 * must not touch it. Floats are of 32 bits, or `half`: of 16, which a kernel sees as a bit of its define HALF
 * (shaders/tensor.glsl); references always see 32. */
typedef struct strata_slice {
    const strata_block *block;
    uint64_t offset, bytes;
    bool half;
} strata_slice;

static inline void *strata_slice_host(strata_slice s)
{
    return s.block ? (char *)s.block->host + s.offset : NULL;
}

/* The part of `s` that starts `offset` bytes in and is `bytes` long. "No tensor" stays so. */
static inline strata_slice strata_slice_part(strata_slice s, uint64_t offset, uint64_t bytes)
{
    return s.block ? (strata_slice) { s.block, s.offset + offset, bytes, s.half } : s;
}

/* The passes a kernel may have. The launcher gives PASS as a define, and each name below as one too, so GLSL
 * and C cannot drift apart. */
#define STRATA_PASS_LIST(X)                                                                                  \
    X(FORWARD)                                                                                               \
    X(BACKWARD)                                                                                              \
    X(BACKWARD_X)                                                                                            \
    X(BACKWARD_W)                                                                                            \
    X(STATS)          /* partial sums before FORWARD */                                                      \
    X(STATS_FINISH)   /* their fixed-order total */                                                          \
    X(BACKWARD_STATS) /* partial sums before BACKWARD */                                                     \
    X(BACKWARD_FINISH)                                                                                       \
    X(TRANSPOSE) /* weights into the order that BACKWARD_X reads */                                          \
    X(REDUCE)    /* fixed-order sum of split-K partials */                                                   \
    X(EVALUATE)  /* forward in evaluation mode, where it differs */                                          \
    X(MEASURE)   /* forward, and sums of squares of what it moved */

#define STRATA_PASS_ENUM(name) STRATA_##name,
typedef enum strata_pass { STRATA_PASS_LIST(STRATA_PASS_ENUM) STRATA_PASSES } strata_pass;

static inline const char *strata_pass_name(strata_pass pass) /* "FORWARD" */
{
#define STRATA_PASS_NAME(name) #name,
    static const char *const names[] = { STRATA_PASS_LIST(STRATA_PASS_NAME) };
    return names[pass];
}

/* The layout of one struct <op>_args: `n_slices` slices in binding order, then `push_bytes` of 32-bit
 * members. Generated from the shader; `signature` covers names, kinds and offsets, and every variant must
 * reproduce it. */
typedef struct strata_args_layout {
    const char *stem;
    const char *signature;
    uint32_t n_slices, push_at, push_bytes;
    uint32_t writes; /* bit i: the kernel may write slice i (it is not declared readonly) */
} strata_args_layout;

/* One shader and its reference; generated as <stem>_kernel. Both take the same struct <stem>_args. */
typedef struct strata_kernel {
    const strata_args_layout *layout;
    void (*cpu)(const void *args, strata_pass pass);
} strata_kernel;

#endif

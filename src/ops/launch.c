/* Small things that every op's host side shares. */
#include <string.h>

#include "ops/op.h"

enum { MAX_GROUPS = 65535 }; /* the least maxComputeWorkGroupCount of Vulkan */

void strata_grid(uint32_t groups[3], uint64_t items, uint32_t group)
{
    uint64_t n = (items + group - 1) / group;
    groups[0] = n <= MAX_GROUPS ? (uint32_t)n : MAX_GROUPS;
    groups[1] = (uint32_t)((n + groups[0] - 1) / (groups[0] ? groups[0] : 1));
    groups[2] = 1;
}

strata_status strata_images_per_slice(uint32_t *out, const strata_caps *caps, const strata_node *n,
                                      uint64_t bytes_per_image)
{
    uint64_t images = bytes_per_image ? caps->max_range / bytes_per_image : UINT32_MAX;
    /* Parts must begin at aligned offsets, so a part is a number of images whose bytes are a multiple of it.
     */
    uint64_t step = 1;
    while (step < STRATA_ALIGN && bytes_per_image * step % STRATA_ALIGN != 0) step *= 2;
    if (images >= step) images -= images % step;
    *out = images > UINT32_MAX ? UINT32_MAX : (uint32_t)images;
    if (images == 0 || (images < step && images < n->in[0]->shape.n))
        return strata_fail(STRATA_BAD_ARG, "%s: one image takes %llu bytes, %s binds at most %llu", n->name,
                           (unsigned long long)bytes_per_image, caps->name,
                           (unsigned long long)caps->max_range);
    return STRATA_OK;
}

const strata_op *strata_op_find(const char *name)
{
    for (const strata_op *const *op = strata_ops; *op; op++)
        if (strcmp((*op)->name, name) == 0) return *op;
    return NULL;
}

const char *strata_op_variant_name(const strata_op *op, uint32_t i)
{
    return op->variants ? op->variants[i] : "plain";
}

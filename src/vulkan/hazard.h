/* Which launch needs a barrier before it: those that touch bytes which a launch since the last barrier wrote,
 * or write bytes which one read. No Vulkan here. */
#ifndef STRATA_VULKAN_HAZARD_H
#define STRATA_VULKAN_HAZARD_H

#include <stdbool.h>

#include "core/kernel.h"

typedef struct hazard_range {
    const strata_block *block;
    uint64_t begin, end;
    bool written;
} hazard_range;

typedef struct hazard_list { /* zeroed: nothing since the last barrier; release with hazard_free */
    hazard_range *range;
    uint32_t n, room;
} hazard_list;

/* Take note of a launch. *barrier out: whether one must come before it; then the list holds it alone.
 *   slice  [n] what it binds; `writes`: bit i, it may write slice i
 * Returns false when there is no memory. */
bool hazard_add(hazard_list *l, bool *barrier, const strata_slice *slice, uint32_t n, uint32_t writes);
void hazard_free(hazard_list *l);

#endif

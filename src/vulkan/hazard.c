#include "vulkan/hazard.h"

#include <stdlib.h>

static bool conflicts(const hazard_list *l, strata_slice s, bool writes)
{
    for (uint32_t i = 0; i < l->n; i++) {
        const hazard_range *r = &l->range[i];
        if (r->block == s.block && s.offset < r->end && r->begin < s.offset + s.bytes &&
            (writes || r->written))
            return true;
    }
    return false;
}

static bool append(hazard_list *l, hazard_range range)
{
    if (l->n == l->room) {
        uint32_t room = l->room ? 2 * l->room : 64;
        hazard_range *grown = realloc(l->range, room * sizeof *grown);
        if (!grown) return false;
        l->range = grown;
        l->room = room;
    }
    l->range[l->n++] = range;
    return true;
}

bool hazard_add(hazard_list *l, bool *barrier, const strata_slice *slice, uint32_t n, uint32_t writes)
{
    *barrier = false;
    for (uint32_t i = 0; i < n && !*barrier; i++)
        *barrier = slice[i].block && conflicts(l, slice[i], writes >> i & 1);
    if (*barrier) l->n = 0;
    for (uint32_t i = 0; i < n; i++)
        if (slice[i].block &&
            !append(l, (hazard_range) { slice[i].block, slice[i].offset, slice[i].offset + slice[i].bytes,
                                        writes >> i & 1 }))
            return false;
    return true;
}

void hazard_free(hazard_list *l)
{
    free(l->range);
    *l = (hazard_list) { 0 };
}

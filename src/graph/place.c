#include "graph/place.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/shape.h"

static int larger_first(const void *a, const void *b)
{
    const place_item *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    if (x->first != y->first)
        return x->first > y->first ? 1 : -1; /* any total order: the same plan each time */
    return x->last > y->last ? 1 : x->last < y->last ? -1 : 0;
}

static bool meet(const place_item *a, const place_item *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset of `block` where item i meets none of the items before it. Each conflict moves it past
 * that item, so at most n rounds end it. */
static uint64_t lowest(const place_item *items, uint32_t i, uint32_t block)
{
    uint64_t at = 0, size = strata_align(items[i].bytes);
    for (bool moved = true; moved;) {
        moved = false;
        for (uint32_t j = 0; j < i; j++) {
            const place_item *o = &items[j];
            if (o->block != block || !meet(o, &items[i])) continue;
            if (at < o->offset + strata_align(o->bytes) && o->offset < at + size) {
                at = o->offset + strata_align(o->bytes);
                moved = true;
            }
        }
    }
    return at;
}

strata_status place_items(place_item *items, uint32_t n, uint64_t limit, uint64_t *block_bytes,
                          uint32_t max_blocks, uint32_t *n_blocks)
{
    *n_blocks = 0;
    qsort(items, n, sizeof *items, larger_first);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t size = strata_align(items[i].bytes);
        if (size > limit)
            return strata_fail(STRATA_DEVICE_MEMORY,
                               "%s takes %.1f MiB, one block of memory has at most %.1f MiB", items[i].name,
                               (double)size / 1048576, (double)limit / 1048576);
        uint32_t b = 0;
        for (;; b++) {
            if (b == max_blocks)
                return strata_fail(STRATA_DEVICE_MEMORY, "more than %u blocks of %.1f MiB",
                                   (unsigned)max_blocks, (double)limit / 1048576);
            if (b == *n_blocks) block_bytes[(*n_blocks)++] = 0;
            items[i].offset = lowest(items, i, b);
            if (items[i].offset + size <= limit) break;
        }
        items[i].block = b;
        if (items[i].offset + size > block_bytes[b]) block_bytes[b] = items[i].offset + size;
    }
    return STRATA_OK;
}

strata_status place_room_init(place_room *out, uint32_t n_items, uint32_t n_times)
{
    *out = (place_room) { .items = calloc(n_items ? n_items : 1, sizeof *out->items),
                          .change = calloc(n_times ? n_times : 1, sizeof *out->change),
                          .n_times = n_times };
    if (out->items && out->change) return STRATA_OK;
    place_room_free(out);
    return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
}

void place_room_free(place_room *room)
{
    free(room->items);
    free(room->change);
    *room = (place_room) { 0 };
}

/* Bytes that end are taken off as 2^64 less them: the sums are right all the same. */
uint64_t place_least(const place_item *items, uint32_t n, const place_room *room)
{
    uint64_t most = 0, alive = 0;
    memset(room->change, 0, room->n_times * sizeof *room->change);
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t bytes = strata_align(items[i].bytes);
        room->change[items[i].first] += bytes;
        if (items[i].last < room->n_times - 1) room->change[items[i].last + 1] -= bytes;
    }
    for (uint32_t time = 0; time < room->n_times; time++) {
        alive += room->change[time];
        if (alive > most) most = alive;
    }
    return most;
}

void place_bind(const place_item *items, uint32_t n, const strata_block *blocks)
{
    for (uint32_t i = 0; i < n; i++)
        *items[i].slice = (strata_slice) { .block = &blocks[items[i].block],
                                           .offset = items[i].offset,
                                           .bytes = items[i].bytes };
}

/* Where tensors lie: items with a size and a life, placed in as few and as small blocks as a greedy search
 * finds. */
#ifndef STRATA_GRAPH_PLACE_H
#define STRATA_GRAPH_PLACE_H

#include "core/kernel.h"
#include "core/status.h"

/* One piece of memory. Its life is an inclusive range of times; two items that live at once never share a
 * byte. */
typedef struct place_item {
    uint64_t bytes;
    uint32_t first, last;
    strata_slice *slice; /* set by place_bind; other slices that shall equal it may be copied after */
    const char *name;    /* for messages */
    uint64_t offset;     /* out */
    uint32_t block;      /* out */
} place_item;

/* Room for items, and for a number at each time. */
typedef struct place_room {
    place_item *items; /* owned */
    uint64_t *change;  /* [n_times] owned: by how many bytes more live than before */
    uint32_t n_times;
} place_room;

/* Errors: STRATA_NO_MEMORY. */
strata_status place_room_init(place_room *out, uint32_t n_items, uint32_t n_times);
void place_room_free(place_room *room);

/* Place n items: largest first, each at the lowest offset of the first block where it fits (Pisarchyk, Lee:
 * "Efficient memory management for deep neural net inference", 2020, greedy by size). Reorders the items.
 *   block_bytes  out: [max_blocks] the size of each block;  n_blocks  out
 *   limit        bytes of one block
 * Errors: STRATA_DEVICE_MEMORY when one item exceeds a block, or there are more than max_blocks. */
strata_status place_items(place_item *items, uint32_t n, uint64_t limit, uint64_t *block_bytes,
                          uint32_t max_blocks, uint32_t *n_blocks);

/* The bytes that live at the time when most do: less cannot do.
 *   items  beginning before room->n_times */
uint64_t place_least(const place_item *items, uint32_t n, const place_room *room);

/* Point every item's slice into the blocks. */
void place_bind(const place_item *items, uint32_t n, const strata_block *blocks);

#endif

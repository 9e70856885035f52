#include "core/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 64 * 1024 }; /* bytes asked of malloc at a time */

typedef struct arena_piece {
    struct arena_piece *next;
    size_t used, room;
    alignas(max_align_t) char bytes[];
} arena_piece;

void *strata_arena_take(strata_arena *a, size_t bytes)
{
    const size_t grain = alignof(max_align_t);
    if (bytes > (size_t)-1 / 2) return NULL;
    bytes = (bytes + grain - 1) / grain * grain;
    arena_piece *p = a->piece;
    if (!p || p->room - p->used < bytes) {
        size_t room = bytes > PIECE ? bytes : PIECE;
        p = malloc(sizeof *p + room);
        if (!p) return NULL;
        *p = (arena_piece) { .next = a->piece, .room = room };
        a->piece = p;
    }
    void *taken = p->bytes + p->used;
    p->used += bytes;
    return memset(taken, 0, bytes);
}

char *strata_arena_text_n(strata_arena *a, const char *s, size_t n)
{
    char *copy = strata_arena_take(a, n + 1);
    if (copy) memcpy(copy, s, n);
    return copy;
}

char *strata_arena_text(strata_arena *a, const char *s) { return strata_arena_text_n(a, s, strlen(s)); }

void strata_arena_free(strata_arena *a)
{
    for (arena_piece *p = a->piece, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    *a = (strata_arena) { 0 };
}

/* Memory with one lifetime: many small pieces, released together. Zeroed is empty and ready. */
#ifndef STRATA_CORE_ARENA_H
#define STRATA_CORE_ARENA_H

#include <stddef.h>

typedef struct strata_arena {
    struct arena_piece *piece; /* the newest; a list */
} strata_arena;

/* `bytes` of zeroed memory, aligned for any type; NULL when there is none. Owner: the arena. */
void *strata_arena_take(strata_arena *a, size_t bytes);

/* A copy of `s`, also of its first `n` characters; NULL when there is no memory. Owner: the arena. */
char *strata_arena_text(strata_arena *a, const char *s);
char *strata_arena_text_n(strata_arena *a, const char *s, size_t n);

void strata_arena_free(strata_arena *a);

#endif

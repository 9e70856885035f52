/* A growing string. Zeroed is empty; after a failed allocation it stays valid and `failed` is set. */
#ifndef STRATA_CORE_TEXT_H
#define STRATA_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

typedef struct strata_text {
    char *s; /* NUL-terminated; NULL while empty */
    size_t length, room;
    bool failed;
} strata_text;

void strata_text_append(strata_text *t, const char *s, size_t length);
void strata_text_format(strata_text *t, const char *format, ...) STRATA_FORMAT(2, 3);
bool strata_is_utf8(const char *s);
/* Append what JSON can hold: bytes of `s` that are not UTF-8 become "\xe9". */
void strata_text_utf8(strata_text *t, const char *s);
void strata_text_free(strata_text *t);

#endif

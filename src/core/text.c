#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(strata_text *t, size_t length)
{
    if (t->failed) return false;
    if (length < t->room) return true;
    size_t room = t->room ? t->room : 256;
    while (room <= length) room *= 2;
    char *grown = realloc(t->s, room);
    if (!grown) {
        t->failed = true;
        return false;
    }
    t->s = grown;
    t->room = room;
    return true;
}

void strata_text_append(strata_text *t, const char *s, size_t length)
{
    if (!reserve(t, t->length + length)) return;
    memcpy(t->s + t->length, s, length);
    t->length += length;
    t->s[t->length] = '\0';
}

void strata_text_format(strata_text *t, const char *format, ...)
{
    char line[512];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (length < 0 || (size_t)length >= sizeof line)
        t->failed = true; /* our own bug: lines here are short */
    else
        strata_text_append(t, line, (size_t)length);
}

void strata_text_free(strata_text *t)
{
    free(t->s);
    *t = (strata_text) { 0 };
}

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

/* Most lines are short; a schedule or a path that a user gave may be of any length. */
void strata_text_format(strata_text *t, const char *format, ...)
{
    char line[512], *all = line;
    va_list values;
    va_start(values, format);
    const int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (length >= (int)sizeof line) {
        all = malloc((size_t)length + 1); /* not in place: the text itself may be among the values */
        va_start(values, format);
        if (all) vsnprintf(all, (size_t)length + 1, format, values);
        va_end(values);
    }
    if (length < 0 || !all)
        t->failed = true;
    else
        strata_text_append(t, all, (size_t)length);
    if (all != line) free(all);
}

/* Bytes of the UTF-8 character that `s` begins with (RFC 3629: shortest form, no surrogates); 0: none. */
static size_t character(const unsigned char *s)
{
    if (s[0] < 0x80) return 1;
    const size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0;
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
    return n;
}

bool strata_is_utf8(const char *s)
{
    size_t n = 1;
    for (; *s && n; s += n) n = character((const unsigned char *)s);
    return n != 0;
}

void strata_text_utf8(strata_text *t, const char *s)
{
    while (*s) {
        const size_t n = character((const unsigned char *)s);
        if (n)
            strata_text_append(t, s, n);
        else
            strata_text_format(t, "\\x%02x", (unsigned)(unsigned char)*s);
        s += n ? n : 1;
    }
}

void strata_text_free(strata_text *t)
{
    free(t->s);
    *t = (strata_text) { 0 };
}

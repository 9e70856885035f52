#include "core/csv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

strata_status strata_csv_open(strata_csv *c, const char *path)
{
    size_t n;
    *c = (strata_csv) { .path = path, .next = 1 };
    STRATA_TRY(strata_file_read(&c->text, &n, path));
    c->at = c->text;
    if (strlen(c->text) != n) {
        strata_csv_close(c);
        return strata_fail(STRATA_FILE, "%s: wanted text, came a zero byte", path);
    }
    if (strncmp(c->at, "\xef\xbb\xbf", 3) == 0) c->at += 3;
    return STRATA_OK;
}

void strata_csv_close(strata_csv *c)
{
    free(c->text);
    *c = (strata_csv) { 0 };
}

/* Take the quotes off the field that begins at *at, in its place; *at is left behind the closing one. */
static strata_status unquote(strata_csv *c, char **at)
{
    char *from = *at + 1, *to = *at;
    for (;; from++) {
        if (!*from)
            return strata_fail(STRATA_FILE, "%s:%u: a field's quotes do not close", c->path,
                               (unsigned)c->line);
        if (*from == '"' && *++from != '"') break;
        c->next += *from == '\n';
        *to++ = *from;
    }
    *at = from;
    if (!strchr(",\r\n", *from)) /* the NUL at the end counts as found */
        return strata_fail(STRATA_FILE, "%s:%u: wanted a comma or the line's end behind quotes, came '%c'",
                           c->path, (unsigned)c->line, *from);
    memset(to, '\0', (size_t)(from - to)); /* at least the closing quote's place */
    return STRATA_OK;
}

/* End the line at `at`, which is a line's end or the file's. */
static void end_line(strata_csv *c, char *at)
{
    c->at = at;
    if (*at == '\r') *c->at++ = '\0';
    if (*c->at != '\n') return;
    *c->at++ = '\0';
    c->next++;
}

strata_status strata_csv_next(strata_csv *c, const char **field, uint32_t room, uint32_t *n)
{
    *n = 0;
    while (*c->at == '\r' || *c->at == '\n') c->next += *c->at++ == '\n';
    c->line = c->next;
    if (!*c->at) return STRATA_OK;
    for (char *at = c->at;;) { /* behind a comma is a field, at the end of the file an empty one */
        if (*n == room)
            return strata_fail(STRATA_FILE,
                               "%s:%u: wanted at most %u fields, came more: one with commas stands "
                               "in quotes",
                               c->path, (unsigned)c->line, (unsigned)room);
        field[(*n)++] = at;
        if (*at == '"')
            STRATA_TRY(unquote(c, &at));
        else
            at += strcspn(at, ",\r\n");
        if (*at != ',') {
            end_line(c, at);
            return STRATA_OK;
        }
        *at++ = '\0';
    }
}

void strata_csv_put(strata_text *out, const char *field)
{
    const bool quoted = strpbrk(field, ",\"\r\n") != NULL;
    if (quoted) strata_text_append(out, "\"", 1);
    for (; *field; field++) {
        if (*field == '"') strata_text_append(out, "\"", 1);
        strata_text_append(out, field, 1);
    }
    if (quoted) strata_text_append(out, "\"", 1);
}

#include "model/group_list.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/nearest.h"
#include "core/text.h"

static const char between[] = " \t\r,[]\"'";

bool group_list_is_text(const char *value) { return strchr(value, ':') != NULL; }
bool group_list_is_path(const char *value) { return !group_list_is_text(value) && strpbrk(value, "/."); }

static strata_status no_memory(void) { return strata_fail(STRATA_NO_MEMORY, "no memory for layer groups"); }

/* A message under the place of an entry. */
static strata_status wrong(const group_list *l, const group_entry *e, const char *format, ...)
    STRATA_FORMAT(3, 4);
static strata_status wrong(const group_list *l, const group_entry *e, const char *format, ...)
{
    char why[2048];
    va_list values;
    va_start(values, format);
    vsnprintf(why, sizeof why, format, values);
    va_end(values);
    if (l->path) return strata_fail(STRATA_BAD_ARG, "%s:%u: %s", l->path, (unsigned)e->line, why);
    return strata_fail(STRATA_BAD_ARG, "--groups, character %u: %s", (unsigned)e->at, why);
}

/* ---- From text ------------------------------------------------------------------------------ */

static bool is_name(const char *s)
{
    if (!*s) return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_-.", *s)) return false;
    return true;
}

/* Take the entry's words out of [text, end), which is writable. */
static strata_status take_entry(group_list *l, strata_arena *arena, char *text, char *end)
{
    group_entry *e = &l->entry[l->n];
    *end = '\0';
    text[strcspn(text, "#")] = '\0';
    if (!text[strspn(text, between)]) return STRATA_OK;
    char *colon = strchr(text, ':');
    if (!colon) return wrong(l, e, "wants NAME: PATTERN ..., got '%.64s'", text);
    *colon = '\0';
    text += strspn(text, between);
    for (char *last = colon; last > text && strchr(between, last[-1]);) *--last = '\0';
    if (!is_name(text))
        return wrong(l, e, "wants a group's name of letters, digits, _, - and ., got '%.64s'", text);
    e->name = text;
    e->pattern = strata_arena_take(arena, (strlen(colon + 1) / 2 + 1) * sizeof *e->pattern);
    if (!e->pattern) return no_memory();
    char *rest;
    for (char *word = strtok_r(colon + 1, between, &rest); word; word = strtok_r(NULL, between, &rest))
        e->pattern[e->n_patterns++] = word;
    if (!e->n_patterns) return wrong(l, e, "the group '%s' has no patterns", e->name);
    for (uint32_t i = 0; i < l->n; i++)
        if (strcmp(l->entry[i].name, e->name) == 0)
            return wrong(l, e, "the group '%s' stands twice", e->name);
    l->n++;
    return STRATA_OK;
}

static strata_status take_entries(group_list *l, strata_arena *arena, char *text)
{
    uint32_t most = 1, line = 1;
    for (const char *c = text; *c; c++) most += *c == '\n' || *c == ';';
    l->entry = strata_arena_take(arena, most * sizeof *l->entry);
    if (!l->entry) return no_memory();
    for (char *at = text, *end; at; at = end ? end + 1 : NULL) {
        end = strpbrk(at, "\n;");
        char *comment = strchr(at, '#'); /* it goes to the end of its line, over any ';' */
        if (comment && end && comment < end) end = strchr(comment, '\n');
        const bool newline = end && *end == '\n';
        l->entry[l->n] = (group_entry) { .line = line, .at = (uint32_t)(at - text) + 1 };
        STRATA_TRY(take_entry(l, arena, at, end ? end : at + strlen(at)));
        line += newline;
    }
    if (l->n) return STRATA_OK;
    return strata_fail(STRATA_BAD_ARG, "%s: there are no groups", l->path ? l->path : "--groups");
}

strata_status group_list_read(group_list *out, strata_arena *arena, const char *value)
{
    char *read = NULL;
    *out = (group_list) { 0 };
    if (group_list_is_path(value)) {
        out->path = strata_arena_text(arena, value);
        if (!out->path) return no_memory();
        STRATA_TRY(strata_file_read(&read, NULL, value));
    }
    char *text = strata_arena_text(arena, read ? read : value);
    free(read);
    return text ? take_entries(out, arena, text) : no_memory();
}

/* ---- Over a network -------------------------------------------------------------------------- */

/* Where it fails only the last '*' takes more: what an earlier one took leaves the most to the rest. */
static bool matches(const char *name, const char *pattern)
{
    const char *star = NULL,
               *taken = name; /* what follows the last '*', and the end of what that stands for */
    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            taken = name;
        } else if (!*pattern && (!*name || *name == '.')) {
            return true;
        } else if (*pattern && *name && (*pattern == '?' || *pattern == *name)) {
            name++;
            pattern++;
        } else {
            if (!star || !*taken) return false;
            pattern = star;
            name = ++taken;
        }
    }
}

/* The layers with parameters and what stands before their first dot, for messages. */
typedef struct layer_names {
    const char **name;   /* [n] */
    char (*stage)[64];   /* [n_stages] */
    const char **either; /* [n + n_stages] */
    uint32_t n, n_stages;
} layer_names;

static bool list_layers(layer_names *l, const strata_graph *g)
{
    *l = (layer_names) { .name = calloc(g->n_params + 1, sizeof *l->name),
                         .stage = calloc(g->n_params + 1, sizeof *l->stage),
                         .either = calloc(2 * g->n_params + 1, sizeof *l->either) };
    if (!l->name || !l->stage || !l->either) return false;
    for (uint32_t i = 0; i < g->n_params; i++) {
        const char *node = g->param[i]->node;
        if (l->n && strcmp(l->name[l->n - 1], node) == 0) continue;
        l->name[l->n++] = node;
        char *stage = l->stage[l->n_stages];
        snprintf(stage, sizeof *l->stage, "%.*s", (int)strcspn(node, "."), node);
        if (!l->n_stages || strcmp(l->stage[l->n_stages - 1], stage) != 0) l->n_stages++;
    }
    for (uint32_t i = 0; i < l->n_stages; i++) l->either[i] = l->stage[i];
    for (uint32_t i = 0; i < l->n; i++) l->either[l->n_stages + i] = l->name[i];
    return true;
}

static strata_status unmatched(const group_list *l, const group_entry *e, const char *pattern,
                               const strata_graph *g)
{
    layer_names names;
    strata_text list = { 0 };
    const bool listed = list_layers(&names, g);
    const char *near = listed ? strata_nearest(pattern, names.either, names.n + names.n_stages) : NULL;
    for (uint32_t i = 0; listed && i < names.n; i++)
        strata_text_format(&list, "%s%s", i ? ", " : "", names.name[i]);
    strata_status status = wrong(
        l, e, "the pattern '%s' of the group '%s' matches no layer%s%s%s; the layers are: %s", pattern,
        e->name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", list.s ? list.s : "");
    strata_text_free(&list);
    free(names.name);
    free(names.stage);
    free(names.either);
    return status;
}

static strata_status check_patterns(const group_list *l, const strata_graph *g)
{
    for (uint32_t k = 0; k < l->n; k++)
        for (uint32_t j = 0; j < l->entry[k].n_patterns; j++) {
            bool any = false;
            for (uint32_t i = 0; i < g->n_params && !any; i++)
                any = !g->param[i]->running && matches(g->param[i]->name, l->entry[k].pattern[j]);
            if (!any) return unmatched(l, &l->entry[k], l->entry[k].pattern[j], g);
        }
    return STRATA_OK;
}

enum { NONE = UINT32_MAX };

static strata_status holder(uint32_t *out, const group_list *l, const strata_param *p)
{
    *out = NONE;
    for (uint32_t k = 0; k < l->n; k++)
        for (uint32_t j = 0; j < l->entry[k].n_patterns; j++) {
            if (!matches(p->name, l->entry[k].pattern[j]) || *out == k) continue;
            if (*out != NONE)
                return wrong(l, &l->entry[k], "the groups '%s' and '%s' both hold %s", l->entry[*out].name,
                             l->entry[k].name, p->name);
            *out = k;
        }
    return STRATA_OK;
}

strata_status group_list_divide(uint32_t *of_row, const group_list *l, const strata_graph *g)
{
    strata_text left = { 0 };
    const char *last = "";
    STRATA_TRY(check_patterns(l, g));
    for (uint32_t i = 0; i < g->n_params; i++) {
        const strata_param *p = g->param[i];
        uint32_t group;
        if (p->running) continue;
        strata_status status = holder(&group, l, p);
        if (status != STRATA_OK) {
            strata_text_free(&left);
            return status;
        }
        of_row[p->row] = group;
        if (group == NONE && strcmp(last, p->node) != 0)
            strata_text_format(&left, "%s%s", left.length ? ", " : "", last = p->node);
    }
    if (!left.length) return STRATA_OK;
    strata_status status = strata_fail(STRATA_BAD_ARG, "%s: no group holds these layers: %.1500s",
                                       l->path ? l->path : "--groups", left.s);
    strata_text_free(&left);
    return status;
}

const char *group_list_text(const group_list *l, strata_arena *arena)
{
    strata_text text = { 0 };
    for (uint32_t k = 0; k < l->n; k++) {
        strata_text_format(&text, "%s%s:", k ? "; " : "", l->entry[k].name);
        for (uint32_t j = 0; j < l->entry[k].n_patterns; j++)
            strata_text_format(&text, " %s", l->entry[k].pattern[j]);
    }
    const char *copy = text.failed ? NULL : strata_arena_text(arena, text.s);
    strata_text_free(&text);
    return copy;
}

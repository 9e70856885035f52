#include "model/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/nearest.h"
#include "core/text.h"

enum { MAX_BYTES = 1 << 20, MAX_TEXT = 256, MAX_KEYS = 1000 };

static strata_status no_memory(const char *path)
{
    return strata_fail(STRATA_NO_MEMORY, "%s: no memory to read it", path);
}

static strata_status syntax(const char *path, const yaml_parser_t *parser)
{
    return strata_fail(STRATA_FILE, "%s:%zu: %s%s%s", path, parser->problem_mark.line + 1,
                       parser->problem ? parser->problem : "no YAML", parser->context ? ", " : "",
                       parser->context ? parser->context : "");
}

/* Refuse what a description has no use for: aliases, and more than one document. */
static strata_status scan(const char *path, const char *text, size_t n)
{
    yaml_parser_t parser;
    yaml_event_t event;
    strata_status status = STRATA_OK;
    uint32_t documents = 0;
    if (!yaml_parser_initialize(&parser)) return no_memory(path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    for (bool end = false; !end && status == STRATA_OK;) {
        if (!yaml_parser_parse(&parser, &event)) {
            status = syntax(path, &parser);
            break;
        }
        const size_t line = event.start_mark.line + 1;
        end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_ALIAS_EVENT)
            status = strata_fail(STRATA_FILE, "%s:%zu: aliases are not allowed here", path, line);
        if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
            status = strata_fail(STRATA_FILE, "%s:%zu: wants one document, got another", path, line);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return status;
}

/* Every key must be plain text and stand once in its mapping. */
static strata_status check_keys(model_page *p)
{
    for (yaml_node_t *node = p->document.nodes.start; node < p->document.nodes.top; node++) {
        if (node->type != YAML_MAPPING_NODE) continue;
        yaml_node_pair_t *first = node->data.mapping.pairs.start;
        if (node->data.mapping.pairs.top - first > MAX_KEYS)
            return page_fail(p, node, STRATA_BAD_ARG, "a table of more than %d keys", MAX_KEYS);
        for (yaml_node_pair_t *i = first; i < node->data.mapping.pairs.top; i++) {
            const yaml_node_t *key = yaml_document_get_node(&p->document, i->key);
            if (key->type != YAML_SCALAR_NODE)
                return page_fail(p, key, STRATA_BAD_ARG, "a key wants plain text");
            for (yaml_node_pair_t *j = first; j < i; j++) {
                const yaml_node_t *other = yaml_document_get_node(&p->document, j->key);
                if (strcmp((char *)other->data.scalar.value, (char *)key->data.scalar.value) == 0)
                    return page_fail(p, key, STRATA_BAD_ARG, "the key '%s' stands twice",
                                     (char *)key->data.scalar.value);
            }
        }
    }
    return STRATA_OK;
}

strata_status page_open(model_page *out, strata_arena *arena, const char *path, const char *text, size_t n)
{
    yaml_parser_t parser;
    *out = (model_page) { .path = path, .arena = arena };
    if (n > MAX_BYTES)
        return strata_fail(STRATA_FILE, "%s: a description of %zu bytes, at most %d are read", path, n,
                           MAX_BYTES);
    STRATA_TRY(scan(path, text, n));
    if (!yaml_parser_initialize(&parser)) return no_memory(path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    out->loaded = yaml_parser_load(&parser, &out->document) == 1;
    strata_status status = out->loaded ? check_keys(out) : syntax(path, &parser);
    yaml_parser_delete(&parser);
    if (status != STRATA_OK) page_close(out);
    return status;
}

void page_close(model_page *p)
{
    if (p->loaded) yaml_document_delete(&p->document);
    *p = (model_page) { 0 };
}

strata_status page_fail(const model_page *p, const yaml_node_t *node, strata_status code, const char *format,
                        ...)
{
    char text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    return strata_fail(code, "%s:%zu: %s", p->path, node->start_mark.line + 1, text);
}

strata_status page_unknown(const model_page *p, const yaml_node_t *node, const char *what, const char *got,
                           const char *const *names, uint32_t n)
{
    const char *near = strata_nearest(got, names, n);
    if (near)
        return page_fail(p, node, STRATA_BAD_ARG, "there is no %s '%s'; did you mean '%s'?", what, got, near);
    strata_text list = { 0 };
    for (uint32_t i = 0; i < n && i < 16; i++) strata_text_format(&list, "%s%s", i ? ", " : "", names[i]);
    if (n > 16) strata_text_append(&list, ", ...", 5);
    strata_status status = page_fail(p, node, STRATA_BAD_ARG, "there is no %s '%s'; there is: %s", what, got,
                                     list.s ? list.s : "none");
    strata_text_free(&list);
    return status;
}

strata_status page_root(yaml_node_t **out, model_page *p)
{
    *out = yaml_document_get_root_node(&p->document);
    if (!*out || (*out)->type != YAML_MAPPING_NODE)
        return strata_fail(STRATA_BAD_ARG, "%s:1: wants `key: value` lines", p->path);
    return STRATA_OK;
}

bool page_pair(model_page *p, const yaml_node_t *mapping, uint32_t *i, const char **key, yaml_node_t **value)
{
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start + *i;
    if (pair >= mapping->data.mapping.pairs.top) return false;
    *key = (const char *)yaml_document_get_node(&p->document, pair->key)->data.scalar.value;
    *value = yaml_document_get_node(&p->document, pair->value);
    ++*i;
    return true;
}

bool page_item(model_page *p, const yaml_node_t *sequence, uint32_t *i, yaml_node_t **item)
{
    const yaml_node_item_t *at = sequence->data.sequence.items.start + *i;
    if (at >= sequence->data.sequence.items.top) return false;
    *item = yaml_document_get_node(&p->document, *at);
    ++*i;
    return true;
}

strata_status page_text(const char **out, const model_page *p, const yaml_node_t *node, const char *what)
{
    if (node->type != YAML_SCALAR_NODE)
        return page_fail(p, node, STRATA_BAD_ARG, "%s wants one value, got a %s", what,
                         node->type == YAML_SEQUENCE_NODE ? "list" : "table");
    const char *text = (const char *)node->data.scalar.value;
    const size_t n = node->data.scalar.length;
    if (strlen(text) != n || n > MAX_TEXT)
        return page_fail(p, node, STRATA_BAD_ARG, "%s wants at most %d characters without NUL, got %zu", what,
                         MAX_TEXT, n);
    *out = strata_arena_text(p->arena, text);
    return *out ? STRATA_OK : no_memory(p->path);
}

strata_status page_list(const char *const **out, uint32_t *n, model_page *p, const yaml_node_t *node,
                        const char *what)
{
    const bool single = node->type == YAML_SCALAR_NODE;
    if (!single && node->type != YAML_SEQUENCE_NODE)
        return page_fail(p, node, STRATA_BAD_ARG, "%s wants a list, got a table", what);
    uint32_t count = single ? 1 : (uint32_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    const char **list = strata_arena_take(p->arena, (count ? count : 1) * sizeof *list);
    if (!list) return no_memory(p->path);
    yaml_node_t *item;
    for (uint32_t i = 0; !single && page_item(p, node, &i, &item);)
        STRATA_TRY(page_text(&list[i - 1], p, item, what));
    if (single) STRATA_TRY(page_text(&list[0], p, node, what));
    *out = list;
    *n = count;
    return STRATA_OK;
}

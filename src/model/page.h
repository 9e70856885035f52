/* A YAML file as a tree whose every node knows its line, for messages. */
#ifndef STRATA_MODEL_PAGE_H
#define STRATA_MODEL_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

#include "core/arena.h"
#include "core/status.h"

typedef struct model_page {
    const char *path;    /* borrowed; for messages */
    strata_arena *arena; /* borrowed; owns what page_text and page_list give */
    yaml_document_t document;
    bool loaded;
} model_page;

/* Parse one document of at most 1 MiB. Aliases are refused: a few lines of them can stand for billions.
 * Errors: STRATA_FILE with the line. */
strata_status page_open(model_page *out, strata_arena *arena, const char *path, const char *text, size_t n);
void page_close(model_page *p);

/* "<path>:<line>: ..." with the line of `node`; returns `code`. */
strata_status page_fail(const model_page *p, const yaml_node_t *node, strata_status code, const char *format,
                        ...) STRATA_FORMAT(4, 5);

/* The same for a name that is none of `names` [n]: "there is no WHAT 'GOT'" and the nearest, or the list. */
strata_status page_unknown(const model_page *p, const yaml_node_t *node, const char *what, const char *got,
                           const char *const *names, uint32_t n);

/* The document's mapping of keys. */
strata_status page_root(yaml_node_t **out, model_page *p);

/* Walk a mapping: *i from 0; false at its end. Keys that are not plain text or stand twice were refused when
 * the page was opened. */
bool page_pair(model_page *p, const yaml_node_t *mapping, uint32_t *i, const char **key, yaml_node_t **value);

/* Walk a sequence: *i from 0; false at its end. */
bool page_item(model_page *p, const yaml_node_t *sequence, uint32_t *i, yaml_node_t **item);

/* A scalar's text, of at most 256 characters. `what` says what was wanted. */
strata_status page_text(const char **out, const model_page *p, const yaml_node_t *node, const char *what);

/* A list of texts; a scalar is a list of one.  *out out: [*n] */
strata_status page_list(const char *const **out, uint32_t *n, model_page *p, const yaml_node_t *node,
                        const char *what);

#endif

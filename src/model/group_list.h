/* Layer groups in a user's own words:
 *
 *   # input side first
 *   stem: conv1 bn1
 *   early: layer1 layer2.0
 *   late: [layer2.1, layer3, layer4]
 *   head: fc
 *
 * A group a line (or up to a ';'): its name, ':' and patterns of layer names, between spaces or as a YAML
 * list. A pattern stands for the layer of its name and all below it ("layer1" for layer1.0.conv1, not for
 * layer10); '*' stands for any characters, '?' for one. Every layer with parameters is in one group, every
 * pattern matches a layer, and a group's name is of letters, digits, '_', '-' and '.'. */
#ifndef STRATA_MODEL_GROUP_LIST_H
#define STRATA_MODEL_GROUP_LIST_H

#include "core/arena.h"
#include "graph/graph.h"

typedef struct group_entry {
    const char *name;
    const char **pattern; /* [n_patterns] */
    uint32_t n_patterns;
    uint32_t line, at; /* in the text, from 1: its line, the character where it begins */
} group_entry;

typedef struct group_list {
    const char *path;   /* of the file; NULL: the text is the option's own */
    group_entry *entry; /* [n] input side first */
    uint32_t n;
} group_list;

/* Is this value of --groups a list, or a path to one (it has a '/' or a '.'), and not a scheme's name? */
bool group_list_is_text(const char *value);
bool group_list_is_path(const char *value);

/* Read a list from a file, or from the value itself.
 * Owner:  `arena` owns what *out points to.
 * Errors: STRATA_FILE where the file cannot be read; STRATA_BAD_ARG with file:line, or the character. */
strata_status group_list_read(group_list *out, strata_arena *arena, const char *value);

/* The group of each trained parameter.  of_row out: [rows]
 * Errors: STRATA_BAD_ARG naming the line, the pattern that matches nothing (nearest name), the layers that no
 *         group holds or two. */
strata_status group_list_divide(uint32_t *of_row, const group_list *l, const strata_graph *g);

/* The list as one line of text, itself a value of --groups. Owner: the arena. NULL without memory. */
const char *group_list_text(const group_list *l, strata_arena *arena);

#endif

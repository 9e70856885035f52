/* Layer groups: by a table of the description, or by the layers' names. */
#include "model/groups.h"

#include <string.h>

#include "core/nearest.h"
#include "core/text.h"
#include "model/group_list.h"

enum { STAGE, BLOCK, LAYER, RULES };
static const char *const rule_names[RULES] = { "stage", "block", "layer" };

/* The groups while they are found: one per row at most. */
typedef struct division {
    strata_arena *arena;
    const char **name; /* [rows] */
    uint32_t *of_row;  /* [rows] */
    uint32_t n;
} division;

static strata_status no_memory(void) { return strata_fail(STRATA_NO_MEMORY, "no memory for layer groups"); }

/* The group whose name is the first `length` characters of `name`; a new one if there is none yet. */
static strata_status find_or_add(division *v, uint32_t *out, const char *name, size_t length)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (strlen(v->name[i]) == length && strncmp(v->name[i], name, length) == 0) {
            *out = i;
            return STRATA_OK;
        }
    *out = v->n;
    v->name[v->n] = strata_arena_text_n(v->arena, name, length);
    return v->name[v->n++] ? STRATA_OK : no_memory();
}

/* ---- By names ------------------------------------------------------------------------------ */

/* How much of a layer's name is its group's. Of "layer1.0.conv1": stage "layer1", block "layer1.0" (up to the
 * first number), layer all of it. */
static size_t key_length(const char *name, uint32_t rule)
{
    if (rule == LAYER) return strlen(name);
    const size_t stage = strcspn(name, ".");
    if (rule == STAGE) return stage;
    for (const char *part = name + stage; *part == '.';) {
        const size_t length = strcspn(part + 1, "."), digits = strspn(part + 1, "0123456789");
        part += 1 + length;
        if (length && digits == length) return (size_t)(part - name);
    }
    return stage;
}

static const strata_node *node_of(const strata_graph *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (strcmp(g->node[i]->name, name) == 0) return g->node[i];
    return NULL;
}

/* The layer whose parameters `node` normalises: the one that makes its input, if that has any; else itself.
 */
static const strata_node *normalised(const strata_graph *g, const strata_node *node)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->node[i]->out == node->in[0] && g->node[i]->param[0]) return g->node[i];
    return node;
}

static strata_status divide_by_rule(division *v, const strata_graph *g, uint32_t rule)
{
    for (uint32_t i = 0; i < g->n_params; i++) {
        const strata_param *p = g->param[i];
        if (p->running) continue;
        const strata_node *node = node_of(g, p->node);
        if (p->norm && node) node = normalised(g, node);
        const char *name = node ? node->name : p->node;
        STRATA_TRY(find_or_add(v, &v->of_row[p->row], name, key_length(name, rule)));
    }
    return STRATA_OK;
}

/* ---- By a table ---------------------------------------------------------------------------- */

static strata_status divide_by_table(division *v, const strata_graph *g, const model_description *d,
                                     const model_scheme *s)
{
    /* All groups first, so that they come in the table's order; those without rows go afterwards. */
    uint32_t *rows = strata_arena_take(v->arena, (s->n_groups + 1) * sizeof *rows), group;
    if (!rows) return no_memory();
    for (uint32_t i = 0; i < g->n_params; i++) {
        const strata_param *p = g->param[i];
        uint32_t holders = 0, first = 0, second = 0;
        if (p->running) continue;
        for (uint32_t k = 0; k < s->n_groups; k++)
            for (uint32_t j = 0; j < s->group[k].n_prefixes; j++)
                if (model_prefix(p->name, s->group[k].prefix[j]) && (!holders || second != k)) {
                    if (!holders++) first = k;
                    second = k;
                }
        if (!holders)
            return strata_fail(STRATA_BAD_ARG, "%s:%u: no group of the scheme '%s' holds %s", d->path,
                               (unsigned)s->line, s->name, p->name);
        if (first != second)
            return strata_fail(STRATA_BAD_ARG, "%s:%u: the groups '%s' and '%s' of '%s' both hold %s",
                               d->path, (unsigned)s->line, s->group[first].name, s->group[second].name,
                               s->name, p->name);
        v->of_row[p->row] = first;
        rows[first]++;
    }
    for (uint32_t k = 0; k < s->n_groups; k++) {
        const char *name = s->group[k].name;
        if (!rows[k]) continue;
        STRATA_TRY(find_or_add(v, &group, name, strlen(name)));
        rows[k] = group;
    }
    for (uint32_t i = 0; i < g->n_rows; i++) v->of_row[i] = rows[v->of_row[i]];
    return STRATA_OK;
}

/* ---- By a list of the user's ----------------------------------------------------------------- */

static strata_status divide_by_list(strata_model *m, division *v, const char *value)
{
    group_list list;
    STRATA_TRY(group_list_read(&list, v->arena, value));
    STRATA_TRY(group_list_divide(v->of_row, &list, m->graph));
    const char **name = strata_arena_take(v->arena, list.n * sizeof *name);
    m->groups_text = group_list_text(&list, v->arena);
    if (!name || !m->groups_text) return no_memory();
    for (uint32_t k = 0; k < list.n; k++) name[k] = list.entry[k].name;
    v->name = name;
    v->n = list.n;
    return STRATA_OK;
}

/* ---- The choice ---------------------------------------------------------------------------- */

static strata_status unknown_scheme(const model_description *d, const char *scheme)
{
    const char *names[32];
    uint32_t n = 0;
    strata_text list = { 0 };
    for (; n < d->n_schemes && n < 32 - RULES; n++) names[n] = d->scheme[n].name;
    for (uint32_t i = 0; i < RULES; i++) {
        bool own = false;
        for (uint32_t k = 0; k < d->n_schemes; k++)
            own = own || strcmp(d->scheme[k].name, rule_names[i]) == 0;
        if (!own) names[n++] = rule_names[i];
    }
    for (uint32_t i = 0; i < n; i++) strata_text_format(&list, "%s%s", i ? ", " : "", names[i]);
    const char *near = strata_nearest(scheme, names, n);
    strata_status status = strata_fail(
        STRATA_BAD_ARG,
        "%s has no layer groups '%s'%s%s%s; it has: %s; or give a file: its path has a '/' or a '.'", d->name,
        scheme, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", list.s ? list.s : "");
    strata_text_free(&list);
    return status;
}

strata_status model_groups(strata_model *m, const model_description *d, const char *scheme)
{
    const strata_graph *g = m->graph;
    const uint32_t rows = g->n_rows ? g->n_rows : 1;
    division v = { .arena = &m->arena };
    v.name = strata_arena_take(v.arena, rows * sizeof *v.name);
    v.of_row = strata_arena_take(v.arena, rows * sizeof *v.of_row);
    if (!v.name || !v.of_row) return no_memory();
    if (!scheme || !*scheme) scheme = d->n_schemes ? d->scheme[0].name : rule_names[STAGE];
    bool found = group_list_is_text(scheme) || group_list_is_path(scheme);
    if (found) {
        STRATA_TRY(divide_by_list(m, &v, scheme));
        scheme = "own";
    }
    for (uint32_t i = 0; i < d->n_schemes && !found; i++) {
        found = strcmp(d->scheme[i].name, scheme) == 0;
        if (found) STRATA_TRY(divide_by_table(&v, g, d, &d->scheme[i]));
    }
    for (uint32_t i = 0; i < RULES && !found; i++) {
        found = strcmp(rule_names[i], scheme) == 0;
        if (found) STRATA_TRY(divide_by_rule(&v, g, i));
    }
    if (!found) return unknown_scheme(d, scheme);
    m->scheme = strata_arena_text(&m->arena, scheme);
    if (!m->scheme) return no_memory();
    m->n_groups = v.n;
    m->group_name = v.name;
    m->group_of_row = v.of_row;
    return STRATA_OK;
}

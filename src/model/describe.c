#include "model/describe.h"

#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "model/page.h"

const char *const model_choice_names[CHOICES] = { "stem", "head" };

enum { MAX_LAYERS = 10000, MAX_SIDE = 65536 };

static strata_status no_memory(const model_page *p)
{
    return strata_fail(STRATA_NO_MEMORY, "%s: no memory for its layers", p->path);
}

static strata_status want_table(const model_page *p, const yaml_node_t *node, const char *what)
{
    if (node->type == YAML_MAPPING_NODE) return STRATA_OK;
    return page_fail(p, node, STRATA_BAD_ARG, "%s wants a table of `key: value`", what);
}

/* A whole number in [1, MAX_SIDE]. */
static strata_status whole(uint32_t *out, const model_page *p, const yaml_node_t *node, const char *what,
                           const char *text)
{
    char *end = NULL;
    unsigned long v = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || v < 1 || v > MAX_SIDE)
        return page_fail(p, node, STRATA_BAD_ARG, "%s wants a whole number in [1, %d], got '%s'", what,
                         MAX_SIDE, text);
    *out = (uint32_t)v;
    return STRATA_OK;
}

static strata_status read_image(model_description *d, model_page *p, yaml_node_t *node)
{
    const char *const *list = NULL;
    uint32_t n = 0;
    STRATA_TRY(page_list(&list, &n, p, node, "image"));
    if (n != 3)
        return page_fail(p, node, STRATA_BAD_ARG, "image wants [height, width, channels], got %u values",
                         (unsigned)n);
    for (uint32_t i = 0; i < 3; i++) STRATA_TRY(whole(&d->image[i], p, node, "image", list[i]));
    return STRATA_OK;
}

/* ---- Choices ---------------------------------------------------------------------------- */

static strata_status find_choice(uint32_t *out, const model_page *p, const yaml_node_t *node,
                                 const char *name)
{
    for (*out = 0; *out < CHOICES; ++*out)
        if (strcmp(model_choice_names[*out], name) == 0) return STRATA_OK;
    return page_unknown(p, node, "choice", name, model_choice_names, CHOICES);
}

static strata_status read_choices(model_description *d, model_page *p, yaml_node_t *node)
{
    const char *key;
    yaml_node_t *value;
    STRATA_TRY(want_table(p, node, "choices"));
    for (uint32_t i = 0, c; page_pair(p, node, &i, &key, &value);) {
        STRATA_TRY(find_choice(&c, p, value, key));
        STRATA_TRY(page_list(&d->choice[c].value, &d->choice[c].n, p, value, key));
        if (!d->choice[c].n) return page_fail(p, value, STRATA_BAD_ARG, "%s wants at least one value", key);
    }
    return STRATA_OK;
}

/* "stem=small" of a layer. */
static strata_status read_when(model_layer *layer, const model_description *d, model_page *p,
                               const yaml_node_t *node)
{
    const char *text = NULL;
    char name[16];
    STRATA_TRY(page_text(&text, p, node, "when"));
    const char *equal = strchr(text, '=');
    if (!equal) return page_fail(p, node, STRATA_BAD_ARG, "when wants `choice=value`, got '%s'", text);
    snprintf(name, sizeof name, "%.*s", (int)(equal - text < 15 ? equal - text : 15), text);
    STRATA_TRY(find_choice(&layer->when_choice, p, node, name));
    const char *const *values = d->choice[layer->when_choice].value;
    const uint32_t n = d->choice[layer->when_choice].n;
    layer->when_value = equal + 1;
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(values[i], equal + 1) == 0) return STRATA_OK;
    return page_unknown(p, node, name, equal + 1, values, n);
}

/* ---- Layers ----------------------------------------------------------------------------- */

/* An option of the operation: a value, or a list that becomes "a,b". */
static strata_status read_setting(model_layer *layer, model_page *p, const yaml_node_t *node, const char *key)
{
    const char *const *list = NULL;
    uint32_t n = 0;
    strata_text joined = { 0 };
    strata_setting *s = &layer->setting[layer->n_settings++];
    STRATA_TRY(page_list(&list, &n, p, node, key));
    for (uint32_t i = 0; i < n && n <= 8; i++) strata_text_format(&joined, "%s%s", i ? "," : "", list[i]);
    s->key = strata_arena_text(p->arena, key);
    s->value = joined.failed ? NULL : strata_arena_text(p->arena, joined.s ? joined.s : "");
    strata_text_free(&joined);
    return s->key && s->value ? STRATA_OK : no_memory(p);
}

/* Layers and groups are named on the command line, "stem=1e-3,head=1e-2", and at the head of CSV columns. */
static strata_status check_name(const model_page *p, const yaml_node_t *node, const char *name)
{
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c <= ' ' || strchr(",=:;\"'", *c))
            return page_fail(p, node, STRATA_BAD_ARG, "the name '%s' holds a blank or one of , = : ; \" '",
                             name);
    return STRATA_OK;
}

static strata_status read_name(model_layer *layer, const model_page *p, const yaml_node_t *node)
{
    static const char *const taken[] = { "input", "target", "loss" };
    STRATA_TRY(page_text(&layer->name, p, node, "name"));
    for (uint32_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(layer->name, taken[i]) == 0)
            return page_fail(p, node, STRATA_BAD_ARG, "no layer may be named '%s'", taken[i]);
    if (!*layer->name) return page_fail(p, node, STRATA_BAD_ARG, "name wants a text, got an empty one");
    return check_name(p, node, layer->name);
}

static strata_status read_layer(model_layer *layer, const model_description *d, model_page *p,
                                const yaml_node_t *node)
{
    const char *key;
    yaml_node_t *value;
    STRATA_TRY(want_table(p, node, "a layer"));
    const size_t room = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    *layer = (model_layer) { .name = "",
                             .when_choice = CHOICES,
                             .line = (uint32_t)node->start_mark.line + 1 };
    layer->setting = strata_arena_take(p->arena, (room ? room : 1) * sizeof *layer->setting);
    if (!layer->setting) return no_memory(p);
    for (uint32_t i = 0; page_pair(p, node, &i, &key, &value);) {
        if (strcmp(key, "op") == 0)
            STRATA_TRY(page_text(&layer->op, p, value, "op"));
        else if (strcmp(key, "name") == 0)
            STRATA_TRY(read_name(layer, p, value));
        else if (strcmp(key, "in") == 0)
            STRATA_TRY(page_list(&layer->in, &layer->n_in, p, value, "in"));
        else if (strcmp(key, "when") == 0)
            STRATA_TRY(read_when(layer, d, p, value));
        else
            STRATA_TRY(read_setting(layer, p, value, key));
    }
    if (!layer->op) return page_fail(p, node, STRATA_BAD_ARG, "a layer wants `op`");
    if (layer->n_in > STRATA_MAX_IN)
        return page_fail(p, node, STRATA_BAD_ARG, "in wants at most %d layers, got %u", STRATA_MAX_IN,
                         (unsigned)layer->n_in);
    return STRATA_OK;
}

static strata_status read_layers(model_description *d, model_page *p, const yaml_node_t *node)
{
    yaml_node_t *item;
    if (node->type != YAML_SEQUENCE_NODE)
        return page_fail(p, node, STRATA_BAD_ARG, "layers wants a list, one `- {op: ...}` a layer");
    const size_t n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (n < 1 || n > MAX_LAYERS)
        return page_fail(p, node, STRATA_BAD_ARG, "layers wants 1 to %d of them, got %zu", MAX_LAYERS, n);
    d->layer = strata_arena_take(p->arena, n * sizeof *d->layer);
    if (!d->layer) return no_memory(p);
    for (uint32_t i = 0; page_item(p, node, &i, &item);)
        STRATA_TRY(read_layer(&d->layer[d->n_layers++], d, p, item));
    return STRATA_OK;
}

/* ---- Groups ----------------------------------------------------------------------------- */

bool model_prefix(const char *name, const char *prefix)
{
    const size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && (name[n] == '\0' || name[n] == '.');
}

/* A prefix must stand for a layer of the file, be it one that the choices leave out. */
static strata_status check_prefix(const model_description *d, model_page *p, const yaml_node_t *node,
                                  const char *prefix)
{
    const char **names;
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n_layers; i++)
        if (model_prefix(d->layer[i].name, prefix)) return STRATA_OK;
    names = strata_arena_take(p->arena, d->n_layers * sizeof *names);
    if (!names) return no_memory(p);
    for (uint32_t i = 0; i < d->n_layers; i++)
        if (*d->layer[i].name) names[n++] = d->layer[i].name;
    return page_unknown(p, node, "layer", prefix, names, n);
}

static strata_status read_scheme(model_scheme *scheme, const model_description *d, model_page *p,
                                 const yaml_node_t *node)
{
    const char *key;
    yaml_node_t *value;
    STRATA_TRY(want_table(p, node, "a scheme of groups"));
    const size_t n = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    scheme->line = (uint32_t)node->start_mark.line + 1;
    scheme->group = strata_arena_take(p->arena, (n ? n : 1) * sizeof *scheme->group);
    if (!scheme->group) return no_memory(p);
    for (uint32_t i = 0; page_pair(p, node, &i, &key, &value);) {
        model_group *g = &scheme->group[scheme->n_groups++];
        g->name = strata_arena_text(p->arena, key);
        if (!g->name) return no_memory(p);
        STRATA_TRY(check_name(p, node, g->name));
        STRATA_TRY(page_list(&g->prefix, &g->n_prefixes, p, value, key));
        for (uint32_t k = 0; k < g->n_prefixes; k++) STRATA_TRY(check_prefix(d, p, value, g->prefix[k]));
    }
    return STRATA_OK;
}

static strata_status read_groups(model_description *d, model_page *p, const yaml_node_t *node)
{
    const char *key;
    yaml_node_t *value;
    STRATA_TRY(want_table(p, node, "groups"));
    const size_t n = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    d->scheme = strata_arena_take(p->arena, (n ? n : 1) * sizeof *d->scheme);
    if (!d->scheme) return no_memory(p);
    for (uint32_t i = 0; page_pair(p, node, &i, &key, &value);) {
        model_scheme *s = &d->scheme[d->n_schemes++];
        s->name = strata_arena_text(p->arena, key);
        if (!s->name) return no_memory(p);
        STRATA_TRY(read_scheme(s, d, p, value));
    }
    return STRATA_OK;
}

/* ---- The whole -------------------------------------------------------------------------- */

static strata_status read_page(model_description *d, model_page *p)
{
    static const char *const keys[] = { "name", "about", "image", "classes", "choices", "groups", "layers" };
    enum { NAME, ABOUT, IMAGE, CLASSES, CHOICE, GROUPS, LAYERS, KEYS };
    yaml_node_t *root, *value, *at[KEYS] = { 0 };
    const char *key, *text = NULL;
    STRATA_TRY(page_root(&root, p));
    for (uint32_t i = 0, k; page_pair(p, root, &i, &key, &value);) {
        for (k = 0; k < KEYS && strcmp(keys[k], key) != 0; k++) {
        }
        if (k == KEYS) return page_unknown(p, value, "key", key, keys, KEYS);
        at[k] = value;
    }
    if (!at[NAME]) return page_fail(p, root, STRATA_BAD_ARG, "wants a line `name: ...`");
    if (!at[LAYERS]) return page_fail(p, root, STRATA_BAD_ARG, "wants a list `layers:`");
    STRATA_TRY(page_text(&d->name, p, at[NAME], "name"));
    if (at[ABOUT]) STRATA_TRY(page_text(&d->about, p, at[ABOUT], "about"));
    if (at[IMAGE]) STRATA_TRY(read_image(d, p, at[IMAGE]));
    if (at[CLASSES]) {
        STRATA_TRY(page_text(&text, p, at[CLASSES], "classes"));
        STRATA_TRY(whole(&d->classes, p, at[CLASSES], "classes", text));
    }
    if (at[CHOICE]) STRATA_TRY(read_choices(d, p, at[CHOICE]));
    STRATA_TRY(read_layers(d, p, at[LAYERS]));
    return at[GROUPS] ? read_groups(d, p, at[GROUPS]) : STRATA_OK;
}

strata_status model_describe(model_description *out, strata_arena *arena, const char *path, const char *text,
                             size_t n)
{
    model_page page;
    *out = (model_description) { .path = path, .about = "" };
    STRATA_TRY(page_open(&page, arena, path, text, n));
    strata_status status = read_page(out, &page);
    page_close(&page);
    return status;
}

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "core/file.h"
#include "core/nearest.h"
#include "core/text.h"
#include "train/options.h"
#include "train/recipe.h"

struct strata_recipe {
    char **value; /* [n_option_rules] NULL: the default */
};

strata_status strata_recipe_open(strata_recipe **out)
{
    strata_recipe *r = calloc(1, sizeof *r);
    *out = NULL;
    if (r) r->value = calloc(n_option_rules, sizeof *r->value);
    if (!r || !r->value) {
        free(r);
        return strata_fail(STRATA_NO_MEMORY, "no memory for a recipe");
    }
    *out = r;
    return STRATA_OK;
}

void strata_recipe_close(strata_recipe *r)
{
    if (!r) return;
    for (uint32_t i = 0; i < n_option_rules; i++) free(r->value[i]);
    free(r->value);
    free(r);
}

strata_status recipe_copy(strata_recipe **out, const strata_recipe *from)
{
    strata_status status = STRATA_OK;
    strata_recipe *r = NULL;
    STRATA_TRY(strata_recipe_open(&r));
    for (uint32_t i = 0; from && i < n_option_rules; i++)
        if (from->value[i]) STRATA_GO(strata_recipe_set(r, option_rules[i].option.key, from->value[i]));
    *out = r;
    return STRATA_OK;
done:
    strata_recipe_close(r);
    return status;
}

static strata_status unknown_key(const char *key)
{
    const char *names[128] = { 0 };
    uint32_t n = 0;
    for (; n < n_option_rules && n < 128; n++) names[n] = option_rules[n].option.key;
    const char *near = strata_nearest(key, names, n);
    return strata_fail(STRATA_BAD_ARG, "there is no option '%s'%s%s%s", key, near ? "; did you mean '" : "",
                       near ? near : "", near ? "'?" : "");
}

static bool in_range(const option_rule *rule, double v) { return v >= rule->low && v <= rule->high; }

/* "A,B", each in the rule's range? */
static bool is_pair(const option_rule *rule, const char *text)
{
    char *comma = NULL, *end = NULL;
    const double a = strtod(text, &comma);
    if (comma == text || *comma != ',') return false;
    const double b = strtod(comma + 1, &end);
    return end != comma + 1 && !*end && in_range(rule, a) && in_range(rule, b);
}

/* Does `text` follow the rule? The message says what would. */
static strata_status check(const option_rule *rule, const char *text)
{
    const char *key = rule->option.key;
    if (rule->kind == OPTION_NUMBER || rule->kind == OPTION_WHOLE) {
        char *end = NULL;
        double v = strtod(text, &end);
        bool right = end != text && !*end && in_range(rule, v);
        if (rule->kind == OPTION_WHOLE) right = right && floor(v) == v;
        if (!right)
            return strata_fail(STRATA_BAD_ARG, "--%s wants %s in [%g, %g], got '%s'", key,
                               rule->kind == OPTION_WHOLE ? "a whole number" : "a number", rule->low,
                               rule->high, text);
    }
    if (rule->kind == OPTION_PAIR && !is_pair(rule, text))
        return strata_fail(STRATA_BAD_ARG,
                           "--%s wants two numbers in [%g, %g] with a comma between, got '%s'", key,
                           rule->low, rule->high, text);
    if (rule->kind == OPTION_FLAG || rule->kind == OPTION_CHOICE) {
        strata_text list = { 0 };
        uint32_t n = 0;
        for (; rule->choices[n]; n++) {
            if (strcmp(rule->choices[n], text) == 0) {
                strata_text_free(&list);
                return STRATA_OK;
            }
            strata_text_format(&list, "%s%s", n ? ", " : "", rule->choices[n]);
        }
        const char *near = strata_nearest(text, rule->choices, n);
        strata_status status = strata_fail(STRATA_BAD_ARG, "--%s wants one of %s, got '%s'%s%s%s", key,
                                           list.s ? list.s : "", text, near ? "; did you mean '" : "",
                                           near ? near : "", near ? "'?" : "");
        strata_text_free(&list);
        return status;
    }
    return STRATA_OK;
}

strata_status strata_recipe_set(strata_recipe *r, const char *key, const char *value)
{
    int i = option_find(key);
    if (i < 0) return unknown_key(key);
    if (option_rules[i].kind == OPTION_FLAG && !*value) value = "true";
    char *copy = NULL;
    if (*value) { /* an empty value is the default again */
        STRATA_TRY(check(&option_rules[i], value));
        copy = strdup(value);
        if (!copy) return strata_fail(STRATA_NO_MEMORY, "no memory for --%s", key);
    }
    free(r->value[i]);
    r->value[i] = copy;
    return STRATA_OK;
}

const char *strata_recipe_get(const strata_recipe *r, const char *key)
{
    int i = option_find(key);
    if (i < 0) return NULL;
    return r && r->value[i] ? r->value[i] : option_rules[i].option.fallback;
}

bool strata_recipe_is_set(const strata_recipe *r, const char *key)
{
    int i = option_find(key);
    return i >= 0 && r->value[i];
}

double recipe_number(const strata_recipe *r, const char *key)
{
    return strtod(strata_recipe_get(r, key), NULL);
}

bool recipe_flag(const strata_recipe *r, const char *key)
{
    return strcmp(strata_recipe_get(r, key), "true") == 0;
}

bool recipe_is(const strata_recipe *r, const char *key, const char *value)
{
    return strcmp(strata_recipe_get(r, key), value) == 0;
}

/* ---- YAML ---------------------------------------------------------------------------------- */

/* Where a run is kept is no part of the recipe: a file that named it could not be used twice. */
static bool kept_in_file(const option_rule *rule)
{
    return strcmp(rule->option.key, "overwrite") != 0 && strcmp(rule->option.key, "run-dir") != 0;
}

static const char written_here[] = "# A recipe of strata: ";

void recipe_text(strata_text *out, const strata_recipe *r)
{
    strata_text t = *out;
    const char *topic = "";
    strata_text_format(&t, "%sstrata train --recipe FILE repeats the run.\n", written_here);
    for (uint32_t i = 0; i < n_option_rules; i++) {
        const option_rule *rule = &option_rules[i];
        const char *value = strata_recipe_get(r, rule->option.key);
        if (!kept_in_file(rule)) continue;
        if (strcmp(topic, rule->option.topic) != 0) strata_text_format(&t, "\n# %s\n", rule->option.topic);
        topic = rule->option.topic;
        strata_text_format(&t, "%s: \"", rule->option.key);
        for (const char *c = value; *c; c++) {
            const unsigned char byte = (unsigned char)*c;
            if (*c == '"' || *c == '\\') strata_text_append(&t, "\\", 1);
            if (byte < ' ' || byte == 0x7f) /* YAML would fold a line's end, and take no other */
                strata_text_format(&t, "\\x%02x", (unsigned)byte);
            else
                strata_text_append(&t, c, 1);
        }
        strata_text_append(&t, "\"\n", 2);
    }
    *out = t;
}

strata_status strata_recipe_save(const strata_recipe *r, const char *path)
{
    strata_text t = { 0 };
    recipe_text(&t, r);
    strata_status status = t.failed ? strata_fail(STRATA_NO_MEMORY, "%s: no memory for its text", path)
                                    : strata_file_write(path, t.s, t.length);
    strata_text_free(&t);
    return status;
}

static strata_status at_line(strata_status status, const char *path, size_t line)
{
    return strata_fail(status, "%s:%zu: %s", path, line + 1, strata_message());
}

/* A text that ends before its end would be taken for its beginning. */
static strata_status check_text(const yaml_node_t *node, const char *path)
{
    const char *text = (const char *)node->data.scalar.value;
    if (strlen(text) == node->data.scalar.length) return STRATA_OK;
    return strata_fail(STRATA_FILE, "%s:%zu: wants text without NUL, got one after '%s'", path,
                       node->start_mark.line + 1, text);
}

/* A list of scalars is one text with commas; a scalar is itself. */
static strata_status join(strata_text *out, yaml_document_t *doc, yaml_node_t *node, const char *path)
{
    if (node->type == YAML_SCALAR_NODE) {
        strata_text_append(out, (const char *)node->data.scalar.value, node->data.scalar.length);
        return check_text(node, path);
    }
    if (node->type != YAML_SEQUENCE_NODE)
        return strata_fail(STRATA_FILE, "%s:%zu: wants a value or a list of values, got a table", path,
                           node->start_mark.line + 1);
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        if (i != node->data.sequence.items.start) strata_text_append(out, ",", 1);
        yaml_node_t *item = yaml_document_get_node(doc, *i);
        if (item->type != YAML_SCALAR_NODE)
            return strata_fail(STRATA_FILE, "%s:%zu: wants a list of plain values", path,
                               item->start_mark.line + 1);
        STRATA_TRY(join(out, doc, item, path));
    }
    return STRATA_OK;
}

/* The same key, by whichever of its names, in a pair before this one. An unknown key ends the reading, so
 * there are few. */
static const yaml_node_t *find_before(yaml_document_t *doc, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = yaml_document_get_node(doc, pair->key);
    const int option = option_find((const char *)key->data.scalar.value);
    const yaml_node_pair_t *first = yaml_document_get_root_node(doc)->data.mapping.pairs.start;
    for (const yaml_node_pair_t *p = first; p < pair; p++) {
        const yaml_node_t *other = yaml_document_get_node(doc, p->key);
        if (option_find((const char *)other->data.scalar.value) == option) return other;
    }
    return NULL;
}

static strata_status read_pairs(strata_recipe *r, yaml_document_t *doc, const char *path)
{
    yaml_node_t *root = yaml_document_get_root_node(doc);
    if (!root || root->type != YAML_MAPPING_NODE)
        return strata_fail(STRATA_FILE, "%s: wants `key: value` lines", path);
    for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
        strata_text text = { 0 };
        yaml_node_t *key = yaml_document_get_node(doc, p->key),
                    *value = yaml_document_get_node(doc, p->value);
        if (key->type != YAML_SCALAR_NODE)
            return strata_fail(STRATA_FILE, "%s:%zu: wants a key", path, key->start_mark.line + 1);
        STRATA_TRY(check_text(key, path));
        const yaml_node_t *before = find_before(doc, p);
        if (before)
            return strata_fail(STRATA_BAD_ARG, "%s:%zu: '%s' is in line %zu already", path,
                               key->start_mark.line + 1, (const char *)key->data.scalar.value,
                               before->start_mark.line + 1);
        strata_status status = join(&text, doc, value, path);
        if (status == STRATA_OK && text.failed)
            status = strata_fail(STRATA_NO_MEMORY, "%s: no memory for a value", path);
        if (status == STRATA_OK) {
            status = strata_recipe_set(r, (const char *)key->data.scalar.value, text.s ? text.s : "");
            if (status != STRATA_OK) status = at_line(status, path, key->start_mark.line);
        }
        strata_text_free(&text);
        STRATA_TRY(status);
    }
    return STRATA_OK;
}

/* What stands behind the document is not to be passed over. */
static strata_status check_end(yaml_parser_t *parser, const char *path)
{
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next))
        return strata_fail(STRATA_FILE, "%s:%zu: %s", path, parser->problem_mark.line + 1, parser->problem);
    const bool end = !yaml_document_get_root_node(&next);
    const size_t line = next.start_mark.line + 1;
    yaml_document_delete(&next);
    return end ? STRATA_OK : strata_fail(STRATA_FILE, "%s:%zu: wants one document, got another", path, line);
}

strata_status recipe_read(strata_recipe *r, const char *text, size_t n, const char *path)
{
    strata_status status = STRATA_OK;
    yaml_parser_t parser;
    yaml_document_t doc;
    if (!yaml_parser_initialize(&parser))
        return strata_fail(STRATA_NO_MEMORY, "%s: no memory to read it", path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
    if (!yaml_parser_load(&parser, &doc)) {
        status = strata_fail(STRATA_FILE, "%s:%zu: %s", path, parser.problem_mark.line + 1, parser.problem);
    } else {
        status = read_pairs(r, &doc, path);
        if (status == STRATA_OK) status = check_end(&parser, path);
        /* What a run wrote has every key there was: its pictures were parted before there was a choice. */
        if (status == STRATA_OK && strncmp(text, written_here, sizeof written_here - 1) == 0 &&
            !strata_recipe_is_set(r, "valid-by"))
            status = strata_recipe_set(r, "valid-by", "name");
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    return status;
}

strata_status strata_recipe_load(strata_recipe *r, const char *path)
{
    char *text = NULL;
    size_t n = 0;
    STRATA_TRY(strata_file_read(&text, &n, path));
    strata_status status = recipe_read(r, text, n, path);
    free(text);
    return status;
}

void recipe_differences(strata_text *out, const strata_recipe *was, const strata_recipe *is)
{
    /* What a resumed run may do differently: none of these changes what it computes. */
    static const char *const free_keys[] = { "device",     "variants",         "limits",
                                             "shader-dir", "validate",         "save",
                                             "log-every",  "checkpoint-every", "keep" };
    for (uint32_t i = 0; i < n_option_rules; i++) {
        const char *key = option_rules[i].option.key;
        bool may = !kept_in_file(&option_rules[i]);
        for (size_t k = 0; k < sizeof free_keys / sizeof *free_keys; k++)
            may = may || strcmp(free_keys[k], key) == 0;
        const char *a = strata_recipe_get(was, key), *b = strata_recipe_get(is, key);
        if (!may && strcmp(a, b) != 0)
            strata_text_format(out, "%s%s was '%s' and is '%s'", out->length ? ", " : "", key, a, b);
    }
}

/* Which of an op's variants is recorded. */
#include <string.h>

#include "ops/inside.h"

void strata_stream_force(strata_stream *s, const char *variants)
{
    s->forced = variants ? strata_arena_text(&s->arena, variants) : NULL;
}

const char *strata_stream_forced(const strata_stream *s) { return s->forced; }

static bool same(const char *s, size_t length, const char *text)
{
    return strlen(text) == length && strncmp(s, text, length) == 0;
}

/* How exactly an item "name", "op=name", "op.PASS=name" or "node:PASS=name" speaks of a pass of a node: 4 for
 * the last form, 0 for not at all. *name, *length out: the variant's. */
static int speaks_of(const char *item, size_t n, const strata_node *node, strata_pass pass, const char **name,
                     size_t *length)
{
    const strata_op *op = node->op;
    const char *equals = memchr(item, '=', n);
    *name = equals ? equals + 1 : item;
    *length = n - (size_t)(*name - item);
    if (!equals) return 1;
    const size_t left = (size_t)(equals - item);
    const char *colon = memchr(item, ':', left);
    if (colon) {
        const bool right = same(colon + 1, (size_t)(equals - colon - 1), strata_pass_name(pass));
        return right && same(item, (size_t)(colon - item), node->name) ? 4 : 0;
    }
    const char *dot = memchr(item, '.', left);
    if (!dot) return same(item, left, op->name) ? 2 : 0;
    return same(item, (size_t)(dot - item), op->name) &&
                   same(dot + 1, (size_t)(equals - dot - 1), strata_pass_name(pass))
               ? 3
               : 0;
}

static bool admitted(const strata_stream *s, const strata_node *n, strata_pass pass, uint32_t i)
{
    return !n->op->admits || n->op->admits(&s->device->caps, n, pass, i);
}

uint32_t strata_op_variant(strata_stream *s, const strata_node *n, strata_pass pass)
{
    const strata_op *op = n->op;
    int best = 0;
    uint32_t chosen = op->prefer ? op->prefer(&s->device->caps, n, pass) : 0;
    for (const char *p = s->forced; p && *p;) {
        const size_t item = strcspn(p, ",");
        const char *name;
        size_t length;
        const int exact = speaks_of(p, item, n, pass, &name, &length);
        for (uint32_t i = 0; exact > 0 && exact >= best && (i == 0 || (op->variants && op->variants[i])); i++)
            if (same(name, length, strata_op_variant_name(op, i)) && admitted(s, n, pass, i)) {
                chosen = i;
                best = exact;
            }
        p += item + (p[item] == ',');
    }
    return chosen;
}

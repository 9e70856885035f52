/* Which of an op's variants is recorded, and what scratch they want. */
#include <stdio.h>
#include <string.h>

#include "core/items.h"
#include "core/nearest.h"
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

static bool admitted(const strata_caps *caps, const strata_node *n, strata_pass pass, uint32_t i)
{
    return !n->op->admits || n->op->admits(caps, n, pass, i);
}

bool strata_op_wants_exact(const char *forced)
{
    for (const char *p = forced; p && *p;) {
        const size_t item = strcspn(p, ",");
        if (same(p, item, "exact")) return true;
        p += item + (p[item] == ',');
    }
    return false;
}

/* ---- What is asked for ----------------------------------------------------------------------------- */

static bool has_variant(const strata_op *op, const char *name, size_t length)
{
    for (uint32_t i = 0; i == 0 || (op->variants && op->variants[i]); i++)
        if (same(name, length, strata_op_variant_name(op, i))) return true;
    return false;
}

static strata_status no_variant(const strata_op *op, const char *name, size_t length)
{
    char list[256] = "";
    for (uint32_t i = 0; i == 0 || (op->variants && op->variants[i]); i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
                 strata_op_variant_name(op, i));
    return strata_fail(STRATA_BAD_ARG, "--variants: %s has no variant '%.*s'; it has: %s", op->name,
                       (int)length, name, list);
}

static strata_status no_op(const char *name, size_t length)
{
    char wanted[64];
    const char *names[128];
    uint32_t n = 0;
    for (const strata_op *const *op = strata_ops; *op && n < 128; op++) names[n++] = (*op)->name;
    snprintf(wanted, sizeof wanted, "%.*s", (int)length, name);
    const char *near = strata_nearest(wanted, names, n);
    return strata_fail(STRATA_BAD_ARG, "--variants: there is no operation '%s'%s%s%s", wanted,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* "name", "op=name" or "op.PASS=name" */
static strata_status check_item(const char *item, size_t n)
{
    const char *equals = memchr(item, '=', n);
    if (!equals) {
        for (const strata_op *const *op = strata_ops; *op; op++)
            if (has_variant(*op, item, n)) return STRATA_OK;
        return strata_fail(STRATA_BAD_ARG, "--variants: no operation has a variant '%.*s'", (int)n, item);
    }
    const size_t left = (size_t)(equals - item);
    const char *dot = memchr(item, '.', left), *name = equals + 1;
    const size_t length = n - left - 1, stem = dot ? (size_t)(dot - item) : left;
    bool pass = !dot;
    for (int i = 0; !pass && i < STRATA_PASSES; i++)
        pass = same(dot + 1, left - stem - 1, strata_pass_name((strata_pass)i));
    for (const strata_op *const *op = strata_ops; *op; op++) {
        if (!same(item, stem, (*op)->name)) continue;
        if (!pass)
            return strata_fail(STRATA_BAD_ARG, "--variants: there is no pass '%.*s'", (int)(left - stem - 1),
                               dot + 1);
        return has_variant(*op, name, length) ? STRATA_OK : no_variant(*op, name, length);
    }
    return no_op(item, stem);
}

strata_status strata_variants_check(const char *variants)
{
    size_t n;
    /* What a run wrote down of all its launches, with ':', names parts of a layer alike. */
    const char *twice = strchr(variants, ':') ? NULL : strata_item_twice(variants, &n);
    if (twice) return strata_fail(STRATA_BAD_ARG, "--variants: %.*s is there twice", (int)n, twice);
    for (const char *p = variants; *p;) {
        const size_t item = strcspn(p, ",");
        if (item && !same(p, item, "exact") && !memchr(p, ':', item)) STRATA_TRY(check_item(p, item));
        p += item + (p[item] == ',');
    }
    return STRATA_OK;
}

/* ---- What is taken --------------------------------------------------------------------------------- */

uint32_t strata_op_choose(const strata_caps *caps, const char *forced, const strata_node *n, strata_pass pass)
{
    const strata_op *op = n->op;
    int best = 0;
    uint32_t chosen = op->prefer ? op->prefer(caps, n, pass) : 0;
    if (op->prefer_exact && strata_op_wants_exact(forced)) chosen = op->prefer_exact(caps, n, pass);
    for (const char *p = forced; p && *p;) {
        const size_t item = strcspn(p, ",");
        const char *name;
        size_t length;
        const int exact = speaks_of(p, item, n, pass, &name, &length);
        for (uint32_t i = 0; exact > 0 && exact >= best && (i == 0 || (op->variants && op->variants[i])); i++)
            if (same(name, length, strata_op_variant_name(op, i)) && admitted(caps, n, pass, i)) {
                chosen = i;
                best = exact;
            }
        p += item + (p[item] == ',');
    }
    return chosen;
}

bool strata_op_is_forced(const char *forced, const strata_node *n, strata_pass pass)
{
    for (const char *p = forced; p && *p;) {
        const size_t item = strcspn(p, ",");
        const char *name;
        size_t length;
        const bool speaks = speaks_of(p, item, n, pass, &name, &length) > 0;
        for (uint32_t i = 0; speaks && n->op->variants && n->op->variants[i]; i++)
            if (same(name, length, n->op->variants[i])) return true;
        p += item + (p[item] == ',');
    }
    return false;
}

uint32_t strata_op_variant(strata_stream *s, const strata_node *n, strata_pass pass)
{
    return strata_op_choose(&s->device->caps, s->forced, n, pass);
}

/* ---- Their scratch ------------------------------------------------------------------------------- */

uint64_t strata_op_scratch(const strata_caps *caps, const char *forced, const strata_node *n, bool train)
{
    uint64_t most = n->scratch_bytes;
    for (int i = 0; i < STRATA_PASSES && n->op->scratch; i++) {
        const strata_pass pass = (strata_pass)i;
        if (!train && pass != STRATA_FORWARD && pass != STRATA_EVALUATE) continue;
        const uint64_t bytes = n->op->scratch(caps, n, pass, strata_op_choose(caps, forced, n, pass));
        if (bytes > most) most = bytes;
    }
    return most;
}

uint64_t strata_op_most_scratch(const strata_node *n)
{
    const strata_caps wide = { .max_range = (uint64_t)1 << 48, .max_block = (uint64_t)1 << 48 };
    uint64_t most = n->scratch_bytes;
    for (uint32_t i = 0; n->op->scratch && (i == 0 || (n->op->variants && n->op->variants[i])); i++)
        for (int pass = 0; pass < STRATA_PASSES; pass++) {
            const uint64_t bytes = n->op->scratch(&wide, n, (strata_pass)pass, i);
            if (bytes > most) most = bytes;
        }
    return most;
}

/* Options of a node, from text to the op's struct. */
#include "graph/settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

static const char *skip(const char *s)
{
    while (*s == ' ' || *s == '[' || *s == '(') s++;
    return s;
}

/* One number; *end is left at what follows it and its spaces. */
static bool number(double *out, const char *s, const char **end)
{
    char *stop = NULL;
    *out = strtod(s, &stop);
    if (stop == s || !isfinite(*out)) return false;
    while (*stop == ' ' || *stop == ']' || *stop == ')') stop++;
    *end = stop;
    return true;
}

static bool truth(uint32_t *out, const char *s)
{
    static const char *const yes[] = { "true", "yes", "on", "1" }, *const no[] = { "false", "no", "off",
                                                                                   "0" };
    for (int i = 0; i < 4; i++) {
        if (strcmp(s, yes[i]) == 0) return *out = 1, true;
        if (strcmp(s, no[i]) == 0) return *out = 0, true;
    }
    return false;
}

static const char *wants(strata_field_type type)
{
    switch (type) {
    case STRATA_FIELD_UINT: return "a whole number";
    case STRATA_FIELD_PAIR: return "one or two whole numbers";
    case STRATA_FIELD_FLOAT: return "a number";
    case STRATA_FIELD_BOOL: return "true or false";
    }
    return "";
}

/* Store `text` in the struct's field; false if it is not of the field's kind or out of range. */
static bool store(void *options, const strata_field *f, const char *text)
{
    char *at = (char *)options + f->offset;
    double v[2] = { 0 };
    const char *end = skip(text);
    if (f->type == STRATA_FIELD_BOOL) return truth((uint32_t *)(void *)at, text);
    if (!number(&v[0], end, &end)) return false;
    v[1] = v[0];
    if (f->type == STRATA_FIELD_PAIR && (*end == ',' || *end == 'x') && !number(&v[1], end + 1, &end))
        return false;
    if (*end) return false;
    for (int i = 0; i < 2; i++) {
        if (v[i] < f->low || v[i] > f->high) return false;
        if (f->type != STRATA_FIELD_FLOAT && floor(v[i]) != v[i]) return false;
    }
    if (f->type == STRATA_FIELD_FLOAT) {
        float value = (float)v[0];
        memcpy(at, &value, sizeof value);
    } else {
        uint32_t whole[2] = { (uint32_t)v[0], (uint32_t)v[1] };
        memcpy(at, whole, f->type == STRATA_FIELD_PAIR ? sizeof whole : sizeof *whole);
    }
    return true;
}

static void fall_back(void *options, const strata_field *f)
{
    char *at = (char *)options + f->offset;
    float number = (float)f->fallback;
    uint32_t whole[2] = { (uint32_t)f->fallback, (uint32_t)f->fallback };
    if (f->type == STRATA_FIELD_FLOAT)
        memcpy(at, &number, sizeof number);
    else
        memcpy(at, whole, f->type == STRATA_FIELD_PAIR ? sizeof whole : sizeof *whole);
}

static const strata_field *find(const strata_op *op, const char *name)
{
    for (const strata_field *f = op->fields; f && f->name; f++)
        if (strcmp(f->name, name) == 0) return f;
    return NULL;
}

static strata_status unknown(const strata_op *op, const char *node, const char *key)
{
    const char *names[32] = { 0 };
    uint32_t n = 0;
    for (const strata_field *f = op->fields; f && f->name && n < 32; f++) names[n++] = f->name;
    const char *near = strata_nearest(key, names, n);
    if (near)
        return strata_fail(STRATA_BAD_ARG, "%s: %s has no option '%s'; did you mean '%s'?", node, op->name,
                           key, near);
    strata_text list = { 0 };
    for (uint32_t i = 0; i < n; i++) strata_text_format(&list, "%s%s", i ? ", " : "", names[i]);
    strata_status status = strata_fail(STRATA_BAD_ARG, "%s: %s has no option '%s'; it has: %s", node,
                                       op->name, key, n ? list.s : "none");
    strata_text_free(&list);
    return status;
}

strata_status settings_fill(void *options, const strata_op *op, const char *node,
                            const strata_setting *settings, uint32_t n)
{
    for (const strata_field *f = op->fields; f && f->name; f++) fall_back(options, f);
    for (uint32_t i = 0; i < n; i++) {
        const strata_field *f = find(op, settings[i].key);
        if (!f) return unknown(op, node, settings[i].key);
        if (!store(options, f, settings[i].value))
            return strata_fail(STRATA_BAD_ARG, "%s: %s wants %s in [%g, %g], got '%s'", node, f->name,
                               wants(f->type), f->low, f->high, settings[i].value);
    }
    for (const strata_field *f = op->fields; f && f->name; f++) {
        bool given = !f->required;
        for (uint32_t i = 0; i < n; i++) given = given || strcmp(settings[i].key, f->name) == 0;
        if (!given)
            return strata_fail(STRATA_BAD_ARG, "%s: %s needs the option '%s'", node, op->name, f->name);
    }
    return STRATA_OK;
}

/* ---- And back ------------------------------------------------------------------------------------- */

static void put_field(strata_text *t, const strata_node *n, const strata_field *f)
{
    const char *at = (const char *)n->options + f->offset;
    uint32_t whole[2];
    float number;
    if (f->type == STRATA_FIELD_FLOAT) {
        memcpy(&number, at, sizeof number);
        if (number != (float)f->fallback || f->required)
            strata_text_format(t, " %s=%g", f->name, (double)number);
        return;
    }
    memcpy(whole, at, f->type == STRATA_FIELD_PAIR ? sizeof whole : sizeof *whole);
    if (f->type != STRATA_FIELD_PAIR) whole[1] = whole[0];
    if (!f->required && whole[0] == (uint32_t)f->fallback && whole[1] == whole[0]) return;
    strata_text_format(t, " %s=%u", f->name, whole[0]);
    if (whole[1] != whole[0]) strata_text_format(t, ",%u", whole[1]);
}

void settings_put_shape(strata_text *out, const strata_node *n)
{
    strata_text_format(out, "%s -> %s", strata_shape_text(n->in[0]->shape).s,
                       strata_shape_text(n->out->shape).s);
    for (const strata_field *f = n->op->fields; f && f->name; f++)
        if (strcmp(f->name, "out") != 0) put_field(out, n, f);
}

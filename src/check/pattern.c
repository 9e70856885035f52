#include "check/pattern.h"

#include <stdlib.h>
#include <string.h>

/* Sizes that have found faults elsewhere: one of everything; below, at and above the four lanes; primes;
 * around the workgroup size 64; a row longer than four channels of each of 64 invocations;
 * one larger. Quick takes the third, moderate the
 * first three. */
static const char *const judge_sizes[] = {
    "N=3 H=5 W=4 C=3 K=5", "N=1 H=8 W=8 C=64 K=63", "N=2 H=13 W=11 C=17 K=277", "N=1 H=1 W=1 C=1 K=1",
    "N=2 H=7 W=7 C=4 K=4", "N=5 H=4 W=3 C=65 K=8",  "N=67 H=1 W=2 C=5 K=13",    "N=4 H=16 W=16 C=32 K=64",
};
enum { N_JUDGE_SIZES = sizeof judge_sizes / sizeof *judge_sizes };

static uint32_t case_number(strata_judge_depth depth, uint32_t index, uint32_t n)
{
    if (depth == STRATA_JUDGE_QUICK) return index == 0 ? (n > 2 ? 2 : n - 1) : n;
    if (depth == STRATA_JUDGE_MODERATE && index > 2) return n;
    return index;
}

bool pattern_case(char *text, size_t room, const strata_judge *j, const strata_row *row, uint32_t index)
{
    if (j->sizes) {
        snprintf(text, room, "%s", j->sizes);
        return index == 0;
    }
    if (!row->sizes) {
        uint32_t i = case_number(j->depth, index, N_JUDGE_SIZES);
        if (i < N_JUDGE_SIZES) snprintf(text, room, "%s", judge_sizes[i]);
        return i < N_JUDGE_SIZES;
    }
    uint32_t n = 1;
    for (const char *s = row->sizes; *s; s++) n += *s == ';';
    uint32_t i = case_number(j->depth, index, n);
    if (i >= n) return false;
    const char *s = row->sizes;
    for (; i > 0; i--) s = strchr(s, ';') + 1;
    s += strspn(s, " ");
    snprintf(text, room, "%.*s", (int)strcspn(s, ";"), s);
    return true;
}

/* "N=2 H=7" -> sizes['N' - 'A'] = 2 .. */
static strata_status read_sizes(uint32_t sizes[26], const strata_row *row, const char *text)
{
    memset(sizes, 0, 26 * sizeof *sizes);
    for (const char *s = text; *s;) {
        char *end = NULL;
        unsigned long size = s[0] >= 'A' && s[0] <= 'Z' && s[1] == '=' ? strtoul(s + 2, &end, 10) : 0;
        if (size == 0) return strata_fail(STRATA_BAD_ARG, "row %s: sizes \"%s\" at \"%s\"", row->op, text, s);
        sizes[s[0] - 'A'] = (uint32_t)size;
        s = end + strspn(end, " ");
    }
    return STRATA_OK;
}

/* A number, a capital, or a number and a capital; *s moves behind it. 0: neither. */
static uint32_t read_dim(const char **s, const uint32_t sizes[26])
{
    char *end;
    unsigned long factor = strtoul(*s, &end, 10);
    bool number = end != *s;
    *s = end;
    if (**s < 'A' || **s > 'Z') return number ? (uint32_t)factor : 0;
    return (number ? (uint32_t)factor : 1) * sizes[*(*s)++ - 'A'];
}

/* Is `name` one of the words of `list`? */
static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *s = list; s && (s = strstr(s, name)) != NULL; s += length)
        if ((s == list || s[-1] == ' ') && (s[length] == ' ' || s[length] == '\0')) return true;
    return false;
}

/* One "name:dims<K@low..high" of `length` characters. */
static bool read_input(pattern_input *in, const char *s, const strata_row *row, const uint32_t sizes[26])
{
    size_t length = strcspn(s, ":");
    if (s[length] != ':' || length >= sizeof in->name) return false;
    snprintf(in->name, sizeof in->name, "%.*s", (int)length, s);
    s += length + 1;
    uint32_t dim[4], n = 0;
    do {
        if (n == 4 || (dim[n++] = read_dim(&s, sizes)) == 0) return false;
    } while (*s == ',' && s++);
    in->rows = n == 1;
    if (n == 4)
        in->shape = (strata_shape) { dim[0], dim[1], dim[2], dim[3] };
    else
        in->shape = (strata_shape) { dim[0], 1, 1, n == 2 ? dim[1] : 1 };
    in->low = -row->range;
    in->high = row->range;
    if (*s == '<') {
        s++;
        in->below = read_dim(&s, sizes);
        if (in->below == 0) return false;
    }
    if (*s == '@') {
        char low[16], *end;
        const char *dots = strstr(s, "..");
        if (!dots || (size_t)(dots - s) >= sizeof low) return false;
        snprintf(low, sizeof low, "%.*s", (int)(dots - s - 1), s + 1); /* strtof would take a dot of ".." */
        in->low = strtof(low, NULL);
        in->high = strtof(dots + 2, &end);
        s = end;
    }
    in->differentiable = listed(row->differentiable, in->name);
    return n != 3 && (*s == ' ' || *s == '\0');
}

/* Options into p->text, as NUL-separated keys and values. */
static bool read_options(pattern *p, const char *s, const uint32_t sizes[26])
{
    size_t used = 0;
    for (s += strspn(s, " "); *s; s += strspn(s, " ")) {
        size_t length = strcspn(s, " "), key = strcspn(s, "=");
        if (key >= length || p->n_settings == PATTERN_MAX_SETTINGS) return false;
        const char *value = s + key + 1, *end = value;
        uint32_t size = read_dim(&end, sizes);
        bool letter = end == s + length && end > value && end[-1] >= 'A' && end[-1] <= 'Z';
        if (letter && size == 0) return false;
        if (sizeof p->text - used < length + 16) return false;
        strata_setting *setting = &p->setting[p->n_settings++];
        setting->key = p->text + used;
        used += (size_t)snprintf(p->text + used, sizeof p->text - used, "%.*s", (int)key, s) + 1;
        setting->value = p->text + used;
        if (letter)
            used += (size_t)snprintf(p->text + used, sizeof p->text - used, "%u", size) + 1;
        else
            used += (size_t)snprintf(p->text + used, sizeof p->text - used, "%.*s", (int)(length - key - 1),
                                     value) +
                    1;
        s += length;
    }
    return true;
}

strata_status pattern_read(pattern *out, const strata_row *row, const char *sizes)
{
    uint32_t size[26];
    *out = (pattern) { 0 };
    STRATA_TRY(read_sizes(size, row, sizes));
    for (const char *s = row->inputs + strspn(row->inputs, " "); *s;
         s += strcspn(s, " "), s += strspn(s, " ")) {
        if (out->n_in == STRATA_MAX_IN || !read_input(&out->in[out->n_in], s, row, size))
            return strata_fail(STRATA_BAD_ARG, "row %s: inputs \"%s\" at \"%s\" with sizes %s", row->op,
                               row->inputs, s, sizes);
        out->n_in++;
    }
    if (!read_options(out, row->options ? row->options : "", size))
        return strata_fail(STRATA_BAD_ARG, "row %s: options \"%s\" with sizes %s", row->op, row->options,
                           sizes);
    return STRATA_OK;
}

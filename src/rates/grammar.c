#include "rates/grammar.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/items.h"
#include "core/nearest.h"

const char *rates_list(char *list, const char *const *names, uint32_t n)
{
    enum { MOST = 32 };
    size_t length = 0;
    *list = '\0';
    for (uint32_t i = 0; i < n && i < MOST && length + 80 < RATES_LIST; i++)
        length += (size_t)snprintf(list + length, RATES_LIST - length, "%s%.64s", i ? ", " : "", names[i]);
    if (n > MOST) snprintf(list + length, RATES_LIST - length, ", ...");
    return list;
}

strata_status rates_wrong(const rates_text *t, const char *wanted)
{
    char list[RATES_LIST];
    const bool groups = t->group && t->n_groups;
    return strata_fail(STRATA_BAD_ARG, "%s '%s', character %u: wants %s, got '%.40s'%s%s", t->option, t->s,
                       (unsigned)(t->at - t->s) + 1, wanted, t->at, groups ? "; the groups are: " : "",
                       groups ? rates_list(list, t->group, t->n_groups) : "");
}

bool rates_take(rates_text *t, char c)
{
    if (*t->at != c) return false;
    t->at++;
    return true;
}

/* Only digits, sign, point and exponent: strtod would take spaces, hexadecimals and "infinity" too. */
bool rates_number(rates_text *t, double *out, double low, double high)
{
    char *end = NULL;
    const char first = *t->at;
    if (!isdigit((unsigned char)first) && first != '.' && first != '-' && first != '+') return false;
    const double v = strtod(t->at, &end);
    if (memchr(t->at, 'x', (size_t)(end - t->at)) || memchr(t->at, 'X', (size_t)(end - t->at))) return false;
    if (end == t->at || !isfinite(v) || !(v >= low && v <= high)) return false;
    *out = v;
    t->at = end;
    return true;
}

bool rates_fraction(rates_text *t, double *out, double low, double high)
{
    const char *start = t->at;
    double below, v;
    if (!rates_number(t, &v, -HUGE_VAL, HUGE_VAL)) return false;
    if (*t->at == '/') {
        t->at++;
        if (!rates_number(t, &below, 1e-300, HUGE_VAL)) {
            t->at = start;
            return false;
        }
        v /= below;
    }
    if (!(v >= low && v <= high)) {
        t->at = start;
        return false;
    }
    *out = v;
    return true;
}

bool rates_word(rates_text *t, char *word, uint32_t room, const char *stops)
{
    const size_t n = strcspn(t->at, stops);
    if (n >= room) return false;
    memcpy(word, t->at, n);
    word[n] = '\0';
    t->at += n;
    return true;
}

strata_status rates_unknown(const char *option, const char *what, const char *got, const char *const *names,
                            uint32_t n)
{
    char list[RATES_LIST];
    const char *near = strata_nearest(got, names, n);
    if (near)
        return strata_fail(STRATA_BAD_ARG, "%s: there is no %s '%.64s'; did you mean '%s'?", option, what,
                           got, near);
    return strata_fail(STRATA_BAD_ARG, "%s: there is no %s '%.64s'; there is: %s", option, what, got,
                       n ? rates_list(list, names, n) : "none");
}

strata_status rates_placed(const rates_text *t, strata_status status)
{
    char list[RATES_LIST], why[2 * RATES_LIST];
    const char *message = strata_message();
    const size_t n = strlen(t->option);
    if (strncmp(message, t->option, n) == 0 && (message[n] == ':' || message[n] == ' '))
        message += n + (message[n] == ':');
    snprintf(why, sizeof why, "%s", message + (*message == ' '));
    const bool groups = t->group && t->n_groups && !strstr(why, "the groups are: ");
    return strata_fail(status, "%s '%s', character %u: %s%s%s", t->option, t->s, (unsigned)(t->at - t->s) + 1,
                       why, groups ? "; the groups are: " : "",
                       groups ? rates_list(list, t->group, t->n_groups) : "");
}

strata_status rates_unknown_at(const rates_text *t, const char *start, const char *what, const char *got,
                               const char *const *names, uint32_t n)
{
    rates_text there = *t;
    there.at = start;
    return rates_placed(&there, rates_unknown(t->option, what, got, names, n));
}

strata_status rates_unknown_group(const rates_text *t, const char *start, const char *name)
{
    char list[RATES_LIST];
    const char *near = strata_nearest(name, t->group, t->n_groups);
    return strata_fail(STRATA_BAD_ARG,
                       "%s '%s', character %u: there is no group '%.64s'%s%s%s; the groups are: %s",
                       t->option, t->s, (unsigned)(start - t->s) + 1, name, near ? "; did you mean '" : "",
                       near ? near : "", near ? "'?" : "", rates_list(list, t->group, t->n_groups));
}

strata_status rates_named_twice(const rates_text *t, const char *start)
{
    rates_text there = *t;
    there.at = start;
    return rates_wrong(&there, "each group to be named once");
}

strata_status rates_keys_once(const rates_text *t, const char *list)
{
    size_t n;
    rates_text there = *t;
    there.at = strata_item_twice(list, &n);
    if (!there.at) return STRATA_OK;
    return rates_placed(&there,
                        strata_fail(STRATA_BAD_ARG, "the key '%.*s' is there twice", (int)n, there.at));
}

bool rates_holds(const char *name, const char *group)
{
    const size_t n = strlen(name);
    return strncmp(group, name, n) == 0 && (group[n] == '\0' || group[n] == '.');
}

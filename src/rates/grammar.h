/* The text of an option with the place that is being read, so that a message can point at it. */
#ifndef STRATA_RATES_GRAMMAR_H
#define STRATA_RATES_GRAMMAR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

typedef struct rates_text {
    const char *option;       /* "--lr" */
    const char *s, *at;       /* all of it, and what is read next */
    const char *const *group; /* [n_groups] listed at the end of messages; NULL: they do not matter there */
    uint32_t n_groups;
} rates_text;

/* "OPTION 'TEXT', character 5: wants WANTED, got 'THERE'; the groups are: stem, body, head", as
 * STRATA_BAD_ARG. */
strata_status rates_wrong(const rates_text *t, const char *wanted);

/* Take one character if it is next. */
bool rates_take(rates_text *t, char c);

/* Take a finite number in [low, high]; false leaves the place where it was. */
bool rates_number(rates_text *t, double *out, double low, double high);

/* The same, or a fraction such as 1/2.6. */
bool rates_fraction(rates_text *t, double *out, double low, double high);

/* Copy what comes before the next of `stops` to `word`, and go there. False where it is longer than `room`
 * - 1 characters. */
bool rates_word(rates_text *t, char *word, uint32_t room, const char *stops);

/* Does a name mean this group: is it the same, or what stands before a "." of it? */
bool rates_holds(const char *name, const char *group);

/* "there is no WHAT 'GOT'; did you mean 'NEAR'?", or the list where none is near, as STRATA_BAD_ARG. */
strata_status rates_unknown(const char *option, const char *what, const char *got, const char *const *names,
                            uint32_t n);

/* The same, at a place of the text: "OPTION 'TEXT', character 5: there is no ..."
 *   start  where the name stands in the text */
strata_status rates_unknown_at(const rates_text *t, const char *start, const char *what, const char *got,
                               const char *const *names, uint32_t n);

/* Fail again with the message there is, at the place of t->at and with the groups. */
strata_status rates_placed(const rates_text *t, strata_status status);

/* As rates_unknown_at, for a group's name; the groups are always listed. */
strata_status rates_unknown_group(const rates_text *t, const char *start, const char *name);

/* A group that is named at `start` was named before. */
strata_status rates_named_twice(const rates_text *t, const char *start);

/* STRATA_BAD_ARG where the same key is twice in "KEY=VALUE,KEY=VALUE", which is the rest of the text from
 * `list` on. */
strata_status rates_keys_once(const rates_text *t, const char *list);

/* "a, b, c" of at most 32 names, for messages: a buffer of the caller. Returns it. */
enum { RATES_LIST = 1024 };
const char *rates_list(char *list, const char *const *names, uint32_t n);

#endif

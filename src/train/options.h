/* The rules behind the public table of options. */
#ifndef STRATA_TRAIN_OPTIONS_H
#define STRATA_TRAIN_OPTIONS_H

#include "strata/recipe.h"

typedef enum option_kind {
    OPTION_TEXT,
    OPTION_NUMBER,
    OPTION_PAIR, /* two numbers with a comma between */
    OPTION_WHOLE,
    OPTION_FLAG,
    OPTION_CHOICE
} option_kind;

typedef struct option_rule {
    strata_option option;
    option_kind kind;
    double low, high;           /* of numbers, inclusive */
    const char *const *choices; /* ended by NULL */
} option_rule;

extern const option_rule option_rules[];
extern const uint32_t n_option_rules;

int option_find(const char *key); /* its index; -1: unknown */

#endif

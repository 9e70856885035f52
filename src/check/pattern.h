/* A row of the op table with sizes put in for its letters. */
#ifndef STRATA_CHECK_PATTERN_H
#define STRATA_CHECK_PATTERN_H

#include "check/judge.h"
#include "graph/graph.h"

enum { PATTERN_MAX_SETTINGS = 16 };

typedef struct pattern_input {
    char name[24];
    strata_shape shape;
    bool rows;      /* [N] of 32-bit values */
    uint32_t below; /* integers in [0, below); 0: floats */
    float low, high;
    bool differentiable;
} pattern_input;

typedef struct pattern {
    pattern_input in[STRATA_MAX_IN];
    uint32_t n_in;
    strata_setting setting[PATTERN_MAX_SETTINGS]; /* point into `text` */
    uint32_t n_settings;
    char text[512];
} pattern;

/* Copy case number `index` of a row at a depth.  text: out [room], "N=2 H=7 W=7 C=5".
 * false: there is none. */
bool pattern_case(char *text, size_t room, const strata_judge *j, const strata_row *row, uint32_t index);

/* Read a row with the sizes of one case. The pattern is not to be copied: its settings point into it.
 * Errors: STRATA_BAD_ARG naming the row and what is not understood. */
strata_status pattern_read(pattern *out, const strata_row *row, const char *sizes);

#endif

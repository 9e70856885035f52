/* How rates move in time: a table of curves (curves.c), each a pure function of the step and of what was
 * observed before it. */
#ifndef STRATA_RATES_SCHEDULE_H
#define STRATA_RATES_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "rates/log.h"
#include "rates/grammar.h"

enum { SCHEDULE_VALUES = 10, SCHEDULE_LIST = 16 };

typedef struct schedule schedule;

/* A schedule with its values. By value; holds no memory. */
typedef struct schedule_use {
    const schedule *kind;
    double
        value[SCHEDULE_VALUES]; /* by the kind's keys. A length is a number of steps, below 0 a share of the
                                      curve's own length */
    double list[SCHEDULE_LIST]; /* lengths, ascending where they are steps */
    uint32_t n_list;
} schedule_use;

/* Where on a curve. */
typedef struct schedule_place {
    uint64_t step, steps; /* of the curve, from 0; a step past the end counts as the end */
    uint32_t group, n_groups;
    const rates_log *log; /* what was observed; may be NULL */
    uint64_t first, now;  /* steps of the run at which the curve began, and now: what the log counts in */
} schedule_place;

typedef struct schedule_point {
    double scale;    /* of the group's largest rate: 1 at the peak */
    double momentum; /* NaN where the curve does not move it */
    bool frozen;     /* the group is done: its rate is 0 for good */
} schedule_point;

typedef enum schedule_key_kind { KEY_END, KEY_NUMBER, KEY_WORD, KEY_LENGTH, KEY_LIST } schedule_key_kind;

typedef struct schedule_key {
    const char *name;
    schedule_key_kind kind;
    double fallback, low, high; /* inclusive; of a length: of the steps or the share */
    const char *words;          /* "cosine linear": the value is the word's number */
} schedule_key;

struct schedule {
    const char *name, *convention; /* "": the only one; the first of a name is taken where none is given */
    schedule_point (*at)(const schedule_use *use, const schedule_place *where);
    schedule_key keys[SCHEDULE_VALUES];
};

extern const schedule schedules[];
extern const uint32_t n_schedules;

/* Read "NAME[:CONVENTION]", with the fallbacks of its keys.
 * Errors: STRATA_BAD_ARG with the nearest name or convention. */
strata_status schedule_find(schedule_use *out, const char *text);

/* Set one key.
 *   steps_per_epoch  what "2ep" counts in; 0: epochs are not known
 * Errors: STRATA_BAD_ARG with the nearest key (`more`: others to choose from, ended by NULL), or the range of
 *         a value. */
strata_status schedule_set(schedule_use *use, const char *key, const char *value, uint64_t steps_per_epoch,
                           const char *const *more);

/* Is there such a key? */
bool schedule_has(const schedule_use *use, const char *key);

/* The value of a key; `fallback` where the kind has no such key. */
double schedule_value(const schedule_use *use, const char *key, double fallback);

/* Read a length: "100" steps, "2ep" epochs, "30%" as -0.3.
 * Errors: STRATA_BAD_ARG. */
strata_status schedule_length(double *out, const char *key, const char *value, uint64_t steps_per_epoch);

/* Whole steps of a length on a curve of `steps`. */
double schedule_steps(double length, uint64_t steps);

/* The metrics of the log that it watches: bit 1 << rates_metric of each. */
uint32_t schedule_watches(const schedule_use *use);

schedule_point schedule_at(const schedule_use *use, const schedule_place *where);

#endif

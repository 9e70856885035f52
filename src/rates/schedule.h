/* How rates move in time: a table of curves, each a pure function of the step. */
#ifndef STRATA_RATES_SCHEDULE_H
#define STRATA_RATES_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

enum { SCHEDULE_VALUES = 6 };

/* One step of a curve. */
typedef struct schedule_point {
    double scale;    /* of every group's largest rate: 1 at the peak */
    double momentum; /* unset where the curve does not move it */
} schedule_point;

typedef struct schedule schedule;

/* A schedule with its values. By value; holds no memory. */
typedef struct schedule_use {
    const schedule *kind;
    double value[SCHEDULE_VALUES]; /* by the kind's keys */
} schedule_use;

/* Read "NAME[:CONVENTION][,key=value...]".
 * Errors: STRATA_BAD_ARG with the nearest name, convention or key, or the range of a value. */
strata_status schedule_parse(schedule_use *out, const char *text);

/* Does it move the momentum? Then the optimizer's own is not used. */
bool schedule_moves_momentum(const schedule_use *s);

/* The curve at `step` (from 0) of `steps`; steps past the end stay at the last value. */
schedule_point schedule_at(const schedule_use *s, uint64_t step, uint64_t steps);

#endif

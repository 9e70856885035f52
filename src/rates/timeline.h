/* Several schedules one after another, each with its own length, warm-up, spread and frozen groups. */
#ifndef STRATA_RATES_TIMELINE_H
#define STRATA_RATES_TIMELINE_H

#include <stddef.h>

#include "rates/schedule.h"

typedef struct timeline_phase {
    uint64_t first, steps; /* of the run; the last phase holds its end value beyond its steps */
    uint64_t warmup;       /* steps in front of the curve, within `steps` */
    double warmup_from;    /* share of the curve's first value at which the warm-up begins */
    double scale;          /* multiplies the curve */
    uint32_t freeze_to;    /* groups before this one are frozen */
    double *peak;          /* [n_groups] a spread of its own, owned; NULL: the run's */
    schedule_use use;
} timeline_phase;

typedef struct timeline {
    timeline_phase *phase; /* [n] owned, at least one */
    uint32_t n;
} timeline;

typedef struct timeline_run {
    uint64_t steps, steps_per_epoch; /* of the run; of an epoch, 0: epochs are not known */
    const char *const *group;        /* [n_groups] */
    uint32_t n_groups;
} timeline_run;

/* Read "PHASE then PHASE ...", PHASE = "NAME[:CONVENTION][,key=value...]" with the curve's keys and
 *   for=LENGTH           how long the phase is, a share being of the run; one phase may leave it out and
 *                        takes the rest
 *   warmup=LENGTH, warmup-from=S
 *                        a line from S (0) to the curve's first value in front of it
 *   scale=S              multiplies the curve
 *   lr=SPEC              a spread of its own: X, lo:hi, hi/k or X@decay=D
 *   freeze=G             groups before G are frozen; below 0 counted from the last: -1 leaves the last one
 * Owner:  caller; release with timeline_free, also after a failure.
 * Errors: STRATA_BAD_ARG. */
strata_status timeline_parse(timeline *out, const char *text, const timeline_run *run);
void timeline_free(timeline *t);

/* The phase that holds a step of the run. */
const timeline_phase *timeline_at(const timeline *t, uint64_t step);

/* The point of a phase at a step of the run, for one group. */
schedule_point timeline_point(const timeline_phase *p, uint64_t step, uint32_t group, uint32_t n_groups,
                              const rates_log *log);

/* A whole recipe as phases: "fine-tune[,key=value...]" written out for the rate `lr`. The answer is empty
 * where the text is not that.
 *   fine-tune  fastai v2's: freeze-epochs (1) of one-cycle (pct 0.99) with only the last group at lr and the
 *              others at lr/10, then one-cycle (pct 0.3, div 5) with lr / (2 lr-mult) : lr / 2, lr-mult 100
 *   out        [room]
 * Errors: STRATA_BAD_ARG. */
strata_status timeline_preset(char *out, size_t room, const char *text, double lr);

#endif

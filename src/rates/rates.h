/* Learning rates: how a rate is divided among groups (spread), how it moves (schedule), and how the two are
 * blended in time (bleed, freezing). Every rate is s(step) * M * m_group, with the multiplier m_group 0 where
 * a group is frozen. Pure functions of the recipe, the step, and the log of what was observed before it. */
#ifndef STRATA_RATES_RATES_H
#define STRATA_RATES_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "rates/log.h"

typedef struct strata_rates strata_rates;

/* A rule of the caller's own, asked for each group at each step. A pure function of its arguments, else a
 * resumed run is not the same run. Returns the rate, finite and at least 0; a group does not freeze by it.
 *   lr        what the recipe gives
 *   momentum  in: what the recipe gives; out: in [0, 1). All groups have one: the last group's counts */
typedef double strata_rates_rule(void *context, uint64_t step, uint32_t group, double lr, double *momentum);

typedef struct strata_rates_config {
    const char *lr;       /* rates/spread.h */
    const char *schedule; /* "PHASE then PHASE ..." of rates/timeline.h; "GROUP=PHASES; GROUP=PHASES; PHASES"
                                 for one of its own for each group, the last for the rest; "csv:FILE" of
                                 rates/table.h instead of lr and bleed; "fine-tune..."; "ulmfit..." */
    const char *bleed;    /* rates/bleed.h; NULL or "": none */
    const char *freeze_until; /* rates/freeze.h; NULL or "": none */
    uint32_t n_groups;
    const char *const *group_name;   /* [n_groups], input side first; borrowed until strata_rates_close */
    const double *group_parameters;  /* [n_groups] for bleed's budget=total; NULL: 1 each */
    uint64_t steps, steps_per_epoch; /* of the whole run; of an epoch, 0: not known */
    double momentum;         /* momentum or beta1 where the schedule does not cycle it; 0 is never cycled */
    strata_rates_rule *rule; /* NULL: none */
    void *rule_context;
} strata_rates_config;

/* Owner: caller; release with strata_rates_close.
 * Errors: STRATA_BAD_ARG for a spec or schedule that is not understood (the place in it, the nearest
 * name, the groups there are), for a list whose length is not the number of groups (both counts), and for
 * rates that no float holds (the group and the step); STRATA_FILE for a file of rates. */
strata_status strata_rates_open(strata_rates **out, const strata_rates_config *config);
void strata_rates_close(strata_rates *r);

/* The rates of step `step` (from 0).  lr out: [n_groups];  momentum out: may be NULL */
void strata_rates_at(const strata_rates *r, uint64_t step, double *lr, double *momentum);

/* One group at one step. */
typedef struct strata_group_rate {
    double lr;
    double uniform; /* what it would be at beta 0, all groups alike: s(step) * M. Of a file's or a rule's
                       rates: the last group's, where that is 0 the largest */
    double beta;    /* of the blend: 1 without one */
    double thawed;  /* what it would be if it were not frozen */
    double norm; /* of the group's norms, where they learn: uniform where they stay at beta 0; else thawed */
    bool frozen; /* the multiplier is 0: the group's weights and moments stay as they are */
} strata_group_rate;
void strata_rates_look(const strata_rates *r, uint64_t step, strata_group_rate *out, double *momentum);

/* The rate of one group at a step, and is it frozen? */
double strata_rates_of(const strata_rates *r, uint64_t step, uint32_t group);
bool strata_rates_frozen(const strata_rates *r, uint64_t step, uint32_t group);

/* The largest rate that the spreads give each group: --lr's, or a phase's own, times its scale; without the
 * phases in which it is frozen. [n_groups] */
const double *strata_rates_peak(const strata_rates *r);

typedef struct rates_phase {
    uint64_t first, steps, warmup; /* the warm-up within the steps */
    const char *curve;             /* "one-cycle" */
} rates_phase;

/* The phases of all schedules, one after another. False: there is none of this number.
 *   peak  out: [n_groups] the largest rates in it; 0 where it freezes, NaN of groups that have another
 *         schedule */
bool strata_rates_phase(const strata_rates *r, uint32_t number, rates_phase *out, double *peak);

/* What a group's rates come to over the run. */
typedef struct rates_sum {
    double mass;    /* their sum */
    double share;   /* the sum of what they are of the uniform rate */
    uint64_t still; /* steps in which it is frozen */
} rates_sum;
strata_status strata_rates_sum(const strata_rates *r, rates_sum *sum);

/* Bleed's freeze-below: is it set, and does it freeze a group for good that is blended and cannot move by so
 * much of its size any more?
 *   rms  of the group's weights, above 0 */
bool strata_rates_may_end(const strata_rates *r);
bool strata_rates_is_done(const strata_rates *r, uint64_t step, uint32_t group, double rms);

/* Where windows open by groups that have settled: the number of steps between two looks at the weights; else
 * 0. */
uint64_t strata_rates_measure_every(const strata_rates *r);

/* Between a look before the step `since` and one before `step`, are the group's weights to be compared: did
 * it learn then, and is its window still closed? */
bool strata_rates_measures(const strata_rates *r, uint64_t since, uint64_t step, uint32_t group);

/* Observe by what share of their size a group's weights changed per step, as two looks found it; its window
 * opens at `step` where it has settled. */
strata_status strata_rates_measured(strata_rates *r, uint64_t step, uint32_t group, double change);

/* What reduce-on-plateau multiplies a group's rate by at a step; 1 where its schedule is another. */
double strata_rates_reduced(const strata_rates *r, uint64_t step, uint32_t group);

/* Set the rule anew; NULL: none. */
void strata_rates_set_rule(strata_rates *r, strata_rates_rule *rule, void *context);

/* What was observed, in order; to be kept in checkpoints.
 * Errors: STRATA_BAD_ARG for a step before the last one's, or a group or metric that is not there. */
strata_status strata_rates_observe(strata_rates *r, const rates_event *event);
/* The metrics that schedules watch: bit 1 << rates_metric of each. */
uint32_t strata_rates_watch(const strata_rates *r);
const rates_log *strata_rates_observed(const strata_rates *r);

#endif

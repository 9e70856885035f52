/* Blends in time between one rate for all groups and a spread: lr_g = s(step) M m_g^beta in log space, or
 * s(step) M ((1 - beta) + beta m_g) in linear space. beta 0 is bit for bit the run with one rate, beta 1 the
 * run with the spread. */
#ifndef STRATA_RATES_BLEED_H
#define STRATA_RATES_BLEED_H

#include <stdbool.h>
#include <stdint.h>

#include "rates/log.h"
#include "rates/grammar.h"

typedef enum bleed_ramp { BLEED_COSINE, BLEED_LINEAR, BLEED_POWER, BLEED_SMOOTH } bleed_ramp;
typedef enum bleed_anchor { BLEED_HEAD, BLEED_LARGEST, BLEED_MEAN } bleed_anchor;
typedef enum bleed_budget { BLEED_NO_BUDGET, BLEED_TOTAL, BLEED_OF_HEAD } bleed_budget;

typedef struct bleed {
    bool on, out; /* out: beta falls from its most to 0 */
    double p0, p1,
        most;       /* the window, shares of the run; beta never passes `most`. p0 below 0: not given, the
                            caller fills in where rates are largest, so that the two slopes do not fight */
    double power;   /* of BLEED_POWER */
    double cascade; /* the width of a group's own window as a share of the whole; 1: all at once */
    double settled; /* of measured starts: below this relative change per step a group has settled */
    double every;   /* share of the run between two looks at the weights */
    double times;   /* so many looks one after another must find it settled; whole */
    double freeze;  /* freeze a group for good once lr x steps left / RMS(w) is below this; 0: never */
    bool linear;    /* space */
    bool measured;  /* a group's window opens at its RATES_TRIGGER, which is not before p0 */
    bool norm;      /* norms follow; else they stay at beta 0 */
    bleed_ramp ramp;
    bleed_anchor anchor;
    bleed_budget budget;
} bleed;

/* Read "in|out[,key=value...]" with the keys p0, p1, ramp, power, space, max, anchor, cascade, start,
 * settled, every, times, freeze-below, norm, budget. "" is off.
 * Errors: STRATA_BAD_ARG with the nearest key. */
strata_status bleed_parse(bleed *out, const char *text);

/* beta of a group at a step.
 *   log  for measured starts; may be NULL */
double bleed_beta(const bleed *b, uint32_t group, uint32_t n_groups, uint64_t step, uint64_t steps,
                  const rates_log *log);

/* What multiplies M.
 *   m         the group's target: its rate / M, at least 0
 *   mean_log  of all groups' log m, for BLEED_MEAN; else unused */
double bleed_blend(const bleed *b, double m, double beta, double mean_log);

/* The M of a spread: what its groups have at beta 0. The last group's; where that is 0, the largest. */
double bleed_uniform(const bleed *b, const double *peak, uint32_t n_groups);

/* Decisions that become entries of the log. Is this group to be frozen for good: can it still move by
 * `freeze` of its own size?
 *   rms  of the group's weights, above 0 */
bool bleed_is_done(const bleed *b, double lr, uint64_t steps_left, double rms);

/* Steps between two looks at the weights, at least 1. */
uint64_t bleed_every(const bleed *b, uint64_t steps);

/* Has a group settled: are the last `times` of n relative changes all below `settled`? */
bool bleed_has_settled(const bleed *b, const double *change, uint32_t n);
enum { BLEED_TIMES = 64 }; /* the largest `times` */

#endif

/* The learning rates of a run, without the run. */
#ifndef STRATA_RATES_H
#define STRATA_RATES_H

#include <stdint.h>

#include "strata/recipe.h"
#include "strata/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a recipe's rates come to. Arrays are [n_groups], input side first. */
typedef struct strata_rates_info {
    const char *model, *scheme; /* of the groups: "fastai" */
    const char *schedule;       /* as the recipe has it */
    uint64_t steps;
    uint32_t n_groups;
    const char *const *group_name;
    const uint64_t *parameters;
    const double *peak;    /* the largest that --lr or the spread of a phase gives, times the phase's scale */
    const double *mass;    /* the sum of the group's rates over the run */
    const double *rms;     /* of the group's initial weights, norms and biases left out; NaN without any */
    const double *times;   /* the mass by the size */
    const double *moves;   /* by how many times their size these rates can move weights: under Adam and AdamW,
                              by at most about the rate in a step, `times`; under LAMB by that share of their
                              size, held by trust-clip; under LARS by that times trust / (1 - momentum), by
                              trust-clip's leave of the rate's quotient by the uniform one. NaN under SGD, of
                              which rates alone do not tell */
    const uint64_t *still; /* steps in which the group is frozen */
    const char *const *warning; /* "", "frozen" or, where it can move by less than 5 % of its size,
                                   "effectively frozen" */
    const char *const *phase;   /* [n_phases] where phases have rates of their own, what each gives: "steps 0
                                   to 9, one-cycle: stem frozen, body frozen, head 0.002" */
    uint32_t n_phases;
} strata_rates_info;

/* The rates of every step of a run, in order.
 *   recipe           its keys model, stem, head, groups, init, opt, lr, schedule, bleed, freeze-until, ...
 *   steps            of the run, at least 1
 *   steps_per_epoch  what a schedule in epochs counts in; 0: not known
 *   about            called once, first; may be NULL. What it is given lasts for the call
 *   each             called for every step; may be NULL.  lr [n_groups] 0 where a group is frozen, -0 where
 *                    it learns on at a rate of 0
 * Errors: STRATA_BAD_ARG and STRATA_FILE as training has them. */
STRATA_API strata_status strata_rates_list(
    const strata_recipe *recipe, uint64_t steps, uint64_t steps_per_epoch,
    void (*about)(void *context, const strata_rates_info *info),
    void (*each)(void *context, uint64_t step, const double *lr, double momentum), void *context);

/* Draw them as a PNG of 1000 x 470 pixels: a line for each group, on a logarithmic axis where rates span
 * decades; bars where a group is frozen; momentum below where it moves.
 *   path  written atomically
 * Errors: as strata_rates_list; STRATA_FILE. */
STRATA_API strata_status strata_rates_draw(const strata_recipe *recipe, uint64_t steps,
                                           uint64_t steps_per_epoch, const char *path);

#ifdef __cplusplus
}
#endif
#endif

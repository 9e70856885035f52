/* The learning rate finder: train for some steps at ever larger rates and look at the loss. */
#ifndef STRATA_LR_FIND_H
#define STRATA_LR_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "strata/train.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct strata_lr_find_config {
    double low, high;    /* of the sweep, low (high / low)^(i / steps); 0: 1e-7 and 10 */
    uint32_t steps;      /* at least 20; 0: 100 */
    bool per_group;      /* after the common sweep one more for each group, the others at rate 0 */
    bool to_the_end;     /* else a sweep ends where the smoothed loss passes 4 times its best */
    const char *picture; /* a PNG of all sweeps to write at the end, atomically; NULL: none. Begun at once: a
                            path that cannot be written is told before the first step */
    const volatile int *interrupt;   /* may be NULL; non-zero: STRATA_INTERRUPTED */
    void (*note)(const char *lines); /* called before tuning, then with what it found, where it is asked for:
                                        lines that end with "\n"; may be NULL */
} strata_lr_find_config;

/* One sweep. Suggestions are of the smoothed curve without its first tenth and last 5 points; NaN where it is
 * too short, or never falls. */
typedef struct strata_lr_curve {
    const char *group; /* NULL: all groups, at the ratios of the recipe's rates */
    uint32_t n;        /* points; 0 of a group that stands still */
    const double *lr;  /* [n] of the group; of all groups: the largest */
    const double *loss,
        *smoothed;   /* [n] of the step's batch; with beta 0.98, corrected for its start. The last
                                      may be no finite number */
    double valley;   /* the middle of the longest stretch that keeps falling: the one to take */
    double slide;    /* where the slope stops changing, from the right */
    double minimum;  /* a tenth of the rate of the lowest loss */
    double steep;    /* the steepest fall by the rate's logarithm */
    const char *end; /* "all steps", "the loss rose", "the loss is not finite"; "its --lr is 0" of a group
                        that stands still and is not swept */
} strata_lr_curve;

/* Sweep as a recipe's network trains on its data. Every sweep begins with the same weights, moments, running
 * statistics, random numbers and images: nothing of one is left in the next.
 *   each  called after each sweep; what it is given lasts for the call
 * Errors: STRATA_BAD_ARG for a range or steps that are none; those of strata_run. A loss that is not finite
 *         is none: it ends its sweep. */
STRATA_API strata_status strata_lr_find(const strata_recipe *recipe, const strata_lr_find_config *config,
                                        void (*each)(void *context, const strata_lr_curve *curve),
                                        void *context);

#ifdef __cplusplus
}
#endif
#endif

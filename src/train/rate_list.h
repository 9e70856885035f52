/* What rates come to over a run. */
#ifndef STRATA_TRAIN_RATE_LIST_H
#define STRATA_TRAIN_RATE_LIST_H

#include "strata/rates.h"
#include "train/trainer.h"

/* As strata_rates_info has them; [n_groups], owned. */
typedef struct rate_list {
    double *mass, *rms, *times, *moves;
    uint64_t *parameters, *still;
    const char **warning;
    char **phase; /* [n_phases] */
    uint32_t n_phases;
} rate_list;

/* Of a trainer's rates and weights, before its first step; without a plan, of the weights it would begin
 * with. Owner: caller; release with rate_list_free. */
strata_status rate_list_make(rate_list *out, strata_trainer *t);
void rate_list_free(rate_list *l);

/* The RMS of each group's weights as they are, norms and biases left out (NaN without any), and how many
 * parameters it has. [n_groups]. Waits. */
strata_status rate_list_sizes(double *rms, uint64_t *parameters, strata_trainer *t);

/* Write an --lr of the form X@ratio out: X times that size for each group, so that all move alike by theirs.
 * Whoever reads the recipe later needs neither the weights nor their file.
 *   m  the recipe's network
 * Errors: STRATA_BAD_ARG with the place in the text and the groups, also for a group without weights. */
strata_status rate_list_by_size(strata_recipe *r, strata_model *m);

typedef strata_status rate_list_say(void *context, const char *line);

/* What is done with the rates of a run, as strata_rates_list has it. */
typedef struct rate_reader {
    void (*about)(void *context, const strata_rates_info *info);
    void (*each)(void *context, uint64_t step, const double *lr, double momentum);
    void *context;
    uint64_t
        every; /* `each` is called for every so many steps, from the first, and for the last; at least 1 */
} rate_reader;
strata_status rate_list_read(const strata_recipe *recipe, uint64_t steps, uint64_t steps_per_epoch,
                             const rate_reader *reader);

/* Say before a run what the rates of each group come to, so that nothing they expand to is hidden. */
strata_status rate_list_introduce(strata_trainer *t, rate_list_say *say, void *context);

/* Is the next step one of the first, RATIO_STEPS at most, in which a group is not frozen and every step is
 * measured because the rates do not tell how far weights will move? */
bool rate_list_wants(const strata_trainer *t);

/* Take a step's update ratios, if it was measured. After the last of a group's first steps say by what share
 * of its size it moved in one of them, and by how much the whole run will move it at that pace, its rates
 * being what they will be; below 5 % it is effectively frozen. */
strata_status rate_list_take(strata_trainer *t, const trainer_result *result, rate_list_say *say,
                             void *context);

#endif

/* What rates come to over a run. */
#ifndef STRATA_TRAIN_RATE_LIST_H
#define STRATA_TRAIN_RATE_LIST_H

#include "strata/rates.h"
#include "train/trainer.h"

/* As strata_rates_info has them; [n_groups], owned. */
typedef struct rate_list {
    double *mass, *rms;
    uint64_t *parameters, *still;
    const char **warning;
} rate_list;

/* Of a trainer's rates and weights, before its first step; without a plan, of the weights it would begin
 * with. Owner: caller; release with rate_list_free. */
strata_status rate_list_make(rate_list *out, strata_trainer *t);
void rate_list_free(rate_list *l);

/* The RMS of each group's weights as they are, norms and biases left out (NaN without any), and how many
 * parameters it has. [n_groups]. Waits. */
strata_status rate_list_sizes(double *rms, uint64_t *parameters, strata_trainer *t);

#endif

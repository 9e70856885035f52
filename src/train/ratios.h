/* Update-to-weight ratios: by what share of their size a step moved a layer's and a group's weights, from the
 * norms that a measured step gives. */
#ifndef STRATA_TRAIN_RATIOS_H
#define STRATA_TRAIN_RATIOS_H

#include "model/model.h"

enum { RATIO_STEPS = 50 }; /* measured one and all at the start of a run, where rates alone tell too little */

typedef struct update_ratios {
    const strata_model *model; /* borrowed */
    uint32_t n_layers;
    const char **layer_name; /* [n_layers] input side first, borrowed from the model: a convolution, a norm */
    uint32_t *layer_of_row;  /* [n_rows] */
    /* |step| / |weights| of the last measured step; 0 where nothing moved. A layer's is over all its
     * parameters, a group's over those that are neither norms nor biases, as its size is everywhere. */
    double *layer, *group; /* [n_layers], [n_groups]; NaN before the first */
    double *sum;           /* [n_groups] of `group` over the first RATIO_STEPS steps of the run */
} update_ratios;

/* Owner: caller; release with ratios_free. */
strata_status ratios_open(update_ratios *out, const strata_model *m);
void ratios_free(update_ratios *r);

/* Take what step `step` (from 0) gave. moved [n_rows, 2]: see strata_update_step */
void ratios_take(update_ratios *r, uint64_t step, const float *moved);

#endif

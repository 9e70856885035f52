/* Update-to-weight ratios: by what share of their size a step moved a layer's and a group's weights, from the
 * norms that a measured step gives. */
#ifndef STRATA_TRAIN_RATIOS_H
#define STRATA_TRAIN_RATIOS_H

#include "model/model.h"

/* Measured one and all where rates alone tell too little: the first steps in which a group is not frozen. */
enum { RATIO_STEPS = 50, RATIO_TOLD };

typedef struct update_ratios {
    const strata_model *model; /* borrowed */
    uint32_t n_layers;
    const char **layer_name; /* [n_layers] input side first, borrowed from the model: a convolution, a norm */
    uint32_t *layer_of_row;  /* [n_rows] */
    /* |step| / |weights| of the last measured step; 0 where nothing moved. A layer's is over all its
     * parameters, a group's over those that are neither norms nor biases, as its size is everywhere. */
    double *layer, *group; /* [n_layers], [n_groups]; NaN before the first, and of a group without weights */
    double *sum;           /* [n_groups] of `group` over the group's first steps */
    double *rates;         /* [n_groups] of the group's rates in those steps */
    uint32_t *steps;       /* [n_groups] how many they are; RATIO_TOLD when what they came to was said, and
                              of a group without weights */
} update_ratios;

/* Owner: caller; release with ratios_free. */
strata_status ratios_open(update_ratios *out, const strata_model *m);
void ratios_free(update_ratios *r);

/* Take what a step gave. moved [n_rows, 2]: see strata_update_step */
void ratios_take(update_ratios *r, const float *moved);

/* That step was one in which the group is not frozen: it counts, if it is one of the group's first.
 *   lr  the group's rate in it */
void ratios_count(update_ratios *r, uint32_t group, double lr);

#endif

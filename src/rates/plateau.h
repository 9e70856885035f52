/* Reduce-on-plateau, as torch.optim.lr_scheduler.ReduceLROnPlateau decides it. */
#ifndef STRATA_RATES_PLATEAU_H
#define STRATA_RATES_PLATEAU_H

#include <stdbool.h>

#include "rates/log.h"

typedef struct plateau {
    rates_metric metric;
    double factor;    /* of the rate at each reduction, in (0, 1) */
    double least;     /* the scale never falls below it */
    double threshold; /* what counts as better */
    bool larger;      /* larger is better; else smaller */
    bool absolute;    /* the threshold is a difference; else a share of the best */
    uint32_t patience,
        cooldown; /* observations without improvement that are borne; pause after a reduction */
} plateau;

/* The scale after the metrics of `log` observed in [first, now]. */
double plateau_scale(const plateau *p, const rates_log *log, uint64_t first, uint64_t now);

#endif

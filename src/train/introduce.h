/* What is said of a run before its first step. */
#ifndef STRATA_TRAIN_INTRODUCE_H
#define STRATA_TRAIN_INTRODUCE_H

#include "data/data.h"
#include "train/trainer.h"

typedef struct introduction { /* all borrowed */
    const strata_recipe *recipe;
    const strata_data *data;
    strata_trainer *trainer;
    uint32_t epochs;
    const char *folder;                                                            /* the run's */
    strata_status (*say)(void *context, strata_event_kind kind, const char *line); /* a note or a detail */
    void *context;
} introduction;

/* Say the device, the data, the network, what --init gave, memory, and what the rates expand to, whole lines
 * of any length. Waits. */
strata_status introduce_run(const introduction *i);

#endif

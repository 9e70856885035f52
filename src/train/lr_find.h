/* Sweeps of a trainer, and what puts it back. */
#ifndef STRATA_TRAIN_LR_FIND_H
#define STRATA_TRAIN_LR_FIND_H

#include "strata/lr_find.h"
#include "train/trainer.h"

/* Everything that a step of a trainer moves. */
typedef struct trainer_snapshot {
    void *bytes[5];
    uint64_t *row_steps, step;
} trainer_snapshot;

/* Take and put back. Wait for the device. Owner: caller; release with trainer_snapshot_free. */
strata_status trainer_snapshot_take(trainer_snapshot *out, strata_trainer *t);
strata_status trainer_snapshot_put(const trainer_snapshot *s, strata_trainer *t);
void trainer_snapshot_free(trainer_snapshot *s);

/* The suggestions of a curve of n points of `planned`, from lr, smoothed and n. */
void lr_find_suggest(strata_lr_curve *c, uint32_t planned);

#endif

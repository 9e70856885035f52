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

/* Sweeps of one run, copied as they come: the common one, then those of groups. Zeroed is empty. */
typedef struct lr_sweeps {
    strata_lr_curve *curve; /* [n] */
    uint32_t n, room;
} lr_sweeps;

strata_status lr_sweeps_add(lr_sweeps *s, const strata_lr_curve *curve);
void lr_sweeps_free(lr_sweeps *s);

/* Draw the loss against the rate as PNG, with suggestions: out [*n], free(). */
strata_status lr_sweeps_draw(const lr_sweeps *s, const char *title, uint8_t **out, size_t *n);

#endif

/* What a run needs to go on with the same bits. Weights for people and other programs are in
 * last.safetensors; all that resuming reads is in one file, last.state.safetensors, so that a kill between
 * two renames cannot mix steps. */
#ifndef STRATA_TRAIN_CHECKPOINT_H
#define STRATA_TRAIN_CHECKPOINT_H

#include "train/folder.h"

/* Where the loop stands, beside the trainer's own state. */
typedef struct loop_state {
    uint64_t step;     /* steps taken */
    double epoch_loss; /* sum over the images of this epoch so far */
    uint64_t epoch_images;
    double best;    /* what grade_figure had best so far: the validation loss; INFINITY before the first */
    double seconds; /* of training, over all sittings */
    bool finished;
    uint64_t saved; /* the step of last.state.safetensors; 0: there is none */
} loop_state;

/* Write checkpoints/last.safetensors and checkpoints/last.state.safetensors, each atomically. Waits.
 *   recipe  the run's, which it goes on by
 *   keep    so many of the last checkpoints stay: those before it as step-NUMBER.safetensors and
 *           step-NUMBER.state.safetensors
 * Errors: STRATA_FILE; what was there before stays. */
strata_status checkpoint_write(run_folder *f, strata_trainer *t, const loop_state *loop,
                               const strata_recipe *recipe, uint32_t keep);

/* Is there a state to go on from, and is the recipe the one it was written with?
 *   found  out
 * Errors: STRATA_FILE naming the file; STRATA_BAD_ARG with the keys that differ. */
strata_status checkpoint_check(const run_folder *f, const strata_recipe *recipe, bool *found);

/* Read the state back.
 * Errors: STRATA_FILE naming the file and what does not fit this network. */
strata_status checkpoint_read(run_folder *f, strata_trainer *t, loop_state *loop);

/* Write checkpoints/best.safetensors. */
strata_status checkpoint_best(run_folder *f, strata_trainer *t);

#endif

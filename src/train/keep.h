/* Which checkpoints stay in a run's folder: copies of earlier ones under the number of their step, and no
 * temporaries of sittings that were killed. */
#ifndef STRATA_TRAIN_KEEP_H
#define STRATA_TRAIN_KEEP_H

#include "train/folder.h"

/* Give last.safetensors and last.state.safetensors, which are of `step`, a second name step-NUMBER, so that
 * they stay when new ones take their place. */
strata_status keep_last(const run_folder *f, uint64_t step);

/* Remove all step-NUMBER but those of the `most` largest numbers. */
strata_status keep_prune(const run_folder *f, uint32_t most);

/* Remove what atomic writes of a killed process left: NAME.PID.N.tmp of the run's files. */
void keep_sweep(const run_folder *f);

#endif

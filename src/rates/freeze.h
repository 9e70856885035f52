/* Groups that are frozen for the first part of a run. */
#ifndef STRATA_RATES_FREEZE_H
#define STRATA_RATES_FREEZE_H

#include "rates/timeline.h"

/* Read "GROUP=EPOCH,...", GROUP a group, all whose names begin with "GROUP." or "*" for those that are not
 * named, each once, EPOCH a number of epochs or a share ("30%"); or "gradual[=EPOCHS]": all but the last
 * group, which are released one after another from the output side every EPOCHS (1) epochs. "" freezes
 * nothing.
 *   until  out: [n_groups] the first step of the run at which the group moves
 * Errors: STRATA_BAD_ARG with the groups there are. */
strata_status freeze_parse(uint64_t *until, const char *text, const timeline_run *run);

#endif

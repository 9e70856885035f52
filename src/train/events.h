/* What happens in a run that its rates depend on: observed at the ends of epochs, told when the step's result
 * comes, so that the order of lines does not depend on what was in flight. */
#ifndef STRATA_TRAIN_EVENTS_H
#define STRATA_TRAIN_EVENTS_H

#include "core/text.h"
#include "train/folder.h"

typedef struct run_events {
    strata_trainer *trainer;     /* borrowed */
    run_folder *folder;          /* borrowed */
    strata_group_rate *was, *is; /* [n_groups] of the step before the one recorded, and of that one; owned */
    uint32_t next;               /* entry of the log */
    strata_text epoch;           /* what happened in the epoch so far: "44 unfreeze stem; ..."; owned */
    bool again;                  /* it is gathered anew, and nothing else is told */
    strata_status (*say)(void *context, const char *line); /* for people */
    void *context;
} run_events;

/* `trainer`, `folder`, `say` and `context` are set before. Release with events_free. */
strata_status events_begin(run_events *e);
void events_free(run_events *e);

/* Groups that froze or were released before `step`, recordings that changed, and what the log of the rates
 * has for it: to steps.jsonl, and what changes rates also to `say`. Steps come in order. */
strata_status events_record(run_events *e, uint64_t step);

/* The text of the epoch from a length that it had, without the "; " there; "" where nothing came. */
const char *events_since(const run_events *e, size_t length);

/* The same of steps in [first, step) of the epoch that a run is resumed in: for the epoch's row alone. */
strata_status events_gather(run_events *e, uint64_t first, uint64_t step);

/* Give the rates what they watch at the end of an epoch, before the next step: metrics by rates_metric, of
 * which NaN is no improvement; and freeze for good the groups that cannot move any more. Waits. With no step
 * in flight. */
strata_status events_epoch(run_events *e, const double metric[RATES_METRICS]);

/* Tell what norms that learn on in frozen groups cost. */
strata_status events_cost(run_events *e, uint64_t step);

#endif

/* What happened in a run that rates depend on. Decided at fixed steps from results that were read,
 * appended in order, saved with checkpoints: the rates of a step are a pure function of the recipe, the
 * step and the entries before it. */
#ifndef STRATA_RATES_LOG_H
#define STRATA_RATES_LOG_H

#include <stdint.h>

typedef enum rates_event_kind {
    RATES_METRIC,  /* group: a rates_metric; value: what reduce-on-plateau watches, at the end of an epoch */
    RATES_TRIGGER, /* group: its weights have settled, its window opens; value: their last change */
    RATES_FREEZE,  /* group: its rate is 0 from here on */
    RATES_CHANGE,  /* group; value: how far its weights came per step since the last look, by their size */
    RATES_KINDS
} rates_event_kind;

/* Of the validation set, but the last. The order is that of the words of the schedule's key `metric`. */
typedef enum rates_metric {
    RATES_LOSS,
    RATES_TOP1,
    RATES_TOP5,
    RATES_TRAIN_LOSS,
    RATES_METRICS
} rates_metric;

typedef struct rates_event {
    uint64_t step; /* the first whose rates it enters */
    rates_event_kind kind;
    uint32_t group; /* of metrics: which */
    double value;
} rates_event;

typedef struct rates_log {
    rates_event *event; /* [n] by step, ascending */
    uint32_t n, room;
} rates_log;

#endif

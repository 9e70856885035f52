/* What happened in a run that rates depend on. Decided at fixed steps from results that were read,
 * appended in order, saved with checkpoints: the rates of a step are a pure function of the recipe, the
 * step and the entries before it. */
#ifndef STRATA_RATES_LOG_H
#define STRATA_RATES_LOG_H

#include <stdint.h>

typedef enum rates_event_kind {
    RATES_METRIC,  /* value: what reduce-on-plateau watches, at the end of an epoch */
    RATES_TRIGGER, /* group: its features have settled, its bleed-in begins */
    RATES_FREEZE   /* group: its rate is 0 from here on */
} rates_event_kind;

typedef struct rates_event {
    uint64_t step; /* the first whose rates it enters */
    rates_event_kind kind;
    uint32_t group; /* unused for metrics */
    double value;
} rates_event;

typedef struct rates_log {
    rates_event *event; /* [n] by step, ascending */
    uint32_t n, room;
} rates_log;

#endif

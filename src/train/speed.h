/* The parts of `strata bench`: the launches of a plan, timed one by one. */
#ifndef STRATA_TRAIN_SPEED_H
#define STRATA_TRAIN_SPEED_H

#include "core/arena.h"
#include "graph/plan.h"
#include "strata/bench.h"

enum { SPEED_ROUNDS = 64, SPEED_PARTS = 4 };

typedef struct speed_part {
    const strata_part *part;
    uint32_t n, times; /* launches; how often a step, or a batch of inference, runs them */
    uint32_t *line;    /* [n] of each launch */
} speed_part;

/* The lines of a plan's recordings and the times they took. */
typedef struct speed_table {
    const strata_plan *plan; /* borrowed */
    strata_arena arena;      /* of all below */
    speed_part part[SPEED_PARTS];
    strata_bench_line *line; /* [n] */
    bool *main;              /* [n] its variant is that of a kernel of its own pass */
    double (*seconds)[SPEED_ROUNDS];
    double *launch; /* of one recording */
    bool processor;
    uint32_t n;
} speed_table;

/* Begin a table of a plan, which must outlive it. processor: as strata_stream_time takes it.
 * Owner: caller; release with speed_table_free. */
strata_status speed_table_open(speed_table *out, const strata_plan *p, bool processor);
void speed_table_free(speed_table *t);

/* Run a training step, or a batch of inference, once with times; *sum out: of all launches.
 *   round  from 0, below SPEED_ROUNDS */
strata_status speed_table_round(speed_table *t, uint32_t round, bool train, double *sum);

/* The share of a step that is in no kernel. Launches that are timed wait for each other, so that together
 * they can take longer than a step in which some overlap: nothing of it is outside of them then.
 *   step, kernels  seconds, each the least of all rounds: whatever disturbs a machine only adds */
double speed_outside(double step, double kernels);

/* Fill the lines' seconds with the least of so many rounds: whatever disturbs a machine only adds. */
void speed_table_end(speed_table *t, uint32_t rounds, const strata_limits *limits);

#endif

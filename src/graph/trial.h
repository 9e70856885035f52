/* One node alone, with memory of its own: what the autotuner runs. */
#ifndef STRATA_GRAPH_TRIAL_H
#define STRATA_GRAPH_TRIAL_H

#include "ops/op.h"

enum { TRIAL_RESULTS = 1 + STRATA_MAX_IN + STRATA_MAX_PARAMS };

typedef struct trial_result {
    strata_slice slice;
    uint32_t lanes, channels; /* of each run of `lanes` floats the first `channels` count */
    strata_pass pass;         /* that gives it: FORWARD, BACKWARD, BACKWARD_X or BACKWARD_W */
    float *plain;             /* of all that the slice holds; owned */
} trial_result;

typedef struct trial {
    strata_device *device; /* borrowed */
    strata_node node;
    strata_tensor in[STRATA_MAX_IN], out;
    strata_param param[STRATA_MAX_PARAMS];
    strata_block block;
    trial_result result[TRIAL_RESULTS];
    uint32_t n_results;
    bool train;
} trial;

/* What a recording of a node is made of, by strata_node_pass and by launch. */
typedef struct trial_passes {
    const char *name[STRATA_PASSES]; /* the variant of each pass; NULL: it has none */
    const char *own[STRATA_PASSES];  /* the variant of the launches of a pass */
    int of[STRATA_PASSES];           /* which pass those belong to */
} trial_passes;

/* Make a copy of a node for so many images, or as many as fit one block of memory, with values in everything
 * it reads.
 *   train  backward too;  dx  its input's gradient is wanted
 * Owner: caller; release with trial_close. Errors: those of memory. */
strata_status trial_open(trial *out, strata_device *d, const strata_node *n, uint32_t images, bool train,
                         bool dx);
void trial_close(trial *t);

/* Record it with these variants forced. Owner: caller; strata_stream_close. */
strata_status trial_record(trial *t, strata_stream **out, trial_passes *passes, const char *forced);

/* Fill all results with NaN, and run. */
strata_status trial_run(trial *t, strata_stream *s);

/* Keep the results as the plain ones; or compare with those: right [STRATA_PASSES] out. */
strata_status trial_keep(trial *t);
strata_status trial_compare(const trial *t, bool *right, double most_nmse);

/* Time of each pass [STRATA_PASSES], the least of all rounds but the first, number 0. */
strata_status trial_time(trial *t, strata_stream *s, double *seconds, int round);

#endif

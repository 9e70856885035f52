/* The autotuner: which variant of a kernel is the fastest for a shape, by measuring each once. Timings differ
 * from one measurement to the next and variants round differently, so two that were tuned apart may differ in
 * their bits. */
#ifndef STRATA_GRAPH_TUNE_H
#define STRATA_GRAPH_TUNE_H

#include "core/text.h"
#include "graph/graph.h"

typedef struct strata_tune_config {
    bool train; /* backward passes, too */
    bool full;  /* else outputs are compared at 2 images only, and what is three times as slow there is
                   measured no further */
    const char *forced; /* as strata_stream_force takes it: what it speaks of is left alone, and under "exact"
                           every op that has rounder variants; NULL */
} strata_tune_config;

typedef struct strata_tune_report {
    uint32_t measured, remembered; /* shapes; the latter were on disk */
    uint32_t rejected; /* variants whose output was not the plain one's, by shape and pass, now or when they
                          were measured */
    strata_text wrong; /* a line of each; release with strata_text_free */
} strata_tune_report;

/* Measure the variants of a graph's nodes on a device, and append to `out`, after a comma where it is not
 * empty, what strata_stream_force takes to get the fastest. A variant wins only after its output was the
 * plain one's, and by a twentieth against the one that would be taken unmeasured. Choices are kept on disk by
 * device, driver, limits, shaders and the host code that launches them.
 *   report  out, also of a failure
 * Waits: for the device. Errors: those of memory and of a lost device; nothing is measured on the reference.
 */
strata_status strata_tune(strata_text *out, strata_tune_report *report, strata_device *d,
                          const strata_graph *g, const strata_tune_config *config);

#endif

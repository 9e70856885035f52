/* The kernel variants that a run was recorded with, to be taken again when it is resumed: another variant has
 * other roundings, and a resumed run promises the same bits. */
#ifndef STRATA_TRAIN_VARIANTS_H
#define STRATA_TRAIN_VARIANTS_H

#include <jansson.h>

#include "core/status.h"
#include "core/text.h"
#include "strata/device.h"

/* Append to `out` what strata_stream_force takes to get the variants of run.json's "launches" again. */
void variants_force(strata_text *out, const json_t *launches);

/* Compare two "launches": `differs` is called for each pass of a node that another variant runs now, or the
 * same one with its sums split otherwise. */
void variants_compare(const json_t *before, const json_t *now,
                      void (*differs)(void *context, const char *node, const char *pass, const char *was,
                                      const char *is),
                      void *context);

/* Compare what a run's record says it was made with: `differs` is called for the device, its driver where the
 * device is the same, and Strata itself. What a record does not say is no difference.
 *   what  "the device" */
void variants_compare_makers(const json_t *run, const strata_caps *now,
                             void (*differs)(void *context, const char *what, const char *was,
                                             const char *is),
                             void *context);

#endif

/* What tests of kernels share: which device they run on, and how they tell what the judge said.
 *   STRATA_TEST_DEVICE  as --device; default "auto"
 *   STRATA_TEST_LIMITS  as strata_device_config.limits
 *   STRATA_TEST_QUICK   1: one size for each row, and nothing that has little to do with subgroups
 * Subgroup sizes of lavapipe are chosen from outside: LP_NATIVE_VECTOR_WIDTH=128|256|512 gives 4, 8, 16. */
#ifndef JUDGED_H
#define JUDGED_H

#include <stdlib.h>
#include <string.h>

#include "check/judge.h"

static inline strata_device_config judged_config(void)
{
    return (strata_device_config) { .name = getenv("STRATA_TEST_DEVICE"),
                                    .limits = getenv("STRATA_TEST_LIMITS"),
                                    .validate = true };
}

static inline strata_judge_depth judged_depth(void)
{
    const char *quick = getenv("STRATA_TEST_QUICK");
    return quick && *quick && strcmp(quick, "0") != 0 ? STRATA_JUDGE_QUICK : STRATA_JUDGE_FULL;
}

/* Print what failed. */
static inline void judged_tell(void *context, const strata_doctor_line *line)
{
    (void)context;
    if (!line->passed)
        print_error("%s \"%s\" variant %s: %s: %s (%s, error %.3g, bound %.3g)\n", line->op, line->options,
                    line->variant, line->tensor, line->why, line->sizes, line->error, line->bound);
}

#endif

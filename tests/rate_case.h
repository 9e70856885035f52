/* What the tests of rates share: a run of four groups, and how its rates are opened and judged. */
#ifndef STRATA_TESTS_RATE_CASE_H
#define STRATA_TESTS_RATE_CASE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "rates/rates.h"

static const char *const rate_case_names[] = { "stem", "layer1.0", "layer1.1", "layer2", "d", "e",
                                               "f",    "g",        "h",        "i",      "j", "head" };

static inline strata_rates_config defaults(void)
{
    return (strata_rates_config) { .lr = "1",
                                   .schedule = "constant",
                                   .n_groups = 4,
                                   .group_name = rate_case_names,
                                   .steps = 100,
                                   .steps_per_epoch = 10,
                                   .momentum = 0.9 };
}

static inline strata_rates *open_rates(const strata_rates_config *config)
{
    strata_rates *r;
    if (strata_rates_open(&r, config) != STRATA_OK) fail_msg("%s", strata_message());
    return r;
}

static inline void refused(const strata_rates_config *config, const char *message)
{
    strata_rates *r;
    if (strata_rates_open(&r, config) == STRATA_OK) fail_msg("accepted, but: %s", message);
    if (!strstr(strata_message(), message)) fail_msg("\"%s\" is not in \"%s\"", message, strata_message());
}

static inline void close_to(double got, double want, const char *what)
{
    if (!(fabs(got - want) <= 1e-12 * fabs(want) + 1e-15))
        fail_msg("%s: got %.17g, want %.17g", what, got, want);
}

#endif

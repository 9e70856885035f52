/* Rates from a CSV file: a header "step,GROUP...[,momentum]", then a row per step at which they change. A row
 * holds until the next. A group is frozen where its rate is 0; where it is -0 it learns on without moving, as
 * at the first step of a warm-up. */
#ifndef STRATA_RATES_TABLE_H
#define STRATA_RATES_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

typedef struct rates_table {
    uint64_t *step; /* [n] ascending, the first 0; owned */
    double *value;  /* [n, n_groups + 1] rates in the order of the groups, then momentum; owned */
    uint32_t n, n_groups;
    bool momentum; /* there is such a column */
} rates_table;

/* Owner:  caller; release with rates_table_free, also after a failure.
 * Errors: STRATA_FILE with file:line: a column that is not a group (nearest name), a group without a
 *         column, a row of another length, a rate that is not a number of at least 0 that a float holds,
 *         steps that do not ascend from 0. */
strata_status rates_table_read(rates_table *out, const char *path, const char *const *group,
                               uint32_t n_groups);
void rates_table_free(rates_table *t);

/* The row of a step: [n_groups + 1]. */
const double *rates_table_at(const rates_table *t, uint64_t step);

#endif

/* The columns of a table that a run goes on with. A later strata may write more of them than the one that
 * began the run did, and rows have to stand under the names of what they hold. */
#ifndef STRATA_TRAIN_COLUMNS_H
#define STRATA_TRAIN_COLUMNS_H

#include "core/text.h"

/* Put the rows of the CSV at `path` under `header`, whose columns are found by name; new ones are empty in
 * them. Rows that are as long as `header`, and longer than their own, are taken to be under it already. A
 * table that has this header keeps its bytes; one that is empty or not there gets it.
 *   added  out: appended the names of columns that are new, "a, b"
 * Errors: STRATA_FILE naming a column that `header` does not have, as what is in it would be lost; or a line
 * of neither length. */
strata_status columns_fit(strata_text *added, const char *path, const char *header);

#endif

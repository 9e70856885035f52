/* Which trained parameters share a learning rate. */
#ifndef STRATA_MODEL_GROUPS_H
#define STRATA_MODEL_GROUPS_H

#include "model/describe.h"
#include "model/model.h"

/* Divide the rows of m->graph and set scheme, n_groups, group_name, group_of_row. Groups without parameters
 * are left out.
 *   scheme  as strata_model_config.groups
 * Errors: those of group_list.h; STRATA_BAD_ARG for an unknown scheme (nearest name), and for a parameter
 *         that no group of the description's scheme holds, or two. */
strata_status model_groups(strata_model *m, const model_description *d, const char *scheme);

#endif

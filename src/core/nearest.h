/* "Did you mean", for the rooms that take names: strata_nearest is public. */
#ifndef STRATA_CORE_NEAREST_H
#define STRATA_CORE_NEAREST_H

#include "strata/status.h"

#endif

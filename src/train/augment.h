/* The text of --augment. */
#ifndef STRATA_TRAIN_AUGMENT_H
#define STRATA_TRAIN_AUGMENT_H

#include "ops/augment.h"

/* Fill in what may happen to images whose h, w and c are there.
 *   text  "none", or NAME,NAME,... of flip and crop
 * Errors: STRATA_BAD_ARG naming the word. */
strata_status augment_read(strata_augment *a, const char *text);

#endif

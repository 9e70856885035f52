/* The text of --augment. */
#ifndef STRATA_TRAIN_AUGMENT_H
#define STRATA_TRAIN_AUGMENT_H

#include "ops/augment.h"

/* Fill in what may happen to images whose h, w, c and background are there.
 *   text  "none", or NAME[=VALUE] with commas between: flip, rotate=10, ...; each once; presets
 *         stand for several, which words after them change; "" is none. Where windows are resized and no
 *         border is named it is replicate
 * Errors: STRATA_BAD_ARG naming the word, its place and what was wanted. */
strata_status augment_read(strata_augment *a, const char *text);

/* Are windows of any size taken of an image, which had better be stored larger than the network's input? */
bool augment_resizes(const char *text);

#endif

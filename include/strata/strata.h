/* Strata: trains convolutional networks on any Vulkan device, with a learning rate for every layer.
 *
 * This header is all of the public interface. Every function that can fail returns a strata_status and leaves
 * a message for strata_message(). The library never prints and never ends the process. */
#ifndef STRATA_H
#define STRATA_H

#include "strata/bench.h"
#include "strata/data.h"
#include "strata/device.h"
#include "strata/doctor.h"
#include "strata/file.h"
#include "strata/inspect.h"
#include "strata/lr_find.h"
#include "strata/make.h"
#include "strata/rates.h"
#include "strata/recipe.h"
#include "strata/status.h"
#include "strata/train.h"
#include "strata/weights.h"

#endif

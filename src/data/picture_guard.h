/* What stb_image 2.27 does not check before it decodes, found by fuzzing: files that would make it write or
 * read past its tables, or copy to no memory. */
#ifndef STRATA_DATA_PICTURE_GUARD_H
#define STRATA_DATA_PICTURE_GUARD_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/* Errors: STRATA_FILE naming `name` and what is wrong, for files that must not reach the decoder. */
strata_status picture_guard(const uint8_t *bytes, size_t n, const char *name);

#endif

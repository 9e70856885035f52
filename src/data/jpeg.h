/* JPEG by libjpeg-turbo, where the build has found one: twice as fast as stb_image, and Pillow's pixels. */
#ifndef STRATA_DATA_JPEG_H
#define STRATA_DATA_JPEG_H

#include "data/picture.h"

#include <stdbool.h>

/* Decode [n] bytes as they are stored; *taken out: false where the file is none.
 * Owner:  caller; strata_picture_free. On failure *out is empty.
 * Errors: STRATA_FILE (damaged, cut off), STRATA_NO_MEMORY. */
strata_status jpeg_decode(bool *taken, strata_picture *out, const void *bytes, size_t n, const char *name);

/* Which decoder a JPEG's pixels come from: part of what they depend on. */
const char *jpeg_decoder(void);

#endif

/* zlib at its tightest, in the form that stb_image_write asks for (STBIW_ZLIB_COMPRESS): its own packs half
 * as well. */
#ifndef STRATA_CORE_DEFLATE_H
#define STRATA_CORE_DEFLATE_H

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

/* Pack [n] bytes.
 *   n_packed  out: bytes of the result
 *   quality   not heeded
 * Owner: caller; free(). NULL without memory. */
static inline unsigned char *strata_deflate(unsigned char *bytes, int n, int *n_packed, int quality)
{
    uLongf room = compressBound((uLong)n);
    unsigned char *packed = malloc(room);
    (void)quality;
    if (packed && (compress2(packed, &room, bytes, (uLong)n, 9) != Z_OK || room > INT_MAX)) {
        free(packed);
        packed = NULL;
    }
    *n_packed = packed ? (int)room : 0;
    return packed;
}

#endif

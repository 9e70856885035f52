/* The one file of this room that includes stb_image_write. */
#include "core/deflate.h"
#include "core/file.h"
#include "data/picture.h"

#include <limits.h>
#include <stdlib.h>

#define STBIW_ZLIB_COMPRESS strata_deflate
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wunused-function" /* only its PNG is wanted */
#endif
#include <stb/stb_image_write.h>

strata_status strata_picture_encode(uint8_t **out, size_t *n, const strata_picture *p)
{
    int length = 0;
    *out = NULL;
    if ((uint64_t)p->w * p->h * p->c > INT_MAX / 2)
        return strata_fail(STRATA_BAD_ARG, "a picture of %u x %u x %u is too big for PNG", p->w, p->h, p->c);
    *out = stbi_write_png_to_mem(p->pixels, 0, (int)p->w, (int)p->h, (int)p->c, &length);
    *n = (size_t)length;
    return *out ? STRATA_OK
                : strata_fail(STRATA_NO_MEMORY, "no memory for a PNG of %u x %u pixels", p->w, p->h);
}

strata_status strata_picture_write(const strata_picture *p, const char *path)
{
    uint8_t *bytes;
    size_t n;
    STRATA_TRY(strata_picture_encode(&bytes, &n, p));
    strata_status status = strata_file_write(path, bytes, n);
    free(bytes);
    return status;
}

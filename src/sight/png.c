/* The one file of this room that includes stb_image_write. */
#include "core/deflate.h"
#include "core/file.h"
#include "sight/canvas.h"

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

strata_status sight_canvas_encode(const sight_canvas *c, uint8_t **out, size_t *n)
{
    int length = 0;
    stbi_write_force_png_filter = 0; /* flat areas and thin lines pack a third smaller without filters */
    *out = stbi_write_png_to_mem(c->pixels, 0, (int)c->w, (int)c->h, 3, &length);
    *n = (size_t)length;
    return *out ? STRATA_OK
                : strata_fail(STRATA_NO_MEMORY, "no memory for a PNG of %u x %u pixels", (unsigned)c->w,
                              (unsigned)c->h);
}

strata_status sight_canvas_write(const sight_canvas *c, const char *path)
{
    uint8_t *bytes;
    size_t n;
    STRATA_TRY(sight_canvas_encode(c, &bytes, &n));
    strata_status status = strata_file_write(path, bytes, n);
    free(bytes);
    return status;
}

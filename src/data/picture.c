/* The one file that includes stb_image. It is not hardened: sizes are asked for and limited before it
 * decodes. */
#include "core/file.h"
#include "data/picture.h"

#include <limits.h>
#include <stdlib.h>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO /* files are read by core/file.h, whose messages name them */
#define STBI_NO_HDR   /* pictures of floats are not ours */
#define STBI_NO_LINEAR
#define STBI_FAILURE_USERMSG
#define STBI_MAX_DIMENSIONS (1 << 24)
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wunused-function" /* the header declares one that it forgets to define */
#endif
#include <stb/stb_image.h>

enum { MOST_PIXELS = 1 << 26 };

static strata_status decode(strata_picture *out, const uint8_t *bytes, size_t n, const char *path)
{
    int w, h, c;
    if (n == 0 || n > INT_MAX)
        return strata_fail(STRATA_FILE, "%s: wanted a picture of 1 to %d bytes, came %zu", path, INT_MAX, n);
    if (!stbi_info_from_memory(bytes, (int)n, &w, &h, &c))
        return strata_fail(STRATA_FILE, "%s is not a picture that can be read: %s", path,
                           stbi_failure_reason());
    if (w < 1 || h < 1 || (int64_t)w * h > MOST_PIXELS)
        return strata_fail(STRATA_FILE, "%s: %d x %d pixels, wanted 1 to %d in all", path, w, h, MOST_PIXELS);
    out->pixels = stbi_load_from_memory(bytes, (int)n, &w, &h, &c, 0);
    if (!out->pixels) return strata_fail(STRATA_FILE, "%s is damaged: %s", path, stbi_failure_reason());
    out->h = (uint32_t)h;
    out->w = (uint32_t)w;
    out->c = (uint32_t)c;
    return STRATA_OK;
}

strata_status strata_picture_read(strata_picture *out, const char *path)
{
    char *bytes;
    size_t n;
    *out = (strata_picture) { 0 };
    STRATA_TRY(strata_file_read(&bytes, &n, path));
    strata_status status = decode(out, (const uint8_t *)bytes, n, path);
    free(bytes);
    return status;
}

void strata_picture_free(strata_picture *picture)
{
    free(picture->pixels); /* stb_image allocates by malloc */
    *picture = (strata_picture) { 0 };
}

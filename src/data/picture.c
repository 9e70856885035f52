/* The one file that includes stb_image. It is not hardened: sizes are asked for and limited before it
 * decodes. */
#include "core/file.h"
#include "data/jpeg.h"
#include "data/picture_guard.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO /* files are read by core/file.h, whose messages name them */
#define STBI_NO_HDR   /* pictures of floats are not ours, */
#define STBI_NO_PSD   /* nor are layers */
#define STBI_NO_PIC
#define STBI_NO_LINEAR
#define STBI_FAILURE_USERMSG
#define STBI_MAX_DIMENSIONS (1 << 24)
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wunused-function" /* the header declares one that it forgets to define */
#endif
#include <stb/stb_image.h>

enum { MOST_PIXELS = 1 << 26 };

/* ---- The Exif orientation of a JPEG or a PNG ---------------------------------------- */

static uint32_t word_at(const uint8_t *p, uint32_t bytes, bool little)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) value |= (uint32_t)p[i] << 8 * (little ? i : bytes - 1 - i);
    return value;
}

/* The orientation that a TIFF block of [n] bytes says, 1 .. 8; 1 where it says none. */
static uint32_t tiff_orientation(const uint8_t *tiff, size_t n)
{
    if (n < 8 || (memcmp(tiff, "II*", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0)) return 1;
    const bool little = tiff[0] == 'I';
    const size_t at = word_at(tiff + 4, 4, little);
    if (at > n - 2 || at < 8) return 1;
    const uint32_t entries = word_at(tiff + at, 2, little);
    for (size_t i = 0; i < entries && at + 2 + 12 * (i + 1) <= n; i++) {
        const uint8_t *entry = tiff + at + 2 + 12 * i;
        if (word_at(entry, 2, little) != 0x0112) continue;
        const uint32_t value = word_at(entry + 8, 2, little);
        return value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
}

/* Segments of a JPEG stand before its first scan; the one that Exif is in begins with that word. */
static uint32_t jpeg_orientation(const uint8_t *bytes, size_t n)
{
    enum { SCAN = 0xda, APP1 = 0xe1 };
    for (size_t at = 2; at + 4 <= n && bytes[at] == 0xff && bytes[at + 1] != SCAN;) {
        if (bytes[at + 1] == 0xff) { /* fill */
            at++;
            continue;
        }
        const size_t length = word_at(bytes + at + 2, 2, false);
        if (length < 2 || at + 2 + length > n) break;
        if (bytes[at + 1] == APP1 && length >= 8 && memcmp(bytes + at + 4, "Exif\0", 6) == 0)
            return tiff_orientation(bytes + at + 10, length - 8);
        at += 2 + length;
    }
    return 1;
}

/* A PNG has Exif without that word in a chunk of its own, before its pixels or behind them. */
static uint32_t png_orientation(const uint8_t *bytes, size_t n)
{
    for (size_t at = 8; at + 8 <= n;) {
        const size_t length = word_at(bytes + at, 4, false);
        if (length > n - at - 8) break;
        if (memcmp(bytes + at + 4, "eXIf", 4) == 0) return tiff_orientation(bytes + at + 8, length);
        at += 12 + length;
    }
    return 1;
}

static uint32_t orientation(const uint8_t *bytes, size_t n)
{
    if (n >= 4 && bytes[0] == 0xff && bytes[1] == 0xd8) return jpeg_orientation(bytes, n);
    if (n >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) return png_orientation(bytes, n);
    return 1;
}

/* Turn the pixels upright. Orientations above 4 lie on their side. */
static strata_status turn(strata_picture *p, uint32_t how, const char *name)
{
    const uint32_t h = how > 4 ? p->w : p->h, w = how > 4 ? p->h : p->w, c = p->c;
    if (how == 1) return STRATA_OK;
    uint8_t *turned = malloc((size_t)h * w * c), *to = turned;
    if (!turned) return strata_fail(STRATA_NO_MEMORY, "no memory to turn %s", name);
    const bool down = how == 3 || how == 4 || how == 6 || how == 7; /* rows are read from the last */
    const bool left = how == 2 || how == 3 || how == 7 || how == 8;
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++, to += c) {
            const uint32_t row = how > 4 ? x : y, column = how > 4 ? y : x;
            const size_t from = (size_t)(down ? p->h - 1 - row : row) * p->w +
                                (left ? p->w - 1 - column : column);
            memcpy(to, p->pixels + from * c, c);
        }
    free(p->pixels);
    *p = (strata_picture) { turned, h, w, c };
    return STRATA_OK;
}

/* ---- What stb_image does not look at ------------------------------------------------ */

/* Where the samples of a PNM file begin; 0: its header is cut. *most: out: the largest sample. */
static size_t pnm_samples(uint32_t *most, const uint8_t *bytes, size_t n)
{
    size_t at = 2;
    for (int number = 0; number < 3; number++) {
        while (at < n && (isspace(bytes[at]) || bytes[at] == '#'))
            if (bytes[at++] == '#')
                while (at < n && bytes[at] != '\n') at++;
        for (*most = 0; at < n && isdigit(bytes[at]) && *most < 100000; at++)
            *most = *most * 10 + bytes[at] - '0';
    }
    return at < n ? at + 1 : 0;
}

/* Files that end early, of types whose decoder fills up with zeros. */
static strata_status check_length(const strata_picture *p, const uint8_t *bytes, size_t n, const char *name)
{
    const uint64_t samples = (uint64_t)p->h * p->w * p->c;
    uint32_t most = 255;
    uint64_t wanted = 0;
    if (n > 2 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '6')) {
        const size_t at = pnm_samples(&most, bytes, n);
        wanted = at ? at + samples * (most > 255 ? 2 : 1) : n + 1;
        if (at && most != 255 && most != 65535)
            return strata_fail(STRATA_FILE, "%s: the largest sample is %u, wanted 255 or 65535", name,
                               (unsigned)most);
    } else if (n > 6 && bytes[0] == 'B' && bytes[1] == 'M') {
        wanted = word_at(bytes + 2, 4, true);
    }
    if (n >= wanted) return STRATA_OK;
    return strata_fail(STRATA_FILE, "%s is damaged: wanted %llu bytes, came %zu", name,
                       (unsigned long long)wanted, n);
}

/* ---- Decoding ----------------------------------------------------------------------- */

static strata_status look(strata_picture *out, const uint8_t *bytes, size_t n, const char *name)
{
    int w, h, c;
    *out = (strata_picture) { 0 };
    if (n == 0 || n > INT_MAX)
        return strata_fail(STRATA_FILE, "%s: wanted a picture of 1 to %d bytes, came %zu", name, INT_MAX, n);
    STRATA_TRY(picture_guard(bytes, n, name));
    if (!stbi_info_from_memory(bytes, (int)n, &w, &h, &c))
        return strata_fail(STRATA_FILE, "%s is not a picture that can be read: %s", name,
                           stbi_failure_reason());
    if (w < 1 || h < 1 || (int64_t)w * h > MOST_PIXELS)
        return strata_fail(STRATA_FILE, "%s: %d x %d pixels, wanted 1 to %d in all", name, w, h, MOST_PIXELS);
    *out = (strata_picture) { NULL, (uint32_t)h, (uint32_t)w, (uint32_t)c };
    return check_length(out, bytes, n, name);
}

strata_status strata_picture_look(strata_picture *out, const void *bytes, size_t n, const char *name)
{
    STRATA_TRY(look(out, bytes, n, name));
    if (orientation(bytes, n) > 4) *out = (strata_picture) { NULL, out->w, out->h, out->c };
    return STRATA_OK;
}

strata_status strata_picture_decode(strata_picture *out, const void *bytes, size_t n, const char *name)
{
    int w, h, c;
    bool taken;
    STRATA_TRY(look(out, bytes, n, name));
    STRATA_TRY(jpeg_decode(&taken, out, bytes, n, name));
    if (!taken) {
        uint8_t *pixels = stbi_load_from_memory(bytes, (int)n, &w, &h, &c, 0);
        if (!pixels) return strata_fail(STRATA_FILE, "%s is damaged: %s", name, stbi_failure_reason());
        *out = (strata_picture) { pixels, (uint32_t)h, (uint32_t)w, (uint32_t)c };
    }
    strata_status status = turn(out, orientation(bytes, n), name);
    if (status != STRATA_OK) strata_picture_free(out);
    return status;
}

strata_status strata_picture_read(strata_picture *out, const char *path)
{
    char *bytes;
    size_t n;
    *out = (strata_picture) { 0 };
    STRATA_TRY(strata_file_read(&bytes, &n, path));
    strata_status status = strata_picture_decode(out, bytes, n, path);
    free(bytes);
    return status;
}

void strata_picture_free(strata_picture *picture)
{
    free(picture->pixels); /* stb_image allocates by malloc */
    *picture = (strata_picture) { 0 };
}

#include "data/picture_guard.h"

#include <stdbool.h>
#include <string.h>

enum { DHT = 0xc4, RST0 = 0xd0, SOI = 0xd8, TEM = 0x01 };

/* Do a segment's Huffman tables have at most 256 codes each? stb_image writes as many as a table says into
 * arrays of 257 and 256. A table that begins in the segment may end behind it, and bytes behind the file's
 * end are 0 to the decoder.
 *   p     [rest] what follows the segment's length
 *   left  of the segment */
static bool tables_fit(const uint8_t *p, size_t rest, size_t left)
{
    while (left > 0 && rest > 0) {
        size_t codes = 0;
        for (size_t i = 1; i <= 16 && i < rest; i++) codes += p[i];
        if (codes > 256) return false;
        const size_t size = 17 + codes;
        if (size > rest || size > left) return true;
        p += size;
        rest -= size;
        left -= size;
    }
    return true;
}

/* Walk over the segments of a JPEG as the decoder does: anything between them, a scan's data too, is passed
 * over to the next 0xff that is no stuffing. */
static bool jpeg_fits(const uint8_t *bytes, size_t n)
{
    size_t at = 0;
    while (at + 3 < n) {
        if (bytes[at] != 0xff || bytes[at + 1] == 0xff || bytes[at + 1] == 0) {
            at++;
            continue;
        }
        const uint8_t marker = bytes[at + 1];
        at += 2;
        if ((marker >= RST0 && marker <= SOI + 1) || marker == TEM) continue; /* without a length */
        const size_t length = (size_t)bytes[at] << 8 | bytes[at + 1], rest = n - at;
        if (marker == DHT && length >= 2 && !tables_fit(bytes + at + 2, rest - 2, length - 2)) return false;
        at += length < 2 ? 0 : length;
    }
    return true;
}

/* Is there something in the first IDAT chunk? stb_image has no memory to copy nothing to. */
static bool first_pixels_there(const uint8_t *bytes, size_t n)
{
    for (size_t at = 8; at + 8 <= n;) {
        const uint8_t *p = bytes + at;
        const size_t length = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (memcmp(p + 4, "IDAT", 4) == 0) return length > 0;
        if (length > n - at) break;
        at += 12 + length;
    }
    return true;
}

strata_status picture_guard(const uint8_t *bytes, size_t n, const char *name)
{
    if (n > 2 && bytes[0] == 0xff && !jpeg_fits(bytes, n))
        return strata_fail(STRATA_FILE, "%s is damaged: a Huffman table of more than 256 codes", name);
    if (n > 8 && memcmp(bytes, "\x89PNG", 4) == 0 && !first_pixels_there(bytes, n))
        return strata_fail(STRATA_FILE, "%s is damaged: its first IDAT chunk is empty", name);
    return STRATA_OK;
}

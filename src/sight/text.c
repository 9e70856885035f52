/* Text, by stb_truetype and the font that ships (assets/fonts). */
#include "core/asset.h"
#include "sight/canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_STATIC
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb/stb_truetype.h>

enum { INK = 0x222222, MOST_GLYPH = 64 * 64, ELLIPSIS = 0x2026 };

/* The font as a struct of pointers into the asset: cheap to make, and nothing is shared. */
static bool open_font(stbtt_fontinfo *font)
{
    const strata_asset *asset = strata_asset_find("fonts/dejavu-sans.ttf");
    return asset && stbtt_InitFont(font, asset->bytes, 0);
}

/* The next character of UTF-8; bytes that are none come as '?'. */
static uint32_t next_character(const char **text)
{
    const uint8_t *s = (const uint8_t *)*text;
    const int more = s[0] < 0x80 ? 0 : s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : -1;
    uint32_t value = more > 0 ? s[0] & (0x3fu >> more) : s[0];
    for (int i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            *text += 1;
            return '?';
        }
        value = value << 6 | (s[i] & 0x3f);
    }
    *text += more > 0 ? more + 1 : 1;
    return more < 0 ? '?' : value;
}

static double advance(const stbtt_fontinfo *font, uint32_t character, double scale)
{
    int width, bearing;
    stbtt_GetCodepointHMetrics(font, (int)character, &width, &bearing);
    return width * scale;
}

static double width_of(const stbtt_fontinfo *font, const char *text, double scale)
{
    double x = 0;
    while (*text) x += advance(font, next_character(&text), scale);
    return x;
}

double sight_text_width(const char *text, double size)
{
    stbtt_fontinfo font;
    return open_font(&font) ? width_of(&font, text, (double)stbtt_ScaleForPixelHeight(&font, (float)size))
                            : 0;
}

/* One of 15, as few as letters need: see canvas.c. */
static uint32_t shade(uint32_t level) { return (level + 8) / 17 * 17; }

static void blend(sight_canvas *c, int x, int y, uint32_t k)
{
    if (x < 0 || y < 0 || (uint32_t)x >= c->w || (uint32_t)y >= c->h) return;
    uint8_t *pixel = &c->pixels[3 * ((size_t)y * c->w + (size_t)x)];
    for (int i = 0; i < 3; i++)
        pixel[i] = (uint8_t)((pixel[i] * (255 - k) + ((uint32_t)INK >> (16 - 8 * i) & 255) * k + 127) / 255);
}

static void draw_character(sight_canvas *c, const stbtt_fontinfo *font, uint32_t character, sight_point pen,
                           double scale)
{
    static const float no_shift = 0;
    const float s = (float)scale, shift = (float)(pen.x - floor(pen.x));
    uint8_t bitmap[MOST_GLYPH];
    int x0, y0, x1, y1;
    stbtt_GetCodepointBitmapBoxSubpixel(font, (int)character, s, s, shift, no_shift, &x0, &y0, &x1, &y1);
    const int w = x1 - x0, h = y1 - y0;
    if (w < 1 || h < 1 || w * h > MOST_GLYPH) return;
    memset(bitmap, 0, sizeof bitmap);
    stbtt_MakeCodepointBitmapSubpixel(font, bitmap, w, h, w, s, s, shift, no_shift, (int)character);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            if (bitmap[y * w + x])
                blend(c, (int)floor(pen.x) + x0 + x, (int)pen.y + y0 + y, bitmap[y * w + x]);
}

void sight_text(sight_canvas *c, sight_point from, double room, const char *text, double size)
{
    stbtt_fontinfo font;
    if (!open_font(&font) || !isfinite(from.x) || fabs(from.x) > 1e6) return;
    const double scale = (double)stbtt_ScaleForPixelHeight(&font, (float)size);
    const double dots = advance(&font, ELLIPSIS, scale);
    const bool whole = width_of(&font, text, scale) <= room;
    double x = from.x;
    while (*text) {
        const uint32_t character = next_character(&text);
        const double wide = advance(&font, character, scale);
        if (!whole && x + wide + dots > from.x + room) {
            if (dots <= room)
                draw_character(c, &font, ELLIPSIS, (sight_point) { x, floor(from.y + 0.5) }, scale);
            break;
        }
        draw_character(c, &font, character, (sight_point) { x, floor(from.y + 0.5) }, scale);
        x += wide;
    }
}

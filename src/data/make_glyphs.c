/* Glyphs 0-9A-Z of fonts, as MNIST's digits were made: cut to the ink, the longest side scaled to 20 of 28
 * pixels, the centre of mass in the middle; white on black. The one file of this room that includes
 * stb_truetype, which trusts what a font says: only for fonts that one would install. */
#include "data/collection.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_STATIC
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb/stb_truetype.h>

#define FONTS "/usr/share/fonts/truetype/aenigma"

/* A font of fewer than DISTINCT different glyphs is one of pictures or of capitals for everything. */
enum { CHARACTERS = 36, DISTINCT = 30, HEIGHT = 96, MOST_SIDE = 2048 };

static const char *const names[CHARACTERS] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B",
                                               "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N",
                                               "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z" };

/* ---- One glyph --------------------------------------------------------------------------------- */

/* Cut a bitmap to what is not black, in place. False: there is nothing. */
static bool cut(strata_picture *p)
{
    uint32_t left = p->w, top = p->h, right = 0, bottom = 0;
    for (uint32_t y = 0; y < p->h; y++)
        for (uint32_t x = 0; x < p->w; x++) {
            if (p->pixels[y * p->w + x] == 0) continue;
            left = x < left ? x : left;
            right = x + 1 > right ? x + 1 : right;
            top = y < top ? y : top;
            bottom = y + 1;
        }
    if (right == 0) return false;
    for (uint32_t y = top; y < bottom; y++)
        memmove(p->pixels + (y - top) * (right - left), p->pixels + y * p->w + left, right - left);
    p->w = right - left;
    p->h = bottom - top;
    return true;
}

/* Where a side of `length` begins so that its `centre` is in the middle of `size`, all of it inside. */
static uint32_t begin_of(double centre, uint32_t length, uint32_t size)
{
    const double at = floor(size / 2.0 - centre + 0.5);
    return at < 0 ? 0 : at > size - length ? size - length : (uint32_t)at;
}

/* Scale ink to 20/28 of the size and lay it down by its centre of mass.  out: [size,size] */
static strata_status lay_down(uint8_t *out, uint32_t size, const strata_picture *ink)
{
    const double scale = size * 20.0 / 28 / (ink->w > ink->h ? ink->w : ink->h);
    const uint32_t w = (uint32_t)fmax(floor(ink->w * scale + 0.5), 1);
    const uint32_t h = (uint32_t)fmax(floor(ink->h * scale + 0.5), 1);
    double mass = 0, cx = 0, cy = 0;
    uint8_t *small = malloc((size_t)w * h);
    if (!small) return strata_fail(STRATA_NO_MEMORY, "no memory for a glyph");
    const strata_status status = strata_picture_fit(small, h, w, 1, ink);
    for (uint32_t y = 0; status == STRATA_OK && y < h; y++)
        for (uint32_t x = 0; x < w; x++) {
            const double v = small[y * w + x];
            mass += v;
            cx += v * (x + 0.5);
            cy += v * (y + 0.5);
        }
    memset(out, 0, (size_t)size * size);
    if (mass > 0) {
        const uint32_t left = begin_of(cx / mass, w, size), top = begin_of(cy / mass, h, size);
        for (uint32_t y = 0; y < h; y++) memcpy(out + (top + y) * size + left, small + y * w, w);
    }
    free(small);
    return status;
}

/* Render glyph number `glyph`; *there: it has ink. */
static strata_status render(uint8_t *out, uint32_t size, const stbtt_fontinfo *font, int glyph, bool *there)
{
    const float scale = stbtt_ScaleForPixelHeight(font, HEIGHT);
    int x0, y0, x1, y1;
    *there = false;
    stbtt_GetGlyphBitmapBox(font, glyph, scale, scale, &x0, &y0, &x1, &y1);
    const int w = x1 - x0, h = y1 - y0;
    if (w < 1 || h < 1 || w > MOST_SIDE || h > MOST_SIDE) return STRATA_OK;
    strata_picture ink = { calloc((size_t)w * (size_t)h, 1), (uint32_t)h, (uint32_t)w, 1 };
    if (!ink.pixels) return strata_fail(STRATA_NO_MEMORY, "no memory for a glyph");
    stbtt_MakeGlyphBitmap(font, ink.pixels, w, h, w, scale, scale, glyph);
    strata_status status = STRATA_OK;
    *there = cut(&ink);
    if (*there) status = lay_down(out, size, &ink);
    free(ink.pixels);
    return status;
}

/* ---- Fonts --------------------------------------------------------------------------------------- */

typedef struct glyphs {
    uint32_t size;
    uint8_t *pixels; /* [CHARACTERS + 1,size,size] the last: what a font shows for what it lacks */
    bool there[CHARACTERS + 1];
} glyphs;

static const uint8_t *glyph_of(const glyphs *g, int i) { return g->pixels + (size_t)i * g->size * g->size; }

static bool same(const glyphs *g, int a, int b)
{
    return g->there[a] && g->there[b] &&
           memcmp(glyph_of(g, a), glyph_of(g, b), (size_t)g->size * g->size) == 0;
}

static strata_status render_all(glyphs *g, const stbtt_fontinfo *font)
{
    for (int i = 0; i <= CHARACTERS; i++) {
        const int glyph = i < CHARACTERS ? stbtt_FindGlyphIndex(font, names[i][0]) : 0;
        g->there[i] = false;
        if (i < CHARACTERS && glyph == 0) continue;
        STRATA_TRY(render(g->pixels + (size_t)i * g->size * g->size, g->size, font, glyph, &g->there[i]));
    }
    for (int i = 0; i < CHARACTERS; i++)
        if (same(g, i, CHARACTERS)) g->there[i] = false;
    return STRATA_OK;
}

static uint32_t count_distinct(const glyphs *g)
{
    uint32_t n = 0;
    for (int i = 0; i < CHARACTERS; i++) {
        bool first = g->there[i];
        for (int k = 0; k < i && first; k++) first = !same(g, k, i);
        n += first;
    }
    return n;
}

/* Is the file a font that can be read, and of so many glyphs? Then its glyphs are in `g`. */
static strata_status read_font(glyphs *g, const char *path, bool *usable)
{
    char *bytes;
    size_t n;
    stbtt_fontinfo font;
    *usable = false;
    STRATA_TRY(strata_file_read(&bytes, &n, path));
    const int at = n >= 12 ? stbtt_GetFontOffsetForIndex((const uint8_t *)bytes, 0) : -1;
    strata_status status = STRATA_OK;
    if (at >= 0 && (size_t)at < n && stbtt_InitFont(&font, (const uint8_t *)bytes, at)) {
        status = render_all(g, &font);
        *usable = status == STRATA_OK && count_distinct(g) >= DISTINCT;
    }
    free(bytes);
    return status;
}

static strata_status add_folder(collection *c, const strata_make_config *config, const char *folder,
                                glyphs *g, const strata_make_observer *observer)
{
    strata_status status = STRATA_OK;
    strata_arena arena = { 0 };
    const char **file;
    char path[4096], stem[300];
    uint32_t files = 0, left = 0;
    STRATA_GO(collection_names(&file, &files, &arena, folder, ".ttf"));
    for (uint32_t i = 0; i < files; i++) {
        bool usable;
        snprintf(path, sizeof path, "%s/%s", folder, file[i]);
        snprintf(stem, sizeof stem, "%.*s", (int)strlen(file[i]) - 4, file[i]);
        STRATA_GO(read_font(g, path, &usable));
        if (!usable && left++ < 5)
            collection_note(observer, "%s is left out: fewer than %d different glyphs", file[i], DISTINCT);
        for (int k = 0; usable && k < CHARACTERS; k++) {
            const strata_picture glyph = { g->pixels + (size_t)k * g->size * g->size, g->size, g->size, 1 };
            const collection_image image = { stem, (uint32_t)k, collection_is_valid(config, stem) };
            if (g->there[k]) STRATA_GO(collection_add(c, &glyph, &image));
        }
    }
    collection_note(observer, "%u of %u %s of %s", (unsigned)(files - left), (unsigned)files,
                    strata_noun(files, "font", "fonts"), folder);
done:
    strata_arena_free(&arena);
    return status;
}

strata_status strata_make_glyphs(const strata_make_config *config, const strata_make_observer *observer)
{
    strata_status status;
    collection c = { 0 };
    glyphs g = { 0 };
    const char *folder = config->n_from ? config->from[0] : FONTS;
    STRATA_GO(collection_begin(&c, config, 28));
    c.c = 1;
    c.classes = CHARACTERS;
    c.class_name = names;
    g.size = c.h;
    g.pixels = malloc((size_t)(CHARACTERS + 1) * g.size * g.size);
    if (!g.pixels) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for the glyphs"));
    if (config->n_from > 1)
        STRATA_GO(strata_fail(STRATA_BAD_ARG, "glyphs wants one folder of fonts, got %u",
                              (unsigned)config->n_from));
    if (!config->n_from && !strata_folder_exists(folder))
        STRATA_GO(strata_fail(
            STRATA_FILE, "the fonts of fonts-aenigma are not there: apt install fonts-aenigma, or unpack the "
                         "package (dpkg -x) and name its folder " FONTS));
    STRATA_GO(add_folder(&c, config, folder, &g, observer));
    if (c.n == 0)
        STRATA_GO(strata_fail(STRATA_FILE, "%s holds no font (.ttf) with the glyphs 0-9A-Z", folder));
    STRATA_GO(collection_write(&c, config, observer));
done:
    free(g.pixels);
    collection_free(&c);
    return status;
}

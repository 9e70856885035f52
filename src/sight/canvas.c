/* Drawing. A shape is first laid down as coverage (0 .. 255 of each pixel), the most of its parts where they
 * meet, and then painted once: joints and crossings are as dark as the rest. */
#include "sight/canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Shades of an edge: the eye sees no difference to 255, and a file is a third smaller. */
enum { MOST_SIDE = 16384, LEVELS = 17 };

strata_status sight_canvas_init(sight_canvas *c, uint32_t w, uint32_t h)
{
    *c = (sight_canvas) { 0 };
    if (w < 1 || h < 1 || w > MOST_SIDE || h > MOST_SIDE)
        return strata_fail(STRATA_BAD_ARG, "a picture wants sides of 1 to %d pixels, got %u x %u", MOST_SIDE,
                           (unsigned)w, (unsigned)h);
    c->pixels = malloc((size_t)w * h * 3);
    c->cover = calloc((size_t)w * h, 1);
    if (!c->pixels || !c->cover) {
        sight_canvas_free(c);
        return strata_fail(STRATA_NO_MEMORY, "no memory for a picture of %u x %u pixels", (unsigned)w,
                           (unsigned)h);
    }
    memset(c->pixels, 255, (size_t)w * h * 3);
    c->w = w;
    c->h = h;
    return STRATA_OK;
}

void sight_canvas_free(sight_canvas *c)
{
    free(c->pixels);
    free(c->cover);
    *c = (sight_canvas) { 0 };
}

/* ---- Pixels ---------------------------------------------------------------------------------- */

/* Whole pixels that a box touches, within the canvas. */
typedef struct region {
    uint32_t left, top, right, bottom; /* the latter two not included */
} region;

static uint32_t limited(double v, uint32_t most) { return v <= 0 ? 0 : v >= most ? most : (uint32_t)v; }

static region touched(const sight_canvas *c, sight_box b)
{
    return (region) { limited(floor(b.left), c->w), limited(floor(b.top), c->h), limited(ceil(b.right), c->w),
                      limited(ceil(b.bottom), c->h) };
}

static void cover(sight_canvas *c, uint32_t x, uint32_t y, double share)
{
    uint8_t *at = &c->cover[(size_t)y * c->w + x];
    const uint8_t level = (uint8_t)(255 * floor(LEVELS * fmin(fmax(share, 0), 1) + 0.5) / LEVELS);
    if (level > *at) *at = level;
}

/* Paint what is covered, and clear the cover. */
static void paint(sight_canvas *c, region r, sight_colour colour)
{
    for (uint32_t y = r.top; y < r.bottom; y++)
        for (uint32_t x = r.left; x < r.right; x++) {
            const size_t i = (size_t)y * c->w + x;
            const uint32_t k = c->cover[i];
            if (k == 0) continue;
            c->cover[i] = 0;
            for (int channel = 0; channel < 3; channel++) {
                uint8_t *value = &c->pixels[3 * i + (size_t)channel];
                const uint32_t to = colour >> (16 - 8 * channel) & 255;
                *value = (uint8_t)((*value * (255 - k) + to * k + 127) / 255);
            }
        }
}

static double overlap(double low, double high, double at)
{
    return fmin(high, at + 1) - fmax(low, at); /* with the pixel [at, at + 1]; may be negative */
}

void sight_fill(sight_canvas *c, sight_box b, sight_colour colour)
{
    const region r = touched(c, b);
    for (uint32_t y = r.top; y < r.bottom; y++)
        for (uint32_t x = r.left; x < r.right; x++)
            cover(c, x, y, fmax(overlap(b.left, b.right, x), 0) * fmax(overlap(b.top, b.bottom, y), 0));
    paint(c, r, colour);
}

/* ---- Lines ------------------------------------------------------------------------------------- */

static double distance(sight_point p, sight_point a, sight_point b)
{
    const double dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
    const double t = length > 0 ? fmin(fmax(((p.x - a.x) * dx + (p.y - a.y) * dy) / length, 0), 1) : 0;
    return hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}

/* A pixel is covered by how far its middle lies inside the line's edge. */
static void segment(sight_canvas *c, region clip, sight_point a, sight_point b, double half)
{
    const double reach = half + 1;
    region r = touched(c, (sight_box) { fmin(a.x, b.x) - reach, fmin(a.y, b.y) - reach,
                                        fmax(a.x, b.x) + reach, fmax(a.y, b.y) + reach });
    if (r.left < clip.left) r.left = clip.left;
    if (r.top < clip.top) r.top = clip.top;
    if (r.right > clip.right) r.right = clip.right;
    if (r.bottom > clip.bottom) r.bottom = clip.bottom;
    for (uint32_t y = r.top; y < r.bottom; y++)
        for (uint32_t x = r.left; x < r.right; x++)
            cover(c, x, y, half + 0.5 - distance((sight_point) { x + 0.5, y + 0.5 }, a, b));
}

static bool is_finite(sight_point p) { return isfinite(p.x) && isfinite(p.y); }

/* A part far outside would be walked pixel by pixel, or lie beyond what a double tells apart. */
static sight_point near_canvas(const sight_canvas *c, sight_point p)
{
    return (sight_point) { fmin(fmax(p.x, -1e4), c->w + 1e4), fmin(fmax(p.y, -1e4), c->h + 1e4) };
}

void sight_line(sight_canvas *c, sight_box clip, const sight_point *point, size_t n, double width,
                sight_colour colour)
{
    const region r = touched(c, clip);
    for (size_t i = 0; i < n; i++) {
        if (!is_finite(point[i])) continue;
        const bool before = i > 0 && is_finite(point[i - 1]);
        const bool after = i + 1 < n && is_finite(point[i + 1]);
        const sight_point to = near_canvas(c, point[i]);
        if (before)
            segment(c, r, near_canvas(c, point[i - 1]), to, width / 2);
        else if (!after)
            segment(c, r, to, to, width / 2 + 1);
    }
    paint(c, r, colour);
}

/* ---- Figurines ------------------------------------------------------------------------------------ */

/* How far (x, y) from the middle lies outside of a shape of radius `size`; negative inside. */
static double outside(sight_shape shape, double x, double y, double size)
{
    switch (shape) {
    case SIGHT_SQUARE: return fmax(fabs(x), fabs(y)) - 0.85 * size;
    case SIGHT_DIAMOND: return (fabs(x) + fabs(y)) * M_SQRT1_2 - 0.85 * size;
    case SIGHT_TRIANGLE: return fmax(y - 0.7 * size, (fabs(x) * 1.732 - y) / 2 - 0.6 * size);
    default: return hypot(x, y) - size;
    }
}

static void figurine(sight_canvas *c, sight_point at, sight_shape shape, double size, sight_colour colour)
{
    const double reach = 1.5 * size + 1;
    const region r = touched(c, (sight_box) { at.x - reach, at.y - reach, at.x + reach, at.y + reach });
    for (uint32_t y = r.top; y < r.bottom; y++)
        for (uint32_t x = r.left; x < r.right; x++)
            cover(c, x, y, 0.5 - outside(shape, x + 0.5 - at.x, y + 0.5 - at.y, size));
    paint(c, r, colour);
}

void sight_figurine(sight_canvas *c, sight_point at, sight_shape shape, double size, sight_colour colour)
{
    if (!is_finite(at)) return;
    figurine(c, at, shape, size / 2 + 1.5, 0xffffff);
    figurine(c, at, shape, size / 2, colour);
}

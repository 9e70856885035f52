/* Colour and size of a picture. The resize is Pillow's (Resample.c on 8-bit samples): weights of the filter
 * as fixed-point numbers, columns first, rounded to 8 bits, then rows. Equal bits let a picture that
 * was prepared in Python and one that is fitted here give one prediction. */
#include "data/picture.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SAMPLES = 1 << 30 }; /* between the steps of a resize */
enum {
    PRECISION = 32 - 8 - 2,
    HALF = 1 << (PRECISION - 1)
}; /* bits behind the point: 8 bits of sample and 2 of headroom fit before it */

/* ---- Colour ------------------------------------------------------------------------- */

static uint8_t over(uint32_t value, uint32_t alpha, uint32_t background)
{
    return (uint8_t)((value * alpha + background * (255 - alpha) + 127) / 255);
}

static uint8_t luma(uint32_t r, uint32_t g, uint32_t b)
{
    return (uint8_t)((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16); /* 0.299 0.587 0.114 */
}

static void convert(uint8_t *out, uint32_t c, const strata_picture *p, const uint8_t under[3])
{
    const size_t n = (size_t)p->h * p->w;
    const bool has_alpha = p->c == 2 || p->c == 4, grey = p->c < 3;
    const uint32_t dark = luma(under[0], under[1], under[2]);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *in = p->pixels + i * p->c;
        const uint32_t alpha = has_alpha ? in[p->c - 1] : 255;
        if (c == 1 && grey) {
            out[i] = over(in[0], alpha, dark);
            continue;
        }
        const uint32_t r = over(in[0], alpha, under[0]), g = over(in[grey ? 0 : 1], alpha, under[1]);
        const uint32_t b = over(in[grey ? 0 : 2], alpha, under[2]);
        if (c == 1) {
            out[i] = luma(r, g, b);
        } else {
            out[3 * i] = (uint8_t)r;
            out[3 * i + 1] = (uint8_t)g;
            out[3 * i + 2] = (uint8_t)b;
        }
    }
}

/* ---- Size --------------------------------------------------------------------------- */

/* Which inputs make one output, and by what weight. */
typedef struct filter {
    int32_t *weights; /* [to, room] */
    uint32_t *first;  /* [to] */
    uint32_t *count;  /* [to] <= room */
    uint32_t room;
} filter;

static void filter_free(filter *f)
{
    free(f->weights);
    free(f->first);
    free(f->count);
}

static double triangle(double x) { return x < 1 ? 1 - x : 0; }

/* Keys's cubic convolution, a = -0.5. */
static double cubic(double x)
{
    const double a = -0.5;
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static strata_status filter_init(filter *f, strata_filter kind, uint32_t from, uint32_t to)
{
    const double scale = (double)from / to, stretch = scale > 1 ? scale : 1; /* growing needs none */
    const double support = stretch * (kind == STRATA_FILTER_BICUBIC ? 2 : 1);
    f->room = (uint32_t)ceil(support) * 2 + 1;
    f->weights = malloc((size_t)to * f->room * sizeof *f->weights);
    f->first = malloc(to * sizeof *f->first);
    f->count = malloc(to * sizeof *f->count);
    double *exact = malloc(f->room * sizeof *exact);
    if (!f->weights || !f->first || !f->count || !exact) {
        free(exact);
        return strata_fail(STRATA_NO_MEMORY, "no memory to resize a picture from %u to %u pixels", from, to);
    }
    for (uint32_t i = 0; i < to; i++) {
        const double centre = (i + 0.5) * scale;
        const double low = centre - support + 0.5, high = centre + support + 0.5;
        const uint32_t first = low > 0 ? (uint32_t)low : 0, end = high < from ? (uint32_t)high : from;
        double sum = 0;
        for (uint32_t x = first; x < end; x++) {
            const double distance = fabs((x - centre + 0.5) * (1 / stretch));
            exact[x - first] = kind == STRATA_FILTER_BICUBIC ? cubic(distance) : triangle(distance);
            sum += exact[x - first];
        }
        for (uint32_t k = 0; k < end - first; k++) {
            const double weight = exact[k] / sum * (1 << PRECISION);
            f->weights[(size_t)i * f->room + k] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
        f->first[i] = first;
        f->count[i] = end - first;
    }
    free(exact);
    return STRATA_OK;
}

static uint8_t rounded(int32_t sum)
{
    const int32_t value = sum >> PRECISION;
    return (uint8_t)(value > 255 ? 255 : value < 0 ? 0 : value);
}

/* One row to [to, c]: the few channels of a pixel move together. */
static void resize_row(uint8_t *out, const uint8_t *in, const filter *f, uint32_t to, size_t c)
{
    for (uint32_t i = 0; i < to; i++) {
        const uint8_t *source = in + f->first[i] * c;
        const int32_t *weights = f->weights + (size_t)i * f->room;
        int32_t sum[3] = { HALF, HALF, HALF };
        if (c == 3)
            for (uint32_t x = 0; x < f->count[i]; x++, source += 3) {
                sum[0] += source[0] * weights[x];
                sum[1] += source[1] * weights[x];
                sum[2] += source[2] * weights[x];
            }
        else
            for (uint32_t x = 0; x < f->count[i]; x++) sum[0] += source[x] * weights[x];
        for (size_t k = 0; k < c; k++) *out++ = rounded(sum[k]);
    }
}

/* Columns of [from, n] to one row [n] of the output: row by row, so that many values move at once. */
static void resize_columns(uint8_t *out, const uint8_t *in, const filter *f, uint32_t i, size_t n)
{
    enum { AT_ONCE = 256 };
    const int32_t *weights = f->weights + (size_t)i * f->room;
    for (size_t first = 0; first < n; first += AT_ONCE) {
        const size_t end = n - first < AT_ONCE ? n - first : AT_ONCE;
        int32_t sum[AT_ONCE];
        for (size_t k = 0; k < end; k++) sum[k] = HALF;
        for (uint32_t x = 0; x < f->count[i]; x++) {
            const uint8_t *source = in + (f->first[i] + x) * n + first;
            for (size_t k = 0; k < end; k++) sum[k] += source[k] * weights[x];
        }
        for (size_t k = 0; k < end; k++) out[first + k] = rounded(sum[k]);
    }
}

/* Scale [from_h,from_w,c] to [h,w,c]. */
static strata_status scale(uint8_t *out, const uint8_t *in, const uint32_t from[2], const uint32_t to[3],
                           strata_filter kind)
{
    const uint32_t c = to[2];
    strata_status status = STRATA_OK;
    filter wide = { 0 }, high = { 0 };
    uint8_t *narrow = malloc((size_t)from[0] * to[1] * c);
    if (!narrow)
        return strata_fail(STRATA_NO_MEMORY, "no memory to fit a picture of %u x %u to %u x %u", from[1],
                           from[0], to[1], to[0]);
    if (from[1] != to[1]) STRATA_GO(filter_init(&wide, kind, from[1], to[1]));
    if (from[0] != to[0]) STRATA_GO(filter_init(&high, kind, from[0], to[0]));
    if (from[1] == to[1])
        memcpy(narrow, in, (size_t)from[0] * to[1] * c);
    else
        for (uint32_t y = 0; y < from[0]; y++)
            resize_row(narrow + (size_t)y * to[1] * c, in + (size_t)y * from[1] * c, &wide, to[1], c);
    if (from[0] == to[0])
        memcpy(out, narrow, (size_t)to[0] * to[1] * c);
    else
        for (uint32_t y = 0; y < to[0]; y++)
            resize_columns(out + (size_t)y * to[1] * c, narrow, &high, y, (size_t)to[1] * c);
done:
    filter_free(&wide);
    filter_free(&high);
    free(narrow);
    return status;
}

/* ---- Shape -------------------------------------------------------------------------- */

/* The size that a picture is scaled to: the wanted one, or as much more (crop) or less (pad) as keeps its
 * shape. */
static void scaled_size(uint32_t size[2], const uint32_t from[2], const uint32_t to[2], strata_fit fit)
{
    const uint64_t by_height = (uint64_t)from[1] * to[0], by_width = (uint64_t)from[0] * to[1];
    size[0] = to[0];
    size[1] = to[1];
    if (fit == STRATA_FIT_STRETCH || by_height == by_width) return;
    const bool wider = by_height > by_width; /* than what is wanted */
    const int side = wider == (fit == STRATA_FIT_CROP) ? 1 : 0;
    const uint64_t length = (side ? by_height : by_width) / from[1 - side];
    size[side] = length < 1 ? 1 : length > UINT32_MAX / 4 ? UINT32_MAX / 4 : (uint32_t)length;
}

/* Half of a difference, a half rounded to the even number, as Python rounds for torchvision's CenterCrop. */
static uint32_t middle(uint32_t more, uint32_t less)
{
    const uint32_t d = more - less;
    return d / 2 + (d % 2 && d / 2 % 2);
}

/* Copy the part that [h,w,c] `to` and [from,c] `in` have in common, both centred; what lies around it
 * stays. */
static void centre(uint8_t *out, const uint32_t to[3], const uint8_t *in, const uint32_t from[2])
{
    uint32_t skip[2], start[2], n[2];
    for (int i = 0; i < 2; i++) {
        skip[i] = from[i] > to[i] ? middle(from[i], to[i]) : 0;
        start[i] = from[i] < to[i] ? middle(to[i], from[i]) : 0;
        n[i] = from[i] < to[i] ? from[i] : to[i];
    }
    for (uint32_t y = 0; y < n[0]; y++)
        memcpy(out + ((size_t)(start[0] + y) * to[1] + start[1]) * to[2],
               in + ((size_t)(skip[0] + y) * from[1] + skip[1]) * to[2], (size_t)n[1] * to[2]);
}

static void fill(uint8_t *out, const uint32_t to[3], const uint8_t colour[3])
{
    const uint8_t grey = luma(colour[0], colour[1], colour[2]);
    for (size_t i = 0; i < (size_t)to[0] * to[1]; i++)
        for (uint32_t c = 0; c < to[2]; c++) *out++ = to[2] == 1 ? grey : colour[c];
}

void strata_picture_ground(uint8_t *pixel, uint32_t channels, const strata_picture_style *style)
{
    fill(pixel, (const uint32_t[3]) { 1, 1, channels }, style->background);
}

strata_status strata_picture_fit_as(uint8_t *pixels, const uint32_t to[3], const strata_picture *p,
                                    const strata_picture_style *style)
{
    strata_status status = STRATA_OK;
    const uint32_t c = to[2], from[2] = { p->h, p->w };
    uint32_t size[3] = { 0, 0, c };
    if (c != 1 && c != 3) return strata_fail(STRATA_BAD_ARG, "a picture has 1 or 3 channels, wanted %u", c);
    scaled_size(size, from, to, style->fit);
    if ((uint64_t)size[0] * size[1] * c > MOST_SAMPLES || (uint64_t)p->h * size[1] * c > MOST_SAMPLES)
        return strata_fail(STRATA_BAD_SHAPE, "a picture of %u x %u is too long for %u x %u", p->w, p->h,
                           to[1], to[0]);
    const bool whole = size[0] == to[0] && size[1] == to[1];
    const bool as_is = c == p->c; /* 1 and 3 channels have no alpha */
    uint8_t *coloured = as_is ? NULL : malloc((size_t)p->h * p->w * c);
    uint8_t *scaled = whole ? NULL : malloc((size_t)size[0] * size[1] * c);
    if ((!as_is && !coloured) || (!whole && !scaled))
        STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory to fit a picture of %u x %u to %u x %u", p->w,
                              p->h, to[1], to[0]));
    if (!as_is) convert(coloured, c, p, style->background);
    STRATA_GO(scale(whole ? pixels : scaled, as_is ? p->pixels : coloured, from, size, style->filter));
    if (whole) goto done;
    if (style->fit == STRATA_FIT_PAD) fill(pixels, to, style->background);
    centre(pixels, to, scaled, size);
done:
    free(scaled);
    free(coloured);
    return status;
}

strata_status strata_picture_fit(uint8_t *pixels, uint32_t h, uint32_t w, uint32_t c, const strata_picture *p)
{
    const strata_picture_style style = { STRATA_FIT_STRETCH, STRATA_FILTER_BILINEAR, { 255, 255, 255 } };
    return strata_picture_fit_as(pixels, (const uint32_t[3]) { h, w, c }, p, &style);
}

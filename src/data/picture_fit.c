/* Colour and size of a picture. The resize is Pillow's (Resample.c, BILINEAR on 8-bit samples): weights of a
 * triangle as fixed-point numbers, columns first, rounded to 8 bits, then rows. Equal bits let a picture that
 * was prepared in Python and one that is fitted here give one prediction. */
#include "data/picture.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION = 32 - 8 - 2 }; /* bits behind the point: 8 bits of sample and 2 of headroom fit before it */

/* ---- Colour ------------------------------------------------------------------------- */

static uint8_t over_white(uint32_t value, uint32_t alpha)
{
    return (uint8_t)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

static void convert(uint8_t *out, uint32_t c, const strata_picture *p)
{
    const size_t n = (size_t)p->h * p->w;
    const bool has_alpha = p->c == 2 || p->c == 4, grey = p->c < 3;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *in = p->pixels + i * p->c;
        const uint32_t alpha = has_alpha ? in[p->c - 1] : 255;
        const uint32_t r = over_white(in[0], alpha);
        const uint32_t g = grey ? r : over_white(in[1], alpha), b = grey ? r : over_white(in[2], alpha);
        if (c == 1) {
            out[i] = (uint8_t)(grey ? r
                                    : (r * 19595 + g * 38470 + b * 7471 + 0x8000) >>
                                          16); /* 0.299 0.587 0.114 */
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

static strata_status filter_init(filter *f, uint32_t from, uint32_t to)
{
    const double scale = (double)from / to,
                 support = scale > 1 ? scale : 1; /* growing needs no wider triangle */
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
            const double distance = fabs((x - centre + 0.5) * (1 / support));
            exact[x - first] = distance < 1 ? 1 - distance : 0;
            sum += exact[x - first];
        }
        for (uint32_t k = 0; k < end - first; k++)
            f->weights[(size_t)i * f->room + k] = (int32_t)(0.5 + exact[k] / sum * (1 << PRECISION));
        f->first[i] = first;
        f->count[i] = end - first;
    }
    free(exact);
    return STRATA_OK;
}

static uint8_t rounded(int32_t sum)
{
    const int32_t value = sum >> PRECISION;
    return (uint8_t)(value > 255 ? 255 : value); /* weights and samples are not negative */
}

/* Resize along one dimension: in [n, from, c] to out [n, to, c], where c counts all values that move
 * together. */
static strata_status resize(uint8_t *out, const uint8_t *in, size_t n, const uint32_t from_to[2], size_t c)
{
    const uint32_t from = from_to[0], to = from_to[1];
    filter f = { 0 };
    strata_status status = filter_init(&f, from, to);
    for (size_t row = 0; status == STRATA_OK && row < n; row++)
        for (uint32_t i = 0; i < to; i++) {
            const uint8_t *source = in + (row * from + f.first[i]) * c;
            const int32_t *weights = f.weights + (size_t)i * f.room;
            for (size_t k = 0; k < c; k++) {
                int32_t sum = 1 << (PRECISION - 1);
                for (uint32_t x = 0; x < f.count[i]; x++) sum += source[x * c + k] * weights[x];
                out[(row * to + i) * c + k] = rounded(sum);
            }
        }
    filter_free(&f);
    return status;
}

strata_status strata_picture_fit(uint8_t *pixels, uint32_t h, uint32_t w, uint32_t c, const strata_picture *p)
{
    strata_status status = STRATA_OK;
    if (c != 1 && c != 3) return strata_fail(STRATA_BAD_ARG, "a picture has 1 or 3 channels, wanted %u", c);
    uint8_t *coloured = malloc((size_t)p->h * p->w * c), *narrow = malloc((size_t)p->h * w * c);
    if (!coloured || !narrow)
        STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory to fit a picture of %u x %u to %u x %u", p->w,
                              p->h, w, h));
    convert(coloured, c, p);
    if (p->w == w)
        memcpy(narrow, coloured, (size_t)p->h * w * c);
    else
        STRATA_GO(resize(narrow, coloured, p->h, (const uint32_t[2]) { p->w, w }, c));
    if (p->h == h)
        memcpy(pixels, narrow, (size_t)h * w * c);
    else
        STRATA_GO(resize(pixels, narrow, 1, (const uint32_t[2]) { p->h, h }, (size_t)w * c));
done:
    free(narrow);
    free(coloured);
    return status;
}

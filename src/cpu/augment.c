/* Reference for shaders/augment.comp: same arguments; places as floats, as there, values in double. */
#include "cpu/augment.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/thread.h"
#include "cpu/exact.h"
#include "augment.args.h"

enum { COLOUR_OUTSIDE, REFLECT, REPLICATE };
enum { FAR = 1048576 };

/* One of the two images that a pixel is made of. */
typedef struct source {
    const struct augment_args *a;
    const uint8_t *words;
    const augment_record *record; /* NULL: evaluation */
} source;

typedef struct work {
    const struct augment_args *a;
    bool evaluate;
} work;

/* The pixel of a row of n that stands for number i; -1: none. */
static int inside(uint32_t border, int i, int n)
{
    if (i >= 0 && i < n) return i;
    if (border == COLOUR_OUTSIDE) return -1;
    if (border == REPLICATE) return i < 0 ? 0 : n - 1;
    const int period = 2 * n, at = (i % period + period) % period;
    return at < n ? at : period - 1 - at;
}

/* Channel c of the stored pixel at (x, y) of image n, or of the background. */
static double stored(const source *s, uint32_t n, int x, int y, uint32_t c)
{
    const struct augment_args *a = s->a;
    const uint8_t *bytes = s->words + 4 * (size_t)n * a->image_words;
    x = inside(a->border, x, (int)a->w);
    y = inside(a->border, y, (int)a->h);
    if (x < 0 || y < 0) return a->background >> 8 * c & 255;
    const size_t i = (size_t)y * a->w + (size_t)x;
    return a->channels == 1 ? bytes[i] : bytes[4 * i + c];
}

/* At a place between pixels; what has no weight is not looked at. */
static double sampled(const source *s, uint32_t n, const float at[2], uint32_t c)
{
    const float base[2] = { floorf(at[0]), floorf(at[1]) };
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        const double x = (double)(at[0] - base[0]), y = (double)(at[1] - base[1]);
        const double weight = (k & 1 ? x : 1 - x) * (k & 2 ? y : 1 - y);
        if (weight > 0) sum += weight * stored(s, n, (int)base[0] + (k & 1), (int)base[1] + (k >> 1), c);
    }
    return sum;
}

static float bounded(float x) { return x < -FAR ? -FAR : x > FAR ? FAR : x; }

static void place(float at[2], const augment_record *r, float j, float i)
{
    float x = r->a * j + r->b * i + r->c, y = r->d * j + r->e * i + r->f;
    if (r->g != 0 || r->h != 0) {
        const float inverse = exact_inverse(r->g * j + r->h * i + r->i);
        x = x * inverse;
        y = y * inverse;
    }
    at[0] = bounded(x);
    at[1] = bounded(y);
}

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

static void change_colour(double p[4], const augment_record *r, double scale)
{
    const double v[4] = { p[0] / scale, p[1] / scale, p[2] / scale, 1 };
    for (int c = 0; c < 3 && r->flags; c++) {
        double x = v[c];
        if (r->flags & AUGMENT_COLOURED) {
            x = 0;
            for (int k = 0; k < 4; k++) x += (double)r->colour[c][k] * v[k];
            x = clamp(x, 0, 1);
        }
        if (r->flags & AUGMENT_LIT) {
            x = clamp(x, (double)1e-7F, (double)0.9999999F);
            x = 1 / (1 + exp(-(log(x / (1 - x)) + (double)r->summand) * (double)r->factor));
        }
        p[c] = x * scale;
    }
}

/* What is made of image n at (j, i), normalised. */
static void augmented(double out[4], const source *s, uint32_t n, uint32_t i, uint32_t j)
{
    const struct augment_args *a = s->a;
    const augment_record *r = s->record ? s->record + n : NULL;
    const float centre[4] = { a->centre0, a->centre1, a->centre2, a->centre3 };
    const float factor[4] = { a->factor0, a->factor1, a->factor2, a->factor3 };
    const bool erased = r && j >= r->erase[0] && j < r->erase[2] && i >= r->erase[1] && i < r->erase[3];
    float at[2] = { (float)((int)j + ((int)a->w - (int)a->out_w) / 2),
                    (float)((int)i + ((int)a->h - (int)a->out_h) / 2) };
    double p[4] = { 0 };
    if (r) place(at, r, (float)j, (float)i);
    for (uint32_t c = 0; c < 4; c++)
        p[c] = c < a->channels ? sampled(s, n, at, c) : a->channels == 1 ? p[0] : 0;
    if (r) change_colour(p, r, (double)a->scale);
    for (uint32_t c = 0; c < 4; c++) out[c] = erased ? 0 : (p[c] - (double)centre[c]) * (double)factor[c];
}

static bool in_box(const augment_record *r, uint32_t i, uint32_t j)
{
    return j >= (r->mix[0] & 0xffff) && j < (r->mix[1] & 0xffff) && i >= r->mix[0] >> 16 &&
           i < r->mix[1] >> 16;
}

static void make_pixel(const work *k, uint32_t n, uint32_t i, uint32_t j)
{
    const struct augment_args *a = k->a;
    const source own = { a, strata_slice_host(a->words), k->evaluate ? NULL : strata_slice_host(a->record) };
    const source other = { a, strata_slice_host(a->other_words), strata_slice_host(a->other_record) };
    float *y = (float *)strata_slice_host(a->y) + 4 * (((size_t)n * a->out_h + i) * a->out_w + j);
    double p[4], q[4];
    augmented(p, &own, n, i, j);
    if (own.record && a->mixed && in_box(own.record + n, i, j)) {
        const double share = (double)own.record[n].share;
        augmented(q, &other, n, i, j);
        for (int c = 0; c < 4; c++) p[c] = (1 - share) * p[c] + share * q[c];
    }
    for (uint32_t c = 0; c < 4; c++) y[c] = c < a->channels ? (float)p[c] : 0;
}

static void make_image(void *context, uint32_t n)
{
    const work *k = context;
    for (uint32_t i = 0; i < k->a->out_h; i++)
        for (uint32_t j = 0; j < k->a->out_w; j++) make_pixel(k, n, i, j);
}

void strata_cpu_augment(const struct augment_args *a, strata_pass pass)
{
    strata_thread_for(a->images, make_image, &(work) { a, pass == STRATA_EVALUATE });
}

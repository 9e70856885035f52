/* Reference for shaders/augment.comp: same arguments; places as floats, as there, values in double. */
#include "cpu/augment.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/thread.h"
#include "augment.args.h"

typedef struct work {
    const struct augment_args *a;
    bool evaluate;
} work;

/* Channel c of the stored pixel at (x, y) of image n, or of the background. */
static double stored(const struct augment_args *a, uint32_t n, int x, int y, uint32_t c)
{
    const uint8_t *bytes = (const uint8_t *)strata_slice_host(a->words) + 4 * (size_t)n * a->image_words;
    if (x < 0 || x >= (int)a->w || y < 0 || y >= (int)a->h) return a->background >> 8 * c & 255;
    const size_t i = (size_t)y * a->w + (size_t)x;
    return a->channels == 1 ? bytes[i] : bytes[4 * i + c];
}

static void make_pixel(const work *k, uint32_t n, uint32_t i, uint32_t j)
{
    const struct augment_args *a = k->a;
    const float centre[4] = { a->centre0, a->centre1, a->centre2, a->centre3 };
    const float factor[4] = { a->factor0, a->factor1, a->factor2, a->factor3 };
    float *y = (float *)strata_slice_host(a->y) + 4 * (((size_t)n * a->out_h + i) * a->out_w + j);
    int from_x = (int)j + ((int)a->w - (int)a->out_w) / 2, from_y = (int)i + ((int)a->h - (int)a->out_h) / 2;
    if (!k->evaluate) {
        const augment_record *r = (const augment_record *)strata_slice_host(a->record) + n;
        from_x = (int)(r->a * (float)j + r->b * (float)i + r->c);
        from_y = (int)(r->d * (float)j + r->e * (float)i + r->f);
    }
    for (uint32_t c = 0; c < 4; c++) {
        const double p = c < a->channels ? stored(a, n, from_x, from_y, c) : 0;
        y[c] = c < a->channels ? (float)((p - (double)centre[c]) * (double)factor[c]) : 0;
    }
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

#include "core/random.h"
#include "data/batch.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Pixels of padding: an eighth of the shorter side; 4 of 32, as usual for CIFAR-10 (He and others 2015). */
static uint32_t padding(const strata_image_set *set)
{
    const uint32_t side = set->h < set->w ? set->h : set->w;
    return side < 8 ? 1 : side / 8;
}

void strata_order(uint32_t *order, uint32_t n, uint32_t seed, uint32_t epoch)
{
    for (uint32_t i = 0; i < n; i++) order[i] = i;
    for (uint32_t i = n; i > 1; i--) { /* Fisher and Yates: position i - 1 takes one of those up to it */
        const uint32_t word = strata_philox(i - 1, epoch, 0, 0, seed, STRATA_RANDOM_ORDER).v[0];
        const uint32_t j = (uint32_t)((uint64_t)word * i >> 32), taken = order[j];
        order[j] = order[i - 1];
        order[i - 1] = taken;
    }
}

strata_status strata_classes_open(strata_classes *c, const strata_image_set *set)
{
    const bool many = set->targets != NULL;
    uint32_t *at = calloc((size_t)set->classes + 1, sizeof *at); /* where each class's next image goes */
    size_t members = 0;
    *c = (strata_classes) { .begin = calloc((size_t)set->classes + 1, sizeof *c->begin) };
    for (size_t i = 0; many && i < (size_t)set->n * set->classes; i++) members += set->targets[i];
    if (!many) members = set->n;
    c->member = members < UINT32_MAX ? malloc((members + 1) * sizeof *c->member) : NULL;
    if (!c->member || !c->begin || !at) {
        free(at);
        strata_classes_close(c);
        return strata_fail(STRATA_NO_MEMORY, "no memory for the images of each class");
    }
    for (uint32_t i = 0; i < set->n; i++)
        for (uint32_t k = strata_image_class(set, i, 0); k < set->classes;
             k = strata_image_class(set, i, k + 1))
            at[k + 1]++;
    for (uint32_t k = 0; k < set->classes; k++) {
        if (at[k + 1]) c->begin[c->n++] = at[k];
        at[k + 1] += at[k];
    }
    c->begin[c->n] = (uint32_t)members;
    for (uint32_t i = 0; i < set->n; i++)
        for (uint32_t k = strata_image_class(set, i, 0); k < set->classes;
             k = strata_image_class(set, i, k + 1))
            c->member[at[k]++] = i;
    free(at);
    return STRATA_OK;
}

void strata_classes_close(strata_classes *c)
{
    free(c->member);
    free(c->begin);
    *c = (strata_classes) { 0 };
}

static uint32_t below(uint32_t word, uint32_t n) { return (uint32_t)((uint64_t)word * n >> 32); }

void strata_order_balanced(uint32_t *order, uint32_t n, const strata_classes *c, uint32_t seed,
                           uint32_t epoch)
{
    for (uint32_t i = 0; i < n; i++) {
        const strata_random4 r = strata_philox(i, epoch, 1, 0, seed, STRATA_RANDOM_ORDER);
        const uint32_t k = below(r.v[0], c->n);
        order[i] = c->member[c->begin[k] + below(r.v[1], c->begin[k + 1] - c->begin[k])];
    }
}

strata_status strata_augment_parse(uint32_t *augment, const char *text)
{
    uint32_t flags = 0;
    for (const char *word = text;;) {
        const size_t length = strcspn(word, ",");
        if (length == 4 && strncmp(word, "flip", 4) == 0)
            flags |= STRATA_AUGMENT_FLIP;
        else if (length == 4 && strncmp(word, "crop", 4) == 0)
            flags |= STRATA_AUGMENT_CROP;
        else if (strcmp(text, "none") != 0)
            return strata_fail(STRATA_BAD_ARG, "augmentation \"%s\": wanted none, flip, crop or flip,crop",
                               text);
        if (!word[length]) break;
        word += length + 1;
    }
    *augment = flags;
    return STRATA_OK;
}

void strata_batcher_init(strata_batcher *b, const strata_image_set *set, float scale, const float *mean,
                         const float *std)
{
    *b = (strata_batcher) { .set = *set, .lanes = (set->c + 3) / 4 * 4 };
    for (uint32_t c = 0; c < set->c; c++)
        for (int pixel = 0; pixel < 256; pixel++)
            b->value[c][pixel] = (float)(((double)pixel / (double)scale - (double)mean[c]) / (double)std[c]);
}

/* ---- One image ---------------------------------------------------------------------- */

/* Write [n] pixels that lie `step` (1, or -1 for a mirrored row) pixels apart. */
static void fill_row(float *out, const strata_batcher *b, const uint8_t *in, uint32_t n, ptrdiff_t step)
{
    const uint32_t C = b->set.c;
    step *= (ptrdiff_t)C;
    for (ptrdiff_t x = 0; x < (ptrdiff_t)n; x++, out += 4) {
        const uint8_t *pixel = in + x * step;
        if (C == 1) { /* the last case for common counts, unrolled: twice as fast */
            out[0] = b->value[0][pixel[0]];
            out[1] = out[2] = out[3] = 0;
        } else if (C == 3) {
            out[0] = b->value[0][pixel[0]];
            out[1] = b->value[1][pixel[1]];
            out[2] = b->value[2][pixel[2]];
            out[3] = 0;
        } else {
            for (uint32_t c = 0; c < 4; c++) out[c] = c < C ? b->value[c][pixel[c]] : 0;
        }
    }
}

/* Write [n] black pixels: what a padded image holds before it is scaled. */
static void fill_black(float *out, const strata_batcher *b, uint32_t n)
{
    static const uint8_t black[4] = { 0 };
    fill_row(out, b, black, n, 0);
}

/* Write an image shifted by (down, right) pixels, black where nothing lies, after it was mirrored if
 * `mirror`. */
static void fill_image(float *out, const strata_batcher *b, uint32_t image, const int shift[2], bool mirror)
{
    const int H = (int)b->set.h, W = (int)b->set.w;
    const uint8_t *pixels = b->set.pixels + (size_t)image * b->set.h * b->set.w * b->set.c;
    const int right = shift[1], left = right < 0   ? 0
                                       : right < W ? right
                                                   : W;              /* black pixels before the row's own */
    const int end = right < 0 ? (W + right > 0 ? W + right : 0) : W; /* where those after it begin */
    for (int y = 0; y < H; y++, out += (size_t)W * b->lanes) {
        const int from = y - shift[0];
        if (from < 0 || from >= H || end <= left) {
            fill_black(out, b, (uint32_t)W);
            continue;
        }
        const int x = mirror ? W - 1 - (left - right) : left - right;
        const uint8_t *in = pixels + ((size_t)from * b->set.w + (size_t)x) * b->set.c;
        fill_black(out, b, (uint32_t)left);
        fill_row(out + (size_t)left * b->lanes, b, in, (uint32_t)(end - left), mirror ? -1 : 1);
        fill_black(out + (size_t)end * b->lanes, b, (uint32_t)(W - end));
    }
}

/* The classes of an image, as a row of floats. */
static void fill_target(float *out, const strata_image_set *set, uint32_t image, uint32_t lanes)
{
    for (uint32_t k = 0; k < lanes; k++)
        out[k] = k < set->classes && strata_image_is(set, image, k) ? 1.0f : 0.0f;
}

void strata_batch_fill(const strata_batch *out, const strata_batcher *b, const uint32_t *order,
                       uint32_t epoch, uint32_t first, uint32_t count)
{
    const size_t size = (size_t)b->set.h * b->set.w * b->lanes;
    const uint32_t target = (b->set.classes + 3) / 4 * 4; /* floats of a row */
    for (uint32_t row = 0; row < count; row++) {
        const uint32_t image = order ? order[first + row] : first + row;
        const uint32_t pad = padding(&b->set);
        int shift[2] = { 0, 0 };
        bool mirror = false;
        if (b->augment) {
            const strata_random4 r = strata_philox(image, epoch, 0, 0, b->seed, STRATA_RANDOM_AUGMENT);
            mirror = b->augment & STRATA_AUGMENT_FLIP && r.v[0] >> 31;
            for (int i = 0; i < 2 && b->augment & STRATA_AUGMENT_CROP; i++)
                shift[i] = (int)((uint64_t)r.v[1 + i] * (2 * pad + 1) >> 32) - (int)pad;
        }
        fill_image(out->pixels + row * size, b, image, shift, mirror);
        if (out->labels) out->labels[row] = b->set.labels[image];
        if (out->targets) fill_target(out->targets + (size_t)row * target, &b->set, image, target);
        if (out->weights) out->weights[row] = 1;
    }
    memset(out->pixels + count * size, 0, (b->batch - count) * size * sizeof *out->pixels);
    for (uint32_t row = count; row < b->batch; row++) {
        if (out->labels) out->labels[row] = 0;
        if (out->weights) out->weights[row] = 0;
    }
    if (out->targets)
        memset(out->targets + (size_t)count * target, 0,
               (size_t)(b->batch - count) * target * sizeof *out->targets);
}

strata_batch strata_batch_from(const strata_batch *whole, const strata_batcher *b, uint32_t row)
{
    const size_t target = (b->set.classes + 3) / 4 * 4;
    strata_batch rest = *whole;
    rest.pixels += row * (size_t)b->set.h * b->set.w * b->lanes;
    if (rest.labels) rest.labels += row;
    if (rest.weights) rest.weights += row;
    if (rest.targets) rest.targets += row * target;
    return rest;
}

#include "core/random.h"
#include "data/batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The four words of a place in an epoch. */
static strata_random4 draw(uint32_t place, uint32_t epoch, uint32_t how, uint64_t seed)
{
    return strata_philox(place, epoch, how, (uint32_t)(seed >> 32), (uint32_t)seed, STRATA_RANDOM_ORDER);
}

void strata_order(uint32_t *order, uint32_t n, uint64_t seed, uint32_t epoch)
{
    for (uint32_t i = 0; i < n; i++) order[i] = i;
    for (uint32_t i = n; i > 1; i--) { /* Fisher and Yates: position i - 1 takes one of those up to it */
        const uint32_t word = draw(i - 1, epoch, 0, seed).v[0];
        const uint32_t j = (uint32_t)((uint64_t)word * i >> 32), taken = order[j];
        order[j] = order[i - 1];
        order[i - 1] = taken;
    }
}

strata_status strata_classes_open(strata_classes *c, const strata_image_set *set, const float *weight)
{
    const bool many = set->targets != NULL;
    uint32_t *at = calloc((size_t)set->classes + 1, sizeof *at); /* where each class's next image goes */
    size_t members = 0;
    double all = 0;
    *c = (strata_classes) { .begin = calloc((size_t)set->classes + 1, sizeof *c->begin) };
    for (size_t i = 0; many && i < (size_t)set->n * set->classes; i++) members += set->targets[i];
    if (!many) members = set->n;
    c->member = members < UINT32_MAX ? malloc((members + 1) * sizeof *c->member) : NULL;
    if (weight) c->until = calloc((size_t)set->classes + 1, sizeof *c->until);
    if (!c->member || !c->begin || !at || (weight && !c->until)) {
        free(at);
        strata_classes_close(c);
        return strata_fail(STRATA_NO_MEMORY, "no memory for the images of each class");
    }
    for (uint32_t i = 0; i < set->n; i++)
        for (uint32_t k = strata_image_class(set, i, 0); k < set->classes;
             k = strata_image_class(set, i, k + 1))
            at[k + 1]++;
    for (uint32_t k = 0; k < set->classes; k++) {
        if (at[k + 1]) {
            if (weight) all = c->until[c->n] = all + (double)weight[k] * at[k + 1];
            c->begin[c->n++] = at[k];
        }
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
    free(c->until);
    *c = (strata_classes) { 0 };
}

static uint32_t below(uint32_t word, uint32_t n) { return (uint32_t)((uint64_t)word * n >> 32); }

/* The class that a random word means. */
static uint32_t draw_class(const strata_classes *c, uint32_t word)
{
    uint32_t low = 0, high = c->n - 1;
    if (!c->until) return below(word, c->n);
    const double at = ldexp(word, -32) * c->until[high]; /* below the last sum */
    while (low < high) { /* the first whose sum is above it: one of weight 0 never is */
        const uint32_t middle = low + (high - low) / 2;
        if (c->until[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void strata_order_drawn(uint32_t *order, uint32_t n, const strata_classes *c, uint64_t seed, uint32_t epoch)
{
    for (uint32_t i = 0; i < n; i++) {
        const strata_random4 r = draw(i, epoch, 1, seed);
        const uint32_t k = draw_class(c, r.v[0]);
        order[i] = c->member[c->begin[k] + below(r.v[1], c->begin[k + 1] - c->begin[k])];
    }
}

/* ---- One image ---------------------------------------------------------------------- */

static void fill_image(uint8_t *out, const strata_image_set *set, uint32_t image)
{
    const size_t pixels = (size_t)set->h * set->w, C = set->c;
    const uint8_t *in = set->pixels + image * pixels * C;
    if (C == 1) {
        memcpy(out, in, pixels);
        memset(out + pixels, 0, strata_stored_bytes(set->h, set->w, 1) - pixels);
        return;
    }
    if (C == 4) {
        memcpy(out, in, 4 * pixels);
        return;
    }
    for (size_t i = 0; i < pixels; i++, in += C, out += 4) {
        out[0] = in[0];
        out[1] = in[1];
        out[2] = C > 2 ? in[2] : 0;
        out[3] = 0;
    }
}

/* The classes of an image, as a row of floats; with `share` of another's. */
static void fill_target(float *out, const strata_image_set *set, uint32_t image, uint32_t other, float share)
{
    const uint32_t lanes = (set->classes + 3) / 4 * 4;
    for (uint32_t k = 0; k < lanes; k++) {
        out[k] = k < set->classes && strata_image_is(set, image, k) ? 1.0f - share : 0.0f;
        if (share > 0 && k < set->classes && strata_image_is(set, other, k)) out[k] += share;
    }
}

/* ---- A batch ------------------------------------------------------------------------- */

static uint32_t image_at(const uint32_t *order, uint32_t place) { return order ? order[place] : place; }
static uint32_t draw_at(const strata_batcher *b, uint32_t place) { return b->drawn ? place : 0; }

strata_mix strata_batch_mix(const strata_batcher *b, const uint32_t *order, uint32_t place)
{
    return strata_mix_draw(&b->mix, b->seed, b->epoch, image_at(order, place), draw_at(b, place), b->set.n);
}

void strata_batch_fill(const strata_batch *out, const strata_batcher *b, const uint32_t *order,
                       uint32_t first, uint32_t count)
{
    const size_t size = strata_stored_bytes(b->set.h, b->set.w, b->set.c);
    const uint32_t target = (b->set.classes + 3) / 4 * 4; /* floats of a row */
    for (uint32_t row = 0; row < count; row++) {
        const uint32_t image = image_at(order, first + row), draw = draw_at(b, first + row);
        strata_sample sample = { .image = image, .draw = draw };
        uint32_t other = image;
        float share = 0;
        fill_image(out->pixels + row * size, &b->set, image);
        if (out->others) {
            const strata_mix m = strata_batch_mix(b, order, first + row);
            other = image_at(order, m.place);
            share = m.share;
            sample.share = m.in_box;
            memcpy(sample.box, m.box, sizeof sample.box);
            fill_image(out->others + row * size, &b->set, other);
            out->other_samples[row] = (strata_sample) { .image = other, .draw = draw ^ STRATA_DRAW_PARTNER };
        }
        if (out->samples) out->samples[row] = sample;
        if (out->labels) out->labels[row] = b->set.labels[image];
        if (out->targets) fill_target(out->targets + (size_t)row * target, &b->set, image, other, share);
        if (out->weights) out->weights[row] = 1;
    }
    memset(out->pixels + count * size, 0, (b->batch - count) * size);
    if (out->others) memset(out->others + count * size, 0, (b->batch - count) * size);
    for (uint32_t row = count; row < b->batch; row++) {
        if (out->samples) out->samples[row] = (strata_sample) { 0 };
        if (out->others) out->other_samples[row] = (strata_sample) { 0 };
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
    const uint64_t size = strata_stored_bytes(b->set.h, b->set.w, b->set.c);
    rest.pixels += row * size;
    if (rest.others) rest.others += row * size;
    if (rest.others) rest.other_samples += row;
    if (rest.samples) rest.samples += row;
    if (rest.labels) rest.labels += row;
    if (rest.weights) rest.weights += row;
    if (rest.targets) rest.targets += row * target;
    return rest;
}

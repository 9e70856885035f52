/* Reference for shaders/augment_draw.comp: same arguments, the same words, and the same bits: float for
 * float, operation for operation. Its own comments say what each step is. */
#include <stdbool.h>

#include "core/random.h"
#include "core/sample.h"
#include "cpu/augment.h"
#include "cpu/exact.h"
#include "augment_draw.args.h"

enum { FLIP = 1, CROP = 2, FLIP_VERTICAL = 4, RESIZED = 8 };
enum {
    FIRST,
    GATES,
    AFFINE,
    FOCUS,
    WARP,
    COLOUR_GATES,
    COLOUR,
    LIGHT,
    ERASE,
    RESIZED_TRIES = 16,
    ERASE_TRIES = 32
};
enum { TRIES = 10 };

typedef struct image {
    const struct augment_draw_args *a;
    strata_sample sample;
    const uint32_t *values; /* strata_step_values */
} image;

static strata_random4 draw(const image *m, uint32_t k)
{
    return strata_philox(m->sample.image, m->values[4], k, m->sample.draw, m->values[0],
                         STRATA_RANDOM_AUGMENT ^ (m->values[1] * 0x9E3779B9u));
}

static int below(uint32_t word, int n) { return (int)((uint64_t)word * (uint64_t)n >> 32); }

static float between(uint32_t word, float low, float high)
{
    return low + (high - low) * strata_uniform(word);
}

static bool chance(uint32_t word, float p) { return strata_uniform(word) < p; }

/* ---- Windows --------------------------------------------------------------------------------------- */

typedef struct box {
    int x, y, w, h;
} box;

typedef struct box_rule {
    uint32_t first; /* of its draws */
    int w, h, most_w, most_h;
    float area_low, area_high, ratio_low, ratio_high;
} box_rule;

static box draw_box(const image *m, const box_rule *r)
{
    for (uint32_t i = 0; i < TRIES; i++) {
        const strata_random4 words = draw(m, r->first + i);
        const float area = (float)(r->w * r->h) * between(words.v[0], r->area_low, r->area_high);
        const float ratio = between(words.v[1], r->ratio_low, r->ratio_high);
        const int w = (int)(exact_root(area * exact_exp2(ratio)) + 0.5F);
        const int h = (int)(exact_root(area * exact_exp2(-ratio)) + 0.5F);
        if (w > 0 && h > 0 && w <= r->most_w && h <= r->most_h)
            return (box) { below(words.v[3], r->w - w + 1), below(words.v[2], r->h - h + 1), w, h };
    }
    return (box) { 0 };
}

static int least(int a, int b) { return a < b ? a : b; }

static box window(const image *m, const strata_random4 *first)
{
    const struct augment_draw_args *a = m->a;
    const int w = (int)a->w, h = (int)a->h, pad = (int)a->pad;
    const int room_x = w - (int)a->out_w, room_y = h - (int)a->out_h;
    box at = { room_x / 2, room_y / 2, (int)a->out_w, (int)a->out_h };
    if (a->what & RESIZED) {
        const box drawn = draw_box(m, &(box_rule) { RESIZED_TRIES, w, h, w, h, a->area_low, a->area_high,
                                                    a->ratio_low, a->ratio_high });
        if (drawn.w > 0) return drawn;
        at.w = least(w, (int)((float)h * exact_exp2(a->ratio_high) + 0.5F));
        at.h = least(h, (int)((float)w * exact_exp2(-a->ratio_low) + 0.5F));
        return (box) { (w - at.w) / 2, (h - at.h) / 2, at.w, at.h };
    }
    if (a->what & CROP) {
        const int places_x = room_x + 2 * pad + 1, places_y = room_y + 2 * pad + 1;
        if (places_y > 1) at.y = room_y + pad - below(first->v[1], places_y);
        if (places_x > 1) at.x = room_x + pad - below(first->v[2], places_x);
    }
    return at;
}

/* ---- Geometry -------------------------------------------------------------------------------------- */

/* Rows of (u, v, 1) of the square's projection. */
static augment_record project(const float m[4])
{
    const float x0 = -1.0F - m[3], y0 = -1.0F - m[1], x1 = 1.0F + m[3], y1 = -1.0F - m[0];
    const float x2 = 1.0F + m[2], y2 = 1.0F + m[0], x3 = -1.0F - m[2], y3 = 1.0F + m[1];
    const float dx1 = x1 - x2, dx2 = x3 - x2, dx3 = x0 - x1 + x2 - x3;
    const float dy1 = y1 - y2, dy2 = y3 - y2, dy3 = y0 - y1 + y2 - y3;
    const float size = dx2 * dy1 - dx1 * dy2, inverse = exact_inverse(size);
    const float g = (dx2 * dy3 - dx3 * dy2) * inverse, h = (dx3 * dy1 - dx1 * dy3) * inverse;
    const float a = 0.5F * (x1 - x0 + g * x1), b = 0.5F * (x3 - x0 + h * x3);
    const float d = 0.5F * (y1 - y0 + g * y1), e = 0.5F * (y3 - y0 + h * y3);
    const float gg = 0.5F * g, hh = 0.5F * h;
    return (augment_record) { .a = a,
                              .b = b,
                              .c = a + b + x0,
                              .d = d,
                              .e = e,
                              .f = d + e + y0,
                              .g = gg,
                              .h = hh,
                              .i = gg + hh + 1.0F };
}

static void warp(augment_record *r, const image *m)
{
    const struct augment_draw_args *a = m->a;
    const strata_random4 words = draw(m, WARP);
    float by[4];
    for (int i = 0; i < 4; i++) by[i] = between(words.v[i], -a->warp, a->warp);
    const augment_record p = project(by);
    const float half_w = 0.5F * (float)a->out_w, half_h = 0.5F * (float)a->out_h;
    const float by_w = exact_inverse(half_w), by_h = exact_inverse(half_h);
    r->a = p.a;
    r->b = p.b * half_w * by_h;
    r->c = p.c * half_w;
    r->d = p.d * half_h * by_w;
    r->e = p.e;
    r->f = p.f * half_h;
    r->g = p.g * by_w;
    r->h = p.h * by_h;
    r->i = p.i;
}

static void turn(augment_record *r, float angle)
{
    float t[2];
    exact_turn(t, angle);
    const augment_record was = *r;
    r->a = t[0] * was.a - t[1] * was.d;
    r->b = t[0] * was.b - t[1] * was.e;
    r->c = t[0] * was.c - t[1] * was.f;
    r->d = t[1] * was.a + t[0] * was.d;
    r->e = t[1] * was.b + t[0] * was.e;
    r->f = t[1] * was.c + t[0] * was.f;
}

static void lean(augment_record *r, float angle)
{
    float t[2];
    exact_turn(t, angle);
    const float by = t[1] * exact_inverse(t[0]);
    r->a = r->a + by * r->d;
    r->b = r->b + by * r->e;
    r->c = r->c + by * r->f;
}

/* From the output's pixels to those of the window, which may be mirrored: factor and shifts are the zoom's.
 * */
static void into_window(augment_record *r, const image *m, const strata_random4 *first, const float zoom[3])
{
    const struct augment_draw_args *a = m->a;
    const float middle_x = 0.5F * (float)((int)a->out_w - 1), middle_y = 0.5F * (float)((int)a->out_h - 1);
    box b = window(m, first);
    float by_x = b.w == (int)a->out_w ? 1.0F : (float)b.w * exact_inverse((float)a->out_w);
    float by_y = b.h == (int)a->out_h ? 1.0F : (float)b.h * exact_inverse((float)a->out_h);
    if (a->what & FLIP && first->v[0] >> 31) {
        by_x = -by_x;
        b.x = (int)a->w - b.w - b.x;
    }
    if (a->what & FLIP_VERTICAL && first->v[0] >> 30 & 1u) {
        by_y = -by_y;
        b.y = (int)a->h - b.h - b.y;
    }
    const float at_x = (float)b.x + 0.5F * (float)(b.w - 1) + by_x * zoom[1];
    const float at_y = (float)b.y + 0.5F * (float)(b.h - 1) + by_y * zoom[2];
    by_x = by_x * zoom[0];
    by_y = by_y * zoom[0];
    r->a = by_x * r->a + at_x * r->g;
    r->b = by_x * r->b + at_x * r->h;
    r->c = by_x * r->c + at_x * r->i;
    r->d = by_y * r->d + at_y * r->g;
    r->e = by_y * r->e + at_y * r->h;
    r->f = by_y * r->f + at_y * r->i;
    r->c = r->c - r->a * middle_x - r->b * middle_y;
    r->f = r->f - r->d * middle_x - r->e * middle_y;
    r->i = r->i - r->g * middle_x - r->h * middle_y;
}

static void place(augment_record *r, const image *m, const strata_random4 *first)
{
    const struct augment_draw_args *a = m->a;
    const strata_random4 gates = draw(m, GATES), words = draw(m, AFFINE), focus = draw(m, FOCUS);
    float zoom[3] = { 1, 0, 0 };
    *r = (augment_record) { .a = 1, .e = 1, .i = 1 };
    if (a->warp > 0 && chance(focus.v[2], a->p_affine)) warp(r, m);
    if (a->shear > 0 && chance(gates.v[3], a->p_affine)) lean(r, between(words.v[3], -a->shear, a->shear));
    if (a->rotate > 0 && chance(gates.v[0], a->p_affine)) turn(r, between(words.v[0], -a->rotate, a->rotate));
    if ((a->scale_low != a->scale_high || a->scale_low != 1) && chance(gates.v[1], a->p_affine))
        zoom[0] = exact_inverse(between(words.v[1], a->scale_low, a->scale_high));
    if (a->zoom > 1 && chance(gates.v[2], a->p_affine)) {
        const float by = exact_inverse(between(words.v[2], 1, a->zoom));
        zoom[0] = zoom[0] * by;
        zoom[1] = 0.5F * (float)a->out_w * (1.0F - by) * between(focus.v[0], -1, 1);
        zoom[2] = 0.5F * (float)a->out_h * (1.0F - by) * between(focus.v[1], -1, 1);
    }
    into_window(r, m, first, zoom);
}

/* ---- Colour: twin of shaders/augment_colour.glsl --------------------------------------------------- */

static const float luma[3] = { 0.299F, 0.587F, 0.114F };

static float factor_of(const image *m, uint32_t gate, uint32_t word, float most)
{
    if (!chance(gate, m->a->p_colour)) return 1;
    return between(word, 1.0F - most > 0 ? 1.0F - most : 0, 1.0F + most);
}

static float sum3(const float by[3], float x, float y, float z) { return by[0] * x + by[1] * y + by[2] * z; }

static void turn_hue(float c[3][4], float turns)
{
    static const float chroma[3][3] = { { 0.168622F, 0.329805F, -0.498427F },
                                        { -0.327963F, 0.034611F, 0.293352F },
                                        { 1.246461F, -1.043229F, -0.203232F } };
    float t[2];
    exact_turn(t, turns);
    const float k = 1.0F - t[0];
    for (int j = 0; j < 4; j++) {
        const float was[3] = { c[0][j], c[1][j], c[2][j] }, grey = sum3(luma, was[0], was[1], was[2]);
        for (int i = 0; i < 3; i++)
            c[i][j] = sum3((const float[3]) { t[0], k, t[1] }, was[i], grey,
                           sum3(chroma[i], was[0], was[1], was[2]));
    }
}

static void draw_matrix(float c[3][4], const image *m)
{
    const struct augment_draw_args *a = m->a;
    const strata_random4 gates = draw(m, COLOUR_GATES), words = draw(m, COLOUR);
    float f = factor_of(m, gates.v[0], words.v[0], a->brightness);
    for (int i = 0; i < 12; i++) c[i / 4][i % 4] = f * c[i / 4][i % 4];
    f = factor_of(m, gates.v[1], words.v[1], a->contrast);
    for (int i = 0; i < 12; i++)
        c[i / 4][i % 4] = f * c[i / 4][i % 4] + (i % 4 == 3 ? (1.0F - f) * a->grey : 0);
    if (a->channels < 3) return;
    f = factor_of(m, gates.v[2], words.v[2], a->saturation);
    for (int j = 0; j < 4; j++) {
        const float grey = (1.0F - f) * sum3(luma, c[0][j], c[1][j], c[2][j]);
        for (int i = 0; i < 3; i++) c[i][j] = f * c[i][j] + grey;
    }
    if (a->hue > 0 && chance(gates.v[3], a->p_colour)) turn_hue(c, between(words.v[3], -a->hue, a->hue));
}

static void draw_colour(augment_record *r, const image *m)
{
    const struct augment_draw_args *a = m->a;
    for (int i = 0; i < 3; i++) r->colour[i][i] = 1;
    r->factor = 1;
    if (a->brightness > 0 || a->contrast > 0 || a->saturation > 0 || a->hue > 0) {
        draw_matrix(r->colour, m);
        r->flags = AUGMENT_COLOURED;
    }
    if (a->lighting > 0) {
        const strata_random4 words = draw(m, LIGHT);
        const float low = 0.5F * (1.0F - a->lighting), high = 0.5F * (1.0F + a->lighting);
        if (chance(words.v[0], a->p_colour)) r->summand = exact_logit(between(words.v[1], low, high));
        if (chance(words.v[2], a->p_colour))
            r->factor = exact_exp2(between(words.v[3], -a->light_octaves, a->light_octaves));
        r->flags |= AUGMENT_LIT;
    }
}

/* ---- An image -------------------------------------------------------------------------------------- */

void strata_cpu_augment_draw(const struct augment_draw_args *a, strata_pass pass)
{
    (void)pass;
    augment_record *record = strata_slice_host(a->record);
    const strata_sample *samples = strata_slice_host(a->samples);
    const int w = (int)a->out_w, h = (int)a->out_h;
    for (uint32_t i = 0; i < a->images; i++) {
        const image m = { a, samples[i], strata_slice_host(a->values) };
        const strata_random4 first = draw(&m, FIRST);
        box hole = { 0 };
        place(&record[i], &m, &first);
        draw_colour(&record[i], &m);
        if (a->erase > 0 && chance(draw(&m, ERASE).v[0], a->erase))
            hole = draw_box(
                &m, &(box_rule) { ERASE_TRIES, w, h, w - 1, h - 1, 0.02F, 0.33F, -1.7369656F, 1.7224660F });
        record[i].erase[0] = (uint32_t)hole.x;
        record[i].erase[1] = (uint32_t)hole.y;
        record[i].erase[2] = (uint32_t)(hole.x + hole.w);
        record[i].erase[3] = (uint32_t)(hole.y + hole.h);
        record[i].share = samples[i].share;
        record[i].mix[0] = samples[i].box[0] | samples[i].box[1] << 16;
        record[i].mix[1] = samples[i].box[2] | samples[i].box[3] << 16;
        record[i].zero = 0;
    }
}

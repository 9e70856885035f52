/* The picture of sweeps: the smoothed loss against the rate. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sight/figure.h"
#include "train/lr_find.h"

enum { W = 1000, H = 470, SUGGESTIONS = 4 };

static strata_status no_memory(void) { return strata_fail(STRATA_NO_MEMORY, "no memory for the picture"); }

/* ---- Keeping sweeps ---------------------------------------------------------------------------- */

strata_status lr_sweeps_add(lr_sweeps *s, const strata_lr_curve *curve)
{
    if (s->n == s->room) {
        const uint32_t room = s->room ? 2 * s->room : 8;
        strata_lr_curve *grown = realloc(s->curve, room * sizeof *grown);
        if (!grown) return no_memory();
        s->curve = grown;
        s->room = room;
    }
    const size_t bytes = curve->n * sizeof(double), length = curve->group ? strlen(curve->group) + 1 : 0;
    double *values = malloc(3 * bytes + length + 1); /* lr, loss, smoothed, then the name */
    if (!values) return no_memory();
    strata_lr_curve *to = &s->curve[s->n++];
    *to = *curve;
    to->lr = memcpy(values, curve->lr, bytes);
    to->loss = memcpy(values + curve->n, curve->loss, bytes);
    to->smoothed = memcpy(values + 2 * (size_t)curve->n, curve->smoothed, bytes);
    if (curve->group) to->group = memcpy(values + 3 * (size_t)curve->n, curve->group, length);
    return STRATA_OK;
}

void lr_sweeps_free(lr_sweeps *s)
{
    for (uint32_t i = 0; i < s->n; i++) free((void *)(uintptr_t)s->curve[i].lr);
    free(s->curve);
    *s = (lr_sweeps) { 0 };
}

/* ---- Drawing ------------------------------------------------------------------------------------- */

/* The smoothed loss at a rate, of the nearest point; NaN where there is none. */
static double loss_at(const strata_lr_curve *c, double lr)
{
    uint32_t best = 0;
    if (!isfinite(lr) || c->n == 0) return NAN;
    for (uint32_t i = 1; i < c->n; i++)
        if (fabs(log(c->lr[i] / lr)) < fabs(log(c->lr[best] / lr))) best = i;
    return c->smoothed[best];
}

/* From the lowest loss to the highest, yet not above one and a half times the first: how steeply a sweep
 * ends says nothing. */
static sight_axis loss_axis(const lr_sweeps *s)
{
    sight_axis a = { INFINITY, -INFINITY, false };
    double first = 0;
    for (uint32_t k = 0; k < s->n; k++) {
        const strata_lr_curve *c = &s->curve[k];
        for (uint32_t i = 0; i < c->n; i++) {
            sight_axis_include(&a, c->smoothed[i]);
            if (s->n == 1) sight_axis_include(&a, c->loss[i]);
        }
        if (c->n) first = fmax(first, c->smoothed[0]);
    }
    if (first > 0) a.high = fmin(a.high, 1.5 * first);
    sight_axis_settle(&a, 0.05);
    return a;
}

typedef struct names {
    char (*text)[96]; /* [n] */
    uint32_t n;
} names;

static const char *name(names *to, const char *what, double lr)
{
    char *text = to->text[to->n++];
    if (isfinite(lr))
        snprintf(text, sizeof *to->text, "%.60s %.3g", what, lr);
    else
        snprintf(text, sizeof *to->text, "%.60s -", what);
    return text;
}

static uint32_t mark_suggestions(sight_mark *mark, const strata_lr_curve *c, names *text)
{
    static const char *const what[SUGGESTIONS] = { "valley", "slide", "minimum", "steep" };
    static const sight_shape shape[SUGGESTIONS] = { SIGHT_DISC, SIGHT_SQUARE, SIGHT_DIAMOND, SIGHT_TRIANGLE };
    const double lr[SUGGESTIONS] = { c->valley, c->slide, c->minimum, c->steep };
    for (uint32_t i = 0; i < SUGGESTIONS; i++)
        mark[i] = (sight_mark) { name(text, what[i], lr[i]), lr[i], loss_at(c, lr[i]), shape[i],
                                 sight_palette(i == 0 ? 3 : i - 1, SUGGESTIONS) };
    return SUGGESTIONS;
}

strata_status lr_sweeps_draw(const lr_sweeps *s, const char *title, uint8_t **out, size_t *n)
{
    strata_status status = STRATA_OK;
    sight_series *series = calloc(s->n + 1, sizeof *series);
    sight_mark *mark = calloc(s->n + SUGGESTIONS, sizeof *mark);
    names text = { calloc(s->n + SUGGESTIONS, sizeof *text.text), 0 };
    sight_panel panel = { .label = s->n > 1 ? "smoothed loss" : "loss", .series = series, .mark = mark };
    sight_canvas canvas = { 0 };
    if (!series || !mark || !text.text) STRATA_GO(no_memory());
    panel.y = loss_axis(s);
    for (uint32_t k = 0; k < s->n; k++) {
        const strata_lr_curve *c = &s->curve[k];
        const sight_colour colour = k == 0 ? 0x444444 : sight_palette(k - 1, s->n - 1);
        if (s->n == 1)
            series[panel.n_series++] = (sight_series) { "each step", c->lr, c->loss, c->n, 0xc8c8c8, 1.5 };
        series[panel.n_series++] = (sight_series) {
            s->n == 1 ? "smoothed" : name(&text, c->group ? c->group : "all groups", c->valley),
            c->lr,
            c->smoothed,
            c->n,
            colour,
            0
        };
        if (s->n > 1)
            mark[panel.n_marks++] = (sight_mark) { NULL, c->valley, loss_at(c, c->valley), SIGHT_DISC,
                                                   colour };
        else
            panel.n_marks = mark_suggestions(mark, c, &text);
    }
    const sight_figure f = { .title = title,
                             .x_label = s->n > 1 ? "learning rate (each line's valley is marked)"
                                                 : "learning rate",
                             .w = W,
                             .h = H,
                             .x = { 0, 0, true },
                             .panel = &panel,
                             .n_panels = 1 };
    STRATA_GO(sight_figure_draw(&canvas, &f));
    STRATA_GO(sight_canvas_encode(&canvas, out, n));
done:
    sight_canvas_free(&canvas);
    free(series);
    free(mark);
    free(text.text);
    return status;
}

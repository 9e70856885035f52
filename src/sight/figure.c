#include "sight/figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PANELS = 8, MOST_ENTRIES = 256 };

/* Pixels. */
enum { TEXT = 19, TITLE = 23, EDGE = 14, LINE = 24, GAP = 14, LANE = 13, SAMPLE = 30 };

static const sight_colour grid = 0xe4e4e4, faint = 0xf3f3f3, frame_colour = 0x707070;

sight_colour sight_palette(uint32_t i, uint32_t n)
{
    static const sight_colour few[7] = {
        0x0072b2, 0xe69f00, 0x009e73, 0xd55e00, 0x56b4e9, 0xcc79a7, 0x000000
    };
    static const double ramp[5][3] = {
        { 68, 1, 84 }, { 59, 82, 139 }, { 33, 145, 140 }, { 94, 201, 98 }, { 189, 223, 38 }
    };
    if (n <= 7) return few[i % 7];
    const double at = 4.0 * fmin(i, n - 1) / (n - 1);
    const int k = at < 3 ? (int)at : 3;
    sight_colour colour = 0;
    for (int c = 0; c < 3; c++)
        colour = colour << 8 | (sight_colour)(ramp[k][c] + (ramp[k + 1][c] - ramp[k][c]) * (at - k) + 0.5);
    return colour;
}

/* ---- Where everything lies -------------------------------------------------------------------- */

typedef struct entry {
    const char *name;
    sight_colour colour;
    sight_shape shape;
    bool mark;
} entry;

typedef struct layout {
    sight_axis x, y[MOST_PANELS];
    sight_ticks x_ticks, y_ticks[MOST_PANELS];
    sight_box frame[MOST_PANELS];
    entry entry[MOST_ENTRIES];
    uint32_t n_entries;
    double legend; /* its left edge */
} layout;

static bool given(const sight_axis *a) { return a->low < a->high; }

static sight_axis x_axis(const sight_figure *f)
{
    sight_axis a = { INFINITY, -INFINITY, f->x.log };
    if (given(&f->x)) return f->x;
    for (uint32_t k = 0; k < f->n_panels; k++) {
        const sight_panel *p = &f->panel[k];
        for (uint32_t s = 0; s < p->n_series; s++)
            for (size_t i = 0; i < p->series[s].n; i++) sight_axis_include(&a, p->series[s].x[i]);
        for (uint32_t i = 0; i < p->n_spans; i++) {
            sight_axis_include(&a, p->span[i].from);
            sight_axis_include(&a, p->span[i].to);
        }
        for (uint32_t i = 0; i < p->n_marks; i++) sight_axis_include(&a, p->mark[i].x);
    }
    sight_axis_settle(&a, 0);
    return a;
}

static sight_axis y_axis(const sight_panel *p)
{
    sight_axis a = { INFINITY, -INFINITY, p->y.log };
    if (given(&p->y)) return p->y;
    for (uint32_t s = 0; s < p->n_series; s++)
        for (size_t i = 0; i < p->series[s].n; i++) sight_axis_include(&a, p->series[s].y[i]);
    for (uint32_t i = 0; i < p->n_marks; i++) sight_axis_include(&a, p->mark[i].y);
    sight_axis_settle(&a, 0.05);
    return a;
}

static void add_entry(layout *l, const char *name, const entry *e)
{
    if (!name || l->n_entries == MOST_ENTRIES) return;
    l->entry[l->n_entries] = *e;
    l->entry[l->n_entries++].name = name;
}

static void gather_legend(layout *l, const sight_figure *f)
{
    for (uint32_t k = 0; k < f->n_panels; k++) {
        const sight_panel *p = &f->panel[k];
        for (uint32_t i = 0; i < p->n_series; i++) {
            const sight_series *s = &p->series[f->legend_upwards ? p->n_series - 1 - i : i];
            add_entry(l, s->name, &(entry) { .colour = s->colour });
        }
        for (uint32_t i = 0; i < p->n_marks; i++)
            add_entry(l, p->mark[i].name,
                      &(entry) { .colour = p->mark[i].colour, .shape = p->mark[i].shape, .mark = true });
    }
}

static double legend_width(const layout *l, const sight_figure *f)
{
    double widest = 0;
    for (uint32_t i = 0; i < l->n_entries; i++)
        widest = fmax(widest, sight_text_width(l->entry[i].name, TEXT));
    return l->n_entries ? fmin(widest + SAMPLE + 2 * GAP, f->w / 3.0) : 0;
}

static double label_width(const sight_ticks *t)
{
    double widest = 0;
    for (uint32_t i = 0; i < t->n; i++) widest = fmax(widest, sight_text_width(t->label[i], TEXT));
    return widest;
}

/* Heights from the top down: what is fixed first, the rest by weight. */
static void stack(layout *l, const sight_figure *f)
{
    double fixed = (f->title ? TITLE + GAP : EDGE) + LINE + (f->x_label ? LINE : 0), weights = 0;
    for (uint32_t k = 0; k < f->n_panels; k++) {
        const sight_panel *p = &f->panel[k];
        fixed += (p->label && !p->lanes ? LINE : 0) + (k ? GAP : 0) + p->lanes * (double)LANE;
        if (!p->lanes) weights += p->weight > 0 ? p->weight : 1;
    }
    double y = f->title ? TITLE + GAP : EDGE;
    for (uint32_t k = 0; k < f->n_panels; k++) {
        const sight_panel *p = &f->panel[k];
        const double share = (p->weight > 0 ? p->weight : 1) / weights;
        const double h = p->lanes ? p->lanes * (double)LANE : floor(fmax(share * (f->h - fixed), 1));
        y += (p->label && !p->lanes ? LINE : 0) + (k ? GAP : 0);
        l->frame[k].top = y;
        l->frame[k].bottom = y += h;
    }
}

static void arrange(layout *l, const sight_figure *f)
{
    double left = 0;
    l->x = x_axis(f);
    gather_legend(l, f);
    stack(l, f);
    for (uint32_t k = 0; k < f->n_panels; k++) {
        const sight_panel *p = &f->panel[k];
        l->y[k] = y_axis(p);
        if (!p->lanes)
            sight_axis_ticks(&l->y_ticks[k], &l->y[k],
                             (uint32_t)fmax((l->frame[k].bottom - l->frame[k].top) / 38, 3));
        left = fmax(left, p->lanes ? (p->label ? sight_text_width(p->label, TEXT) : 0)
                                   : label_width(&l->y_ticks[k]));
    }
    left = fmin(ceil(left) + EDGE + 8, f->w / 3.0);
    const double legend = legend_width(l, f);
    l->legend = f->w - legend;
    for (uint32_t k = 0; k < f->n_panels; k++) {
        l->frame[k].left = floor(left);
        l->frame[k].right = floor(fmax(l->legend - (legend > 0 ? 0 : 2 * EDGE), left + 1));
    }
    if (f->n_panels)
        sight_axis_ticks(&l->x_ticks, &l->x, (uint32_t)((l->frame[0].right - l->frame[0].left) / 80));
}

static double x_pixel(const layout *l, uint32_t panel, double x)
{
    const sight_box *b = &l->frame[panel];
    return b->left + sight_axis_place(&l->x, x) * (b->right - b->left);
}

static double y_pixel(const layout *l, uint32_t panel, double y)
{
    const sight_box *b = &l->frame[panel];
    return b->bottom - sight_axis_place(&l->y[panel], y) * (b->bottom - b->top);
}

/* ---- Drawing ------------------------------------------------------------------------------------- */

/* One pixel wide, on the pixels' own grid: a line that falls between two would be grey and broad. */
static void upright(sight_canvas *c, double x, const sight_box *b, sight_colour colour)
{
    sight_fill(c, (sight_box) { floor(x), b->top, floor(x) + 1, b->bottom }, colour);
}

static void level(sight_canvas *c, double y, const sight_box *b, sight_colour colour)
{
    sight_fill(c, (sight_box) { b->left, floor(y), b->right, floor(y) + 1 }, colour);
}

static void draw_grid(sight_canvas *c, const layout *l, uint32_t k)
{
    const sight_box *b = &l->frame[k];
    const bool room = b->bottom - b->top >= 48.0 * l->y_ticks[k].n; /* else minor lines are a grey haze */
    for (uint32_t i = 0; room && i < l->y_ticks[k].n_minor; i++)
        level(c, y_pixel(l, k, l->y_ticks[k].minor[i]), b, faint);
    for (uint32_t i = 0; i < l->x_ticks.n_minor; i++)
        upright(c, x_pixel(l, k, l->x_ticks.minor[i]), b, faint);
    for (uint32_t i = 0; i < l->y_ticks[k].n; i++) {
        const char *label = l->y_ticks[k].label[i];
        const double y = y_pixel(l, k, l->y_ticks[k].at[i]), wide = sight_text_width(label, TEXT);
        level(c, y, b, grid);
        sight_text(c, (sight_point) { b->left - 8 - wide, y + 0.3 * TEXT }, wide, label, TEXT);
    }
    for (uint32_t i = 0; i < l->x_ticks.n; i++) upright(c, x_pixel(l, k, l->x_ticks.at[i]), b, grid);
}

/* A point between two gaps is a dot, all of it even where it lies on the frame. */
static void draw_alone(sight_canvas *c, const sight_box *frame, const sight_point *at, double width,
                       sight_colour colour)
{
    const double r = width / 2 + 1;
    const sight_box clip = { at->x - r, at->y - r, at->x + r, at->y + r };
    if (at->x >= frame->left && at->x <= frame->right && at->y >= frame->top && at->y <= frame->bottom)
        sight_line(c, clip, at, 1, width, colour);
}

static bool shown(sight_point p) { return isfinite(p.x) && isfinite(p.y); }

static strata_status draw_series(sight_canvas *c, const layout *l, uint32_t k, const sight_series *s)
{
    const double width = s->width > 0 ? s->width : 2.5;
    sight_box clip = l->frame[k];
    sight_point *point = malloc((s->n + 1) * sizeof *point);
    if (!point) return strata_fail(STRATA_NO_MEMORY, "no memory for a line of %zu points", s->n);
    for (size_t i = 0; i < s->n; i++)
        point[i] = (sight_point) { x_pixel(l, k, s->x[i]), y_pixel(l, k, s->y[i]) };
    clip.top -= 2, clip.bottom += 2; /* the width of a line along the edge */
    sight_line(c, clip, point, s->n, width, s->colour);
    for (size_t i = 0; i < s->n; i++)
        if (shown(point[i]) && !(i > 0 && shown(point[i - 1])) && !(i + 1 < s->n && shown(point[i + 1])))
            draw_alone(c, &l->frame[k], &point[i], width, s->colour);
    free(point);
    return STRATA_OK;
}

static void draw_lanes(sight_canvas *c, const layout *l, uint32_t k, const sight_panel *p)
{
    const sight_box *b = &l->frame[k];
    for (uint32_t i = 0; i < p->lanes; i++)
        sight_fill(c, (sight_box) { b->left, b->top + i * LANE + 2, b->right, b->top + (i + 1) * LANE - 2 },
                   faint);
    for (uint32_t i = 0; i < p->n_spans; i++) {
        const double top = b->top + p->span[i].lane * LANE + 2, from = x_pixel(l, k, p->span[i].from);
        const double to = fmax(x_pixel(l, k, p->span[i].to), from + 1); /* also a single step is seen */
        sight_fill(c, (sight_box) { fmax(from, b->left), top, fmin(to, b->right), top + LANE - 4 },
                   p->span[i].colour);
    }
    if (!p->label) return;
    const double wide = sight_text_width(p->label, TEXT);
    sight_text(c, (sight_point) { b->left - 8 - wide, (b->top + b->bottom) / 2 + 0.3 * TEXT }, wide, p->label,
               TEXT);
}

static strata_status draw_panel(sight_canvas *c, const layout *l, uint32_t k, const sight_panel *p)
{
    const sight_box *b = &l->frame[k];
    if (p->lanes) {
        draw_lanes(c, l, k, p);
        return STRATA_OK;
    }
    draw_grid(c, l, k);
    upright(c, b->left, b, frame_colour);
    level(c, b->bottom, b, frame_colour);
    for (uint32_t i = 0; i < p->n_series; i++) STRATA_TRY(draw_series(c, l, k, &p->series[i]));
    for (uint32_t i = 0; i < p->n_marks; i++) {
        const sight_mark *m = &p->mark[i];
        const sight_point at = { x_pixel(l, k, m->x), y_pixel(l, k, m->y) };
        if (at.x >= b->left && at.x <= b->right && at.y >= b->top - 2 && at.y <= b->bottom + 2)
            sight_figurine(c, at, m->shape, 13, m->colour);
    }
    if (p->label) sight_text(c, (sight_point) { EDGE, b->top - 8 }, c->w, p->label, TEXT);
    return STRATA_OK;
}

/* As many entries as there is height for; of more, evenly spaced ones with the first and the last. */
static void draw_legend(sight_canvas *c, const layout *l, const sight_box *last)
{
    const sight_box *b = &l->frame[0];
    const uint32_t rows = (uint32_t)fmax((last->bottom - b->top) / LINE, 0);
    const uint32_t n = l->n_entries < rows ? l->n_entries : rows;
    for (uint32_t i = 0; i < n; i++) {
        const entry *e = &l->entry[n > 1 ? (uint32_t)((uint64_t)i * (l->n_entries - 1) / (n - 1)) : 0];
        const double x = l->legend + GAP, y = b->top + (i + 0.5) * LINE;
        if (e->mark)
            sight_figurine(c, (sight_point) { x + SAMPLE / 2.0, y }, e->shape, 13, e->colour);
        else
            sight_fill(c, (sight_box) { x, y - 2, x + SAMPLE, y + 2 }, e->colour);
        sight_text(c, (sight_point) { x + SAMPLE + 8, y + 0.3 * TEXT }, c->w - x - SAMPLE - 10, e->name,
                   TEXT);
    }
}

static void draw_bottom(sight_canvas *c, const layout *l, const sight_figure *f)
{
    const uint32_t k = f->n_panels - 1;
    const sight_box *b = &l->frame[k];
    for (uint32_t i = 0; i < l->x_ticks.n; i++) {
        const char *label = l->x_ticks.label[i];
        const double x = x_pixel(l, k, l->x_ticks.at[i]), wide = sight_text_width(label, TEXT);
        sight_text(c, (sight_point) { x - wide / 2, b->bottom + LINE - 4 }, wide, label, TEXT);
    }
    if (!f->x_label) return;
    const double wide = sight_text_width(f->x_label, TEXT), middle = (b->left + b->right) / 2;
    sight_text(c, (sight_point) { fmax(middle - wide / 2, 0), b->bottom + 2 * LINE - 6 }, c->w, f->x_label,
               TEXT);
}

strata_status sight_figure_draw(sight_canvas *out, const sight_figure *f)
{
    *out = (sight_canvas) { 0 };
    if (f->n_panels > MOST_PANELS)
        return strata_fail(STRATA_BAD_ARG, "a figure has at most %d panels, got %u", MOST_PANELS,
                           (unsigned)f->n_panels);
    layout *l = calloc(1, sizeof *l);
    strata_status status = l ? sight_canvas_init(out, f->w, f->h)
                             : strata_fail(STRATA_NO_MEMORY, "no memory for a figure");
    if (status == STRATA_OK) arrange(l, f);
    for (uint32_t k = 0; status == STRATA_OK && k < f->n_panels; k++)
        status = draw_panel(out, l, k, &f->panel[k]);
    if (status == STRATA_OK && f->n_panels) {
        draw_bottom(out, l, f);
        draw_legend(out, l, &l->frame[f->n_panels - 1]);
    }
    if (status == STRATA_OK && f->title)
        sight_text(out, (sight_point) { EDGE, TITLE + 2 }, out->w - EDGE, f->title, TITLE);
    free(l);
    if (status != STRATA_OK) sight_canvas_free(out);
    return status;
}

strata_status sight_figure_write(const sight_figure *f, const char *path)
{
    sight_canvas c;
    STRATA_TRY(sight_figure_draw(&c, f));
    strata_status status = sight_canvas_write(&c, path);
    sight_canvas_free(&c);
    return status;
}

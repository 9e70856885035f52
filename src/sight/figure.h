/* Figures: lines over one axis, in panels one above the other, with a legend. A pure function from numbers to
 * pixels: the same figure gives the same bits. */
#ifndef STRATA_SIGHT_FIGURE_H
#define STRATA_SIGHT_FIGURE_H

#include "sight/axis.h"
#include "sight/canvas.h"

typedef struct sight_series {
    const char *name;    /* in the legend; NULL: not there */
    const double *x, *y; /* [n]; what the axes cannot show is a gap */
    size_t n;
    sight_colour colour;
    double width; /* of the line, pixels; 0: 2.5 */
} sight_series;

/* A point that is shown, and named in the legend. */
typedef struct sight_mark {
    const char *name;
    double x, y; /* not finite: only named */
    sight_shape shape;
    sight_colour colour;
} sight_mark;

/* A stretch of x in which something holds, a bar in a lane of its own. */
typedef struct sight_span {
    double from, to;
    uint32_t lane; /* from the top */
    sight_colour colour;
} sight_span;

typedef struct sight_panel {
    const char *label; /* above its y axis; NULL: none */
    double weight;     /* its height beside that of the others; 0: 1 */
    sight_axis y;      /* low < high are taken; else they are found, of `log` */
    const sight_series *series;
    uint32_t n_series;
    const sight_mark *mark;
    uint32_t n_marks;
    const sight_span *span; /* a panel with lanes has no y axis and no lines */
    uint32_t n_spans, lanes;
} sight_panel;

typedef struct sight_figure {
    const char *title, *x_label; /* NULL: none */
    uint32_t w, h;               /* pixels, 1 .. 16384; what does not fit is left out */
    sight_axis x;                /* as a panel's y */
    const sight_panel *panel;
    uint32_t n_panels;
    bool legend_upwards; /* the last series on top: where later lines lie higher */
} sight_figure;

/* Draw. Waits for nothing, reads nothing but the font that ships.
 * Owner:  caller; release with sight_canvas_free.
 * Errors: STRATA_BAD_ARG (size), STRATA_NO_MEMORY. */
strata_status sight_figure_draw(sight_canvas *out, const sight_figure *f);

/* Draw and write a PNG file, atomically. */
strata_status sight_figure_write(const sight_figure *f, const char *path);

/* The colour of number i of n ordered things: of at most 7, colours that colour-blind readers tell apart
 * (Okabe and Ito, 2008); of more, a ramp from dark to light (viridis). */
sight_colour sight_palette(uint32_t i, uint32_t n);

#endif

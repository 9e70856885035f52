/* Axes: which values they span, where their ticks stand, what is written there. Pure functions. */
#ifndef STRATA_SIGHT_AXIS_H
#define STRATA_SIGHT_AXIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sight_axis {
    double low, high; /* low < high; both above 0 on a logarithmic axis */
    bool log;
} sight_axis;

enum { SIGHT_TICKS = 64 };

typedef struct sight_ticks {
    double at[SIGHT_TICKS];      /* ascending, within the axis */
    char label[SIGHT_TICKS][16]; /* "0.02", "1e-6" */
    uint32_t n, n_minor;
    double minor[4 * SIGHT_TICKS]; /* without labels: 2 to 9 times a power of ten */
} sight_ticks;

/* Make room for a value: those that are not finite, or not above 0 on a logarithmic axis, are left out. Begin
 * with { INFINITY, -INFINITY, log }. */
void sight_axis_include(sight_axis *a, double value);

/* End the gathering: an axis without values, or with one, becomes one that can be drawn.
 *   margin  of the span, added at both ends; the value 0 stays an end of a linear axis where it is one */
void sight_axis_settle(sight_axis *a, double margin);

/* Where a value lies: 0 at `low`, 1 at `high`; NaN for what the axis cannot show (NaN, infinities, what is
 * not above 0 on a logarithmic one). */
double sight_axis_place(const sight_axis *a, double value);

/* At most `most` ticks with labels (at least 2 are allowed), at 1, 2 or 5 times a power of ten; on a
 * logarithmic axis of two decades or more at powers alone. */
void sight_axis_ticks(sight_ticks *out, const sight_axis *a, uint32_t most);

#endif

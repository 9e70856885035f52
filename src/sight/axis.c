#include "sight/axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void sight_axis_include(sight_axis *a, double value)
{
    if (!isfinite(value) || (a->log && !(value > 0))) return;
    a->low = fmin(a->low, value);
    a->high = fmax(a->high, value);
}

static void settle_log(sight_axis *a, double margin)
{
    if (!(a->low <= a->high)) a->low = 0.1, a->high = 1;
    if (a->high / a->low < 1.2) a->low /= 2, a->high *= 2;
    const double more = pow(10, margin * (log10(a->high) - log10(a->low))); /* high / low may be infinite */
    a->low = fmax(a->low / more, 1e-300);
    a->high = fmin(a->high * more, 1e300);
}

void sight_axis_settle(sight_axis *a, double margin)
{
    if (a->log) {
        settle_log(a, margin);
        return;
    }
    if (!(a->low <= a->high)) a->low = 0, a->high = 1;
    /* Less than a millionth of its size is a constant to the eye: labels could not tell its ticks apart. */
    const double size = fmax(fabs(a->low), fabs(a->high)), span = a->high - a->low;
    if (!(span > 1e-6 * size)) {
        const double more = size > 0 ? size / 10 : 1;
        a->low -= more;
        a->high += more;
        return;
    }
    if (a->low != 0) a->low -= margin * span;
    if (a->high != 0) a->high += margin * span;
}

double sight_axis_place(const sight_axis *a, double value)
{
    if (!isfinite(value) || (a->log && !(value > 0))) return NAN;
    if (a->log) return (log(value) - log(a->low)) / (log(a->high) - log(a->low));
    return (value - a->low) / (a->high - a->low);
}

/* ---- Ticks ------------------------------------------------------------------------------------ */

static void add(sight_ticks *t, double at, const char *label)
{
    if (t->n == SIGHT_TICKS) return;
    t->at[t->n] = at;
    snprintf(t->label[t->n++], sizeof *t->label, "%.15s", label);
}

/* 1, 2 or 5 times a power of ten, not below v. */
static double round_up(double v)
{
    const double power = pow(10, floor(log10(v)));
    const double steps[] = { 1, 2, 5, 10 };
    for (int i = 0; i < 4; i++)
        if (steps[i] * power >= v * (1 - 1e-9)) return steps[i] * power;
    return 10 * power;
}

static void linear_ticks(sight_ticks *t, const sight_axis *a, uint32_t most)
{
    const double step = round_up((a->high - a->low) / most);
    const double first = ceil(a->low / step - 1e-9), last = floor(a->high / step + 1e-9);
    for (double k = first; k <= last && t->n < SIGHT_TICKS; k++) {
        char label[32];
        snprintf(label, sizeof label, "%.6g", k == 0 ? 0 : k * step);
        add(t, k * step, label);
    }
}

static void label_power(char *label, size_t size, int digit, int power)
{
    if (power == 0)
        snprintf(label, size, "%d", digit);
    else
        snprintf(label, size, "%de%d", digit, power);
}

static double power_of_ten(int k) { return pow(10, k); }

static bool within(const sight_axis *a, double v)
{
    return v >= a->low * (1 - 1e-9) && v <= a->high * (1 + 1e-9);
}

/* Powers of ten, every second, third, ... where there are too many; of less than two decades also 2 and 5. */
static void log_ticks(sight_ticks *t, const sight_axis *a, uint32_t most)
{
    const int first = (int)floor(log10(a->low)), last = (int)ceil(log10(a->high));
    const double decades = log10(a->high) - log10(a->low);
    int every = 1;
    while (decades / every > most) every++;
    for (int k = first; k <= last; k++)
        for (int digit = 1; digit <= 9; digit++) {
            const double v = digit * power_of_ten(k);
            const bool power = digit == 1 && k % every == 0;
            char label[32];
            label_power(label, sizeof label, digit, k);
            if (!within(a, v)) continue;
            if (power || (decades < 2 && (digit == 2 || digit == 5)))
                add(t, v, label);
            else if (every == 1 && t->n_minor < 4 * SIGHT_TICKS)
                t->minor[t->n_minor++] = v;
        }
}

void sight_axis_ticks(sight_ticks *out, const sight_axis *a, uint32_t most)
{
    *out = (sight_ticks) { 0 };
    if (most < 2) most = 2;
    if (most > SIGHT_TICKS) most = SIGHT_TICKS;
    if (!a->log) {
        linear_ticks(out, a, most);
        return;
    }
    log_ticks(out, a, most);
    if (out->n >= 2) return;
    /* A part of one decade: evenly spaced values say more than one power. */
    const sight_axis linear = { a->low, a->high, false };
    *out = (sight_ticks) { 0 };
    linear_ticks(out, &linear, most);
}

#include "rates/sweep.h"

#include <math.h>
#include <stdlib.h>

double sweep_rate(double low, double high, uint32_t i, uint32_t n)
{
    return low * pow(high / low, (double)i / n);
}

double sweep_smoothed(sweep_smooth *s, double loss, double beta)
{
    s->average = beta * s->average + (1 - beta) * loss;
    s->n++;
    return s->average / (1 - pow(beta, s->n));
}

bool sweep_kept(const double *loss, uint32_t n, uint32_t planned, uint32_t *first, uint32_t *kept)
{
    enum { LEAST = 6, LAST = 5 };
    *first = planned / 10;
    *kept = 0;
    while (*first + *kept + LAST < n && isfinite(loss[*first + *kept])) ++*kept;
    return *kept >= LEAST;
}

/* The longest strictly falling subsequence that ends at each point. Its length is taken for the distance
 * to its start, as the source of this rule does: for a stretch with gaps the start comes out late. */
uint32_t sweep_valley(const double *loss, uint32_t n)
{
    uint32_t end = 0;
    uint32_t *length = calloc(n ? n : 1, sizeof *length);
    if (!length) return SWEEP_NONE;
    for (uint32_t i = 0; i < n; i++) {
        length[i] = 1;
        for (uint32_t j = 0; j < i; j++)
            if (loss[i] < loss[j] && length[i] < length[j] + 1) length[i] = length[j] + 1;
        if (length[i] > length[end]) end = i;
    }
    const uint32_t longest = n ? length[end] : 0;
    free(length);
    if (longest < 2) return SWEEP_NONE;
    const double start = (double)end - longest, third = ((double)end - start) / 3;
    const double index = start + trunc(third) + trunc(third / 2);
    return index < 0 ? 0 : (uint32_t)index;
}

/* numpy's gradient: central differences, one-sided at the ends. */
static double slope(const double *loss, uint32_t n, uint32_t i)
{
    if (i == 0) return loss[1] - loss[0];
    if (i == n - 1) return loss[n - 1] - loss[n - 2];
    return (loss[i + 1] - loss[i - 1]) / 2;
}

uint32_t sweep_slide(const double *loss, uint32_t n)
{
    enum { WIDTH = 15 };
    const double settled = 0.005;
    if (n <= WIDTH) return SWEEP_NONE;
    uint32_t right = n - 1, left = n - 1 - WIDTH, candidate = left;
    while (fabs(slope(loss, n, right) - slope(loss, n, left)) > settled) {
        candidate = left;
        if (left == 0) break;
        left--;
        right--;
    }
    return candidate;
}

uint32_t sweep_minimum(const double *loss, uint32_t n)
{
    uint32_t least = 0;
    for (uint32_t i = 1; i < n; i++)
        if (loss[i] < loss[least]) least = i;
    return n ? least : SWEEP_NONE;
}

uint32_t sweep_steep(const double *lr, const double *loss, uint32_t n)
{
    uint32_t steepest = SWEEP_NONE;
    double least = 0;
    for (uint32_t i = 0; i + 1 < n; i++) {
        const double fall = (loss[i + 1] - loss[i]) / (log(lr[i + 1]) - log(lr[i]));
        if (fall >= least) continue;
        least = fall;
        steepest = i;
    }
    return steepest;
}

uint32_t sweep_gradient(const double *loss, uint32_t n)
{
    uint32_t steepest = SWEEP_NONE;
    double least = 0;
    for (uint32_t i = 0; n > 1 && i < n; i++) {
        const double fall = slope(loss, n, i);
        if (fall >= least) continue;
        least = fall;
        steepest = i;
    }
    return steepest;
}

/* The learning rate finder's arithmetic: the exponential sweep, the smoothed loss, and what a curve
 * suggests. */
#ifndef STRATA_RATES_SWEEP_H
#define STRATA_RATES_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

/* The rate of batch i of n: low (high / low)^(i / n). */
double sweep_rate(double low, double high, uint32_t i, uint32_t n);

/* A running mean of losses, corrected for its start. Zeroed is empty. */
typedef struct sweep_smooth {
    double average;
    uint32_t n;
} sweep_smooth;

/* Take a loss in; returns the smoothed one. beta in [0, 1): 0.98. */
double sweep_smoothed(sweep_smooth *s, double loss, double beta);

/* Of a curve of n points; `lr` ascending. The answer is an index into it, or SWEEP_NONE where the curve
 * is too short or never moves. Losses are finite: sweep_kept cuts at the first that is not. */
enum { SWEEP_NONE = UINT32_MAX };

/* The middle of the longest stretch that keeps falling. */
uint32_t sweep_valley(const double *loss, uint32_t n);
/* Where the slope stops changing, from the right. */
uint32_t sweep_slide(const double *loss, uint32_t n);
/* The lowest loss; the rate to take is a tenth of that point's. */
uint32_t sweep_minimum(const double *loss, uint32_t n);
/* The steepest fall by the logarithm of the rate. */
uint32_t sweep_steep(const double *lr, const double *loss, uint32_t n);
/* The steepest fall by index, central differences: fastai v1's. */
uint32_t sweep_gradient(const double *loss, uint32_t n);

/* The part of a sweep that suggestions look at: n points of `planned`, without the first tenth of what was
 * planned and the last 5, up to the first loss that is not finite. False: fewer than 6 points are left. */
bool sweep_kept(const double *loss, uint32_t n, uint32_t planned, uint32_t *first, uint32_t *kept);

#endif

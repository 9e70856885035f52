/* How far two results may be apart: the measure of judge.h. */
#ifndef STRATA_CHECK_COMPARE_H
#define STRATA_CHECK_COMPARE_H

#include "check/bench.h"

/* The scale of a piece's error: S of judge.h, for the reference's answer to one image. */
typedef struct compare_scale {
    double s[BENCH_MAX_PIECES];
} compare_scale;

/* Measure the scales by running the reference on moved inputs.
 *   way, before  the run whose answer is the reference
 *   r            that answer: both images, as far as the way has them */
strata_status compare_measure(compare_scale *out, bench *reference, const strata_row *row,
                              const bench_way *way, const void *before, const bench_result *r);

typedef struct compare_verdict {
    double error, bound; /* at the element whose error is nearest to its bound, or furthest past it */
    char why[200];       /* "" if it passed */
} compare_verdict;

/* What compare_piece allows. */
typedef struct compare_limit {
    double unit; /* JUDGE_FACTOR sqrt(K) 2^-24, times what the row allows */
    double s;    /* the piece's scale */
    double nmse; /* of the squared error beside the squares */
} compare_limit;

strata_status compare_piece(compare_verdict *out, const piece *p, const void *reference, const void *judged,
                            const compare_limit *limit);

#endif

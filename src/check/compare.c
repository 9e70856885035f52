#include "check/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"

enum { FEW = 4 };    /* results of 16 bits that may be rounded another way, however few there are */
enum { PROBES = 3 }; /* moved runs; the chance that all of them hardly move a single element is small */
static const double move = 0x1p-14; /* large beside the rounding of results to f32, small beside curvature */

/* Multiply a piece's values by 1 +- move, by a random sign each. */
static void move_piece(const piece *p, void *image, uint32_t index, uint32_t probe, float *room)
{
    bench_values(p, image, room);
    for (uint64_t i = 0, n = bench_count(p); i < n; i++) {
        strata_random4 r = strata_philox((uint32_t)(i / 128), index, probe, 1, 0, STRATA_RANDOM_TEST);
        bool up = r.v[i / 32 % 4] >> (i % 32) & 1;
        bench_put(p, image, i, (float)((double)room[i] * (up ? 1 + move : 1 - move)));
    }
}

static bool moves(const bench *b, const piece *p, const strata_row *row)
{
    switch (p->kind) {
    case PIECE_IN: return !b->pattern->in[p->index].below && !(row->flags & STRATA_ROW_TIES);
    case PIECE_PARAM:
    case PIECE_OUT_GRAD: return true;
    default: return false;
    }
}

static const void *image_of(const bench_result *r, const piece *p)
{
    return p->kind == PIECE_IN_GRAD || p->kind == PIECE_PARAM_GRAD ? r->backward : r->forward;
}

/* Sum of squares of a piece's differences between two results. */
static double shift(const piece *p, const bench_result *r, const bench_result *moved, float *room)
{
    uint64_t n = bench_count(p);
    double sum = 0;
    bench_values(p, image_of(r, p), room);
    bench_values(p, image_of(moved, p), room + n);
    for (uint64_t i = 0; i < n; i++) {
        double d = (double)room[n + i] - (double)room[i];
        if (isfinite(d)) sum += d * d;
    }
    return sum;
}

static bool judged(const bench *b, uint32_t i, const bench_way *way)
{
    const piece *p = &b->piece[i];
    return p->kind == PIECE_OUT || (p->kind == PIECE_PARAM && p->param->running) || bench_wants(b, i, way);
}

strata_status compare_measure(compare_scale *out, bench *reference, const strata_row *row,
                              const bench_way *way, const void *before, const bench_result *r)
{
    strata_status status = STRATA_OK;
    const uint64_t bytes = reference->block.bytes;
    char *image = malloc(bytes);
    float *room = malloc(2 * bytes);
    bench_result moved = { .forward = malloc(bytes), .backward = malloc(bytes) };
    *out = (compare_scale) { 0 };
    if (!image || !room || !moved.forward || !moved.backward)
        STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a check"));
    for (uint32_t probe = 0; probe < PROBES; probe++) {
        memcpy(image, before, bytes);
        for (uint32_t i = 0; i < reference->n_pieces; i++)
            if (moves(reference, &reference->piece[i], row))
                move_piece(&reference->piece[i], image, i, probe, room);
        STRATA_GO(bench_run(reference, &moved, way, image));
        for (uint32_t i = 0; i < reference->n_pieces; i++)
            if (judged(reference, i, way)) out->s[i] += shift(&reference->piece[i], r, &moved, room);
    }
    for (uint32_t i = 0; i < reference->n_pieces; i++) {
        uint64_t n = bench_count(&reference->piece[i]);
        if (n) out->s[i] = sqrt(out->s[i] / (double)(n * PROBES)) / move;
    }
done:
    free(image);
    free(room);
    free(moved.forward);
    free(moved.backward);
    return status;
}

strata_status compare_piece(compare_verdict *out, const piece *p, const void *reference,
                            const void *judged_image, const compare_limit *limit)
{
    const uint64_t n = bench_count(p);
    float *want = malloc(2 * n * sizeof *want), *got = want ? want + n : NULL;
    const double step = p->half ? 0x1p-10 : 0, least = p->half ? 0x1p-24 : 1e-37;
    double squares = 0, scale = 0, worst = -1, largest = 0;
    if (!want) return strata_fail(STRATA_NO_MEMORY, "no memory for a check");
    *out = (compare_verdict) { 0 };
    bench_values(p, reference, want);
    bench_values(p, judged_image, got);
    for (uint64_t i = 0; i < n; i++) {
        double error = fabs((double)got[i] - (double)want[i]),
               bound = limit->unit * (limit->s + fabs((double)want[i])) + step * fabs((double)want[i]) +
                       least;
        if (!isfinite(want[i]) || !isfinite(got[i])) error = INFINITY;
        largest = fmax(largest, step * fabs((double)want[i]));
        squares += error * error;
        scale += (double)want[i] * (double)want[i] + limit->s * limit->s;
        if (error / bound > worst) {
            worst = error / bound;
            out->error = error;
            out->bound = bound;
            if (worst > 1)
                snprintf(out->why, sizeof out->why, "%s, element %llu of %llu: %.9g, wanted %.9g", p->name,
                         (unsigned long long)i, (unsigned long long)n, (double)got[i], (double)want[i]);
        }
    }
    if (!out->why[0] && squares > limit->nmse * scale + FEW * (largest * largest + step * least * least))
        snprintf(out->why, sizeof out->why,
                 "%s: its squared error is %.3g of its squares, at most %.3g are right", p->name,
                 squares / scale, limit->nmse);
    free(want);
    return STRATA_OK;
}

/* The reference's gradients against central differences of its forward pass, in the middle of a network: the
 * loss is sum of u out with a random upstream gradient u. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/bench.h"
#include "core/random.h"

enum { SAMPLES = 40 }; /* elements of each tensor that are moved */

typedef struct slopes {
    bench bench;
    pattern pattern;
    char *image;
    bench_result result;
    float *values; /* room for any piece twice */
    char sizes[96];
    double step;
} slopes;

static const bench_way training = { .name = "training", .mode = STRATA_TRAIN };

/* sum of u out, after moving nothing else. */
static strata_status loss(slopes *d, double *out, double *noise)
{
    const piece *y = NULL, *u = NULL;
    double sum = 0, squares = 0;
    STRATA_TRY(bench_run(&d->bench, &d->result, &training, d->image));
    for (uint32_t i = 0; i < d->bench.n_pieces; i++) {
        if (d->bench.piece[i].kind == PIECE_OUT) y = &d->bench.piece[i];
        if (d->bench.piece[i].kind == PIECE_OUT_GRAD) u = &d->bench.piece[i];
    }
    uint64_t n = bench_count(y);
    bench_values(y, d->result.forward, d->values);
    bench_values(u, d->image, d->values + n);
    for (uint64_t i = 0; i < n; i++) {
        double term = (double)d->values[i] * (double)d->values[n + i];
        sum += term;
        squares += term * term;
    }
    *out = sum;
    *noise = sqrt(squares) * 0x1p-24; /* outputs are rounded to f32, independently */
    return STRATA_OK;
}

/* Four values around the element: the fourth-order central difference. */
static strata_status slope(slopes *d, const piece *p, uint64_t element, float at, double *out, double *noise)
{
    static const double weight[] = { 1.0 / 12, -8.0 / 12, 8.0 / 12, -1.0 / 12 };
    static const int place[] = { -2, -1, 1, 2 };
    double sum = 0;
    *noise = 0;
    for (int k = 0; k < 4; k++) {
        double value, e;
        bench_put(p, d->image, element, (float)((double)at + place[k] * d->step));
        STRATA_TRY(loss(d, &value, &e));
        sum += weight[k] * value;
        *noise += e;
    }
    bench_put(p, d->image, element, at);
    *out = sum / d->step;
    *noise /= d->step;
    return STRATA_OK;
}

/* Distinct values whose distance, and distance from zero, is at least 8 steps or so, in random order. */
static void fill_lattice(slopes *d, const strata_row *row)
{
    const piece *p = &d->bench.piece[0];
    uint64_t n = bench_count(p);
    double spacing = 2 * (double)row->range / (double)n;
    uint64_t stride = 7919; /* a prime: coprime to n unless n is its multiple */
    d->step = spacing / 8;
    for (uint32_t k = 0; k < d->bench.n_pieces && d->bench.piece[k].kind == PIECE_IN; k++) {
        uint64_t m = bench_count(&d->bench.piece[k]);
        for (uint64_t i = 0; i < m; i++) {
            double at = (double)((i * stride + 11 * k) % m) - (double)m / 2 + 0.5 + 0.25 * k;
            bench_put(&d->bench.piece[k], d->image, i, (float)(at * spacing));
        }
    }
}

static strata_status judge_piece(slopes *d, strata_judge *j, const strata_row *row, const piece *g)
{
    const piece *p = NULL;
    for (uint32_t i = 0; i < d->bench.n_pieces; i++) {
        const piece *q = &d->bench.piece[i];
        if (q->index == g->index && q->kind == (g->kind == PIECE_IN_GRAD ? PIECE_IN : PIECE_PARAM)) p = q;
    }
    uint64_t n = bench_count(g), worst_at = 0;
    float *v = malloc(2 * n * sizeof *v);
    if (!v) return strata_fail(STRATA_NO_MEMORY, "no memory for a check");
    double rms = 0, worst = -1, error = 0, bound = 0, was = 0, is = 0;
    strata_status status = bench_run(&d->bench, &d->result, &training, d->image);
    bench_values(g, d->result.backward, v);
    bench_values(p, d->image, v + n);
    for (uint64_t i = 0; i < n; i++) rms += (double)v[i] * (double)v[i] / (double)n;
    uint64_t samples = n < SAMPLES ? n : SAMPLES;
    for (uint64_t i = 0; i < samples && status == STRATA_OK; i++) {
        uint64_t element = i * n / samples;
        double numeric = 0, noise = 0;
        status = slope(d, p, element, v[n + element], &numeric, &noise);
        double off = fabs(numeric - (double)v[element]);
        double most = 2e-3 * (sqrt(rms) + fabs((double)v[element])) + 4 * noise;
        if (!isfinite(off)) off = INFINITY;
        if (off / most > worst) {
            worst = off / most;
            worst_at = element;
            error = off;
            bound = most;
            was = (double)v[element];
            is = numeric;
        }
    }
    free(v);
    if (status != STRATA_OK) return status;
    char why[160] = "", promise[64];
    if (worst > 1)
        snprintf(why, sizeof why, "element %llu: the backward pass says %.6g, differences %.6g",
                 (unsigned long long)worst_at, was, is);
    snprintf(promise, sizeof promise, "%s by differences", g->name);
    strata_judge_tell(j, &(strata_doctor_line) { .op = row->op,
                                                 .options = row->options ? row->options : "",
                                                 .variant = "reference",
                                                 .tensor = promise,
                                                 .sizes = d->sizes,
                                                 .error = error,
                                                 .bound = bound,
                                                 .passed = worst <= 1,
                                                 .why = why });
    return STRATA_OK;
}

static strata_status take_room(slopes *d)
{
    uint64_t bytes = d->bench.block.bytes;
    d->image = malloc(bytes);
    d->result.forward = malloc(bytes);
    d->result.backward = malloc(bytes);
    d->values = malloc(2 * bytes);
    if (!d->image || !d->result.forward || !d->result.backward || !d->values)
        return strata_fail(STRATA_NO_MEMORY, "no memory for a check");
    return STRATA_OK;
}

static void free_slopes(slopes *d)
{
    bench_close(&d->bench);
    free(d->image);
    free(d->result.forward);
    free(d->result.backward);
    free(d->values);
    free(d);
}

/* The first case of the row that the op takes and that is small. */
static strata_status open_small(slopes *d, strata_judge *j, const strata_row *row, bool *found)
{
    strata_judge full = { .depth = STRATA_JUDGE_FULL };
    *found = false;
    for (uint32_t i = 0; !*found && pattern_case(d->sizes, sizeof d->sizes, &full, row, i); i++) {
        bool skip;
        STRATA_TRY(pattern_read(&d->pattern, row, d->sizes));
        STRATA_TRY(bench_open(&d->bench, j->reference, &d->pattern, row, &skip));
        *found = !skip && strata_shape_floats(d->pattern.in[0].shape) <= 4096;
        if (!*found) bench_close(&d->bench);
    }
    return STRATA_OK;
}

strata_status strata_judge_differences(strata_judge *j, const strata_row *row)
{
    strata_status status = STRATA_OK;
    const strata_op *op = strata_op_find(row->op);
    bool found;
    if (!op) return strata_fail(STRATA_BAD_ARG, "a row for '%s', which is no operation", row->op);
    if (op->view || (row->flags & STRATA_ROW_NO_DIFFERENCES)) return STRATA_OK;
    slopes *d = calloc(1, sizeof *d);
    if (!d) return strata_fail(STRATA_NO_MEMORY, "no memory for a check");
    STRATA_GO(open_small(d, j, row, &found));
    if (!found)
        STRATA_GO(strata_fail(STRATA_BAD_ARG, "row %s \"%s\" has no small case", row->op, row->options));
    STRATA_GO(take_room(d));
    bench_fill(&d->bench, d->image, 2, false);
    d->step = 0x1p-6;
    if (row->flags & STRATA_ROW_KINKS) fill_lattice(d, row);
    for (uint32_t i = 0; i < d->bench.n_pieces; i++)
        if (bench_wants(&d->bench, i, &training)) STRATA_GO(judge_piece(d, j, row, &d->bench.piece[i]));
done:
    free_slopes(d);
    return status;
}

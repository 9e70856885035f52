/* Reference for shaders/winograd2.comp: same arguments, plain loops, sums in double. */
#include "core/thread.h"
#include "cpu/epilogue.h"
#include "winograd2.args.h"

enum { POINTS = 16, ROUND = 8, LINE = 8 }; /* quads of a panel */

/* B^T, A^T and G of F(2x2,3x3), as they stand in the paper. */
static const double input[4][4] = { { 1, 0, -1, 0 }, { 0, 1, 1, 0 }, { 0, -1, 1, 0 }, { 0, 1, 0, -1 } };
static const double output[2][4] = { { 1, 1, 1, 0 }, { 0, 1, -1, -1 } };
static const double weight[4][3] = { { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 }, { 0, 0, 1 } };

/* A pixel's place in a tensor [images, h, w, quads], in floats; -1 outside of the image. */
static int64_t place_of(uint32_t n, int64_t h, int64_t w, uint32_t high, uint32_t wide, uint32_t quads)
{
    if (h < 0 || w < 0 || h >= high || w >= wide) return -1;
    return ((n * (int64_t)high + h) * wide + w) * 4 * quads;
}

/* The window of a tile at the points, one channel: zero outside of the image. */
static void points_of_window(double v[POINTS], const struct winograd2_args *a, uint32_t tile, uint32_t c)
{
    const float *x = strata_slice_host(a->x);
    const uint32_t line = tile / a->tiles_w, n = line / a->tiles_h;
    for (int f = 0; f < POINTS; f++) v[f] = 0;
    for (int k = 0; k < 16 && c < a->depth; k++) {
        const int64_t h = 2 * (int64_t)(line % a->tiles_h) - a->pad_h + k / 4,
                      w = 2 * (int64_t)(tile % a->tiles_w) - a->pad_w + k % 4;
        const int64_t from = place_of(n, h, w, a->x_h, a->x_w, a->x_quads);
        for (int f = 0; f < POINTS && from >= 0; f++)
            v[f] += input[f / 4][k / 4] * input[f % 4][k % 4] * (double)x[from + c];
    }
}

/* The float of y under pixel k of a tile, of channel 0; -1 outside of the image. */
static int64_t pixel_of(const struct winograd2_args *a, uint32_t tile, uint32_t k)
{
    const uint32_t line = tile / a->tiles_w;
    return place_of(line / a->tiles_h, 2 * (int64_t)(line % a->tiles_h) + k / 2,
                    2 * (int64_t)(tile % a->tiles_w) + k % 2, a->y_h, a->y_w, a->y_quads);
}

static void write_pixels(void *context, uint32_t tile)
{
    const struct winograd2_args *a = context;
    const uint32_t rows = (4 * a->x_quads + ROUND - 1) / ROUND * ROUND;
    const epilogue end = epilogue_of(a->start, strata_slice_host(a->table), 4 * (size_t)a->y_quads,
                                     strata_slice_host(a->z));
    const float *u = strata_slice_host(a->by), *bias = strata_slice_host(a->bias);
    float *y = strata_slice_host(a->to);
    for (uint32_t o = 0; o < 4 * a->y_quads; o++) {
        double m[POINTS] = { 0 };
        for (uint32_t c = 0; c < a->depth; c++) {
            const uint32_t panel = o / (4 * LINE);
            double v[POINTS];
            points_of_window(v, a, tile, c);
            for (uint32_t f = 0; f < POINTS; f++)
                m[f] += v[f] *
                        (double)u[(((size_t)panel * rows + c) * POINTS + f) * 4 * LINE + o % (4 * LINE)];
        }
        for (uint32_t k = 0; k < 4; k++) {
            const int64_t to = pixel_of(a, tile, k);
            if (to < 0) continue;
            double sum = end.start == START_BIAS ? (double)bias[o] : 0;
            if (end.start == START_OLD) sum = (double)y[to + o];
            for (uint32_t f = 0; f < POINTS; f++) sum += output[k / 2][f / 4] * output[k % 2][f % 4] * m[f];
            y[to + o] = epilogue_end(&end, sum, o, (size_t)to + o);
        }
    }
}

/* A tile of dy at the points, one channel. */
static void points_of_tile(double m[POINTS], const struct winograd2_args *a, uint32_t tile, uint32_t o)
{
    const float *dy = strata_slice_host(a->by);
    for (int f = 0; f < POINTS; f++) m[f] = 0;
    for (uint32_t k = 0; k < 4 && o < a->width; k++) {
        const int64_t from = pixel_of(a, tile, k);
        for (uint32_t f = 0; f < POINTS && from >= 0; f++)
            m[f] += output[k / 2][f / 4] * output[k % 2][f % 4] * (double)dy[from + o];
    }
}

/* One chunk, a row of dw for all taps. */
static void write_row(const struct winograd2_args *a, uint32_t chunk, uint32_t c)
{
    const uint32_t all = a->images * a->tiles_h * a->tiles_w, span = chunk / a->parts,
                   first = span * a->span + chunk % a->parts * a->chunk;
    uint32_t end = first + a->chunk;
    if (end > (span + 1) * a->span) end = (span + 1) * a->span;
    if (end > all) end = all;
    float *dw = strata_slice_host(a->to);
    for (uint32_t o = 0; o < 4 * a->y_quads; o++) {
        double sum[POINTS] = { 0 };
        for (uint32_t tile = first; tile < end; tile++) {
            double v[POINTS], m[POINTS];
            points_of_window(v, a, tile, c);
            points_of_tile(m, a, tile, o);
            for (int f = 0; f < POINTS; f++) sum[f] += v[f] * m[f];
        }
        for (uint32_t t = 0; t < 9; t++) {
            const size_t tap = (size_t)(a->chunk_first + chunk) * 9 + t;
            float *to = &dw[(tap * 4 * a->x_quads + c) * 4 * a->y_quads + o];
            double tap_sum = a->start == START_OLD ? (double)*to : 0;
            for (uint32_t f = 0; f < POINTS; f++)
                tap_sum += weight[f / 4][t / 3] * weight[f % 4][t % 3] * sum[f];
            *to = (float)tap_sum;
        }
    }
}

static void write_rows(void *context, uint32_t c)
{
    const struct winograd2_args *a = context;
    const uint32_t tiles = a->images * a->tiles_h * a->tiles_w;
    for (uint32_t chunk = 0; chunk / a->parts * a->span < tiles; chunk++) write_row(a, chunk, c);
}

void strata_cpu_winograd2(const struct winograd2_args *a, strata_pass pass)
{
    struct winograd2_args copy = *a;
    if (pass == STRATA_BACKWARD_W)
        strata_thread_for(4 * a->x_quads, write_rows, &copy);
    else
        strata_thread_for(a->images * a->tiles_h * a->tiles_w, write_pixels, &copy);
}

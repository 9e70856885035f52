/* Reference for shaders/conv2d_weight.comp: same arguments, plain loops, sums in double. Four rows of dw,
 * which are four channels of one tap, are summed at a time; each sum stays in one thread. */
#include "conv2d_weight.args.h"
#include "core/thread.h"

enum { START_ZERO = 0, START_OLD = 2 };
enum { ROWS = 4, COLS = 256 };

typedef struct work {
    const struct conv2d_weight_args *a;
    const float *x, *dy;
    float *dw;
    uint32_t tap_rows;        /* stored rows of one tap */
    uint32_t tap_runs;        /* runs of up to four of them */
    uint32_t run_begin, runs; /* of this launch, of one chunk */
} work;

/* Up to four rows: channels c .. of one tap. */
typedef struct run {
    int32_t top, left; /* where the tap begins */
    uint32_t c, n;
    float *to; /* their first row */
} run;

static const float *source_of(const work *k, const run *rows, uint32_t pixel)
{
    const struct conv2d_weight_args *a = k->a;
    uint32_t q = pixel % a->y_w, line = pixel / a->y_w, p = line % a->y_h, n = line / a->y_h;
    int32_t h = (int32_t)p * a->stride_h + rows->top, v = (int32_t)q * a->stride_w + rows->left;
    if (h < 0 || v < 0 || (uint32_t)h >= a->x_h || (uint32_t)v >= a->x_w) return NULL;
    return k->x + (((size_t)n * a->x_h + (uint32_t)h) * a->x_w + (uint32_t)v) * 4 * a->x_quads;
}

/* sum[i][o] += x[i] * dy[o] */
static void add_products(double sum[ROWS][COLS], const float x[ROWS], const float *dy, uint32_t n)
{
    const double x0 = (double)x[0], x1 = (double)x[1], x2 = (double)x[2], x3 = (double)x[3];
    for (uint32_t o = 0; o < n; o++) {
        double v = (double)dy[o];
        sum[0][o] += x0 * v;
        sum[1][o] += x1 * v;
        sum[2][o] += x2 * v;
        sum[3][o] += x3 * v;
    }
}

/* Columns [col, col + n_cols) of a run, over pixels [begin, end); `channel` is the first of their group in x.
 */
static void sum_block(const work *k, const run *rows, uint32_t channel, uint32_t col, uint32_t n_cols,
                      const uint32_t pixels[2])
{
    const struct conv2d_weight_args *a = k->a;
    const size_t cols = 4 * (size_t)a->y_quads;
    const uint32_t real = rows->c >= a->depth            ? 0
                          : a->depth - rows->c < rows->n ? a->depth - rows->c
                                                         : rows->n;
    double sum[ROWS][COLS] = { 0 };
    if (a->start == START_OLD)
        for (uint32_t i = 0; i < real; i++)
            for (uint32_t o = 0; o < n_cols; o++) sum[i][o] = (double)rows->to[i * cols + col + o];
    for (uint32_t pixel = pixels[0]; pixel < pixels[1]; pixel++) {
        const float *from = source_of(k, rows, pixel);
        if (!from) continue;
        float x[ROWS] = { 0 };
        for (uint32_t i = 0; i < real; i++) x[i] = from[channel + rows->c + i];
        add_products(sum, x, k->dy + pixel * cols + col, n_cols);
    }
    for (uint32_t i = 0; i < rows->n; i++)
        for (uint32_t o = 0; o < n_cols; o++) rows->to[i * cols + col + o] = i < real ? (float)sum[i][o] : 0;
}

static void sum_run(void *context, uint32_t item)
{
    const work *k = context;
    const struct conv2d_weight_args *a = k->a;
    const size_t cols = 4 * (size_t)a->y_quads;
    const uint32_t z = item / k->runs, place = k->run_begin + item % k->runs;
    const uint32_t tap = place / k->tap_runs, c = place % k->tap_runs * ROWS;
    const uint32_t row = tap * k->tap_rows + c, n = k->tap_rows - c < ROWS ? k->tap_rows - c : ROWS;
    const uint32_t rows = a->row_end - a->row_begin;
    const run r = { (int32_t)(tap / a->kernel_w) * a->dilation_h - a->pad_h,
                    (int32_t)(tap % a->kernel_w) * a->dilation_w - a->pad_w, c, n,
                    k->dw + ((size_t)(a->chunk_first + z) * rows + row - a->row_begin) * cols };

    uint64_t pixels = (uint64_t)a->images * a->y_h * a->y_w,
             span_end = (uint64_t)(z / a->parts + 1) * a->span;
    uint64_t begin = (uint64_t)(z / a->parts) * a->span + (uint64_t)(z % a->parts) * a->chunk;
    uint64_t end = begin + a->chunk;
    if (end > span_end) end = span_end;
    if (end > pixels) end = pixels;
    const uint32_t range[2] = { (uint32_t)begin, (uint32_t)end };

    for (uint32_t g = 0; g < a->groups; g++)
        for (uint32_t o = 0; o < a->width; o += COLS)
            sum_block(k, &r, g * a->depth, g * a->width + o, a->width - o < COLS ? a->width - o : COLS,
                      range);
    for (uint32_t i = 0; i < n; i++)
        for (size_t o = a->groups * a->width; o < cols; o++) r.to[i * cols + o] = 0;
}

void strata_cpu_conv2d_weight(const struct conv2d_weight_args *a, strata_pass pass)
{
    (void)pass;
    work k = { .a = a,
               .x = strata_slice_host(a->x),
               .dy = strata_slice_host(a->dy),
               .dw = strata_slice_host(a->dw),
               .tap_rows = a->groups == 1 ? 4 * a->x_quads : a->depth };
    k.tap_runs = (k.tap_rows + ROWS - 1) / ROWS;
    /* A launch has whole taps, or, with one group, whole quads of channels. */
    k.run_begin = a->groups == 1 ? a->row_begin / ROWS : a->row_begin / k.tap_rows * k.tap_runs;
    k.runs = (a->groups == 1 ? a->row_end / ROWS : a->row_end / k.tap_rows * k.tap_runs) - k.run_begin;
    strata_thread_for(a->chunks * k.runs, sum_run, &k);
}

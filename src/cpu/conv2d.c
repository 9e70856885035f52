/* Reference for shaders/conv2d.comp: same arguments, plain loops, sums in double. Rows are taken four at a
 * time, so that a weight is converted once for four products; each sum stays in one thread. */
#include "conv2d.args.h"
#include "core/thread.h"
#include "cpu/epilogue.h"

enum { ROWS = 4, COLS = 256, ROWS_OF_WORK = 64 };

typedef struct work {
    const struct conv2d_args *a;
    const float *x, *w, *bias;
    float *y;
    epilogue end;
} work;

typedef struct pixel {
    size_t image;      /* lines of x before its image */
    int32_t top, left; /* where its first tap reads */
    float *to;         /* its pixel of y */
} pixel;

static pixel pixel_of_row(const work *k, uint32_t row)
{
    const struct conv2d_args *a = k->a;
    uint32_t line = row / a->rows_w, j = row % a->rows_w, n = line / a->rows_h, i = line % a->rows_h;
    size_t to = a->y_first + (size_t)n * a->y_image + (size_t)i * a->y_line + (size_t)j * a->y_step;
    return (pixel) { (size_t)n * a->x_h, (int32_t)i * a->mul_h + a->first_h,
                     (int32_t)j * a->mul_w + a->first_w, k->y + to * 4 * a->y_quads };
}

/* The pixel of x under tap (r, s), or NULL. */
static const float *source_of(const work *k, const pixel *at, int32_t r, int32_t s)
{
    const struct conv2d_args *a = k->a;
    int32_t h = at->top + r * a->step_h, v = at->left + s * a->step_w;
    if (h < 0 || v < 0 || (uint32_t)h >= a->x_h || (uint32_t)v >= a->x_w) return NULL;
    return k->x + ((at->image + (uint32_t)h) * a->x_w + (uint32_t)v) * 4 * a->x_quads;
}

/* sum[i][c] += x[i] * w[c] */
static void add_products(double sum[ROWS][COLS], const double x[ROWS], const float *w, uint32_t n)
{
    for (uint32_t c = 0; c < n; c++) {
        double v = (double)w[c];
        sum[0][c] += x[0] * v;
        sum[1][c] += x[1] * v;
        sum[2][c] += x[2] * v;
        sum[3][c] += x[3] * v;
    }
}

/* Columns [col, col + n_cols) of up to four rows; `channel` is the first of their group in x. */
static void sum_block(const work *k, const pixel *at, uint32_t n_rows, uint32_t channel, uint32_t col,
                      uint32_t n_cols)
{
    const struct conv2d_args *a = k->a;
    const uint32_t start = k->end.start;
    double sum[ROWS][COLS];
    for (uint32_t i = 0; i < ROWS; i++)
        for (uint32_t c = 0; c < n_cols; c++) {
            sum[i][c] = start == START_BIAS ? (double)k->bias[col + c] : 0;
            if (start == START_OLD && i < n_rows) sum[i][c] = (double)at[i].to[col + c];
        }
    const uint32_t end = 4 * a->quad_end < a->depth ? 4 * a->quad_end : a->depth;
    for (uint32_t t = a->tap_begin; t < a->tap_end; t++) {
        int32_t r = (int32_t)(t / a->taps_w), s = (int32_t)(t % a->taps_w);
        const float *from[ROWS] = { 0 };
        for (uint32_t i = 0; i < n_rows; i++) from[i] = source_of(k, &at[i], r, s);
        if (!from[0] && !from[1] && !from[2] && !from[3]) continue;
        int64_t quad = (int64_t)a->w_first + (int64_t)r * a->w_step_h + (int64_t)s * a->w_step_w;
        for (uint32_t c = 4 * a->quad_begin; c < end; c++) {
            double x[ROWS];
            for (uint32_t i = 0; i < ROWS; i++) x[i] = from[i] ? (double)from[i][channel + c] : 0;
            add_products(sum, x, k->w + 4 * (quad + (int64_t)c * a->y_quads) + col, n_cols);
        }
    }
    for (uint32_t i = 0; i < n_rows; i++)
        for (uint32_t c = 0; c < n_cols; c++)
            at[i].to[col + c] = epilogue_end(&k->end, sum[i][c], col + c,
                                             (size_t)(at[i].to - k->y) + col + c);
}

static void rows(void *context, uint32_t item)
{
    const work *k = context;
    const struct conv2d_args *a = k->a;
    const uint32_t all = a->images * a->rows_h * a->rows_w;
    const uint32_t begin = item * ROWS_OF_WORK, end = all - begin < ROWS_OF_WORK ? all : begin + ROWS_OF_WORK;
    for (uint32_t row = begin; row < end; row += ROWS) {
        uint32_t n = end - row < ROWS ? end - row : ROWS;
        pixel at[ROWS];
        for (uint32_t i = 0; i < n; i++) at[i] = pixel_of_row(k, row + i);
        for (uint32_t g = 0; g < a->groups; g++)
            for (uint32_t c = 0; c < a->width; c += COLS)
                sum_block(k, at, n, g * a->depth, g * a->width + c,
                          a->width - c < COLS ? a->width - c : COLS);
    }
}

void strata_cpu_conv2d(const struct conv2d_args *a, strata_pass pass)
{
    (void)pass; /* both are one gather */
    work k = { a,
               strata_slice_host(a->x),
               strata_slice_host(a->w),
               strata_slice_host(a->bias),
               strata_slice_host(a->y),
               epilogue_of(a->start, strata_slice_host(a->table), 4 * (size_t)a->y_quads,
                           strata_slice_host(a->z)) };
    uint32_t all = a->images * a->rows_h * a->rows_w;
    strata_thread_for((all + ROWS_OF_WORK - 1) / ROWS_OF_WORK, rows, &k);
}

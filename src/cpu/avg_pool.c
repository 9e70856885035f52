/* Reference for shaders/avg_pool.comp: same arguments, plain loops, sums in double. */
#include "avg_pool.args.h"
#include "core/thread.h"
#include "cpu/pool.h"

typedef struct work {
    const struct avg_pool_args *a;
    axis down, across;
    size_t lanes;
    const float *x, *dy;
    float *y, *dx;
} work;

static double size_of(const work *w, int64_t oh, int64_t ow)
{
    const bool pads = w->a->count_pads;
    return (double)(axis_count(&w->down, oh, pads) * axis_count(&w->across, ow, pads));
}

static double forward_one(const work *w, size_t n, int64_t oh, int64_t ow, size_t c)
{
    double sum = 0;
    for (int64_t r = axis_start(&w->down, oh); r < axis_end(&w->down, oh); r++)
        for (int64_t s = axis_start(&w->across, ow); s < axis_end(&w->across, ow); s++)
            if (r >= 0 && r < w->down.size && s >= 0 && s < w->across.size)
                sum += (double)w->x[((n * w->a->h + (size_t)r) * w->a->w + (size_t)s) * w->lanes + c];
    return sum;
}

static void forward(void *context, uint32_t n)
{
    const work *w = context;
    float *y = w->y + (size_t)n * w->a->out_h * w->a->out_w * w->lanes;
    for (uint32_t oh = 0; oh < w->a->out_h; oh++)
        for (uint32_t ow = 0; ow < w->a->out_w; ow++) {
            const double size = size_of(w, oh, ow);
            for (size_t c = 0; c < w->lanes; c++) *y++ = (float)(forward_one(w, n, oh, ow, c) / size);
        }
}

/* Add to sum[4] the gradients of four channels from c on. */
static void gather(double *sum, const work *w, size_t n, int64_t r, int64_t s, size_t c)
{
    for (int64_t oh = axis_first_holder(&w->down, r); oh < w->down.out && axis_start(&w->down, oh) <= r;
         oh++) {
        if (!axis_holds(&w->down, oh, r)) continue;
        for (int64_t ow = axis_first_holder(&w->across, s);
             ow < w->across.out && axis_start(&w->across, ow) <= s; ow++) {
            if (!axis_holds(&w->across, ow, s)) continue;
            const double size = size_of(w, oh, ow);
            size_t o = ((n * w->a->out_h + (size_t)oh) * w->a->out_w + (size_t)ow) * w->lanes + c;
            for (int j = 0; j < 4; j++) sum[j] += (double)w->dy[o + (size_t)j] / size;
        }
    }
}

static void backward(void *context, uint32_t n)
{
    const work *w = context;
    float *dx = w->dx + (size_t)n * w->a->h * w->a->w * w->lanes;
    for (uint32_t r = 0; r < w->a->h; r++)
        for (uint32_t s = 0; s < w->a->w; s++)
            for (size_t c = 0; c < w->lanes; c += 4, dx += 4) {
                double sum[4] = { 0 };
                gather(sum, w, n, r, s, c);
                for (int j = 0; j < 4; j++) dx[j] = (float)(w->a->add_dx ? (double)dx[j] + sum[j] : sum[j]);
            }
}

void strata_cpu_avg_pool(const struct avg_pool_args *a, strata_pass pass)
{
    work w = {
        .a = a,
        .down = { a->h, a->out_h, a->kernel_h, a->stride_h, a->pad_h, 1, a->adaptive },
        .across = { a->w, a->out_w, a->kernel_w, a->stride_w, a->pad_w, 1, a->adaptive },
        .lanes = 4 * (size_t)a->quads,
        .x = strata_slice_host(a->x),
        .y = strata_slice_host(a->y),
        .dx = strata_slice_host(a->dx),
        .dy = strata_slice_host(a->dy),
    };
    strata_thread_for(a->images, pass == STRATA_FORWARD ? forward : backward, &w);
}

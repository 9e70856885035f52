/* Reference for shaders/max_pool.comp: same arguments, plain loops; each gradient is summed in double. */
#include <math.h>

#include "max_pool.args.h"
#include "core/thread.h"
#include "cpu/pool.h"

enum { AT_FIRST = 0x3f800000 }; /* of the shader */

typedef struct work {
    const struct max_pool_args *a;
    axis down, across;
    size_t lanes;
    const float *x, *dy;
    float *y, *dx;
    uint32_t *at;
} work;

static void forward_one(const work *w, size_t n, int64_t oh, int64_t ow, size_t c)
{
    float best = -INFINITY;
    uint32_t best_at = UINT32_MAX;
    for (int64_t r = axis_start(&w->down, oh); r < axis_end(&w->down, oh); r += w->down.dilation)
        for (int64_t s = axis_start(&w->across, ow); s < axis_end(&w->across, ow); s += w->across.dilation) {
            if (r < 0 || r >= w->down.size || s < 0 || s >= w->across.size) continue;
            uint32_t at = (uint32_t)(r * w->across.size + s);
            float v = w->x[((n * w->a->h * w->a->w) + at) * w->lanes + c];
            if (v > best || isnan(v) || best_at == UINT32_MAX) {
                best = v;
                best_at = at;
            }
        }
    size_t o = ((n * w->a->out_h + (size_t)oh) * w->a->out_w + (size_t)ow) * w->lanes + c;
    w->y[o] = best;
    if (w->at) w->at[o] = AT_FIRST + best_at;
}

static void forward(void *context, uint32_t n)
{
    const work *w = context;
    for (uint32_t oh = 0; oh < w->a->out_h; oh++)
        for (uint32_t ow = 0; ow < w->a->out_w; ow++)
            for (size_t c = 0; c < w->lanes; c++) forward_one(w, n, oh, ow, c);
}

static double gradient(const work *w, size_t n, int64_t r, int64_t s, size_t c)
{
    double sum = 0;
    const uint32_t here = AT_FIRST + (uint32_t)(r * w->across.size + s);
    for (int64_t oh = axis_first_holder(&w->down, r); oh < w->down.out && axis_start(&w->down, oh) <= r; oh++)
        for (int64_t ow = axis_first_holder(&w->across, s);
             ow < w->across.out && axis_start(&w->across, ow) <= s; ow++) {
            size_t o = ((n * w->a->out_h + (size_t)oh) * w->a->out_w + (size_t)ow) * w->lanes + c;
            if (w->at[o] == here) sum += (double)w->dy[o];
        }
    return sum;
}

static void backward(void *context, uint32_t n)
{
    const work *w = context;
    float *dx = w->dx + (size_t)n * w->a->h * w->a->w * w->lanes;
    for (uint32_t r = 0; r < w->a->h; r++)
        for (uint32_t s = 0; s < w->a->w; s++)
            for (size_t c = 0; c < w->lanes; c++, dx++) {
                double sum = gradient(w, n, r, s, c);
                *dx = (float)(w->a->add_dx ? (double)*dx + sum : sum);
            }
}

void strata_cpu_max_pool(const struct max_pool_args *a, strata_pass pass)
{
    work w = {
        .a = a,
        .down = { a->h, a->out_h, a->kernel_h, a->stride_h, a->pad_h, a->dilation_h, a->adaptive },
        .across = { a->w, a->out_w, a->kernel_w, a->stride_w, a->pad_w, a->dilation_w, a->adaptive },
        .lanes = 4 * (size_t)a->quads,
        .x = strata_slice_host(a->x),
        .y = strata_slice_host(a->y),
        .at = pass == STRATA_EVALUATE ? NULL : strata_slice_host(a->at),
        .dx = strata_slice_host(a->dx),
        .dy = strata_slice_host(a->dy),
    };
    strata_thread_for(a->images, pass == STRATA_BACKWARD ? backward : forward, &w);
}

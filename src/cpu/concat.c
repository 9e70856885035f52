/* Reference for shaders/concat.comp: same arguments, channel by channel. */
#include "concat.args.h"
#include "core/thread.h"

typedef struct work {
    const struct concat_args *a;
    const float *x, *dy;
    float *y, *dx;
} work;

static void forward(void *context, uint32_t n)
{
    const work *w = context;
    for (size_t p = (size_t)n * w->a->pixels; p < (size_t)(n + 1) * w->a->pixels; p++)
        for (size_t c = 0; c < w->a->channels; c++)
            w->y[p * w->a->out_quads * 4 + w->a->offset + c] = w->x[p * w->a->quads * 4 + c];
}

static void backward(void *context, uint32_t n)
{
    const work *w = context;
    for (size_t p = (size_t)n * w->a->pixels; p < (size_t)(n + 1) * w->a->pixels; p++)
        for (size_t c = 0; c < w->a->channels; c++) {
            float *dx = &w->dx[p * w->a->quads * 4 + c];
            double d = (double)w->dy[p * w->a->out_quads * 4 + w->a->offset + c];
            *dx = (float)(w->a->add_dx ? (double)*dx + d : d);
        }
}

void strata_cpu_concat(const struct concat_args *a, strata_pass pass)
{
    work w = { a, strata_slice_host(a->x), strata_slice_host(a->dy), strata_slice_host(a->y),
               strata_slice_host(a->dx) };
    strata_thread_for(a->images, pass == STRATA_FORWARD ? forward : backward, &w);
}

/* Reference for shaders/add.comp: same arguments, each element in double. */
#include "add.args.h"
#include "core/thread.h"

enum { NOTHING, ASSIGN, ADD };

typedef struct work {
    const struct add_args *a;
    const float *x0, *x1, *dy;
    float *y, *dx0, *dx1;
} work;

static void forward(void *context, uint32_t n)
{
    const work *w = context;
    size_t floats = 4 * (size_t)w->a->image_quads, first = n * floats;
    for (size_t i = first; i < first + floats; i++) w->y[i] = (float)((double)w->x0[i] + (double)w->x1[i]);
}

static void give(float *dx, float dy, uint32_t how)
{
    if (how == ASSIGN) *dx = dy;
    if (how == ADD) *dx = (float)((double)*dx + (double)dy);
}

static void backward(void *context, uint32_t n)
{
    const work *w = context;
    size_t floats = 4 * (size_t)w->a->image_quads, first = n * floats;
    for (size_t i = first; i < first + floats; i++) {
        if (w->a->do_dx0 != NOTHING) give(w->dx0 + i, w->dy[i], w->a->do_dx0);
        if (w->a->do_dx1 != NOTHING) give(w->dx1 + i, w->dy[i], w->a->do_dx1);
    }
}

void strata_cpu_add(const struct add_args *a, strata_pass pass)
{
    work w = { a,
               strata_slice_host(a->x0),
               strata_slice_host(a->x1),
               strata_slice_host(a->dy),
               strata_slice_host(a->y),
               strata_slice_host(a->dx0),
               strata_slice_host(a->dx1) };
    strata_thread_for(a->images, pass == STRATA_FORWARD ? forward : backward, &w);
}

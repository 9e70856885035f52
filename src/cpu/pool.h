/* Windows along one axis for the pooling references, in the plainest words: is this place in that window?
 * Twin: shaders/pool.glsl, which computes the bounds of its loops instead. */
#ifndef STRATA_CPU_POOL_H
#define STRATA_CPU_POOL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct axis {
    int64_t size, out, kernel, stride, pad, dilation;
    bool adaptive;
} axis;

/* The first place of window o and the one after its last; not yet cut to the input. */
static inline int64_t axis_start(const axis *a, int64_t o)
{
    return a->adaptive ? o * a->size / a->out : o * a->stride - a->pad;
}

static inline int64_t axis_end(const axis *a, int64_t o)
{
    if (a->adaptive) return ((o + 1) * a->size + a->out - 1) / a->out;
    return o * a->stride - a->pad + (a->kernel - 1) * a->dilation + 1;
}

/* The number of taps of window o that lie in [-pad, size + pad), or, without pads, in [0, size). */
static inline int64_t axis_count(const axis *a, int64_t o, bool pads)
{
    int64_t n = 0, margin = pads ? a->pad : 0;
    for (int64_t i = axis_start(a, o); i < axis_end(a, o); i += a->dilation)
        if (i >= -margin && i < a->size + margin) n++;
    return n;
}

static inline bool axis_holds(const axis *a, int64_t o, int64_t i)
{
    return i >= axis_start(a, o) && i < axis_end(a, o) && (i - axis_start(a, o)) % a->dilation == 0;
}

/* No window before this one holds place i. Windows start in order, and so do their ends. */
static inline int64_t axis_first_holder(const axis *a, int64_t i)
{
    int64_t o = a->adaptive ? i * a->out / a->size - 1
                            : (i + a->pad - (a->kernel - 1) * a->dilation) / a->stride - 1;
    return o < 0 ? 0 : o;
}

#endif

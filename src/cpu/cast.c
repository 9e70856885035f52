/* Reference for shaders/cast.comp: same arguments. */
#include "cast.args.h"
#include "core/thread.h"
#include "cpu/update.h"

enum { SHARE = 1 << 14 }; /* quads */

static void cast_share(void *context, uint32_t share)
{
    const struct cast_args *a = context;
    const float *from = strata_slice_host(a->from), *state = strata_slice_host(a->state);
    const double scale = a->scaled ? (double)update_loss_scale(state[4]) : 1;
    float *to = strata_slice_host(a->to);
    const size_t end = (size_t)(share + 1) * SHARE < a->quads ? (size_t)(share + 1) * SHARE : a->quads;
    for (size_t i = 4 * (size_t)share * SHARE; i < 4 * end; i++) to[i] = (float)(scale * (double)from[i]);
}

void strata_cpu_cast(const struct cast_args *a, strata_pass pass)
{
    (void)pass;
    struct cast_args copy = *a;
    strata_thread_for((a->quads + SHARE - 1) / SHARE, cast_share, &copy);
}

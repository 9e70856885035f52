/* Reference for shaders/batch_norm.comp: same arguments, in double. One thread takes SHARE pixels. */
#include "core/thread.h"
#include "batch_norm.args.h"

enum { QUAD = 4, SHARE = 256 };
enum { NOTHING, ASSIGN, ADD }; /* of the shader */

static float *host(strata_slice s) { return strata_slice_host(s); }

/* Row `row` of the table, or of coef. */
static double number(strata_slice s, const struct batch_norm_args *a, uint32_t row, uint32_t c)
{
    return (double)host(s)[(size_t)QUAD * a->quads * row + c];
}

static void forward(void *context, uint32_t share)
{
    const struct batch_norm_args *a = context;
    for (uint32_t p = share * SHARE; p < (share + 1) * SHARE && p < a->pixels; p++)
        for (uint32_t c = 0; c < a->channels; c++) {
            const size_t i = (size_t)p * QUAD * a->quads + c;
            double v = ((double)host(a->x)[i] - number(a->table, a, 0, c)) * number(a->table, a, 2, c) +
                       number(a->table, a, 3, c);
            if (a->sum) v += (double)host(a->z)[i];
            if (a->relu && v <= 0) v = 0;
            host(a->y)[i] = (float)v;
        }
}

static void put(float *to, uint32_t what, double d)
{
    if (what != NOTHING) *to = (float)(what == ADD ? (double)*to + d : d);
}

static void backward(void *context, uint32_t share)
{
    const struct batch_norm_args *a = context;
    for (uint32_t p = share * SHARE; p < (share + 1) * SHARE && p < a->pixels; p++)
        for (uint32_t c = 0; c < a->channels; c++) {
            const size_t i = (size_t)p * QUAD * a->quads + c;
            double d = (double)host(a->dy)[i];
            if (a->relu && (double)host(a->y)[i] <= 0) d = 0;
            if (a->do_dz != NOTHING) put(host(a->dz) + i, a->do_dz, d);
            if (a->do_dx == NOTHING) continue;
            if (!a->frozen)
                d -= number(a->coef, a, 0, c) +
                     ((double)host(a->x)[i] - number(a->table, a, 0, c)) * number(a->coef, a, 1, c);
            put(host(a->dx) + i, a->do_dx, d * number(a->table, a, 2, c));
        }
}

void strata_cpu_batch_norm(const struct batch_norm_args *a, strata_pass pass)
{
    const uint32_t shares = (a->pixels + SHARE - 1) / SHARE;
    strata_thread_for(shares, pass == STRATA_FORWARD ? forward : backward, (void *)a);
}

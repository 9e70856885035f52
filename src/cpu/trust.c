/* Reference for shaders/trust.comp: same arguments, plain loops, sums in double. */
#include <math.h>

#include "core/thread.h"
#include "cpu/update.h"
#include "trust.args.h"

static void piece(void *context, uint32_t i)
{
    const struct trust_args *a = context;
    const update_piece *p = (const update_piece *)strata_slice_host(a->pieces) + a->first_piece + i;
    const update_rate *rate = (const update_rate *)strata_slice_host(a->rates) + p->row;
    const size_t at = (size_t)(p->first - a->first) * UPDATE_BLOCK;
    const float *w = (const float *)strata_slice_host(a->w) + at,
                *g = (const float *)strata_slice_host(a->g) + at;
    float *partial = (float *)strata_slice_host(a->partial) + 2 * (size_t)(a->first_piece + i);
    double sum[2] = { 0 };
    if (rate->flags & UPDATE_TRUST)
        for (size_t k = 0; k < (size_t)p->blocks * UPDATE_BLOCK; k++)
            update_add(sum, (double)w[k], (double)g[k]);
    partial[0] = (float)sum[0], partial[1] = (float)sum[1];
}

static double ratio_of(const struct trust_args *a, const update_rate *rate, double w, double u)
{
    double t = 1;
    if (!(rate->flags & UPDATE_TRUST)) return 1;
    if (a->lars) u *= (double)((const float *)strata_slice_host(a->state))[2];
    if (w > 0 && u > 0)
        t = a->lars ? (double)a->coefficient * w / (u + (double)rate->decay * w + (double)rate->eps) : w / u;
    return a->most == 0 ? t : fmin(a->lars ? t / (double)rate->beta2 : t, (double)a->most);
}

static void finish(const struct trust_args *a, uint32_t row, strata_pass pass)
{
    const update_piece *p = strata_slice_host(a->pieces);
    const update_rate *rates = strata_slice_host(a->rates);
    const float *partial = strata_slice_host(a->partial);
    float *trust = strata_slice_host(a->trust), *moved = strata_slice_host(a->moved);
    double sum[2] = { 0 };
    for (uint32_t i = 0; i < a->n_pieces; i++) {
        if (p[i].row != row) continue;
        sum[0] += (double)partial[2 * i];
        sum[1] += (double)partial[2 * i + 1];
    }
    const double w = sqrt(sum[0]), u = sqrt(sum[1]);
    if (pass == STRATA_MEASURE)
        moved[2 * row] = (float)w, moved[2 * row + 1] = (float)u;
    else
        trust[row] = (float)ratio_of(a, &rates[row], w, u);
}

void strata_cpu_trust(const struct trust_args *a, strata_pass pass)
{
    if (pass == STRATA_STATS)
        strata_thread_for(a->n_pieces, piece, (void *)a);
    else
        for (uint32_t row = 0; row < a->rows; row++) finish(a, row, pass);
}

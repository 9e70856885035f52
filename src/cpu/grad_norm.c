/* Reference for shaders/grad_norm.comp: same arguments, plain loops, sums in double. One partial, the first
 * of each chunk, holds the whole chunk's sum. */
#include <math.h>
#include <stdbool.h>

#include "core/thread.h"
#include "cpu/update.h"
#include "grad_norm.args.h"

enum { BLOCK = 256, GROUP = 64, RATE_WORDS = 8, FLAGS = 7, ACTIVE = 1 };
static const uint32_t BAD = 0xffffffff, NOT_A_NUMBER = 0x7fc00000;

static void chunk_sum(void *context, uint32_t i)
{
    const struct grad_norm_args *a = context;
    const float *grads = strata_slice_host(a->grads);
    const uint32_t *owner = strata_slice_host(a->owner), *rates = strata_slice_host(a->rates);
    union {
        float f;
        uint32_t bits;
    } *partial = strata_slice_host(a->partial);
    double sum = 0;
    bool bad = false;
    for (uint32_t b = i * a->chunk; b < (i + 1) * a->chunk && b < a->blocks; b++) {
        if (!(rates[RATE_WORDS * owner[a->first + b] + FLAGS] & ACTIVE)) continue;
        for (size_t k = (size_t)b * BLOCK; k < (size_t)(b + 1) * BLOCK; k++) {
            bad = bad || !isfinite(grads[k]);
            sum += (double)grads[k] * (double)grads[k];
        }
    }
    for (uint32_t k = 0; k < GROUP; k++) partial[(a->first / a->chunk + i) * GROUP + k].f = 0;
    partial[(a->first / a->chunk + i) * GROUP].f = (float)sum;
    if (bad) partial[(a->first / a->chunk + i) * GROUP].bits = BAD;
}

/* A step that is taken: counted for the rows that take it, which are corrected for that many. */
static void count_step(const struct grad_norm_args *a)
{
    uint32_t *steps = strata_slice_host(a->steps);
    update_rate *table = strata_slice_host(a->table);
    for (uint32_t row = 0; row < a->rows; row++) {
        if (!(table[row].flags & UPDATE_ACTIVE)) continue;
        const double n = (double)++steps[row];
        table[row].correction1 = (float)(1 / (1 - pow((double)table[row].momentum, n)));
        table[row].correction2 = (float)(1 / sqrt(1 - pow((double)table[row].beta2, n)));
    }
}

static void finish(const struct grad_norm_args *a)
{
    union {
        float f;
        uint32_t bits;
    } *state = strata_slice_host(a->state);
    const union {
        float f;
        uint32_t bits;
    } *partial = strata_slice_host(a->partial);
    const float *loss = strata_slice_host(a->loss);
    const double scale = a->interval ? (double)update_loss_scale(state[4].f) : 1;
    double sum = 0;
    bool bad_gradient = false, bad_loss = false;
    for (uint32_t i = 0; i < a->partials; i++)
        if (partial[i].bits == BAD)
            bad_gradient = true;
        else
            sum += (double)partial[i].f;
    for (uint32_t i = 0; i < a->n; i++) bad_loss = bad_loss || !isfinite(loss[i]);
    const bool overflow = bad_gradient && !bad_loss && scale > 1;
    const double norm = sqrt(sum) / scale, clip = (double)a->clip_norm / (norm + 1e-6);
    state[1].f = (float)norm;
    state[2].f = (float)((a->clip_norm > 0 && clip < 1 ? clip : 1) / scale);
    if (state[0].bits != 1) state[0].bits = overflow ? 2 : bad_gradient || bad_loss;
    if (bad_gradient || bad_loss) {
        state[1].bits = NOT_A_NUMBER;
        state[2].f = 1;
    }
    state[3].bits += state[0].bits != 0;
    if (state[0].bits == 0) count_step(a);
    if (a->interval == 0) return;
    state[4].f = (float)(overflow ? scale / 2 : scale);
    state[5].bits = overflow ? 0 : state[5].bits + 1;
    if (state[5].bits < a->interval) return;
    state[4].f = (float)fmin(2 * scale, 16777216);
    state[5].bits = 0;
}

void strata_cpu_grad_norm(const struct grad_norm_args *a, strata_pass pass)
{
    if (pass == STRATA_STATS_FINISH)
        finish(a);
    else
        strata_thread_for((a->blocks + a->chunk - 1) / a->chunk, chunk_sum, (void *)a);
}

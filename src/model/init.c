/* Initial weights: every value is a function of (seed, tensor, element), so it depends neither on threads nor
 * on what was drawn before. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"
#include "core/thread.h"
#include "model/model.h"

enum { CHUNK = 1 << 16 }; /* elements that one thread fills at a time, or a few more */

typedef struct filling {
    float *values, *packed; /* in file order, and on the device; the second may be NULL */
    const strata_param *param;
    uint64_t row, seed; /* elements of an output channel */
    uint32_t rows;      /* of a chunk: a multiple of 16, as a cache line and a draw hold 16 and 4 elements */
    uint32_t number;
    double scale;
} filling;

/* The width of the distribution: a standard deviation, or the bound of a uniform one. */
static double width(const strata_param *p)
{
    switch (p->init) {
    case STRATA_INIT_KAIMING_FAN_OUT: return sqrt(2.0 / ((double)p->r * p->s * p->co));
    case STRATA_INIT_KAIMING_FAN_IN: return sqrt(2.0 / (double)p->fan_in);
    case STRATA_INIT_UNIFORM_FAN_IN: return sqrt(1.0 / (double)p->fan_in);
    case STRATA_INIT_CONSTANT:
    case STRATA_INIT_NORMAL: break;
    }
    return p->scale;
}

/* Four values in units of the width. */
static void draw(double out[4], const filling *f, uint64_t quad)
{
    const strata_random4 r = strata_philox((uint32_t)quad, f->number, (uint32_t)(quad >> 32),
                                           (uint32_t)(f->seed >> 32), (uint32_t)f->seed, STRATA_RANDOM_INIT);
    if (f->param->init == STRATA_INIT_UNIFORM_FAN_IN) {
        for (int i = 0; i < 4; i++) out[i] = 2.0 * (double)strata_uniform(r.v[i]) - 1.0;
    } else {
        strata_normal2(out, r.v[0], r.v[1]);
        strata_normal2(out + 2, r.v[2], r.v[3]);
    }
}

static void fill(const filling *f, uint64_t begin, uint64_t end)
{
    if (f->param->init == STRATA_INIT_CONSTANT) {
        for (uint64_t i = begin; i < end; i++) f->values[i] = (float)f->param->scale;
        return;
    }
    for (uint64_t i = begin; i < end; i += 4) {
        double four[4];
        draw(four, f, i / 4);
        for (uint64_t k = 0; k < 4 && i + k < end; k++) f->values[i + k] = (float)(f->scale * four[k]);
    }
}

static void fill_chunk(void *context, uint32_t chunk)
{
    const filling *f = context;
    const uint32_t co = f->param->co, first = chunk * f->rows,
                   end = co - first < f->rows ? co : first + f->rows;
    fill(f, first * f->row, end * f->row);
    if (f->packed) strata_param_pack_rows(f->param, f->packed, f->values, first, end);
}

static void init(float *values, float *packed, const strata_param *param, uint32_t number, uint64_t seed)
{
    filling f = { .values = values, .packed = packed, .param = param, .seed = seed, .number = number };
    f.row = strata_param_count(param) / param->co;
    f.rows = (uint32_t)(CHUNK / f.row + 15) / 16 * 16;
    if (f.rows == 0) f.rows = 16;
    f.scale = width(param);
    strata_thread_for((param->co + f.rows - 1) / f.rows, fill_chunk, &f);
}

void strata_model_init(float *values, const strata_param *param, uint32_t number, uint64_t seed)
{
    init(values, NULL, param, number, seed);
}

/* Room for the largest parameter is taken once: fresh memory costs as much as a pass over it. */
strata_status strata_model_init_plan(const strata_model *m, strata_plan *p, uint64_t seed)
{
    strata_status status = STRATA_OK;
    uint64_t most = 1;
    for (uint32_t i = 0; i < m->graph->n_params; i++)
        if (strata_param_floats(m->graph->param[i]) > most) most = strata_param_floats(m->graph->param[i]);
    float *values = malloc(most * sizeof *values), *packed = malloc(most * sizeof *packed);
    if (!values || !packed) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for initial weights"));
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        if (strata_param_floats(param) != strata_param_count(param)) memset(packed, 0, param->data.bytes);
        init(values, packed, param, i, seed);
        STRATA_GO(strata_plan_write_range(p, param->data, packed));
    }
done:
    free(values);
    free(packed);
    return status;
}

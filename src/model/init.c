/* Initial weights: every value is a function of (seed, tensor, element), so it depends neither on threads nor
 * on what was drawn before. */
#include <math.h>
#include <stdlib.h>

#include "core/random.h"
#include "core/thread.h"
#include "model/model.h"

enum { CHUNK = 1 << 16 }; /* elements that one thread fills at a time; a multiple of 4 */

typedef struct filling {
    float *values;
    const strata_param *param;
    uint64_t n, seed;
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

static void fill_chunk(void *context, uint32_t chunk)
{
    const filling *f = context;
    const uint64_t begin = (uint64_t)chunk * CHUNK, end = begin + CHUNK < f->n ? begin + CHUNK : f->n;
    for (uint64_t i = begin; i < end; i += 4) {
        double four[4];
        draw(four, f, i / 4);
        for (uint64_t k = 0; k < 4 && i + k < end; k++) f->values[i + k] = (float)(f->scale * four[k]);
    }
}

void strata_model_init(float *values, const strata_param *param, uint32_t number, uint64_t seed)
{
    filling f = { .values = values, .param = param, .number = number, .seed = seed };
    f.n = strata_param_count(param);
    f.scale = width(param);
    if (param->init == STRATA_INIT_CONSTANT)
        for (uint64_t i = 0; i < f.n; i++) values[i] = (float)param->scale;
    else
        strata_thread_for((uint32_t)((f.n + CHUNK - 1) / CHUNK), fill_chunk, &f);
}

strata_status strata_model_init_plan(const strata_model *m, strata_plan *p, uint64_t seed)
{
    strata_status status = STRATA_OK;
    float *values = NULL;
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        values = malloc(strata_param_count(param) * sizeof *values);
        if (!values) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for %s", param->name));
        strata_model_init(values, param, i, seed);
        STRATA_GO(strata_plan_write_param(p, param, values));
        free(values);
        values = NULL;
    }
done:
    free(values);
    return status;
}

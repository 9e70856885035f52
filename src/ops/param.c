#include "ops/op.h"

/* Where a logical weight lies on the device. */
static size_t place(const strata_param *p, uint32_t co, uint32_t ci, uint32_t r, uint32_t s)
{
    if (p->kind == STRATA_PARAM_VECTOR) return co;
    return (((size_t)r * p->s + s) * strata_param_ci(p) + ci) * strata_lanes(p->co) + co;
}

void strata_param_pack(const strata_param *p, float *device, const float *file)
{
    for (uint64_t i = 0, n = strata_param_floats(p); i < n; i++) device[i] = 0;
    for (uint32_t co = 0; co < p->co; co++)
        for (uint32_t ci = 0; ci < p->ci; ci++)
            for (uint32_t r = 0; r < p->r; r++)
                for (uint32_t s = 0; s < p->s; s++) device[place(p, co, ci, r, s)] = *file++;
}

void strata_param_unpack(const strata_param *p, float *file, const float *device)
{
    for (uint32_t co = 0; co < p->co; co++)
        for (uint32_t ci = 0; ci < p->ci; ci++)
            for (uint32_t r = 0; r < p->r; r++)
                for (uint32_t s = 0; s < p->s; s++) *file++ = device[place(p, co, ci, r, s)];
}

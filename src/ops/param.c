#include <string.h>

#include "ops/op.h"

/* Where a logical weight lies on the device. */
static size_t place(const strata_param *p, uint32_t co, uint32_t ci, uint32_t r, uint32_t s)
{
    if (p->kind == STRATA_PARAM_VECTOR) return co;
    return (((size_t)r * p->s + s) * strata_param_ci(p) + ci) * strata_lanes(p->co) + co;
}

/* Output channels are taken SIDE at a time, which lie side by side on the device: a line of the cache. */
void strata_param_pack_rows(const strata_param *p, float *device, const float *file, uint32_t first,
                            uint32_t end)
{
    enum { SIDE = 16 };
    const uint32_t taps = p->r * p->s;
    const size_t row = (size_t)p->ci * taps;
    for (uint32_t co = first; co < end; co += SIDE) {
        const uint32_t n = end - co < SIDE ? end - co : SIDE;
        for (uint32_t ci = 0; ci < p->ci; ci++)
            for (uint32_t tap = 0; tap < taps; tap++) {
                const float *from = file + co * row + (size_t)ci * taps + tap;
                float *to = device + place(p, co, ci, tap / p->s, tap % p->s);
                for (uint32_t i = 0; i < n; i++) to[i] = from[i * row];
            }
    }
}

void strata_param_pack(const strata_param *p, float *device, const float *file)
{
    if (strata_param_floats(p) != strata_param_count(p))
        memset(device, 0, (size_t)strata_param_floats(p) * sizeof *device);
    strata_param_pack_rows(p, device, file, 0, p->co);
}

void strata_param_unpack(const strata_param *p, float *file, const float *device)
{
    for (uint32_t co = 0; co < p->co; co++)
        for (uint32_t ci = 0; ci < p->ci; ci++)
            for (uint32_t r = 0; r < p->r; r++)
                for (uint32_t s = 0; s < p->s; s++) *file++ = device[place(p, co, ci, r, s)];
}

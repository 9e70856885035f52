/* Functions whose bits are those of shaders/exact.glsl: float for float, operation for operation. */
#ifndef STRATA_CPU_EXACT_H
#define STRATA_CPU_EXACT_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float exact_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t exact_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float exact_inverse(float x)
{
    float y = exact_float(0x7EF311C7u - exact_bits(x));
    for (int i = 0; i < 4; i++) y = y * (2.0F - x * y);
    return y;
}

static inline float exact_root(float x)
{
    float y = exact_float(0x5F3759DFu - (exact_bits(x) >> 1)), half_x = 0.5F * x;
    for (int i = 0; i < 4; i++) y = y * (1.5F - half_x * y * y);
    return x * y;
}

static inline float exact_exp2(float x)
{
    const float whole = floorf(x + 0.5F), t = (x - whole) * 0.69314718F;
    float y = 0.041666667F + t * (0.0083333333F + t * 0.0013888889F);
    y = 1.0F + t * (1.0F + t * (0.5F + t * (0.16666667F + t * y)));
    return y * exact_float((uint32_t)((int)whole + 127) << 23);
}

/* out: cos, sin */
static inline void exact_turn(float out[2], float x)
{
    const float quarters = floorf(4.0F * x + 0.5F), t = (x - 0.25F * quarters) * 6.2831853F, s = t * t;
    const float c = 1.0F + s * (-0.5F + s * (0.041666667F + s * (-0.0013888889F + s * 2.4801587e-5F)));
    float d = 0.0083333333F + s * (-1.9841270e-4F + s * 2.7557319e-6F);
    d = t * (1.0F + s * (-0.16666667F + s * d));
    const uint32_t k = (uint32_t)((int)quarters + 4) % 4u;
    out[0] = k == 0 ? c : k == 1 ? -d : k == 2 ? -c : d;
    out[1] = k == 0 ? d : k == 1 ? c : k == 2 ? -d : -c;
}

static inline float exact_logit(float x)
{
    const float z = 2.0F * x - 1.0F, s = z * z;
    const float y = 0.11111111F + s * (0.090909091F + s * (0.076923077F + s * 0.066666667F));
    return 2.0F * z * (1.0F + s * (0.33333333F + s * (0.2F + s * (0.14285714F + s * y))));
}

#endif

#include "core/half.h"

#include <string.h>

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float strata_from_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h >> 15) << 31, exponent = h >> 10 & 31, fraction = h & 1023u;
    if (exponent == 31) return from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f; /* zero and subnormal */
    return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

uint32_t strata_round_off(uint32_t bits, uint32_t drop)
{
    const uint32_t half = 1u << (drop - 1), rest = bits & (2 * half - 1), kept = bits >> drop;
    return kept + (rest > half || (rest == half && (kept & 1)));
}

/* A carry out of the fraction goes into the exponent, from the largest number to infinity: that is right. */
uint16_t strata_to_half(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
    if (bits >= 0x47800000u) return (uint16_t)(sign | 0x7c00u); /* from 65536 */
    if (bits >= 0x38800000u)
        return (uint16_t)(sign | strata_round_off(bits - (112u << 23), 13)); /* from 2^-14 */
    if (bits < 0x33000000u) return sign; /* below 2^-25, half of the smallest */
    const uint32_t exponent = bits >> 23, fraction = (bits & 0x7fffffu) | 0x800000u;
    return (uint16_t)(sign | strata_round_off(fraction, 126 - exponent));
}

#include "model/stored.h"

#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files' byte order is the host's");

const char *strata_dtype_name(strata_dtype t)
{
#define NAME(name, bytes) #name,
    static const char *const names[] = { STRATA_DTYPE_LIST(NAME) };
    return names[t];
}

uint32_t strata_dtype_bytes(strata_dtype t)
{
#define BYTES(name, bytes) bytes,
    static const uint8_t sizes[] = { STRATA_DTYPE_LIST(BYTES) };
    return sizes[t];
}

bool strata_dtype_is_float(strata_dtype t)
{
    return t == STRATA_DTYPE_F32 || t == STRATA_DTYPE_F16 || t == STRATA_DTYPE_BF16 || t == STRATA_DTYPE_F64;
}

uint64_t strata_stored_count(const strata_stored *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

strata_stored_string strata_stored_shape(const strata_stored *t)
{
    strata_stored_string text = { "[" };
    size_t at = 1; /* 8 dimensions of at most 20 digits fit */
    for (uint32_t i = 0; i < t->rank; i++)
        at += (size_t)snprintf(text.s + at, sizeof text.s - at, "%s%llu", i ? "," : "",
                               (unsigned long long)t->dim[i]);
    snprintf(text.s + at, sizeof text.s - at, "]");
    return text;
}

bool strata_stored_same_shape(const strata_stored *a, const strata_stored *b)
{
    bool same = a->rank == b->rank;
    for (uint32_t i = 0; same && i < a->rank; i++) same = a->dim[i] == b->dim[i];
    return same;
}

bool strata_stored_measure(uint64_t *bytes, const strata_stored *t)
{
    uint64_t n = strata_dtype_bytes(t->dtype);
    for (uint32_t i = 0; i < t->rank; i++) {
        if (t->dim[i] && n > UINT64_MAX / t->dim[i]) return false;
        n *= t->dim[i];
    }
    *bytes = n;
    return true;
}

/* ---- From and to f32 ------------------------------------------------------------------------- */

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float from_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h >> 15) << 31, exponent = h >> 10 & 31, fraction = h & 1023u;
    if (exponent == 31) return from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f; /* zero and subnormal */
    return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

void strata_widen(float *out, const void *raw, strata_dtype dtype, uint64_t n)
{
    const unsigned char *at = raw;
    const uint32_t size = strata_dtype_bytes(dtype);
    if (dtype == STRATA_DTYPE_F32) {
        if (n) memcpy(out, raw, (size_t)n * sizeof *out);
        return;
    }
    for (uint64_t i = 0; i < n; i++, at += size) {
        double wide;
        uint16_t narrow;
        if (dtype == STRATA_DTYPE_F64) {
            memcpy(&wide, at, sizeof wide);
            out[i] = (float)wide;
        } else {
            memcpy(&narrow, at, sizeof narrow);
            out[i] = dtype == STRATA_DTYPE_F16 ? from_half(narrow) : from_bits((uint32_t)narrow << 16);
        }
    }
}

/* `bits` without its lowest `drop` (1 to 31), rounded to nearest, ties to even. */
static uint32_t round_off(uint32_t bits, uint32_t drop)
{
    const uint32_t half = 1u << (drop - 1), rest = bits & (2 * half - 1), kept = bits >> drop;
    return kept + (rest > half || (rest == half && (kept & 1)));
}

/* A carry out of the fraction goes into the exponent, from the largest number to infinity: that is right. */
static uint16_t to_half(uint32_t bits)
{
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
    if (bits >= 0x47800000u) return (uint16_t)(sign | 0x7c00u);                            /* from 65536 */
    if (bits >= 0x38800000u) return (uint16_t)(sign | round_off(bits - (112u << 23), 13)); /* from 2^-14 */
    if (bits < 0x33000000u) return sign; /* below 2^-25, half of the smallest */
    const uint32_t exponent = bits >> 23, fraction = (bits & 0x7fffffu) | 0x800000u;
    return (uint16_t)(sign | round_off(fraction, 126 - exponent));
}

static uint16_t to_brain(uint32_t bits)
{
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)round_off(bits, 16);
}

uint64_t strata_narrow(void *out, const float *values, strata_dtype dtype, uint64_t n)
{
    uint64_t lost = 0;
    if (dtype == STRATA_DTYPE_F32) {
        if (n) memcpy(out, values, (size_t)n * sizeof *values);
        return 0;
    }
    const uint16_t top = dtype == STRATA_DTYPE_F16 ? 0x7c00u : 0x7f80u;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        const uint16_t narrow = dtype == STRATA_DTYPE_F16 ? to_half(bits) : to_brain(bits);
        lost += (narrow & 0x7fffu) == top && (bits & 0x7fffffffu) != 0x7f800000u;
        memcpy((uint16_t *)out + i, &narrow, sizeof narrow);
    }
    return lost;
}

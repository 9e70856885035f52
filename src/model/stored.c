#include "model/stored.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/half.h"

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

uint64_t strata_widen(float *out, const void *raw, strata_dtype dtype, uint64_t n)
{
    const unsigned char *at = raw;
    const uint32_t size = strata_dtype_bytes(dtype);
    uint64_t lost = 0;
    if (dtype == STRATA_DTYPE_F32) {
        if (n) memcpy(out, raw, (size_t)n * sizeof *out);
        return 0;
    }
    for (uint64_t i = 0; i < n; i++, at += size) {
        double wide;
        uint16_t narrow;
        if (dtype == STRATA_DTYPE_F64) {
            memcpy(&wide, at, sizeof wide);
            out[i] = (float)wide;
            lost += isinf(out[i]) && isfinite(wide);
        } else {
            memcpy(&narrow, at, sizeof narrow);
            out[i] = dtype == STRATA_DTYPE_F16 ? strata_from_half(narrow) : from_bits((uint32_t)narrow << 16);
        }
    }
    return lost;
}

static uint16_t to_brain(uint32_t bits)
{
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)strata_round_off(bits, 16);
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
        const uint16_t narrow = dtype == STRATA_DTYPE_F16 ? strata_to_half(values[i]) : to_brain(bits);
        lost += (narrow & 0x7fffu) == top && (bits & 0x7fffffffu) != 0x7f800000u;
        memcpy((uint16_t *)out + i, &narrow, sizeof narrow);
    }
    return lost;
}

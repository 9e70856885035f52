/* What becomes of the sums of a convolution before they are stored: shaders/epilogue.glsl. */
#ifndef STRATA_CPU_EPILOGUE_H
#define STRATA_CPU_EPILOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { START_ZERO, START_BIAS, START_OLD, END_RELU = 4 };

typedef struct epilogue {
    uint32_t start;     /* START_* */
    bool relu;          /* END_RELU */
    const float *table; /* [4, row], NULL: no norm */
    size_t row;
    const float *z; /* as y; NULL: no sum */
} epilogue;

static inline epilogue epilogue_of(uint32_t start, const float *table, size_t row, const float *z)
{
    return (epilogue) { start & ~(uint32_t)END_RELU, start & END_RELU, table, row, z };
}

/* What is stored at float `to` of y, of channel `c`. */
static inline float epilogue_end(const epilogue *e, double sum, size_t c, size_t to)
{
    if (e->table)
        sum = (sum - (double)e->table[c]) * (double)e->table[2 * e->row + c] +
              (double)e->table[3 * e->row + c];
    if (e->z) sum += (double)e->z[to];
    return e->relu && sum <= 0 ? 0 : (float)sum;
}

#endif

/* Floats of 16 bits: IEEE's binary16. */
#ifndef STRATA_CORE_HALF_H
#define STRATA_CORE_HALF_H

#include <stdint.h>

float strata_from_half(uint16_t half);

/* Rounded to nearest, ties to even; what is too large becomes infinite, a NaN stays one. */
uint16_t strata_to_half(float value);

/* `bits` without its lowest `drop` (1 to 31), rounded to nearest, ties to even. */
uint32_t strata_round_off(uint32_t bits, uint32_t drop);

#endif

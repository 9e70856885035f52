/* The matrices of Winograd's F(4x4,3x3), see shaders/winograd.glsl, as they stand in the paper. */
#ifndef STRATA_CPU_WINOGRAD_H
#define STRATA_CPU_WINOGRAD_H

enum { WINOGRAD_POINTS = 6, WINOGRAD_TILE = 4, WINOGRAD_TAPS = 3 }; /* of one dimension */

static const double winograd_input[6][6] = { /* B^T */
                                             { 4, 0, -5, 0, 1, 0 },  { 0, -4, -4, 1, 1, 0 },
                                             { 0, 4, -4, -1, 1, 0 }, { 0, -2, -1, 2, 1, 0 },
                                             { 0, 2, -1, -2, 1, 0 }, { 0, 4, 0, -5, 0, 1 }
};
static const double winograd_weight[6][3] = { /* G */
                                              { 1.0 / 4, 0, 0 },
                                              { -1.0 / 6, -1.0 / 6, -1.0 / 6 },
                                              { -1.0 / 6, 1.0 / 6, -1.0 / 6 },
                                              { 1.0 / 24, 1.0 / 12, 1.0 / 6 },
                                              { 1.0 / 24, -1.0 / 12, 1.0 / 6 },
                                              { 0, 0, 1 }
};
static const double winograd_output[4][6] = { /* A^T */
                                              { 1, 1, 1, 1, 1, 0 },
                                              { 0, 1, -1, 2, -2, 0 },
                                              { 0, 1, 1, 4, 4, 0 },
                                              { 0, 1, -1, 8, -8, 1 }
};

#endif

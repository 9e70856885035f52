/* What the references of the kernels over all parameters share: the rates table as they read it. */
#ifndef STRATA_CPU_UPDATE_H
#define STRATA_CPU_UPDATE_H

#include <stdint.h>

enum { UPDATE_BLOCK = 256, UPDATE_SHARE = 64 /* blocks of one piece of work */ };
enum { UPDATE_ACTIVE = 1, UPDATE_NESTEROV = 2, UPDATE_FIRST = 4, UPDATE_TRUST = 8 };

typedef struct update_rate { /* strata_rate of graph/plan.h */
    float lr, momentum, beta2, eps, decay, correction1, correction2;
    uint32_t flags;
} update_rate;

typedef struct update_piece { /* strata_piece of ops/update.h */
    uint32_t first, blocks, row, zero;
} update_piece;

/* What losses are multiplied by: a float of the state, 0 before the first step. */
static inline float update_loss_scale(float of_state) { return of_state > 0 ? of_state : 65536.0f; }

static inline void update_add(double sum[2], double a, double b)
{
    sum[0] += a * a;
    sum[1] += b * b;
}

#endif

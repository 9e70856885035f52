/* What the tests of plans share: a graph with its plan on a device and the ring that feeds it, and a step's
 * made-up values. */
#ifndef STRATA_TESTS_NET_H
#define STRATA_TESTS_NET_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/random.h"
#include "graph/plan.h"
#include "ok.h"

typedef struct net {
    strata_graph *graph; /* owned */
    strata_device *device;
    strata_plan *plan;
    strata_ring *ring;
} net;

static inline const char *device_name(void)
{
    const char *name = getenv("STRATA_TEST_DEVICE");
    return name && *name ? name : "auto";
}

static inline float uniform(uint32_t i, uint32_t stream)
{
    return 2 * strata_uniform(strata_philox(i, stream, 0, 0, 9, STRATA_RANDOM_TEST).v[0]) - 1;
}

static inline void close_net(net *n)
{
    const char *first = "";
    if (strata_device_complaints(n->device, &first)) fail_msg("validation: %s", first);
    strata_ring_close(n->ring);
    strata_plan_close(n->plan);
    strata_graph_close(n->graph);
    strata_device_close(n->device);
}

/* The place of a node in the order of the plan. */
static inline uint32_t place_of(const strata_plan *p, const char *name)
{
    uint32_t k = 0;
    while (strcmp(p->node[k]->name, name) != 0) k++;
    return k;
}

/* Fill what a step of one micro-batch takes: rates for SGD, labels, weights, pixels with NaN in pads. */
static inline void put_step(const net *n, char *in, uint32_t number, uint32_t classes)
{
    const strata_plan *p = n->plan;
    const strata_shape x = n->graph->input->shape;
    const uint32_t lanes = strata_lanes(x.c);
    *(strata_step_values *)(void *)(in + p->in_step) = (strata_step_values) { .step = number };
    for (uint32_t i = 0; i < n->graph->n_rows; i++)
        ((strata_rate *)(void *)(in + p->in_rates))[i] = (strata_rate) { 0.05f, 0.9f, 0, 0,
                                                                         0.01f, 1,    1, STRATA_RATE_ACTIVE };
    for (uint32_t i = 0; i < x.n; i++) {
        ((int32_t *)(void *)(in + p->in_target))[i] = (int32_t)((i + number) % classes);
        ((float *)(void *)(in + p->in_weights))[i] = 1.0f / (float)x.n;
    }
    for (uint32_t i = 0; i < x.n * x.h * x.w * lanes; i++)
        ((float *)(void *)(in + p->in_pixels))[i] = i % lanes < x.c ? uniform(i, 100 + number) : NAN;
}

#endif

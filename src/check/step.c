/* One whole training step of a small network: plan, ring, backward order, clipping and optimizer, on the
 * judged device and on the reference. The network is smooth: at a kink of relu or max pooling rounding alone
 * may turn a gradient. The bound is judge.h's, K being the longest sum of all layers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/judge.h"
#include "core/random.h"
#include "graph/plan.h"

enum { IMAGES = 6, SIDE = 8, CHANNELS = 3, CLASSES = 5, PROBES = 3, MAX_SETTINGS = 5 };
static const double move = 0x1p-14;
static const double longest = IMAGES * SIDE * SIDE; /* a channel's mean, a weight's gradient */

typedef struct layer {
    const char *op, *name;
    strata_setting setting[MAX_SETTINGS];
    const char *with; /* the second input, by name */
} layer;

/* No bias before a norm: its gradient is rounding alone. */
static const layer layers[] = {
    { "conv2d", "conv1", { { "out", "13" }, { "kernel", "3" }, { "pad", "1" }, { "bias", "false" } }, NULL },
    { "batch_norm", "bn1", { { 0 } }, NULL },
    { "silu", "silu1", { { 0 } }, NULL },
    { "conv2d",
      "conv2",
      { { "out", "13" }, { "kernel", "3" }, { "pad", "1" }, { "groups", "13" }, { "bias", "false" } },
      NULL },
    { "batch_norm", "bn2", { { 0 } }, NULL },
    { "add", "sum", { { 0 } }, "silu1" },
    { "avg_pool", "pool", { { "kernel", "2" } }, NULL },
    { "conv2d", "conv3", { { "out", "7" }, { "kernel", "1" } }, NULL },
    { "concat", "both", { { 0 } }, "pool" },
    { "gelu", "gelu", { { 0 } }, NULL },
    { "dropout", "drop", { { "p", "0.25" } }, NULL },
    { "global_avg_pool", "mean", { { 0 } }, NULL },
    { "linear", "fc", { { "out", "5" } }, NULL },
};

static strata_status make_graph(strata_graph **out)
{
    strata_status status = STRATA_OK;
    strata_graph *g = NULL;
    STRATA_GO(strata_graph_open(&g, (strata_shape) { IMAGES, SIDE, SIDE, CHANNELS }));
    strata_tensor *x = g->input;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const layer *l = &layers[i];
        strata_tensor *in[2] = { x, l->with ? strata_graph_tensor(g, l->with) : NULL };
        uint32_t n = 0;
        while (n < MAX_SETTINGS && l->setting[n].key) n++;
        STRATA_GO(strata_graph_add(g, &x, l->op, l->name, in, l->with ? 2 : 1, l->setting, n));
    }
    STRATA_GO(strata_graph_add_loss(g, x, "softmax_loss", &(strata_setting) { "smoothing", "0.1" }, 1));
    *out = g;
    return STRATA_OK;
done:
    strata_graph_close(g);
    return status;
}

/* ---- One step ----------------------------------------------------------------------------------- */

/* Uniform in [-1, 1); for probe > 0 moved by a relative `move` up or down. */
static float value(uint32_t element, uint32_t tensor, uint32_t probe)
{
    strata_random4 r = strata_philox(element, tensor, 0, 3, 0, STRATA_RANDOM_TEST);
    strata_random4 p = strata_philox(element, tensor, probe, 4, 0, STRATA_RANDOM_TEST);
    double v = 2 * (double)strata_uniform(r.v[0]) - 1;
    return (float)(probe ? v * (p.v[0] & 1 ? 1 + move : 1 - move) : v);
}

static strata_status write_params(strata_plan *p, uint32_t probe)
{
    for (uint32_t i = 0; i < p->graph->n_params; i++) {
        const strata_param *q = p->graph->param[i];
        uint64_t n = strata_param_count(q);
        float *v = malloc(n * sizeof *v);
        if (!v) return strata_fail(STRATA_NO_MEMORY, "no memory for a check");
        bool one = q->init == STRATA_INIT_CONSTANT && q->scale > 0; /* a gain, a running variance */
        for (uint32_t k = 0; k < n; k++) v[k] = (one ? 1.0F : 0.0F) + 0.4F * value(k, i, probe);
        strata_status status = strata_plan_write_param(p, q, v);
        free(v);
        STRATA_TRY(status);
    }
    return STRATA_OK;
}

static void fill_input(const strata_plan *p, char *in, uint32_t probe)
{
    const uint32_t lanes = strata_lanes(CHANNELS);
    float *pixels = (float *)(void *)(in + p->in_pixels);
    strata_rate *rows = (strata_rate *)(void *)(in + p->in_rates);
    *(strata_step_values *)(void *)(in + p->in_step) = (strata_step_values) { .seed_low = 5, .step = 2 };
    for (uint32_t i = 0; i < p->graph->n_rows; i++)
        rows[i] = (strata_rate) { .lr = 0.05F * (float)(1 + i % 3),
                                  .momentum = 0.9F,
                                  .beta2 = 0.99F,
                                  .eps = 1e-8F,
                                  .weight_decay = 0.01F,
                                  .correction1 = 1,
                                  .correction2 = 1,
                                  .flags = STRATA_RATE_ACTIVE | STRATA_RATE_FIRST };
    for (uint32_t i = 0; i < IMAGES; i++) {
        ((int32_t *)(void *)(in + p->in_target))[i] = (int32_t)(i % CLASSES);
        ((float *)(void *)(in + p->in_weights))[i] = 1.0F / IMAGES;
    }
    for (uint32_t i = 0; i < IMAGES * SIDE * SIDE * lanes; i++)
        pixels[i] = i % lanes < CHANNELS ? value(i, 1000, probe) : NAN;
}

/* What a step leaves: losses, the norm, then gradients, then parameters and statistics after it. */
typedef struct outcome {
    float *v;
    uint64_t n;
} outcome;

static strata_status read_outcome(outcome *o, strata_plan *p, const void *result)
{
    uint64_t at = IMAGES + 1;
    const strata_state *state = result;
    memcpy(o->v, (const char *)result + p->result_loss, IMAGES * sizeof *o->v);
    o->v[IMAGES] = state->grad_norm;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < p->graph->n_params; i++) {
            const strata_param *q = p->graph->param[i];
            if (pass == 0 && q->running) continue;
            STRATA_TRY(strata_plan_read_param(p, q, o->v + at, pass == 0));
            at += strata_param_count(q);
        }
    return STRATA_OK;
}

static strata_status take_step(outcome *o, strata_plan *p, strata_ring *ring, uint32_t probe)
{
    void *in;
    uint64_t step;
    const void *result;
    STRATA_TRY(write_params(p, probe));
    STRATA_TRY(strata_ring_begin(ring, &in));
    fill_input(p, in, probe);
    STRATA_TRY(strata_plan_submit_train(p, ring, false, STRATA_UPDATE));
    STRATA_TRY(strata_ring_begin(ring, &in));
    STRATA_TRY(strata_ring_result(ring, true, &step, &result));
    if (!result) return strata_fail(STRATA_DEVICE, "a step gave no result");
    return read_outcome(o, p, result);
}

static uint64_t outcome_size(const strata_graph *g)
{
    uint64_t n = IMAGES + 1;
    for (uint32_t i = 0; i < g->n_params; i++)
        n += (g->param[i]->running ? 1 : 2) * strata_param_count(g->param[i]);
    return n;
}

static strata_status run_step(outcome *o, strata_graph **graph, strata_device *d, uint32_t probe)
{
    strata_status status = STRATA_OK;
    strata_plan *plan = NULL;
    strata_ring *ring = NULL;
    const strata_plan_config config = {
        .train = true, .optimizer = STRATA_SGD, .momentum = true, .clip_norm = 0.5F, .poison = true
    };
    STRATA_GO(make_graph(graph));
    STRATA_GO(strata_plan_open(&plan, *graph, d, &config));
    STRATA_GO(
        strata_ring_open(&ring, d, plan->in, strata_slice_part(plan->result, 0, plan->result_train_bytes)));
    o->n = outcome_size(*graph);
    o->v = calloc(o->n, sizeof *o->v);
    if (!o->v) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a check"));
    STRATA_GO(take_step(o, plan, ring, probe));
done:
    strata_ring_close(ring);
    strata_plan_close(plan);
    return status;
}

/* ---- The verdict ----------------------------------------------------------------------------------- */

/* Judge elements first .. first + n of the outcomes: o[0] the reference's, then its moved ones, then the
 * device's. */
static void judge_part(strata_judge *j, const outcome *o, uint64_t first, uint64_t n, const char *name)
{
    const outcome *want = &o[0], *moved = &o[1], *got = &o[PROBES + 1];
    double squares = 0, ratio = -1;
    char why[120] = "";
    strata_doctor_line line = { .op = "training step",
                                .options = "",
                                .variant = "-",
                                .tensor = name,
                                .sizes = "6 images of 8x8x3",
                                .why = why };
    for (int probe = 0; probe < PROBES; probe++)
        for (uint64_t i = first; i < first + n; i++) {
            double d = ((double)moved[probe].v[i] - (double)want->v[i]) / move;
            squares += d * d / (double)(PROBES * n);
        }
    for (uint64_t i = first; i < first + n; i++) {
        double error = fabs((double)got->v[i] - (double)want->v[i]);
        double bound = JUDGE_FACTOR * sqrt(longest) * 0x1p-24 * (sqrt(squares) + fabs((double)want->v[i]));
        if (!isfinite(error)) error = INFINITY;
        if (error <= ratio * bound) continue;
        ratio = error / bound;
        line.error = error;
        line.bound = bound;
        if (!(ratio <= 1))
            snprintf(why, sizeof why, "element %llu of %llu: %.9g, wanted %.9g",
                     (unsigned long long)(i - first), (unsigned long long)n, (double)got->v[i],
                     (double)want->v[i]);
    }
    line.passed = why[0] == '\0';
    strata_judge_tell(j, &line);
}

static void judge_parts(strata_judge *j, const strata_graph *g, const outcome *o)
{
    uint64_t at = IMAGES + 1;
    judge_part(j, o, 0, IMAGES, "losses");
    judge_part(j, o, IMAGES, 1, "norm of gradients");
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < g->n_params; i++) {
            char name[64];
            if (pass == 0 && g->param[i]->running) continue;
            snprintf(name, sizeof name, "%s%s", pass == 0 ? "d" : "", g->param[i]->name);
            uint64_t n = strata_param_count(g->param[i]);
            judge_part(j, o, at, n, name);
            at += n;
        }
}

strata_status strata_judge_step(strata_judge *j)
{
    strata_status status = STRATA_OK;
    outcome o[PROBES + 2] = { 0 }; /* the reference's, its moved ones, the judged device's */
    strata_graph *graph[PROBES + 2] = { 0 };
    for (uint32_t i = 0; i < PROBES + 2; i++)
        STRATA_GO(run_step(&o[i], &graph[i], i <= PROBES ? j->reference : j->device, i <= PROBES ? i : 0));
    judge_parts(j, graph[0], o);
done:
    for (uint32_t i = 0; i < PROBES + 2; i++) {
        free(o[i].v);
        strata_graph_close(graph[i]);
    }
    return status;
}

/* After a loss or a gradient that is not finite: which layer was the first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/half.h"
#include "train/trainer.h"

/* Are the logical elements finite? Pads may hold anything. */
static bool finite_tensor(const float *v, const strata_tensor *t)
{
    const uint64_t lanes = t->rows ? 1 : strata_lanes(t->shape.c), used = t->rows ? 1 : t->shape.c;
    const uint64_t n = t->rows ? t->shape.n : strata_pixels(t->shape);
    for (uint64_t i = 0; i < n; i++)
        for (uint64_t c = 0; c < used; c++)
            if (!isfinite(v[i * lanes + c])) return false;
    return true;
}

static strata_status look(strata_trainer *t, const strata_tensor *tensor, bool *finite)
{
    const bool half = tensor->data.half;
    const size_t floats = tensor->data.bytes / strata_float_bytes(1, half);
    float *values = malloc(floats * sizeof *values);
    if (!values) return strata_fail(STRATA_NO_MEMORY, "no memory to look for what is not finite");
    strata_status status = strata_device_read(t->device, values, tensor->data);
    for (size_t i = floats; half && i-- > 0;) { /* from behind: a float lies over halves that are done */
        uint16_t narrow;
        memcpy(&narrow, (const char *)values + 2 * i, sizeof narrow);
        values[i] = strata_from_half(narrow);
    }
    if (status == STRATA_OK) *finite = finite_tensor(values, tensor);
    free(values);
    return status;
}

/* Run one node's forward pass on what is in memory; its output is intact until the nodes after it run. By the
 * plan's variants: those that would be taken otherwise may want more scratch than it has, and lie over what
 * comes behind. */
static strata_status rerun(strata_trainer *t, const strata_node *n)
{
    strata_status status = STRATA_OK;
    strata_stream *s = NULL;
    STRATA_TRY(strata_stream_open(&s, t->device));
    strata_stream_step_values(s, t->current->plan->step_values);
    strata_stream_force(s, t->current->plan->config.variants);
    STRATA_GO(n->op->forward(s, n, STRATA_TRAIN));
    STRATA_GO(strata_stream_end(s));
    STRATA_GO(strata_stream_run(s));
done:
    strata_stream_close(s);
    return status;
}

static strata_status look_param(strata_trainer *t, const strata_param *param, bool grad, bool *finite)
{
    uint64_t n = strata_param_count(param);
    float *values = malloc(n * sizeof *values);
    if (!values) return strata_fail(STRATA_NO_MEMORY, "no memory to look for what is not finite");
    strata_status status = strata_plan_read_param(t->current->plan, param, values, grad);
    for (uint64_t i = 0; status == STRATA_OK && i < n; i++) *finite = *finite && isfinite(values[i]);
    free(values);
    return status;
}

strata_status trainer_first_not_finite(strata_trainer *t, const char **name)
{
    const strata_plan *p = t->current->plan;
    const strata_graph *g = p->graph;
    bool finite = true;
    *name = "the input";
    STRATA_TRY(look(t, g->input, &finite));
    if (!finite) return STRATA_OK;
    for (uint32_t i = 0; i < g->n_params; i++) {
        if (g->param[i]->running) continue; /* the pass that failed has moved them already */
        *name = g->param[i]->name;
        STRATA_TRY(look_param(t, g->param[i], false, &finite));
        if (!finite) return STRATA_OK;
    }
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        if (p->node[i]->op->view) continue;
        *name = p->node[i]->name;
        STRATA_TRY(rerun(t, p->node[i]));
        STRATA_TRY(look(t, p->node[i]->out, &finite));
        if (!finite) return STRATA_OK;
    }
    for (uint32_t i = g->n_params; i-- > 0;) { /* the way back begins at the loss */
        if (!g->param[i]->grad.block) continue;
        *name = g->param[i]->name;
        STRATA_TRY(look_param(t, g->param[i], true, &finite));
        if (!finite) return STRATA_OK;
    }
    *name = "no layer that a second look finds";
    return STRATA_OK;
}

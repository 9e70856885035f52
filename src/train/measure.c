/* Looks at the weights, for windows that open where a group has settled. They are taken at fixed steps,
 * before the step begins, of all that is done by then. */
#include <math.h>
#include <stdlib.h>

#include "train/trainer.h"

/* By what share of its size a group changed from the last look to this one; norms and biases left out. */
static double change(const strata_trainer *t, uint32_t group, const float *now)
{
    const strata_model *m = t->main.model;
    const uint64_t first = t->main.plan->weights.offset;
    double size = 0, moved = 0;
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        if (param->running || param->norm || param->bias || m->group_of_row[param->row] != group) continue;
        const uint64_t at = (param->data.offset - first) / sizeof *now;
        for (uint64_t k = at; k < at + param->data.bytes / sizeof *now; k++) {
            const double is = (double)now[k], by = is - (double)t->look.weights[k];
            size += is * is;
            moved += by * by;
        }
    }
    return size > 0 ? sqrt(moved / size) : 0;
}

strata_status trainer_measure(strata_trainer *t)
{
    const strata_slice weights = t->main.plan->weights;
    const uint64_t since = t->look.step;
    strata_state state = { 0 };
    float *now = malloc(weights.bytes);
    if (!now) return strata_fail(STRATA_NO_MEMORY, "no memory for a look at the weights");
    strata_status status = strata_plan_read_range(t->main.plan, now, weights);
    if (status == STRATA_OK) status = trainer_state(t, &state);
    /* A step that overflowed moved nothing, and says nothing of whether weights have settled. */
    const double steps = (double)(t->step - since) - (double)(state.skipped - t->look.skipped);
    for (uint32_t g = 0; t->look.weights && status == STRATA_OK && g < t->main.model->n_groups; g++)
        if (steps > 0 && strata_rates_measures(t->rates, since, t->step, g))
            status = strata_rates_measured(t->rates, t->step, g, change(t, g, now) / steps);
    free(t->look.weights);
    t->look = (trainer_look) { now, t->step, state.skipped };
    return status;
}

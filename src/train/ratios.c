#include "train/ratios.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Is there anything in a group but norms and biases? */
static bool has_weights(const strata_model *m, uint32_t group)
{
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *param = m->graph->param[i];
        const bool weights = !param->running && !param->norm && !param->bias;
        if (weights && m->group_of_row[param->row] == group) return true;
    }
    return false;
}

strata_status ratios_open(update_ratios *out, const strata_model *m)
{
    const strata_graph *g = m->graph;
    *out = (update_ratios) { .model = m,
                             .layer_name = calloc(g->n_rows + 1, sizeof *out->layer_name),
                             .layer_of_row = calloc(g->n_rows + 1, sizeof *out->layer_of_row),
                             .layer = calloc(g->n_rows + 1, sizeof *out->layer),
                             .group = calloc(m->n_groups + 1, sizeof *out->group),
                             .sum = calloc(m->n_groups + 1, sizeof *out->sum),
                             .rates = calloc(m->n_groups + 1, sizeof *out->rates),
                             .steps = calloc(m->n_groups + 1, sizeof *out->steps) };
    if (!out->layer_name || !out->layer_of_row || !out->layer || !out->group || !out->sum || !out->rates ||
        !out->steps) {
        ratios_free(out);
        return strata_fail(STRATA_NO_MEMORY, "no memory for the update ratios");
    }
    for (uint32_t i = 0; i < g->n_params; i++) {
        const strata_param *param = g->param[i];
        uint32_t layer = 0;
        if (param->running) continue;
        while (layer < out->n_layers && strcmp(out->layer_name[layer], param->node) != 0) layer++;
        if (layer == out->n_layers) out->layer_name[out->n_layers++] = param->node;
        out->layer_of_row[param->row] = layer;
    }
    for (uint32_t i = 0; i < out->n_layers; i++) out->layer[i] = NAN;
    for (uint32_t i = 0; i < m->n_groups; i++) {
        out->group[i] = NAN;
        if (!has_weights(m, i)) out->steps[i] = RATIO_TOLD;
    }
    return STRATA_OK;
}

void ratios_free(update_ratios *r)
{
    free(r->layer_name);
    free(r->layer_of_row);
    free(r->layer);
    free(r->group);
    free(r->sum);
    free(r->rates);
    free(r->steps);
    *r = (update_ratios) { 0 };
}

/* The ratio of the parameters of a layer, or else of a group's weights. */
static double ratio(const update_ratios *r, const float *moved, bool layer, uint32_t number)
{
    const strata_graph *g = r->model->graph;
    double step = 0, size = 0;
    for (uint32_t i = 0; i < g->n_params; i++) {
        const strata_param *param = g->param[i];
        if (param->running || (!layer && (param->norm || param->bias))) continue;
        if ((layer ? r->layer_of_row : r->model->group_of_row)[param->row] != number) continue;
        const double by = (double)moved[2 * param->row], is = (double)moved[2 * param->row + 1];
        step += by * by;
        size += is * is;
    }
    return size > 0 ? sqrt(step / size) : 0;
}

void ratios_take(update_ratios *r, const float *moved)
{
    for (uint32_t i = 0; i < r->n_layers; i++) r->layer[i] = ratio(r, moved, true, i);
    for (uint32_t i = 0; i < r->model->n_groups; i++)
        r->group[i] = has_weights(r->model, i) ? ratio(r, moved, false, i) : NAN;
}

void ratios_count(update_ratios *r, uint32_t group, double lr)
{
    if (r->steps[group] >= RATIO_STEPS) return;
    r->steps[group]++;
    r->sum[group] += r->group[group];
    r->rates[group] += lr;
}

/* Looking at things without training them: the version, licences, the zoo, weights files. */
#include "strata/inspect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commit.h" /* of the build */
#include "core/asset.h"
#include "core/nearest.h"
#include "model/model.h"
#include "model/weights_file.h"

const char *strata_version(void)
{
    static const char with[] = STRATA_VERSION " (commit " STRATA_COMMIT ")", without[] = STRATA_VERSION;
    return sizeof STRATA_COMMIT > 1 ? with : without;
}

const char *strata_licenses(void)
{
    const strata_asset *a = strata_asset_find("licenses.txt"); /* put together by the build */
    return a ? (const char *)a->bytes : "";
}

/* ---- The zoo ---------------------------------------------------------------------------------- */

static void count_groups(strata_model_info *info, const strata_model *m)
{
    const strata_graph *g = m->graph;
    const uint32_t most = sizeof info->groups / sizeof *info->groups;
    info->n_groups = m->n_groups;
    for (uint32_t i = 0; i < m->n_groups && i < most; i++) info->groups[i] = m->group_name[i];
    for (uint32_t i = 0; i < g->n_params; i++) {
        if (g->param[i]->running) continue;
        uint32_t group = m->group_of_row[g->param[i]->row];
        if (group < most) info->group_parameters[group] += strata_param_count(g->param[i]);
    }
}

static strata_status show_model(const char *name, const strata_recipe *recipe,
                                void (*each)(void *context, const strata_model_info *info), void *context)
{
    strata_model *m = NULL;
    const strata_model_config config = { .model = name,
                                         .stem = strata_recipe_get(recipe, "stem"),
                                         .head = strata_recipe_get(recipe, "head"),
                                         .groups = strata_recipe_get(recipe, "groups"),
                                         .input = { .n = 1 },
                                         .classes = 10 };
    STRATA_TRY(strata_model_open(&m, &config));
    const strata_graph *g = m->graph;
    strata_model_info info = { .name = name,
                               .about = m->about,
                               .parameters = strata_graph_param_count(g),
                               .layers = g->n_nodes,
                               .tensors = g->n_rows,
                               .h = g->input->shape.h,
                               .w = g->input->shape.w,
                               .c = g->input->shape.c };
    count_groups(&info, m);
    each(context, &info);
    strata_model_close(m);
    return STRATA_OK;
}

strata_status strata_models(const strata_recipe *recipe,
                            void (*each)(void *context, const strata_model_info *info), void *context)
{
    uint32_t n, shown = 0;
    const char *const *names = strata_zoo_names(&n);
    const bool chosen = recipe &&
                        (strata_recipe_is_set(recipe, "stem") || strata_recipe_is_set(recipe, "head") ||
                         strata_recipe_is_set(recipe, "groups"));
    for (uint32_t i = 0; i < n; i++) {
        strata_status status = show_model(names[i], recipe, each, context);
        if (status == STRATA_OK) shown++;
        /* A stem that only some models have leaves the others out. */
        if (status != STRATA_OK && !(chosen && status == STRATA_BAD_ARG)) return status;
    }
    if (shown) return STRATA_OK;
    return strata_fail(STRATA_BAD_ARG, "no model has stem '%s', head '%s' and groups '%s'",
                       strata_recipe_get(recipe, "stem"), strata_recipe_get(recipe, "head"),
                       strata_recipe_get(recipe, "groups"));
}

strata_status strata_model_text(const char **out, const char *name)
{
    uint32_t n;
    const char *const *names = strata_zoo_names(&n);
    *out = strata_zoo_text(name);
    if (*out) return STRATA_OK;
    const char *near = strata_nearest(name, names, n);
    return strata_fail(STRATA_BAD_ARG, "there is no model '%s'%s%s%s; `strata models` lists them", name,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* ---- Weights files --------------------------------------------------------------------------- */

/* Mean and deviation in two passes: weights are far smaller than their spread allows one to square. */
static void measure(strata_tensor_info *info, const void *values, bool wide)
{
    const double *doubles = values;
    const float *floats = values;
    double sum = 0, squares = 0;
    uint64_t n = 0;
    info->least = INFINITY;
    info->largest = -INFINITY;
    for (uint64_t i = 0; i < info->elements; i++) {
        double v = wide ? doubles[i] : (double)floats[i];
        if (!isfinite(v)) continue;
        n++;
        sum += v;
        info->least = fmin(info->least, v);
        info->largest = fmax(info->largest, v);
    }
    info->not_finite = info->elements - n;
    if (n == 0) {
        info->mean = info->std = info->least = info->largest = NAN;
        return;
    }
    info->mean = sum / (double)n;
    for (uint64_t i = 0; i < info->elements; i++) {
        double v = (wide ? doubles[i] : (double)floats[i]) - info->mean;
        if (isfinite(v)) squares += v * v;
    }
    info->std = sqrt(squares / (double)n);
}

static strata_status show_tensor(strata_weights_file *f, const strata_stored *t,
                                 void (*each)(void *context, const strata_tensor_info *info), void *context)
{
    strata_status status = STRATA_OK;
    const strata_stored_string shape = strata_stored_shape(t);
    const bool wide = t->dtype == STRATA_DTYPE_F64;
    void *values = NULL;
    strata_tensor_info info = { .name = t->name,
                                .dtype = strata_dtype_name(t->dtype),
                                .shape = shape.s,
                                .elements = strata_stored_count(t),
                                .bytes = t->n_bytes,
                                .numeric = strata_dtype_is_float(t->dtype) };
    if (info.numeric) {
        const size_t bytes = (size_t)info.elements * (wide ? sizeof(double) : sizeof(float));
        values = malloc(bytes ? bytes : 1);
        if (!values)
            STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: no memory for tensor '%s'", f->path, t->name));
        STRATA_GO(wide ? strata_weights_read(f, t, values) : strata_weights_read_f32(f, t, values));
        measure(&info, values, wide);
    }
    each(context, &info);
done:
    free(values);
    return status;
}

strata_status strata_inspect(const char *path, void (*each)(void *context, const strata_tensor_info *info),
                             void (*note)(void *context, const char *key, const char *value), void *context)
{
    strata_weights_file *f = NULL;
    strata_status status = strata_weights_open(&f, path);
    for (uint32_t i = 0; status == STRATA_OK && note && i < f->n_notes; i++)
        note(context, f->note[i].key, f->note[i].value);
    for (uint32_t i = 0; status == STRATA_OK && i < f->n; i++)
        status = show_tensor(f, &f->tensor[i], each, context);
    strata_weights_close(f);
    return status;
}

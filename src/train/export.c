/* strata_export: a run's network as an ONNX file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "model/onnx.h"
#include "strata/file.h"
#include "strata/weights.h"
#include "train/recipe.h"
#include "train/score.h"
#include "train/source.h"

typedef struct exporting {
    weights_source source;
    strata_model *model;
    strata_weights_file *weights;
    float mean[4], std[4];
    strata_note note[16]; /* [n_notes] */
    uint32_t n_notes;
    char image[64], classes[16];
    strata_text names;
} exporting;

static strata_status check_name(const char *path)
{
    const size_t n = strlen(path);
    if (n > 5 && strcmp(path + n - 5, ".onnx") == 0) return STRATA_OK;
    return strata_fail(STRATA_BAD_ARG, "%s: wanted a name that ends in .onnx, which is what is written",
                       path);
}

/* Keys of the recipe, and what the network takes and gives: the notes of a weights file. */
static strata_status take_notes(exporting *e, bool normalise)
{
    static const char *const keys[] = { "model", "stem", "head", "normalize" };
    const strata_shape in = e->model->graph->input->shape;
    const weights_source *s = &e->source;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = strata_recipe_get(s->recipe, keys[i]);
        const char *slash = i == 0 ? strrchr(value, '/') : NULL;
        if (*value) e->note[e->n_notes++] = (strata_note) { keys[i], slash ? slash + 1 : value };
    }
    snprintf(e->image, sizeof e->image, "%ux%ux%u", (unsigned)in.h, (unsigned)in.w, (unsigned)in.c);
    snprintf(e->classes, sizeof e->classes, "%u", (unsigned)e->model->classes);
    e->note[e->n_notes++] = (strata_note) { "image", e->image };
    e->note[e->n_notes++] = (strata_note) { "classes", e->classes };
    e->note[e->n_notes++] = (strata_note) { "input", normalise ? "pixels in [0,1]" : "normalised pixels" };
    for (uint32_t i = 0; s->class_names && i < e->model->classes; i++) {
        if (i) strata_text_append(&e->names, "\n", 1);
        strata_text_append(&e->names, s->class_names[i], strlen(s->class_names[i]));
    }
    if (e->names.failed) return strata_fail(STRATA_NO_MEMORY, "%s: no memory to export it", s->weights);
    if (s->class_names) e->note[e->n_notes++] = (strata_note) { "class_names", e->names.s ? e->names.s : "" };
    return STRATA_OK;
}

static strata_status take_figures(exporting *e)
{
    const char *text = strata_recipe_get(e->source.recipe, "normalize");
    const uint32_t channels = e->model->graph->input->shape.c;
    if (!*text)
        return strata_fail(STRATA_BAD_ARG, "%s does not say how its images are normalised: give --normalize",
                           e->source.weights);
    if (channels > 4)
        return strata_fail(STRATA_BAD_ARG, "normalisation is for at most 4 channels, %s has %u",
                           e->source.weights, (unsigned)channels);
    return score_figures(e->mean, e->std, text, channels);
}

strata_status strata_export(const char *what, const char *path, const strata_export_config *config,
                            strata_exported *out)
{
    strata_status status = STRATA_OK;
    const strata_export_config none = { 0 }, *c = config ? config : &none;
    exporting e = { 0 };
    STRATA_GO(check_name(path));
    STRATA_GO(strata_file_check(path));
    STRATA_GO(source_open(&e.source, what, c->recipe));
    STRATA_GO(source_check_model(&e.source));
    if (!*strata_recipe_get(e.source.recipe, "model"))
        STRATA_GO(strata_fail(STRATA_BAD_ARG, "%s does not say which model it is for: give --model",
                              e.source.weights));
    const engine_config network = { e.source.task, 1, 1, false, NULL, NULL };
    STRATA_GO(engine_model(&e.model, e.source.recipe, &network));
    STRATA_GO(strata_weights_open(&e.weights, e.source.weights));
    if (c->normalise) STRATA_GO(take_figures(&e));
    STRATA_GO(take_notes(&e, c->normalise));
    const strata_onnx_config onnx = { .graph = e.model->graph,
                                      .weights = e.weights,
                                      .mean = c->normalise ? e.mean : NULL,
                                      .std = e.std,
                                      .note = e.note,
                                      .n_notes = e.n_notes,
                                      .name = e.model->name,
                                      .about = e.model->about };
    strata_exported made = { 0 };
    STRATA_GO(strata_onnx_write(path, &onnx, &made.bytes));
    const strata_shape in = e.model->graph->input->shape;
    made = (strata_exported) { in.h, in.w, in.c, e.model->classes, e.model->graph->n_params, made.bytes };
    if (out) *out = made;
done:
    strata_text_free(&e.names);
    strata_weights_close(e.weights);
    strata_model_close(e.model);
    source_close(&e.source);
    return status;
}

/* From a description to a graph. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "core/asset.h"
#include "core/file.h"
#include "core/text.h"
#include "model/describe.h"
#include "model/groups.h"

/* What the layers of one model are made with. */
typedef struct making {
    strata_graph *graph;
    const model_description *d;
    const char *choice[CHOICES]; /* "": the description has no such choice */
    char classes[16];
} making;

/* ---- The description ---------------------------------------------------------------------- */

static strata_status unknown_model(const char *name)
{
    uint32_t n;
    const char *const *names = strata_zoo_names(&n);
    const char *near = strata_nearest(name, names, n);
    return strata_fail(STRATA_BAD_ARG,
                       "there is no model '%s'%s%s%s; `strata models` lists them, and a path "
                       "that ends in .yaml is read as a file",
                       name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static strata_status read_description(model_description *out, strata_arena *arena, const char *model)
{
    if (ends_with(model, ".yaml") || ends_with(model, ".yml")) {
        char *text = NULL;
        size_t n = 0;
        const char *path = strata_arena_text(arena, model);
        if (!path) return strata_fail(STRATA_NO_MEMORY, "%s: no memory to read it", model);
        STRATA_TRY(strata_file_read(&text, &n, path));
        strata_status status = model_describe(out, arena, path, text, n);
        free(text);
        return status;
    }
    char name[96];
    snprintf(name, sizeof name, "models/%.80s.yaml", model);
    const strata_asset *asset = strata_asset_find(name);
    if (!asset) return unknown_model(model);
    return model_describe(out, arena, asset->name, (const char *)asset->bytes, asset->n);
}

/* ---- Choices ------------------------------------------------------------------------------ */

static strata_status choose(making *m, uint32_t c, const char *wanted)
{
    const char *const *values = m->d->choice[c].value;
    const uint32_t n = m->d->choice[c].n;
    if (!wanted || !*wanted) {
        m->choice[c] = n ? values[0] : "";
        return STRATA_OK;
    }
    if (!n)
        return strata_fail(STRATA_BAD_ARG, "--%s %s: %s has only one", model_choice_names[c], wanted,
                           m->d->name);
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(values[i], wanted) == 0) {
            m->choice[c] = values[i];
            return STRATA_OK;
        }
    const char *near = strata_nearest(wanted, values, n);
    strata_text list = { 0 };
    for (uint32_t i = 0; i < n; i++) strata_text_format(&list, "%s%s", i ? ", " : "", values[i]);
    strata_status status = strata_fail(
        STRATA_BAD_ARG, "--%s: %s has no '%s'%s%s%s; it has: %s", model_choice_names[c], m->d->name, wanted,
        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", list.s ? list.s : "");
    strata_text_free(&list);
    return status;
}

static bool is_there(const making *m, const model_layer *layer)
{
    return layer->when_choice == CHOICES || strcmp(m->choice[layer->when_choice], layer->when_value) == 0;
}

/* ---- Layers ------------------------------------------------------------------------------- */

/* A layer's message under its line of the file. */
static strata_status at_line(const making *m, const model_layer *layer, strata_status status)
{
    if (status == STRATA_OK || status == STRATA_NO_MEMORY) return status;
    return strata_fail(status, "%s:%u: %s", m->d->path, (unsigned)layer->line, strata_message());
}

static strata_status find_input(const making *m, strata_tensor **out, const char *name)
{
    *out = strata_graph_tensor(m->graph, name);
    if (*out) return STRATA_OK;
    for (uint32_t i = 0; i < m->d->n_layers; i++)
        if (strcmp(m->d->layer[i].name, name) == 0)
            return strata_fail(
                STRATA_BAD_ARG, "in: the layer '%s' of line %u %s", name, (unsigned)m->d->layer[i].line,
                is_there(m, &m->d->layer[i]) ? "is not before this one" : "is left out by its `when`");
    const char **names = calloc(m->graph->n_tensors, sizeof *names);
    for (uint32_t i = 0; names && i < m->graph->n_tensors; i++) names[i] = m->graph->tensor[i]->name;
    const char *near = names ? strata_nearest(name, names, m->graph->n_tensors) : NULL;
    free(names);
    return strata_fail(STRATA_BAD_ARG, "in: there is no layer '%s'%s%s%s", name,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* The settings with $classes replaced.  out: [layer->n_settings] */
static strata_status replace(const making *m, strata_setting *out, const model_layer *layer)
{
    for (uint32_t i = 0; i < layer->n_settings; i++) {
        out[i] = layer->setting[i];
        if (out[i].value[0] != '$') continue;
        if (strcmp(out[i].value, "$classes") != 0)
            return strata_fail(STRATA_BAD_ARG, "%s: there is no variable '%s'; there is $classes", out[i].key,
                               out[i].value);
        out[i].value = m->classes;
    }
    return STRATA_OK;
}

static strata_status add_layer(making *m, strata_tensor **last, const model_layer *layer)
{
    strata_status status = STRATA_OK;
    strata_tensor *in[STRATA_MAX_IN] = { *last };
    strata_setting *settings = calloc(layer->n_settings + 1, sizeof *settings);
    if (!settings) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a layer"));
    for (uint32_t i = 0; i < layer->n_in; i++) STRATA_GO(find_input(m, &in[i], layer->in[i]));
    STRATA_GO(replace(m, settings, layer));
    STRATA_GO(strata_graph_add(m->graph, last, layer->op, layer->name, in, layer->n_in ? layer->n_in : 1,
                               settings, layer->n_settings));
done:
    free(settings);
    return at_line(m, layer, status);
}

/* The layer that became node k. */
static const model_layer *layer_of(const making *m, uint32_t k)
{
    const model_layer *layer = m->d->layer;
    while (!is_there(m, layer) || k-- > 0) layer++;
    return layer;
}

/* What nobody takes has no gradient to learn by. */
static strata_status check_all_taken(const making *m)
{
    const strata_graph *g = m->graph;
    for (uint32_t k = 0; k + 1 < g->n_nodes; k++) {
        bool taken = false;
        for (uint32_t j = k + 1; j < g->n_nodes && !taken; j++)
            for (uint32_t i = 0; i < g->node[j]->n_in; i++)
                taken = taken || g->node[j]->in[i] == g->node[k]->out;
        if (taken) continue;
        const model_layer *layer = layer_of(m, k);
        return at_line(m, layer,
                       strata_fail(STRATA_BAD_ARG,
                                   "no layer takes what '%s' gives: wanted in: %s in a later one",
                                   g->node[k]->name, g->node[k]->name));
    }
    return STRATA_OK;
}

static strata_status add_layers(making *m, uint32_t classes)
{
    strata_tensor *last = m->graph->input;
    const model_layer *end = NULL;
    for (uint32_t i = 0; i < m->d->n_layers; i++) {
        if (!is_there(m, &m->d->layer[i])) continue;
        end = &m->d->layer[i];
        STRATA_TRY(add_layer(m, &last, end));
    }
    if (!end) return strata_fail(STRATA_BAD_ARG, "%s: these choices leave no layer", m->d->path);
    STRATA_TRY(check_all_taken(m));
    if (last->shape.c == classes && last->shape.h == 1 && last->shape.w == 1) return STRATA_OK;
    return strata_fail(STRATA_BAD_SHAPE, "%s:%u: the last layer wants to give [%u,1,1,%u], but gives %s",
                       m->d->path, (unsigned)end->line, (unsigned)last->shape.n, (unsigned)classes,
                       strata_shape_text(last->shape).s);
}

static strata_status add_loss(making *m, const strata_model_config *config)
{
    const float smoothing = config->label_smoothing;
    char text[32];
    if (config->sigmoid && smoothing > 0)
        return strata_fail(STRATA_BAD_ARG, "--label-smoothing %g is of the loss softmax: sigmoid has none",
                           (double)smoothing);
    if (config->sigmoid) return strata_graph_add_loss(m->graph, m->graph->logits, "bce_loss", NULL, 0);
    if (config->class_weights)
        STRATA_TRY(strata_graph_add_class_weights(m->graph, m->graph->logits->shape.c));
    snprintf(text, sizeof text, "%.9g", (double)smoothing);
    const strata_setting setting = { "smoothing", text };
    const char *op = config->mixed ? "softmax_target_loss" : "softmax_loss";
    return strata_graph_add_loss(m->graph, m->graph->logits, op, &setting, 1);
}

/* ---- The whole ---------------------------------------------------------------------------- */

static strata_status build(strata_model *out, const model_description *d, const strata_model_config *config)
{
    making m = { .d = d };
    strata_shape image = config->input;
    out->classes = config->classes ? config->classes : d->classes;
    if (!image.h && !image.w && !image.c) {
        image.h = d->image[0];
        image.w = d->image[1];
        image.c = d->image[2];
    }
    if (!image.h || !out->classes)
        return strata_fail(STRATA_BAD_ARG, "%s does not say for which %s it is; give data that does", d->name,
                           image.h ? "classes" : "image");
    snprintf(m.classes, sizeof m.classes, "%u", (unsigned)out->classes);
    STRATA_TRY(choose(&m, CHOICE_STEM, config->stem));
    STRATA_TRY(choose(&m, CHOICE_HEAD, config->head));
    STRATA_TRY(strata_graph_open(&out->graph, image));
    m.graph = out->graph;
    STRATA_TRY(add_layers(&m, out->classes));
    return config->loss ? add_loss(&m, config) : STRATA_OK;
}

strata_status strata_model_open(strata_model **out, const strata_model_config *config)
{
    strata_status status = STRATA_OK;
    model_description d;
    *out = NULL;
    strata_model *m = calloc(1, sizeof *m);
    if (!m) return strata_fail(STRATA_NO_MEMORY, "no memory for a model");
    STRATA_GO(read_description(&d, &m->arena, config->model));
    m->name = d.name;
    m->about = d.about;
    m->new_head = config->new_head;
    STRATA_GO(build(m, &d, config));
    STRATA_GO(model_groups(m, &d, config->groups));
    *out = m;
    m = NULL;
done:
    strata_model_close(m);
    return status;
}

void strata_model_close(strata_model *m)
{
    if (!m) return;
    strata_graph_close(m->graph);
    strata_arena_free(&m->arena);
    free(m);
}

#define _XOPEN_SOURCE 700 /* realpath */
#include "train/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/file.h"
#include "core/text.h"
#include "model/weights_file.h"
#include "strata/weights.h"
#include "train/named.h"
#include "train/recipe.h"

static strata_status no_memory(const char *what)
{
    return strata_fail(STRATA_NO_MEMORY, "%s: no memory to open it", what);
}

/* The keys that decide a network, its loss, what it sees and what it has not seen. */
static const char *const model_keys[] = { "model",           "stem",      "head", "groups", "loss",
                                          "label-smoothing", "normalize", "fit",  "filter", "background",
                                          "stored-size",     "valid-by" };
enum { MODEL_KEYS = sizeof model_keys / sizeof *model_keys };

/* Noted beside valid-by where they decided what the network has not seen. */
static const char *const draw_keys[] = { "seed", "valid-fraction" };
enum { DRAW_KEYS = sizeof draw_keys / sizeof *draw_keys };

static const char *keep(strata_arena *arena, strata_text *t)
{
    const char *copy = t->failed ? NULL : strata_arena_text(arena, t->s ? t->s : "");
    strata_text_free(t);
    return copy;
}

const char *source_draw(strata_arena *arena, const strata_recipe *r)
{
    strata_text t = { 0 };
    strata_text_format(&t, "seed %.17g, valid-fraction %.9g, valid-by %s", recipe_number(r, "seed"),
                       recipe_number(r, "valid-fraction"), strata_recipe_get(r, "valid-by"));
    return keep(arena, &t);
}

const char *source_reading(strata_arena *arena, const strata_recipe *r)
{
    static const char *const keys[] = { "labels", "size",       "stored-size", "channels",       "fit",
                                        "filter", "background", "max-pixels",  "valid-fraction", "valid-by",
                                        "seed" };
    strata_text t = { 0 };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        strata_text_format(&t, "%s\n", strata_recipe_get(r, keys[i]));
    return keep(arena, &t);
}

/* How pixels were scaled is known to the weights: a recipe may leave it to the data. */
static strata_status take_scale(weights_source *s)
{
    strata_weights_file *f = NULL;
    STRATA_TRY(strata_weights_open(&f, s->weights));
    const char *scale = strata_weights_note(f, "normalize");
    strata_status status = scale ? strata_recipe_set(s->recipe, "normalize", scale) : STRATA_OK;
    strata_weights_close(f);
    return status;
}

/* ---- A run folder ---------------------------------------------------------------------------- */

static const char *below(strata_arena *arena, const char *folder, const char *name)
{
    char *path = NULL;
    if (strata_path_join(&path, folder, name) != STRATA_OK) return NULL;
    const char *copy = strata_arena_text(arena, path);
    free(path);
    return copy;
}

/* A folder of which nothing can be taken; weights that lie in it are named. */
static strata_status no_run(strata_arena *arena, const char *folder)
{
    static const char *const names[] = { "best.safetensors", "last.safetensors" };
    const char *path = NULL;
    for (size_t i = 0; !path && i < sizeof names / sizeof *names; i++) {
        path = below(arena, folder, names[i]);
        if (path && !strata_path_exists(path)) path = NULL;
    }
    return strata_fail(STRATA_FILE,
                       "%s: not a run folder: it has no run.json; wanted a run's folder, or a .safetensors "
                       "or .pth file%s%s",
                       folder, path ? " such as " : "", path ? path : "");
}

/* The weights of a run: its best, or its last where it was not validated. */
static strata_status run_weights(const char **out, strata_arena *arena, const char *folder)
{
    const char *record = below(arena, folder, "run.json");
    const char *best = below(arena, folder, "checkpoints/best.safetensors");
    const char *last = below(arena, folder, "checkpoints/last.safetensors");
    if (!record || !best || !last) return no_memory(folder);
    if (!strata_path_exists(record)) return no_run(arena, folder);
    *out = strata_path_exists(best) ? best : last;
    if (strata_path_exists(*out)) return STRATA_OK;
    return strata_fail(STRATA_FILE, "%s: the run has no checkpoint yet", folder);
}

strata_status strata_weights_path(char **path, const char *what)
{
    strata_arena arena = { 0 };
    strata_status status = STRATA_OK;
    const char *found = what;
    *path = NULL;
    if (strata_folder_exists(what)) STRATA_GO(run_weights(&found, &arena, what));
    *path = strdup(found);
    if (!*path) status = no_memory(what);
done:
    strata_arena_free(&arena);
    return status;
}

static strata_status take_names(weights_source *s, const json_t *classes, const char *path)
{
    size_t n = json_array_size(classes);
    const char **names = strata_arena_take(&s->arena, (n + 1) * sizeof *names);
    if (!names) return no_memory(path);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(classes, i));
        names[i] = strata_arena_text(&s->arena, text ? text : "?");
        if (!names[i]) return no_memory(path);
    }
    s->task.classes = (uint32_t)n;
    s->class_names = names;
    return STRATA_OK;
}

static uint32_t size_at(const json_t *list, size_t i)
{
    return (uint32_t)json_integer_value(json_array_get(list, i));
}

static strata_status read_run(weights_source *s, const char *folder)
{
    json_error_t error;
    const char *path = below(&s->arena, folder, "run.json"),
               *recipe = below(&s->arena, folder, "recipe.yaml");
    if (!path || !recipe) return no_memory(folder);
    if (!strata_path_exists(path)) return no_run(&s->arena, folder);
    json_t *run = json_load_file(path, 0, &error);
    if (!run && error.line < 0) return strata_fail(STRATA_FILE, "%s", error.text); /* it cannot be opened */
    if (!run) return strata_fail(STRATA_FILE, "%s:%d: %s", path, error.line, error.text);
    const json_t *data = json_object_get(run, "data"), *image = json_object_get(data, "image");
    s->task = (strata_task) { size_at(image, 0), size_at(image, 1), size_at(image, 2), 0, 0, 0 };
    const char *model = json_string_value(json_object_get(json_object_get(run, "files"), "model"));
    const char *print = json_string_value(json_object_get(data, "fingerprint"));
    s->model_was = strata_arena_text(&s->arena, model ? model : "");
    s->data_was = strata_arena_text(&s->arena, print ? print : "");
    strata_status status = s->model_was && s->data_was ? take_names(s, json_object_get(data, "classes"), path)
                                                       : no_memory(path);
    json_decref(run);
    STRATA_TRY(status);
    if (!s->task.h || !s->task.w || !s->task.c || !s->task.classes)
        return strata_fail(STRATA_FILE, "%s: the run has not got as far as its data", folder);
    STRATA_TRY(strata_recipe_load(s->recipe, recipe));
    s->data = strata_arena_text(&s->arena, strata_recipe_get(s->recipe, "data"));
    s->drawn = source_draw(&s->arena, s->recipe);
    s->read_was = source_reading(&s->arena, s->recipe);
    if (!s->data || !s->drawn || !s->read_was) return no_memory(folder);
    STRATA_TRY(run_weights(&s->weights, &s->arena, folder));
    return take_scale(s);
}

/* ---- A weights file --------------------------------------------------------------------------- */

static strata_status split_names(weights_source *s, const char *text)
{
    uint32_t n = 1, at = 0;
    for (const char *c = text; *c; c++) n += *c == '\n';
    const char **names = strata_arena_take(&s->arena, n * sizeof *names);
    if (!names) return no_memory(s->weights);
    for (const char *c = text; at < n; at++) {
        size_t length = strcspn(c, "\n");
        names[at] = strata_arena_text_n(&s->arena, c, length);
        if (!names[at]) return no_memory(s->weights);
        c += length + (c[length] == '\n');
    }
    s->class_names = n == s->task.classes ? names : NULL;
    return STRATA_OK;
}

static strata_status read_draw(weights_source *s, const strata_weights_file *f)
{
    for (int i = 0; i < DRAW_KEYS; i++) {
        const char *value = strata_weights_note(f, draw_keys[i]);
        if (!value) return STRATA_OK;
        STRATA_TRY(strata_recipe_set(s->recipe, draw_keys[i], value));
    }
    s->drawn = source_draw(&s->arena, s->recipe);
    return s->drawn ? STRATA_OK : no_memory(s->weights);
}

static strata_status read_notes(weights_source *s, const strata_weights_file *f)
{
    for (int i = 0; i < MODEL_KEYS; i++) {
        const char *value = strata_weights_note(f, model_keys[i]);
        if (value) STRATA_TRY(strata_recipe_set(s->recipe, model_keys[i], value));
    }
    const char *image = strata_weights_note(f, "image"), *classes = strata_weights_note(f, "classes");
    const char *names = strata_weights_note(f, "class_names");
    unsigned h = 0, w = 0, c = 0;
    if (image && sscanf(image, "%ux%ux%u", &h, &w, &c) != 3) h = w = c = 0;
    s->task = (strata_task) { h, w, c, classes ? (uint32_t)strtoul(classes, NULL, 10) : 0, 0, 0 };
    if (names && !strata_weights_note(f, "valid-by")) /* of a run before there was a choice */
        STRATA_TRY(strata_recipe_set(s->recipe, "valid-by", "name"));
    STRATA_TRY(read_draw(s, f));
    return names ? split_names(s, names) : STRATA_OK;
}

static strata_status read_weights(weights_source *s, const char *path)
{
    strata_weights_file *f = NULL;
    s->weights = strata_arena_text(&s->arena, path);
    s->data = s->data_was = s->read_was = s->drawn = s->model_was = "";
    if (!s->weights) return no_memory(path);
    STRATA_TRY(strata_weights_open(&f, path));
    strata_status status = read_notes(s, f);
    strata_weights_close(f);
    return status;
}

/* ---- Both -------------------------------------------------------------------------------------- */

static strata_status override(strata_recipe *r, const strata_recipe *given)
{
    uint32_t n;
    const strata_option *option = strata_options(&n);
    for (uint32_t i = 0; given && i < n; i++)
        if (strata_recipe_is_set(given, option[i].key))
            STRATA_TRY(strata_recipe_set(r, option[i].key, strata_recipe_get(given, option[i].key)));
    return STRATA_OK;
}

strata_status source_open(weights_source *s, const char *what, const strata_recipe *given)
{
    strata_status status = STRATA_OK;
    *s = (weights_source) { 0 };
    STRATA_TRY(strata_recipe_open(&s->recipe));
    if (!strata_path_exists(what))
        STRATA_GO(strata_fail(STRATA_FILE, "%s: there is no such run folder or file", what));
    STRATA_GO(strata_folder_exists(what) ? read_run(s, what) : read_weights(s, what));
    STRATA_GO(override(s->recipe, given));
    if (given && strata_recipe_is_set(given, "model")) s->model_was = "";
    return STRATA_OK;
done:
    source_close(s);
    return status;
}

strata_status source_check_model(const weights_source *s)
{
    if (!*s->model_was) return STRATA_OK;
    return named_check_one(s->model_was, s->recipe, "model",
                           "its weights are of what it was: give --model to take another");
}

/* Where a run began its data's path is written out. */
static bool same_place(const char *a, const char *b)
{
    char *x = realpath(a, NULL), *y = realpath(b, NULL);
    const bool same = strcmp(a, b) == 0 || (x && y && strcmp(x, y) == 0);
    free(x);
    free(y);
    return same;
}

strata_status source_data_changed(bool *out, const weights_source *s, const strata_data *data,
                                  const char *name)
{
    strata_arena arena = { 0 };
    *out = false;
    if (!*s->data_was || !same_place(name, s->data)) return STRATA_OK;
    const char *is = source_reading(&arena, s->recipe);
    const strata_status status = is ? STRATA_OK : no_memory(name);
    *out = is && strcmp(is, s->read_was) == 0 && !named_same_data(s->data_was, data);
    strata_arena_free(&arena);
    return status;
}

bool source_same_classes(const weights_source *s, const strata_image_set *set)
{
    bool same = s->class_names && s->task.classes == set->classes;
    for (uint32_t k = 0; same && k < set->classes; k++)
        same = strcmp(s->class_names[k], set->class_names[k]) == 0;
    return same;
}

strata_status source_head(strata_recipe *r, const strata_data *d)
{
    const char *init = strata_recipe_get(r, "init");
    weights_source s;
    if (!*init || !recipe_is(r, "init-head", "auto")) return STRATA_OK;
    STRATA_TRY(source_open(&s, init, NULL));
    const bool others = s.class_names && !source_same_classes(&s, &d->train);
    source_close(&s);
    return strata_recipe_set(r, "init-head", others ? "new" : "keep");
}

void source_close(weights_source *s)
{
    strata_recipe_close(s->recipe);
    strata_arena_free(&s->arena);
    *s = (weights_source) { 0 };
}

strata_status source_engine(engine *out, strata_device **device, const weights_source *s, uint32_t images,
                            const strata_augment *augment)
{
    const strata_recipe *r = s->recipe;
    const char *limits = strata_recipe_get(r, "limits"), *folder = strata_recipe_get(r, "shader-dir");
    if (!*strata_recipe_get(r, "model"))
        return strata_fail(STRATA_BAD_ARG, "%s does not say which model it is for: give --model", s->weights);
    const strata_device_config config = { .name = strata_recipe_get(r, "device"),
                                          .shader_dir = *folder ? folder : NULL,
                                          .limits = *limits ? limits : NULL,
                                          .validate = recipe_flag(r, "validate") };
    STRATA_TRY(strata_device_open(device, &config));
    const engine_config network = { s->task, images, 1, false, NULL, augment };
    strata_status status = engine_open(out, *device, r, &network);
    if (status == STRATA_OK) status = strata_model_load(out->model, out->plan, s->weights, true, NULL, NULL);
    if (status != STRATA_OK) {
        engine_close(out);
        strata_device_close(*device);
        *device = NULL;
    }
    return status;
}

strata_status source_complaints(const strata_device *device, const strata_recipe *r)
{
    const char *first = "";
    if (!recipe_flag(r, "validate") || strata_device_complaints(device, &first) == 0) return STRATA_OK;
    return strata_fail(STRATA_CHECK_FAILED, "the validation layer complains: %s", first);
}

struct strata_note *source_notes(strata_arena *arena, const strata_trainer *t, const char *normalize,
                                 const char *const *names, uint32_t *n)
{
    strata_text image = { 0 }, classes = { 0 }, list = { 0 };
    strata_note *notes = strata_arena_take(arena, (MODEL_KEYS + DRAW_KEYS + 4) * sizeof *notes);
    *n = 0;
    if (!notes) return NULL;
    notes[(*n)++] = (strata_note) { "format", "pt" }; /* what other readers look for */
    for (int i = 0; i < MODEL_KEYS; i++) {
        bool scaled = strcmp(model_keys[i], "normalize") == 0 && *normalize;
        const char *value = scaled ? normalize : strata_recipe_get(t->recipe, model_keys[i]);
        if (strcmp(model_keys[i], "label-smoothing") == 0 && !(strtod(value, NULL) > 0)) continue;
        const char *slash = strcmp(model_keys[i], "model") == 0 ? strrchr(value, '/') : NULL;
        if (slash) value = slash + 1; /* weights are the same wherever the model's file lies */
        if (*value) notes[(*n)++] = (strata_note) { model_keys[i], value };
    }
    for (int i = 0; i < DRAW_KEYS && t->drawn; i++)
        notes[(*n)++] = (strata_note) { draw_keys[i], strata_recipe_get(t->recipe, draw_keys[i]) };
    strata_text_format(&image, "%ux%ux%u", (unsigned)t->task.h, (unsigned)t->task.w, (unsigned)t->task.c);
    strata_text_format(&classes, "%u", (unsigned)t->task.classes);
    notes[(*n)++] = (strata_note) { "image", keep(arena, &image) };
    notes[(*n)++] = (strata_note) { "classes", keep(arena, &classes) };
    for (uint32_t i = 0; names && i < t->task.classes; i++) {
        if (i) strata_text_append(&list, "\n", 1);
        strata_text_utf8(&list, names[i]);
    }
    if (names) notes[(*n)++] = (strata_note) { "class_names", keep(arena, &list) };
    for (uint32_t i = 0; i < *n; i++)
        if (!notes[i].value) return NULL;
    return notes;
}

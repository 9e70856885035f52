#include "train/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "model/safetensors.h"
#include "train/keep.h"
#include "train/recipe.h"

/* The flat ranges of a plan that a resumed run starts from, in device order. */
enum { RANGES = 4 };
static const char *const range_names[RANGES] = { "weights", "running", "moment1", "moment2" };

static void ranges(const strata_plan *p, strata_slice out[RANGES])
{
    out[0] = p->weights, out[1] = p->running, out[2] = p->moment1, out[3] = p->moment2;
}

typedef struct held {
    void *bytes[RANGES];
} held;

static void release(held *h)
{
    for (int i = 0; i < RANGES; i++) free(h->bytes[i]);
}

/* What the rates have observed, as "step kind group value;" */
static strata_status put_events(strata_text *out, const rates_log *log)
{
    strata_text_format(out, "%s", "");
    for (uint32_t i = 0; i < log->n; i++)
        strata_text_format(out, "%" PRIu64 " %u %u %a;", log->event[i].step, (unsigned)log->event[i].kind,
                           (unsigned)log->event[i].group, log->event[i].value);
    return out->failed ? strata_fail(STRATA_NO_MEMORY, "no memory for the checkpoint") : STRATA_OK;
}

static strata_status take_events(strata_rates *rates, const char *text, const char *path)
{
    for (const char *at = text; at && *at; at = strchr(at, ';') + 1) {
        unsigned kind, group;
        rates_event e;
        if (sscanf(at, "%" SCNu64 " %u %u %la;", &e.step, &kind, &group, &e.value) != 4 || !strchr(at, ';') ||
            kind >= RATES_KINDS)
            return strata_fail(STRATA_FILE, "%s: its metadata has events that are not understood: '%.40s'",
                               path, at);
        e.kind = (rates_event_kind)kind;
        e.group = group;
        STRATA_TRY(strata_rates_observe(rates, &e));
    }
    return STRATA_OK;
}

/* Each group's first steps: "SUM COUNT RATES;". A checkpoint without is of a run that did not measure. */
static strata_status put_ratios(strata_text *out, const update_ratios *r)
{
    for (uint32_t g = 0; g < r->model->n_groups; g++)
        strata_text_format(out, "%a %u %a;", r->sum[g], (unsigned)r->steps[g], r->rates[g]);
    return out->failed ? strata_fail(STRATA_NO_MEMORY, "no memory for the checkpoint") : STRATA_OK;
}

static void take_ratios(update_ratios *r, const char *text)
{
    for (uint32_t g = 0; text && g < r->model->n_groups; g++) {
        char *end;
        r->sum[g] = strtod(text, &end);
        r->steps[g] = *end == ' ' ? (uint32_t)strtoul(end + 1, &end, 10) : RATIO_TOLD;
        r->rates[g] = *end == ' ' ? strtod(end + 1, &end) : 0; /* of an earlier strata: nothing is told */
        text = *end ? end + 1 : end;
    }
}

static strata_status write_state(const char *path, strata_trainer *t, const loop_state *loop,
                                 const strata_recipe *recipe)
{
    strata_status status = STRATA_OK;
    held h = { { 0 } };
    strata_slice slice[RANGES];
    strata_stored tensor[RANGES + 2];
    char text[8][40];
    strata_state state;
    strata_text events = { 0 }, keys = { 0 }, ratios = { 0 };
    uint32_t n = 0, rows = t->main.model->graph->n_rows;
    STRATA_GO(trainer_count_rows(t));
    ranges(t->main.plan, slice);
    for (int i = 0; i < RANGES; i++) {
        if (!slice[i].block) continue;
        h.bytes[i] = malloc(slice[i].bytes);
        if (!h.bytes[i]) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: no memory for the checkpoint", path));
        STRATA_GO(strata_plan_read_range(t->main.plan, h.bytes[i], slice[i]));
        tensor[n++] = (strata_stored) { .name = range_names[i],
                                        .dtype = STRATA_DTYPE_F32,
                                        .rank = 1,
                                        .dim = { slice[i].bytes / 4 },
                                        .bytes = h.bytes[i] };
    }
    tensor[n++] = (strata_stored) {
        .name = "row_steps", .dtype = STRATA_DTYPE_I64, .rank = 1, .dim = { rows }, .bytes = t->row_steps
    };
    if (t->look.weights)
        tensor[n++] = (strata_stored) { .name = "look",
                                        .dtype = STRATA_DTYPE_F32,
                                        .rank = 1,
                                        .dim = { slice[0].bytes / 4 },
                                        .bytes = t->look.weights };
    snprintf(text[0], sizeof text[0], "%" PRIu64, loop->step);
    snprintf(text[1], sizeof text[1], "%a", loop->epoch_loss); /* hexadecimal: every bit comes back */
    snprintf(text[2], sizeof text[2], "%" PRIu64, loop->epoch_images);
    snprintf(text[3], sizeof text[3], "%a", loop->best);
    snprintf(text[4], sizeof text[4], "%a", loop->seconds);
    snprintf(text[5], sizeof text[5], "%d", loop->finished);
    snprintf(text[6], sizeof text[6], "%" PRIu64 " %u", t->look.step, (unsigned)t->look.skipped);
    STRATA_GO(trainer_state(t, &state));
    snprintf(text[7], sizeof text[7], "%a %u %u", (double)state.loss_scale, (unsigned)state.good_steps,
             (unsigned)state.skipped);
    STRATA_GO(put_events(&events, strata_rates_observed(t->rates)));
    STRATA_GO(put_ratios(&ratios, &t->ratios));
    recipe_text(&keys, recipe);
    if (keys.failed) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: no memory for the checkpoint", path));
    const strata_note notes[] = { { "events", events.s ? events.s : "" },
                                  { "step", text[0] },
                                  { "epoch_loss", text[1] },
                                  { "epoch_images", text[2] },
                                  { "best", text[3] },
                                  { "seconds", text[4] },
                                  { "finished", text[5] },
                                  { "look_step", text[6] },
                                  { "loss_scale", text[7] },
                                  { "update_ratios", ratios.s ? ratios.s : "" },
                                  { "recipe", keys.s } };
    STRATA_GO(strata_safetensors_write(path, tensor, n, notes, sizeof notes / sizeof *notes));
done:
    strata_text_free(&events);
    strata_text_free(&ratios);
    strata_text_free(&keys);
    release(&h);
    return status;
}

static strata_status named(char **out, const run_folder *f, const char *name)
{
    *out = folder_file(f, name);
    return *out ? STRATA_OK : strata_fail(STRATA_NO_MEMORY, "no memory for a file's name");
}

strata_status checkpoint_write(run_folder *f, strata_trainer *t, const loop_state *loop,
                               const strata_recipe *recipe, uint32_t keep)
{
    strata_status status = STRATA_OK;
    char *weights = NULL, *state = NULL;
    STRATA_GO(named(&weights, f, "checkpoints/last.safetensors"));
    STRATA_GO(named(&state, f, "checkpoints/last.state.safetensors"));
    if (keep > 1 && loop->saved && loop->saved != loop->step) STRATA_GO(keep_last(f, loop->saved));
    STRATA_GO(strata_trainer_save(t, weights));
    STRATA_GO(write_state(state, t, loop, recipe));
    STRATA_GO(keep_prune(f, keep - 1));
done:
    free(weights);
    free(state);
    return status;
}

strata_status checkpoint_best(run_folder *f, strata_trainer *t)
{
    char *path = NULL;
    STRATA_TRY(named(&path, f, "checkpoints/best.safetensors"));
    strata_status status = strata_trainer_save(t, path);
    free(path);
    return status;
}

static double note_number(const strata_safetensors *s, const char *key)
{
    const char *text = strata_safetensors_note(s, key);
    return text ? strtod(text, NULL) : NAN;
}

static strata_status read_tensor(strata_safetensors *s, const char *name, strata_dtype dtype, uint64_t count,
                                 void *out)
{
    const strata_stored *stored = strata_safetensors_find(s, name);
    if (!stored || stored->dtype != dtype || strata_stored_count(stored) != count)
        return strata_fail(STRATA_FILE, "%s: %s wants %llu elements of %s, got %s", s->path, name,
                           (unsigned long long)count, strata_dtype_name(dtype),
                           stored ? strata_stored_shape(stored).s : "nothing");
    return strata_safetensors_read(s, stored, out);
}

/* What the weights were at the last look, for a run that takes looks. */
static strata_status read_look(strata_safetensors *s, strata_trainer *t)
{
    const strata_slice weights = t->main.plan->weights;
    if (!t->look_every || t->step == 0) return STRATA_OK;
    /* And how many had overflowed by then: an earlier strata did not say, and counted none since. */
    unsigned skipped = t->begun.skipped;
    const double step = note_number(s, "look_step");
    if (step >= 0) sscanf(strata_safetensors_note(s, "look_step"), "%*s %u", &skipped);
    if (!(step >= 0 && step < (double)t->step) || skipped > t->begun.skipped)
        return strata_fail(STRATA_FILE,
                           "%s: its metadata wants a look_step below %" PRIu64 " with at most %u skipped",
                           s->path, t->step, (unsigned)t->begun.skipped);
    free(t->look.weights);
    t->look = (trainer_look) { malloc(weights.bytes), (uint64_t)step, skipped };
    if (!t->look.weights) return strata_fail(STRATA_NO_MEMORY, "%s: no memory for the checkpoint", s->path);
    return read_tensor(s, "look", STRATA_DTYPE_F32, weights.bytes / 4, t->look.weights);
}

/* With what the losses are scaled: "scale good_steps skipped". Where there is nothing, nothing was scaled. */
static strata_status read_scale(strata_safetensors *s, strata_trainer *t)
{
    const char *text = strata_safetensors_note(s, "loss_scale");
    double scale = 0;
    unsigned good = 0, skipped = 0;
    if (text && (sscanf(text, "%la %u %u", &scale, &good, &skipped) != 3 || !(scale >= 0 && scale <= 0x1p24)))
        return strata_fail(STRATA_FILE,
                           "%s: its metadata wants a loss_scale of a number up to 2^24 and two counts, got "
                           "'%.40s'",
                           s->path, text);
    t->begun = (strata_state) { .loss_scale = (float)scale, .good_steps = good, .skipped = skipped };
    return STRATA_OK;
}

static strata_status read_state(strata_safetensors *s, strata_trainer *t, loop_state *loop)
{
    strata_slice slice[RANGES];
    ranges(t->main.plan, slice);
    for (int i = 0; i < RANGES; i++) {
        if (!slice[i].block) continue;
        float *values = malloc(slice[i].bytes);
        if (!values) return strata_fail(STRATA_NO_MEMORY, "%s: no memory for the checkpoint", s->path);
        strata_status status = read_tensor(s, range_names[i], STRATA_DTYPE_F32, slice[i].bytes / 4, values);
        if (status == STRATA_OK) status = strata_plan_write_range(t->main.plan, slice[i], values);
        free(values);
        STRATA_TRY(status);
    }
    STRATA_TRY(read_tensor(s, "row_steps", STRATA_DTYPE_I64, t->main.model->graph->n_rows, t->row_steps));
    STRATA_TRY(trainer_put_rows(t));
    double step = note_number(s, "step"), images = note_number(s, "epoch_images"),
           sum = note_number(s, "epoch_loss");
    if (!(step >= 0 && step <= (double)t->task.steps) || !(images >= 0 && images < 1e18) || isnan(sum))
        return strata_fail(
            STRATA_FILE, "%s: its metadata wants a step of at most %" PRIu64 ", epoch_loss and epoch_images",
            s->path, t->task.steps);
    *loop = (loop_state) { .step = (uint64_t)step,
                           .epoch_loss = sum,
                           .epoch_images = (uint64_t)images,
                           .best = note_number(s, "best"),
                           .seconds = note_number(s, "seconds"),
                           .finished = note_number(s, "finished") != 0,
                           .saved = (uint64_t)step };
    t->step = loop->step;
    STRATA_TRY(read_scale(s, t));
    STRATA_TRY(read_look(s, t));
    take_ratios(&t->ratios, strata_safetensors_note(s, "update_ratios"));
    return take_events(t->rates, strata_safetensors_note(s, "events"), s->path);
}

strata_status checkpoint_check(const run_folder *f, const strata_recipe *recipe, bool *found)
{
    strata_status status = STRATA_OK;
    strata_safetensors *s = NULL;
    strata_recipe *was = NULL;
    strata_text differences = { 0 };
    char *path = NULL;
    STRATA_TRY(named(&path, f, "checkpoints/last.state.safetensors"));
    *found = strata_path_exists(path);
    if (!*found) goto done;
    STRATA_GO(strata_safetensors_open(&s, path));
    const char *text = strata_safetensors_note(s, "recipe");
    if (!text) STRATA_GO(strata_fail(STRATA_FILE, "%s: its metadata has no recipe", path));
    STRATA_GO(strata_recipe_open(&was));
    STRATA_GO(recipe_read(was, text, strlen(text), path));
    recipe_differences(&differences, was, recipe);
    if (differences.failed)
        STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: no memory to compare recipes", path));
    if (differences.length)
        STRATA_GO(
            strata_fail(STRATA_BAD_ARG,
                        "%s/recipe.yaml is not the recipe that the run was begun with: %s; a run goes on as "
                        "it began, another one is begun with --recipe",
                        f->path, differences.s));
done:
    strata_text_free(&differences);
    strata_recipe_close(was);
    strata_safetensors_close(s);
    free(path);
    return status;
}

strata_status checkpoint_read(run_folder *f, strata_trainer *t, loop_state *loop)
{
    char *path = NULL;
    strata_safetensors *s = NULL;
    strata_status status = STRATA_OK;
    STRATA_TRY(named(&path, f, "checkpoints/last.state.safetensors"));
    STRATA_GO(strata_safetensors_open(&s, path));
    STRATA_GO(read_state(s, t, loop));
done:
    strata_safetensors_close(s);
    free(path);
    return status;
}

#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>

#include "model/safetensors.h"
#include "train/rate_list.h"
#include "train/recipe.h"
#include "train/source.h"

/* ---- Results -------------------------------------------------------------------------------- */

static void keep_result(strata_trainer *t, const void *bytes)
{
    const trainer_part *part = &t->flight[t->taken % STRATA_RING_SLOTS];
    const strata_plan *p = t->current->plan;
    const float *loss = (const void *)((const char *)bytes + p->result_loss);
    for (uint32_t i = 0; i < part->images; i++) t->partial += (double)loss[i];
    t->taken++;
    if (!part->last) return;
    const uint32_t place = (t->first_result + t->n_results++) % TRAINER_RESULTS;
    trainer_result *r = &t->result[place];
    *r = (trainer_result) { .step = part->step,
                            .images = part->step_images,
                            .loss = t->partial / part->weight };
    memcpy(&r->state, bytes, sizeof r->state);
    r->overflowed = r->state.not_finite > 1;
    const bool taken = r->state.not_finite == 0;
    if (r->overflowed) r->state.not_finite = 0;
    if (part->measured && taken) {
        const size_t room = 2 * (size_t)t->main.model->graph->n_rows;
        r->moved = memcpy(t->moved + place * room, (const char *)bytes + p->result_moved,
                          room * sizeof *t->moved);
    }
    t->partial = 0;
}

static strata_status collect(strata_trainer *t, bool wait)
{
    while (t->current && t->taken < t->submitted) {
        const void *bytes = NULL;
        uint64_t number;
        STRATA_TRY(strata_ring_result(t->current->train, wait, &number, &bytes));
        if (!bytes) break;
        keep_result(t, bytes);
    }
    return STRATA_OK;
}

strata_status trainer_take(strata_trainer *t, bool wait, trainer_result *out, bool *got)
{
    *got = false;
    if (t->n_results == 0) STRATA_TRY(collect(t, wait));
    if (t->n_results == 0) return STRATA_OK;
    *out = t->result[t->first_result];
    t->first_result = (t->first_result + 1) % TRAINER_RESULTS;
    t->n_results--;
    *got = true;
    return STRATA_OK;
}

/* ---- Steps ---------------------------------------------------------------------------------- */

/* A smaller last batch has recordings of its own, over the same weights: rows of weight 0 would enter the
 * statistics of batch norms. */
static strata_status open_tail(strata_trainer *t, uint32_t images)
{
    if (t->tail.model && t->tail.model->graph->input->shape.n == images) return STRATA_OK;
    engine_close(&t->tail);
    const engine_config config = { t->task, images, 1, true, &t->main, t->main.plan->config.augment };
    return engine_open(&t->tail, t->device, t->recipe, &config);
}

strata_status trainer_expect(strata_trainer *t, uint32_t images)
{
    STRATA_TRY(open_tail(t, images));
    return engine_train_ring(&t->tail);
}

/* The state goes with the weights: what one engine found not finite stops the other, too. */
static strata_status choose(strata_trainer *t, uint32_t images)
{
    engine *wanted = images == t->micro ? &t->main : &t->tail;
    strata_state state = t->begun;
    if (t->current == wanted && wanted->model->graph->input->shape.n == images) return STRATA_OK;
    if (t->current) {
        STRATA_TRY(collect(t, true)); /* results stay in order */
        STRATA_TRY(strata_plan_read_range(t->current->plan, &state, t->current->plan->state));
        t->submitted = t->taken = 0;
        t->current = NULL;
    }
    if (wanted == &t->tail) STRATA_TRY(open_tail(t, images));
    STRATA_TRY(engine_train_ring(wanted));
    STRATA_TRY(strata_plan_write_range(wanted->plan, wanted->plan->state, &state));
    t->current = wanted;
    return STRATA_OK;
}

strata_status trainer_state(const strata_trainer *t, strata_state *out)
{
    *out = t->begun;
    return t->current ? strata_plan_read_range(t->current->plan, out, t->current->plan->state) : STRATA_OK;
}

/* Layers at the input side that do not learn get no backward pass: recordings are made for as many as are
 * frozen now, before the first step that needs them, with nothing in flight; those of an earlier step that
 * had as many are taken again. */
static strata_status freeze(strata_trainer *t)
{
    const uint32_t n = t->current->model->graph->n_nodes;
    const strata_plan *p = t->current->plan;
    bool same = p->config.frozen_nodes == t->frozen_nodes;
    for (uint32_t k = 0; same && k < n; k++) same = p->graph->node[k]->frozen_stats == t->hold[k];
    if (same) return STRATA_OK;
    STRATA_TRY(collect(t, true));
    return strata_plan_freeze(t->current->plan, t->frozen_nodes, t->hold);
}

strata_status trainer_begin(strata_trainer *t, uint32_t images, uint32_t step_images, bool last,
                            uint32_t epoch, engine_input *out)
{
    void *in;
    bool first = !t->open;
    STRATA_TRY(choose(t, images));
    if (first) {
        if (t->look_every && t->step % t->look_every == 0) {
            STRATA_TRY(collect(t, true));
            STRATA_TRY(trainer_measure(t));
        }
        trainer_rates_begin(t);
        t->step++;
        t->sample = 0;
    }
    STRATA_TRY(freeze(t));
    STRATA_TRY(strata_ring_begin(t->current->train, &in));
    STRATA_TRY(collect(t, false));
    const uint64_t seed = (uint64_t)recipe_number(t->recipe, "seed");
    *out = engine_parts(t->current, in);
    *out->values = (strata_step_values) {
        (uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)(t->step - 1), t->sample, epoch, { 0 }
    };
    trainer_rows(t, out->rates);
    t->flight[t->submitted % STRATA_RING_SLOTS] = (trainer_part) { t->step - 1, images,     step_images,
                                                                   last,        t->measure, step_images };
    t->fresh = first;
    t->open = !last;
    t->sample += images;
    return STRATA_OK;
}

void trainer_weigh(strata_trainer *t, double sum)
{
    t->flight[t->submitted % STRATA_RING_SLOTS].weight = sum;
}

strata_status trainer_submit(strata_trainer *t)
{
    const trainer_part *part = &t->flight[t->submitted % STRATA_RING_SLOTS];
    const strata_ending end = !part->last      ? STRATA_NO_UPDATE
                              : part->measured ? STRATA_UPDATE_MEASURED
                                               : STRATA_UPDATE;
    STRATA_TRY(strata_plan_submit_train(t->current->plan, t->current->train, !t->fresh, end));
    t->submitted++;
    return STRATA_OK;
}

strata_status trainer_idle(strata_trainer *t, bool *idle)
{
    STRATA_TRY(collect(t, false));
    *idle = t->taken == t->submitted;
    return STRATA_OK;
}

static bool takes_sets(const strata_trainer *t) { return !t->main.model->graph->target->rows; }

/* Labels of an image in the caller's arrays. */
static uint32_t label_count(const strata_trainer *t) { return takes_sets(t) ? t->task.classes : 1; }

/* Kernels trust labels. */
static strata_status check_labels(const strata_trainer *t, const int32_t *labels, uint32_t n)
{
    const uint32_t each = label_count(t);
    for (size_t i = 0; takes_sets(t) && i < (size_t)n * each; i++)
        if (labels[i] != 0 && labels[i] != 1)
            return strata_fail(STRATA_BAD_ARG,
                               "of image %u class %u is %d, wanted 0 or 1: the loss is sigmoid",
                               (unsigned)(i / each), (unsigned)(i % each), (int)labels[i]);
    if (takes_sets(t)) return STRATA_OK;
    for (uint32_t i = 0; i < n; i++)
        if (labels[i] < 0 || (uint32_t)labels[i] >= t->task.classes)
            return strata_fail(STRATA_BAD_ARG, "label %d of image %u is not in [0, %u)", (int)labels[i],
                               (unsigned)i, (unsigned)t->task.classes);
    return STRATA_OK;
}

strata_status strata_trainer_step(strata_trainer *t, const float *pixels, const int32_t *labels, uint32_t n,
                                  float *loss)
{
    const size_t image = (size_t)t->task.h * t->task.w * t->task.c;
    if (n == 0 || n > t->batch)
        return strata_fail(STRATA_BAD_ARG, "a step takes 1 to %u images, got %u", (unsigned)t->batch,
                           (unsigned)n);
    STRATA_TRY(check_labels(t, labels, n));
    uint32_t micro = n == t->batch ? t->micro : n;
    for (uint32_t at = 0; at < n; at += micro) {
        engine_input in;
        STRATA_TRY(trainer_begin(t, micro, n, at + micro == n, 0, &in));
        engine_put(t->current, &in, pixels + at * image, labels + (size_t)at * label_count(t), micro,
                   1.0f / (float)n);
        STRATA_TRY(trainer_submit(t));
    }
    bool got = true;
    trainer_result r = { 0 };
    while (got) {
        STRATA_TRY(trainer_take(t, loss != NULL, &r, &got));
        if (loss && got) *loss = (float)r.loss;
        if (loss && got && r.state.not_finite)
            return strata_fail(STRATA_NOT_FINITE, "step %llu: the loss or a gradient is not finite",
                               (unsigned long long)r.step);
    }
    return STRATA_OK;
}

/* ---- Evaluation --------------------------------------------------------------------------------- */

/* Take one evaluated batch: the first image is number `at`, `n` of them are real. */
static void put_out(const engine *e, const char *bytes, uint32_t n, float *logits, float *losses)
{
    const strata_plan *p = e->plan;
    const uint32_t classes = e->model->graph->logits->shape.c, lanes = strata_lanes(classes);
    const float *from = (const void *)(bytes + p->result_logits);
    if (losses) memcpy(losses, bytes + p->result_loss, n * sizeof *losses);
    for (uint32_t i = 0; logits && i < n; i++)
        memcpy(logits + (size_t)i * classes, from + (size_t)i * lanes, classes * sizeof *logits);
}

strata_status strata_trainer_evaluate(strata_trainer *t, const float *pixels, const int32_t *labels,
                                      uint32_t n, float *logits, float *losses)
{
    engine *e = &t->main;
    const size_t image = (size_t)t->task.h * t->task.w * t->task.c;
    const uint32_t micro = t->micro, batches = (n + micro - 1) / micro, classes = t->task.classes;
    uint32_t taken = 0;
    if (labels) STRATA_TRY(check_labels(t, labels, n));
    STRATA_TRY(collect(t, true));
    STRATA_TRY(engine_evaluate_ring(e));
    for (uint32_t b = 0; b <= batches; b++) {
        void *in;
        uint64_t number;
        const void *bytes = NULL;
        STRATA_TRY(strata_ring_begin(e->evaluate, &in));
        for (;;) { /* past the last batch, wait for what is still in flight */
            STRATA_TRY(strata_ring_result(e->evaluate, b == batches, &number, &bytes));
            if (!bytes) break;
            uint32_t at = taken++ * micro;
            put_out(e, bytes, n - at < micro ? n - at : micro, logits ? logits + (size_t)at * classes : NULL,
                    losses ? losses + at : NULL);
        }
        if (b == batches) break;
        engine_input parts = engine_parts(e, in);
        uint32_t at = b * micro, real = n - at < micro ? n - at : micro;
        engine_put(e, &parts, pixels + at * image, labels ? labels + (size_t)at * label_count(t) : NULL, real,
                   1);
        STRATA_TRY(strata_plan_submit_evaluate(e->plan, e->evaluate));
    }
    return STRATA_OK;
}

/* ---- Life ------------------------------------------------------------------------------------- */

static strata_status read_batch(strata_trainer *t)
{
    t->batch = (uint32_t)recipe_number(t->recipe, "batch");
    t->micro = (uint32_t)recipe_number(t->recipe, "micro-batch");
    if (t->micro == 0) t->micro = t->batch;
    if (t->batch % t->micro != 0)
        return strata_fail(STRATA_BAD_ARG, "--micro-batch wants a divisor of --batch %u, got %u",
                           (unsigned)t->batch, (unsigned)t->micro);
    t->parts = t->batch / t->micro;
    if (t->parts > 1 && recipe_is(t->recipe, "last", "keep"))
        return strata_fail(STRATA_BAD_ARG,
                           "--last keep wants whole batches in memory: leave --micro-batch away");
    return STRATA_OK;
}

strata_status trainer_keep_groups(strata_recipe *r, const strata_model *m)
{
    return m->groups_text ? strata_recipe_set(r, "groups", m->groups_text) : STRATA_OK;
}

strata_status trainer_check(strata_recipe *recipe, const strata_task *task)
{
    strata_status status = STRATA_OK;
    strata_trainer t = { .task = *task };
    STRATA_TRY(recipe_copy(&t.recipe, recipe));
    STRATA_GO(read_batch(&t));
    const engine_config config = { t.task, t.micro, t.parts, true, NULL, NULL };
    STRATA_GO(engine_model(&t.main.model, t.recipe, &config));
    STRATA_GO(trainer_keep_groups(recipe, t.main.model));
    STRATA_GO(rate_list_by_size(t.recipe, t.main.model));
    STRATA_GO(strata_recipe_set(recipe, "lr", strata_recipe_get(t.recipe, "lr")));
    STRATA_GO(trainer_rates_open(&t));
done:
    trainer_rates_close(&t);
    strata_model_close(t.main.model);
    strata_recipe_close(t.recipe);
    return status;
}

strata_status trainer_open(strata_trainer **out, strata_device *device, const strata_recipe *recipe,
                           const strata_task *task, const strata_augment *augment)
{
    strata_status status = STRATA_OK;
    *out = NULL;
    if (!task->h || !task->w || !task->c || !task->classes)
        return strata_fail(STRATA_BAD_ARG,
                           "a trainer wants a task of at least 1x1x1 in 1 class, got %ux%ux%u in %u",
                           (unsigned)task->h, (unsigned)task->w, (unsigned)task->c, (unsigned)task->classes);
    strata_trainer *t = calloc(1, sizeof *t);
    if (!t) return strata_fail(STRATA_NO_MEMORY, "no memory for a trainer");
    t->device = device;
    t->task = *task;
    STRATA_GO(recipe_copy(&t->recipe, recipe));
    STRATA_GO(trainer_resolve(t->recipe, task, 0));
    if (t->task.steps == 0) t->task.steps = (uint64_t)recipe_number(t->recipe, "steps");
    if (t->task.steps == 0) t->task.steps = 1;
    STRATA_GO(read_batch(t));
    const engine_config config = { t->task, t->micro, t->parts, true, NULL, augment };
    STRATA_GO(engine_open(&t->main, device, t->recipe, &config));
    STRATA_GO(trainer_keep_groups(t->recipe, t->main.model));
    STRATA_GO(rate_list_by_size(t->recipe, t->main.model));
    STRATA_GO(trainer_rates_open(t));
    t->moved = calloc(TRAINER_RESULTS, 2 * sizeof *t->moved * (t->main.model->graph->n_rows + 1));
    if (!t->moved) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a trainer"));
    STRATA_GO(ratios_open(&t->ratios, t->main.model));
    STRATA_GO(trainer_init(t));
    *out = t;
    return STRATA_OK;
done:
    strata_trainer_close(t);
    return status;
}

strata_status strata_trainer_open(strata_trainer **out, strata_device *device, const strata_recipe *recipe,
                                  const strata_task *task)
{
    return trainer_open(out, device, recipe, task, NULL);
}

void strata_trainer_close(strata_trainer *t)
{
    if (!t) return;
    trainer_rates_close(t); /* they borrow the model's names */
    engine_close(&t->tail);
    engine_close(&t->main);
    strata_recipe_close(t->recipe);
    ratios_free(&t->ratios);
    free(t->moved);
    strata_text_free(&t->start.lines);
    free(t);
}

uint64_t strata_trainer_steps(const strata_trainer *t) { return t->step; }
uint64_t strata_trainer_memory(const strata_trainer *t)
{
    return engine_memory(&t->main) + engine_memory(&t->tail);
}

const char *trainer_tuning(const strata_recipe *r)
{
    return recipe_is(r, "tune", "off")
               ? NULL
               : "tune   shapes that are new on this device are measured first: seconds to minutes, once\n";
}

void trainer_tuned(strata_text *out, const strata_trainer *t)
{
    const strata_tune_report *a = &t->main.tuned, *b = &t->tail.tuned;
    const unsigned measured = a->measured + b->measured, remembered = a->remembered + b->remembered,
                   wrong = a->rejected + b->rejected;
    if (recipe_is(t->recipe, "tune", "off")) return;
    strata_text_format(out, "tune   %u %s measured, %u remembered, %u %s wrong here\n", measured,
                       strata_noun(measured, "shape", "shapes"), remembered, wrong,
                       strata_noun(wrong, "variant", "variants"));
    for (int i = 0; i < 2; i++)
        for (const char *at = (i ? b : a)->wrong.s, *end; at && (end = strchr(at, '\n')); at = end + 1)
            strata_text_format(out, "wrong  %.*s\n", (int)(end - at), at);
}

const strata_model *trainer_model(const strata_trainer *t) { return t->main.model; }

strata_status strata_trainer_save(strata_trainer *t, const char *path)
{
    STRATA_TRY(collect(t, true));
    strata_arena arena = { 0 };
    uint32_t n;
    strata_status status = STRATA_OK;
    const strata_note *notes = source_notes(&arena, t, t->normalize, t->class_names, &n);
    if (!notes) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: no memory for its metadata", path));
    STRATA_GO(strata_model_save(t->main.model, t->main.plan, path, t->step, notes, n));
done:
    strata_arena_free(&arena);
    return status;
}

strata_status strata_trainer_load(strata_trainer *t, const char *path)
{
    STRATA_TRY(collect(t, true));
    return strata_model_load(t->main.model, t->main.plan, path, true, NULL, NULL);
}

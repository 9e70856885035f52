#include "train/lr_find.h"

#include <math.h>
#include <stdlib.h>

#include "core/file.h"
#include "core/text.h"
#include "rates/sweep.h"
#include "train/dataset.h"
#include "train/feed.h"
#include "train/recipe.h"
#include "train/score.h"
#include "train/source.h"

static strata_status no_memory(void) { return strata_fail(STRATA_NO_MEMORY, "no memory for the sweep"); }

/* ---- Snapshots ------------------------------------------------------------------------------ */

enum { RANGES = 5 };

static void ranges(const strata_plan *p, strata_slice out[RANGES])
{
    out[0] = p->weights, out[1] = p->running, out[2] = p->moment1, out[3] = p->moment2, out[4] = p->state;
}

static strata_status drain(strata_trainer *t)
{
    trainer_result r;
    for (bool got = true; got;) STRATA_TRY(trainer_take(t, true, &r, &got));
    return STRATA_OK;
}

strata_status trainer_snapshot_take(trainer_snapshot *out, strata_trainer *t)
{
    strata_status status = STRATA_OK;
    const uint32_t rows = t->main.model->graph->n_rows;
    strata_slice slice[RANGES];
    *out = (trainer_snapshot) { .step = t->step, .row_steps = calloc(rows, sizeof *out->row_steps) };
    if (!out->row_steps) return no_memory();
    STRATA_GO(drain(t));
    STRATA_GO(trainer_count_rows(t));
    for (uint32_t i = 0; i < rows; i++) out->row_steps[i] = t->row_steps[i];
    ranges(t->main.plan, slice);
    for (int i = 0; i < RANGES; i++) {
        if (!slice[i].block) continue;
        out->bytes[i] = malloc(slice[i].bytes);
        if (!out->bytes[i]) STRATA_GO(no_memory());
        STRATA_GO(strata_plan_read_range(t->main.plan, out->bytes[i], slice[i]));
    }
    return STRATA_OK;
done:
    trainer_snapshot_free(out);
    return status;
}

strata_status trainer_snapshot_put(const trainer_snapshot *s, strata_trainer *t)
{
    strata_slice slice[RANGES];
    STRATA_TRY(drain(t));
    ranges(t->main.plan, slice);
    for (int i = 0; i < RANGES; i++)
        if (s->bytes[i]) STRATA_TRY(strata_plan_write_range(t->main.plan, slice[i], s->bytes[i]));
    for (uint32_t i = 0; i < t->main.model->graph->n_rows; i++) t->row_steps[i] = s->row_steps[i];
    t->step = s->step;
    return trainer_put_rows(t);
}

void trainer_snapshot_free(trainer_snapshot *s)
{
    for (int i = 0; i < RANGES; i++) free(s->bytes[i]);
    free(s->row_steps);
    *s = (trainer_snapshot) { 0 };
}

/* ---- A curve -------------------------------------------------------------------------------- */

static double at(const double *lr, uint32_t i) { return i == SWEEP_NONE ? NAN : lr[i]; }

void lr_find_suggest(strata_lr_curve *c, uint32_t planned)
{
    uint32_t first, n;
    c->valley = c->slide = c->minimum = c->steep = NAN;
    if (!sweep_kept(c->smoothed, c->n, planned, &first, &n)) return;
    const double *lr = c->lr + first, *loss = c->smoothed + first;
    const uint32_t valley = sweep_valley(loss, n);
    if (valley == SWEEP_NONE) return; /* it never falls */
    c->valley = lr[valley];
    c->slide = at(lr, sweep_slide(loss, n));
    c->minimum = at(lr, sweep_minimum(loss, n)) / 10;
    c->steep = at(lr, sweep_steep(lr, loss, n));
}

/* ---- Sweeps ----------------------------------------------------------------------------------- */

enum { ALL_GROUPS = UINT32_MAX };

typedef struct finder {
    strata_lr_find_config config;
    strata_data *data;
    strata_device *device;
    strata_trainer *trainer;
    train_feed feed;
    trainer_snapshot start;
    uint32_t per_epoch;
    double *curve;  /* [3, steps] lr, loss, smoothed */
    uint32_t group; /* that is swept */
    double largest; /* of the recipe's rates */
} finder;

/* The sweep begins with the trainer's step 0. */
static double rule(void *context, uint64_t step, uint32_t group, double lr, double *momentum)
{
    const finder *f = context;
    const double swept = sweep_rate(f->config.low, f->config.high, (uint32_t)step, f->config.steps);
    (void)momentum;
    if (f->group == ALL_GROUPS) return swept * (lr / f->largest);
    return group == f->group ? swept : 0;
}

static strata_status one_step(finder *f, uint32_t step, trainer_result *result)
{
    strata_trainer *t = f->trainer;
    const uint32_t epoch = step / f->per_epoch, first = step % f->per_epoch * t->batch;
    bool got;
    if (step % f->per_epoch == 0) feed_epoch(&f->feed, epoch);
    STRATA_TRY(feed_step(&f->feed, t, epoch, first, t->batch));
    return trainer_take(t, true, result, &got);
}

/* A group without a rate has weights that stay as they are: what it is swept at moves nothing. */
static bool stands_still(const finder *f, uint32_t group)
{
    return group != ALL_GROUPS && !(strata_rates_peak(f->trainer->rates)[group] > 0);
}

static strata_status sweep(finder *f, uint32_t group, strata_lr_curve *out)
{
    const uint32_t n = f->config.steps;
    double *lr = f->curve, *loss = lr + n, *smoothed = loss + n, best = INFINITY;
    sweep_smooth smooth = { 0 };
    f->group = group;
    *out = (strata_lr_curve) { .group = group == ALL_GROUPS ? NULL
                                                            : trainer_model(f->trainer)->group_name[group],
                               .lr = lr,
                               .loss = loss,
                               .smoothed = smoothed,
                               .end = "all steps" };
    if (stands_still(f, group)) {
        out->end = "its --lr is 0";
        lr_find_suggest(out, n);
        return STRATA_OK;
    }
    STRATA_TRY(trainer_snapshot_put(&f->start, f->trainer));
    while (out->n < n) {
        const uint32_t i = out->n++;
        trainer_result r = { 0 };
        if (f->config.interrupt && *f->config.interrupt)
            return strata_fail(STRATA_INTERRUPTED, "interrupted");
        STRATA_TRY(one_step(f, i, &r));
        lr[i] = sweep_rate(f->config.low, f->config.high, i, n);
        loss[i] = r.loss;
        smoothed[i] = sweep_smoothed(&smooth, r.loss, 0.98);
        if (!isfinite(r.loss) || r.state.not_finite) {
            out->end = "the loss is not finite";
            break;
        }
        best = fmin(best, smoothed[i]);
        if (smoothed[i] > 4 * best && !f->config.to_the_end) {
            out->end = "the loss rose";
            break;
        }
    }
    lr_find_suggest(out, n);
    return STRATA_OK;
}

/* ---- As a recipe says -------------------------------------------------------------------------- */

static strata_status tell_tuning(const finder *f)
{
    strata_text lines = { 0 };
    trainer_tuned(&lines, f->trainer);
    const strata_status status = lines.failed ? no_memory() : STRATA_OK;
    if (status == STRATA_OK && lines.s && f->config.note) f->config.note(lines.s);
    strata_text_free(&lines);
    return status;
}

static strata_status open_finder(finder *f, strata_recipe *r)
{
    strata_augment augment;
    const char *limits = strata_recipe_get(r, "limits"), *folder = strata_recipe_get(r, "shader-dir");
    const strata_device_config device = { .name = strata_recipe_get(r, "device"),
                                          .shader_dir = *folder ? folder : NULL,
                                          .limits = *limits ? limits : NULL,
                                          .validate = recipe_flag(r, "validate") };
    STRATA_TRY(recipe_data(&f->data, strata_recipe_get(r, "data"), r, NULL));
    STRATA_TRY(recipe_keep_stored(r, f->data));
    STRATA_TRY(recipe_loss(r, f->data));
    STRATA_TRY(source_head(r, f->data));
    const strata_image_set *set = &f->data->train;
    strata_task task = recipe_task(f->data);
    task.steps = f->config.steps;
    STRATA_TRY(trainer_resolve(r, &task, set->n));
    f->per_epoch = set->n / (uint32_t)recipe_number(r, "batch");
    if (f->per_epoch == 0)
        return strata_fail(STRATA_BAD_ARG, "--batch %s is more than the %u training %s",
                           strata_recipe_get(r, "batch"), (unsigned)set->n,
                           strata_noun(set->n, "image", "images"));
    STRATA_TRY(strata_device_open(&f->device, &device));
    STRATA_TRY(score_augment(&augment, f->data, r));
    if (f->config.note && trainer_tuning(r)) f->config.note(trainer_tuning(r));
    STRATA_TRY(trainer_open(&f->trainer, f->device, r, &task, &augment));
    STRATA_TRY(tell_tuning(f));
    STRATA_TRY(feed_open(&f->feed, f->data, r, f->trainer->micro));
    const uint32_t groups = trainer_model(f->trainer)->n_groups;
    const double *peak = strata_rates_peak(f->trainer->rates);
    for (uint32_t g = 0; g < groups; g++) f->largest = fmax(f->largest, peak[g]);
    if (!(f->largest > 0)) return strata_fail(STRATA_BAD_ARG, "--lr gives every group the rate 0");
    strata_trainer_set_rule(f->trainer, rule, f);
    f->curve = calloc(f->config.steps, 3 * sizeof *f->curve);
    if (!f->curve) return no_memory();
    return trainer_snapshot_take(&f->start, f->trainer);
}

/* Only the ratios of the recipe's rates count: what moves them in time is left out. */
static strata_status at_fixed_ratios(strata_recipe *r)
{
    STRATA_TRY(strata_recipe_set(r, "schedule", "constant"));
    STRATA_TRY(strata_recipe_set(r, "bleed", ""));
    return strata_recipe_set(r, "freeze-until", "");
}

static void close_finder(finder *f)
{
    trainer_snapshot_free(&f->start);
    strata_trainer_close(f->trainer);
    strata_device_close(f->device);
    strata_data_close(f->data);
    feed_close(&f->feed);
    free(f->curve);
}

static strata_status check(const finder *f)
{
    const strata_lr_find_config *c = &f->config;
    if (c->low > 0 && c->high > c->low && isfinite(c->high) && c->steps >= 20) return STRATA_OK;
    return strata_fail(STRATA_BAD_ARG,
                       "a sweep wants 0 < low < high and at least 20 steps, got %g, %g and %u", c->low,
                       c->high, (unsigned)c->steps);
}

/* lr: the --lr that was asked for, whose ratios sweeps keep; "": none was */
static strata_status draw(const lr_sweeps *sweeps, const strata_recipe *r, const char *lr,
                          strata_file_writer *picture)
{
    strata_text title = { 0 };
    uint8_t *bytes;
    size_t n;
    strata_text_format(&title, "lr-find %s --model %s", strata_recipe_get(r, "data"),
                       strata_recipe_get(r, "model"));
    if (*lr) strata_text_format(&title, " --lr %s", lr);
    strata_status status = title.failed ? no_memory() : lr_sweeps_draw(sweeps, title.s, &bytes, &n);
    strata_text_free(&title);
    STRATA_TRY(status);
    status = strata_file_writer_put(picture, bytes, n);
    free(bytes);
    return status == STRATA_OK ? strata_file_writer_commit(picture) : status;
}

strata_status strata_lr_find(const strata_recipe *recipe, const strata_lr_find_config *config,
                             void (*each)(void *context, const strata_lr_curve *curve), void *context)
{
    strata_status status = STRATA_OK;
    strata_recipe *r = NULL;
    strata_lr_curve curve;
    lr_sweeps sweeps = { 0 };
    strata_file_writer picture = { 0 };
    finder f = { .config = *config };
    if (f.config.low == 0) f.config.low = 1e-7;
    if (f.config.high == 0) f.config.high = 10;
    if (f.config.steps == 0) f.config.steps = 100;
    STRATA_TRY(check(&f));
    if (config->picture) STRATA_GO(strata_file_writer_begin(&picture, config->picture));
    STRATA_GO(recipe_copy(&r, recipe));
    STRATA_GO(at_fixed_ratios(r));
    STRATA_GO(open_finder(&f, r));
    const uint32_t groups = config->per_group ? trainer_model(f.trainer)->n_groups : 0;
    for (uint32_t i = 0; i <= groups; i++) {
        STRATA_GO(sweep(&f, i == 0 ? ALL_GROUPS : i - 1, &curve));
        each(context, &curve);
        if (config->picture && curve.n) STRATA_GO(lr_sweeps_add(&sweeps, &curve));
    }
    if (config->picture) STRATA_GO(draw(&sweeps, r, strata_recipe_get(recipe, "lr"), &picture));
done:
    strata_file_writer_abandon(&picture);
    lr_sweeps_free(&sweeps);
    close_finder(&f);
    strata_recipe_close(r);
    return status;
}

/* A whole run: data, folder, device, epochs, checkpoints. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/text.h"
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train/events.h"
#include "train/feed.h"
#include "train/introduce.h"
#include "train/keep.h"
#include "train/named.h"
#include "train/rate_list.h"
#include "train/recipe.h"
#include "train/score.h"
#include "train/source.h"
#include "train/variants.h"

typedef struct run {
    strata_recipe *recipe, *told;    /* what things are opened by; what the run is, as recipe.yaml has it */
    uint32_t cores;                  /* that an earlier sitting's sums were split for; 0: none was */
    const strata_observer *observer; /* may be NULL */
    strata_data *data;
    strata_device *device;
    strata_trainer *trainer;
    run_folder folder;
    json_t *named; /* fingerprints of the files that the recipe names, until run.json has them; owned */
    bool recorded; /* this sitting, in run.json */
    train_feed feed;
    strata_batcher valid;
    uint64_t steps_per_epoch;
    uint32_t epochs;
    loop_state loop;
    double started, epoch_started; /* seconds of the monotonic clock */
    uint64_t epoch_trained;        /* images since epoch_started */
    double *epoch_lr, epoch_momentum;
    run_events events;
} run;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- What is said ---------------------------------------------------------------------------- */

static void tell(const run *r, const strata_event *e)
{
    if (r->observer && r->observer->event) r->observer->event(r->observer->context, e);
}

/* To the observer and to log.txt. */
static strata_status say_line(void *context, strata_event_kind kind, const char *line)
{
    run *r = context;
    tell(r, &(strata_event) { .kind = kind, .text = line });
    return r->folder.text.file ? strata_log_line(&r->folder.text, line) : STRATA_OK;
}

static strata_status say(void *context, const char *line)
{
    return say_line(context, STRATA_EVENT_NOTE, line);
}

static strata_status note(run *r, const char *format, ...) STRATA_FORMAT(2, 3);
static strata_status note(run *r, const char *format, ...)
{
    char line[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    return say(r, line);
}

static strata_status introduce(run *r)
{
    const introduction i = { .recipe = r->recipe,
                             .data = r->data,
                             .trainer = r->trainer,
                             .epochs = r->epochs,
                             .folder = r->folder.path,
                             .say = say_line,
                             .context = r };
    return introduce_run(&i);
}

/* ---- Steps ------------------------------------------------------------------------------------ */

static bool interrupted(const run *r)
{
    return r->observer && r->observer->interrupt && *r->observer->interrupt;
}

/* Pictures may decode for minutes, and so may kernels compile. */
static strata_status check_interrupt(const run *r)
{
    return interrupted(r) ? strata_fail(STRATA_INTERRUPTED, "interrupted before a step was taken")
                          : STRATA_OK;
}

static strata_status not_finite(run *r, const trainer_result *result)
{
    const char *name;
    trainer_result more;
    for (bool got = true; got;) STRATA_TRY(trainer_take(r->trainer, true, &more, &got));
    STRATA_TRY(trainer_first_not_finite(r->trainer, &name));
    char *last = folder_file(&r->folder, "checkpoints/last.safetensors");
    const bool saved = last && strata_path_exists(last);
    free(last);
    return strata_fail(STRATA_NOT_FINITE,
                       "step %" PRIu64
                       ": the loss (%g) or a gradient is not finite, first seen in %s; %s; a lower "
                       "--lr or --clip-norm may help",
                       result->step, isnan(result->loss) ? NAN : result->loss, /* whose sign says nothing */
                       name, saved ? "the last checkpoint is kept" : "there is no checkpoint yet");
}

/* What every event carries. */
static strata_event event_of(const run *r, strata_event_kind kind, uint64_t step, uint32_t epoch)
{
    const strata_trainer *t = r->trainer;
    return (strata_event) { .kind = kind,
                            .step = step,
                            .steps = t->task.steps,
                            .epoch = epoch + 1,
                            .epochs = r->epochs,
                            .lr = r->epoch_lr,
                            .sets = recipe_is(r->recipe, "loss", "sigmoid"),
                            .group_name = t->main.model->group_name,
                            .n_groups = t->main.model->n_groups,
                            .update = t->ratios.group,
                            .layer_update = t->ratios.layer,
                            .layer_name = t->ratios.layer_name,
                            .n_layers = t->ratios.n_layers,
                            .seconds = r->loop.seconds + now() - r->started };
}

static bool is_logged(const run *r, uint64_t step)
{
    const uint64_t every = (uint64_t)recipe_number(r->recipe, "log-every");
    return step % every == 0 || step + 1 == r->trainer->task.steps;
}

/* Rates belong to the step that was begun, results come 1 to 3 steps later: they are asked for anew. */
static strata_status record_step(run *r, const trainer_result *result)
{
    strata_trainer *t = r->trainer;
    uint32_t epoch = (uint32_t)(result->step / r->steps_per_epoch);
    r->loop.epoch_loss += result->loss * result->images;
    r->loop.epoch_images += result->images;
    r->epoch_trained += result->images;
    strata_rates_at(t->rates, result->step, r->epoch_lr, &r->epoch_momentum);
    const size_t before = r->events.epoch.length;
    STRATA_TRY(events_record(&r->events, result->step));
    STRATA_TRY(rate_list_take(t, result, say, r));
    const double seconds = now() - r->epoch_started;
    const uint64_t first = epoch * r->steps_per_epoch, left = t->task.steps - first;
    strata_event e = event_of(r, STRATA_EVENT_STEP, result->step, epoch);
    e.events = events_since(&r->events, before);
    e.epoch_step = result->step - first;
    e.epoch_steps = left < r->steps_per_epoch ? left : r->steps_per_epoch;
    e.loss = result->loss;
    e.images_per_s = seconds > 0 ? (double)r->epoch_trained / seconds : 0;
    e.data_wait = seconds > 0 ? fmin(r->feed.wait.seconds / seconds, 1) : 0;
    if (is_logged(r, result->step) || result->state.not_finite)
        STRATA_TRY(folder_step(&r->folder, result, &e, r->epoch_momentum));
    tell(r, &e);
    return result->state.not_finite || !isfinite(result->loss) ? not_finite(r, result) : STRATA_OK;
}

static strata_status take_results(run *r, bool wait)
{
    trainer_result result;
    bool got = true;
    for (;;) {
        STRATA_TRY(trainer_take(r->trainer, wait, &result, &got));
        if (!got) return STRATA_OK;
        STRATA_TRY(record_step(r, &result));
    }
}

static strata_status one_step(run *r, uint32_t epoch, uint32_t first, uint32_t images)
{
    strata_trainer *t = r->trainer;
    if (images != t->batch) STRATA_TRY(take_results(r, true)); /* what failed is looked for where it failed */
    t->measure = is_logged(r, t->step) || (t->step + 1) % r->steps_per_epoch == 0 || rate_list_wants(t);
    STRATA_TRY(feed_step(&r->feed, t, epoch, first, images));
    if (r->folder.rates.file) STRATA_TRY(folder_rates(&r->folder, t, t->step - 1));
    return take_results(r, false);
}

/* ---- Epochs ---------------------------------------------------------------------------------- */

static strata_status checkpoint(run *r)
{
    STRATA_TRY(take_results(r, true));
    loop_state state = r->loop;
    state.step = r->trainer->step;
    state.seconds += now() - r->started;
    STRATA_TRY(
        checkpoint_write(&r->folder, r->trainer, &state, r->told, (uint32_t)recipe_number(r->told, "keep")));
    r->loop.saved = state.step;
    return STRATA_OK;
}

/* What is best so far is kept. */
static strata_status validate(run *r, strata_score *score)
{
    strata_status status = STRATA_OK;
    const grade_rule rule = grade_rule_of(r->recipe);
    STRATA_TRY(score_set(score, &r->trainer->main, &r->valid, &rule));
    const double figure = grade_figure(score, strata_recipe_get(r->recipe, "best"));
    if (!(figure < r->loop.best)) return STRATA_OK;
    r->loop.best = figure;
    STRATA_GO(checkpoint_best(&r->folder, r->trainer));
    STRATA_GO(folder_confusion(&r->folder, score));
    return STRATA_OK;
done:
    strata_score_free(score);
    return status;
}

static strata_status end_epoch(run *r, uint32_t epoch)
{
    strata_trainer *t = r->trainer;
    strata_score score = { .loss = NAN, .top1 = NAN, .top5 = NAN };
    STRATA_TRY(take_results(r, true));
    double trained = now() - r->epoch_started;
    const bool valid = recipe_is(r->recipe, "valid", "auto") && r->data->valid.n;
    if (valid) STRATA_TRY(validate(r, &score));
    strata_event e = event_of(r, STRATA_EVENT_EPOCH, t->step, epoch);
    e.train_loss = r->loop.epoch_loss / (double)r->loop.epoch_images;
    e.valid_loss = score.loss;
    e.top1 = score.top1;
    e.top5 = score.top5;
    e.images_per_s = trained > 0 ? (double)r->epoch_trained / trained : 0;
    e.score = valid ? &score : NULL;
    e.events = events_since(&r->events, 0);
    const strata_status status = folder_epoch(&r->folder, &e);
    if (status == STRATA_OK) tell(r, &e);
    strata_score_free(&score);
    STRATA_TRY(status);
    r->events.epoch.length = 0;
    r->loop.epoch_loss = 0;
    r->loop.epoch_images = 0;
    /* Without validation there is the training loss alone; a validation's NaN is not made up for by it. */
    const double metric[RATES_METRICS] = { [RATES_LOSS] = valid ? e.valid_loss : e.train_loss,
                                           [RATES_TOP1] = e.top1,
                                           [RATES_TOP5] = e.top5,
                                           [RATES_TRAIN_LOSS] = e.train_loss };
    return events_epoch(&r->events, metric);
}

static strata_status train_epoch(run *r, uint32_t epoch)
{
    strata_trainer *t = r->trainer;
    const uint32_t n = r->feed.batcher.set.n;
    uint64_t every = (uint64_t)recipe_number(r->recipe, "checkpoint-every");
    feed_epoch(&r->feed, epoch);
    r->feed.wait = (data_wait) { 0 };
    r->epoch_started = now();
    r->epoch_trained = 0;
    for (uint64_t at = t->step % r->steps_per_epoch; at < r->steps_per_epoch && t->step < t->task.steps;
         at++) {
        uint32_t first = (uint32_t)at * t->batch;
        STRATA_TRY(one_step(r, epoch, first, n - first < t->batch ? n - first : t->batch));
        bool whole = at + 1 == r->steps_per_epoch || t->step == t->task.steps;
        if (interrupted(r) && !whole) {
            STRATA_TRY(checkpoint(r));
            return strata_fail(STRATA_INTERRUPTED,
                               "interrupted after step %" PRIu64 "; continue with --resume %s", t->step,
                               r->folder.path);
        }
        if (every && t->step % every == 0 && !whole) STRATA_TRY(checkpoint(r));
    }
    STRATA_TRY(end_epoch(r, epoch));
    r->loop.finished = t->step == t->task.steps;
    STRATA_TRY(checkpoint(r));
    if (interrupted(r) && !r->loop.finished)
        return strata_fail(STRATA_INTERRUPTED,
                           "interrupted after step %" PRIu64 "; continue with --resume %s", t->step,
                           r->folder.path);
    return STRATA_OK;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static strata_status open_data(run *r)
{
    const char *source = strata_recipe_get(r->recipe, "data");
    if (!*source) return strata_fail(STRATA_BAD_ARG, "training wants data: builtin:digits, or a folder");
    STRATA_TRY(recipe_data(&r->data, source, r->recipe, NULL));
    STRATA_TRY(recipe_keep_stored(r->recipe, r->data));
    STRATA_TRY(source_head(r->recipe, r->data));
    return recipe_loss(r->recipe, r->data);
}

/* How many steps an epoch and the run have, by recipe and data. */
static strata_status count_steps(run *r, strata_task *task)
{
    const uint64_t n = r->data->train.n, batch = (uint64_t)recipe_number(r->recipe, "batch");
    const bool keep = recipe_is(r->recipe, "last", "keep");
    const uint64_t wanted = (uint64_t)recipe_number(r->recipe, "steps");
    r->steps_per_epoch = keep ? (n + batch - 1) / batch : n / batch;
    if (r->steps_per_epoch == 0)
        return strata_fail(STRATA_BAD_ARG,
                           "--batch %" PRIu64 " is more than the %" PRIu64 " training %s: take fewer, "
                           "or --last keep",
                           batch, n, strata_noun(n, "image", "images"));
    task->steps = wanted ? wanted : (uint64_t)recipe_number(r->recipe, "epochs") * r->steps_per_epoch;
    task->steps_per_epoch = r->steps_per_epoch;
    const uint64_t epochs = (task->steps + r->steps_per_epoch - 1) / r->steps_per_epoch;
    if (epochs > UINT32_MAX) /* the number that shuffles and augments */
        return strata_fail(STRATA_BAD_ARG,
                           "--steps %" PRIu64 " are %" PRIu64 " epochs of %" PRIu64 " %s: at most %" PRIu32
                           " epochs can be told apart",
                           task->steps, epochs, r->steps_per_epoch,
                           strata_noun(r->steps_per_epoch, "step", "steps"), UINT32_MAX);
    r->epochs = (uint32_t)epochs;
    return STRATA_OK;
}

static strata_status open_device_for(run *r, uint32_t cores)
{
    const char *limits = strata_recipe_get(r->recipe, "limits"),
               *folder = strata_recipe_get(r->recipe, "shader-dir");
    strata_text all = { 0 };
    strata_text_format(&all, "%s", limits);
    if (cores) strata_text_format(&all, "%scores=%u", *limits ? "," : "", (unsigned)cores);
    if (all.failed) return strata_fail(STRATA_NO_MEMORY, "no memory for the device's limits");
    const strata_device_config config = {
        .name = strata_recipe_get(r->recipe, "device"),
        .shader_dir = *folder ? folder : NULL,
        .limits = *all.s ? all.s : NULL,
        .validate = recipe_flag(r->recipe, "validate"),
    };
    strata_status status = strata_device_open(&r->device, &config);
    strata_text_free(&all);
    return status;
}

/* Sums are split for the processor's cores: a sitting with more or fewer of them splits as the first did, if
 * it is the same device. */
static strata_status open_device(run *r)
{
    const char *was = json_string_value(json_object_get(json_object_get(r->folder.run, "device"), "name"));
    STRATA_TRY(open_device_for(r, r->cores));
    if (!r->cores || (was && strcmp(was, strata_device_caps(r->device)->name) == 0)) return STRATA_OK;
    strata_device_close(r->device);
    r->device = NULL;
    return open_device_for(r, 0);
}

/* What a weights file must say for others to feed the network: how pixels were scaled, the classes' names. */
static void describe_pixels(run *r)
{
    strata_trainer *t = r->trainer;
    const char *given = strata_recipe_get(r->recipe, "normalize");
    strata_text text = { 0 };
    for (uint32_t i = 0; i < 2 * r->feed.batcher.set.c; i++) {
        const uint32_t c = i % r->feed.batcher.set.c;
        const char *name = c ? "" : i ? "std=" : "mean=";
        strata_text_format(&text, "%s%s%.9g", i ? "," : "", name,
                           (double)(i < r->feed.batcher.set.c ? r->data->mean : r->data->std)[c]);
    }
    snprintf(t->normalize, sizeof t->normalize, "%s", *given ? given : text.s ? text.s : "");
    strata_text_free(&text);
    t->class_names = r->feed.batcher.set.class_names;
    t->drawn = r->data->drawn;
}

/* What a plateau is looked for in must be measured. */
static strata_status check_watched(const run *r)
{
    const bool shares = strata_rates_watch(r->trainer->rates) & (1u << RATES_TOP1 | 1u << RATES_TOP5);
    if (!shares || (recipe_is(r->recipe, "valid", "auto") && r->data->valid.n)) return STRATA_OK;
    return strata_fail(STRATA_BAD_ARG,
                       "--schedule plateau: metric=top1 and top5 want validation, which this run "
                       "has none of: take train-loss");
}

static strata_status open_trainer(run *r)
{
    strata_augment augment;
    strata_task task = recipe_task(r->data);
    STRATA_TRY(count_steps(r, &task));
    STRATA_TRY(open_device(r));
    STRATA_TRY(score_augment(&augment, r->data, r->recipe));
    const char *tuning = trainer_tuning(r->recipe);
    if (tuning) STRATA_TRY(note(r, "%.*s", (int)strcspn(tuning, "\n"), tuning));
    STRATA_TRY(trainer_open(&r->trainer, r->device, r->recipe, &task, &augment));
    if (r->observer && r->observer->rule)
        strata_trainer_set_rule(r->trainer, r->observer->rule, r->observer->rule_context);
    const uint32_t rest = r->data->train.n % r->trainer->batch;
    if (rest && recipe_is(r->recipe, "last", "keep")) STRATA_TRY(trainer_expect(r->trainer, rest));
    feed_close(&r->feed);
    STRATA_TRY(feed_open(&r->feed, r->data, r->recipe, r->trainer->micro));
    r->valid = score_batcher(r->data, true, r->recipe, r->trainer->micro);
    describe_pixels(r);
    r->epoch_lr = calloc(r->trainer->main.model->n_groups, sizeof *r->epoch_lr);
    if (!r->epoch_lr) return strata_fail(STRATA_NO_MEMORY, "no memory for the rates");
    r->events = (run_events) { .trainer = r->trainer, .folder = &r->folder, .say = say, .context = r };
    STRATA_TRY(events_begin(&r->events));
    return check_watched(r);
}

static strata_status begin_record(run *r)
{
    const strata_data_info info = strata_data_describe(r->data);
    STRATA_TRY(folder_describe(&r->folder, r->trainer, &info));
    if (json_object_size(r->named) && json_object_set(r->folder.run, "files", r->named) != 0)
        return strata_fail(STRATA_NO_MEMORY, "no memory for the run folder's records");
    return folder_status(&r->folder, "running", "");
}

static strata_status train(run *r)
{
    STRATA_TRY(introduce(r));
    r->started = now();
    while (r->trainer->step < r->trainer->task.steps)
        STRATA_TRY(train_epoch(r, (uint32_t)(r->trainer->step / r->steps_per_epoch)));
    if (*strata_recipe_get(r->recipe, "save"))
        STRATA_TRY(strata_trainer_save(r->trainer, strata_recipe_get(r->recipe, "save")));
    return source_complaints(r->device, r->recipe);
}

/* Close what is open; what happened is written into run.json first, where there is one. */
static strata_status finish(run *r, strata_status status)
{
    if (r->folder.run && r->recorded) { /* what was refused before it began changes no record */
        char why[4096];
        snprintf(why, sizeof why, "%s", status == STRATA_OK ? "" : strata_message());
        const char *word = status == STRATA_OK            ? "finished"
                           : status == STRATA_INTERRUPTED ? "interrupted"
                                                          : "failed";
        strata_status wrote = folder_status(&r->folder, word, why);
        if (status == STRATA_OK)
            status = wrote;
        else
            strata_fail(status, "%s", why); /* the first failure is what is told */
    }
    if (status == STRATA_OK) tell(r, &(strata_event) { .kind = STRATA_EVENT_END, .text = r->folder.path });
    strata_trainer_close(r->trainer);
    strata_device_close(r->device);
    strata_data_close(r->data);
    folder_close(&r->folder);
    json_decref(r->named);
    strata_recipe_close(r->recipe);
    strata_recipe_close(r->told);
    feed_close(&r->feed);
    free(r->epoch_lr);
    events_free(&r->events);
    return status;
}

strata_status strata_run(const strata_recipe *recipe, const char *command, const strata_observer *observer)
{
    strata_status status = STRATA_OK;
    run r = { .observer = observer, .loop = { .best = INFINITY } };
    strata_augment augment;
    STRATA_TRY(recipe_copy(&r.recipe, recipe));
    STRATA_GO(open_data(&r));
    STRATA_GO(check_interrupt(&r));
    strata_task task = recipe_task(r.data);
    STRATA_GO(trainer_resolve(r.recipe, &task, r.data->train.n));
    STRATA_GO(count_steps(&r, &task));
    STRATA_GO(trainer_check(r.recipe, &task));
    STRATA_GO(recipe_check_save(r.recipe));
    STRATA_GO(recipe_place(r.recipe));
    STRATA_GO(recipe_copy(&r.told, r.recipe));
    STRATA_GO(feed_open(&r.feed, r.data, r.recipe, 1));
    STRATA_GO(score_augment(&augment, r.data, r.recipe)); /* what is wrong in it is said before a folder is */
    STRATA_GO(folder_check(r.recipe));
    STRATA_GO(named_note(&r.named, r.recipe)); /* before they are read for good */
    STRATA_GO(open_trainer(&r));
    STRATA_GO(check_interrupt(&r)); /* while there is nothing of the run */
    STRATA_GO(folder_make(&r.folder, r.recipe, r.data->name, command)); /* --overwrite removes a run here */
    r.recorded = true;
    STRATA_GO(begin_record(&r));
    STRATA_GO(folder_begin_logs(&r.folder, r.trainer));
    STRATA_GO(train(&r));
done:
    return finish(&r, status);
}

/* ---- Resuming ----------------------------------------------------------------------------------- */

static void tell_variant(void *context, const char *node, const char *pass, const char *was, const char *is)
{
    note(context, "resume: %s %s ran as '%s', which cannot be had now: it is '%s', and the bits may differ",
         node, pass, was, is);
}

static void tell_maker(void *context, const char *what, const char *was, const char *is)
{
    note(context, "resume: %s was '%s', it is '%s' now, and the bits may differ", what, was, is);
}

/* Take the kernel variants of the run's own record again, and say where that cannot be. */
static strata_status open_same(run *r)
{
    strata_text forced = { 0 };
    json_t *before = json_incref(json_object_get(r->folder.run, "launches"));
    const char *given = strata_recipe_get(r->recipe, "variants");
    strata_text_append(&forced, given, strlen(given));
    if (before) variants_force(&forced, before);
    strata_status status = forced.failed ? strata_fail(STRATA_NO_MEMORY, "no memory for the run's variants")
                                         : strata_recipe_set(r->recipe, "variants", forced.s);
    r->cores = (uint32_t)json_integer_value(
        json_object_get(json_object_get(r->folder.run, "device"), "cores"));
    if (status == STRATA_OK && before) status = strata_recipe_set(r->recipe, "tune", "off");
    if (status == STRATA_OK) status = open_trainer(r);
    if (status == STRATA_OK)
        variants_compare_makers(r->folder.run, strata_device_caps(r->device), tell_maker, r);
    r->recorded = status == STRATA_OK;
    if (status == STRATA_OK) status = begin_record(r);
    if (status == STRATA_OK && before)
        variants_compare(before, json_object_get(r->folder.run, "launches"), tell_variant, r);
    strata_text_free(&forced);
    json_decref(before);
    return status;
}

static strata_status reopen_logs(run *r)
{
    strata_text added = { 0 };
    strata_status status = folder_cut(&r->folder, r->trainer, r->loop.step, &added);
    if (status == STRATA_OK && r->loop.step == 0) status = folder_begin_logs(&r->folder, r->trainer);
    if (status == STRATA_OK && added.length)
        status = note(r, "metrics.csv: rows so far have nothing in %s: an earlier strata wrote them",
                      added.s);
    strata_text_free(&added);
    return status;
}

static strata_status resume(run *r, const char *device)
{
    bool found;
    char *path = folder_file(&r->folder, "recipe.yaml");
    if (!path) return strata_fail(STRATA_NO_MEMORY, "no memory for a file's name");
    strata_status status = strata_recipe_load(r->recipe, path);
    free(path);
    STRATA_TRY(status);
    STRATA_TRY(recipe_copy(&r->told, r->recipe));
    STRATA_TRY(checkpoint_check(&r->folder, r->told, &found));
    if (device && *device) STRATA_TRY(strata_recipe_set(r->recipe, "device", device));
    if (found) STRATA_TRY(strata_recipe_set(r->recipe, "init", "")); /* its file may be gone */
    STRATA_TRY(named_check(json_object_get(r->folder.run, "files"), r->recipe));
    keep_sweep(&r->folder);
    STRATA_TRY(open_data(r));
    STRATA_TRY(named_check_data(json_object_get(r->folder.run, "data"), r->data,
                                strata_recipe_get(r->recipe, "data")));
    STRATA_TRY(check_interrupt(r));
    STRATA_TRY(open_same(r));
    if (found) STRATA_TRY(checkpoint_read(&r->folder, r->trainer, &r->loop));
    STRATA_TRY(events_gather(&r->events, r->loop.step - r->loop.step % r->steps_per_epoch, r->loop.step));
    STRATA_TRY(reopen_logs(r));
    STRATA_TRY(note(
        r, found ? "resume after step %" PRIu64 : "resume: there is no checkpoint, so from step %" PRIu64,
        r->loop.step));
    return train(r);
}

strata_status strata_resume(const char *run_dir, const char *device, const strata_observer *observer)
{
    strata_status status = STRATA_OK;
    run r = { .observer = observer, .loop = { .best = INFINITY } };
    STRATA_TRY(folder_reopen(&r.folder, run_dir));
    const char *was = json_string_value(json_object_get(r.folder.run, "status"));
    if (was && strcmp(was, "finished") == 0) {
        note(&r, "%s is finished: nothing to do", run_dir);
        folder_close(&r.folder);
        return STRATA_OK;
    }
    STRATA_GO(strata_recipe_open(&r.recipe));
    STRATA_GO(resume(&r, device));
done:
    return finish(&r, status);
}

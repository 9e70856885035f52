/* Trained weights at work: evaluation of a data set, prediction of pictures. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/text.h"
#include "train/dataset.h"
#include "train/recipe.h"
#include "train/score.h"
#include "train/source.h"

/* ---- Evaluation ---------------------------------------------------------------------------------- */

static strata_status fit_data(weights_source *s, const strata_data *d)
{
    const strata_task is = recipe_task(d);
    strata_task *t = &s->task;
    if (t->h == 0) *t = is;
    if (t->h != is.h || t->w != is.w || t->c != is.c || t->classes != is.classes)
        return strata_fail(STRATA_BAD_SHAPE, "%s wants images of %ux%ux%u in %u %s, %s has %ux%ux%u in %u",
                           s->weights, (unsigned)t->h, (unsigned)t->w, (unsigned)t->c, (unsigned)t->classes,
                           strata_noun(t->classes, "class", "classes"), d->name, (unsigned)is.h,
                           (unsigned)is.w, (unsigned)is.c, (unsigned)is.classes);
    return STRATA_OK;
}

static void note(const strata_observer *o, const char *line)
{
    if (o && o->event) o->event(o->context, &(strata_event) { .kind = STRATA_EVENT_NOTE, .text = line });
}

static void tell(const strata_observer *o, const strata_device *d, const char *weights)
{
    char line[1024];
    snprintf(line, sizeof line, "strata " STRATA_VERSION " | %s | %s", strata_device_caps(d)->name, weights);
    note(o, line);
}

/* Classes go by number, which by the names of folders is their place in the alphabet: one folder more and one
 * less would pass for a bad network. Where they are the same, other pictures may lie in them. */
static void tell_data(const strata_observer *o, const weights_source *s, const strata_data *d, bool changed)
{
    char line[1024];
    for (uint32_t k = 0; s->class_names && k < s->task.classes; k++) {
        if (strcmp(s->class_names[k], d->train.class_names[k]) == 0) continue;
        snprintf(line, sizeof line, "class %u is '%.200s' to the weights, and '%.200s' in %s", (unsigned)k,
                 s->class_names[k], d->train.class_names[k], d->name);
        note(o, line);
        return;
    }
    if (!changed) return;
    snprintf(line, sizeof line,
             "%.200s is not what the run was trained on (fingerprint %s, now %016" PRIx64 "): its scores are "
             "of other images",
             s->data, s->data_was, d->fingerprint);
    note(o, line);
}

/* Which images these are, and whether the network may have seen them. */
static strata_status say_part(strata_score *out, const weights_source *s, const strata_data *d, bool changed)
{
    strata_text t = { 0 };
    const char *draw = source_draw(out->memory, s->recipe);
    if (!draw) return strata_fail(STRATA_NO_MEMORY, "%s: no memory for its score", d->name);
    out->part = !d->drawn                     ? STRATA_SCORED_OWN
                : !*s->drawn                  ? STRATA_SCORED_UNKNOWN
                : strcmp(draw, s->drawn) != 0 ? STRATA_SCORED_OTHER
                : changed                     ? STRATA_SCORED_OTHER
                                              : STRATA_SCORED_HELD_OUT;
    if (out->part == STRATA_SCORED_OWN)
        strata_text_format(&t, "the validation part of %s", d->name);
    else if (out->part == STRATA_SCORED_HELD_OUT)
        strata_text_format(&t, "of %s, drawn as in training: %s", d->name, draw);
    else if (out->part == STRATA_SCORED_OTHER && changed)
        strata_text_format(
            &t, "of %s, drawn as in training: %s, but of other images: some may have been trained on",
            d->name, draw);
    else if (out->part == STRATA_SCORED_OTHER)
        strata_text_format(&t, "of %s, drawn by %s; in training by %s: some may have been trained on",
                           d->name, draw, s->drawn);
    else
        strata_text_format(&t,
                           "of %s, drawn by %s; the weights do not say how in training: some may have been "
                           "trained on",
                           d->name, draw);
    out->part_text = t.failed ? NULL : strata_arena_text(out->memory, t.s);
    strata_text_free(&t);
    return out->part_text ? STRATA_OK : strata_fail(STRATA_NO_MEMORY, "%s: no memory for its score", d->name);
}

/* Better now than after the work. */
static strata_status check_confusion(const char *path, const strata_data *d)
{
    if (!path || !d->valid.targets) return STRATA_OK;
    return strata_fail(STRATA_BAD_ARG,
                       "--confusion %s: a confusion matrix is of one label an image, %s has any number", path,
                       d->name);
}

strata_status strata_evaluate(strata_score *out, const char *what, const char *data,
                              const strata_evaluate_config *config)
{
    const strata_evaluate_config none = { 0 }, *c = config ? config : &none;
    strata_status status = STRATA_OK;
    weights_source s = { 0 };
    strata_data *set = NULL;
    strata_device *device = NULL;
    engine e = { 0 };
    strata_augment augment;
    bool changed = false;
    *out = (strata_score) { 0 };
    if (c->confusion) STRATA_TRY(strata_file_check(c->confusion));
    STRATA_TRY(source_open(&s, what, c->recipe));
    STRATA_GO(source_check_model(&s));
    if (!data || !*data)
        data = s.data;
    else if (!c->recipe || !strata_recipe_is_set(c->recipe, "labels"))
        STRATA_GO(strata_recipe_set(s.recipe, "labels", "")); /* the run's are of its own pictures */
    if (!*data)
        STRATA_GO(strata_fail(STRATA_BAD_ARG, "%s does not say what it was trained on: name the data", what));
    STRATA_GO(recipe_data(&set, data, s.recipe, &s.task));
    if (set->valid.n == 0 && set->lost)
        STRATA_GO(strata_fail(STRATA_FILE, "%s: no picture of its validation part can be read; the first: %s",
                              data, set->lost));
    if (set->valid.n == 0)
        STRATA_GO(strata_fail(STRATA_FILE, "%s has no validation part: give it a folder, or --valid-fraction",
                              data));
    STRATA_GO(fit_data(&s, set));
    STRATA_GO(source_data_changed(&changed, &s, set, data));
    STRATA_GO(check_confusion(c->confusion, set));
    STRATA_GO(recipe_loss(s.recipe, set));
    uint32_t batch = (uint32_t)recipe_number(s.recipe, "batch");
    STRATA_GO(score_augment(&augment, set, s.recipe));
    STRATA_GO(source_engine(&e, &device, &s, batch, &augment));
    tell(c->observer, device, s.weights);
    tell_data(c->observer, &s, set, changed);
    const strata_batcher batcher = score_batcher(set, true, s.recipe, batch);
    const grade_rule rule = grade_rule_of(s.recipe);
    STRATA_GO(score_set(out, &e, &batcher, &rule));
    STRATA_GO(say_part(out, &s, set, changed));
    STRATA_GO(source_complaints(device, s.recipe));
done:
    if (status != STRATA_OK) strata_score_free(out);
    engine_close(&e);
    strata_device_close(device);
    strata_data_close(set);
    source_close(&s);
    return status;
}

/* ---- Prediction ------------------------------------------------------------------------------------ */

struct strata_predictor {
    weights_source source;
    strata_device *device;
    engine engine;
    uint32_t stored[2]; /* height and width that a picture is fitted to; the network takes the middle */
    uint8_t *fitted;    /* [stored, c] */
};

strata_status strata_predictor_open(strata_predictor **out, const char *what, const strata_recipe *recipe)
{
    strata_status status = STRATA_OK;
    strata_predictor *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p) return strata_fail(STRATA_NO_MEMORY, "%s: no memory to open it", what);
    STRATA_GO(source_open(&p->source, what, recipe));
    STRATA_GO(source_check_model(&p->source));
    const strata_task *t = &p->source.task;
    if (!t->h || !t->w || !t->c || !t->classes)
        STRATA_GO(strata_fail(STRATA_FILE,
                              "%s does not say for which images and how many classes it was trained: give "
                              "the run folder",
                              what));
    if (t->c > 4)
        STRATA_GO(strata_fail(STRATA_FILE, "%s is for images of %u channels, a picture has at most 4", what,
                              (unsigned)t->c));
    STRATA_GO(recipe_stored_size(p->stored, p->source.recipe, t->h, t->w));
    const strata_data like = { .scale = 255,
                               .train = { .h = p->stored[0], .w = p->stored[1], .c = t->c },
                               .std = { 1, 1, 1, 1 } };
    strata_augment augment;
    STRATA_GO(score_augment(&augment, &like, p->source.recipe));
    STRATA_GO(source_engine(&p->engine, &p->device, &p->source, 1, &augment));
    p->fitted = malloc((size_t)p->stored[0] * p->stored[1] * t->c);
    if (!p->fitted) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: no memory for a picture", what));
    *out = p;
    return STRATA_OK;
done:
    strata_predictor_close(p);
    return status;
}

void strata_predictor_close(strata_predictor *p)
{
    if (!p) return;
    engine_close(&p->engine);
    strata_device_close(p->device);
    source_close(&p->source);
    free(p->fitted);
    free(p);
}

static strata_status run_one(strata_predictor *p, const float **logits)
{
    const strata_task *t = &p->source.task;
    void *in;
    uint64_t number;
    const void *bytes = NULL;
    STRATA_TRY(engine_evaluate_ring(&p->engine));
    STRATA_TRY(strata_ring_begin(p->engine.evaluate, &in));
    engine_input parts = engine_parts(&p->engine, in);
    memset(parts.values, 0, sizeof *parts.values);
    const strata_batcher one = { .set = { .n = 1,
                                          .h = p->stored[0],
                                          .w = p->stored[1],
                                          .c = t->c,
                                          .classes = t->classes,
                                          .pixels = p->fitted,
                                          .labels = &(const int32_t) { 0 } },
                                 .batch = 1 };
    const strata_batch out = { .pixels = parts.stored,
                               .samples = parts.samples,
                               .labels = parts.labels,
                               .weights = parts.weights,
                               .targets = parts.targets };
    strata_batch_fill(&out, &one, NULL, 0, 1);
    STRATA_TRY(strata_plan_submit_evaluate(p->engine.plan, p->engine.evaluate));
    STRATA_TRY(strata_ring_result(p->engine.evaluate, true, &number, &bytes));
    *logits = (const void *)((const char *)bytes + p->engine.plan->result_logits);
    return STRATA_OK;
}

double strata_predictor_threshold(const strata_predictor *p)
{
    const grade_rule rule = grade_rule_of(p->source.recipe);
    return rule.sets ? rule.threshold : NAN;
}

/* Probabilities in the place of logits: of each class alone, or of one among all. */
static void to_shares(double *share, uint32_t K, bool alone)
{
    double top = -INFINITY, sum = 0;
    for (uint32_t k = 0; k < K; k++) top = fmax(top, share[k]);
    for (uint32_t k = 0; k < K; k++) sum += exp(share[k] - top);
    for (uint32_t k = 0; k < K; k++) share[k] = alone ? 1 / (1 + exp(-share[k])) : exp(share[k] - top) / sum;
}

/* The `room` largest above the threshold. */
static uint32_t pick(const strata_predictor *p, double *share, strata_guess *guesses, uint32_t room)
{
    const uint32_t classes = p->source.task.classes;
    const double threshold = strata_predictor_threshold(p);
    uint32_t n = 0;
    for (; n < room && n < classes; n++) {
        uint32_t best = 0;
        for (uint32_t k = 1; k < classes; k++)
            if (share[k] > share[best]) best = k;
        if (isinf(share[best]) || share[best] <= threshold) break;
        guesses[n] = (strata_guess) { .label = best, .probability = (float)share[best] };
        if (p->source.class_names)
            snprintf(guesses[n].name, sizeof guesses[n].name, "%s", p->source.class_names[best]);
        else
            snprintf(guesses[n].name, sizeof guesses[n].name, "%u", (unsigned)best);
        share[best] = -INFINITY; /* taken */
    }
    return n;
}

strata_status strata_predict(strata_predictor *p, const char *picture, strata_guess *guesses, uint32_t room,
                             uint32_t *n)
{
    strata_status status = STRATA_OK;
    const strata_task *t = &p->source.task;
    strata_picture image = { 0 };
    strata_picture_style style;
    const float *logits = NULL;
    double *share = calloc(t->classes, sizeof *share);
    *n = 0;
    if (!share) return strata_fail(STRATA_NO_MEMORY, "%s: no memory for its classes", picture);
    if (strata_folder_exists(picture))
        STRATA_GO(
            strata_fail(STRATA_FILE, "%s is a folder: wanted pictures, such as %s/*", picture, picture));
    STRATA_GO(strata_picture_read(&image, picture));
    STRATA_GO(recipe_style(&style, p->source.recipe));
    const uint32_t shape[3] = { p->stored[0], p->stored[1], t->c };
    STRATA_GO(strata_picture_fit_as(p->fitted, shape, &image, &style));
    STRATA_GO(run_one(p, &logits));
    STRATA_GO(source_complaints(p->device, p->source.recipe));
    for (uint32_t k = 0; k < t->classes; k++) {
        if (!isfinite(logits[k]))
            STRATA_GO(strata_fail(STRATA_NOT_FINITE, "%s: what %s says of it is not finite (class %u)",
                                  picture, p->source.weights, (unsigned)k));
        share[k] = (double)logits[k];
    }
    to_shares(share, t->classes, recipe_is(p->source.recipe, "loss", "sigmoid"));
    *n = pick(p, share, guesses, room);
done:
    strata_picture_free(&image);
    free(share);
    return status;
}

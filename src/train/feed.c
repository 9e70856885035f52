#include "train/feed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "train/class_weights.h"
#include "train/dataset.h"
#include "train/recipe.h"
#include "train/score.h"

static strata_status no_memory(void)
{
    return strata_fail(STRATA_NO_MEMORY, "no memory for the order of an epoch");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- What counts, and in which order ------------------------------------------------------- */

static strata_status open_weights(train_feed *f, const strata_recipe *r)
{
    const char *text = strata_recipe_get(r, "class-weights");
    const strata_image_set *set = &f->batcher.set;
    if (!*text) return STRATA_OK;
    if (set->targets)
        return strata_fail(STRATA_BAD_ARG,
                           "--class-weights wants one label an image, the data has any number");
    if (recipe_is(r, "loss", "sigmoid"))
        return strata_fail(STRATA_BAD_ARG, "--class-weights is of the loss softmax: sigmoid has none");
    STRATA_TRY(class_weights_open(&f->class_weight, set, "class-weights", text));
    float most = 0; /* only ratios count: equal weights are exactly 1 */
    for (uint32_t k = 0; k < set->classes; k++) most = fmaxf(most, f->class_weight[k]);
    for (uint32_t k = 0; k < set->classes; k++) f->class_weight[k] /= most;
    return STRATA_OK;
}

/* Draws by the key `sample`, where it says more than all. */
static strata_status open_draws(train_feed *f, const char *sample)
{
    const strata_image_set *set = &f->batcher.set;
    float *weight = NULL;
    if (f->sequential)
        return strata_fail(STRATA_BAD_ARG, "--sample %s draws images: leave --order sequential away", sample);
    if (strcmp(sample, "balanced") != 0) STRATA_TRY(class_weights_open(&weight, set, "sample", sample));
    const strata_status status = strata_classes_open(&f->classes, set, weight);
    free(weight);
    return status;
}

strata_status feed_open(train_feed *f, const strata_data *data, const strata_recipe *r, uint32_t micro)
{
    strata_augment augment;
    const char *sample = strata_recipe_get(r, "sample");
    *f = (train_feed) { .sequential = recipe_is(r, "order", "sequential"),
                        .drawn = strcmp(sample, "all") != 0 };
    f->batcher = score_batcher(data, false, r, micro);
    f->batcher.drawn = f->drawn;
    STRATA_TRY(score_augment(&augment, data, r));
    const strata_task seen = recipe_task(data);
    f->batcher.mix = (strata_mix_rule) { augment.mixup, augment.cutmix, seen.h, seen.w };
    STRATA_TRY(open_weights(f, r));
    if (f->drawn) STRATA_TRY(open_draws(f, sample));
    if (f->sequential) return STRATA_OK;
    f->order = malloc(f->batcher.set.n * sizeof *f->order);
    return f->order ? STRATA_OK : no_memory();
}

void feed_close(train_feed *f)
{
    free(f->order);
    strata_classes_close(&f->classes);
    free(f->class_weight);
    *f = (train_feed) { 0 };
}

void feed_epoch(train_feed *f, uint32_t epoch)
{
    if (f->drawn)
        strata_order_drawn(f->order, f->batcher.set.n, &f->classes, f->batcher.seed, epoch);
    else if (!f->sequential)
        strata_order(f->order, f->batcher.set.n, f->batcher.seed, epoch);
}

/* ---- Steps ------------------------------------------------------------------------------- */

static double weight_at(const train_feed *f, uint32_t place)
{
    const uint32_t image = f->order ? f->order[place] : place;
    return (double)f->class_weight[f->batcher.set.labels[image]];
}

/* Of an image, with what is mixed into it. */
static double weight_of(const train_feed *f, uint32_t place)
{
    if (!f->class_weight) return 1;
    const double own = weight_at(f, place);
    if (!strata_mixes(&f->batcher.mix)) return own;
    const strata_mix m = strata_batch_mix(&f->batcher, f->order, place);
    return own + (double)m.share * (weight_at(f, m.place) - own);
}

static strata_status look(train_feed *f, strata_trainer *t)
{
    bool idle;
    STRATA_TRY(trainer_idle(t, &idle));
    data_wait_look(&f->wait, now(), idle);
    return STRATA_OK;
}

/* Make the images of a micro-batch, and look at the device after each piece. */
static strata_status fill(train_feed *f, strata_trainer *t, const engine_input *in, uint32_t first,
                          uint32_t images)
{
    const strata_batch whole = { in->stored,  in->samples, in->labels,       in->weights,
                                 in->targets, in->others,  in->other_samples };
    STRATA_TRY(look(f, t));
    for (uint32_t row = 0, rows; row < images; row += rows) {
        rows = f->batcher.batch = data_wait_piece(images, row);
        const strata_batch piece = strata_batch_from(&whole, &f->batcher, row);
        strata_batch_fill(&piece, &f->batcher, f->order, first + row, rows);
        STRATA_TRY(look(f, t));
    }
    return STRATA_OK;
}

strata_status feed_step(train_feed *f, strata_trainer *t, uint32_t epoch, uint32_t first, uint32_t images)
{
    const uint32_t micro = images == t->batch ? t->micro : images;
    double sum = 0;
    f->batcher.epoch = epoch;
    for (uint32_t i = 0; i < images; i++) sum += weight_of(f, first + i);
    for (uint32_t at = 0; at < images; at += micro) {
        engine_input in;
        STRATA_TRY(trainer_begin(t, micro, images, at + micro == images, epoch, &in));
        STRATA_TRY(fill(f, t, &in, first + at, micro));
        for (uint32_t i = 0; i < micro; i++) in.weights[i] = sum > 0 ? (float)(1 / sum) : 0;
        engine_weigh(t->current, &in, f->class_weight);
        trainer_weigh(t, sum > 0 ? sum : 1);
        STRATA_TRY(trainer_submit(t));
        data_wait_end(&f->wait, now());
    }
    return STRATA_OK;
}

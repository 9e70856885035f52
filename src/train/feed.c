#include "train/feed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/file.h"
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

/* ---- Weights of classes ------------------------------------------------------------------ */

/* n / (classes x images of the class): every class counts the same, and the mean over all images is 1. */
static strata_status balance(float *weight, const strata_image_set *set)
{
    uint32_t *count = calloc(set->classes, sizeof *count);
    if (!count) return no_memory();
    for (uint32_t i = 0; i < set->n; i++) count[set->labels[i]]++;
    for (uint32_t k = 0; k < set->classes; k++)
        weight[k] = count[k] ? (float)((double)set->n / ((double)set->classes * count[k])) : 0;
    free(count);
    return STRATA_OK;
}

/* One line "CLASS,WEIGHT"; *next is left at the one behind it. */
static strata_status read_line(float *weight, const strata_image_set *set, char *line, const char *where)
{
    char *comma = strrchr(line, ','), *end = NULL;
    if (!comma) return strata_fail(STRATA_FILE, "%s wants CLASS,WEIGHT, got '%s'", where, line);
    *comma = '\0';
    const double v = strtod(comma + 1, &end);
    if (end == comma + 1 || *end || !isfinite(v) || v < 0 || v > 1e6)
        return strata_fail(STRATA_FILE, "%s wants a weight in [0, 1e6] for %s, got '%s'", where, line,
                           comma + 1);
    for (uint32_t k = 0; k < set->classes; k++)
        if (strcmp(set->class_names[k], line) == 0) {
            weight[k] = (float)v;
            return STRATA_OK;
        }
    return strata_fail(STRATA_FILE, "%s: the data has no class '%s'", where, line);
}

static strata_status read_weights(float *weight, const strata_image_set *set, const char *path)
{
    char *text = NULL, where[1024];
    strata_status status = STRATA_OK;
    uint32_t number = 0;
    double sum = 0;
    for (uint32_t k = 0; k < set->classes; k++) weight[k] = -1;
    STRATA_TRY(strata_file_read(&text, NULL, path));
    for (char *line = text, *next; *line; line = next) {
        const size_t length = strcspn(line, "\r\n");
        next = line + length;
        while (*next == '\r' || *next == '\n') *next++ = '\0';
        snprintf(where, sizeof where, "%s:%u", path, (unsigned)++number);
        if (*line) STRATA_GO(read_line(weight, set, line, where));
    }
    for (uint32_t k = 0; k < set->classes; k++) {
        if (weight[k] < 0)
            STRATA_GO(strata_fail(STRATA_FILE, "%s has no weight for class '%s'", path, set->class_names[k]));
        sum += (double)weight[k];
    }
    if (!(sum > 0)) status = strata_fail(STRATA_FILE, "%s: every weight is 0", path);
done:
    free(text);
    return status;
}

static strata_status open_weights(train_feed *f, const strata_recipe *r)
{
    const char *text = strata_recipe_get(r, "class-weights");
    const strata_image_set *set = &f->batcher.set;
    if (!*text) return STRATA_OK;
    if (set->targets)
        return strata_fail(STRATA_BAD_ARG,
                           "--class-weights wants one label an image, the data has any number");
    f->class_weight = malloc(set->classes * sizeof *f->class_weight);
    if (!f->class_weight) return no_memory();
    return strcmp(text, "balanced") == 0 ? balance(f->class_weight, set)
                                         : read_weights(f->class_weight, set, text);
}

/* ---- Order ------------------------------------------------------------------------------- */

strata_status feed_open(train_feed *f, const strata_data *data, const strata_recipe *r, uint32_t micro)
{
    *f = (train_feed) { .sequential = recipe_is(r, "order", "sequential"),
                        .balanced = recipe_is(r, "sample", "balanced") };
    f->batcher = score_batcher(data, false, r, micro);
    f->batcher.drawn = f->balanced;
    const strata_image_set *set = &f->batcher.set;
    if (f->sequential && f->balanced)
        return strata_fail(STRATA_BAD_ARG, "--sample balanced draws images: leave --order sequential away");
    STRATA_TRY(open_weights(f, r));
    if (f->sequential) return STRATA_OK;
    f->order = malloc(set->n * sizeof *f->order);
    if (!f->order) return no_memory();
    return f->balanced ? strata_classes_open(&f->classes, set) : STRATA_OK;
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
    if (f->balanced)
        strata_order_balanced(f->order, f->batcher.set.n, &f->classes, f->batcher.seed, epoch);
    else if (!f->sequential)
        strata_order(f->order, f->batcher.set.n, f->batcher.seed, epoch);
}

/* ---- Steps ------------------------------------------------------------------------------- */

static double weight_of(const train_feed *f, uint32_t place)
{
    const uint32_t image = f->order ? f->order[place] : place;
    return f->class_weight ? (double)f->class_weight[f->batcher.set.labels[image]] : 1;
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
    const strata_batch whole = { in->stored, in->samples, in->labels, in->weights, in->targets };
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
    for (uint32_t i = 0; i < images; i++) sum += weight_of(f, first + i);
    for (uint32_t at = 0; at < images; at += micro) {
        engine_input in;
        STRATA_TRY(trainer_begin(t, micro, images, at + micro == images, epoch, &in));
        STRATA_TRY(fill(f, t, &in, first + at, micro));
        for (uint32_t i = 0; i < micro; i++)
            in.weights[i] = sum > 0 ? (float)(weight_of(f, first + at + i) / sum) : 0;
        STRATA_TRY(trainer_submit(t));
        data_wait_end(&f->wait, now());
    }
    return STRATA_OK;
}

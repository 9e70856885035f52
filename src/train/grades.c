#include "train/grades.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/thread.h"
#include "train/metrics.h"
#include "train/recipe.h"

grade_rule grade_rule_of(const strata_recipe *r)
{
    return (grade_rule) { recipe_is(r, "loss", "sigmoid"), recipe_number(r, "threshold"),
                          recipe_number(r, "beta") };
}

double grade_figure(const strata_score *s, const char *best)
{
    const struct {
        const char *name;
        double value;
    } known[] = { { "top1", s->top1 },
                  { "top5", s->top5 },
                  { "f-macro", s->macro.f_beta },
                  { "f-micro", s->micro.f_beta },
                  { "f-samples", s->samples_f_beta },
                  { "map", s->mean_average_precision } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, best) == 0) return -known[i].value;
    return s->loss;
}

/* ---- Memory ------------------------------------------------------------------------------------- */

static strata_status no_memory(void) { return strata_fail(STRATA_NO_MEMORY, "no memory for a score"); }

void strata_score_free(strata_score *s)
{
    if (!s) return;
    if (s->memory) strata_arena_free(s->memory);
    free(s->memory);
    *s = (strata_score) { 0 };
}

/* ---- One label an image -------------------------------------------------------------------------- */

/* The likeliest class; METRICS_NONE where one is NaN. */
static uint32_t likeliest(const float *logit, uint32_t K)
{
    uint32_t best = 0;
    for (uint32_t k = 0; k < K; k++) {
        if (isnan(logit[k])) return METRICS_NONE;
        if (logit[k] > logit[best]) best = k;
    }
    return best;
}

/* Logarithms of a softmax: unlike logits they compare between images, and unlike shares they do not end at
 * 1. */
static void log_shares(float *logit, uint32_t K)
{
    double top = -INFINITY, sum = 0;
    for (uint32_t k = 0; k < K; k++) top = fmax(top, (double)logit[k]);
    for (uint32_t k = 0; k < K; k++) sum += exp((double)logit[k] - top);
    const double whole = log(sum);
    for (uint32_t k = 0; k < K; k++) logit[k] = (float)((double)logit[k] - top - whole);
}

typedef struct images {
    float *logits;
    uint32_t n, K, piece;
} images;

static void piece_shares(void *context, uint32_t i)
{
    const images *all = context;
    const size_t first = (size_t)i * all->piece, end = first + all->piece;
    for (size_t k = first; k < end && k < all->n; k++) log_shares(all->logits + k * all->K, all->K);
}

/* Of all images; what takes less than a thread's start takes no thread. */
static void all_shares(float *logits, uint32_t n, uint32_t K)
{
    enum { WORTH_A_THREAD = 1 << 16 };
    images all = { logits, n, K, K < WORTH_A_THREAD ? WORTH_A_THREAD / K : 1 };
    strata_thread_for((n + all.piece - 1) / all.piece, piece_shares, &all);
}

/* ---- All ------------------------------------------------------------------------------------------ */

/* The classes of each image as bytes: the set's own, or made of its labels into *made. */
static const uint8_t *targets_of(const strata_image_set *set, uint8_t **made)
{
    *made = NULL;
    if (set->targets) return set->targets;
    *made = calloc((size_t)set->n * set->classes + 1, 1);
    for (size_t i = 0; *made && i < set->n; i++) (*made)[i * set->classes + (size_t)set->labels[i]] = 1;
    return *made;
}

/* Counts of each class, and of images as a whole. */
static strata_status count(strata_score *out, metrics_count *c, const float *logits,
                           const strata_image_set *set, const grade_rule *rule)
{
    const uint32_t K = set->classes;
    uint8_t *made;
    if (!rule->sets) {
        uint64_t right = 0;
        metrics_count_labels(c, K, out->label, out->predicted, set->n);
        for (uint32_t k = 0; k < K; k++) right += c[k].right;
        out->samples_f_beta = set->n ? (double)right / set->n : NAN; /* of sets of one each */
        return STRATA_OK;
    }
    const uint8_t *target = targets_of(set, &made);
    if (!target) return no_memory();
    metrics_count_sets(c, K, logits, target, set->n, rule->threshold);
    out->samples_f_beta = metrics_samples_f_beta(logits, target, set->n, K, rule->threshold, rule->beta);
    free(made);
    return STRATA_OK;
}

/* What the rows of classes are filled from. */
typedef struct grading {
    strata_class_score *row; /* out */
    double *precision;       /* out: [K] average precision */
    const metrics_count *count;
    const float *logits;
    const strata_image_set *set;
    double beta;
    atomic_bool failed; /* out: for want of memory */
} grading;

static void put_class(void *context, uint32_t k)
{
    grading *g = context;
    const metrics_count *c = &g->count[k];
    const uint32_t n = g->set->n, K = g->set->classes;
    strata_class_score *row = &g->row[k];
    metrics_item *item = malloc(((size_t)n + 1) * sizeof *item);
    if (!item) {
        g->failed = true;
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        item[i] = (metrics_item) { g->logits[(size_t)i * K + k], strata_image_is(g->set, i, k) };
    g->precision[k] = metrics_average_precision(item, n);
    free(item);
    row->labelled = c->labelled;
    row->predicted = c->predicted;
    row->right = c->right;
    row->precision = metrics_precision(c);
    row->recall = metrics_recall(c);
    row->f_beta = metrics_f_beta(c, g->beta);
    row->average_precision = g->precision[k];
}

/* Fill the classes' rows and their means. */
static strata_status put_classes(strata_score *out, strata_class_score *row, const metrics_count *c,
                                 const float *logits, const strata_image_set *set)
{
    const uint32_t K = set->classes;
    grading g = { .row = row,
                  .precision = malloc((size_t)K * sizeof *g.precision),
                  .count = c,
                  .logits = logits,
                  .set = set,
                  .beta = out->beta };
    g.failed = !g.precision;
    if (g.precision) strata_thread_for(K, put_class, &g);
    const bool done = !g.failed;
    if (done) out->mean_average_precision = metrics_mean(g.precision, K);
    free(g.precision);
    return done ? STRATA_OK : no_memory();
}

static strata_average average_of(metrics_average a)
{
    return (strata_average) { a.precision, a.recall, a.f_beta };
}

/* What is said of each image, where it has one label; before the logits are changed. */
static strata_status predict(strata_score *out, const float *logits, const strata_image_set *set)
{
    if (set->targets) return STRATA_OK;
    int32_t *label = strata_arena_take(out->memory, ((size_t)set->n + 1) * sizeof *label);
    uint32_t *predicted = strata_arena_take(out->memory, ((size_t)set->n + 1) * sizeof *predicted);
    if (!label || !predicted) return no_memory();
    for (uint32_t i = 0; i < set->n; i++) {
        label[i] = set->labels[i];
        predicted[i] = likeliest(logits + (size_t)i * set->classes, set->classes);
    }
    out->label = label;
    out->predicted = predicted;
    return STRATA_OK;
}

strata_status grades_take(strata_score *out, float *logits, const strata_image_set *set,
                          const grade_rule *rule)
{
    const uint32_t K = set->classes;
    metrics_count *c = malloc((size_t)K * sizeof *c);
    strata_status status = STRATA_OK;
    out->memory = calloc(1, sizeof(strata_arena));
    strata_class_score *row = out->memory ? strata_arena_take(out->memory, K * sizeof *row) : NULL;
    out->sets = rule->sets;
    out->threshold = rule->threshold;
    out->beta = rule->beta;
    out->classes = K;
    out->of_class = row;
    if (!c || !row) STRATA_GO(no_memory());
    for (uint32_t k = 0; k < K; k++) {
        row[k].name = strata_arena_text(out->memory, set->class_names[k]);
        if (!row[k].name) STRATA_GO(no_memory());
    }
    STRATA_GO(predict(out, logits, set));
    STRATA_GO(count(out, c, logits, set, rule));
    if (!rule->sets) all_shares(logits, set->n, K);
    STRATA_GO(put_classes(out, row, c, logits, set));
    out->macro = average_of(metrics_macro(c, K, rule->beta));
    out->micro = average_of(metrics_micro(c, K, rule->beta));
done:
    free(c);
    return status;
}

/* ---- Confusion ------------------------------------------------------------------------------------- */

strata_status strata_score_confusion(const strata_score *s, const char *path)
{
    strata_text text = { 0 };
    if (!s->label)
        return strata_fail(STRATA_BAD_ARG,
                           "%s: a confusion matrix is of one label an image, the data has any number", path);
    const char **name = calloc(s->classes, sizeof *name);
    if (!name) return no_memory();
    for (uint32_t k = 0; k < s->classes; k++) name[k] = s->of_class[k].name;
    metrics_confusion_csv(&text, name, s->classes, s->label, s->predicted, (uint32_t)s->images);
    strata_status status = text.failed ? no_memory() : strata_file_write(path, text.s, text.length);
    strata_text_free(&text);
    free(name);
    return status;
}

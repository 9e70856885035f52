#include "train/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/augment.h"
#include "train/recipe.h"

/* Numbers with commas between, up to the end or ",std="; *at is left behind them. How many: 0 where a number
 * is missing or there are more than 4. */
static uint32_t read_list(float out[4], const char **at)
{
    for (uint32_t n = 0; n < 4;) {
        char *end = NULL;
        const double v = strtod(*at, &end);
        if (end == *at) return 0;
        out[n++] = (float)v;
        *at = end;
        if (*end != ',' || strncmp(end, ",std=", 5) == 0) return n;
        *at = end + 1;
    }
    return 0;
}

/* One number is for all channels. */
static bool spread(float out[4], uint32_t n, uint32_t channels)
{
    for (uint32_t c = 1; n == 1 && c < channels; c++) out[c] = out[0];
    return n == 1 || n == channels;
}

/* "mean=a[,b,c],std=d[,e,f]", each for all channels or for every one. */
static bool read_figures(float mean[4], float std[4], const char *text, uint32_t channels)
{
    const char *at = text + 5;
    if (strncmp(text, "mean=", 5) != 0 || !spread(mean, read_list(mean, &at), channels)) return false;
    if (strncmp(at, ",std=", 5) != 0) return false;
    at += 5;
    return spread(std, read_list(std, &at), channels) && !*at;
}

strata_status score_figures(float mean[4], float std[4], const char *text, uint32_t channels)
{
    if (strlen(text) >= TRAINER_NORMALIZE)
        return strata_fail(STRATA_BAD_ARG, "--normalize wants at most %d characters, got %zu",
                           TRAINER_NORMALIZE - 1, strlen(text));
    const bool right = read_figures(mean, std, text, channels);
    if (!right && channels == 1)
        return strata_fail(STRATA_BAD_ARG, "--normalize wants mean=M,std=S, got '%s'", text);
    if (!right)
        return strata_fail(STRATA_BAD_ARG,
                           "--normalize wants mean=..,std=.. with 1 or %u numbers each, got '%s'",
                           (unsigned)channels, text);
    for (uint32_t c = 0; c < channels; c++)
        if (!isfinite(mean[c]) || !isfinite(std[c]) || !(std[c] > 0))
            return strata_fail(STRATA_BAD_ARG, "--normalize wants finite numbers, and std above 0, got '%s'",
                               text);
    return STRATA_OK;
}

strata_batcher score_batcher(const strata_data *data, bool valid, const strata_recipe *r, uint32_t batch)
{
    return (strata_batcher) { .set = valid ? data->valid : data->train,
                              .batch = batch,
                              .seed = (uint64_t)recipe_number(r, "seed") };
}

strata_status score_augment(strata_augment *a, const strata_data *data, const strata_recipe *r)
{
    const strata_image_set *set = &data->train;
    const char *text = strata_recipe_get(r, "normalize");
    *a = (strata_augment) { .h = set->h, .w = set->w, .c = set->c, .scale = data->scale };
    memcpy(a->mean, data->mean, sizeof a->mean);
    memcpy(a->std, data->std, sizeof a->std);
    memcpy(a->background, data->background, sizeof a->background);
    if (*text) STRATA_TRY(score_figures(a->mean, a->std, text, set->c));
    return augment_read(a, strata_recipe_get(r, "augment"));
}

/* How many classes the network holds likelier than this one: NaN logits are likelier than any, and of its own
 * one it is below all there could be, as a network of few classes that is broken is right in none. */
static uint32_t rank_of(const float *logits, uint32_t classes, uint32_t label)
{
    uint32_t rank = 0;
    if (isnan(logits[label])) return UINT32_MAX;
    for (uint32_t k = 0; k < classes; k++)
        if (k != label && !(logits[k] < logits[label]) && (logits[k] != logits[label] || k < label)) rank++;
    return rank;
}

/* How many it holds likelier than the likeliest of an image's own. */
static uint32_t best_rank(const float *logits, const strata_image_set *set, uint32_t image)
{
    uint32_t best = UINT32_MAX;
    if (!set->targets) return rank_of(logits, set->classes, (uint32_t)set->labels[image]);
    for (uint32_t k = strata_image_class(set, image, 0); k < set->classes;
         k = strata_image_class(set, image, k + 1)) {
        const uint32_t rank = rank_of(logits, set->classes, k);
        if (rank < best) best = rank;
    }
    return best;
}

/* Add n images; their logits go to `all`. */
static void add_batch(strata_score *sum, float *all, const engine *e, const char *bytes,
                      const strata_image_set *set, uint32_t n)
{
    const uint32_t first = (uint32_t)sum->images;
    const strata_plan *p = e->plan;
    const uint32_t lanes = strata_lanes(set->classes);
    const float *loss = (const void *)(bytes + p->result_loss),
                *logits = (const void *)(bytes + p->result_logits);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t rank = best_rank(logits + (size_t)i * lanes, set, first + i);
        memcpy(all + (size_t)(first + i) * set->classes, logits + (size_t)i * lanes,
               set->classes * sizeof *all);
        sum->loss += (double)loss[i];
        sum->top1 += rank < 1;
        sum->top5 += rank < 5;
    }
    sum->images += n;
}

/* logits  out: [n, classes] */
static strata_status run_all(strata_score *sum, float *logits, engine *e, const strata_batcher *b)
{
    const uint32_t n = b->set.n, batch = b->batch, batches = (n + batch - 1) / batch;
    STRATA_TRY(engine_evaluate_ring(e));
    for (uint32_t i = 0; i <= batches; i++) {
        void *in;
        uint64_t number;
        const void *bytes = NULL;
        STRATA_TRY(strata_ring_begin(e->evaluate, &in));
        for (;;) { /* after the last batch, wait for what is still in flight */
            STRATA_TRY(strata_ring_result(e->evaluate, i == batches, &number, &bytes));
            if (!bytes) break;
            uint32_t at = (uint32_t)sum->images;
            add_batch(sum, logits, e, bytes, &b->set, n - at < batch ? n - at : batch);
        }
        if (i == batches) break;
        engine_input parts = engine_parts(e, in);
        uint32_t at = i * batch;
        memset(parts.values, 0, sizeof *parts.values);
        engine_weigh(e, &parts, NULL); /* a score counts all images the same */
        const strata_batch out = { .pixels = parts.stored,
                                   .samples = parts.samples,
                                   .labels = parts.labels,
                                   .weights = parts.weights,
                                   .targets = parts.targets };
        strata_batch_fill(&out, b, NULL, at, n - at < batch ? n - at : batch);
        STRATA_TRY(strata_plan_submit_evaluate(e->plan, e->evaluate));
    }
    sum->loss /= n;
    sum->top1 /= n;
    sum->top5 /= n;
    return STRATA_OK;
}

strata_status score_set(strata_score *out, engine *e, const strata_batcher *b, const grade_rule *rule)
{
    strata_status status = STRATA_OK;
    float *logits = malloc(((size_t)b->set.n * b->set.classes + 1) * sizeof *logits);
    *out = (strata_score) { 0 };
    if (!logits)
        STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for %u images' logits of %u classes",
                              (unsigned)b->set.n, (unsigned)b->set.classes));
    STRATA_GO(run_all(out, logits, e, b));
    STRATA_GO(grades_take(out, logits, &b->set, rule));
done:
    free(logits);
    if (status != STRATA_OK) strata_score_free(out);
    return status;
}

#include "train/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/csv.h"

/* ---- Counts ------------------------------------------------------------------------------------- */

void metrics_count_labels(metrics_count *out, uint32_t K, const int32_t *label, const uint32_t *predicted,
                          uint32_t n)
{
    memset(out, 0, K * sizeof *out);
    for (uint32_t i = 0; i < n; i++) {
        out[label[i]].labelled++;
        if (predicted[i] == METRICS_NONE) continue;
        out[predicted[i]].predicted++;
        out[predicted[i]].right += predicted[i] == (uint32_t)label[i];
    }
}

static bool is_above(float logit, double threshold) { return 1 / (1 + exp(-(double)logit)) > threshold; }

static void add_one(metrics_count *c, bool target, bool predicted)
{
    c->labelled += target;
    c->predicted += predicted;
    c->right += target && predicted;
}

void metrics_count_sets(metrics_count *out, uint32_t K, const float *logit, const uint8_t *target, uint32_t n,
                        double threshold)
{
    memset(out, 0, K * sizeof *out);
    for (size_t i = 0; i < (size_t)n * K; i++) add_one(&out[i % K], target[i], is_above(logit[i], threshold));
}

/* ---- Shares ------------------------------------------------------------------------------------- */

static double share(const metrics_count *c, double part, double whole)
{
    if (c->labelled == 0 && c->predicted == 0) return NAN;
    return whole > 0 ? part / whole : 0;
}

double metrics_precision(const metrics_count *c) { return share(c, (double)c->right, (double)c->predicted); }

double metrics_recall(const metrics_count *c) { return share(c, (double)c->right, (double)c->labelled); }

double metrics_f_beta(const metrics_count *c, double beta)
{
    const double square = beta * beta;
    return share(c, (1 + square) * (double)c->right, square * (double)c->labelled + (double)c->predicted);
}

double metrics_mean(const double *value, uint32_t n)
{
    double sum = 0, parts = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (isnan(value[i])) continue;
        sum += value[i];
        parts++;
    }
    return parts > 0 ? sum / parts : NAN;
}

metrics_average metrics_macro(const metrics_count *count, uint32_t K, double beta)
{
    metrics_average sum = { 0, 0, 0 };
    double present = 0;
    for (uint32_t k = 0; k < K; k++) {
        if (count[k].labelled == 0 && count[k].predicted == 0) continue;
        sum.precision += metrics_precision(&count[k]);
        sum.recall += metrics_recall(&count[k]);
        sum.f_beta += metrics_f_beta(&count[k], beta);
        present++;
    }
    if (present < 1) return (metrics_average) { NAN, NAN, NAN };
    return (metrics_average) { sum.precision / present, sum.recall / present, sum.f_beta / present };
}

metrics_average metrics_micro(const metrics_count *count, uint32_t K, double beta)
{
    metrics_count all = { 0, 0, 0 };
    for (uint32_t k = 0; k < K; k++) {
        all.labelled += count[k].labelled;
        all.predicted += count[k].predicted;
        all.right += count[k].right;
    }
    return (metrics_average) { metrics_precision(&all), metrics_recall(&all), metrics_f_beta(&all, beta) };
}

double metrics_samples_f_beta(const float *logit, const uint8_t *target, uint32_t n, uint32_t K,
                              double threshold, double beta)
{
    const double eps = 1e-9, square = beta * beta;
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        metrics_count c = { 0, 0, 0 };
        for (size_t at = (size_t)i * K; at < (size_t)(i + 1) * K; at++)
            add_one(&c, target[at], is_above(logit[at], threshold));
        const double precision = (double)c.right / ((double)c.predicted + eps),
                     recall = (double)c.right / ((double)c.labelled + eps);
        sum += precision * recall / (precision * square + recall + eps) * (1 + square);
    }
    return n ? sum / n : NAN;
}

/* ---- Average precision ---------------------------------------------------------------------------- */

static bool is_likelier(float x, float y) { return x > y || (isnan(y) && !isnan(x)); }

static int by_score(const void *a, const void *b)
{
    const float x = ((const metrics_item *)a)->score, y = ((const metrics_item *)b)->score;
    return is_likelier(y, x) - is_likelier(x, y);
}

/* Bring the positives to the front. Returns how many they are. */
static uint32_t gather(metrics_item *item, uint32_t n)
{
    uint32_t positives = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!item[i].positive) continue;
        const metrics_item found = item[i];
        item[i] = item[positives];
        item[positives++] = found;
    }
    return positives;
}

/* The first of the sorted positives that is not likelier than this. */
static uint32_t place_of(const metrics_item *item, uint32_t positives, float score)
{
    uint32_t low = 0, high = positives;
    if (is_likelier(item[positives - 1].score, score)) return positives; /* so it is for most */
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (is_likelier(item[middle].score, score))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A level without positives adds nothing, so only positives, few where classes are many, are sorted: of the
 * others it is enough to know between which two of them they are. */
double metrics_average_precision(metrics_item *item, uint32_t n)
{
    double sum = 0, before = 0;
    uint32_t above = 0; /* or as likely as the positives so far */
    const uint32_t positives = gather(item, n);
    if (positives == 0) return NAN;
    qsort(item, positives, sizeof *item, by_score);
    for (uint32_t i = positives; i < n; i++) {
        const uint32_t place = place_of(item, positives, item[i].score);
        if (place < positives) item[place].positive++; /* counts those that come here, and itself */
    }
    for (uint32_t i = 0; i < positives; i++) {
        above += item[i].positive;
        if (i + 1 < positives && by_score(&item[i], &item[i + 1]) == 0) continue; /* the level goes on */
        const double right = i + 1;
        sum += (right - before) * right / above;
        before = right;
    }
    return sum / positives;
}

/* ---- Confusion ------------------------------------------------------------------------------------ */

void metrics_confusion_csv(strata_text *out, const char *const *name, uint32_t K, const int32_t *label,
                           const uint32_t *predicted, uint32_t n)
{
    uint32_t *row = calloc(K, sizeof *row);
    out->failed = out->failed || !row;
    if (out->failed) {
        free(row);
        return;
    }
    strata_text_append(out, "label", 5);
    for (uint32_t k = 0; k < K; k++) {
        strata_text_append(out, ",", 1);
        strata_csv_put(out, name[k]);
    }
    for (uint32_t k = 0; k < K; k++) {
        memset(row, 0, K * sizeof *row);
        for (uint32_t i = 0; i < n; i++)
            if ((uint32_t)label[i] == k && predicted[i] != METRICS_NONE) row[predicted[i]]++;
        strata_text_append(out, "\n", 1);
        strata_csv_put(out, name[k]);
        for (uint32_t j = 0; j < K; j++) strata_text_format(out, ",%u", (unsigned)row[j]);
    }
    strata_text_append(out, "\n", 1);
    free(row);
}

#include "train/class_weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/csv.h"

static strata_status no_memory(void)
{
    return strata_fail(STRATA_NO_MEMORY, "no memory for the weights of classes");
}

/* Images of each class; an image may be of several. [set->classes]; NULL without memory. */
static uint32_t *count_images(const strata_image_set *set)
{
    uint32_t *count = calloc(set->classes, sizeof *count);
    for (uint32_t i = 0; count && i < set->n; i++)
        for (uint32_t k = strata_image_class(set, i, 0); k < set->classes;
             k = strata_image_class(set, i, k + 1))
            count[k]++;
    return count;
}

static strata_status balance(float *weight, const strata_image_set *set)
{
    uint32_t *count = count_images(set), present = 0;
    if (!count) return no_memory();
    for (uint32_t k = 0; k < set->classes; k++) present += count[k] > 0;
    for (uint32_t k = 0; k < set->classes; k++)
        weight[k] = count[k] ? (float)((double)set->n / ((double)present * count[k])) : 0;
    free(count);
    return STRATA_OK;
}

/* One line's class and weight; a weight below 0 stands for none so far. */
static strata_status take_line(float *weight, const strata_image_set *set, const strata_csv *csv,
                               const char *const field[2])
{
    const unsigned line = csv->line;
    char *end = NULL;
    const double v = strtod(field[1], &end);
    if (end == field[1] || *end || !isfinite(v) || v < 0 || v > 1e6)
        return strata_fail(STRATA_FILE, "%s:%u wants a weight in [0, 1e6] for %s, got '%s'", csv->path, line,
                           field[0], field[1]);
    for (uint32_t k = 0; k < set->classes; k++) {
        if (strcmp(set->class_names[k], field[0]) != 0) continue;
        if (weight[k] >= 0)
            return strata_fail(STRATA_FILE, "%s:%u: the class '%s' has a weight already", csv->path, line,
                               field[0]);
        weight[k] = (float)v;
        return STRATA_OK;
    }
    return strata_fail(STRATA_FILE, "%s:%u: the data has no class '%s'", csv->path, line, field[0]);
}

static strata_status check(const float *weight, const strata_image_set *set, const char *path)
{
    bool some = false;
    uint32_t *count = count_images(set);
    if (!count) return no_memory();
    for (uint32_t k = 0; k < set->classes; k++) some = some || (count[k] && weight[k] > 0);
    free(count);
    if (some) return STRATA_OK;
    return strata_fail(STRATA_FILE, "%s: every class that has images weighs 0", path);
}

strata_status class_weights_read(float *weight, const strata_image_set *set, const char *path)
{
    strata_status status = STRATA_OK;
    strata_csv csv;
    STRATA_TRY(strata_csv_open(&csv, path));
    for (uint32_t k = 0; k < set->classes; k++) weight[k] = -1;
    for (;;) {
        const char *field[2];
        uint32_t n;
        STRATA_GO(strata_csv_next(&csv, field, 2, &n));
        if (n == 0) break;
        if (n < 2)
            STRATA_GO(strata_fail(STRATA_FILE, "%s:%u wants CLASS,WEIGHT, got '%s'", path, (unsigned)csv.line,
                                  field[0]));
        STRATA_GO(take_line(weight, set, &csv, field));
    }
    for (uint32_t k = 0; k < set->classes; k++)
        if (weight[k] < 0)
            STRATA_GO(strata_fail(STRATA_FILE, "%s has no weight for class '%s'", path, set->class_names[k]));
    STRATA_GO(check(weight, set, path));
done:
    strata_csv_close(&csv);
    return status;
}

strata_status class_weights_open(float **out, const strata_image_set *set, const char *key, const char *text)
{
    float *weight = malloc(set->classes * sizeof *weight);
    *out = NULL;
    if (!weight) return no_memory();
    strata_status status = strcmp(text, "balanced") == 0 ? balance(weight, set)
                                                         : class_weights_read(weight, set, text);
    if (status == STRATA_OK)
        *out = weight;
    else
        free(weight);
    if (status != STRATA_FILE) return status;
    return strata_fail(status, "--%s: %s", key, strata_message());
}

/* The picture of a rates table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "sight/figure.h"
#include "strata/rates.h"
#include "train/rate_list.h"
#include "train/recipe.h"

enum { MOST_POINTS = 20000, W = 1000, H = 470 };

/* The table as it is gathered: of a long run every so many steps, 20 for each pixel. */
typedef struct table {
    uint32_t n_groups;
    uint64_t steps;
    size_t n, room;
    strata_text title;
    char (*name)[64]; /* [n_groups] */
    double *x;        /* [n] */
    double *lr;       /* [n_groups,room] NaN while frozen */
    double *momentum; /* [n] */
    bool *still;      /* [n_groups] it is frozen in some steps */
} table;

static void table_free(table *t)
{
    strata_text_free(&t->title);
    free(t->name);
    free(t->x);
    free(t->lr);
    free(t->momentum);
    free(t->still);
}

static uint64_t every(uint64_t steps) { return (steps + MOST_POINTS - 1) / MOST_POINTS; }

static void begin(void *context, const strata_rates_info *info)
{
    table *t = context;
    t->n_groups = info->n_groups;
    t->steps = info->steps;
    t->room = (size_t)(info->steps / every(info->steps)) + 2;
    t->name = calloc(t->n_groups, sizeof *t->name);
    t->x = calloc(t->room, sizeof *t->x);
    t->lr = calloc(t->room, t->n_groups * sizeof *t->lr);
    t->momentum = calloc(t->room, sizeof *t->momentum);
    t->still = calloc(t->n_groups, sizeof *t->still);
    for (uint32_t g = 0; t->name && t->still && g < t->n_groups; g++) {
        strncpy(t->name[g], info->group_name[g], sizeof *t->name - 1);
        t->still[g] = info->still[g] > 0;
    }
}

static bool ready(const table *t) { return t->name && t->x && t->lr && t->momentum && t->still; }

static void take(void *context, uint64_t step, const double *lr, double momentum)
{
    table *t = context;
    if (!ready(t) || t->n == t->room) return;
    t->x[t->n] = (double)step;
    t->momentum[t->n] = momentum;
    for (uint32_t g = 0; g < t->n_groups; g++)
        t->lr[g * t->room + t->n] = lr[g] == 0 && !signbit(lr[g]) ? NAN : lr[g]; /* a gap */
    t->n++;
}

/* The last rates hold until the run has ended: those of one step alone would be a dot on the axis. */
static void hold_last(table *t)
{
    if (t->n == 0 || t->n == t->room) return;
    t->x[t->n] = (double)t->steps;
    t->momentum[t->n] = t->momentum[t->n - 1];
    for (uint32_t g = 0; g < t->n_groups; g++) t->lr[g * t->room + t->n] = t->lr[g * t->room + t->n - 1];
    t->n++;
}

/* ---- What the picture makes of it --------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A logarithmic axis where nine tenths of all rates span two decades or more: the last steps of an annealing
 * alone do not count, and fall out of it below. */
static sight_axis rate_axis(const table *t, double *sorted)
{
    sight_axis a = { 0, 0, false };
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        for (uint32_t g = 0; g < t->n_groups; g++)
            if (t->lr[g * t->room + i] > 0) sorted[n++] = t->lr[g * t->room + i];
    if (n == 0) return a;
    qsort(sorted, n, sizeof *sorted, ascending);
    a.log = sorted[n - 1 - n / 20] >= 100 * sorted[n / 20];
    a.high = a.log ? sorted[n - 1] * 2 : sorted[n - 1] * 1.05;
    a.low = a.log ? fmax(sorted[0] / 2, sorted[n / 20] / 4) : 0;
    return a;
}

/* The stretches in which a group is frozen, one after the other. */
static uint32_t find_spans(sight_span *span, const table *t)
{
    uint32_t n = 0, lane = 0;
    for (uint32_t k = 0; k < t->n_groups; k++) {
        const uint32_t g = t->n_groups - 1 - k; /* as the legend stands */
        if (!t->still[g]) continue;
        const double *lr = t->lr + g * t->room;
        for (size_t i = 0; i < t->n; i++) {
            const double to = i + 1 < t->n ? t->x[i + 1] : (double)t->steps;
            if (!isnan(lr[i])) continue;
            if (i > 0 && isnan(lr[i - 1]))
                span[n - 1].to = to;
            else
                span[n++] = (sight_span) { t->x[i], to, lane, sight_palette(g, t->n_groups) };
        }
        lane++;
    }
    return n;
}

static uint32_t count_still(const table *t)
{
    uint32_t n = 0;
    for (uint32_t g = 0; g < t->n_groups; g++) n += t->still[g];
    return n;
}

static bool momentum_moves(const table *t)
{
    for (size_t i = 1; i < t->n; i++)
        if (t->momentum[i] != t->momentum[0]) return true;
    return false;
}

static strata_status draw(const table *t, const char *path)
{
    strata_status status = STRATA_OK;
    sight_series *series = calloc(t->n_groups + 1, sizeof *series);
    sight_span *span = calloc(t->n * t->n_groups + 1, sizeof *span);
    double *sorted = calloc(t->n * t->n_groups + 1, sizeof *sorted);
    if (!series || !span || !sorted) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a picture"));
    for (uint32_t g = 0; g < t->n_groups; g++)
        series[g] = (sight_series) {
            t->name[g], t->x, t->lr + g * t->room, t->n, sight_palette(g, t->n_groups), 0
        };
    const sight_series momentum = { NULL, t->x, t->momentum, t->n, 0x555555, 0 };
    sight_panel panel[3] = { { .label = "learning rate",
                               .weight = 5,
                               .y = rate_axis(t, sorted),
                               .series = series,
                               .n_series = t->n_groups } };
    uint32_t n = 1;
    const uint32_t lanes = count_still(t);
    if (lanes && lanes <= 12)
        panel[n++] = (sight_panel) {
            .label = "frozen", .span = span, .n_spans = find_spans(span, t), .lanes = lanes
        };
    if (momentum_moves(t))
        panel[n++] = (sight_panel) { .label = "momentum", .series = &momentum, .n_series = 1 };
    const sight_figure f = { .title = t->title.s,
                             .x_label = "step",
                             .w = W,
                             .h = H,
                             .x = { 0, (double)t->steps, false },
                             .panel = panel,
                             .n_panels = n,
                             .legend_upwards = true };
    status = sight_figure_write(&f, path);
done:
    free(series);
    free(span);
    free(sorted);
    return status;
}

strata_status strata_rates_draw(const strata_recipe *recipe, uint64_t steps, uint64_t steps_per_epoch,
                                const char *path)
{
    static const char *const keys[] = { "lr", "schedule", "bleed", "freeze-until" };
    table t = { 0 };
    const char *model = strata_recipe_get(recipe, "model");
    strata_text_format(&t.title, "%s", *model ? model : "rates");
    for (int i = 0; i < 4; i++) {
        const char *value = strata_recipe_get(recipe, keys[i]);
        if (*value) strata_text_format(&t.title, "  --%s %s", keys[i], value);
    }
    const rate_reader reader = { begin, take, &t, every(steps) };
    strata_status status = rate_list_read(recipe, steps, steps_per_epoch, &reader);
    if (status == STRATA_OK && (!ready(&t) || t.title.failed))
        status = strata_fail(STRATA_NO_MEMORY, "no memory for a picture of %llu steps",
                             (unsigned long long)steps);
    if (status == STRATA_OK) {
        hold_last(&t);
        status = draw(&t, path);
    }
    table_free(&t);
    return status;
}

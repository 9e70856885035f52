/* The small languages of a recipe's values: a line each for --lr, --schedule, --bleed, --freeze-until,
 * --normalize and --augment; what follows is a file for --groups. What is understood is asked for rates. */
#include "core/arena.h"
#include "fuzz.h"
#include "model/group_list.h"
#include "model/model.h"
#include "rates/rates.h"
#include "train/augment.h"
#include "train/score.h"

enum { LR, SCHEDULE, BLEED, FREEZE, NORMALIZE, AUGMENT, LINES, ROOM = 2100 };

static void ask(strata_rates *r, uint64_t steps)
{
    strata_group_rate look[3];
    double lr[3], peak[3], momentum;
    rates_sum sum[3];
    rates_phase phase;
    for (uint64_t step = 0; step <= steps; step += 1 + step / 3) {
        strata_rates_at(r, step, lr, &momentum);
        strata_rates_look(r, step, look, &momentum);
        strata_rates_reduced(r, step, 1);
        strata_rates_is_done(r, step, 1, 0.1);
        for (uint32_t metric = 0; metric < RATES_METRICS; metric++)
            if (strata_rates_watch(r) >> metric & 1)
                strata_rates_observe(
                    r, &(rates_event) { .step = step, .kind = RATES_METRIC, .group = metric, .value = 1 });
        if (strata_rates_measure_every(r)) strata_rates_measured(r, step, 0, 1e-9);
    }
    strata_rates_at(r, UINT64_MAX, lr, &momentum);
    strata_rates_sum(r, sum);
    for (uint32_t i = 0; strata_rates_phase(r, i, &phase, peak); i++) strata_rates_frozen(r, phase.first, 1);
}

static void spread(const char *const line[LINES], uint64_t steps, uint64_t steps_per_epoch)
{
    static const char *const groups[] = { "stem", "body.low", "head" };
    const strata_rates_config config = { .lr = line[LR],
                                         .schedule = line[SCHEDULE],
                                         .bleed = line[BLEED],
                                         .freeze_until = line[FREEZE],
                                         .n_groups = 3,
                                         .group_name = groups,
                                         .steps = steps,
                                         .steps_per_epoch = steps_per_epoch,
                                         .momentum = 0.9 };
    strata_rates *r;
    if (strncmp(config.schedule, "csv:", 4) == 0) return; /* the target csv's, and it names any file */
    if (strata_rates_open(&r, &config) == STRATA_OK) ask(r, steps);
    strata_rates_close(r);
}

static void divide(const uint8_t *bytes, size_t n)
{
    static strata_model *model; /* whose layers are divided: one for the whole process */
    static uint32_t of_row[1024];
    strata_arena arena = { 0 };
    group_list list;
    if (!model) {
        const strata_model_config config = { .model = "small-cnn", .input = { .n = 1 }, .loss = true };
        if (strata_model_open(&model, &config) != STRATA_OK || model->graph->n_rows > 1024) abort();
    }
    if (group_list_read(&list, &arena, fuzz_file("groups.txt", bytes, n)) == STRATA_OK &&
        group_list_divide(of_row, &list, model->graph) == STRATA_OK)
        group_list_text(&list, &arena);
    strata_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static char text[LINES][ROOM];
    const char *line[LINES];
    float mean[4], std[4];
    for (int i = 0; i < LINES; i++) {
        const uint8_t *end = n ? memchr(bytes, '\n', n) : NULL;
        const size_t length = end ? (size_t)(end - bytes) : n, kept = length < ROOM ? length : ROOM - 1;
        if (kept) memcpy(text[i], bytes, kept);
        text[i][kept] = '\0';
        line[i] = text[i];
        bytes += length + (end != NULL);
        n -= length + (end != NULL);
    }
    spread(line, 97, 10);
    spread(line, 1, 0); /* epochs are not known */
    strata_augment augment = { .h = 24, .w = 24, .c = 3, .scale = 255 };
    augment_read(&augment, line[AUGMENT]);
    score_figures(mean, std, line[NORMALIZE], 3);
    divide(bytes, n);
    return 0;
}

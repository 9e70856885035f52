/* Strata's side of tests/bench/compare: a trainer that takes steps when it is told to.
 *
 *   strata_side MODEL STEM SIDE CHANNELS CLASSES BATCH [KEY=VALUE ...]
 *
 * Reads lines "train N" and "infer N" and answers each with the seconds and the processor seconds that N
 * steps or batches took. The first line it writes says what it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "strata/strata.h"

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct side {
    strata_recipe *recipe;
    strata_device *device;
    strata_trainer *trainer;
    strata_task task;
    uint32_t batch;
    float *pixels, *logits;
    int32_t *labels;
} side;

#define TRY(call)                                                                                            \
    do {                                                                                                     \
        strata_status try_status = (call);                                                                   \
        if (try_status != STRATA_OK) return try_status;                                                      \
    } while (0)

static strata_status open_side(side *s, int argc, char **argv)
{
    const uint32_t size = (uint32_t)atoi(argv[3]);
    s->task = (strata_task) { size, size, (uint32_t)atoi(argv[4]), (uint32_t)atoi(argv[5]), 1000000, 0 };
    s->batch = (uint32_t)atoi(argv[6]);
    TRY(strata_recipe_open(&s->recipe));
    TRY(strata_recipe_set(s->recipe, "model", argv[1]));
    if (*argv[2]) TRY(strata_recipe_set(s->recipe, "stem", argv[2]));
    TRY(strata_recipe_set(s->recipe, "batch", argv[6]));
    TRY(strata_recipe_set(s->recipe, "opt", "sgd"));
    TRY(strata_recipe_set(s->recipe, "schedule", "constant"));
    TRY(strata_recipe_set(s->recipe, "lr", "1e-3"));
    for (int i = 7; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (!equals) return STRATA_BAD_ARG;
        *equals = '\0';
        TRY(strata_recipe_set(s->recipe, argv[i], equals + 1));
    }
    TRY(strata_device_open(&s->device,
                           &(strata_device_config) { .name = strata_recipe_get(s->recipe, "device") }));
    TRY(strata_trainer_open(&s->trainer, s->device, s->recipe, &s->task));
    const size_t n = (size_t)s->batch * size * size * s->task.c;
    s->pixels = malloc(n * sizeof *s->pixels);
    s->logits = malloc((size_t)s->batch * s->task.classes * sizeof *s->logits);
    s->labels = malloc(s->batch * sizeof *s->labels);
    if (!s->pixels || !s->logits || !s->labels) return STRATA_NO_MEMORY;
    for (size_t i = 0; i < n; i++) s->pixels[i] = (float)(i * 2654435761u % 1000) / 1000;
    for (uint32_t i = 0; i < s->batch; i++) s->labels[i] = (int32_t)(i % s->task.classes);
    return STRATA_OK;
}

static strata_status run(side *s, bool train, uint32_t n)
{
    float loss;
    for (uint32_t i = 0; i < n; i++)
        TRY(train ? strata_trainer_step(s->trainer, s->pixels, s->labels, s->batch, i + 1 == n ? &loss : NULL)
                  : strata_trainer_evaluate(s->trainer, s->pixels, s->labels, s->batch, s->logits, NULL));
    return STRATA_OK;
}

static strata_status serve(side *s)
{
    char line[64], word[16];
    unsigned n;
    printf("strata %s on %s\n", strata_version(), strata_device_caps(s->device)->driver);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) && sscanf(line, "%15s %u", word, &n) == 2) {
        const double from = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        TRY(run(s, strcmp(word, "train") == 0, n));
        printf("%.6f %.6f\n", seconds(CLOCK_MONOTONIC) - from, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
        fflush(stdout);
    }
    return STRATA_OK;
}

int main(int argc, char **argv)
{
    side s = { 0 };
    if (argc < 7) {
        fprintf(stderr, "strata_side MODEL STEM SIDE CHANNELS CLASSES BATCH [KEY=VALUE ...]\n");
        return 2;
    }
    strata_status status = open_side(&s, argc, argv);
    if (status == STRATA_OK) status = serve(&s);
    if (status != STRATA_OK) fprintf(stderr, "strata_side: %s\n", strata_message());
    strata_trainer_close(s.trainer);
    strata_device_close(s.device);
    strata_recipe_close(s.recipe);
    free(s.pixels);
    free(s.logits);
    free(s.labels);
    return strata_status_exit_code(status);
}

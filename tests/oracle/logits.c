/* logits WEIGHTS HxWxC CLASSES KEY=VALUE... < pixels > logits
 *
 * What a network computes, for the scripts beside this: f32 images [n,h,w,c], normalised by the caller, to
 * f32 logits [n,classes], in evaluation mode. WEIGHTS is any file that --init takes; KEY=VALUE are a recipe's
 * keys, and device=NAME. Exit codes are those of strata. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "strata/strata.h"

enum { BATCH = 4 };

static strata_status set(strata_recipe *r, const char *word)
{
    char key[64];
    const char *equals = strchr(word, '=');
    if (!equals || equals - word >= (long)sizeof key) return STRATA_BAD_ARG;
    snprintf(key, sizeof key, "%.*s", (int)(equals - word), word);
    return strata_recipe_set(r, key, equals + 1);
}

static strata_status answer(strata_trainer *t, const strata_task *task)
{
    const size_t size = (size_t)task->h * task->w * task->c;
    float *pixels = malloc(BATCH * size * sizeof *pixels),
          *logits = malloc(BATCH * task->classes * sizeof *logits);
    strata_status status = pixels && logits ? STRATA_OK : STRATA_NO_MEMORY;
    while (status == STRATA_OK) {
        const size_t n = fread(pixels, size * sizeof *pixels, BATCH, stdin);
        if (n == 0) break;
        status = strata_trainer_evaluate(t, pixels, NULL, (uint32_t)n, logits, NULL);
        if (status == STRATA_OK) fwrite(logits, sizeof *logits, n * task->classes, stdout);
    }
    free(pixels);
    free(logits);
    return status;
}

int main(int argc, char **argv)
{
    strata_device *device = NULL;
    strata_recipe *r = NULL;
    strata_trainer *t = NULL;
    strata_task task = { .steps = 1 };
    if (argc < 4 || sscanf(argv[2], "%ux%ux%u", &task.h, &task.w, &task.c) != 3) return 2;
    task.classes = (uint32_t)strtoul(argv[3], NULL, 10);
    strata_status status = strata_recipe_open(&r);
    /* A trainer without moments: it does not train. */
    if (status == STRATA_OK) status = set(r, "batch=4");
    if (status == STRATA_OK) status = set(r, "opt=sgd");
    if (status == STRATA_OK) status = set(r, "momentum=0");
    for (int i = 4; i < argc && status == STRATA_OK; i++) status = set(r, argv[i]);
    const strata_device_config config = { .name = status == STRATA_OK ? strata_recipe_get(r, "device")
                                                                      : NULL };
    if (status == STRATA_OK) status = strata_device_open(&device, &config);
    if (status == STRATA_OK) status = strata_trainer_open(&t, device, r, &task);
    if (status == STRATA_OK) status = strata_trainer_load(t, argv[1]);
    if (status == STRATA_OK) status = answer(t, &task);
    if (status != STRATA_OK) fprintf(stderr, "logits: %s\n", strata_message());
    strata_trainer_close(t);
    strata_device_close(device);
    strata_recipe_close(r);
    return strata_status_exit_code(status);
}

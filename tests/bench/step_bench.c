/* What a training step costs: the host's own work (processor time of this thread for filling the rates,
 * submitting and reading back; decoding apart), the time of a step, and memory.
 *
 *   step_bench [N [DEVICE [MODEL SIDE CHANNELS BATCH [STEM]]]]  default: 12 auto resnet18 32 3 64 small */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "train/trainer.h"

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static strata_status measure(strata_trainer *t, uint32_t steps)
{
    double *host = calloc(steps, sizeof *host), *wall = calloc(steps, sizeof *wall);
    if (!host || !wall) return strata_fail(STRATA_NO_MEMORY, "no memory for %u figures", (unsigned)steps);
    strata_status status = STRATA_OK;
    trainer_result result;
    bool got = true;
    for (uint32_t i = 0; i < steps + 2; i++) { /* the first two fill the ring and touch memory */
        engine_input in;
        double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_THREAD_CPUTIME_ID), spent;
        STRATA_GO(trainer_begin(t, t->batch, t->batch, true, 0, &in));
        spent = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
        const strata_shape s = t->main.model->graph->input->shape;
        for (size_t k = 0; i < 3 && k < strata_shape_floats(s); k++) in.pixels[k] = (float)(k % 17) / 17;
        for (uint32_t k = 0; k < s.n; k++) {
            in.labels[k] = (int32_t)(k % t->task.classes);
            in.weights[k] = 1.0f / (float)s.n;
        }
        cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
        STRATA_GO(trainer_submit(t));
        for (got = true; got;) STRATA_GO(trainer_take(t, false, &result, &got));
        spent += seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
        if (i >= 2) {
            host[i - 2] = spent;
            wall[i - 2] = seconds(CLOCK_MONOTONIC) - start;
        }
    }
    for (got = true; got;) STRATA_GO(trainer_take(t, true, &result, &got));
    qsort(host, steps, sizeof *host, ascending);
    qsort(wall, steps, sizeof *wall, ascending);
    printf("host work a step   median %7.1f us, p90 %7.1f us (thread CPU time; pixels apart)\n",
           1e6 * host[steps / 2], 1e6 * host[steps * 9 / 10]);
    printf("step               median %7.1f ms, %.1f images/s\n", 1e3 * wall[steps / 2],
           t->batch / wall[steps / 2]);
done:
    free(host);
    free(wall);
    return status;
}

int main(int argc, char **argv)
{
    strata_status status = STRATA_OK;
    strata_recipe *r = NULL;
    strata_device *d = NULL;
    strata_trainer *t = NULL;
    uint32_t steps = argc > 1 ? (uint32_t)atoi(argv[1]) : 12, side = argc > 4 ? (uint32_t)atoi(argv[4]) : 32;
    uint32_t channels = argc > 5 ? (uint32_t)atoi(argv[5]) : 3;
    const strata_task task = { side, side, channels, 10, steps + 2, 0 };
    STRATA_GO(strata_recipe_open(&r));
    STRATA_GO(strata_recipe_set(r, "model", argc > 3 ? argv[3] : "resnet18"));
    STRATA_GO(strata_recipe_set(r, "stem", argc > 7 ? argv[7] : argc > 3 ? "" : "small"));
    STRATA_GO(strata_recipe_set(r, "opt", "sgd"));
    STRATA_GO(strata_recipe_set(r, "batch", argc > 6 ? argv[6] : "64"));
    STRATA_GO(strata_device_open(&d, &(strata_device_config) { .name = argc > 2 ? argv[2] : "auto" }));
    double start = seconds(CLOCK_MONOTONIC);
    STRATA_GO(strata_trainer_open(&t, d, r, &task));
    printf("%s | %s %ux%ux%u, batch %u\n", strata_device_caps(d)->name, strata_recipe_get(t->recipe, "model"),
           (unsigned)side, (unsigned)side, (unsigned)channels, (unsigned)t->batch);
    printf("opening            %.2f s\n", seconds(CLOCK_MONOTONIC) - start);
    printf("device memory      %.1f MiB\n", (double)strata_trainer_memory(t) / 1048576);
    STRATA_GO(measure(t, steps));
done:
    if (status != STRATA_OK) fprintf(stderr, "step_bench: %s\n", strata_message());
    strata_trainer_close(t);
    strata_device_close(d);
    strata_recipe_close(r);
    return strata_status_exit_code(status);
}

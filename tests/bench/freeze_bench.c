/* What a frozen prefix saves: steps of a network that learns whole and of one whose layers up to `layer2` are
 * frozen, in pairs one after the other (the order changes from pair to pair), by the wall clock and by the
 * process's time on all cores, which other programs disturb less.
 *
 *   freeze_bench [PAIRS [DEVICE [BATCH [FROZEN]]]]  default: 12 auto 32 3
 *
 * resnet18 with the small stem at 32x32x3; FROZEN of its stages conv1, layer1, layer2, layer3, layer4, fc
 * stand still. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "train/trainer.h"

enum { MOST = 400, STAGES = 6, SIDE = 32 };

typedef struct spent {
    double wall, cpu; /* seconds */
} spent;

static spent now(void)
{
    struct timespec wall, cpu;
    clock_gettime(CLOCK_MONOTONIC, &wall);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (spent) { (double)wall.tv_sec + 1e-9 * (double)wall.tv_nsec,
                     (double)cpu.tv_sec + 1e-9 * (double)cpu.tv_nsec };
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, uint32_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return v[n / 2];
}

static strata_status open_one(strata_trainer **out, strata_device *d, const char *batch, uint32_t frozen,
                              uint32_t steps)
{
    char lr[128] = "";
    int length = 0;
    strata_recipe *r = NULL;
    strata_status status = STRATA_OK;
    for (uint32_t g = 0; g < STAGES; g++)
        length += snprintf(lr + length, sizeof lr - (size_t)length, "%s%s", g ? "," : "",
                           g < frozen ? "0" : "1e-3");
    STRATA_GO(strata_recipe_open(&r));
    STRATA_GO(strata_recipe_set(r, "model", "resnet18"));
    STRATA_GO(strata_recipe_set(r, "stem", "small"));
    STRATA_GO(strata_recipe_set(r, "groups", "stage"));
    STRATA_GO(strata_recipe_set(r, "batch", batch));
    STRATA_GO(strata_recipe_set(r, "lr", lr));
    STRATA_GO(strata_trainer_open(out, d, r, &(strata_task) { SIDE, SIDE, 3, 10, steps, 0 }));
done:
    strata_recipe_close(r);
    return status;
}

/* One step, to its end. */
static strata_status step(strata_trainer *t, const float *pixels, const int32_t *labels, spent *out)
{
    float loss;
    const spent start = now();
    STRATA_TRY(strata_trainer_step(t, pixels, labels, t->batch, &loss));
    const spent end = now();
    *out = (spent) { end.wall - start.wall, end.cpu - start.cpu };
    return STRATA_OK;
}

static strata_status measure(strata_trainer *whole, strata_trainer *frozen, uint32_t pairs)
{
    strata_status status = STRATA_OK;
    double wall[2][MOST], cpu[2][MOST], by_wall[MOST], by_cpu[MOST];
    const uint32_t n = whole->batch;
    float *pixels = malloc((size_t)n * SIDE * SIDE * 3 * sizeof *pixels);
    int32_t *labels = malloc(n * sizeof *labels);
    if (!pixels || !labels) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a batch"));
    for (size_t i = 0; i < (size_t)n * SIDE * SIDE * 3; i++) pixels[i] = (float)(i % 17) / 17;
    for (uint32_t i = 0; i < n; i++) labels[i] = (int32_t)(i % 10);
    strata_trainer *const both[] = { whole, frozen };
    for (uint32_t i = 0; i < pairs + 1; i++) {
        spent took[2];
        for (uint32_t k = 0; k < 2; k++) {
            const uint32_t which = (k + i) % 2;
            STRATA_GO(step(both[which], pixels, labels, &took[which]));
        }
        if (i == 0) continue; /* it touches memory */
        for (uint32_t k = 0; k < 2; k++) wall[k][i - 1] = took[k].wall, cpu[k][i - 1] = took[k].cpu;
        by_wall[i - 1] = took[0].wall / took[1].wall;
        by_cpu[i - 1] = took[0].cpu / took[1].cpu;
    }
    printf("whole   %8.1f ms, %8.1f ms of all cores\n", 1e3 * median(wall[0], pairs),
           1e3 * median(cpu[0], pairs));
    printf("frozen  %8.1f ms, %8.1f ms of all cores\n", 1e3 * median(wall[1], pairs),
           1e3 * median(cpu[1], pairs));
    printf("ratio   %8.2f by the clock, %.2f by the cores' time (medians of %u pairs; the cores' from %.2f "
           "to %.2f)\n",
           median(by_wall, pairs), median(by_cpu, pairs), (unsigned)pairs, by_cpu[0], by_cpu[pairs - 1]);
done:
    free(pixels);
    free(labels);
    return status;
}

int main(int argc, char **argv)
{
    strata_status status = STRATA_OK;
    strata_device *d = NULL;
    strata_trainer *whole = NULL, *frozen = NULL;
    uint32_t pairs = argc > 1 ? (uint32_t)atoi(argv[1]) : 12, still = argc > 4 ? (uint32_t)atoi(argv[4]) : 3;
    const char *batch = argc > 3 ? argv[3] : "32";
    if (pairs < 1) pairs = 1;
    if (pairs > MOST) pairs = MOST;
    STRATA_GO(strata_device_open(&d, &(strata_device_config) { .name = argc > 2 ? argv[2] : "auto" }));
    STRATA_GO(open_one(&whole, d, batch, 0, pairs + 1));
    STRATA_GO(open_one(&frozen, d, batch, still, pairs + 1));
    printf("%s | resnet18, small stem, %dx%dx3, batch %s, %u of %u stages frozen\n",
           strata_device_caps(d)->name, SIDE, SIDE, batch, (unsigned)still, (unsigned)STAGES);
    STRATA_GO(measure(whole, frozen, pairs));
done:
    if (status != STRATA_OK) fprintf(stderr, "freeze_bench: %s\n", strata_message());
    strata_trainer_close(frozen);
    strata_trainer_close(whole);
    strata_device_close(d);
    return strata_status_exit_code(status);
}

/* A network whose tensors are larger than what a device binds at once, beside itself on the same device with
 * its own limits: losses of a few steps, and how far weights end apart, by tensor, beside how far they moved.
 *
 *   ranges [LIMITS [BATCH SIDE STEPS [DEVICE [KEY=VALUE...]]]]
 *          default: range=134217728 64 224 2 auto; KEY=VALUE of a recipe
 *
 * ResNet-18, imagenet stem, at batch 64 and 224x224: its largest tensor has 196 MiB, lavapipe binds 128 MiB.
 * Two lots of steps with the device's own limits come first, which end with the same bits. Exit code 1 where
 * a tensor ends further off than MOST of its way. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <strata/strata.h>

#include "core/random.h"
#include "model/safetensors.h"

enum { CLASSES = 10, CHANNELS = 3 };

/* What PyTorch's and Strata's gradients of this network may be apart (README, "How results are judged"). Sums
 * of another order part by less, and where only images are bound apart, all bits are the same. */
static const double MOST = 5e-2;

typedef struct lot {
    uint32_t batch, side, steps;
    const char *device;
    char **keys;
    uint32_t n_keys;
    float *pixels; /* [batch, side, side, CHANNELS] */
    int32_t *labels;
} lot;

static strata_status set_recipe(strata_recipe *recipe, const lot *l)
{
    char batch[16];
    snprintf(batch, sizeof batch, "%u", l->batch);
    const char *words[][2] = { { "model", "resnet18" },
                               { "stem", "imagenet" },
                               { "opt", "sgd" },
                               { "lr", "1e-2" },
                               { "batch", batch } };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        STRATA_TRY(strata_recipe_set(recipe, words[i][0], words[i][1]));
    for (uint32_t i = 0; i < l->n_keys; i++) {
        char *equals = strchr(l->keys[i], '=');
        if (!equals) return strata_fail(STRATA_BAD_ARG, "%s: wanted KEY=VALUE", l->keys[i]);
        *equals = 0;
        const strata_status status = strata_recipe_set(recipe, l->keys[i], equals + 1);
        *equals = '=';
        STRATA_TRY(status);
    }
    return STRATA_OK;
}

/* A lot of steps with these limits (NULL: the device's own); weights before and behind them are saved. */
static strata_status train(const lot *l, const char *limits, const char *before, const char *after)
{
    strata_status status = STRATA_OK;
    strata_device *device = NULL;
    strata_recipe *recipe = NULL;
    strata_trainer *trainer = NULL;
    const strata_device_config config = { .name = l->device, .limits = limits };
    const strata_task task = { l->side, l->side, CHANNELS, CLASSES, l->steps, l->steps };
    STRATA_GO(strata_device_open(&device, &config));
    STRATA_GO(strata_recipe_open(&recipe));
    STRATA_GO(set_recipe(recipe, l));
    STRATA_GO(strata_trainer_open(&trainer, device, recipe, &task));
    STRATA_GO(strata_trainer_save(trainer, before));
    const strata_caps *caps = strata_device_caps(device);
    printf("%s, range %llu MiB: %.0f MiB; losses", caps->name, (unsigned long long)(caps->max_range >> 20),
           (double)strata_trainer_memory(trainer) / 1048576);
    for (uint32_t step = 0; step < l->steps; step++) {
        float loss;
        STRATA_GO(strata_trainer_step(trainer, l->pixels, l->labels, l->batch, &loss));
        printf(" %.7f", (double)loss);
        fflush(stdout);
    }
    printf("\n");
    STRATA_GO(strata_trainer_save(trainer, after));
done:
    strata_trainer_close(trainer);
    strata_recipe_close(recipe);
    strata_device_close(device);
    return status;
}

/* The norm of the difference of a tensor of floats in two files. */
static strata_status apart(double *out, strata_safetensors *f[2], const strata_stored *t)
{
    strata_status status = STRATA_OK;
    const uint64_t n = t->n_bytes / sizeof(float);
    float *v[2] = { malloc(t->n_bytes), malloc(t->n_bytes) };
    if (!v[0] || !v[1]) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "%s: no memory", t->name));
    for (int i = 0; i < 2; i++) {
        const strata_stored *same = strata_safetensors_find(f[i], t->name);
        if (!same || same->n_bytes != t->n_bytes)
            STRATA_GO(strata_fail(STRATA_FILE, "%s: not in %s", t->name, f[i]->path));
        STRATA_GO(strata_safetensors_read(f[i], same, v[i]));
    }
    double sum = 0;
    for (uint64_t i = 0; i < n; i++) sum += ((double)v[0][i] - v[1][i]) * ((double)v[0][i] - v[1][i]);
    *out = sqrt(sum);
done:
    free(v[0]);
    free(v[1]);
    return status;
}

/* The tensor whose two ends lie furthest apart for the way it went. */
static strata_status compare(double *worst, const char *before, const char *one, const char *other)
{
    strata_status status = STRATA_OK;
    strata_safetensors *from = NULL, *a = NULL, *b = NULL;
    STRATA_GO(strata_safetensors_open(&from, before));
    STRATA_GO(strata_safetensors_open(&a, one));
    STRATA_GO(strata_safetensors_open(&b, other));
    const char *name = "none";
    *worst = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        double way, off;
        if (a->tensor[i].dtype != STRATA_DTYPE_F32) continue;
        STRATA_GO(apart(&way, (strata_safetensors *[2]) { from, a }, &a->tensor[i]));
        STRATA_GO(apart(&off, (strata_safetensors *[2]) { a, b }, &a->tensor[i]));
        if (off > *worst * way) {
            *worst = way > 0 ? off / way : INFINITY;
            name = a->tensor[i].name;
        }
    }
    printf("furthest apart: %s, %.2g of its way\n", name, *worst);
done:
    strata_safetensors_close(b);
    strata_safetensors_close(a);
    strata_safetensors_close(from);
    return status;
}

static strata_status judge(double *worst, const lot *l, const char *limits, const char *folder)
{
    char path[4][256];
    const char *names[] = { "before", "own", "again", "limited" };
    for (int i = 0; i < 4; i++) snprintf(path[i], sizeof path[i], "%s/%s.safetensors", folder, names[i]);
    double same;
    strata_status status = STRATA_OK;
    STRATA_GO(train(l, NULL, path[0], path[1]));
    STRATA_GO(train(l, NULL, path[0], path[2]));
    STRATA_GO(compare(&same, path[0], path[1], path[2]));
    STRATA_GO(train(l, limits, path[0], path[3]));
    STRATA_GO(compare(worst, path[0], path[1], path[3]));
    if (same != 0) *worst = INFINITY;
done:
    for (int i = 0; i < 4; i++) remove(path[i]);
    return status;
}

int main(int argc, char **argv)
{
    lot l = { .batch = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 64,
              .side = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 224,
              .steps = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 2,
              .device = argc > 5 ? argv[5] : "auto",
              .keys = argv + 6,
              .n_keys = argc > 6 ? (uint32_t)argc - 6 : 0 };
    const size_t floats = (size_t)l.batch * l.side * l.side * CHANNELS;
    char folder[] = "/tmp/ranges-XXXXXX";
    double worst = 0;
    if (argc < 5 && argc > 2) return fprintf(stderr, "ranges: wanted BATCH SIDE STEPS together\n"), 2;
    l.pixels = malloc((floats ? floats : 1) * sizeof *l.pixels);
    l.labels = malloc((l.batch ? l.batch : 1) * sizeof *l.labels);
    if (!l.pixels || !l.labels || !mkdtemp(folder)) return fprintf(stderr, "ranges: no memory or /tmp\n"), 1;
    for (size_t i = 0; i < floats; i++)
        l.pixels[i] = strata_uniform(strata_philox((uint32_t)i, 0, 0, 0, 1, STRATA_RANDOM_ORDER).v[0]) - 0.5f;
    for (uint32_t i = 0; i < l.batch; i++) l.labels[i] = (int32_t)(i % CLASSES);
    const strata_status status = judge(&worst, &l, argc > 1 ? argv[1] : "range=134217728", folder);
    if (status != STRATA_OK) fprintf(stderr, "ranges: %s\n", strata_message());
    rmdir(folder);
    free(l.labels);
    free(l.pixels);
    return status != STRATA_OK ? strata_status_exit_code(status) : worst > MOST;
}

/* A user of the library: trains a model on builtin:digits with the installed header and nothing else, on the
 * device of the first argument, and ends with 0 if it learned something. */
#include <stdio.h>
#include <stdlib.h>

#include <strata/strata.h>

enum { BATCH = 64, PASSES = 4 };

#define CHECK(e)                                                                                             \
    do {                                                                                                     \
        strata_status failure = (e);                                                                         \
        if (failure != STRATA_OK) {                                                                          \
            fprintf(stderr, "%s: %s\n", strata_status_text(failure), strata_message());                      \
            return strata_status_exit_code(failure);                                                         \
        }                                                                                                    \
    } while (0)

int main(int argc, char **argv)
{
    strata_data *data;
    strata_device *device;
    strata_recipe *recipe;
    strata_trainer *trainer;
    CHECK(strata_data_open(&data, "builtin:digits"));
    CHECK(strata_device_open(&device, &(strata_device_config) { .name = argc > 1 ? argv[1] : "auto" }));
    CHECK(strata_recipe_open(&recipe));
    CHECK(strata_recipe_set(recipe, "model", "small-cnn"));
    CHECK(strata_recipe_set(recipe, "lr", "3e-3"));
    const strata_data_info info = strata_data_describe(data);
    const uint32_t per_pass = info.train / BATCH, image = info.h * info.w * info.c;
    const strata_task task = { info.h, info.w, info.c, info.classes, PASSES * (uint64_t)per_pass, per_pass };
    CHECK(strata_trainer_open(&trainer, device, recipe, &task));

    float *pixels = malloc((size_t)info.train * image * sizeof *pixels);
    int32_t *labels = malloc(info.train * sizeof *labels);
    float *logits = malloc((size_t)info.valid * info.classes * sizeof *logits), loss = 0;
    if (!pixels || !labels || !logits) return 1;
    CHECK(strata_data_images(data, 0, 0, info.train, pixels, labels));
    for (uint32_t step = 0; step < PASSES * per_pass; step++) {
        const size_t first = (size_t)(step % per_pass) * BATCH;
        CHECK(strata_trainer_step(trainer, pixels + first * image, labels + first, BATCH, &loss));
    }

    CHECK(strata_data_images(data, 1, 0, info.valid, pixels, labels));
    CHECK(strata_trainer_evaluate(trainer, pixels, labels, info.valid, logits, NULL));
    uint32_t right = 0;
    for (uint32_t i = 0; i < info.valid; i++) {
        const float *row = logits + (size_t)i * info.classes;
        uint32_t best = 0;
        for (uint32_t k = 1; k < info.classes; k++)
            if (row[k] > row[best]) best = k;
        right += best == (uint32_t)labels[i];
    }
    printf("strata %s on %s: loss %.4f, %u of %u right\n", strata_version(), strata_device_caps(device)->name,
           (double)loss, (unsigned)right, (unsigned)info.valid);
    strata_trainer_close(trainer);
    strata_recipe_close(recipe);
    strata_device_close(device);
    strata_data_close(data);
    return right > info.valid * 9 / 10 ? 0 : 1;
}

/* How fast an image folder becomes batches: opened (scanned, decoded, fitted), then one shuffled epoch of 64,
 * scaled to normalised floats. In training the device does the last; PyTorch's DataLoader does it, too.
 *   loader_bench FOLDER SIZE THREADS   prints images, seconds
 * tests/bench/loader.py runs it beside PyTorch's DataLoader. */
#include "data/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 64 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Pixels of 4 lanes, as a batch has them where there is colour. */
static void scale(float *out, const uint8_t *in, size_t n, const strata_data *d)
{
    float value[4][256];
    for (uint32_t c = 0; c < 4; c++)
        for (int v = 0; v < 256; v++) value[c][v] = ((float)v / d->scale - d->mean[c]) / d->std[c];
    for (size_t i = 0; i < n; i++) out[i] = value[i % 4][in[i]];
}

int main(int argc, char **argv)
{
    strata_data *d;
    if (argc != 4) return fprintf(stderr, "loader_bench FOLDER SIZE THREADS\n"), 2;
    const strata_data_config config = { .h = (uint32_t)atoi(argv[2]),
                                        .w = (uint32_t)atoi(argv[2]),
                                        .threads = (uint32_t)atoi(argv[3]),
                                        .valid_fraction = -1,
                                        .cache = STRATA_CACHE_NONE };
    const double began = now();
    if (strata_data_load(&d, argv[1], &config) != STRATA_OK)
        return fprintf(stderr, "%s\n", strata_message()), 1;
    const strata_image_set *set = &d->train;
    const size_t bytes = BATCH * strata_stored_bytes(set->h, set->w, set->c);
    uint8_t *pixels = malloc(bytes);
    float *scaled = malloc(bytes * sizeof *scaled);
    uint32_t *order = malloc(set->n * sizeof *order);
    strata_sample samples[BATCH];
    int32_t labels[BATCH];
    float weights[BATCH];
    if (!pixels || !scaled || !order) return 1;
    const strata_batcher b = { .set = *set, .batch = BATCH };
    strata_order(order, set->n, 1, 0);
    const strata_batch out = { .pixels = pixels, .samples = samples, .labels = labels, .weights = weights };
    for (uint32_t at = 0; at < set->n; at += BATCH) {
        strata_batch_fill(&out, &b, order, at, set->n - at < BATCH ? set->n - at : BATCH);
        scale(scaled, pixels, bytes, d);
    }
    printf("%u %.6f\n", (unsigned)set->n, now() - began);
    free(order);
    free(scaled);
    free(pixels);
    strata_data_close(d);
    return 0;
}

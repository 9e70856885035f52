/* CIFAR-10's binary files: records of one label and 32x32 pixels, each colour a plane of its own. */
#include "core/file.h"
#include "data/source.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, COLOURS = 3, RECORD = 1 + COLOURS * PLANE, BATCHES = 5 };

static const char names[] = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n";

typedef struct batch_file {
    char *path;  /* NULL: the file is missing */
    char *bytes; /* [n] */
    size_t n;
} batch_file;

/* The path of batch `i`: 0 .. 4 for training, 5 for the test batch. */
static strata_status batch_path(char **out, const char *folder, int i)
{
    char name[32];
    if (i == BATCHES)
        snprintf(name, sizeof name, "test_batch.bin");
    else
        snprintf(name, sizeof name, "data_batch_%d.bin", i + 1);
    return strata_path_join(out, folder, name);
}

bool cifar_found(const char *folder)
{
    bool found = false;
    for (int i = 0; i <= BATCHES && !found; i++) {
        char *path = NULL;
        found = batch_path(&path, folder, i) == STRATA_OK && strata_path_exists(path);
        free(path);
    }
    return found;
}

static strata_status read_batch(batch_file *b, const char *folder, int i)
{
    STRATA_TRY(batch_path(&b->path, folder, i));
    if (!strata_path_exists(b->path)) {
        free(b->path);
        b->path = NULL;
        return STRATA_OK;
    }
    STRATA_TRY(strata_file_read(&b->bytes, &b->n, b->path));
    if (b->n > 0 && b->n % RECORD == 0) return STRATA_OK;
    return strata_fail(
        STRATA_FILE,
        "%s: wanted a multiple of %d bytes (a label and 32x32x3 pixels), came %zu, %zu of them left over",
        b->path, RECORD, b->n, b->n % RECORD);
}

/* Unpack one batch behind the `first` images that stand already. */
static strata_status store_batch(strata_data *data, int part, size_t first, const batch_file *b)
{
    for (size_t i = 0; i < b->n / RECORD; i++) {
        const uint8_t *record = (const uint8_t *)b->bytes + i * RECORD;
        uint8_t *pixels = data->owned.pixels[part] + (first + i) * COLOURS * PLANE;
        STRATA_TRY(data_store_labels(data, part, first + i, record, 1, b->path));
        for (int p = 0; p < PLANE; p++)
            for (int c = 0; c < COLOURS; c++) pixels[p * COLOURS + c] = record[1 + c * PLANE + p];
    }
    return STRATA_OK;
}

static strata_status store_part(strata_data *data, int part, const batch_file *batches, int n_batches)
{
    uint64_t n = 0;
    for (int i = 0; i < n_batches; i++) n += batches[i].n / RECORD;
    if (n > INT32_MAX || n * COLOURS * PLANE > DATA_MOST_BYTES)
        return strata_fail(STRATA_FILE, "%llu CIFAR-10 images are too many", (unsigned long long)n);
    const strata_image_set shape = { .n = (uint32_t)n, .h = SIDE, .w = SIDE, .c = COLOURS };
    STRATA_TRY(data_reserve(data, part, &shape));
    size_t first = 0;
    for (int i = 0; i < n_batches; i++) {
        STRATA_TRY(store_batch(data, part, first, &batches[i]));
        first += batches[i].n / RECORD;
    }
    return STRATA_OK;
}

/* Training batches that are not there are said: the set is smaller than its name promises. */
static strata_status tell_missing(strata_data *data, const batch_file *batches, const char *folder)
{
    strata_skipped *skipped = strata_arena_take(&data->owned.arena, BATCHES * sizeof *skipped);
    if (!skipped) return strata_fail(STRATA_NO_MEMORY, "no memory to read %s", folder);
    for (int i = 0; i < BATCHES; i++) {
        char why[64];
        if (batches[i].path) continue;
        snprintf(why, sizeof why, "data_batch_%d.bin is not there", i + 1);
        strata_skipped *s = &skipped[data->n_skipped];
        s->file = strata_arena_text_n(&data->owned.arena, why, strcspn(why, " "));
        s->why = strata_arena_text(&data->owned.arena, why);
        s->files = 1;
        if (!s->file || !s->why) return strata_fail(STRATA_NO_MEMORY, "no memory to read %s", folder);
        data->n_skipped++;
    }
    data->skipped = skipped;
    return STRATA_OK;
}

strata_status cifar_load(strata_data *data, const char *folder)
{
    strata_status status = STRATA_OK;
    batch_file batches[BATCHES + 1] = { 0 };
    bool named, any = false;
    data->scale = 255;
    STRATA_GO(data_read_classes(data, folder, "batches.meta.txt", &named));
    if (!named) STRATA_GO(data_name_classes(data, names, folder));
    for (int i = 0; i <= BATCHES; i++) {
        STRATA_GO(read_batch(&batches[i], folder, i));
        any = any || (i < BATCHES && batches[i].path);
    }
    if (!any)
        STRATA_GO(strata_fail(STRATA_FILE, "%s lacks data_batch_1.bin (any of 1 to 5 will do)", folder));
    if (!batches[BATCHES].path) STRATA_GO(strata_fail(STRATA_FILE, "%s lacks test_batch.bin", folder));
    STRATA_GO(tell_missing(data, batches, folder));
    STRATA_GO(store_part(data, 0, batches, BATCHES));
    STRATA_GO(store_part(data, 1, &batches[BATCHES], 1));
done:
    for (int i = 0; i <= BATCHES; i++) {
        free(batches[i].path);
        free(batches[i].bytes);
    }
    return status;
}

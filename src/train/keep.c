#include "train/keep.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static strata_status no_memory(void) { return strata_fail(STRATA_NO_MEMORY, "no memory for a file's name"); }

static const char *const endings[] = { ".safetensors", ".state.safetensors" };

/* ---- Second names ------------------------------------------------------------------------------ */

/* File systems without links get a copy. */
static strata_status copy(const char *to, const char *from)
{
    char *bytes = NULL;
    size_t n;
    STRATA_TRY(strata_file_read(&bytes, &n, from));
    strata_status status = strata_file_write(to, bytes, n);
    free(bytes);
    return status;
}

strata_status keep_last(const run_folder *f, uint64_t step)
{
    for (int i = 0; i < 2; i++) {
        char last[64], kept[64];
        snprintf(last, sizeof last, "checkpoints/last%s", endings[i]);
        snprintf(kept, sizeof kept, "checkpoints/step-%08" PRIu64 "%s", step, endings[i]);
        char *from = folder_file(f, last), *to = folder_file(f, kept);
        strata_status status = from && to ? STRATA_OK : no_memory();
        /* A name that is there was given by a sitting that was killed after it: last.safetensors may be of a
         * later step by now, the name is not. */
        if (status == STRATA_OK && link(from, to) != 0 && errno != EEXIST) status = copy(to, from);
        free(from);
        free(to);
        STRATA_TRY(status);
    }
    return STRATA_OK;
}

/* ---- What is removed ---------------------------------------------------------------------------- */

/* The step of a kept checkpoint's file, weights or state; false: it is another file. */
static bool is_kept(const char *name, uint64_t *step)
{
    int end = 0;
    if (sscanf(name, "step-%" SCNu64 "%n", step, &end) != 1) return false;
    return strcmp(name + end, endings[0]) == 0 || strcmp(name + end, endings[1]) == 0;
}

static bool is_temporary(const char *name)
{
    const size_t n = strlen(name);
    static const char *const ours[] = { "last.",        "best.",      "step-",
                                        "recipe.yaml.", "run.json.",  "metrics.csv.",
                                        "steps.jsonl.", "rates.csv.", "confusion.csv." };
    if (n < 4 || strcmp(name + n - 4, ".tmp") != 0) return false;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strncmp(name, ours[i], strlen(ours[i])) == 0) return true;
    return false;
}

/* Remove the files of a folder that `unwanted` holds for. */
static void remove_if(const run_folder *f, const char *below,
                      bool (*unwanted)(const char *name, uint64_t limit), uint64_t limit)
{
    char *path = folder_file(f, below);
    DIR *folder = path ? opendir(path) : NULL;
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        char *file = NULL;
        if (!unwanted(entry->d_name, limit) || strata_path_join(&file, path, entry->d_name) != STRATA_OK)
            continue;
        unlink(file);
        free(file);
    }
    if (folder) closedir(folder);
    free(path);
}

static bool older(const char *name, uint64_t limit)
{
    uint64_t step;
    return is_kept(name, &step) && step < limit;
}

static bool temporary(const char *name, uint64_t limit)
{
    (void)limit;
    return is_temporary(name);
}

void keep_sweep(const run_folder *f)
{
    remove_if(f, "", temporary, 0);
    remove_if(f, "checkpoints", temporary, 0);
}

static int descending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

strata_status keep_prune(const run_folder *f, uint32_t most)
{
    char *path = folder_file(f, "checkpoints");
    DIR *folder = path ? opendir(path) : NULL;
    uint64_t *step = NULL, number, last = 0;
    uint32_t n = 0, steps = 0;
    strata_status status = path ? STRATA_OK : no_memory();
    for (const struct dirent *entry; status == STRATA_OK && folder && (entry = readdir(folder));) {
        if (!is_kept(entry->d_name, &number)) continue;
        uint64_t *more = realloc(step, (n + 1) * sizeof *more);
        if (!more) status = no_memory();
        if (more) step = more;
        if (more) step[n++] = number;
    }
    if (folder) closedir(folder);
    if (n) qsort(step, n, sizeof *step, descending);
    for (uint32_t i = 0; i < n && steps < most; i++) {
        steps += !steps || step[i] != last;
        last = step[i];
    }
    if (status == STRATA_OK) remove_if(f, "checkpoints", older, most ? last : UINT64_MAX);
    free(step);
    free(path);
    return status;
}

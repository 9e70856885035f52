/* What the fuzzers share: libFuzzer's entry point, and its bytes as files. One process, one folder. */
#ifndef STRATA_TESTS_FUZZ_H
#define STRATA_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* "FOLDER/name"; the newest four stay valid. */
static inline const char *fuzz_path(const char *name)
{
    static char path[4][256];
    static int next;
    const char *folder = getenv("STRATA_FUZZ_FOLDER"); /* run.sh makes and removes one */
    if (!folder) folder = ".";
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s%s%s", folder, *name ? "/" : "", name);
    return path[next];
}

static inline const char *fuzz_file(const char *name, const void *bytes, size_t n)
{
    const char *path = fuzz_path(name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, n, file) != n || fclose(file) != 0) abort();
    return path;
}

/* Cut a piece off the front: two bytes say how long it is. What is left stays in *bytes, *n. */
static inline size_t fuzz_cut(const uint8_t **piece, const uint8_t **bytes, size_t *n)
{
    size_t length = *n < 2 ? 0 : (size_t)((*bytes)[0] | (*bytes)[1] << 8);
    const size_t head = *n < 2 ? *n : 2;
    if (length > *n - head) length = *n - head;
    *piece = *bytes + head;
    *bytes += head + length;
    *n -= head + length;
    return length;
}

#endif

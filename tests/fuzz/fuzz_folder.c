/* A folder of pictures: a line each for a file's path below it, and in front of that how it is read and
 * whether the picture in it is a good one. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "core/file.h"
#include "fuzz.h"
#include "strata/data.h"

#include <ftw.h>

enum { MOST = 12, ROOM = 100 };

static int remove_one(const char *path, const struct stat *info, int what, struct FTW *where)
{
    (void)info;
    (void)what;
    (void)where;
    return remove(path);
}

/* Make the file and the folders above it, unless the path leads out of the set's folder. */
static void make(const char *path, bool good)
{
    static const char picture[] = "P5 2 2 255\n1234";
    char *whole, *folder;
    if (*path == '/' || strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0 || strstr(path, "/.."))
        return;
    if (strata_path_join(&whole, fuzz_path("set"), path) != STRATA_OK) return;
    folder = strdup(whole);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash) *slash = '\0';
    if (slash && strata_folder_make(folder) == STRATA_OK) /* a file may stand in the way of either */
        strata_file_put(whole, picture, good ? sizeof picture - 1 : 9);
    free(folder);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    strata_data *data = NULL;
    strata_data_config config = { .threads = 1, .cache = STRATA_CACHE_NONE };
    nftw(fuzz_path("set"), remove_one, 8, FTW_DEPTH | FTW_PHYS);
    strata_folder_make(fuzz_path("set"));
    if (n) {
        config.valid_fraction = bytes[0] % 3 - 1;
        config.h = bytes[0] / 3 % 4;
        config.w = bytes[0] / 12 % 4;
    }
    for (int i = 0; i < MOST && n > 1; i++) {
        char path[ROOM];
        const uint8_t *end = memchr(bytes + 1, '\n', n - 1);
        const size_t length = end ? (size_t)(end - bytes) : n;
        snprintf(path, sizeof path, "%.*s", (int)length - 1, (const char *)bytes + 1);
        make(path, bytes[0] % 4 != 0);
        bytes += length + (end != NULL);
        n -= length + (end != NULL);
    }
    if (strata_data_load(&data, fuzz_path("set"), &config) == STRATA_OK) {
        strata_data_report report;
        if (strata_data_look(&report, data) == STRATA_OK) strata_data_report_free(&report);
    }
    strata_data_close(data);
    return 0;
}

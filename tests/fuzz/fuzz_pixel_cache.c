/* A cache of pixels: its header, the failures that it tells of and the pixels, for a list of three pictures.
 * A random file would end at its checksum: that, the version and the key are made to fit. */
#include "core/file.h"
#include "data/data.h"
#include "data/pixel_cache.h"
#include "fuzz.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { KEY_AT = 16, HASH_AT = 24, PAGE = 4096, MOST = 4 * PAGE, KEY = 7 };

/* The header is cut off the front; what follows it stands behind its page: pixels, then failures. */
static void put_file(const uint8_t *bytes, size_t n)
{
    static uint8_t file[MOST];
    const uint8_t *head;
    const uint64_t key = KEY;
    size_t length = fuzz_cut(&head, &bytes, &n);
    if (length > PAGE) length = PAGE;
    if (n > MOST - PAGE) n = MOST - PAGE;
    memset(file, 0, PAGE);
    if (length) memcpy(file, head, length);
    if (n) memcpy(file + PAGE, bytes, n);
    memcpy(file, "strata pixels 3", KEY_AT);
    memcpy(file + KEY_AT, &key, sizeof key);
    const uint64_t hash = XXH64(file + PAGE, n, 0);
    memcpy(file + HASH_AT, &hash, sizeof hash);
    fuzz_file("strata/pixels-0000000000000007", file, PAGE + n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static bool homed;
    static volatile uint8_t sum; /* every pixel is looked at */
    image_file files[3] = { { .name = "a", .seen = true }, { .name = "b", .seen = true }, { .name = "c" } };
    image_list list = { .folder = "fuzz", .file = files, .n = 3 };
    const strata_image_set shape = { .h = 4, .w = 3, .c = 1 };
    strata_data data = { 0 };
    bool found;
    if (!homed) {
        char folder[256];
        if (setenv("XDG_CACHE_HOME", fuzz_path(""), 1) != 0) abort();
        if (strata_cache_folder(folder, sizeof folder) != STRATA_OK) abort(); /* makes it */
        homed = true;
    }
    put_file(bytes, n);
    if (pixel_cache_open(&found, &data, &list, KEY, &shape) == STRATA_OK && found)
        for (int part = 0; part < 2; part++) {
            const strata_image_set *set = part ? &data.valid : &data.train;
            for (uint64_t i = 0; i < (uint64_t)set->n * set->h * set->w * set->c; i++)
                sum = (uint8_t)(sum + set->pixels[i]);
        }
    for (int i = 0; i < 3; i++)
        if (files[i].why) sum = (uint8_t)(sum + strlen(files[i].why));
    pixel_cache_close(&data);
    strata_arena_free(&list.arena);
    return 0;
}

/* Damaged copies of a good file, for tests of readers that survive them. Include cmocka.h first. */
#ifndef STRATA_TESTS_DAMAGE_H
#define STRATA_TESTS_DAMAGE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/random.h"

/* A byte in the place of one that was `old`, made of two random words. */
typedef char damage_byte(char old, uint32_t x, uint32_t y);

/* Write copies of `good` to `path` and call `look` on each: up to 4 bytes are other ones, and of one in `cut`
 * copies the end is missing. As many as STRATA_FUZZ_ROUNDS says, else 400. `good` may be `path`. */
static inline void damage_each(const char *good, const char *path, uint32_t cut, damage_byte *other,
                               void (*look)(void))
{
    char *whole, *bad;
    size_t n;
    const char *rounds = getenv("STRATA_FUZZ_ROUNDS");
    if (strata_file_read(&whole, &n, good) != STRATA_OK) fail_msg("%s", strata_message());
    bad = malloc(n);
    assert_non_null(bad);
    for (uint32_t round = 0, end = rounds ? (uint32_t)atoi(rounds) : 400; round < end; round++) {
        const strata_random4 r = strata_philox(round, 0, 0, 0, 1, STRATA_RANDOM_TEST);
        const size_t length = r.v[0] % cut ? n : r.v[1] % n;
        memcpy(bad, whole, n);
        for (uint32_t k = 0; k < 1 + r.v[0] / cut % 4; k++) {
            const strata_random4 q = strata_philox(round, k, 1, 0, 1, STRATA_RANDOM_TEST);
            bad[q.v[0] % n] = other(bad[q.v[0] % n], q.v[1], q.v[2]);
        }
        FILE *file = fopen(path, "wb"); /* plain: an atomic write waits for the disk */
        assert_non_null(file);
        assert_int_equal(fwrite(bad, 1, length, file), length);
        fclose(file);
        look();
    }
    free(whole);
    free(bad);
}

#endif

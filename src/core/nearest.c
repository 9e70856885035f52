#include "core/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { LONGEST = 64 }; /* characters; longer words are never taken for typos */

static bool same(char a, char b) { return tolower((unsigned char)a) == tolower((unsigned char)b); }

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Optimal string alignment distance of two words of at most LONGEST characters. */
static uint32_t distance(const char *a, uint32_t n, const char *b, uint32_t m)
{
    uint32_t rows[3][LONGEST + 1]; /* the row two above, the one above, this one */
    uint32_t *above2 = rows[0], *above = rows[1], *row = rows[2];
    for (uint32_t j = 0; j <= m; j++) above[j] = above2[j] = j;
    for (uint32_t i = 1; i <= n; i++) {
        row[0] = i;
        for (uint32_t j = 1; j <= m; j++) {
            row[j] = least(above[j - 1] + !same(a[i - 1], b[j - 1]), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = least(row[j], above2[j - 2] + 1);
        }
        uint32_t *spare = above2;
        above2 = above;
        above = row;
        row = spare;
    }
    return above[m];
}

const char *strata_nearest(const char *wanted, const char *const *names, uint32_t n)
{
    size_t length = strlen(wanted);
    if (length > LONGEST) return NULL;
    uint32_t best = (uint32_t)(length + 2) / 3 + 1;
    const char *nearest = NULL;
    for (uint32_t i = 0; i < n; i++) {
        size_t other = strlen(names[i]);
        if (other > LONGEST) continue;
        uint32_t d = distance(wanted, (uint32_t)length, names[i], (uint32_t)other);
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}

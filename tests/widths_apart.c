#define _POSIX_C_SOURCE 200112L /* setenv */
/* In every test and measuring program. From Mesa 25 on compiled texel loads lie on disk without the width of
 * vectors that they are for, and who takes them at another width crashes. The program strata keeps what it
 * widens apart (src/cli/main.c); here each width has its folder, and Mesa's own width, too. */
#include <stdio.h>
#include <stdlib.h>

#include "core/file.h"

__attribute__((constructor)) static void keep_widths_apart(void)
{
    const char *width = getenv("LP_NATIVE_VECTOR_WIDTH");
    char cache[1024], path[1100], bits[24] = "own";
    if (getenv("MESA_SHADER_CACHE_DIR") || strata_cache_folder(cache, sizeof cache) != STRATA_OK) return;
    if (width) snprintf(bits, sizeof bits, "%ld", strtol(width, NULL, 10));
    snprintf(path, sizeof path, "%s/mesa-%s", cache, bits);
    if (strata_folder_make(path) == STRATA_OK) setenv("MESA_SHADER_CACHE_DIR", path, 0);
}

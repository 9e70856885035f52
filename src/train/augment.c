#include "train/augment.h"

#include <string.h>

/* Pixels around an image: an eighth of the shorter side; 4 of 32, as usual for CIFAR-10 (He and others 2015).
 * */
static uint32_t padding(const strata_augment *a)
{
    const uint32_t side = a->h < a->w ? a->h : a->w;
    return side < 8 ? 1 : side / 8;
}

strata_status augment_read(strata_augment *a, const char *text)
{
    a->what = 0;
    a->pad = padding(a);
    for (const char *word = text;;) {
        const size_t length = strcspn(word, ",");
        if (length == 4 && strncmp(word, "flip", 4) == 0)
            a->what |= STRATA_AUGMENT_FLIP;
        else if (length == 4 && strncmp(word, "crop", 4) == 0)
            a->what |= STRATA_AUGMENT_CROP;
        else if (*text && strcmp(text, "none") != 0)
            return strata_fail(STRATA_BAD_ARG, "--augment \"%s\": wanted none, flip, crop or flip,crop",
                               text);
        if (!word[length]) return STRATA_OK;
        word += length + 1;
    }
}

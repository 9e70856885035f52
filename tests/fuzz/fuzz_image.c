/* A picture: its head alone, then whole, fitted as training does. */
#include "data/picture.h"
#include "fuzz.h"

/* Larger ones only cost time; and a strip is scaled as a whole before it is cropped, which takes the
 * sanitizers half a minute where it is thousands of times as long as wide. */
enum { MOST = 1 << 18, SIDE = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static uint8_t fitted[24 * 16 * 3];
    static const strata_fit fits[] = { STRATA_FIT_STRETCH, STRATA_FIT_CROP, STRATA_FIT_PAD };
    strata_picture look = { 0 }, picture = { 0 };
    if (strata_picture_look(&look, bytes, n, "fuzz") != STRATA_OK) return 0;
    if ((uint64_t)look.h * look.w > MOST || look.h > SIDE || look.w > SIDE) return 0;
    if (strata_picture_decode(&picture, bytes, n, "fuzz") != STRATA_OK) return 0;
    for (uint32_t i = 0; i < sizeof fits / sizeof *fits; i++) {
        const strata_picture_style style = { .fit = fits[i] };
        strata_picture_fit_as(fitted, (const uint32_t[]) { 24, 16, i ? 3 : 1 }, &picture, &style);
    }
    strata_picture_free(&picture);
    return 0;
}

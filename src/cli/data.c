/* strata data info, cache, show: what is in a data set, its pixels kept, and what a network sees of them. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/commands.h"
#include "strata/train.h"
#include "cli/terminal.h"

#define KEYS                                                                                                 \
    "labels size stored-size channels fit filter background max-pixels valid-fraction valid-by "             \
    "data-threads augment "                                                                                  \
    "seed"

/* ---- Info ------------------------------------------------------------------------------------- */

static void name_of(char *out, size_t room, const char *file, uint32_t number)
{
    if (file)
        snprintf(out, room, "%s", file);
    else
        snprintf(out, room, "image %u", (unsigned)number);
}

/* Labels of an image, in the mean. */
static double each(const uint32_t *count, uint32_t classes, uint32_t images)
{
    double sum = 0;
    for (uint32_t k = 0; k < classes; k++) sum += count[k];
    return images ? sum / images : 0;
}

static void show(const strata_data_info *d, const strata_data_report *r)
{
    printf("%s%-24s %8s %8s%s\n", cli_style_begin(stdout, CLI_BOLD), "class", "train", "valid",
           cli_style_end(stdout));
    for (uint32_t k = 0; k < d->classes; k++)
        printf("%-24s %8u %8u\n", d->class_names[k], (unsigned)r->class_train[k],
               (unsigned)r->class_valid[k]);
    printf("images    %u train, %u valid, %u %s, %ux%ux%u, fingerprint %016" PRIx64 "\n", (unsigned)d->train,
           (unsigned)d->valid, (unsigned)d->classes, strata_noun(d->classes, "class", "classes"),
           (unsigned)d->h, (unsigned)d->w, (unsigned)d->c, d->fingerprint);
    if (d->multi_label)
        printf("labels    %.2f an image of train, %.2f of valid\n",
               each(r->class_train, d->classes, d->train), each(r->class_valid, d->classes, d->valid));
    printf("pictures  %u to %u high, %u to %u wide\n", (unsigned)r->h_least, (unsigned)r->h_most,
           (unsigned)r->w_least, (unsigned)r->w_most);
    for (int i = 0; i < 2; i++) {
        printf("%s", i ? "  std" : "mean     ");
        for (uint32_t c = 0; c < d->c; c++) printf(" %.4f", (double)(i ? r->std : r->mean)[c]);
    }
    printf("\npixels    %s\n", d->cache ? d->cache : "decoded now; strata data cache keeps them");
    printf("in both   %u %s in valid, too; %u %s another of train\n", (unsigned)r->n_duplicates,
           strata_noun(r->n_duplicates, "content of train is", "contents of train are"), (unsigned)r->repeats,
           strata_noun(r->repeats, "image repeats", "images repeat"));
    for (uint32_t i = 0; i < r->n_duplicates; i++) {
        char train[1024], valid[1024];
        name_of(train, sizeof train, r->duplicate[i].train_file, r->duplicate[i].train);
        name_of(valid, sizeof valid, r->duplicate[i].valid_file, r->duplicate[i].valid);
        printf("          %s = %s\n", train, valid);
    }
    printf("skipped   %u\n", (unsigned)d->n_skipped);
    for (uint32_t i = 0; i < d->n_skipped; i++) printf("          %s\n", d->skipped[i].why);
}

static void number(const char *key, double v, bool first)
{
    cli_json_key(key, first);
    cli_json_number(v);
}

static void numbers(const char *key, const float *v, uint32_t n)
{
    cli_json_key(key, false);
    for (uint32_t i = 0; i < n; i++) {
        printf(i ? ", " : "[");
        cli_json_number((double)v[i]);
    }
    printf("]");
}

static void text(const char *key, const char *s, bool first)
{
    cli_json_key(key, first);
    if (s)
        cli_json_text(s);
    else
        printf("null");
}

static void show_json(const strata_data_info *d, const strata_data_report *r)
{
    char print[24];
    snprintf(print, sizeof print, "%016" PRIx64, d->fingerprint);
    printf("{");
    text("name", d->name, true);
    text("fingerprint", print, false);
    number("train", d->train, false);
    number("valid", d->valid, false);
    cli_json_key("multi_label", false);
    printf(d->multi_label ? "true" : "false");
    cli_json_key("image", false);
    printf("[%u, %u, %u]", (unsigned)d->h, (unsigned)d->w, (unsigned)d->c);
    cli_json_key("pictures", false);
    printf("{");
    number("least_height", r->h_least, true);
    number("most_height", r->h_most, false);
    number("least_width", r->w_least, false);
    number("most_width", r->w_most, false);
    printf("}");
    numbers("mean", r->mean, d->c);
    numbers("std", r->std, d->c);
    text("cache", d->cache, false);
    number("repeats", r->repeats, false);
    cli_json_key("classes", false);
    for (uint32_t k = 0; k < d->classes; k++) {
        printf(k ? ", {" : "[{");
        text("name", d->class_names[k], true);
        number("train", r->class_train[k], false);
        number("valid", r->class_valid[k], false);
        printf("}");
    }
    printf("]");
    cli_json_key("duplicates", false);
    printf("[");
    for (uint32_t i = 0; i < r->n_duplicates; i++) {
        printf(i ? ", {" : "{");
        number("train", r->duplicate[i].train, true);
        number("valid", r->duplicate[i].valid, false);
        text("train_file", r->duplicate[i].train_file, false);
        text("valid_file", r->duplicate[i].valid_file, false);
        printf("}");
    }
    printf("]");
    cli_json_key("skipped", false);
    printf("[");
    for (uint32_t i = 0; i < d->n_skipped; i++) {
        printf(i ? ", {" : "{");
        text("file", d->skipped[i].file, true);
        text("why", d->skipped[i].why, false);
        number("files", d->skipped[i].files, false);
        printf("}");
    }
    printf("]}\n");
}

static strata_status run_info(cli_arguments *a)
{
    strata_data *data = NULL;
    strata_data_report report = { 0 };
    STRATA_TRY(cli_check_output());
    STRATA_TRY(strata_recipe_data(&data, a->word[0], a->recipe, STRATA_CACHE_READ));
    strata_status status = strata_data_look(&report, data);
    const strata_data_info info = strata_data_describe(data);
    if (status == STRATA_OK) (cli_option_given(a, "json") ? show_json : show)(&info, &report);
    strata_data_report_free(&report);
    strata_data_close(data);
    return status;
}

static const cli_option info_options[] = {
    { 0, "json", NULL, "one JSON object" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_data_info = {
    .name = "data info",
    .summary = "what is in a data set: classes, sizes, duplicates, what cannot be read",
    .synopsis = "DATA [--KEY VALUE ...]",
    .examples = "strata data info photos --size 64\n"
                "strata data info builtin:digits --json",
    .text = "Prints the images of each class, the sizes of the pictures, mean and standard deviation of the "
            "training part, contents that are in both parts, and what was left out and why. Keys are those "
            "that training takes.",
    .options = info_options,
    .keys = KEYS,
    .least = 1,
    .most = 1,
    .run = run_info,
};

/* ---- Cache ------------------------------------------------------------------------------------ */

static strata_status run_cache(cli_arguments *a)
{
    strata_data *data = NULL;
    STRATA_TRY(strata_recipe_data(&data, a->word[0], a->recipe, STRATA_CACHE_WRITE));
    const strata_data_info info = strata_data_describe(data);
    for (uint32_t i = 0; i < info.n_skipped; i++) cli_note("skip   %s", info.skipped[i].why);
    if (info.cache)
        printf("%s: %u %s of %ux%ux%u, %s\n", info.cache, (unsigned)(info.train + info.valid),
               strata_noun(info.train + info.valid, "image", "images"), (unsigned)info.h, (unsigned)info.w,
               (unsigned)info.c,
               cli_bytes((unsigned long long)(info.train + info.valid) * info.h * info.w * info.c).s);
    else
        cli_note("%s is in memory as it is: only pictures are kept in the cache", info.name);
    strata_data_close(data);
    return STRATA_OK;
}

const cli_command cli_data_cache = {
    .name = "data cache",
    .summary = "decode an image folder once and keep its pixels for every later run",
    .synopsis = "DATA [--KEY VALUE ...]",
    .examples = "strata data cache photos --size 64",
    .text =
        "Writes the pixels to a file under XDG_CACHE_HOME, where training, evaluation and data info find it "
        "and map it into memory. It is for these contents at this size: a file that changes, comes or "
        "goes, or another size, fit, filter or background makes another. Training with --augment resized or "
        "imagenet keeps larger pixels: say so here, too. Prints the file's name; to remove it is safe. A "
        "set that is too large for memory gets its file without being asked for it.",
    .options = info_options + 1,
    .keys = KEYS,
    .least = 1,
    .most = 1,
    .run = run_cache,
};

/* ---- Show ------------------------------------------------------------------------------------- */

static strata_status run_show(cli_arguments *a)
{
    const char *out;
    uint32_t images;
    STRATA_TRY(cli_number(&images, a, "images", 64, 1024));
    STRATA_TRY(cli_picture_path(&out, a, "out"));
    if (!out) return cli_fail(STRATA_BAD_ARG, "strata data show wants --out FILE.png");
    STRATA_TRY(strata_recipe_show(a->word[0], a->recipe, out, images));
    cli_note("%s", out);
    return STRATA_OK;
}

static const cli_option show_options[] = {
    { 0, "out", "FILE.png", "the picture to write" },
    { 0, "images", "N", "how many [64]" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_data_show = {
    .name = "data show",
    .summary = "a picture of what a network will see: the first images of a run, after augmentation",
    .synopsis = "DATA --out FILE.png [--KEY VALUE ...]",
    .examples = "strata data show photos --size 64 --out grid.png",
    .text =
        "Draws the images in the order of the run's first epoch, as they are when they are augmented. Keys "
        "are those that training takes.",
    .options = show_options,
    .keys = KEYS " order sample class-weights normalize",
    .least = 1,
    .most = 1,
    .run = run_show,
};

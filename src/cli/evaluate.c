#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/commands.h"
#include "strata/train.h"
#include "cli/terminal.h"

static void tell(void *context, const strata_event *e)
{
    (void)context;
    if (e->kind == STRATA_EVENT_NOTE) cli_note("%s", e->text);
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static void number(const char *key, double v, bool first)
{
    cli_json_key(key, first);
    cli_json_number(v);
}

static void average(const char *key, const strata_average *a)
{
    cli_json_key(key, false);
    printf("{");
    number("precision", a->precision, true);
    number("recall", a->recall, false);
    number("f_beta", a->f_beta, false);
    printf("}");
}

static void class_json(const strata_class_score *c)
{
    printf("{");
    cli_json_key("name", true);
    cli_json_text(c->name);
    number("images", (double)c->labelled, false);
    number("predicted", (double)c->predicted, false);
    number("right", (double)c->right, false);
    number("precision", c->precision, false);
    number("recall", c->recall, false);
    number("f_beta", c->f_beta, false);
    number("average_precision", c->average_precision, false);
    printf("}");
}

static void print_json(const strata_score *s, bool per_class)
{
    static const char *const parts[] = { "own", "drawn-as-in-training", "drawn-otherwise", "drawn" };
    printf("{\"images\": %" PRIu64, s->images);
    cli_json_key("part", false);
    cli_json_text(parts[s->part]);
    cli_json_key("part_text", false);
    cli_json_text(s->part_text);
    number("loss", s->loss, false);
    number("top1", s->top1, false);
    number("top5", s->top5, false);
    if (s->sets) number("threshold", s->threshold, false);
    number("beta", s->beta, false);
    average("macro", &s->macro);
    average("micro", &s->micro);
    number("samples_f_beta", s->samples_f_beta, false);
    number("mean_average_precision", s->mean_average_precision, false);
    if (per_class) cli_json_key("classes", false);
    for (uint32_t k = 0; per_class && k < s->classes; k++) {
        printf(k ? ", " : "[");
        class_json(&s->of_class[k]);
    }
    printf(per_class ? "]}\n" : "}\n");
}

/* ---- Text --------------------------------------------------------------------------------------- */

static void print(const strata_score *s)
{
    const double n = (double)s->images;
    printf("images  %" PRIu64
           "\npart    %s\nloss    %.6f\ntop1    %.2f %% (%.0f right)\ntop5    %.2f %% (%.0f right)\n",
           s->images, s->part_text, isnan(s->loss) ? NAN : s->loss /* without a sign */, 100 * s->top1,
           round(s->top1 * n), 100 * s->top5, round(s->top5 * n));
    printf("F%-7gmacro %.2f %%, micro %.2f %%, samples %.2f %%", s->beta, 100 * s->macro.f_beta,
           100 * s->micro.f_beta, 100 * s->samples_f_beta);
    if (s->sets) printf(" (above %g)", s->threshold);
    printf("\nmAP     %.2f %%\n", 100 * s->mean_average_precision);
}

static void share(double v) { printf("  %9s", cli_share(v).s); }

static void print_classes(const strata_score *s)
{
    printf("\n%s%-24s %8s %9s %8s  %9s  %9s  %8s%-g  %9s%s\n", cli_style_begin(stdout, CLI_BOLD), "class",
           "images", "predicted", "right", "precision", "recall", "F", s->beta, "AP", cli_style_end(stdout));
    for (uint32_t k = 0; k < s->classes; k++) {
        const strata_class_score *c = &s->of_class[k];
        printf("%-24s %8" PRIu64 " %9" PRIu64 " %8" PRIu64, c->name, c->labelled, c->predicted, c->right);
        share(c->precision);
        share(c->recall);
        share(c->f_beta);
        share(c->average_precision);
        printf("\n");
    }
}

/* ---- The command ---------------------------------------------------------------------------------- */

static strata_status run(cli_arguments *a)
{
    strata_score score;
    const char *confusion = cli_option_given(a, "confusion");
    const bool quiet = cli_option_given(a, "quiet") != NULL,
               classes = cli_option_given(a, "per-class") != NULL;
    const strata_observer observer = { .event = quiet ? NULL : tell };
    const strata_evaluate_config config = { .recipe = a->recipe,
                                            .observer = &observer,
                                            .confusion = confusion };
    STRATA_TRY(cli_check_output());
    STRATA_TRY(strata_evaluate(&score, a->word[0], a->n_words > 1 ? a->word[1] : NULL, &config));
    strata_status status = confusion ? strata_score_confusion(&score, confusion) : STRATA_OK;
    if (cli_option_given(a, "json")) {
        print_json(&score, classes);
    } else {
        print(&score);
        if (classes) print_classes(&score);
    }
    if (status == STRATA_OK && !isfinite(score.loss))
        status = cli_fail(STRATA_NOT_FINITE,
                          "the loss is not finite: what %s says of at least one image is no number",
                          a->word[0]);
    strata_score_free(&score);
    return status;
}

static const cli_option options[] = {
    { 0, "json", NULL, "as JSON, with every digit" },
    { 0, "per-class", NULL, "counts, precision, recall, F-beta and average precision of every class, too" },
    { 0, "confusion", "FILE.csv", "write which class was taken for which: a row for each label" },
    { 'q', "quiet", NULL, "no notes" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_evaluate = {
    .name = "evaluate",
    .summary = "measure trained weights on a data set's validation part",
    .synopsis = "RUN|WEIGHTS.safetensors [DATA] [--per-class] [--confusion FILE.csv] [--json]",
    .examples =
        "strata evaluate runs/NAME\nstrata evaluate best.safetensors /usr/share/datasets/fashion-mnist\n"
        "strata evaluate runs/NAME --threshold 0.2 --beta 2 --per-class",
    .text =
        "Takes a run's best weights (its last ones where it was not validated), or a weights file, and "
        "prints what they are worth on the validation part of DATA, or of what the run trained on: mean "
        "loss, of a run's own data as metrics.csv has it (with the label smoothing that run or file "
        "recorded, without --class-weights; --label-smoothing 0 is plain cross-entropy); share of images "
        "with a label of theirs among the likeliest 1 and 5 classes; F-beta as the mean over classes "
        "(macro), of all counts together (micro) and averaged over images (samples: with --threshold 0.2 "
        "--beta 2 fastai v1's fbeta); mean average precision. With the loss sigmoid every class above "
        "--threshold counts as predicted, else the likeliest alone. Classes without images and predictions "
        "are left out of means. Every image counts exactly once, whatever the batch. Where no folder and no "
        "column has a part for validation, it is drawn as in training if the run or the file says how (one "
        "written by an earlier strata may not): `part` tells which images were scored, and if some may have "
        "been trained on. Where the run's own data is not what it was a note says so. Keys of the recipe "
        "that are given win over those that the run or the file recorded.",
    .options = options,
    .keys = "labels stored-size normalize fit filter background max-pixels valid-fraction valid-by "
            "data-threads seed "
            "model stem head loss label-smoothing groups threshold beta batch device variants exact "
            "shader-dir limits validate",
    .least = 1,
    .most = 2,
    .run = run,
};

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "strata/lr_find.h"
#include "cli/terminal.h"

typedef struct report {
    cli_output csv; /* closed: none is wanted */
    bool began;
} report;

static void number(double v)
{
    if (isnan(v))
        printf("  %10s", "-");
    else
        printf("  %10.3g", v);
}

static void show(void *context, const strata_lr_curve *c)
{
    report *r = context;
    const char *group = c->group ? c->group : "all groups";
    if (!r->began)
        printf("%s%-20s  %10s  %10s  %10s  %10s  %s%s\n", cli_style_begin(stdout, CLI_BOLD), "swept",
               "valley", "slide", "minimum", "steep", "ended by", cli_style_end(stdout));
    if (!r->began) cli_print(&r->csv, "swept,lr,loss,smoothed\n");
    r->began = true;
    printf("%-20s", group);
    number(c->valley);
    number(c->slide);
    number(c->minimum);
    number(c->steep);
    printf("  %s", c->end);
    if (c->n) printf(" after %u %s", (unsigned)c->n, strata_noun(c->n, "step", "steps"));
    printf("\n");
    fflush(stdout);
    for (uint32_t i = 0; i < c->n; i++)
        cli_print(&r->csv, "%s,%.17g,%.17g,%.17g\n", group, c->lr[i], c->loss[i], c->smoothed[i]);
}

static strata_status rate(double *out, const cli_arguments *a, const char *key)
{
    const char *text = cli_option_given(a, key);
    char *end = NULL;
    if (!text) return STRATA_OK;
    *out = strtod(text, &end);
    if (end != text && !*end && *out > 0 && isfinite(*out)) return STRATA_OK;
    return cli_fail(STRATA_BAD_ARG, "--%s wants a rate above 0, got '%s'", key, text);
}

static strata_status run(cli_arguments *a)
{
    const char *path = cli_option_given(a, "csv");
    report r = { 0 };
    strata_lr_find_config config = { .per_group = cli_option_given(a, "per-group") != NULL,
                                     .to_the_end = cli_option_given(a, "to-the-end") != NULL };
    STRATA_TRY(cli_check_output());
    STRATA_TRY(rate(&config.low, a, "low"));
    STRATA_TRY(rate(&config.high, a, "high"));
    STRATA_TRY(cli_number(&config.steps, a, "points", 100, 1000000));
    STRATA_TRY(cli_picture_path(&config.picture, a, "plot"));
    if (a->n_words) STRATA_TRY(strata_recipe_set(a->recipe, "data", a->word[0]));
    if (!*strata_recipe_get(a->recipe, "data"))
        return cli_fail(STRATA_BAD_ARG, "strata lr-find wants DATA: builtin:digits, or a folder");
    if (path) STRATA_TRY(cli_output_begin(&r.csv, path));
    config.note = cli_note_lines;
    config.interrupt = cli_interrupt_begin();
    return cli_output_end(&r.csv, strata_lr_find(a->recipe, &config, show, &r));
}

static const cli_option options[] = {
    { 0, "recipe", "FILE", "take keys from a YAML file first, such as a run's recipe.yaml" },
    { 0, "per-group", NULL, "one more sweep for each group, the others standing still" },
    { 0, "low", "X", "the first rate [1e-7]" },
    { 0, "high", "X", "the rate that the sweep goes to [10]" },
    { 0, "points", "N", "steps of a sweep, at least 20 [100]" },
    { 0, "to-the-end", NULL, "go on where the loss has risen to 4 times its best" },
    { 0, "csv", "FILE", "write swept,lr,loss,smoothed for every step, when all sweeps are done" },
    { 0, "plot", "FILE.png", "draw the loss against the rate, with what is suggested" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_lr_find = {
    .name = "lr-find",
    .summary = "train for some steps at ever larger rates, and suggest one",
    .synopsis = "DATA | --recipe FILE [--per-group] [--KEY VALUE ...]",
    .examples =
        "strata lr-find builtin:digits\nstrata lr-find DATA --model resnet18 --per-group --plot find.png",
    .text =
        "Raises the learning rate exponentially, all groups at the ratios of --lr, and looks where the "
        "smoothed loss falls: valley (the middle of the longest fall; the one to take), slide, minimum (a "
        "tenth of the lowest point's rate) and steep, as fastai has them; - where the curve says nothing. "
        "With --per-group each group is swept alone too, unless its --lr is 0. Every sweep begins with "
        "the same weights, images and random numbers.",
    .options = options,
    .keys = "labels size stored-size channels fit filter background max-pixels valid-fraction valid-by "
            "data-threads "
            "normalize augment order sample class-weights model stem head groups loss label-smoothing init "
            "init-head opt "
            "lr momentum nesterov betas eps weight-decay no-decay decay-by norm-rate bias-rate norm-decay "
            "bias-decay trust trust-clip trust-all clip-norm frozen-stats batch micro-batch precision "
            "recompute seed device variants tune exact no-fuse shader-dir limits validate",
    .most = 1,
    .run = run,
};

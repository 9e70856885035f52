/* A recipe for weights of another task, written out and then trained as any other. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/terminal.h"

typedef struct plan {
    double lr, freeze_epochs, lr_mult, pct, div;
} plan;

static strata_status number(double *out, const cli_arguments *a, const char *key, double low, double high)
{
    const char *text = cli_option_given(a, key);
    char *end = NULL;
    if (!text) return STRATA_OK;
    *out = strtod(text, &end);
    if (end != text && !*end && *out >= low && *out <= high) return STRATA_OK;
    return cli_fail(STRATA_BAD_ARG, "--%s wants a number in [%g, %g], got '%s'", key, low, high, text);
}

static strata_status read_plan(plan *p, const cli_arguments *a)
{
    const char *lr = strata_recipe_get(a->recipe, "lr");
    char *end = NULL;
    *p = (plan) { .lr = 2e-3, .freeze_epochs = 1, .lr_mult = 100, .pct = 0.3, .div = 5 };
    if (*lr) p->lr = strtod(lr, &end);
    if (*lr && (end == lr || *end || !(p->lr > 0) || isinf(p->lr)))
        return cli_fail(STRATA_BAD_ARG,
                        "finetune divides --lr among the groups itself: one rate above 0, got '%s'", lr);
    STRATA_TRY(number(&p->freeze_epochs, a, "freeze-epochs", 1e-6, 1e6));
    STRATA_TRY(number(&p->lr_mult, a, "lr-mult", 1e-6, 1e9));
    const double epochs = strtod(strata_recipe_get(a->recipe, "epochs"), NULL); /* 0: at least 5 */
    if (epochs > 0 && epochs <= p->freeze_epochs && !strata_recipe_is_set(a->recipe, "steps"))
        return cli_fail(STRATA_BAD_ARG,
                        "--epochs %g leaves none in which all groups learn: of them --freeze-epochs, %g, are "
                        "for the last group alone",
                        epochs, p->freeze_epochs);
    STRATA_TRY(number(&p->pct, a, "pct", 0, 1));
    return number(&p->div, a, "div", 1e-6, 1e12);
}

/* fastai's fine_tune: the last group alone, then all at half the rate, the first at 1/lr-mult of that. */
static strata_status write_out(cli_arguments *a, const plan *p)
{
    char schedule[512], lr[64];
    snprintf(lr, sizeof lr, "%.12g", p->lr);
    snprintf(schedule, sizeof schedule,
             "one-cycle,pct=0.99,lr=%.12g/10,freeze=-1,for=%.12gep then "
             "one-cycle,pct=%.12g,div=%.12g,lr=%.12g:%.12g",
             p->lr, p->freeze_epochs, p->pct, p->div, p->lr / 2 / p->lr_mult, p->lr / 2);
    STRATA_TRY(strata_recipe_set(a->recipe, "lr", lr));
    return strata_recipe_set(a->recipe, "schedule", schedule);
}

static void tell(const cli_arguments *a)
{
    static const char *const keys[] = {
        "init", "epochs", "lr", "schedule", "frozen-stats", "train-frozen-bn"
    };
    cli_note("finetune is strata train with");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = strata_recipe_get(a->recipe, keys[i]);
        cli_note("       %-16s %s", keys[i], *value ? value : "by the size of the data");
    }
}

static strata_status run(cli_arguments *a)
{
    const char *path = cli_option_given(a, "write");
    plan p;
    if (!*strata_recipe_get(a->recipe, "init"))
        return cli_fail(STRATA_BAD_ARG,
                        "finetune wants --init FILE, or a run: without the weights of another task it would "
                        "train a head on noise; from the beginning trains strata train");
    if (strata_recipe_is_set(a->recipe, "schedule"))
        return cli_fail(STRATA_BAD_ARG,
                        "finetune makes the schedule itself, by --freeze-epochs, --lr-mult, --pct "
                        "and --div; got --schedule %s",
                        strata_recipe_get(a->recipe, "schedule"));
    STRATA_TRY(read_plan(&p, a));
    STRATA_TRY(write_out(a, &p));
    if (a->n_words) STRATA_TRY(strata_recipe_set(a->recipe, "data", a->word[0]));
    if (path) return strata_recipe_save(a->recipe, path);
    if (!cli_option_given(a, "quiet")) tell(a);
    return cli_train.run(a);
}

static const cli_option options[] = {
    { 0, "freeze-epochs", "E", "epochs, of --epochs, in which only the last group learns [1]" },
    { 0, "lr-mult", "X", "in the second phase the last group's rate by the first one's [100]" },
    { 0, "pct", "X", "share of the second phase at which its rates are largest [0.3]" },
    { 0, "div", "X", "how far below its largest rates it begins [5]" },
    { 0, "write", "FILE", "write the recipe and train nothing: strata train --recipe FILE" },
    { 0, "recipe", "FILE", "take keys from a YAML file first" },
    { 0, "set", "KEY=VALUE", "the same as --KEY VALUE; a word KEY=VALUE is too" },
    { 0, "progress", "HOW", "auto, bar (one live line), plain (a line now and then) or none" },
    { 'v', "verbose", NULL, "more notes: every tensor that --init takes" },
    { 'q', "quiet", NULL, "neither notes nor progress, only the table" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_finetune = {
    .name = "finetune",
    .summary = "train from the weights of another task: the head, then all",
    .synopsis = "DATA --init RUN|FILE [--KEY VALUE ...]",
    .examples =
        "strata finetune DATA --init runs/NAME\n"
        "strata finetune DATA --init weights.pth --model resnet18 --epochs 6 --lr 1e-3 --write recipe.yaml",
    .text =
        "Begins with the weights of a run or a file, says which of its tensors fit and if they may have "
        "been trained on images that are now for validation, and trains in two phases, as fastai's "
        "fine_tune: --freeze-epochs with all groups but the last frozen, then all groups, in one cycle at "
        "half of --lr [2e-3] for the last and 1/lr-mult of that for the first. It is nothing but a "
        "recipe: its keys are printed, and are in the run's recipe.yaml; norms of frozen groups are "
        "frozen too unless --train-frozen-bn is given. Without --model the network is that of the "
        "weights, with its stem and head: a run has them in its recipe, files that Strata wrote in their "
        "metadata (strata inspect shows it; a model in a file is to be given again). All else is not "
        "taken: classes, loss and pixels' scale are the data's, groups the model's. The last layer begins "
        "anew unless the classes have the same names, or the weights do not know theirs: --init-head.",
    .options = options,
    .keys = "*",
    .least = 0,
    .most = 1,
    .run = run,
};

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "strata/rates.h"
#include "cli/terminal.h"

typedef struct sheet {
    cli_output table; /* closed: none is wanted */
    uint32_t n_groups;
} sheet;

typedef struct cell {
    char s[32];
} cell;

/* A number of so many digits; "-" where there is none. */
static cell known(double v, int digits)
{
    cell c = { "-" };
    if (!isnan(v)) snprintf(c.s, sizeof c.s, "%.*g", digits, v);
    return c;
}

/* The figures on stderr, and the CSV's header. */
static void about(void *context, const strata_rates_info *info)
{
    sheet *s = context;
    s->n_groups = info->n_groups;
    cli_note("%s, %u %s (%s), %s, %" PRIu64 " %s", info->model, (unsigned)info->n_groups,
             strata_noun(info->n_groups, "group", "groups"), info->scheme, info->schedule, info->steps,
             strata_noun(info->steps, "step", "steps"));
    cli_note("%-20s %11s %12s %12s %12s %10s %10s  %s", "group", "parameters", "lr", "sum of lr", "rms of w",
             "sum / rms", "can move", "frozen steps");
    for (uint32_t g = 0; g < info->n_groups; g++)
        cli_note("%-20s %11" PRIu64 " %12.6g %12.6g %12s %10s %10s  %" PRIu64 "%s%s", info->group_name[g],
                 info->parameters[g], info->peak[g], info->mass[g], known(info->rms[g], 6).s,
                 known(info->times[g], 4).s, known(info->moves[g], 4).s, info->still[g],
                 *info->warning[g] ? "  " : "", info->warning[g]);
    for (uint32_t i = 0; i < info->n_phases; i++) cli_note("%s", info->phase[i]);
    cli_print(&s->table, "step");
    for (uint32_t g = 0; g < info->n_groups; g++) cli_print(&s->table, ",%s", info->group_name[g]);
    cli_print(&s->table, ",momentum\n");
}

static void row(void *context, uint64_t step, const double *lr, double momentum)
{
    sheet *s = context;
    cli_print(&s->table, "%" PRIu64, step);
    for (uint32_t g = 0; g < s->n_groups; g++) cli_print(&s->table, ",%.17g", lr[g]);
    cli_print(&s->table, ",%.17g\n", momentum);
}

/* Steps of the run and of an epoch, from --steps, --epochs and --batches. */
static strata_status count(const cli_arguments *a, uint64_t *steps, uint32_t *per_epoch)
{
    *steps = (uint64_t)strtod(strata_recipe_get(a->recipe, "steps"), NULL); /* "1e4" is a number, too */
    STRATA_TRY(cli_number(per_epoch, a, "batches", 0, 1000000000));
    if (*steps == 0) *steps = (uint64_t)strtod(strata_recipe_get(a->recipe, "epochs"), NULL) * *per_epoch;
    if (*steps) return STRATA_OK;
    return cli_fail(STRATA_BAD_ARG,
                    "rates wants the length of the run: --steps N, or --epochs E --batches B");
}

/* A table of so many steps that nobody reads it: its rows would be a gigabyte, and come for ever. */
static strata_status check_rows(uint64_t steps)
{
    const uint64_t most = 10000000;
    if (steps <= most) return STRATA_OK;
    return cli_fail(STRATA_BAD_ARG,
                    "the table has a row for each step, of at most %" PRIu64 ", got %" PRIu64
                    ": --plot alone draws a run of any length",
                    most, steps);
}

static strata_status run(cli_arguments *a)
{
    uint64_t steps;
    uint32_t per_epoch;
    const char *path = cli_option_given(a, "csv"), *picture;
    sheet s = { 0 };
    STRATA_TRY(cli_picture_path(&picture, a, "plot"));
    STRATA_TRY(count(a, &steps, &per_epoch));
    const bool table = path || !picture;
    if (table) STRATA_TRY(check_rows(steps));
    /* What is wrong is said before anything is written. */
    STRATA_TRY(strata_rates_list(a->recipe, steps, per_epoch, NULL, NULL, NULL));
    if (table) STRATA_TRY(cli_output_begin(&s.table, path && strcmp(path, "-") != 0 ? path : NULL));
    strata_status status = strata_rates_list(a->recipe, steps, per_epoch, about, table ? row : NULL, &s);
    status = cli_output_end(&s.table, status);
    if (status == STRATA_OK && picture) status = strata_rates_draw(a->recipe, steps, per_epoch, picture);
    return status;
}

static const cli_option options[] = {
    { 0, "recipe", "FILE", "take keys from a YAML file first, such as a run's recipe.yaml" },
    { 0, "batches", "N", "steps in an epoch, for --epochs and for schedules in epochs" },
    { 0, "csv", "FILE", "where the table goes, when it is whole; -: stdout, the default without --plot" },
    { 0, "plot", "FILE.png", "draw the rates of every group over the steps" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_rates = {
    .name = "rates",
    .summary = "print the learning rate of every group at every step, without training",
    .synopsis = "--steps N | --epochs E --batches B [--KEY VALUE ...]",
    .examples =
        "strata rates --model resnet18 --lr 1e-6:1e-2 --steps 620 > rates.csv\n"
        "strata rates --model resnet18 --lr 1e-5:1e-3 --bleed in,space=linear --steps 620 --csv rates.csv\n"
        "strata rates --model resnet18 --freeze-until gradual --epochs 5 --batches 100 --plot rates.png",
    .text =
        "Takes the keys of `strata train` that decide rates and prints a CSV: a header "
        "step,GROUP...,momentum, then a row for each step from 0, groups from the input side, all digits. "
        "A 0 is a group that is frozen, a -0 one that learns on at a rate of 0. `--schedule csv:FILE` "
        "takes such a file back. On stderr, for each group: what --lr expanded to, the sum of its rates "
        "over the run, the size (RMS) of its initial weights, their quotient, and roughly how many times "
        "its own size a weight can move: under adam and adamw that quotient, by a trust ratio the sum "
        "alone (lamb), or times --trust / (1 - --momentum) (lars); of sgd `strata train` tells, after 50 "
        "steps. Below 5 % the group is effectively frozen. A line for each phase follows where phases "
        "have rates of their own. `--plot` draws the table: a logarithmic axis where rates span decades, "
        "bars where a group is frozen, momentum where it moves. Every word of --lr, --schedule, --bleed "
        "and --freeze-until is in learning-rates.md, which is installed with Strata's licence, and in its "
        "sources under assets.",
    .options = options,
    .keys = "model stem head groups init init-head opt lr momentum betas trust trust-clip schedule bleed "
            "freeze-until "
            "epochs steps seed",
    .run = run,
};

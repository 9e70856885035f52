#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "strata/train.h"
#include "cli/terminal.h"

typedef enum progress { PROGRESS_NONE, PROGRESS_PLAIN, PROGRESS_BAR } progress;

/* What is shown of a run while it goes on. */
typedef struct display {
    progress progress;
    bool quiet, verbose, header;
    bool every_rate;          /* the table has a rate for each group */
    int rates_width;          /* of their column */
    double drawn;             /* seconds of the clock: when progress was shown last */
    uint32_t epoch;           /* the one that the figures below are of */
    double epoch_began;       /* when its first step was heard of */
    uint64_t epoch_first;     /* which step that was */
    double loss, loss_weight; /* of the last steps, the newest counting most */
    char event[96];           /* what happened last to the epoch's rates: " unfreeze stem" */
} display;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- The table -------------------------------------------------------------------------------- */

enum { RATES_ROOM = 512 };

/* The column of rates: a rate for each group, or where the lines would get too long that of the first and the
 * last. */
static void name_rates(display *d, char *out, size_t room, const strata_event *e)
{
    enum { OTHERS = 57, NOT_A_TERMINAL = 120 }; /* columns */
    const int limit = cli_is_terminal(stdout) ? cli_columns(stdout) : NOT_A_TERMINAL, n = (int)e->n_groups;
    int names = (int)strlen("lr()"), values = 8 * n - 1;
    for (int g = 0; g < n; g++) names += (int)strlen(e->group_name[g]) + (g > 0);
    const int longer = names > values ? names : values;
    d->every_rate = longer + OTHERS <= limit && longer < (int)room; /* as of put_rates */
    int at = snprintf(out, room, n > 1 ? "lr(" : "lr");
    for (int g = 0; n > 1 && d->every_rate && g < n; g++)
        at += snprintf(out + at, room - (size_t)at, "%s%s", g ? "," : "", e->group_name[g]);
    if (n > 1 && !d->every_rate)
        at += snprintf(out + at, room - (size_t)at, "%.16s..%.16s", e->group_name[0], e->group_name[n - 1]);
    if (n > 1) at += snprintf(out + at, room - (size_t)at, ")");
    if (!d->every_rate) values = (int)strlen("1.0e-05..1.0e-03");
    d->rates_width = at > values ? at : values;
    if (d->rates_width < 10) d->rates_width = 10;
}

static void put_rates(char *out, size_t room, const display *d, const strata_event *e)
{
    const uint32_t n = e->n_groups, stride = d->every_rate || n < 2 ? 1 : n - 1;
    bool same = true;
    int at = 0;
    for (uint32_t g = 0; g < n; g++) same = same && e->lr[g] == e->lr[0];
    *out = '\0';
    if (n && same) snprintf(out, room, "%.2e", e->lr[0]);
    for (uint32_t g = 0; !same && g < n && (size_t)at < room; g += stride)
        at += snprintf(out + at, room - (size_t)at, e->lr[g] > 0 ? "%s%.1e" : "%s%g",
                       !g              ? ""
                       : d->every_rate ? ","
                                       : "..",
                       e->lr[g]);
}

static void show_header(display *d, const strata_event *e)
{
    char lr[RATES_ROOM];
    if (d->header) return;
    d->header = true;
    name_rates(d, lr, sizeof lr, e);
    cli_live_clear();
    fflush(stderr); /* the notes stand above the table where both are one */
    printf("%sepoch  train_loss  valid_loss  %7s  %*s   img/s     time%s\n",
           cli_style_begin(stdout, CLI_BOLD), e->sets ? "F" : "top1", d->rates_width, lr,
           cli_style_end(stdout));
    fflush(stdout);
}

static void show_epoch(display *d, const strata_event *e)
{
    char valid[32] = "-", lr[RATES_ROOM];
    show_header(d, e);
    put_rates(lr, sizeof lr, d, e);
    if (isfinite(e->valid_loss)) snprintf(valid, sizeof valid, "%.4f", e->valid_loss);
    cli_live_clear();
    fflush(stderr);
    printf("%5u  %10.4f  %10s  %7s  %*s  %6.0f  %7s\n", (unsigned)e->epoch, e->train_loss, valid,
           cli_share(e->sets && e->score ? e->score->samples_f_beta : e->top1).s, d->rates_width, lr,
           e->images_per_s, cli_time(e->seconds).s);
    fflush(stdout);
}

/* ---- Progress ------------------------------------------------------------------------------------ */

enum { CELLS = 20 };

static void draw_bar(char *out, size_t room, double share)
{
    const bool utf8 = cli_utf8();
    const int half = (int)(share * CELLS * 2);
    int at = snprintf(out, room, "%s", cli_style_begin(stderr, CLI_GREEN));
    for (int i = 0; i < CELLS; i++) {
        const char *cell = half >= 2 * i + 2   ? (utf8 ? "━" : "=")
                           : half == 2 * i + 1 ? (utf8 ? "╸" : "-")
                                               : " ";
        at += snprintf(out + at, room - (size_t)at, "%s", cell);
    }
    snprintf(out + at, room - (size_t)at, "%s", cli_style_end(stderr));
}

/* A number for each group, or one where all are the same: " lr 1.0e-05,1.0e-03"; - of a group
 * that has none. Nothing before the first. */
static void put_groups(char *out, size_t room, const char *name, const double *v, uint32_t n)
{
    bool same = true, some = false;
    int at = 0;
    *out = '\0';
    for (uint32_t i = 0; i < n; i++) {
        some = some || isfinite(v[i]);
        same = same && v[i] == v[0];
    }
    for (uint32_t i = 0; some && i < (same ? 1 : n) && (size_t)at < room; i++) {
        at += snprintf(out + at, room - (size_t)at, "%s%s", i ? "," : " ", i ? "" : name);
        if ((size_t)at < room)
            at += snprintf(out + at, room - (size_t)at, isfinite(v[i]) ? "%.1e" : "-", v[i]);
    }
}

/* Called for each step: how far the epoch is, and how long the rest of it will take. */
static void follow(display *d, const strata_event *e)
{
    const double keep = 0.95;
    if (d->epoch != e->epoch) {
        d->epoch = e->epoch;
        d->epoch_began = now();
        d->epoch_first = e->epoch_step;
        *d->event = '\0';
    }
    if (*e->events) {
        const char *last = e->events;
        for (const char *next; (next = strstr(last, "; ")); last = next + 2) {
        }
        snprintf(d->event, sizeof d->event, "%s", last + strcspn(last, " ")); /* the step is in the row */
    }
    if (isfinite(e->loss)) {
        d->loss = keep * d->loss + (1 - keep) * e->loss;
        d->loss_weight = keep * d->loss_weight + (1 - keep);
    }
}

static void show_step(display *d, const strata_event *e)
{
    const double t = now(), pause = d->progress == PROGRESS_BAR ? 0.1 : 10;
    char eta[48] = "", bar[160] = "", wait[32] = "", line[2048], lr[768], update[768];
    follow(d, e);
    if (d->progress == PROGRESS_NONE || t - d->drawn < pause) return;
    d->drawn = t;
    const uint64_t done = e->epoch_step + 1, since = done - 1 - d->epoch_first;
    const double share = (double)done / (double)e->epoch_steps;
    if (since)
        snprintf(eta, sizeof eta, " eta %s",
                 cli_time((t - d->epoch_began) / (double)since * (double)(e->epoch_steps - done)).s);
    if (e->data_wait >= 0.01) snprintf(wait, sizeof wait, " data wait %.0f %%", 100 * e->data_wait);
    if (d->progress == PROGRESS_BAR) draw_bar(bar, sizeof bar, share);
    put_groups(lr, sizeof lr, "lr ", e->lr, e->n_groups);
    put_groups(update, sizeof update, "update ", e->update, e->n_groups);
    snprintf(line, sizeof line,
             "epoch %u/%u %s%s%3.0f %% %" PRIu64 "/%" PRIu64 " loss %.3f %s img/s%s%s%s%s%s",
             (unsigned)e->epoch, (unsigned)e->epochs, bar, *bar ? " " : "", floor(100 * share), done,
             e->epoch_steps, d->loss_weight > 0 ? d->loss / d->loss_weight : NAN,
             cli_count(e->images_per_s).s, wait, eta, d->event, lr, update);
    if (d->progress == PROGRESS_BAR)
        cli_live(line);
    else
        cli_note("%s", line);
}

static void on_event(void *context, const strata_event *e)
{
    display *d = context;
    switch (e->kind) {
    case STRATA_EVENT_NOTE:
        if (!d->quiet) cli_note("%s", e->text);
        break;
    case STRATA_EVENT_DETAIL:
        if (d->verbose) cli_note("%s", e->text);
        break;
    case STRATA_EVENT_STEP:
        show_header(d, e);
        show_step(d, e);
        break;
    case STRATA_EVENT_EPOCH: show_epoch(d, e); break;
    case STRATA_EVENT_END:
        if (!d->quiet) cli_note("done   %s", e->text);
        break;
    }
}

static strata_status choose_progress(progress *out, const cli_arguments *a, bool quiet)
{
    const char *text = cli_option_given(a, "progress");
    if (!text || strcmp(text, "auto") == 0)
        *out = cli_is_terminal(stderr) ? PROGRESS_BAR : PROGRESS_PLAIN;
    else if (strcmp(text, "bar") == 0)
        *out = PROGRESS_BAR;
    else if (strcmp(text, "plain") == 0)
        *out = PROGRESS_PLAIN;
    else if (strcmp(text, "none") == 0)
        *out = PROGRESS_NONE;
    else
        return cli_fail(STRATA_BAD_ARG, "--progress wants auto, bar, plain or none, got '%s'", text);
    if (quiet) *out = PROGRESS_NONE;
    return STRATA_OK;
}

/* ---- The command --------------------------------------------------------------------------------- */

/* The command line as it was given, for run.json: words that a shell would split stand in quotes. */
static char *command_line(const cli_arguments *a)
{
    size_t room = sizeof "strata " + strlen(a->command->name);
    for (int i = 0; i < a->argc; i++) room += 4 * strlen(a->argv[i]) + 3;
    char *text = malloc(room), *end = text;
    if (!text) return NULL;
    end = stpcpy(stpcpy(end, "strata "), a->command->name);
    for (int i = 0; i < a->argc; i++) {
        const char *s = a->argv[i];
        const bool plain = *s &&
                           strspn(
                               s,
                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:=+@%") ==
                               strlen(s);
        end = stpcpy(end, plain ? " " : " '");
        for (; *s; s++) {
            if (*s == '\'')
                end = stpcpy(end, "'\\''");
            else
                *end++ = *s;
        }
        if (!plain) *end++ = '\'';
    }
    *end = '\0';
    return text;
}

/* What is given beside --resume must be what the run has; the device may be another. */
static strata_status same_recipe(const cli_arguments *a, const char *run)
{
    char path[4096], differences[2048] = "";
    strata_recipe *own = NULL;
    uint32_t n;
    const strata_option *option = strata_options(&n);
    if (!cli_option_given(a, "recipe") && a->n_recipe_keys == 0) return STRATA_OK;
    STRATA_TRY(strata_recipe_open(&own));
    snprintf(path, sizeof path, "%s/recipe.yaml", run);
    strata_status status = strata_recipe_load(own, path);
    for (uint32_t i = 0; status == STRATA_OK && i < n; i++) {
        const char *key = option[i].key, *given = strata_recipe_get(a->recipe, key),
                   *has = strata_recipe_get(own, key);
        const size_t used = strlen(differences);
        if (!strata_recipe_is_set(a->recipe, key) || strcmp(given, has) == 0) continue;
        if (strcmp(key, "device") == 0 || strcmp(key, "run-dir") == 0 || strcmp(key, "overwrite") == 0)
            continue;
        snprintf(differences + used, sizeof differences - used, "%s--%s is '%s', not '%s'", used ? "; " : "",
                 key, has, given);
    }
    strata_recipe_close(own);
    STRATA_TRY(status);
    if (!*differences) return STRATA_OK;
    return cli_fail(STRATA_BAD_ARG, "--resume %s goes on with the run's own recipe: %s", run, differences);
}

static strata_status resume(const cli_arguments *a, const char *run, const strata_observer *observer)
{
    const char *device = getenv("STRATA_DEVICE");
    if (device && !*device) device = NULL;
    if (a->n_words)
        return cli_fail(STRATA_BAD_ARG, "--resume %s goes on with the run's own data; got '%s' too", run,
                        a->word[0]);
    STRATA_TRY(same_recipe(a, run));
    for (uint32_t i = 0; i < a->n_recipe_keys; i++)
        if (strcmp(a->recipe_key[i].key, "device") == 0) device = a->recipe_key[i].value;
    return strata_resume(run, device, observer);
}

static strata_status start(cli_arguments *a, const strata_observer *observer)
{
    for (uint32_t i = 0; a->n_words && i < a->n_recipe_keys; i++)
        if (strcmp(a->recipe_key[i].key, "data") == 0 && strcmp(a->recipe_key[i].value, a->word[0]) != 0)
            return cli_fail(STRATA_BAD_ARG, "the data is '%s', and --data says '%s': give one", a->word[0],
                            a->recipe_key[i].value);
    if (a->n_words) STRATA_TRY(strata_recipe_set(a->recipe, "data", a->word[0]));
    if (!*strata_recipe_get(a->recipe, "data"))
        return cli_fail(STRATA_BAD_ARG, "strata train wants DATA: builtin:digits, or a folder; strata train "
                                        "--help says more");
    char *command = command_line(a);
    if (!command) return cli_fail(STRATA_NO_MEMORY, "no memory for the command line");
    strata_status status = strata_run(a->recipe, command, observer);
    free(command);
    return status;
}

static strata_status run(cli_arguments *a)
{
    const char *folder = cli_option_given(a, "resume");
    display d = { .quiet = cli_option_given(a, "quiet") != NULL,
                  .verbose = cli_option_given(a, "verbose") != NULL };
    STRATA_TRY(cli_check_output());
    STRATA_TRY(choose_progress(&d.progress, a, d.quiet));
    d.drawn = now(); /* the first plain line comes after a pause */
    const strata_observer observer = { .event = on_event, .context = &d, .interrupt = cli_interrupt_begin() };
    strata_status status = folder ? resume(a, folder, &observer) : start(a, &observer);
    cli_live_clear();
    return status;
}

static const cli_option options[] = {
    { 0, "recipe", "FILE", "take keys from a YAML file first; a run's recipe.yaml repeats the run" },
    { 0, "resume", "RUN", "continue the run in this folder from its last checkpoint" },
    { 0, "set", "KEY=VALUE", "the same as --KEY VALUE; a word KEY=VALUE is too" },
    { 0, "progress", "HOW", "auto, bar (one live line), plain (a line now and then) or none" },
    { 'v', "verbose", NULL, "more notes: every tensor that --init takes" },
    { 'q', "quiet", NULL, "neither notes nor progress, only the table" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_train = {
    .name = "train",
    .summary = "train a network and keep a run folder",
    .synopsis = "DATA [--KEY VALUE ...] | --resume RUN [--device D]",
    .examples = "strata train builtin:digits\n"
                "strata train /usr/share/datasets/fashion-mnist --epochs 5\n"
                "strata train DATA --model resnet18 --lr 1e-5:1e-3 --run-dir runs/first\n"
                "strata train --resume runs/first",
    .text =
        "DATA is builtin:digits, a folder of IDX files (MNIST's form, gzipped or not), a CIFAR-10 binary "
        "folder, or pictures, whose classes are their folders or in a CSV (--labels). What is not said is "
        "chosen by the data and printed. The table goes to standard output, notes and progress to "
        "standard error; everything is kept in the run's folder. Ctrl-C once finishes the step, saves and "
        "exits with 130, and --resume goes on from there; twice leaves at once. Keys are read from "
        "--recipe first, then from STRATA_DEVICE, then from the command line.",
    .options = options,
    .keys = "*",
    .most = 1,
    .run = run,
};

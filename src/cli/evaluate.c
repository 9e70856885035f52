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

static void print_json(const strata_score *s)
{
    printf("{\"images\": %" PRIu64, s->images);
    cli_json_key("loss", false);
    cli_json_number(s->loss);
    cli_json_key("top1", false);
    cli_json_number(s->top1);
    cli_json_key("top5", false);
    cli_json_number(s->top5);
    printf("}\n");
}

static strata_status run(cli_arguments *a)
{
    strata_score score;
    const bool quiet = cli_option_given(a, "quiet") != NULL;
    const strata_observer observer = { .event = quiet ? NULL : tell };
    STRATA_TRY(strata_evaluate(&score, a->word[0], a->n_words > 1 ? a->word[1] : NULL, a->recipe, &observer));
    if (cli_option_given(a, "json")) {
        print_json(&score);
        return STRATA_OK;
    }
    const double n = (double)score.images;
    printf("images  %" PRIu64 "\nloss    %.6f\ntop1    %.2f %% (%.0f right)\ntop5    %.2f %% (%.0f right)\n",
           score.images, score.loss, 100 * score.top1, round(score.top1 * n), 100 * score.top5,
           round(score.top5 * n));
    return STRATA_OK;
}

static const cli_option options[] = {
    { 0, "json", NULL, "as JSON, with every digit" },
    { 'q', "quiet", NULL, "no notes" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_evaluate = {
    .name = "evaluate",
    .summary = "measure trained weights on a data set's validation part",
    .synopsis = "RUN|WEIGHTS.safetensors [DATA] [--json]",
    .examples =
        "strata evaluate runs/NAME\nstrata evaluate best.safetensors /usr/share/datasets/fashion-mnist",
    .text =
        "Takes a run's best weights (its last ones where it was not validated), or a weights file, and "
        "prints "
        "the mean loss and the share of right answers over the validation part of DATA, or of what the run "
        "trained on. Every image counts exactly once, whatever the batch. Keys of the recipe that are given "
        "win "
        "over those that the run or the file recorded.",
    .options = options,
    .keys = "normalize fit filter background max-pixels valid-fraction data-threads seed model stem head "
            "loss groups batch device variants exact shader-dir limits validate",
    .least = 1,
    .most = 2,
    .run = run,
};

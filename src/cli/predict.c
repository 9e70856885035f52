#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "strata/train.h"
#include "cli/terminal.h"

enum { MOST = 1000 }; /* guesses a picture */

typedef struct pictures {
    strata_predictor *predictor;
    uint32_t top;
    double threshold;
    bool json;
    uint32_t shown;
    int width; /* of the longest name */
} pictures;

static void print_json(pictures *p, const char *path, const strata_guess *guess, uint32_t n)
{
    printf("%s  {\"picture\": ", p->shown++ ? ",\n" : "");
    cli_json_text(path);
    printf(", \"guesses\": [");
    for (uint32_t i = 0; i < n; i++) {
        printf("%s{\"label\": %u", i ? ", " : "", (unsigned)guess[i].label);
        cli_json_key("name", false);
        cli_json_text(guess[i].name);
        cli_json_key("probability", false);
        cli_json_number((double)guess[i].probability);
        putchar('}');
    }
    printf("]}");
}

static strata_status predict(pictures *p, const char *path)
{
    static strata_guess guess[MOST];
    uint32_t n = 0;
    STRATA_TRY(strata_predict(p->predictor, path, guess, p->top, &n));
    if (p->json) {
        print_json(p, path, guess, n);
        return STRATA_OK;
    }
    if (n == 0) printf("%-*s         -  nothing above %g %%\n", p->width, path, 100 * p->threshold);
    for (uint32_t i = 0; i < n; i++)
        printf("%-*s  %6.2f %%  %s\n", p->width, i ? "" : path, 100 * (double)guess[i].probability,
               guess[i].name);
    return STRATA_OK;
}

static int widest(const cli_arguments *a)
{
    size_t most = 0;
    for (uint32_t i = 1; i < a->n_words; i++)
        if (strlen(a->word[i]) > most) most = strlen(a->word[i]);
    return (int)(most < 80 ? most : 80);
}

static strata_status run(cli_arguments *a)
{
    strata_status first = STRATA_OK;
    uint32_t failed = 0;
    pictures p = { .json = cli_option_given(a, "json") != NULL, .width = widest(a) };
    STRATA_TRY(cli_check_output());
    STRATA_TRY(cli_number(&p.top, a, "top", 3, MOST));
    STRATA_TRY(strata_predictor_open(&p.predictor, a->word[0], a->recipe));
    p.threshold = strata_predictor_threshold(p.predictor);
    if (!isnan(p.threshold) && !cli_option_given(a, "top")) p.top = MOST;
    if (p.json) printf("[\n");
    for (uint32_t i = 1; i < a->n_words; i++) {
        strata_status status = predict(&p, a->word[i]);
        if (status == STRATA_OK) continue;
        if (failed++ == 0) first = status;
        cli_complain();
    }
    if (p.json) printf("\n]\n");
    strata_predictor_close(p.predictor);
    if (!failed) return STRATA_OK;
    return cli_fail(first, "%u of %u %s failed", (unsigned)failed, (unsigned)(a->n_words - 1),
                    strata_noun(a->n_words - 1, "picture", "pictures"));
}

static const cli_option options[] = {
    { 0, "top", "K", "guesses a picture [3; with the loss sigmoid all above --threshold]" },
    { 0, "json", NULL, "as a JSON list" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_predict = {
    .name = "predict",
    .summary = "say what is in pictures",
    .synopsis = "RUN|WEIGHTS.safetensors IMAGE... [--top K] [--json]",
    .examples = "strata predict runs/NAME seven.png\nstrata predict best.safetensors *.jpg --top 5 --json",
    .text =
        "Fits each picture (PNG, JPEG, BMP, GIF, TGA or PNM) to the network's input and prints the most "
        "likely classes and their probabilities; with the loss sigmoid those above --threshold. A picture "
        "that cannot be read is told of and does not keep "
        "the others from being looked at; the exit code is then 4.",
    .options = options,
    .keys =
        "stored-size normalize fit filter background model stem head groups loss threshold device variants "
        "exact shader-dir limits validate",
    .least = 2,
    .most = UINT32_MAX,
    .run = run,
};

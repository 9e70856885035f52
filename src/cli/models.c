#include <inttypes.h>
#include <string.h>

#include "cli/commands.h"
#include "strata/inspect.h"
#include "cli/terminal.h"

typedef struct listing {
    bool json;
    uint32_t n;
} listing;

static void show_json(const strata_model_info *m, bool first)
{
    const uint32_t most = sizeof m->groups / sizeof *m->groups;
    printf("%s  {\"name\": ", first ? "[\n" : ",\n");
    cli_json_text(m->name);
    cli_json_key("about", false);
    cli_json_text(m->about);
    printf(", \"parameters\": %" PRIu64 ", \"layers\": %u, \"tensors\": %u, \"image\": [%u, %u, %u], "
           "\"groups\": [",
           m->parameters, (unsigned)m->layers, (unsigned)m->tensors, (unsigned)m->h, (unsigned)m->w,
           (unsigned)m->c);
    for (uint32_t g = 0; g < m->n_groups && g < most; g++) {
        printf("%s{\"name\": ", g ? ", " : "");
        cli_json_text(m->groups[g]);
        printf(", \"parameters\": %" PRIu64 "}", m->group_parameters[g]);
    }
    printf("]}");
}

static void show(void *context, const strata_model_info *m)
{
    listing *l = context;
    const uint32_t most = sizeof m->groups / sizeof *m->groups;
    char image[32];
    if (l->json) {
        show_json(m, l->n++ == 0);
        return;
    }
    if (l->n++ == 0)
        printf("%s%-13s %10s  %6s  %-9s  %s%s\n", cli_style_begin(stdout, CLI_BOLD), "model", "parameters",
               "layers", "image", "groups (parameters)", cli_style_end(stdout));
    snprintf(image, sizeof image, "%ux%ux%u", (unsigned)m->h, (unsigned)m->w, (unsigned)m->c);
    printf("%-13s %10" PRIu64 "  %6u  %-9s  ", m->name, m->parameters, (unsigned)m->layers, image);
    for (uint32_t g = 0; g < m->n_groups && g < most; g++)
        printf("%s%s %s", g ? ", " : "", m->groups[g], cli_count((double)m->group_parameters[g]).s);
    if (m->n_groups > most) printf(", and %u more", (unsigned)(m->n_groups - most));
    putchar('\n');
}

static strata_status print_text(const char *name, bool json)
{
    const char *text;
    STRATA_TRY(strata_model_text(&text, name));
    if (json) {
        printf("{\"name\": ");
        cli_json_text(name);
        cli_json_key("yaml", false);
        cli_json_text(text);
        printf("}\n");
    } else {
        fputs(text, stdout);
    }
    return STRATA_OK;
}

static strata_status run(cli_arguments *a)
{
    const char *name = cli_option_given(a, "show");
    listing l = { .json = cli_option_given(a, "json") != NULL };
    if (name) return print_text(name, l.json);
    STRATA_TRY(strata_models(a->recipe, show, &l));
    if (l.json) printf("\n]\n");
    return STRATA_OK;
}

static const cli_option options[] = {
    { 0, "show", "NAME", "print a model's description, which --model FILE.yaml takes" },
    { 0, "json", NULL, "as JSON" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_models = {
    .name = "models",
    .summary = "list the models that ship, or print one's description",
    .synopsis = "[--show NAME] [--json]",
    .examples = "strata models\nstrata models --show resnet18 > my.yaml\nstrata train DATA --model my.yaml",
    .text = "Lists the models with the figures they have for 10 classes of their usual image: parameters, "
            "layers, and the layer groups that --lr spreads rates over. With --stem, --head or --groups, "
            "those that have such a choice.",
    .options = options,
    .keys = "stem head groups",
    .run = run,
};

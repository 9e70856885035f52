#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "strata/doctor.h"
#include "strata/inspect.h"
#include "cli/terminal.h"

typedef struct report {
    bool json, failures_only;
    uint32_t n;
} report;

static void tell_json(report *r, const strata_doctor_line *l)
{
    printf("%s  {\"op\": ", r->n++ ? ",\n" : "");
    cli_json_text(l->op);
    cli_json_key("options", false);
    cli_json_text(l->options);
    cli_json_key("variant", false);
    cli_json_text(l->variant);
    cli_json_key("tensor", false);
    cli_json_text(l->tensor);
    cli_json_key("sizes", false);
    cli_json_text(l->sizes);
    cli_json_key("error", false);
    cli_json_number(l->error);
    cli_json_key("bound", false);
    cli_json_number(l->bound);
    printf(", \"passed\": %s", l->passed ? "true" : "false");
    cli_json_key("why", false);
    cli_json_text(l->why);
    putchar('}');
}

static void tell(void *context, const strata_doctor_line *l)
{
    report *r = context;
    if (r->json) {
        tell_json(r, l);
        return;
    }
    if (r->failures_only && l->passed) return;
    char figures[32] = ""; /* a promise that is kept or broken has none */
    if (l->bound > 0 || l->error > 0) snprintf(figures, sizeof figures, "%9.2e %9.2e", l->error, l->bound);
    if (r->n++ == 0)
        printf("%s%-4s  %-17s %-9s  %-24s  %9s %9s  %s%s\n", cli_style_begin(stdout, CLI_BOLD), "",
               "operation", "variant", "what", "error", "bound", "options, sizes of the worst case",
               cli_style_end(stdout));
    printf("%s%-4s%s  %-17s %-9s  %-24s  %-19s  %s%s%s\n",
           cli_style_begin(stdout, l->passed ? CLI_GREEN : CLI_RED), l->passed ? "ok" : "FAIL",
           cli_style_end(stdout), l->op, l->variant, l->tensor, figures, l->options, *l->options ? "; " : "",
           l->sizes);
    if (!l->passed) printf("      %s\n", l->why);
    fflush(stdout); /* it takes a while, and the next check may be the driver's last */
}

static void sum_up(const report *r, const strata_doctor_result *result, bool whole)
{
    const strata_caps *c = &result->caps;
    if (r->json) {
        printf("%s],\n \"device\": ", r->n ? "\n" : "");
        cli_json_text(c->name);
        cli_json_key("driver", false);
        cli_json_text(c->driver);
        cli_json_key("strata", false);
        cli_json_text(strata_version());
        printf(", \"subgroup\": %u, \"lines\": %u, \"failures\": %u, \"whole\": %s}\n", (unsigned)c->subgroup,
               (unsigned)result->lines, (unsigned)result->failures, whole ? "true" : "false");
        return;
    }
    printf("%u %s, %u failed%s: %s%s%s%s, strata %s\n", (unsigned)result->lines,
           strata_noun(result->lines, "check", "checks"), (unsigned)result->failures,
           whole ? "" : ", and then they were stopped", c->name, *c->driver ? " (" : "", c->driver,
           *c->driver ? ")" : "", strata_version());
}

static strata_status run(cli_arguments *a)
{
    const char *folder = strata_recipe_get(a->recipe, "shader-dir"),
               *limits = strata_recipe_get(a->recipe, "limits");
    report r = { .json = cli_option_given(a, "json") != NULL,
                 .failures_only = cli_option_given(a, "quiet") != NULL };
    strata_doctor_result result = { 0 };
    const strata_doctor_config config = {
        .device = { .name = strata_recipe_get(a->recipe, "device"),
                    .shader_dir = *folder ? folder : NULL,
                    .limits = *limits ? limits : NULL,
                    .validate = strcmp(strata_recipe_get(a->recipe, "validate"), "true") == 0 },
        .line = tell,
        .context = &r,
    };
    STRATA_TRY(cli_check_output());
    if (r.json) printf("{\"checks\": [\n");
    strata_status status = strata_doctor(&result, &config);
    if (r.json || *result.caps.name)
        sum_up(&r, &result, status == STRATA_OK || status == STRATA_CHECK_FAILED);
    return status;
}

static const cli_option options[] = {
    { 0, "json", NULL, "as JSON" },
    { 'q', "quiet", NULL, "print failed checks and the sum only" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_doctor = {
    .name = "doctor",
    .summary = "check every operation of a device against the CPU reference",
    .synopsis = "[--device D] [--validate] [--json]",
    .examples = "strata doctor\nstrata doctor --device 1 --validate",
    .text =
        "Runs every operation, every variant of its kernels and one training step of a small network on "
        "the device and on the CPU reference, and prints a line for each: the worst error, its bound, the "
        "verdict. Exits with 0 if all is right, 1 if a check failed, 3 if there is no device. Run it "
        "first on a new GPU, and put what it prints into a report of a fault.",
    .options = options,
    .keys = "device shader-dir limits validate",
    .run = run,
};

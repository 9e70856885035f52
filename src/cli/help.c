/* The text of --help and of the man page, both from the commands' tables and the table of a recipe's keys. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "strata/inspect.h"
#include "cli/terminal.h"

#define SUMMARY "train convolutional networks on any Vulkan device, with a learning rate for every layer"

static const char exit_codes[] = "0 all right; 1 the run or a check failed; 2 an option or recipe is not "
                                 "usable; 3 no usable Vulkan device; 4 "
                                 "a file could not be read, written or understood; 5 the loss was not "
                                 "finite; 6 the device was lost or out "
                                 "of memory; 130, 143 and 141 after Ctrl-C, SIGTERM and "
                                 "a pipe that nobody reads.";

static const char environment[] = "STRATA_DEVICE is the default of --device. NO_COLOR, CLICOLOR_FORCE and "
                                  "TERM=dumb are respected. Compiled "
                                  "shaders are kept under XDG_CACHE_HOME. LP_NATIVE_VECTOR_WIDTH is set to "
                                  "512 for Mesa's software device where "
                                  "the processor has AVX-512 and nobody has set it; what Mesa then compiles "
                                  "is kept there, too, unless MESA_SHADER_CACHE_DIR says where.";

/* ---- Lines of a terminal ------------------------------------------------------------------------ */

/* Print words from column `at`, indented by `indent` on the lines that follow; a newline ends one. */
static void wrap(const char *text, int at, int indent)
{
    int width = cli_columns(stdout) < 100 ? cli_columns(stdout) : 100;
    while (*text) {
        const int word = (int)strcspn(text, " \n");
        const bool ends = *text == '\n';
        if (ends || (at > indent && at + 1 + word > width)) {
            printf("\n%*s", indent, "");
            at = indent;
        }
        if (at > indent) putchar(' '), at++;
        printf("%.*s", word, text);
        at += word;
        text += word + (ends ? 1 : (int)strspn(text + word, " "));
    }
    putchar('\n');
}

static void paragraph(const char *text) { wrap(text, 0, 0); }

static void heading(const char *text)
{
    printf("\n%s%s%s\n", cli_style_begin(stdout, CLI_BOLD), text, cli_style_end(stdout));
}

static void option_line(char letter, const char *key, const char *value, const char *help)
{
    enum { COLUMN = 28 };
    char left[96], dash[8] = "";
    if (letter) snprintf(dash, sizeof dash, "-%c, ", letter);
    snprintf(left, sizeof left, "  %4s--%s%s%s", dash, key, value ? " " : "", value ? value : "");
    printf("%s", left);
    int at = (int)strlen(left);
    if (at >= COLUMN - 1) {
        putchar('\n');
        at = 0;
    }
    printf("%*s", COLUMN - at, "");
    wrap(help, COLUMN, COLUMN);
}

static void own_options(const cli_option *o)
{
    for (; o->key; o++) option_line(o->letter, o->key, o->value, o->help);
}

/* The keys of a recipe that a command takes, under the heading of their topic. */
static void recipe_options(const cli_command *c)
{
    uint32_t n;
    char line[512], title[64];
    const char *topic = "";
    const strata_option *o = strata_options(&n);
    for (uint32_t i = 0; i < n; i++) {
        if (!cli_takes_key(c, o[i].key)) continue;
        if (strcmp(topic, o[i].topic) != 0) {
            topic = o[i].topic;
            snprintf(title, sizeof title, "%c%s:", topic[0] - 'a' + 'A', topic + 1);
            heading(title);
        }
        const bool plain = o[i].value && *o[i].fallback;
        snprintf(line, sizeof line, "%s%s%s%s", o[i].help, plain ? " [" : "", plain ? o[i].fallback : "",
                 plain ? "]" : "");
        option_line(0, o[i].key, o[i].value, line);
    }
}

static void examples(const char *lines)
{
    while (*lines) {
        const int n = (int)strcspn(lines, "\n");
        printf("  %.*s\n", n, lines);
        lines += n + (lines[n] == '\n');
    }
}

void cli_command_help(const cli_command *c)
{
    printf("%s%s%s\n", cli_style_begin(stdout, CLI_BOLD),
           strchr(c->examples, '\n') ? "Examples:" : "Example:", cli_style_end(stdout));
    examples(c->examples);
    heading("Usage:");
    printf("  strata %s %s\n\n", c->name, c->synopsis);
    paragraph(c->text);
    heading("Options:");
    own_options(c->options);
    own_options(cli_common_options);
    recipe_options(c);
}

void cli_help(void)
{
    printf("strata: %s\n", SUMMARY);
    heading("Examples:");
    examples("strata train builtin:digits\n"
             "strata train /usr/share/datasets/fashion-mnist --epochs 5 --lr 1e-4:1e-2\n"
             "strata evaluate runs/NAME\n"
             "strata devices");
    heading("Commands:");
    for (int i = 0; cli_commands[i]; i++)
        printf("  %-13s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    heading("Options:");
    own_options(cli_common_options);
    option_line(0, "licenses", NULL, "the licences of Strata and of everything in it");
    heading("Exit codes:");
    paragraph(exit_codes);
    heading("Environment:");
    paragraph(environment);
    printf("\nstrata COMMAND --help says more.\n");
}

void cli_family_help(const char *first)
{
    const size_t n = strlen(first);
    printf("%sCommands:%s\n", cli_style_begin(stdout, CLI_BOLD), cli_style_end(stdout));
    for (int i = 0; cli_commands[i]; i++)
        if (strncmp(cli_commands[i]->name, first, n) == 0 && cli_commands[i]->name[n] == ' ')
            printf("  strata %-13s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    printf("\nstrata %s WORD --help says more.\n", first);
}

/* ---- The man page ------------------------------------------------------------------------------ */

/* Text in roff: dashes stay dashes, a line cannot begin with a request. */
static void roff(const char *s)
{
    if (*s == '.' || *s == '\'') fputs("\\&", stdout);
    for (; *s; s++) {
        if (*s == '-')
            fputs("\\-", stdout);
        else if (*s == '\\')
            fputs("\\e", stdout);
        else
            putchar(*s);
    }
}

static void man_option(char letter, const char *key, const char *value, const char *help)
{
    printf(".TP\n");
    if (letter) printf("\\fB\\-%c\\fR, ", letter);
    fputs("\\fB\\-\\-", stdout);
    roff(key);
    fputs("\\fR", stdout);
    if (value) {
        fputs(" \\fI", stdout);
        roff(value);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    roff(help);
    putchar('\n');
}

static void man_lines(const char *lines)
{
    printf(".PP\n.nf\n");
    while (*lines) {
        char line[256];
        const size_t n = strcspn(lines, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, lines);
        printf("    ");
        roff(line);
        putchar('\n');
        lines += n + (lines[n] == '\n');
    }
    printf(".fi\n");
}

static void man_command(const cli_command *c)
{
    uint32_t n;
    const strata_option *o = strata_options(&n);
    printf(".SS strata %s ", c->name);
    roff(c->synopsis);
    printf("\n");
    roff(c->text);
    putchar('\n');
    man_lines(c->examples);
    for (const cli_option *own = c->options; own->key; own++)
        man_option(own->letter, own->key, own->value, own->help);
    if (strcmp(c->keys, "*") == 0) {
        printf(".PP\nand every key of a recipe, below.\n");
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        if (cli_takes_key(c, o[i].key)) man_option(0, o[i].key, o[i].value, o[i].help);
}

void cli_man_page(void)
{
    uint32_t n;
    const strata_option *o = strata_options(&n);
    printf(".TH STRATA 1 \"\" \"strata %.*s\"\n", (int)strcspn(strata_version(), " "), strata_version());
    printf(".ad l\n"); /* long synopses cannot be stretched to a straight edge */
    printf(".SH NAME\nstrata \\- " SUMMARY "\n");
    printf(".SH SYNOPSIS\n.B strata\n.I COMMAND\n[\\fIWORD\\fR ...] [\\fB\\-\\-key\\fR \\fIVALUE\\fR ...]\n");
    printf(".SH COMMANDS\n");
    for (int i = 0; cli_commands[i]; i++) man_command(cli_commands[i]);
    printf(".SH OPTIONS OF ALL COMMANDS\n");
    for (const cli_option *own = cli_common_options; own->key; own++)
        man_option(own->letter, own->key, own->value, own->help);
    printf(".SH KEYS OF A RECIPE\nOn the command line, in a file for \\fB\\-\\-recipe\\fR and in a run's "
           "recipe.yaml.\n");
    for (uint32_t i = 0; i < n; i++) man_option(0, o[i].key, o[i].value, o[i].help);
    printf(".SH EXIT STATUS\n");
    roff(exit_codes);
    printf("\n.SH ENVIRONMENT\n");
    roff(environment);
    printf("\n");
}

/* strata -- the command line. A client of the library: it includes include/strata alone. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "strata/inspect.h"
#include "cli/terminal.h"

const cli_command *const cli_commands[] = {
    &cli_train,   &cli_evaluate, &cli_predict, &cli_rates,   &cli_lr_find,
    &cli_devices, &cli_doctor,   &cli_models,  &cli_inspect, NULL,
};

static const cli_command *find_command(const char *name)
{
    for (int i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, name) == 0) return cli_commands[i];
    return NULL;
}

static strata_status unknown_command(const char *name)
{
    const char *names[16];
    uint32_t n = 0;
    for (; cli_commands[n]; n++) names[n] = cli_commands[n]->name;
    const char *near = strata_nearest(name, names, n);
    return cli_fail(STRATA_BAD_ARG, "there is no command '%s'%s%s%s; strata --help lists them", name,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Mesa's software device computes 4 or 8 floats at once unless told otherwise; with AVX-512 the shaders
 * written for it gain from 16. The library leaves the environment of its callers alone, so this is done here.
 */
static void widen_software_device(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx512f")) setenv("LP_NATIVE_VECTOR_WIDTH", "512", 0);
#endif
}

static strata_status run_command(const cli_command *command, int argc, char **argv)
{
    cli_arguments a;
    strata_status status = cli_arguments_take(&a, command, argc, argv);
    if (status == STRATA_OK) status = cli_terminal_begin(cli_option_given(&a, "color"));
    if (status == STRATA_OK && cli_option_given(&a, "help")) {
        cli_command_help(command);
    } else if (status == STRATA_OK && cli_option_given(&a, "version")) {
        printf("strata %s\n", strata_version());
    } else if (status == STRATA_OK) {
        status = command->run(&a);
    }
    cli_arguments_free(&a);
    return status;
}

static strata_status run(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "--help";
    const cli_command *command = find_command(first);
    if (command) return run_command(command, argc - 2, argv + 2);
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0) {
        const cli_command *about = argc > 2 ? find_command(argv[2]) : NULL;
        if (about)
            cli_command_help(about);
        else
            cli_help();
    } else if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
        printf("strata %s\n", strata_version());
    } else if (strcmp(first, "--licenses") == 0) {
        fputs(strata_licenses(), stdout);
    } else if (strcmp(first, "--man") == 0) { /* for the build */
        cli_man_page();
    } else if (first[0] == '-') {
        return cli_fail(STRATA_BAD_ARG,
                        "a command comes first, then its options; got '%s'; strata --help lists "
                        "the commands",
                        first);
    } else {
        return unknown_command(first);
    }
    return STRATA_OK;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, ""); /* is the terminal UTF-8? */
    widen_software_device();
    cli_terminal_begin(NULL);
    strata_status status = run(argc, argv);
    if (status != STRATA_OK)
        cli_complain();
    else if ((status = cli_flush()) != STRATA_OK)
        cli_complain();
    const int by_signal = cli_signal_code();
    return status == STRATA_INTERRUPTED && by_signal ? by_signal : strata_status_exit_code(status);
}

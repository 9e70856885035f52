/* strata -- the command line. A client of the library: it includes include/strata alone. */
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "strata/inspect.h"
#include "cli/terminal.h"

const cli_command *const cli_commands[] = {
    &cli_train,     &cli_finetune,    &cli_evaluate,   &cli_predict,     &cli_rates,
    &cli_lr_find,   &cli_devices,     &cli_doctor,     &cli_bench,       &cli_models,
    &cli_inspect,   &cli_convert,     &cli_export,     &cli_data_info,   &cli_data_cache,
    &cli_data_show, &cli_data_digits, &cli_data_emoji, &cli_data_glyphs, NULL,
};

enum { COMMANDS = 64, WORDS = 2 }; /* at most, and the words of a command's name */

/* The command that the first words name: "rates", "data digits".
 *   n_words  out: how many they are */
static const cli_command *find_command(int argc, char **argv, int *n_words)
{
    char name[64] = "";
    for (*n_words = 1; *n_words <= WORDS && *n_words <= argc; ++*n_words) {
        const size_t length = strlen(name);
        snprintf(name + length, sizeof name - length, "%s%s", length ? " " : "", argv[*n_words - 1]);
        for (int i = 0; cli_commands[i]; i++)
            if (strcmp(cli_commands[i]->name, name) == 0) return cli_commands[i];
    }
    return NULL;
}

/* The second words of the commands whose first word this is; NULL: it is none's. */
static const char *second_words(const char *first)
{
    static char list[256];
    const size_t n = strlen(first);
    *list = '\0';
    for (int i = 0; cli_commands[i]; i++) {
        const char *name = cli_commands[i]->name;
        const size_t length = strlen(list);
        if (strncmp(name, first, n) == 0 && name[n] == ' ')
            snprintf(list + length, sizeof list - length, "%s%s", length ? ", " : "", name + n + 1);
    }
    return *list ? list : NULL;
}

static strata_status unknown_command(const char *first, const char *second)
{
    const char *names[COMMANDS], *more = second_words(first);
    char name[64];
    uint32_t n = 0;
    if (more && !second)
        return cli_fail(STRATA_BAD_ARG, "strata %s wants one of: %s; strata %s WORD --help says more", first,
                        more, first);
    snprintf(name, sizeof name, "%s%s%s", first, more ? " " : "", more ? second : "");
    for (; cli_commands[n] && n < COMMANDS; n++) names[n] = cli_commands[n]->name;
    const char *near = strata_nearest(name, names, n);
    return cli_fail(STRATA_BAD_ARG, "there is no command '%s'%s%s%s; strata --help lists them", name,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

#if defined(__x86_64__) && defined(__GNUC__) && !defined(_WIN32)
/* Mesa 25 keeps compiled image functions on disk without the width they are for, and another program that
 * takes them at another width crashes: what is compiled here stays in a folder of its own. */
static void keep_wide_shaders_apart(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char path[1024];
    const bool given = xdg && xdg[0] == '/';
    if (getenv("MESA_SHADER_CACHE_DIR") || (!given && !(home && home[0] == '/'))) return;
    const int n = snprintf(path, sizeof path, "%s%s/strata/mesa-512", given ? xdg : home,
                           given ? "" : "/.cache");
    if (n < 0 || (size_t)n >= sizeof path) return;
    for (char *s = path + 1; (s = strchr(s, '/')); *s++ = '/') {
        *s = '\0';
        mkdir(path, 0700);
    }
    mkdir(path, 0700);
    if (access(path, W_OK) == 0)
        setenv("MESA_SHADER_CACHE_DIR", path, 0);
    else /* of which it would complain for each shader */
        setenv("MESA_SHADER_CACHE_DISABLE", "true", 0);
}
#endif

/* Mesa's software device computes 4 or 8 floats at once unless told otherwise; with AVX-512 the shaders
 * written for it gain from 16. The library leaves the environment of its callers alone, so this is done here.
 */
static void widen_software_device(void)
{
#if defined(__x86_64__) && defined(__GNUC__) && !defined(_WIN32)
    if (!__builtin_cpu_supports("avx512f") || getenv("LP_NATIVE_VECTOR_WIDTH")) return;
    setenv("LP_NATIVE_VECTOR_WIDTH", "512", 0);
    keep_wide_shaders_apart();
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

static bool asks_for_help(const char *word) { return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0; }

static strata_status run(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "--help";
    int n_words;
    const cli_command *command = find_command(argc - 1, argv + 1, &n_words);
    if (command) return run_command(command, argc - 1 - n_words, argv + 1 + n_words);
    if (asks_for_help(first) || strcmp(first, "help") == 0) {
        const cli_command *about = find_command(argc - 2, argv + 2, &n_words);
        if (about)
            cli_command_help(about);
        else if (argc == 3 && second_words(argv[2]))
            cli_family_help(argv[2]);
        else if (argc > 2 && argv[2][0] != '-')
            return unknown_command(argv[2], argc > 3 ? argv[3] : NULL);
        else
            cli_help();
    } else if (argc > 2 && asks_for_help(argv[2]) && second_words(first)) {
        cli_family_help(first);
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
        return unknown_command(first, argc > 2 ? argv[2] : NULL);
    }
    return STRATA_OK;
}

/* What is opened next would take the place of a stream that is closed, and get what is printed into it. */
static void keep_streams_apart(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", O_RDONLY) != fd)
            return; /* printing fails, as before */
}

int main(int argc, char **argv)
{
    keep_streams_apart();
    cli_interrupt_clean();
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

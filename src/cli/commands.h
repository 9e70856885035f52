/* Every command, one file each, and the text about them. */
#ifndef STRATA_CLI_COMMANDS_H
#define STRATA_CLI_COMMANDS_H

#include "cli/args.h"

/* A name of two words, "data digits", is that of a command in a family. */
extern const cli_command cli_bench, cli_convert, cli_data_cache, cli_data_digits, cli_data_emoji,
    cli_data_glyphs, cli_data_info, cli_data_show, cli_devices, cli_doctor, cli_evaluate, cli_export,
    cli_finetune, cli_inspect, cli_lr_find, cli_models, cli_predict, cli_rates, cli_train;

/* In the order of --help; ended by NULL. */
extern const cli_command *const cli_commands[];

/* The text of `strata --help`, of `strata COMMAND --help`, and the man page, to stdout. */
void cli_help(void);
void cli_command_help(const cli_command *command);
void cli_family_help(const char *first); /* of the commands with this first word */
void cli_man_page(void);

/* Ends a run that was stopped by a signal with that signal's exit code. 0: none came. */
int cli_signal_code(void);

#endif

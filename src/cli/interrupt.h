/* Ctrl-C and SIGTERM: once, the run finishes its step and saves; twice, the process leaves at once. */
#ifndef STRATA_CLI_INTERRUPT_H
#define STRATA_CLI_INTERRUPT_H

/* Catch SIGINT and SIGTERM from now on. The flag becomes non-zero at the first of them. */
const volatile int *cli_interrupt_begin(void);

#endif

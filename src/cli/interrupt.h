/* Ctrl-C and SIGTERM: once, the run finishes its step and saves; twice, the process leaves at once. Either
 * way it takes what is no whole file yet with it. */
#ifndef STRATA_CLI_INTERRUPT_H
#define STRATA_CLI_INTERRUPT_H

/* Called first: from now on a signal that ends the process removes the files that are being written. */
void cli_interrupt_clean(void);

/* Catch SIGINT and SIGTERM from now on. The flag becomes non-zero at the first of them. */
const volatile int *cli_interrupt_begin(void);

#endif

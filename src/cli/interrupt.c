#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "cli/commands.h"

static volatile int flag;
static volatile sig_atomic_t received;

static void on_signal(int number)
{
    static const char text[] = "\nstopping after this step; once more leaves at once\n";
    if (flag) _exit(128 + number);
    flag = 1;
    received = number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) return; /* nobody to tell */
}

const volatile int *cli_interrupt_begin(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &flag;
}

int cli_signal_code(void) { return received ? 128 + received : 0; }

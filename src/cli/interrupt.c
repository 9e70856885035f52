#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "strata/file.h"

/* A process that is told to end. */
static void on_end(int number)
{
    strata_file_writers_remove();
    raise(number); /* which ends the process when this is left: see SA_RESETHAND */
}

void cli_interrupt_clean(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction was, action = { .sa_handler = on_end, .sa_flags = (int)SA_RESETHAND };
        sigemptyset(&action.sa_mask);
        if (sigaction(numbers[i], NULL, &was) == 0 && was.sa_handler == SIG_DFL)
            sigaction(numbers[i], &action, NULL);
    }
}

/* ---- Work that can be stopped ------------------------------------------------------------------- */

static volatile int flag;
static volatile sig_atomic_t received;
static struct timespec first;

/* timeout(1), and whoever else sends to a process and to its group, sends twice and means once. */
static bool is_another(void)
{
    const double least = 0.5; /* seconds */
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - first.tv_sec) + 1e-9 * (double)(now.tv_nsec - first.tv_nsec) >= least;
}

static void on_signal(int number)
{
    static const char text[] = "\nstopping after this step; once more leaves at once\n";
    if (first.tv_sec && is_another()) {
        strata_file_writers_remove();
        _exit(128 + number);
    }
    if (first.tv_sec) return;
    clock_gettime(CLOCK_MONOTONIC, &first);
    flag = 1;
    received = number;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) return; /* nobody to tell */
}

/* Whoever read what is printed is gone: the run is saved, and does not go on in the dark. */
static void on_pipe(int number)
{
    flag = 1;
    if (!received) received = number;
}

const volatile int *cli_interrupt_begin(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    struct sigaction pipe = { .sa_handler = on_pipe, .sa_flags = SA_RESTART };
    sigemptyset(&pipe.sa_mask);
    sigaction(SIGPIPE, &pipe, NULL);
    sigemptyset(&action.sa_mask); /* one after the other: `first` is of one of them */
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &flag;
}

int cli_signal_code(void) { return received ? 128 + received : 0; }

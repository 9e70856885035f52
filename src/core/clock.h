/* Clocks, in seconds. */
#ifndef STRATA_CORE_CLOCK_H
#define STRATA_CORE_CLOCK_H

#include <time.h>

static inline double strata_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Of a clock that only goes forward; processor time of this thread, and of all threads of the process. */
static inline double strata_now(void) { return strata_clock(CLOCK_MONOTONIC); }
static inline double strata_thread_time(void) { return strata_clock(CLOCK_THREAD_CPUTIME_ID); }
static inline double strata_process_time(void) { return strata_clock(CLOCK_PROCESS_CPUTIME_ID); }

#endif

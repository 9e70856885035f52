/* Threads are started per call: the reference's pieces of work take milliseconds, a start some 20
 * microseconds, and there is no pool to own, to wake or to leak. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "core/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#if defined(__linux__)
#include <sched.h>
#else
#include <unistd.h>
#endif

enum { MAX_THREADS = 64 };

typedef struct job {
    void (*work)(void *context, uint32_t i);
    void *context;
    uint32_t n;
    atomic_uint next;
} job;

static atomic_uint wanted; /* 0: as many as the process has cores */

static void *run(void *argument)
{
    job *j = argument;
    for (uint32_t i; (i = atomic_fetch_add(&j->next, 1)) < j->n;) j->work(j->context, i);
    return NULL;
}

static uint32_t cores(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return (uint32_t)CPU_COUNT(&set);
    return 1;
#else
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
#endif
}

uint32_t strata_threads(void)
{
    uint32_t n = atomic_load(&wanted);
    if (n == 0) n = cores();
    return n < MAX_THREADS ? n : MAX_THREADS;
}

void strata_threads_set(uint32_t n) { atomic_store(&wanted, n); }

void strata_thread_for_on(uint32_t threads, uint32_t n, void (*work)(void *context, uint32_t i),
                          void *context)
{
    pthread_t helper[MAX_THREADS];
    uint32_t started = 0;
    job j = { .work = work, .context = context, .n = n };
    if (threads > n) threads = n;
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    while (started + 1 < threads && pthread_create(&helper[started], NULL, run, &j) == 0) started++;
    run(&j); /* this thread works too, so a failed pthread_create only costs time */
    for (uint32_t i = 0; i < started; i++) pthread_join(helper[i], NULL);
}

void strata_thread_for(uint32_t n, void (*work)(void *context, uint32_t i), void *context)
{
    strata_thread_for_on(strata_threads(), n, work, context);
}

/* Split independent work over the processor's cores. */
#ifndef STRATA_CORE_THREAD_H
#define STRATA_CORE_THREAD_H

#include <stdint.h>

/* Call work(context, i) once for each i in [0, n), on up to strata_threads() threads; returns when all are
 * done. Whoever needs the same bits for any thread count keeps each sum inside one i. Not for nested use. */
void strata_thread_for(uint32_t n, void (*work)(void *context, uint32_t i), void *context);

/* The same on up to `threads`, at least 1. */
void strata_thread_for_on(uint32_t threads, uint32_t n, void (*work)(void *context, uint32_t i),
                          void *context);

/* Threads used: the cores this process may run on, unless set. 0 sets it back to that. */
uint32_t strata_threads(void);
void strata_threads_set(uint32_t n);

#endif

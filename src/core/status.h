/* How a failure is reported, and the two flow macros. */
#ifndef STRATA_CORE_STATUS_H
#define STRATA_CORE_STATUS_H

#include "strata/status.h"

#if defined(__GNUC__)
#define STRATA_FORMAT(text, first) __attribute__((format(printf, text, first)))
#else
#define STRATA_FORMAT(text, first)
#endif

/* Store a message for this thread and return `code`. The message is cut at 4 KiB; strata_message() may be
 * among the values. */
strata_status strata_fail(strata_status code, const char *format, ...) STRATA_FORMAT(2, 3);

#define STRATA_TRY(e)                                                                                        \
    do {                                                                                                     \
        strata_status try_status = (e);                                                                      \
        if (try_status != STRATA_OK) return try_status;                                                      \
    } while (0)

#define STRATA_GO(e)                                                                                         \
    do {                                                                                                     \
        status = (e);                                                                                        \
        if (status != STRATA_OK) goto done;                                                                  \
    } while (0)

#endif

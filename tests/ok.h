/* A call that has to succeed: where it does not, the test fails with the library's message. Include cmocka.h
 * first. */
#ifndef STRATA_TESTS_OK_H
#define STRATA_TESTS_OK_H

#include "core/status.h"

#define OK(call)                                                                                             \
    do {                                                                                                     \
        if ((call) != STRATA_OK) fail_msg("%s: %s", #call, strata_message());                                \
    } while (0)

#endif

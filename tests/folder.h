/* For tests that write files: a folder of their own to stand in, and a check of the last message.
 * Include cmocka.h and what it needs first. */
#ifndef STRATA_TESTS_FOLDER_H
#define STRATA_TESTS_FOLDER_H

#include "core/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct test_folder {
    char before[4096], name[64];
} test_folder;

/* Group setup: make an empty folder and enter it. */
static inline int folder_enter(void **state)
{
    test_folder *folder = calloc(1, sizeof *folder);
    *state = folder;
    if (!folder || !getcwd(folder->before, sizeof folder->before)) return -1;
    strcpy(folder->name, "/tmp/strata-test-XXXXXX");
    return mkdtemp(folder->name) && chdir(folder->name) == 0 ? 0 : -1;
}

/* Group teardown: go back and remove it. */
static inline int folder_leave(void **state)
{
    test_folder *folder = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder->name);
    const int result = chdir(folder->before) == 0 && system(command) == 0 ? 0 : -1;
    free(folder);
    return result;
}

static inline void assert_message(const char *part)
{
    if (!strstr(strata_message(), part)) fail_msg("\"%s\" is not in \"%s\"", part, strata_message());
}

#endif

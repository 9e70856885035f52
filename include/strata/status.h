/* Strata's statuses and the message that goes with one. */
#ifndef STRATA_STATUS_H
#define STRATA_STATUS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define STRATA_API
#else
#define STRATA_API __attribute__((visibility("default")))
#endif

/* name, process exit code of a command that ends with it, text */
#define STRATA_STATUS_LIST(X)                                                                                \
    X(OK, 0, "no error")                                                                                     \
    X(FAILED, 1, "the run failed")                                                                           \
    X(BAD_ARG, 2, "an argument, option or recipe is not usable")                                             \
    X(BAD_SHAPE, 2, "shapes do not fit")                                                                     \
    X(NO_DEVICE, 3, "no usable Vulkan device")                                                               \
    X(FILE, 4, "a file could not be read, written or understood")                                            \
    X(NOT_FINITE, 5, "the loss is not finite")                                                               \
    X(DEVICE_LOST, 6, "the device was lost")                                                                 \
    X(DEVICE_MEMORY, 6, "out of device memory")                                                              \
    X(NO_MEMORY, 1, "out of host memory")                                                                    \
    X(BAD_SHADER, 1, "a shader does not compile")                                                            \
    X(DEVICE, 1, "a Vulkan call failed")                                                                     \
    X(CHECK_FAILED, 1, "a check against the reference failed")                                               \
    X(INTERRUPTED, 130, "interrupted")

#define STRATA_STATUS_ENUM(name, code, text) STRATA_##name,
typedef enum strata_status { STRATA_STATUS_LIST(STRATA_STATUS_ENUM) } strata_status;

/* What this thread's last failing call wanted and what came instead; "" if nothing failed.
 * Owner: the thread; valid until its next failure. */
STRATA_API const char *strata_message(void);

/* The one-line text of a status, and the exit code of a program that ends with it. */
STRATA_API const char *strata_status_text(strata_status status);
STRATA_API int strata_status_exit_code(strata_status status);

/* "Did you mean": the name among `names` [n] nearest to `wanted`: fewest characters added, removed, changed
 * or swapped with their neighbour, at most a third of its length (rounded up); upper and lower case count as
 * equal; the first of equals. NULL: none is that near. */
STRATA_API const char *strata_nearest(const char *wanted, const char *const *names, uint32_t n);

/* Which of two words goes with a count: "1 step", "2 steps". */
static inline const char *strata_noun(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

#ifdef __cplusplus
}
#endif
#endif

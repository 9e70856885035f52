/* Is this device computing what it should? Every operation, every variant of its kernels and one training
 * step, each against the CPU reference. What a user of a new GPU runs first. */
#ifndef STRATA_DOCTOR_H
#define STRATA_DOCTOR_H

#include "strata/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One thing that was checked. All text is borrowed for the time of the call. */
typedef struct strata_doctor_line {
    const char *op;      /* "conv2d" */
    const char *options; /* "kernel=3 stride=2", "" for none */
    const char *variant; /* "tiled"; "-" where the check does not concern one */
    const char *tensor;  /* "out", "dx", "dweight", "running_mean", or the promise: "same bits twice" */
    const char *sizes;   /* of the worst case: "N=2 H=7 W=7 C=5" */
    double error, bound; /* |device - reference| where it came nearest to its bound, and that bound */
    bool passed;
    const char *why; /* what is wrong; "" if it passed */
} strata_doctor_line;

typedef struct strata_doctor_config { /* all-zero: the best Vulkan device */
    strata_device_config device;      /* with `validate`, the layer's complaints are a failed check */
    void (*line)(void *context,
                 const strata_doctor_line *line); /* called for each line; NULL: nothing is told */
    void *context;
} strata_doctor_config;

typedef struct strata_doctor_result {
    strata_caps caps; /* of the device that was examined */
    uint32_t lines, failures;
} strata_doctor_result;

/* Run every check.  result: out, may be NULL; valid also when a check failed.
 * Waits:  for the device; about a minute on a software device, the first time.
 * Errors: STRATA_CHECK_FAILED with the first failure, STRATA_NO_DEVICE, STRATA_BAD_ARG for the options, and
 * whatever stopped the checks. */
STRATA_API strata_status strata_doctor(strata_doctor_result *result, const strata_doctor_config *config);

#ifdef __cplusplus
}
#endif
#endif

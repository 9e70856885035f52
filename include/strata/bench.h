/* How fast is a device, and where does the time of a training step go? */
#ifndef STRATA_BENCH_H
#define STRATA_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "strata/device.h"
#include "strata/recipe.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The fastest copy by a shader that moves so many bytes, its reads and its writes together. */
typedef struct strata_copy_limit {
    double bytes, bytes_per_s;
} strata_copy_limit;

enum { STRATA_COPIES = 4 };

/* What a device was seen to do at best, by shaders that do nothing else. */
typedef struct strata_limits {
    double flops_per_s; /* multiplications and additions of f32, each counted as 1 */
    double bytes_per_s; /* of the largest copy: by memory, where that is beyond the device's caches */
    strata_copy_limit copy[STRATA_COPIES]; /* [n_copies] of 2, 8, 32 and 128 MiB, or what the device binds */
    uint32_t n_copies;                     /* at least 1 */
    double submit_s;                       /* an empty submission, until the host knows that it is over */
    double dispatch_s;                     /* a launch that does nothing, among others, without a barrier */
    bool timestamps; /* launches are timed by the device's own clock; else by the host's, with a submission
                        for each: short ones then seem longer */
} strata_limits;

/* Measure them; one to three seconds. processor_time: as in strata_bench_config.
 * Waits.  Errors: those of memory and of a lost device. */
STRATA_API strata_status strata_device_measure(strata_limits *out, strata_device *d, bool processor_time);

/* Seconds of a launch at the limits: the longer of so many flops and of a copy that moves as many bytes,
 * whose time is between those of the two copies nearest in size. What fits in a cache is set beside a copy
 * that does, and what does not beside one that does not. */
STRATA_API double strata_limits_seconds(const strata_limits *l, double flops, double bytes);

typedef struct strata_bench_config {
    const strata_recipe *recipe; /* model, stem, head, opt, batch, variants, device, ...; NULL: defaults */
    uint32_t h, w, c, classes;   /* of the images; 0: 32, 32, 3, 10 */
    uint32_t steps;              /* timed training steps, and as many batches of inference; 0: 8 */
    bool processor_time; /* launches and limits are timed by the processor time of this process, with a
                            submission for each launch: what a software device works, whatever else the
                            machine does. Rates are then for a second of one core */
    const volatile int *interrupt;   /* may be NULL; non-zero: STRATA_INTERRUPTED */
    void (*note)(const char *lines); /* called with a line before tuning begins; may be NULL */
    const char *wanted; /* an operation or a layer that must be among the lines, or nothing is measured; NULL:
                           any */
} strata_bench_config;

/* The launches of one pass of one layer: those of all micro-batches of a step, or of a batch of inference. */
typedef struct strata_bench_line {
    const char *node, *op;      /* "layer1.0.conv1", "conv2d"; "update", "sgd" or "grad_norm" */
    const char *phase;          /* "train" or "infer" */
    const char *pass, *variant; /* "FORWARD", "BACKWARD_X"; the main kernel's variant */
    const char *shape;          /* "[64,32,32,64] -> [64,32,32,64] kernel=3 pad=1": of a micro-batch */
    uint32_t launches;
    uint32_t parts;      /* micro-batches that the rest is the sum of; of an update 1 */
    double seconds;      /* the least of all rounds */
    double flops, bytes; /* the least that the pass has to do, from its shapes: see strata_limits */
    double limit_s;      /* strata_limits_seconds of them, part by part */
} strata_bench_line;

typedef struct strata_bench {
    strata_caps caps;
    strata_limits limits;
    const char *model;           /* "resnet18" */
    uint32_t batch, micro_batch; /* images of a step or of a batch of inference; of each part of it */
    uint32_t h, w, c, classes, steps;
    bool processor_time; /* of lines and limits */
    uint64_t parameters;
    double train_images_per_s, infer_images_per_s; /* with steps in flight as in a run; medians */
    double train_s, infer_s;                       /* of a step, of a batch: batch / images_per_s */
    double host_s; /* processor time of the host's own work in a step: rates, submission, results */
    double cpu_s; /* processor time of all threads of the process in a step: on a software device, its work */
    double infer_cpu_s;
    double kernel_s, infer_kernel_s; /* sums of `seconds` below */
    double outside;  /* share of a training step that is in no kernel, of the shortest step and kernel_s; 0
                       where kernels, which are timed one by one, together take longer */
    double open_s;   /* from nothing to recordings on the device: compiling shaders included */
    double start_s;  /* the same and the first step */
    uint64_t memory; /* bytes on the device, all of it */
    uint64_t least_memory; /* what is alive at once at the worst moment of this schedule: no placement takes
                              less */
    const strata_bench_line *line; /* [n_lines], in the order they run */
    uint32_t n_lines;
    const char *tuned; /* what tuning found: how many shapes, then each variant that is wrong on the device,
                          lines that end with "\n"; NULL with the recipe's tune off */
} strata_bench;

/* Train and evaluate a recipe's network on made-up images, and time every launch.
 * Owner:  caller; release with strata_bench_close (NULL is allowed). On failure *out is NULL.
 * Waits:  for the device.
 * Errors: those of strata_trainer_open; STRATA_BAD_ARG where `wanted` is not there. */
STRATA_API strata_status strata_bench_open(const strata_bench **out, const strata_bench_config *config);
STRATA_API void strata_bench_close(const strata_bench *b);

#ifdef __cplusplus
}
#endif
#endif

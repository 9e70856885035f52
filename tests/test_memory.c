/* How much memory a plan takes: near the least that a placement of its order could, and with recompute by as
 * much less as is promised. On the reference, whose memory nobody touches before it is used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"
#include "ok.h"

static strata_device *device;

static int open_device(void **state)
{
    (void)state;
    return strata_device_open(&device, &(strata_device_config) { .name = "cpu" }) != STRATA_OK;
}

static int close_device(void **state)
{
    (void)state;
    strata_device_close(device);
    return 0;
}

typedef struct memory {
    double whole, least; /* bytes of the plan, and alive at once */
    double activations;  /* of them, neither parameters nor scratch nor what the host sends and takes */
} memory;

static memory memory_of(const char *name, const char *stem, strata_shape input, bool recompute)
{
    strata_model *model = NULL;
    strata_plan *plan = NULL;
    const strata_model_config config = {
        .model = name, .stem = stem, .input = input, .classes = 10, .loss = true
    };
    const strata_plan_config how = {
        .train = true, .optimizer = STRATA_SGD, .momentum = true, .recompute = recompute
    };
    OK(strata_model_open(&model, &config));
    OK(strata_plan_open(&plan, model->graph, device, &how));
    memory m = { (double)plan->device_bytes, (double)plan->least_bytes, (double)plan->least_bytes };
    const strata_slice other[] = { plan->in,      plan->result,  plan->scratch, plan->weights, plan->grads,
                                   plan->moment1, plan->running, plan->owner,   plan->pieces };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) m.activations -= (double)other[i].bytes;
    strata_plan_close(plan);
    strata_model_close(model);
    return m;
}

static const struct network {
    const char *name, *stem;
    strata_shape input;
    double saved; /* of its activations' memory, at least */
} networks[] = {
    { "resnet18", "small", { 64, 32, 32, 3 }, 0.54 },
    { "resnet18", "imagenet", { 64, 224, 224, 3 }, 0.52 },
    { "resnet50", "imagenet", { 16, 64, 64, 3 }, 0.7 },
    { "mobilenet-v1", "", { 32, 64, 64, 3 }, 0.69 },
};

static void memory_is_near_its_bound(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
        for (int recompute = 0; recompute < 2; recompute++) {
            const struct network *n = &networks[i];
            const memory m = memory_of(n->name, n->stem, n->input, recompute);
            print_message("%-12s %-8s %d images of %d: %.1f MiB, at least %.1f%s\n", n->name, n->stem,
                          (int)n->input.n, (int)n->input.h, m.whole / 1048576, m.least / 1048576,
                          recompute ? ", recomputed" : "");
            if (m.whole > 1.15 * m.least) fail_msg("%s: %g bytes, at least %g", n->name, m.whole, m.least);
        }
}

static void recompute_saves_what_it_promises(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        const struct network *n = &networks[i];
        const double kept = memory_of(n->name, n->stem, n->input, false).activations,
                     again = memory_of(n->name, n->stem, n->input, true).activations;
        print_message("%-12s %-8s %d images of %d: activations %.1f MiB, recomputed %.1f: %.1f %% less\n",
                      n->name, n->stem, (int)n->input.n, (int)n->input.h, kept / 1048576, again / 1048576,
                      100 * (1 - again / kept));
        if (again > (1 - n->saved) * kept) fail_msg("%s: %g bytes of %g are left", n->name, again, kept);
    }
}

/* ---- What is said where it is too large ------------------------------------------------------- */

enum { SIDE = 33, LIMITS = 8 };

/* Bytes of a plan; 0: it was refused, for no other reason than its size. */
static uint64_t bytes_of(const char *name, uint32_t batch, const strata_plan_config *how)
{
    strata_model *model = NULL;
    strata_plan *plan = NULL;
    const strata_model_config config = {
        .model = name, .input = { batch, SIDE, SIDE, 3 }, .classes = 10, .loss = true
    };
    OK(strata_model_open(&model, &config));
    const strata_status status = strata_plan_open(&plan, model->graph, device, how);
    const uint64_t bytes = plan ? plan->device_bytes : 0;
    if (status != STRATA_OK && status != STRATA_DEVICE_MEMORY) fail_msg("%s: %s", name, strata_message());
    strata_plan_close(plan);
    strata_model_close(model);
    return bytes;
}

static void refuse(const char *name, uint32_t batch, strata_plan_config *how, uint32_t *named)
{
    static const char word[] = "--batch ";
    assert_int_equal(bytes_of(name, batch, how), 0);
    const char *at = strstr(strata_message(), word);
    const bool none = strstr(strata_message(), "no batch size would fit"),
               any = strstr(strata_message(), "a smaller --batch");
    const uint32_t fits = at && !any ? (uint32_t)strtoul(at + strlen(word), NULL, 10) : 0;
    assert_int_equal(none + any + (fits > 0), 1);
    if (none && bytes_of(name, 1, how)) fail_msg("%s: one image fits", name);
    if (fits && !bytes_of(name, fits, how)) fail_msg("%s: %u images do not fit", name, (unsigned)fits);
    *named += fits > 0;
}

/* Whatever the limit between a plan of one image and one of the batch. */
static void a_batch_that_is_named_fits(void **state)
{
    (void)state;
    static const char *const names[] = { "lenet5", "small-cnn", "mobilenet-v1" };
    uint32_t named = 0;
    for (int i = 0; i < 3; i++)
        for (uint32_t batch = 1; batch <= 64; batch = 2 * batch + batch / 8)
            for (int way = 0; way < 3; way++) {
                strata_plan_config how = { .train = true,
                                           .optimizer = STRATA_SGD,
                                           .momentum = true,
                                           .half = way == 1,
                                           .recompute = way == 2 };
                const uint64_t one = bytes_of(names[i], 1, &how), all = bytes_of(names[i], batch, &how);
                for (uint32_t k = 0; k <= LIMITS; k++) {
                    how.memory_limit = one / 2 + (all - one / 2) * k / LIMITS - 1;
                    refuse(names[i], batch, &how, &named);
                }
            }
    print_message("a batch was named %u times\n", (unsigned)named);
    assert_true(named > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_near_its_bound),
        cmocka_unit_test(recompute_saves_what_it_promises),
        cmocka_unit_test(a_batch_that_is_named_fits),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}

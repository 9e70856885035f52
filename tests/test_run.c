/* A whole run from C: its rates by a rule of the caller's own, also where it is resumed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/file.h"
#include "folder.h"
#include "ok.h"
#include "strata/strata.h"

enum { STEPS = 8 };

typedef struct watch {
    uint64_t steps, stop_at; /* seen; 0: never */
    int stop;
} watch;

/* Each group by itself, beta1 falling. */
static double rule(void *context, uint64_t step, uint32_t group, double lr, double *momentum)
{
    (void)context;
    *momentum = 0.9 - 0.01 * (double)step;
    return lr * (1 + group) / (double)(1 + step);
}

static void see(void *context, const strata_event *e)
{
    watch *w = context;
    if (e->kind != STRATA_EVENT_STEP) return;
    for (uint32_t g = 0; g < e->n_groups; g++)
        assert_true(e->lr[g] == 1e-2 * (1 + g) / (double)(1 + e->step));
    assert_int_equal(e->n_groups, 3);
    w->stop = ++w->steps == w->stop_at;
}

static strata_status train(watch *w, const char *run_dir, const char *resumed)
{
    const strata_observer observer = { .event = see, .context = w, .interrupt = &w->stop, .rule = rule };
    const char *const keys[] = { "data",  "builtin:digits", "model",    "small-cnn", "device",
                                 "cpu",   "batch",          "8",        "steps",     "8",
                                 "valid", "none",           "schedule", "constant",  "lr",
                                 "1e-2",  "run-dir",        run_dir };
    strata_recipe *r;
    if (resumed) return strata_resume(resumed, NULL, &observer);
    OK(strata_recipe_open(&r));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i += 2) OK(strata_recipe_set(r, keys[i], keys[i + 1]));
    const strata_status status = strata_run(r, "test", &observer);
    strata_recipe_close(r);
    return status;
}

static void rules_are_followed_by_runs(void **state)
{
    (void)state;
    watch whole = { 0 }, half = { .stop_at = 3 }, rest = { 0 };
    char *a, *b;
    size_t n, m;
    OK(train(&whole, "whole", NULL));
    assert_int_equal(whole.steps, STEPS);
    assert_int_equal(train(&half, "half", NULL), STRATA_INTERRUPTED);
    OK(train(&rest, NULL, "half"));
    assert_in_range(half.steps, 3, STEPS - 1);
    assert_int_equal(half.steps + rest.steps, STEPS);
    OK(strata_file_read(&a, &n, "whole/checkpoints/last.safetensors"));
    OK(strata_file_read(&b, &m, "half/checkpoints/last.safetensors"));
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

/* A signal while the data or the network is still opened leaves no folder, and a run as it was. */
static void nothing_is_begun_after_a_signal(void **state)
{
    (void)state;
    watch early = { .stop = 1 }, half = { .stop_at = 3 };
    char *before, *after;
    size_t n, m;
    assert_int_equal(train(&early, "early", NULL), STRATA_INTERRUPTED);
    assert_string_equal(strata_message(), "interrupted before a step was taken");
    assert_false(strata_path_exists("early"));
    assert_int_equal(train(&half, "halved", NULL), STRATA_INTERRUPTED);
    OK(strata_file_read(&before, &n, "halved/run.json"));
    assert_int_equal(train(&early, NULL, "halved"), STRATA_INTERRUPTED);
    OK(strata_file_read(&after, &m, "halved/run.json"));
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    assert_int_equal(early.steps, 0);
    free(before);
    free(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_followed_by_runs),
        cmocka_unit_test(nothing_is_begun_after_a_signal),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

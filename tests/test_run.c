/* A whole run from C: its rates by a rule of the caller's own, also where it is resumed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/asset.h"
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

/*   key, value  one more of the recipe; NULL: none */
static strata_status train_with(watch *w, const char *run_dir, const char *key, const char *value)
{
    const strata_observer observer = { .event = see, .context = w, .interrupt = &w->stop, .rule = rule };
    const char *const keys[] = { "data",  "builtin:digits", "model",    "small-cnn", "device",
                                 "cpu",   "batch",          "8",        "steps",     "8",
                                 "valid", "none",           "schedule", "constant",  "lr",
                                 "1e-2",  "run-dir",        run_dir };
    strata_recipe *r;
    OK(strata_recipe_open(&r));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i += 2) OK(strata_recipe_set(r, keys[i], keys[i + 1]));
    if (key) OK(strata_recipe_set(r, key, value));
    const strata_status status = strata_run(r, "test", &observer);
    strata_recipe_close(r);
    return status;
}

static strata_status train(watch *w, const char *run_dir, const char *resumed)
{
    const strata_observer observer = { .event = see, .context = w, .interrupt = &w->stop, .rule = rule };
    return resumed ? strata_resume(resumed, NULL, &observer) : train_with(w, run_dir, NULL, NULL);
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

static void write_file(const char *path, const char *text)
{
    OK(strata_file_write(path, text, strlen(text)));
}

static char *read_file(const char *path)
{
    char *text = NULL;
    OK(strata_file_read(&text, NULL, path));
    return text;
}

/* A run is begun with the file, which changes before it goes on: it stays as it was until the file is. */
static void goes_on_with(const char *key, const char *value, const char *path, const char *changed)
{
    watch half = { .stop_at = 3 }, rest = { 0 };
    char wanted[96], *text = read_file(path);
    assert_int_equal(train_with(&half, key, key, value), STRATA_INTERRUPTED);
    char record[64];
    snprintf(record, sizeof record, "%s/run.json", key);
    char *before = read_file(record);
    write_file(path, changed);
    assert_int_equal(train(&rest, NULL, key), STRATA_BAD_ARG);
    snprintf(wanted, sizeof wanted, "--%s /", key);
    assert_message(wanted);
    snprintf(wanted, sizeof wanted, "/%s: the file has changed since the run began", path);
    assert_message(wanted);
    char *after = read_file(record);
    assert_string_equal(before, after);
    assert_int_equal(rest.steps, 0);
    assert_int_equal(remove(path), 0);
    assert_int_equal(train(&rest, NULL, key), STRATA_FILE);
    snprintf(wanted, sizeof wanted, "--%s: ", key);
    assert_message(wanted);
    write_file(path, text);
    OK(train(&rest, NULL, key));
    assert_int_equal(half.steps + rest.steps, STEPS);
    free(text);
    free(before);
    free(after);
}

static void files_stay_what_they_were(void **state)
{
    (void)state;
    static const char weights[] = "0,1\n1,2\n2,1\n3,1\n4,1\n5,1\n6,1\n7,1\n8,1\n9,1\n",
                      other[] = "0,1\n1,3\n2,1\n3,1\n4,1\n5,1\n6,1\n7,1\n8,1\n9,1\n";
    const strata_asset *model = strata_asset_find("models/small-cnn.yaml");
    OK(strata_file_write("own.yaml", model->bytes, model->n));
    write_file("weights.csv", weights);
    write_file("draws.csv", weights);
    write_file("rates.csv", "step,stem,body,head\n0,1e-2,1e-2,1e-2\n");
    char *text = read_file("own.yaml"), *at = strstr(text, "pool3, size: 4");
    assert_non_null(at);
    at[strlen("pool3, size: ")] = '2'; /* the same weights */
    goes_on_with("model", "own.yaml", "own.yaml", text);
    goes_on_with("class-weights", "weights.csv", "weights.csv", other);
    goes_on_with("sample", "draws.csv", "draws.csv", other);
    goes_on_with("schedule", "csv:rates.csv", "rates.csv", "step,stem,body,head\n0,1e-2,1e-2,1\n");
    free(text);
}

/* --init is read again where there is no checkpoint, and only there. */
static void first_weights_do(void **state)
{
    (void)state;
    watch whole = { 0 }, half = { .stop_at = 3 }, rest = { 0 };
    char *first, *other;
    size_t n, m;
    OK(train(&whole, "first", NULL));
    OK(strata_file_read(&first, &n, "first/checkpoints/last.safetensors"));
    OK(strata_file_write("init.safetensors", first, n));
    assert_int_equal(train_with(&half, "warm", "init", "init.safetensors"), STRATA_INTERRUPTED);
    OK(strata_file_read(&other, &m, "warm/checkpoints/last.safetensors"));
    OK(strata_file_write("init.safetensors", other, m));
    assert_int_equal(rename("warm/checkpoints/last.state.safetensors", "state"), 0);
    assert_int_equal(train(&rest, NULL, "warm"), STRATA_BAD_ARG);
    assert_message("/init.safetensors: the file has changed since the run began");
    assert_int_equal(rename("state", "warm/checkpoints/last.state.safetensors"), 0);
    OK(train(&rest, NULL, "warm"));
    assert_int_equal(half.steps + rest.steps, STEPS);
    free(first);
    free(other);
}

/* A run of a strata that kept no such record goes on. */
static void records_without_files_do(void **state)
{
    (void)state;
    watch half = { .stop_at = 3 }, rest = { 0 };
    write_file("draws.csv", "0,1\n1,2\n2,1\n3,1\n4,1\n5,1\n6,1\n7,1\n8,1\n9,1\n");
    assert_int_equal(train_with(&half, "old", "sample", "draws.csv"), STRATA_INTERRUPTED);
    char *record = read_file("old/run.json"), *files = strstr(record, "\"files\"");
    assert_non_null(files);
    files[1] = 'F'; /* a name that nobody asks for */
    write_file("old/run.json", record);
    write_file("draws.csv", "0,1\n1,1\n2,1\n3,1\n4,1\n5,1\n6,1\n7,1\n8,1\n9,1\n");
    OK(train(&rest, NULL, "old"));
    free(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_followed_by_runs), cmocka_unit_test(nothing_is_begun_after_a_signal),
        cmocka_unit_test(files_stay_what_they_were),  cmocka_unit_test(first_weights_do),
        cmocka_unit_test(records_without_files_do),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

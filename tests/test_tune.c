/* The autotuner: a wrong variant never wins, choices are kept and taken again, a damaged file is measured
 * anew, and what somebody forced is left alone. */
#include "rig.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/plan.h"
#include "graph/tune.h"
#include "ops/conv2d.h"
#include "ops/inside.h"
#include "vulkan/device.h"

static char folder[] = "/tmp/strata-tune-XXXXXX";

static strata_device *open_for_tuning(const char *shaders)
{
    strata_device *d = NULL;
    OK(strata_device_open(&d, &(strata_device_config) { .shader_dir = shaders, .validate = true }));
    return d;
}

static bool half; /* with tensors of 16 bits */

/* Two convolutions of one shape, a norm between them, and one of another shape. */
static strata_graph *make_graph(void)
{
    const strata_setting conv[] = { { "out", "16" }, { "kernel", "3" }, { "pad", "1" }, { "bias", "false" } };
    strata_graph *g = NULL;
    strata_tensor *x;
    OK(strata_graph_open(&g, (strata_shape) { 6, 12, 12, 16 }));
    OK(strata_graph_add(g, &x, "conv2d", "zero", &g->input, 1, conv, 4));
    OK(strata_graph_add(g, &x, "conv2d", "one", &x, 1, conv, 4));
    OK(strata_graph_add(g, &x, "batch_norm", "norm", &x, 1, NULL, 0));
    OK(strata_graph_add(g, &x, "conv2d", "two", &x, 1, conv, 4));
    OK(strata_graph_add(g, &x, "linear", "last", &x, 1, (strata_setting[]) { { "out", "5" } }, 1));
    strata_plan_types(g, &(strata_plan_config) { .half = half });
    return g;
}

static char wrong[4096]; /* the last report's */

static strata_tune_report tune_graph(char out[4096], strata_device *d, strata_graph *g, const char *forced,
                                     bool full)
{
    strata_tune_report report;
    strata_text text = { 0 };
    const strata_tune_config config = { .train = true, .full = full, .forced = forced };
    OK(strata_tune(&text, &report, d, g, &config));
    snprintf(out, 4096, "%s", text.length ? text.s : "");
    snprintf(wrong, sizeof wrong, "%s", report.wrong.length ? report.wrong.s : "");
    strata_text_free(&text);
    strata_text_free(&report.wrong);
    return report;
}

static strata_tune_report tune(char out[4096], strata_device *d, const char *forced, bool full)
{
    strata_graph *g = make_graph();
    const strata_tune_report report = tune_graph(out, d, g, forced, full);
    strata_graph_close(g);
    return report;
}

static void has(const char *choices, const char *item)
{
    if (!strstr(choices, item)) fail_msg("no \"%s\" in %s", item, choices);
}

static void lacks(const char *choices, const char *item)
{
    if (strstr(choices, item)) fail_msg("\"%s\" in %s", item, choices);
}

/* The path of the file of choices, the only one whose name begins so. */
static void kept_file(char out[600])
{
    char path[512];
    snprintf(path, sizeof path, "%s/strata", folder);
    DIR *d = opendir(path);
    assert_non_null(d);
    *out = '\0';
    for (struct dirent *e; (e = readdir(d));)
        if (strncmp(e->d_name, "tuned-", 6) == 0) snprintf(out, 600, "%s/%.80s", path, e->d_name);
    closedir(d);
}

static void choices_are_kept_and_taken_again(void **state)
{
    (void)state;
    char first[4096], again[4096], path[600];
    strata_device *d = open_for_tuning(NULL);
    strata_tune_report r = tune(first, d, NULL, false);
    assert_int_equal(r.measured, 4); /* "two" is "one" once more */
    assert_int_equal(r.remembered, 0);
    assert_int_equal(r.rejected, 0);
    assert_string_equal(wrong, "");
    has(first, "one:FORWARD=");
    has(first, "one:BACKWARD_X=");
    has(first, "two:BACKWARD_W=");
    has(first, "norm:STATS=");
    lacks(first, "zero:BACKWARD_X="); /* the input has no gradient */
    close_device(d);

    d = open_for_tuning(NULL);
    r = tune(again, d, NULL, false);
    assert_int_equal(r.measured, 0);
    assert_int_equal(r.remembered, 4);
    assert_string_equal(first, again);
    r = tune(again, d, NULL, true); /* measured otherwise */
    assert_int_equal(r.measured, 4);
    close_device(d);

    kept_file(path);
    for (int damage = 0; damage < 2; damage++) {
        struct stat was;
        assert_int_equal(stat(path, &was), 0);
        FILE *f = fopen(path, "r+");
        assert_non_null(f);
        fseek(f, damage ? 2 : 30, SEEK_SET); /* in the sum, in the text */
        fputc('#', f);
        fclose(f);
        if (damage) assert_int_equal(truncate(path, 5), 0);
        d = open_for_tuning(NULL);
        r = tune(again, d, NULL, false);
        assert_int_equal(r.measured, 4);
        r = tune(again, d, NULL, false);
        assert_int_equal(r.measured, 0);
        close_device(d);
    }
    d = NULL; /* another device, as far as kernels see */
    OK(strata_device_open(&d, &(strata_device_config) { .limits = "texels=0", .validate = true }));
    r = tune(again, d, NULL, false);
    assert_int_equal(r.measured, 4);
    close_device(d);
}

/* What is kept for this device; the caller puts it back changed. */
static char *kept_text(strata_device *d)
{
    strata_text text = { 0 };
    strata_device_recall(&text, d, "tuned");
    assert_true(text.length > 0);
    return text.s;
}

/* Old choices may be slow by other host code, and old verdicts wrong. */
static void other_host_code_measures_anew(void **state)
{
    (void)state;
    char choices[4096];
    strata_device *d = open_for_tuning(NULL);
    tune(choices, d, NULL, false);
    char *kept = kept_text(d);
    assert_memory_equal(kept, "launchers ", 10);
    kept[10] = kept[10] == 'a' ? 'b' : 'a';
    strata_device_remember(d, "tuned", kept);
    free(kept);
    strata_tune_report r = tune(choices, d, NULL, false);
    assert_int_equal(r.measured, 4);
    r = tune(choices, d, NULL, false);
    assert_int_equal(r.measured, 0);
    close_device(d);
}

/* Which stores kernels use is decided by what the device may do. */
static void other_stores_are_measured_anew(void **state)
{
    (void)state;
    char choices[4096];
    strata_device *d = open_for_tuning(NULL);
    tune(choices, d, NULL, false);
    bool *const members[] = { &d->gpu->caps.doubles, &d->gpu->caps.addresses };
    for (int i = 0; i < 2; i++) {
        strata_text text = { 0 };
        *members[i] = !*members[i];
        strata_device_recall(&text, d, "tuned");
        assert_int_equal(text.length, 0);
        *members[i] = !*members[i];
    }
    free(kept_text(d));
    close_device(d);
}

/* Options are known by what a model file says: a struct's pointers differ from run to run. */
static void no_address_is_in_a_key(void **state)
{
    (void)state;
    char choices[4096];
    strata_device *d = open_for_tuning(NULL);
    tune(choices, d, NULL, false);
    strata_graph *g = make_graph();
    conv2d_options *o = g->node[1]->options;
    o->norm = g->node[2];
    const strata_tune_report r = tune_graph(choices, d, g, NULL, false);
    o->norm = NULL;
    strata_graph_close(g);
    assert_int_equal(r.measured, 0);
    char *kept = kept_text(d);
    has(kept, "\nconv2d [6,12,12,16] -> [6,12,12,16] kernel=3 pad=1 bias=0 train\tFORWARD=");
    free(kept);
    close_device(d);
}

/* A verdict is told by every run that goes by it, not only by the one that found it. */
static void what_was_wrong_is_told_again(void **state)
{
    (void)state;
    char choices[4096], changed[8192];
    strata_device *d = open_for_tuning(NULL);
    tune(choices, d, NULL, false);
    char *kept = kept_text(d), *line = strstr(kept, "bias=0 train\t"), *end = strchr(line, '\n');
    snprintf(changed, sizeof changed, "%.*sFORWARD=tile32,=winograd2%s", (int)(end - kept), kept, end);
    free(kept);
    strata_device_remember(d, "tuned", changed);
    const strata_tune_report r = tune(choices, d, NULL, false);
    assert_int_equal(r.measured, 0);
    assert_int_equal(r.rejected, 2); /* once, though two layers are of this shape */
    assert_string_equal(wrong, "conv2d [6,12,12,16] -> [6,12,12,16] kernel=3 pad=1 bias=0 train: FORWARD by "
                               "tile32 is not what the plain kernel gives\n"
                               "conv2d [6,12,12,16] -> [6,12,12,16] kernel=3 pad=1 bias=0 train: winograd2 "
                               "cannot be made\n");
    has(choices, "one:FORWARD=");
    lacks(choices, "winograd2");
    close_device(d);
}

static void what_is_forced_is_left_alone(void **state)
{
    (void)state;
    char choices[4096];
    strata_device *d = open_for_tuning(NULL);
    strata_tune_report r = tune(choices, d, "conv2d=plain", false);
    assert_int_equal(r.measured + r.remembered, 2); /* the norm's and the linear layer's */
    lacks(choices, "one:");
    lacks(choices, "zero:");
    has(choices, "norm:STATS=");
    tune(choices, d, "one:FORWARD=plain,conv2d.BACKWARD_W=plain", false);
    lacks(choices, "one:FORWARD");
    lacks(choices, "one:BACKWARD_W");
    lacks(choices, "two:BACKWARD_W");
    has(choices, "last:BACKWARD_W=");
    has(choices, "two:FORWARD=");
    has(choices, "one:BACKWARD_X=");
    tune(choices, d, "exact,", false);
    lacks(choices, "one:");
    has(choices, "norm:STATS=");
    tune(choices, d, "exact1:FORWARD=plain", false); /* a layer's name is no wish for exactness */
    has(choices, "one:FORWARD=");
    tune(choices, d, "conv2d=nonsense", false); /* no variant of that name: nothing is forced */
    has(choices, "one:FORWARD=");
    close_device(d);
}

/* Their variants are no less right, and what was the fastest with 32 bits need not be. */
static void tensors_of_16_bits_are_measured_apart(void **state)
{
    (void)state;
    char choices[4096];
    strata_device *d = open_for_tuning(NULL);
    tune(choices, d, NULL, true);
    half = true;
    strata_tune_report r = tune(choices, d, NULL, true);
    assert_int_equal(r.measured, 4);
    assert_int_equal(r.rejected, 0);
    has(choices, "one:BACKWARD_X=");
    r = tune(choices, d, NULL, true);
    assert_int_equal(r.measured, 0);
    half = false;
    close_device(d);
}

static void copy_shaders(const char *to)
{
    char command[1200];
    snprintf(command, sizeof command, "cp -r '%s/shaders' '%s'", SOURCE_DIR, to);
    assert_int_equal(system(command), 0);
}

/* A kernel that leaves half of its work undone is fast. */
static void a_wrong_variant_never_wins(void **state)
{
    (void)state;
    char choices[4096], shaders[600], command[1800];
    strata_device *d = open_for_tuning(NULL);
    const bool subgroups = strata_device_caps(d)->cpu_type && strata_device_caps(d)->subgroup;
    close_device(d);
    if (!subgroups) skip();
    snprintf(shaders, sizeof shaders, "%s/shaders", folder);
    copy_shaders(shaders);
    /* Every second tap of the kernels that are preferred here is left out. */
    snprintf(command, sizeof command,
             "sed -i 's/uint rounds = taps/uint rounds = taps \\/ 2/' '%s/conv2d_subgroup.glsl' && ! cmp -s "
             "'%s/conv2d_subgroup.glsl' "
             "'%s/shaders/conv2d_subgroup.glsl'",
             shaders, shaders, SOURCE_DIR);
    assert_int_equal(system(command), 0);
    d = open_for_tuning(shaders);
    strata_tune_report r = tune(choices, d, NULL, true);
    assert_true(r.rejected >= 2); /* forward and the input's gradient */
    has(wrong, "conv2d [6,12,12,16] -> [6,12,12,16] kernel=3 pad=1 bias=0 train full: FORWARD by subgroup is "
               "not what the plain kernel gives\n");
    lacks(choices, "one:FORWARD=subgroup");
    lacks(choices, "two:BACKWARD_X=subgroup");
    has(choices, "one:FORWARD=");
    has(choices, "two:BACKWARD_X=");
    close_device(d);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return 1;
    return setenv("XDG_CACHE_HOME", folder, 1);
}

static int remove_folder(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_are_kept_and_taken_again),
        cmocka_unit_test(other_host_code_measures_anew),
        cmocka_unit_test(other_stores_are_measured_anew),
        cmocka_unit_test(no_address_is_in_a_key),
        cmocka_unit_test(what_was_wrong_is_told_again),
        cmocka_unit_test(what_is_forced_is_left_alone),
        cmocka_unit_test(tensors_of_16_bits_are_measured_apart),
        cmocka_unit_test(a_wrong_variant_never_wins),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

#define _GNU_SOURCE /* strdup, mkdtemp, scandir */
/* What is kept on disk, what is read from --shader-dir, and what damage and edits lead to. */
#include "rig.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static char cache[] = "/tmp/strata-cache-XXXXXX", folder[] = "/tmp/strata-shaders-XXXXXX";

typedef struct found {
    uint32_t n;
    char path[16][512];
    ino_t file[16];
} found;

/* The files of $XDG_CACHE_HOME/strata whose names hold `part`, in the order of their names. */
static found look(const char *part)
{
    found f = { 0 };
    char inside[64];
    struct dirent **entry = NULL;
    snprintf(inside, sizeof inside, "%s/strata", cache);
    int n = scandir(inside, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        struct stat info;
        if (strstr(entry[i]->d_name, part) && entry[i]->d_name[0] != '.') {
            assert_true(f.n < 16);
            snprintf(f.path[f.n], sizeof f.path[f.n], "%s/%s", inside, entry[i]->d_name);
            assert_int_equal(stat(f.path[f.n], &info), 0);
            f.file[f.n++] = info.st_ino;
        }
        free(entry[i]);
    }
    free(entry);
    return f;
}

static void use(bool no_cache)
{
    strata_device *d = NULL;
    OK(strata_device_open(&d, &(strata_device_config) { .validate = true, .no_cache = no_cache }));
    OK(run_one(d, 3));
    close_device(d);
}

/* Change a file: a negative `at` counts from the end; `flip` 0 cuts the file there. */
static void damage(const char *path, long at, int flip)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    long place = ftell(f);
    if (flip) {
        int c = fgetc(f);
        assert_int_equal(fseek(f, place, SEEK_SET), 0);
        fputc(c ^ flip, f);
    } else {
        assert_int_equal(ftruncate(fileno(f), place), 0);
    }
    fclose(f);
}

static int same_files(const found *a, const found *b)
{
    return a->n == b->n && memcmp(a->file, b->file, sizeof a->file) == 0;
}

static void kept_and_found_again(void **state)
{
    (void)state;
    struct stat info;
    use(true);
    assert_int_equal(look("").n, 0);
    use(false);
    found first = look(".spv"), all = look("");
    assert_true(first.n >= 1);
    assert_true(look("pipelines").n == 1);
    assert_int_equal(look("spv.").n, 0); /* nothing half-written lies about */
    char inside[64];
    snprintf(inside, sizeof inside, "%s/strata", cache);
    assert_int_equal(stat(inside, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    use(false);
    found second = look(".spv");
    assert_true(same_files(&first, &second)); /* nothing was compiled again */
    assert_int_equal(look("").n, all.n);
}

static void damaged_files_are_made_anew(void **state)
{
    (void)state;
    static const struct {
        long at;
        int flip;
    } how[] = { { -1, 1 }, { -200, 16 }, { -321, 255 }, { 0, 1 }, { 9, 1 },
                { -4, 0 }, { 700, 0 },   { 3, 0 },      { 0, 0 } };
    use(false);
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        const found before = look(".spv");
        for (uint32_t k = 0; k < before.n; k++) damage(before.path[k], how[i].at, how[i].flip);
        const found verdict = look("subgroup");
        for (uint32_t k = 0; k < verdict.n; k++) assert_int_equal(remove(verdict.path[k]), 0);
        const found pipelines = look("pipelines");
        damage(pipelines.path[0], how[i].at < -30 ? -1 : how[i].at, how[i].flip);
        use(false);
        found after = look(".spv");
        assert_int_equal(before.n, after.n);
        for (uint32_t k = 0; k < after.n; k++) /* each was refused and written again */
            if (before.file[k] == after.file[k]) fail_msg("damage %zu of %s went unseen", i, before.path[k]);
    }
}

/* No folder, no home, no right to write: everything runs. */
static void a_cache_that_cannot_be(void **state)
{
    (void)state;
    static const char *const places[] = { "relative", "/proc/nowhere", "/dev/null" };
    for (int i = 0; i < 3; i++) {
        setenv("XDG_CACHE_HOME", places[i], 1);
        use(false);
    }
    unsetenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char *copy = home ? strdup(home) : NULL;
    unsetenv("HOME");
    use(false);
    if (copy) setenv("HOME", copy, 1);
    free(copy);
    setenv("XDG_CACHE_HOME", cache, 1);
    assert_int_not_equal(access("relative/strata", F_OK), 0); /* the specification: not a relative path */
}

/* ---- A folder of shaders ----------------------------------------------------------------------------- */

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = calloc(1, 65536);
    assert_non_null(text);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    return text;
}

static void write_text(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* Put the shader into the folder with `old` replaced by `new`, and run it. */
static strata_status run_edited(const char *old, const char *new, const char *limits, uint32_t factor)
{
    char *text = read_text(SOURCE_DIR "/shaders/selftest.comp"), *at = strstr(text, old);
    static char edited[65536];
    strata_device *d = NULL;
    assert_non_null(at);
    snprintf(edited, sizeof edited, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    free(text);
    write_text("selftest.comp", edited);
    /* subgroup=0: no start-up test, so that it is the test's own launch that meets the edit */
    OK(strata_device_open(
        &d, &(strata_device_config) { .shader_dir = folder, .limits = limits, .validate = true }));
    strata_status status = run_one(d, factor);
    close_device(d);
    return status;
}

static void shaders_from_a_folder(void **state)
{
    (void)state;
    char *kernel = read_text(SOURCE_DIR "/shaders/kernel.glsl");
    write_text("kernel.glsl", kernel);
    free(kernel);
    const char *none = "subgroup=0", *product = "y[i] = 3u * x[i] + add", *x = "uint x[];";
    OK(run_edited("modulo", "modulo", none, 3));
    OK(run_edited("modulo", "modulo", NULL, 3)); /* with the start-up test, read from there too */
    OK(run_edited(product, "y[i] = 5u * x[i] + add", none, 5));
    FAILS(run_edited(product, "y[i] = 5u * z[i] + add", none, 5), STRATA_BAD_SHADER, "selftest.comp:52: 'z'");
    FAILS(run_edited("\"kernel.glsl\"", "\"kernels.glsl\"", none, 3), STRATA_FILE,
          "selftest.comp:2: cannot include");
    FAILS(run_edited("add, size; };", "plus, size; };\n#define add plus\n", none, 3), STRATA_BAD_SHADER,
          "wanted add:u@4, came plus:u@4");
    FAILS(run_edited("uint n, add, size", "uint n, add", none, 3), STRATA_BAD_SHADER,
          "wanted size:u@8, came no more");
    FAILS(run_edited("add, size;", "add, size, more;", none, 3), STRATA_BAD_SHADER,
          "wanted no more, came more:u@12");
    FAILS(run_edited("uint n, add", "float n; uint add", none, 3), STRATA_BAD_SHADER,
          "wanted n:u@0, came n:f@0");
    FAILS(run_edited("add, size; };", "add; uvec2 size; };", none, 3), STRATA_BAD_SHADER,
          "packed 32-bit scalars");
    FAILS(run_edited(x, "uint ex[];", none, 3), STRATA_BAD_SHADER, "'x'");
    FAILS(run_edited("(binding = 0) readonly", "(binding = 0)", none, 3), STRATA_BAD_SHADER,
          "binding 0, x: wanted readonly");
    FAILS(run_edited("(binding = 1)", "(binding = 2)", none, 3), STRATA_BAD_SHADER, "binding 1 is skipped");
    FAILS(run_edited("void main()", "shared uint room[9000];\nvoid main()", none, 3), STRATA_BAD_ARG,
          "wants 36000 bytes of shared memory");
}

/* A variant may read the same tensor as texels. */
static void texels(void **state)
{
    (void)state;
    char *text = read_text(SOURCE_DIR "/shaders/selftest.comp"), *at;
    const char *old = "3u * x[i]", *new = "3u * floatBitsToUint(texelFetch(x, int(i / 4u))[i % 4u])",
               *buffer = "readonly buffer B0 { uint x[]; };", *view = "uniform samplerBuffer x;";
    static char once[65536], twice[65536];
    at = strstr(text, old);
    snprintf(once, sizeof once, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    at = strstr(once, buffer);
    assert_non_null(at);
    snprintf(twice, sizeof twice, "%.*s%s%s", (int)(at - once), once, view, at + strlen(buffer));
    free(text);
    at = strstr(twice, "own = x[i]");
    memcpy(at, "own = i;  ", 10);
    write_text("selftest.comp", twice);
    static const char *const limits[] = { "subgroup=0", "subgroup=0,texels=249" };
    for (int i = 0; i < 2; i++) {
        strata_device *d = NULL;
        OK(strata_device_open(
            &d, &(strata_device_config) { .shader_dir = folder, .limits = limits[i], .validate = true }));
        if (i == 0)
            OK(run_one(d, 3));
        else
            FAILS(run_one(d, 3), STRATA_BAD_ARG, "selftest (one): x: wanted 250 texels at byte 0");
        close_device(d);
    }
}

static void a_folder_that_is_not_there(void **state)
{
    (void)state;
    for (int cpu = 0; cpu < 2; cpu++) { /* which compiles nothing, and would not miss it */
        strata_device *d = NULL;
        const strata_device_config config = { .name = cpu ? "cpu" : "auto", .shader_dir = "/nonexistent" };
        FAILS(strata_device_open(&d, &config), STRATA_FILE,
              "--shader-dir /nonexistent: there is no such folder");
        assert_null(d);
    }
}

int main(void)
{
    char command[128];
    if (!mkdtemp(cache) || !mkdtemp(folder)) return 1;
    setenv("XDG_CACHE_HOME", cache, 1);
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1); /* Mesa's own cache would go to the same odd places */
    if (chdir(folder) != 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_and_found_again),
        cmocka_unit_test(damaged_files_are_made_anew),
        cmocka_unit_test(a_cache_that_cannot_be),
        cmocka_unit_test(shaders_from_a_folder),
        cmocka_unit_test(texels),
        cmocka_unit_test(a_folder_that_is_not_there),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -r %s %s", cache, folder);
    return system(command) == 0 ? failed : 1;
}

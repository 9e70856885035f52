#define _GNU_SOURCE /* setenv, mkdtemp */
/* What a machine without Vulkan is told, and that the reference works there. The loader reads its environment
 * when it starts, so each case is this program run again as another process. */
#include "rig.h"

#include <sys/wait.h>
#include <unistd.h>

static char *self;

/* Run "self role" with a changed environment; returns its exit status and what it printed. */
static int run_self(char said[4096], const char *role, const char *const environment[][2])
{
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        for (int i = 0; environment[i][0]; i++) setenv(environment[i][0], environment[i][1], 1);
        execl(self, self, role, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(ends[0], said + n, 4095 - n)) > 0;) n += (size_t)got;
    said[n] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void wants(const char *said, const char *text)
{
    if (!strstr(said, text)) fail_msg("\"%s\" is not in: %s", text, said);
}

/* The child: the list, then one opening of each sort; prints every message. Exit status: what opening auto
 * gave. */
static int try_everything(bool validate)
{
    strata_device_entry list[4];
    strata_device *d = NULL;
    uint32_t n = 0;
    const char *note = "";
    if (strata_device_list(list, 4, &n, &note) != STRATA_OK) return 100;
    printf("listed %u, last %s, note: %s\n", n, list[n - 1].caps.name, note);
    if (strata_device_open(&d, &(strata_device_config) { .name = "cpu" }) != STRATA_OK) return 101;
    strata_device_close(d);
    if (strata_device_open(&d, &(strata_device_config) { .name = "0" }) == STRATA_OK)
        printf("number 0 is %s\n", strata_device_caps(d)->vulkan ? "Vulkan" : "the reference");
    strata_device_close(d);
    d = NULL;
    strata_status status = strata_device_open(&d, &(strata_device_config) { .validate = validate });
    printf("auto: %s\n", status == STRATA_OK ? "opened" : strata_message());
    strata_device_close(d);
    return (int)status;
}

static void without_a_driver(void **state)
{
    (void)state;
    char said[4096];
    assert_int_equal(run_self(said, "all",
                              (const char *const[][2]) { { "VK_ICD_FILENAMES", "/nonexistent.json" },
                                                         { "VK_DRIVER_FILES", "/nonexistent.json" },
                                                         { NULL, NULL } }),
                     STRATA_NO_DEVICE);
    wants(said, "listed 1, last cpu, note: there is a Vulkan loader but no driver");
    wants(said, "number 0 is the reference");
    wants(said, "auto: there is a Vulkan loader but no driver: install mesa-vulkan-drivers");
    wants(said, "--device cpu");
}

/* An empty file in the loader's place, which the dynamic linker finds first and refuses. */
static void without_a_loader(void **state)
{
    (void)state;
    char said[4096], folder[] = "/tmp/strata-XXXXXX", path[2][64];
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/libvulkan.so%s", folder, i ? ".1" : "");
        FILE *f = fopen(path[i], "w");
        assert_non_null(f);
        fclose(f);
    }
    int status = run_self(said, "all",
                          (const char *const[][2]) { { "LD_LIBRARY_PATH", folder }, { NULL, NULL } });
    for (int i = 0; i < 2; i++) remove(path[i]);
    rmdir(folder);
    assert_int_equal(status, STRATA_NO_DEVICE);
    wants(said, "listed 1, last cpu, note: no Vulkan loader: install libvulkan1");
    wants(said, "number 0 is the reference");
    wants(said, "auto: no Vulkan loader: install libvulkan1 and mesa-vulkan-drivers (Debian");
}

static void without_the_validation_layer(void **state)
{
    (void)state;
    char said[4096];
    assert_int_equal(run_self(said, "validate",
                              (const char *const[][2]) { { "VK_LAYER_PATH", "/nonexistent" },
                                                         { "XDG_DATA_DIRS", "/nonexistent" },
                                                         { NULL, NULL } }),
                     STRATA_NO_DEVICE);
    wants(said, "auto: VK_LAYER_KHRONOS_validation is not installed (Debian: vulkan-validationlayers)");
}

/* The control: without any of these the same program opens a device. */
static void with_everything(void **state)
{
    (void)state;
    char said[4096];
    assert_int_equal(run_self(said, "validate", (const char *const[][2]) { { NULL, NULL } }), STRATA_OK);
    wants(said, "last cpu, note: \n");
    wants(said, "number 0 is Vulkan");
    wants(said, "auto: opened");
}

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc == 2) return try_everything(strcmp(argv[1], "validate") == 0);
    const struct CMUnitTest tests[] = { cmocka_unit_test(without_a_driver),
                                        cmocka_unit_test(without_a_loader),
                                        cmocka_unit_test(without_the_validation_layer),
                                        cmocka_unit_test(with_everything) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

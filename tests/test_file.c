/* Files: what was written is read back, and a failed write leaves what stood there and nothing beside it. */
#define _XOPEN_SOURCE 700 /* mkdtemp, setrlimit, symlink */
#include "core/file.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "folder.h"

static void assert_holds(const char *path, const char *text)
{
    char *bytes;
    size_t n;
    assert_int_equal(strata_file_read(&bytes, &n, path), STRATA_OK);
    assert_int_equal(n, strlen(text));
    assert_string_equal(bytes, text);
    free(bytes);
}

static void a_written_file_is_read_back(void **state)
{
    (void)state;
    static char big[300000];
    for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(i * 7 + i / 251);
    assert_int_equal(strata_file_write("big", big, sizeof big), STRATA_OK);
    char *bytes;
    size_t n;
    assert_int_equal(strata_file_read(&bytes, &n, "big"), STRATA_OK);
    assert_int_equal(n, sizeof big);
    assert_memory_equal(bytes, big, n);
    assert_int_equal(bytes[n], 0);
    free(bytes);

    assert_int_equal(strata_file_write("big", NULL, 0), STRATA_OK);
    assert_holds("big", "");
    assert_int_equal(strata_file_write("plain", "x", 1), STRATA_OK);
    struct stat info;
    const mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat("plain", &info), 0);
    assert_int_equal(info.st_mode & 0777, 0666 & ~mask);
}

static void a_file_without_a_size_is_read(void **state)
{
    (void)state;
    char *bytes;
    size_t n;
    if (access("/proc/self/maps", R_OK) != 0) skip();
    assert_int_equal(strata_file_read(&bytes, &n, "/proc/self/maps"), STRATA_OK);
    assert_true(n > 0 && bytes[n] == '\0');
    free(bytes);
}

static void a_failed_read_names_path_and_reason(void **state)
{
    (void)state;
    char *bytes;
    assert_int_equal(strata_file_read(&bytes, NULL, "nowhere/at-all"), STRATA_FILE);
    assert_null(bytes);
    assert_message("nowhere/at-all");
    assert_message("No such file");
    assert_int_equal(strata_file_read(&bytes, NULL, "/"), STRATA_FILE);
    assert_null(bytes);
    assert_message("directory");
}

static void a_failed_write_leaves_the_old_file_alone(void **state)
{
    (void)state;
    static char big[200000];
    assert_int_equal(strata_folder_make("full"), STRATA_OK);
    assert_int_equal(strata_file_write("full/kept", "old", 3), STRATA_OK);

    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 50000;
    signal(SIGXFSZ, SIG_IGN); /* so that the write fails as it does on a full disk */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const strata_status at_once = strata_file_write("full/kept", big, sizeof big);
    strata_file_writer w;
    strata_status in_pieces = strata_file_writer_begin(&w, "full/kept");
    for (int i = 0; i < 10 && in_pieces == STRATA_OK; i++) in_pieces = strata_file_writer_put(&w, big, 20000);
    const bool closed = !w.file && strata_file_writer_commit(&w) == STRATA_FILE;
    strata_file_writer_begin(&w, "full/kept");
    strata_file_writer_put(&w, big, 49000);
    strata_file_writer_put(&w, big, 1500); /* stays in the buffer: only the commit can notice */
    const strata_status at_commit = strata_file_writer_commit(&w);
    setrlimit(RLIMIT_FSIZE, &limit);

    assert_int_equal(at_once, STRATA_FILE);
    assert_int_equal(in_pieces, STRATA_FILE);
    assert_true(closed);
    assert_int_equal(at_commit, STRATA_FILE);
    assert_message("full/kept");
    assert_message("File too large");
    assert_message("50500");
    assert_holds("full/kept", "old");

    /* Printed to without a look at what came of it; there is room again when the file is to be whole. */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    strata_file_writer_begin(&w, "full/kept");
    const bool printed = fwrite(big, 1, sizeof big, w.file) == sizeof big;
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_false(printed);
    assert_int_equal(strata_file_writer_commit(&w), STRATA_FILE);
    assert_message("full/kept");
    assert_holds("full/kept", "old");
    unlink("full/kept");
    assert_true(strata_folder_empty("full"));
}

static void an_abandoned_file_was_never_there(void **state)
{
    (void)state;
    strata_file_writer w = { 0 };
    strata_file_writer_abandon(&w);
    assert_int_equal(strata_folder_make("given-up"), STRATA_OK);
    assert_int_equal(strata_file_writer_begin(&w, "given-up/file"), STRATA_OK);
    assert_int_equal(strata_file_writer_put(&w, "part", 4), STRATA_OK);
    assert_false(strata_path_exists("given-up/file"));
    strata_file_writer_abandon(&w);
    strata_file_writer_abandon(&w);
    assert_true(strata_folder_empty("given-up"));
    assert_int_equal(strata_file_writer_put(&w, "part", 4), STRATA_FILE);

    strata_file_writer other; /* two at a time do not meet */
    assert_int_equal(strata_file_writer_begin(&w, "given-up/file"), STRATA_OK);
    assert_int_equal(strata_file_writer_begin(&other, "given-up/file"), STRATA_OK);
    assert_int_equal(strata_file_writer_put(&w, "first", 5), STRATA_OK);
    assert_int_equal(strata_file_writer_put(&other, "second", 6), STRATA_OK);
    assert_int_equal(strata_file_writer_commit(&w), STRATA_OK);
    assert_int_equal(strata_file_writer_commit(&other), STRATA_OK);
    assert_holds("given-up/file", "second");
}

/* As a signal's handler does it, which meets writers that are open, were open, or are too many to list. */
static void unfinished_files_are_removed(void **state)
{
    (void)state;
    enum { LISTED = 64, ALL = 67 };
    strata_file_writer w[ALL];
    assert_int_equal(strata_folder_make("unfinished"), STRATA_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(strata_file_write("unfinished/whole", "x", 1), STRATA_OK);
        for (int i = 0; i < ALL; i++)
            assert_int_equal(strata_file_writer_begin(&w[i], "unfinished/file"), STRATA_OK);
        char *kept = strdup(w[ALL - 1].temporary);
        strata_file_writers_remove();
        strata_file_writers_remove();
        assert_non_null(kept);
        for (int i = 0; i < ALL; i++) assert_int_equal(strata_path_exists(w[i].temporary), i >= LISTED);
        assert_int_equal(strata_file_writer_commit(&w[0]), STRATA_FILE);
        assert_false(strata_path_exists("unfinished/file"));
        for (int i = 1; i < ALL; i++) strata_file_writer_abandon(&w[i]);
        assert_false(strata_path_exists(kept));
        assert_holds("unfinished/whole", "x");
        free(kept);
    }
}

static void only_regular_files_are_replaced(void **state)
{
    (void)state;
    assert_int_equal(strata_folder_make("folder"), STRATA_OK);
    assert_int_equal(strata_file_write("folder", "x", 1), STRATA_FILE);
    assert_message("a folder");
    assert_int_equal(strata_file_write("/dev/null", "x", 1), STRATA_FILE);
    assert_message("/dev/null");
    assert_int_equal(strata_file_write("nowhere/file", "x", 1), STRATA_FILE);
    assert_message("nowhere/file");

    assert_int_equal(strata_file_write("target", "old", 3), STRATA_OK);
    assert_int_equal(symlink("target", "link"), 0);
    assert_int_equal(strata_file_write("link", "new", 3), STRATA_OK);
    assert_holds("target", "new");
    struct stat info;
    assert_int_equal(lstat("link", &info), 0);
    assert_true(S_ISLNK(info.st_mode));
}

static void a_log_grows_by_lines(void **state)
{
    (void)state;
    strata_log log = { 0 };
    strata_log_close(&log);
    assert_int_equal(strata_log_open(&log, "log"), STRATA_OK);
    assert_int_equal(strata_log_line(&log, "one"), STRATA_OK);
    assert_holds("log", "one\n"); /* before it is closed */
    assert_int_equal(strata_log_line(&log, "two"), STRATA_OK);
    strata_log_close(&log);
    assert_int_equal(strata_log_open(&log, "log"), STRATA_OK);
    assert_int_equal(strata_log_line(&log, "three"), STRATA_OK);
    strata_log_close(&log);
    assert_int_equal(strata_log_line(&log, "four"), STRATA_FILE);
    assert_holds("log", "one\ntwo\nthree\n");

    assert_int_equal(strata_file_write("log", "one\ntw", 6), STRATA_OK);
    assert_int_equal(strata_log_open(&log, "log"), STRATA_OK);
    assert_int_equal(strata_log_line(&log, "three"), STRATA_OK);
    strata_log_close(&log);
    assert_holds("log", "one\ntw\nthree\n");

    assert_int_equal(strata_log_open(&log, "nowhere/log"), STRATA_FILE);
    assert_message("nowhere/log");
    if (access("/dev/full", W_OK) != 0) return;
    assert_int_equal(strata_log_open(&log, "/dev/full"), STRATA_OK);
    assert_int_equal(strata_log_line(&log, "lost"), STRATA_FILE);
    assert_message("/dev/full: No space left");
    strata_log_close(&log);
}

static void folders_are_made_with_those_above(void **state)
{
    (void)state;
    assert_false(strata_path_exists("a"));
    assert_int_equal(strata_folder_make("a/b//c/"), STRATA_OK);
    assert_int_equal(strata_folder_make("a/b/c"), STRATA_OK);
    assert_int_equal(strata_folder_make("/"), STRATA_OK);
    assert_true(strata_path_exists("a/b/c") && strata_folder_exists("a/b/c"));
    assert_true(strata_folder_empty("a/b/c"));
    assert_false(strata_folder_empty("a/b"));
    assert_false(strata_folder_empty("nowhere"));
    assert_int_equal(strata_file_write("a/file", "x", 1), STRATA_OK);
    assert_false(strata_folder_empty("a/file"));
    assert_false(strata_folder_exists("a/file"));
    assert_int_equal(strata_folder_make("a/file/d"), STRATA_FILE);
    assert_message("a/file is a file");
    assert_int_equal(strata_folder_make(""), STRATA_FILE);
}

static void check_name(const char *path, const char *wanted)
{
    char *name;
    assert_int_equal(strata_path_name(&name, path), STRATA_OK);
    assert_string_equal(name, wanted);
    free(name);
}

static void paths_join_and_part(void **state)
{
    (void)state;
    char *path;
    assert_int_equal(strata_path_join(&path, "a", "b"), STRATA_OK);
    assert_string_equal(path, "a/b");
    free(path);
    assert_int_equal(strata_path_join(&path, "a/", "b"), STRATA_OK);
    assert_string_equal(path, "a/b");
    free(path);
    assert_int_equal(strata_path_join(&path, "", "b"), STRATA_OK);
    assert_string_equal(path, "b");
    free(path);
    check_name("a/b", "b");
    check_name("a/b//", "b");
    check_name("b", "b");
    check_name("/", "/");
    check_name("", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_file_is_read_back),
        cmocka_unit_test(a_file_without_a_size_is_read),
        cmocka_unit_test(a_failed_read_names_path_and_reason),
        cmocka_unit_test(a_failed_write_leaves_the_old_file_alone),
        cmocka_unit_test(an_abandoned_file_was_never_there),
        cmocka_unit_test(unfinished_files_are_removed),
        cmocka_unit_test(only_regular_files_are_replaced),
        cmocka_unit_test(a_log_grows_by_lines),
        cmocka_unit_test(folders_are_made_with_those_above),
        cmocka_unit_test(paths_join_and_part),
    };
    return cmocka_run_group_tests_name("file", tests, folder_enter, folder_leave);
}

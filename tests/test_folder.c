/* Folders of pictures: layouts, what is left out and by which name, the split, the same bits on any number of
 * threads. */
#define _XOPEN_SOURCE 700 /* mkdtemp, symlink */
#include "core/file.h"
#include "data/folder.h"
#include "data/picture.h"
#include "strata/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>
#include <utime.h>
#include <cmocka.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "folder.h"

/* A PPM of one colour but for its first pixel. */
static void write_ppm(const char *path, uint32_t h, uint32_t w, uint8_t value)
{
    char file[8192];
    int n = snprintf(file, sizeof file, "P6\n%u %u\n255\n", (unsigned)w, (unsigned)h);
    memset(file + n, value, h * w * 3);
    file[n] = (char)(value + 50);
    assert_int_equal(strata_file_write(path, file, (size_t)n + h * w * 3), STRATA_OK);
}

static void make(const char *folder) { assert_int_equal(strata_folder_make(folder), STRATA_OK); }

/* [folder]/[part]/a with `n` pictures, b with 2; the value of each is its number. */
static void make_part(const char *folder, const char *part, uint32_t n)
{
    char path[256];
    for (uint32_t i = 0; i < n + 2; i++) {
        snprintf(path, sizeof path, "%s%s/%s", folder, part, i < n ? "a" : "b");
        make(path);
        snprintf(path, sizeof path, "%s%s/%s/%02u.ppm", folder, part, i < n ? "a" : "b", (unsigned)i);
        write_ppm(path, 6, 5, (uint8_t)i);
    }
}

static void make_set(const char *folder, uint32_t train, uint32_t valid)
{
    make_part(folder, "/train", train);
    make_part(folder, "/valid", valid);
}

static strata_data *open_data(const char *folder, const strata_data_config *config)
{
    strata_data *data;
    assert_int_equal(strata_data_load(&data, folder, config), STRATA_OK);
    return data;
}

static void parts_and_classes(void **state)
{
    (void)state;
    const char *const names[] = { "/valid", "/val", "/test" };
    for (int i = 2; i >= 0; i--) { /* each is taken before those after it */
        make_part("whole", "/train", 3);
        make_part("whole", names[i], (uint32_t)i + 1);
        strata_data *d = open_data("whole", NULL);
        const strata_data_info info = strata_data_describe(d);
        assert_string_equal(info.name, "whole");
        assert_true(info.train == 5 && info.valid == (uint32_t)i + 3 && info.classes == 2);
        assert_true(info.h == 6 && info.w == 5 && info.c == 3 && info.n_skipped == 0);
        assert_string_equal(info.class_names[1], "b");
        const int32_t labels[5] = { 0, 0, 0, 1, 1 };
        assert_memory_equal(d->train.labels, labels, sizeof labels);
        for (uint32_t k = 0; k < 5; k++) {
            assert_int_equal(d->train.pixels[k * 90], k + 50);
            assert_int_equal(d->train.pixels[k * 90 + 1], k);
        }
        assert_string_equal(d->file[0][4].name, "train/b/04.ppm");
        strata_data_close(d);
    }
}

/* Each bad file is named once, whatever is wrong with it, and the rest is there. */
static void bad_files_are_named_and_skipped(void **state)
{
    (void)state;
    char *good;
    size_t n;
    make_set("bad", 3, 1);
    assert_int_equal(strata_file_read(&good, &n, SOURCE_DIR "/tests/golden/pictures/rgb.png"), STRATA_OK);
    assert_int_equal(strata_file_write("bad/train/a/cut.png", good, n / 2), STRATA_OK);
    free(good);
    assert_int_equal(strata_file_write("bad/train/a/empty.jpg", "", 0), STRATA_OK);
    assert_int_equal(symlink("nowhere", "bad/train/b/gone.gif"), 0);
    write_ppm("bad/valid/b/large.ppm", 40, 41, 7);
    make("bad/train/none");
    assert_int_equal(strata_file_write("bad/train/b/x.webp", "x", 1), STRATA_OK);
    assert_int_equal(strata_file_write("bad/train/b/y.WEBP", "x", 1), STRATA_OK);
    assert_int_equal(strata_file_write("bad/train/notes", "x", 1), STRATA_OK);
    strata_data *d = open_data("bad", &(const strata_data_config) { .h = 6, .w = 5, .max_pixels = 1639 });
    const strata_data_info info = strata_data_describe(d);
    static const char *const wanted[][2] = {
        { "train/a/cut.png", "train/a/cut.png is damaged" },
        { "train/a/empty.jpg", "came 0" },
        { "train/b/gone.gif", "bad/train/b/gone.gif: No such file" },
        { "valid/b/large.ppm", "41 x 40 pixels are more than the 1639" },
        { "train/b/x.webp", "2 files *.webp are of a type that is not read, the first is train/b/x.webp" },
        { "train/notes", "train/notes is of a type that is not read" },
    };
    assert_true(info.train == 5 && info.valid == 3 && info.classes == 2);
    assert_int_equal(info.n_skipped, 6);
    for (uint32_t i = 0; i < 6; i++) {
        assert_string_equal(info.skipped[i].file, wanted[i][0]);
        if (!strstr(info.skipped[i].why, wanted[i][1])) fail_msg("'%s'", info.skipped[i].why);
        assert_int_equal(info.skipped[i].files, i == 4 ? 2 : 1);
    }
    assert_int_equal(d->train.pixels[4 * 90 + 1], 4);
    strata_data_close(d);
}

/* Files that fail only when their pixels are wanted: those behind them move up. */
static void damage_behind_the_header_leaves_no_gap(void **state)
{
    (void)state;
    make_set("late", 3, 1);
    char *good;
    size_t n;
    assert_int_equal(strata_file_read(&good, &n, SOURCE_DIR "/tests/golden/pictures/rgb.png"), STRATA_OK);
    assert_int_equal(strata_file_write("late/train/a/01.ppm", good, n / 2), STRATA_OK);
    free(good);
    strata_data *d = open_data("late", &(const strata_data_config) { .h = 6, .w = 5 });
    const int32_t labels[4] = { 0, 0, 1, 1 };
    assert_int_equal(d->train.n, 4);
    assert_memory_equal(d->train.labels, labels, sizeof labels);
    for (uint32_t k = 0; k < 4; k++) assert_int_equal(d->train.pixels[k * 90 + 1], k ? k + 1 : 0);
    assert_int_equal(d->n_skipped, 1);
    assert_string_equal(d->skipped[0].file, "train/a/01.ppm");
    assert_string_equal(d->file[0][1].name, "train/a/02.ppm");
    strata_data_close(d);
}

static void what_is_no_set_is_refused(void **state)
{
    (void)state;
    strata_data *d;
    make("only/train/a");
    assert_int_equal(strata_data_open(&d, "only"), STRATA_FILE);
    assert_message("only/train: wanted pictures in a folder for each class");
    make_set("extra", 1, 1);
    make("extra/valid/c");
    write_ppm("extra/valid/c/0.ppm", 6, 5, 0);
    assert_int_equal(strata_data_open(&d, "extra"), STRATA_FILE);
    assert_message("extra/valid/c is a class that the training part does not have");
    make("dead/a");
    assert_int_equal(strata_file_write("dead/a/x.png", "x", 1), STRATA_OK);
    assert_int_equal(strata_data_open(&d, "dead"), STRATA_FILE);
    assert_message("its only picture cannot be read: a/x.png");
    make_part("dark", "/valid", 1);
    make("dark/train/a");
    make("dark/train/b");
    assert_int_equal(strata_file_write("dark/train/a/x.png", "x", 1), STRATA_OK);
    assert_int_equal(strata_file_write("dark/train/b/x.png", "x", 1), STRATA_OK);
    assert_int_equal(strata_data_open(&d, "dark"), STRATA_FILE);
    assert_message("dark: no picture is left to train on; the first: train/a/x.png");
    assert_null(d);
}

/* Where an image lies does not change when others come; another seed draws others. */
static void the_split_is_stable(void **state)
{
    (void)state;
    bool valid[40] = { 0 }, other = false;
    uint32_t n = 0;
    make_part("one", "", 38);
    strata_data *d = open_data("one", NULL);
    for (uint32_t i = 0; i < d->valid.n; i++) valid[d->valid.pixels[i * 90 + 1]] = true;
    assert_int_equal(d->train.n + d->valid.n, 40);
    strata_data_close(d);
    for (int i = 0; i < 40; i++) n += valid[i];
    assert_in_range(n, 3, 14); /* 40 draws of 0.2: 8, and 2.3 standard deviations */
    write_ppm("one/a/000-new.ppm", 6, 5, 90);
    write_ppm("one/b/new.ppm", 6, 5, 90);
    d = open_data("one", NULL);
    for (uint32_t i = 0; i < d->valid.n; i++)
        if (d->valid.pixels[i * 90 + 1] != 90) n -= valid[d->valid.pixels[i * 90 + 1]];
    assert_int_equal(n, 0);
    strata_data_close(d);
    d = open_data("one", &(const strata_data_config) { .seed = 1 });
    for (uint32_t i = 0; i < d->valid.n; i++) other = other || !valid[d->valid.pixels[i * 90 + 1] % 40];
    assert_true(other);
    strata_data_close(d);
    d = open_data("one", &(const strata_data_config) { .valid_fraction = -1 });
    assert_true(d->valid.n == 0 && d->train.n == 42);
    strata_data_close(d);
    d = open_data("one", &(const strata_data_config) { .valid_fraction = 0.5 });
    assert_in_range(d->valid.n, 12, 30);
    strata_data_close(d);
}

/* Which of two classes' files 0.ppm to 29.ppm are for validation: a bit for each class. */
static void find_sides(uint8_t side[30], const char *folder, bool by_name)
{
    memset(side, 0, 30);
    strata_data *d = open_data(
        folder, &(const strata_data_config) { .valid_fraction = 0.5, .valid_by_name = by_name });
    for (uint32_t i = 0; i < d->valid.n; i++) {
        const uint8_t *pixel = d->valid.pixels + i * 90;
        if (pixel[1] < 30) side[pixel[1]] |= (uint8_t)(1 << d->valid.labels[i]);
    }
    strata_data_close(d);
}

/* Files of one name in two classes are drawn each for itself, unless it is asked for by name; nothing moves
 * when files come or the classes go into train/. */
static void equal_names_are_drawn_apart(void **state)
{
    (void)state;
    uint8_t side[30], again[30];
    uint32_t apart = 0;
    assert_int_equal(strata_folder_make("twins/a"), STRATA_OK);
    assert_int_equal(strata_folder_make("twins/b"), STRATA_OK);
    for (int i = 0; i < 30; i++)
        for (int k = 0; k < 2; k++) {
            char path[64];
            snprintf(path, sizeof path, "twins/%c/%d.ppm", 'a' + k, i);
            write_ppm(path, 6, 5, (uint8_t)i);
        }
    find_sides(side, "twins", false);
    for (int i = 0; i < 30; i++) apart += side[i] == 1 || side[i] == 2;
    assert_in_range(apart, 6, 24); /* half of 30, and 3.3 standard deviations */
    write_ppm("twins/a/10a.ppm", 6, 5, 90);
    assert_int_equal(strata_folder_make("twins/c"), STRATA_OK);
    write_ppm("twins/c/1.ppm", 6, 5, 91);
    find_sides(again, "twins", false);
    assert_memory_equal(again, side, sizeof side);
    assert_int_equal(rename("twins", "twins-train"), 0);
    assert_int_equal(strata_folder_make("twins"), STRATA_OK);
    assert_int_equal(rename("twins-train", "twins/train"), 0);
    find_sides(again, "twins", false);
    assert_memory_equal(again, side, sizeof side);
    find_sides(again, "twins", true);
    for (int i = 0; i < 30; i++) assert_true(again[i] == 0 || again[i] == 3);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    make_set("many", 60, 20);
    assert_int_equal(strata_file_write("many/train/a/bad.png", "x", 1), STRATA_OK);
    uint64_t print[2];
    for (uint32_t i = 0; i < 2; i++) {
        strata_data *d = open_data("many",
                                   &(const strata_data_config) { .h = 4, .w = 9, .threads = 1 + 4 * i });
        print[i] = d->fingerprint;
        assert_true(d->train.h == 4 && d->train.w == 9 && d->n_skipped == 1);
        strata_data_close(d);
    }
    assert_true(print[0] == print[1]);
}

/* Its one cache file; "": there is none. */
static void find_cache(char *path, size_t room)
{
    FILE *list = popen("ls -d cache/strata/pixels-* 2>/dev/null", "r");
    if (!list || !fgets(path, (int)room, list)) *path = '\0';
    path[strcspn(path, "\n")] = '\0';
    pclose(list);
}

/* The same bits, names and failures with the cache as without; none for other contents, no damaged one. */
static void the_cache_is_for_these_contents(void **state)
{
    (void)state;
    char *bytes, path[256], *cwd = getcwd(NULL, 0), home[4200];
    size_t n;
    snprintf(home, sizeof home, "%s/cache", cwd);
    free(cwd);
    setenv("XDG_CACHE_HOME", home, 1);
    make_set("kept", 5, 2);
    assert_int_equal(strata_file_read(&bytes, &n, SOURCE_DIR "/tests/golden/pictures/rgb.png"), STRATA_OK);
    assert_int_equal(strata_file_write("kept/train/a/02.png", bytes, n / 2), STRATA_OK);
    free(bytes);
    const strata_data_config write = { .h = 6, .w = 5, .cache = STRATA_CACHE_WRITE },
                             read = { .h = 6, .w = 5 };
    strata_data *first = open_data("kept", &write), *second = open_data("kept", &read);
    assert_true(first->fingerprint == second->fingerprint && second->owned.mapped && first->owned.mapped);
    assert_string_equal(first->cache, second->cache);
    assert_int_equal(second->n_skipped, 1);
    assert_string_equal(first->skipped[0].why, second->skipped[0].why);
    assert_string_equal(second->file[0][6].name, "train/b/06.ppm");
    assert_memory_equal(first->train.labels, second->train.labels, 7 * sizeof(int32_t));
    const uint64_t print = first->fingerprint;
    strata_data_close(first);
    strata_data_close(second);
    const strata_data_config others[] = { { .h = 5, .w = 6 },
                                          { .h = 6, .w = 5, .channels = 1 },
                                          { .h = 6, .w = 5, .fit = STRATA_FIT_PAD },
                                          { .h = 6, .w = 5, .filter = STRATA_FILTER_BICUBIC },
                                          { .h = 6, .w = 5, .background_set = true },
                                          { .h = 6, .w = 5, .cache = STRATA_CACHE_NONE } };
    for (int i = 0; i < 6; i++) {
        first = open_data("kept", &others[i]);
        assert_null(first->cache);
        strata_data_close(first);
    }
    find_cache(path, sizeof path);
    assert_int_equal(strata_file_read(&bytes, &n, path), STRATA_OK);
    bytes[n - 1] ^= 1;
    assert_int_equal(strata_file_write(path, bytes, n), STRATA_OK);
    first = open_data("kept", &read);
    assert_true(!first->cache && first->fingerprint == print);
    strata_data_close(first);
    bytes[n - 1] ^= 1;
    assert_int_equal(strata_file_write(path, bytes, n - 1), STRATA_OK);
    first = open_data("kept", &read);
    assert_null(first->cache);
    strata_data_close(first);
    assert_int_equal(strata_file_write(path, bytes, n), STRATA_OK);
    free(bytes);
    write_ppm("kept/train/a/00.ppm", 6, 5, 99);
    first = open_data("kept", &read);
    assert_true(!first->cache && first->fingerprint != print);
    strata_data_close(first);
    unsetenv("XDG_CACHE_HOME");
}

/* Change four bytes of a cache file, and its checksum with them. */
static void patch(char *bytes, size_t n, size_t at, uint32_t value)
{
    enum { HASH_AT = 24, PAGE = 4096 };
    memcpy(bytes + at, &value, sizeof value);
    const uint64_t hash = XXH64(bytes + PAGE, n - PAGE, 0);
    memcpy(bytes + HASH_AT, &hash, sizeof hash);
}

/* A checksum that fits does not make a file right: shapes and texts are looked at, too. */
static void a_cache_is_not_trusted(void **state)
{
    (void)state;
    enum { H_AT = 40, W_AT = 44 };
    char *bytes, *cwd = getcwd(NULL, 0), home[4200], path[512];
    size_t n;
    snprintf(home, sizeof home, "%s/untrusted", cwd);
    free(cwd);
    setenv("XDG_CACHE_HOME", home, 1);
    make_set("forged", 5, 2);
    assert_int_equal(strata_file_read(&bytes, &n, SOURCE_DIR "/tests/golden/pictures/rgb.png"), STRATA_OK);
    assert_int_equal(strata_file_write("forged/train/a/02.png", bytes, n / 2), STRATA_OK);
    free(bytes);
    const strata_data_config write = { .h = 6, .w = 5, .cache = STRATA_CACHE_WRITE };
    strata_data *d = open_data("forged", &write);
    snprintf(path, sizeof path, "%s", d->cache);
    strata_data_close(d);
    assert_int_equal(strata_file_read(&bytes, &n, path), STRATA_OK);
    for (int what = 0; what < 3; what++) { /* as it is; 5 x 6; a text without its end */
        if (what == 1) patch(bytes, n, H_AT, 5);
        if (what == 1) patch(bytes, n, W_AT, 6);
        if (what == 2) patch(bytes, n, n - 4, 0x78787878);
        assert_int_equal(strata_file_write(path, bytes, n), STRATA_OK);
        d = open_data("forged", &(const strata_data_config) { .h = 6, .w = 5 });
        assert_int_equal(d->cache != NULL, what == 0);
        assert_true(d->n_skipped == 1 && strstr(d->skipped[0].why, "damaged"));
        strata_data_close(d);
        if (what == 1) patch(bytes, n, H_AT, 6);
        if (what == 1) patch(bytes, n, W_AT, 5);
    }
    free(bytes);
    unsetenv("XDG_CACHE_HOME");
}

/* What is too large for memory is decoded into a cache file, to the same bits; a failure leaves no gap. */
static void large_sets_are_mapped(void **state)
{
    (void)state;
    char *bytes, *cwd = getcwd(NULL, 0), home[4200];
    size_t n;
    snprintf(home, sizeof home, "%s/large-cache", cwd);
    free(cwd);
    setenv("XDG_CACHE_HOME", home, 1);
    make_set("large", 5, 3);
    assert_int_equal(strata_file_read(&bytes, &n, SOURCE_DIR "/tests/golden/pictures/rgb.png"), STRATA_OK);
    assert_int_equal(strata_file_write("large/train/a/02.png", bytes, n / 2), STRATA_OK);
    free(bytes);
    strata_data *held = open_data("large",
                                  &(const strata_data_config) { .h = 6, .w = 5, .memory = 13 * 6 * 5 * 3 });
    assert_true(!held->cache && !held->owned.mapped && held->train.n == 7 && held->valid.n == 5);
    for (int i = 0; i < 2; i++) { /* made, then found */
        strata_data *d = open_data("large", &(const strata_data_config) { .h = 6, .w = 5, .memory = 1079 });
        assert_true(d->cache && d->owned.mapped && !d->owned.pixels[0] && d->train.n == 7 && d->valid.n == 5);
        assert_true(d->fingerprint == held->fingerprint && d->n_skipped == 1);
        assert_string_equal(d->skipped[0].why, held->skipped[0].why);
        assert_memory_equal(d->valid.pixels, held->valid.pixels, 5 * 6 * 5 * 3);
        assert_memory_equal(d->train.labels, held->train.labels, 7 * sizeof(int32_t));
        strata_data_close(d);
    }
    strata_data_close(held);
    const strata_data_config none = { .h = 6, .w = 5, .cache = STRATA_CACHE_NONE, .memory = 1079 };
    strata_data *d;
    assert_int_equal(strata_data_load(&d, "large", &none), STRATA_FILE);
    assert_message("large: 13 images of 6x5x3 take 1170 bytes, at most 1079 are held in memory");
    unsetenv("XDG_CACHE_HOME");
}

/* Make a file that was last written so many hours ago. */
static void leave(const char *path, time_t hours)
{
    const time_t then = time(NULL) - hours * 3600;
    assert_int_equal(strata_file_write(path, "x", 1), STRATA_OK);
    assert_int_equal(utime(path, &(struct utimbuf) { then, then }), 0);
}

/* What a killed process left in the middle of a cache goes when the next one is made; nothing else does. */
static void caches_of_killed_processes_go(void **state)
{
    (void)state;
    static const char *const stay[] = { "swept/strata/pixels-1.7.0.tmp", "swept/strata/other-1.7.0.tmp",
                                        "swept/strata/pixels-1" };
    char *cwd = getcwd(NULL, 0), home[4200];
    snprintf(home, sizeof home, "%s/swept", cwd);
    free(cwd);
    setenv("XDG_CACHE_HOME", home, 1);
    make_set("swept-set", 5, 2);
    make("swept/strata");
    for (int i = 0; i < 3; i++) leave(stay[i], i ? 25 : 23);
    leave("swept/strata/pixels-2.7.0.tmp", 25);
    strata_data_close(open_data("swept-set", &(const strata_data_config) { .cache = STRATA_CACHE_WRITE }));
    for (int i = 0; i < 3; i++) assert_true(strata_path_exists(stay[i]));
    assert_false(strata_path_exists("swept/strata/pixels-2.7.0.tmp"));
    unsetenv("XDG_CACHE_HOME");
}

/* A cache below what is no folder, as it is with a home that cannot be written: the pixels are held, and why
 * is said; but not where they are far too many, or the file itself is what is wanted. */
static void large_sets_do_without_a_cache(void **state)
{
    (void)state;
    char *cwd = getcwd(NULL, 0), home[4200], below[4300];
    strata_data *d;
    snprintf(home, sizeof home, "%s/no-folder", cwd);
    snprintf(below, sizeof below, "%s/deep", home);
    free(cwd);
    make_set("homeless", 5, 3);
    strata_data *held = open_data("homeless", &(const strata_data_config) { .cache = STRATA_CACHE_NONE });
    assert_int_equal(strata_file_write(home, "", 0), STRATA_OK);
    setenv("XDG_CACHE_HOME", below, 1);
    d = open_data("homeless", &(const strata_data_config) { .memory = 720 });
    assert_true(!d->cache && !d->owned.mapped && d->fingerprint == held->fingerprint);
    assert_non_null(strstr(d->uncached, "no-folder is a file"));
    strata_data_close(d);
    assert_int_equal(strata_data_load(&d, "homeless", &(const strata_data_config) { .memory = 719 }),
                     STRATA_FILE);
    assert_message(
        "homeless: 1080 bytes of pixels are too many to hold without a cache: cannot make folder ");
    const strata_data_config write = { .cache = STRATA_CACHE_WRITE };
    assert_int_equal(strata_data_load(&d, "homeless", &write), STRATA_FILE);
    assert_message("cannot make folder ");
    assert_int_equal(unlink(home), 0);
    d = open_data("homeless", &(const strata_data_config) { .memory = 720 }); /* and now with its parents */
    assert_true(d->cache && d->owned.mapped && !d->uncached && d->fingerprint == held->fingerprint);
    strata_data_close(d);
    strata_data_close(held);
    unsetenv("XDG_CACHE_HOME");
}

static void a_report_finds_what_is_in_both_parts(void **state)
{
    (void)state;
    strata_data_report r;
    make_set("twice", 3, 1);
    write_ppm("twice/train/a/09.ppm", 7, 9, 1);
    write_ppm("twice/train/a/10.ppm", 7, 9, 1);
    write_ppm("twice/valid/b/09.ppm", 7, 9, 1);
    write_ppm("twice/valid/b/11.ppm", 7, 9, 1);
    write_ppm("twice/valid/a/12.ppm", 7, 9, 2);
    strata_data *d = open_data("twice", &(const strata_data_config) { .h = 6, .w = 5 });
    assert_int_equal(strata_data_look(&r, d), STRATA_OK);
    assert_true(r.class_train[0] == 5 && r.class_train[1] == 2 && r.class_valid[0] == 2);
    assert_true(r.class_valid[1] == 4 && r.h_least == 6 && r.h_most == 7 && r.w_least == 5 && r.w_most == 9);
    /* make_part gives 0, 1 and 2 of both parts the same pixels */
    assert_int_equal(r.n_duplicates, 4);
    assert_int_equal(r.repeats, 1);
    assert_string_equal(r.duplicate[3].train_file, "train/a/09.ppm");
    assert_string_equal(r.duplicate[3].valid_file, "valid/b/09.ppm");
    strata_data_report_free(&r);
    strata_data_close(d);
}

/* Five images in rows of three, two pixels of white around each, of the bits that are trained on. */
static void a_grid_shows_what_is_trained_on(void **state)
{
    (void)state;
    strata_recipe *r;
    strata_picture grid;
    make_set("shown", 3, 1);
    assert_int_equal(strata_recipe_open(&r), STRATA_OK);
    assert_int_equal(strata_recipe_set(r, "augment", "none"), STRATA_OK);
    assert_int_equal(strata_recipe_set(r, "order", "sequential"), STRATA_OK);
    assert_int_equal(strata_recipe_show("shown", r, "grid.png", 9), STRATA_OK);
    assert_int_equal(strata_picture_read(&grid, "grid.png"), STRATA_OK);
    assert_true(grid.h == 2 + 2 * 8 && grid.w == 2 + 3 * 7 && grid.c == 3);
    for (uint32_t y = 0; y < grid.h; y++)
        for (uint32_t x = 0; x < grid.w; x++) {
            const uint32_t image = y / 8 * 3 + x / 7, row = y % 8, column = x % 7;
            const bool inside = row >= 2 && column >= 2 && image < 5;
            const uint32_t first = row == 2 && column == 2 ? 50 : 0; /* the first value of each differs */
            assert_int_equal(grid.pixels[(y * grid.w + x) * 3], inside ? image + first : 255);
        }
    strata_picture_free(&grid);
    strata_recipe_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_and_classes),
        cmocka_unit_test(bad_files_are_named_and_skipped),
        cmocka_unit_test(damage_behind_the_header_leaves_no_gap),
        cmocka_unit_test(what_is_no_set_is_refused),
        cmocka_unit_test(the_split_is_stable),
        cmocka_unit_test(equal_names_are_drawn_apart),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(the_cache_is_for_these_contents),
        cmocka_unit_test(a_cache_is_not_trusted),
        cmocka_unit_test(caches_of_killed_processes_go),
        cmocka_unit_test(large_sets_are_mapped),
        cmocka_unit_test(large_sets_do_without_a_cache),
        cmocka_unit_test(a_report_finds_what_is_in_both_parts),
        cmocka_unit_test(a_grid_shows_what_is_trained_on),
    };
    return cmocka_run_group_tests_name("folder", tests, folder_enter, folder_leave);
}

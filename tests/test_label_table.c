/* CSV files of labels: which picture a line means, what its classes are, and what is wrong, with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/csv.h"
#include "core/file.h"
#include "data/data.h"
#include "folder.h"
#include "ok.h"

static void write_text(const char *path, const char *text) { OK(strata_file_put(path, text, strlen(text))); }

/* A grey picture of one value. */
static void write_picture(const char *path, int value)
{
    char bytes[32];
    const int n = snprintf(bytes, sizeof bytes, "P5 1 1 255\n%c", value);
    OK(strata_file_put(path, bytes, (size_t)n));
}

static strata_data *open_set(const char *csv, double share)
{
    strata_data *data = NULL;
    write_text("set/labels.csv", csv);
    OK(strata_data_load(&data, "set",
                        &(strata_data_config) { .valid_fraction = share, .cache = STRATA_CACHE_NONE }));
    return data;
}

/* set/train/{a,b,c}.pgm, set/valid/{d,a}.pgm, set/odd name,1.pgm: values 10, 11, 12, 20, 21, 30 */
static void make_set(void)
{
    OK(strata_folder_make("set/train"));
    OK(strata_folder_make("set/valid"));
    write_picture("set/train/a.pgm", 10);
    write_picture("set/train/b.pgm", 11);
    write_picture("set/train/c.pgm", 12);
    write_picture("set/valid/d.pgm", 20);
    write_picture("set/valid/a.pgm", 21);
    write_picture("set/odd name,1.pgm", 30);
}

/* The classes of the image of that value, as letters of their names; "-" where it is not in the part. */
static const char *classes_of(const strata_image_set *set, int value)
{
    static char out[64];
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->pixels[i] != value) continue;
        size_t n = 0;
        for (uint32_t k = 0; k < set->classes; k++)
            if (strata_image_is(set, i, k)) out[n++] = set->class_names[k][0];
        out[n] = '\0';
        return out;
    }
    return "-";
}

/* ---- Records ---------------------------------------------------------------------------------------- */

static void records(void **state)
{
    (void)state;
    static const char *const want[] = { "2:a|b|", "4:c, \"d\"\ne|f|", "6:|g|", "7:||", "8:h|" };
    strata_csv c;
    write_text("r.csv", "\xef\xbb\xbf\r\na,b\r\n\n\"c, \"\"d\"\"\ne\",f\n\"\",g\n,\nh");
    OK(strata_csv_open(&c, "r.csv"));
    for (size_t i = 0; i < 6; i++) {
        const char *field[4];
        uint32_t n;
        char got[64];
        OK(strata_csv_next(&c, field, 4, &n));
        if (i == 5) {
            assert_int_equal(n, 0);
            break;
        }
        int at = snprintf(got, sizeof got, "%u:", (unsigned)c.line);
        for (uint32_t k = 0; k < n; k++) at += snprintf(got + at, sizeof got - (size_t)at, "%s|", field[k]);
        assert_string_equal(got, want[i]);
    }
    strata_csv_close(&c);
}

/* The last line without its end: a comma there is one more field, as it is everywhere. */
static void a_comma_at_the_end(void **state)
{
    (void)state;
    strata_csv c;
    const char *field[3];
    uint32_t n;
    write_text("r.csv", "a,b,");
    OK(strata_csv_open(&c, "r.csv"));
    OK(strata_csv_next(&c, field, 3, &n));
    assert_int_equal(n, 3);
    assert_string_equal(field[2], "");
    OK(strata_csv_next(&c, field, 3, &n));
    assert_int_equal(n, 0);
    strata_csv_close(&c);
    OK(strata_csv_open(&c, "r.csv"));
    assert_int_equal(strata_csv_next(&c, field, 2, &n), STRATA_FILE);
    assert_string_equal(strata_message(),
                        "r.csv:1: wanted at most 2 fields, came more: one with commas stands in quotes");
    strata_csv_close(&c);
}

/* ---- Good tables --------------------------------------------------------------------------------------- */

/* Names: a whole path, its end, without ending, in quotes. Parts: by the folders. */
static void any_number(void **state)
{
    (void)state;
    strata_data *d = open_set(
        "image_name,tags\r\ntrain/a,\"red  blue\"\r\nb.pgm,green\r\nc,red green blue\r\n"
        "d,\"blue\"\r\n\"odd name,1\",red\r\n",
        0);
    assert_int_equal(d->train.classes, 3);
    assert_string_equal(d->train.class_names[0], "blue");
    assert_string_equal(d->train.class_names[2], "red");
    assert_int_equal(d->train.n, 4);
    assert_int_equal(d->valid.n, 1);
    assert_null(d->train.labels);
    assert_string_equal(classes_of(&d->train, 10), "br");
    assert_string_equal(classes_of(&d->train, 11), "g");
    assert_string_equal(classes_of(&d->train, 12), "bgr");
    assert_string_equal(classes_of(&d->train, 30), "r");
    assert_string_equal(classes_of(&d->valid, 20), "b");
    assert_int_equal(d->n_skipped, 1);
    assert_string_equal(d->skipped[0].why, "valid/a.pgm has no line in set/labels.csv");
    assert_true(strata_data_describe(d).multi_label);
    strata_data_report r;
    OK(strata_data_look(&r, d));
    assert_true(r.class_train[0] == 2 && r.class_train[1] == 2 && r.class_train[2] == 3);
    assert_true(r.class_valid[0] == 1 && r.class_valid[1] == 0);
    strata_data_report_free(&r);
    static const uint8_t by_name[] = { 30, 10, 11, 12 }; /* whatever the first of their labels is */
    assert_memory_equal(d->train.pixels, by_name, sizeof by_name);
    const uint64_t print = d->fingerprint;
    strata_data_close(d);
    d = open_set("image_name,tags\ntrain/a,red blue\nb,green\nc,red green\nd,blue\n\"odd name,1\",red\n", 0);
    assert_true(d->fingerprint != print);
    strata_data_close(d);
}

/* A whole path is that picture, whatever others end so. */
static void whole_path(void **state)
{
    (void)state;
    strata_data *d;
    OK(strata_folder_make("two/sub"));
    write_picture("two/e.pgm", 40);
    write_picture("two/sub/e.pgm", 41);
    write_text("two/train.csv", "file,labels\ne,red\n");
    OK(strata_data_load(&d, "two",
                        &(strata_data_config) { .valid_fraction = -1, .cache = STRATA_CACHE_NONE }));
    assert_true(d->train.n == 1 && d->valid.n == 0 && d->train.pixels[0] == 40);
    strata_data_close(d);
}

static void one_label(void **state)
{
    (void)state;
    strata_data *d = open_set("f,Is_Valid,l\nb,False,y\nc,1,x\nd,true,y\ntrain/a.pgm,0,z\n", 0);
    assert_null(d->train.targets);
    assert_false(strata_data_describe(d).multi_label);
    assert_true(d->train.n == 2 && d->valid.n == 2 && d->train.classes == 3);
    assert_string_equal(classes_of(&d->train, 10), "z");
    assert_string_equal(classes_of(&d->train, 11), "y");
    assert_string_equal(classes_of(&d->valid, 12), "x");
    assert_string_equal(classes_of(&d->valid, 20), "y");
    assert_int_equal(d->skipped[0].files, 2);
    assert_non_null(strstr(d->skipped[0].why, "2 pictures have no line in set/labels.csv, the first is "));
    strata_data_close(d);
    d = open_set("f,l,is_valid\nb,y,False\nc,x,1\nd,y,true\n", 0); /* behind the labels */
    assert_true(d->train.n == 1 && d->valid.n == 2 && d->train.classes == 2);
    assert_string_equal(classes_of(&d->valid, 12), "x");
    strata_data_close(d);
}

/* The same from the cache, which holds pixels alone. */
static void cached(void **state)
{
    (void)state;
    strata_data_config config = { .cache = STRATA_CACHE_WRITE, .labels = "other.csv" };
    strata_data *a, *b;
    setenv("XDG_CACHE_HOME", "cache", 1);
    OK(strata_folder_make("cache/strata"));
    write_text("other.csv", "file,labels\nb,one two\nc,two three\nd,one\n");
    OK(strata_data_load(&a, "set", &config));
    config.cache = STRATA_CACHE_READ;
    OK(strata_data_load(&b, "set", &config));
    assert_non_null(b->cache);
    assert_true(a->fingerprint == b->fingerprint && b->valid.n == 1);
    assert_string_equal(classes_of(&b->train, 12), "tt");
    assert_string_equal(classes_of(&b->valid, 20), "o");
    strata_data_close(a);
    strata_data_close(b);
    config.labels = "none";
    assert_int_equal(strata_data_load(&a, "set", &config), STRATA_FILE);
    assert_message("set/train: wanted pictures in a folder for each class, found none");
}

/* ---- What is wrong ------------------------------------------------------------------------------------- */

static void wrong(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "", "labels.csv:1: wanted a header and lines FILE,\"LABEL LABEL ...\", came nothing" },
        { "file\nb\n", "labels.csv:1: wanted a header" },
        { "file;labels\nb;red\n", "LABEL ...\", came one field 'file;labels'" },
        { "file,is_valid\nb,1\n", "labels.csv:1: wanted a column of labels, came is_valid alone" },
        { "file,labels\n", "labels.csv: there is no line behind the header" },
        { "b.pgm,red\nc,blue\n", "labels.csv:1: wanted a header, as file,labels, came the picture 'b.pgm'" },
        { "file,labels\nb,red\n\nx.png,red\n", "labels.csv:4: there is no picture 'x.png' in set" },
        { "file,labels\nb,\" \"\n", "labels.csv:2: b has no label: give it one, or leave its line away" },
        { "file,labels\nb,\nc,red\n", "labels.csv:2: b has no label" },
        { "file,labels\nb,red,\nc,red,blue\n",
          "labels.csv:3: wanted 2 fields, as the header has, came 'blue' behind them" },
        { "file,labels\nb\n", "labels.csv:2: wanted FILE,\"LABEL LABEL ...\", came fewer fields" },
        { "file,labels\n,red\n", "came no file" },
        { "file,labels\nb,red blue red\n", "labels.csv:2: b has the label 'red' twice" },
        { "file,labels\nb,red\nc,red\ntrain/b.pgm,blue\n",
          "labels.csv:4: train/b.pgm was in line 2 already" },
        { "file,labels\nb,red\na,red\n", "labels.csv:3: 'a' may be " },
        { "file,labels\n\"b,red\n", "labels.csv:2: a field's quotes do not close" },
        { "file,labels\n\"b\"x,red\n",
          "labels.csv:2: wanted a comma or the line's end behind quotes, came 'x'" },
        { "file,labels,is_valid\nb,red,maybe\n",
          "labels.csv:2: is_valid wants true, false, 1 or 0, got 'maybe'" },
        { "file,labels,is_valid\nb,red\n", "and is_valid, came fewer fields" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        strata_data *data;
        write_text("set/labels.csv", cases[i][0]);
        if (strata_data_open(&data, "set") != STRATA_FILE) fail_msg("not refused: %s", cases[i][0]);
        assert_message(cases[i][1]);
        assert_message("; with --labels none folders are classes");
    }
    strata_data *data;
    assert_int_equal(strata_data_load(&data, "set", &(strata_data_config) { .labels = "gone.csv" }),
                     STRATA_FILE);
    assert_message("gone.csv");
    write_text("set/labels.csv", "file,labels,is_valid\nb,red,1\nc,red,1\n"); /* others are left out */
    assert_int_equal(strata_data_open(&data, "set"), STRATA_FILE);
    assert_message("set: no picture is left to train on: the 2 found are for validation");
}

static int setup(void **state)
{
    if (folder_enter(state) != 0) return -1;
    make_set();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),    cmocka_unit_test(a_comma_at_the_end),
        cmocka_unit_test(any_number), cmocka_unit_test(whole_path),
        cmocka_unit_test(one_label),  cmocka_unit_test(cached),
        cmocka_unit_test(wrong),
    };
    return cmocka_run_group_tests(tests, setup, folder_leave);
}

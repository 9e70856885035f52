/* A table of a run that an earlier strata began: its rows stand under the columns of a later one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/file.h"
#include "folder.h"
#include "train/columns.h"

#define HEADER "epoch,loss,f1,map,events"

/* Write `was`, fit it, and compare what is there then, and what is said to be new. */
static void fits(const char *was, const char *want, const char *new_columns)
{
    strata_text added = { 0 };
    char *text;
    if (was) assert_int_equal(strata_file_write("t.csv", was, strlen(was)), STRATA_OK);
    if (columns_fit(&added, "t.csv", HEADER) != STRATA_OK) fail_msg("%s", strata_message());
    assert_int_equal(strata_file_read(&text, NULL, "t.csv"), STRATA_OK);
    assert_string_equal(text, want);
    assert_string_equal(added.s ? added.s : "", new_columns);
    free(text);
    strata_text_free(&added);
}

static void rows_stand_under_their_names(void **state)
{
    (void)state;
    fits(HEADER "\n1,2,3,4,\"a, b\"\n", HEADER "\n1,2,3,4,\"a, b\"\n", "");
    fits("epoch,loss,events\n1,0.5,\"x, \"\"y\"\"\"\n2,0.25,\n",
         HEADER "\n1,0.5,,,\"x, \"\"y\"\"\"\n2,0.25,,,\n", "f1, map");
    fits("events,epoch,loss,f1\nz,1,0.5,0.75\n", HEADER "\n1,0.5,0.75,,z\n", "map");
    fits("loss,epoch,f1,map,events\n0.5,1,2,3,z\n", HEADER "\n1,0.5,2,3,z\n",
         ""); /* as many, in another order */
    fits("", HEADER "\n", "");
    remove("t.csv");
    fits(NULL, HEADER "\n", "");
}

/* As it was left where rows of a later strata were appended behind those of an earlier one. */
static void longer_rows_are_the_later_ones(void **state)
{
    (void)state;
    fits("epoch,loss,events\n1,0.5,a\n2,0.25,0.5,0.75,b\n", HEADER "\n1,0.5,,,a\n2,0.25,0.5,0.75,b\n",
         "f1, map");
}

static void nothing_is_lost(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "epoch,loss,lr,events\n1,2,3,4\n", "t.csv: this strata writes no column 'lr'" },
        { "epoch,lr,loss,events\n1,2,3,4\n", "t.csv: this strata writes no column 'lr'" },
        { HEADER "2\n1,2,3,4,5\n", "t.csv: this strata writes no column 'events2'" },
        { "epoch,loss,events\n1,2\n", "t.csv:2: wanted 3 fields, as the header has, came 2" },
        { "epoch,loss,events\n1,2,3\n1,2,3,4\n", "t.csv:3: wanted 3 fields, as the header has, came 4" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        strata_text added = { 0 };
        char *text;
        assert_int_equal(strata_file_write("t.csv", cases[i][0], strlen(cases[i][0])), STRATA_OK);
        assert_int_equal(columns_fit(&added, "t.csv", HEADER), STRATA_FILE);
        if (!strstr(strata_message(), cases[i][1])) fail_msg("%s", strata_message());
        assert_int_equal(strata_file_read(&text, NULL, "t.csv"), STRATA_OK);
        assert_string_equal(text, cases[i][0]);
        free(text);
        strata_text_free(&added);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stand_under_their_names),
        cmocka_unit_test(longer_rows_are_the_later_ones),
        cmocka_unit_test(nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

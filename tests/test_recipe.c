/* A recipe comes back from its text as it was, whatever its values hold, and another one is told from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ok.h"
#include "train/recipe.h"

/* A recipe with one key set. */
static strata_recipe *with(const char *key, const char *value)
{
    strata_recipe *r;
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, key, value));
    return r;
}

/* "1e-5,1e-5,...,LAST": rates of so many groups */
static char *list_of(uint32_t n, const char *last)
{
    char *list = calloc(n, 8);
    assert_non_null(list);
    for (uint32_t i = 0; i + 1 < n; i++) strcat(list, "1e-5,");
    return strcat(list, last);
}

static void lines_of_any_length_are_formatted(void **state)
{
    (void)state;
    static const size_t lengths[] = { 0, 1, 510, 511, 512, 513, 5000 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const size_t n = lengths[i];
        char *long_word = malloc(n + 1);
        strata_text t = { 0 };
        assert_non_null(long_word);
        memset(long_word, 'a', n);
        long_word[n] = '\0';
        strata_text_format(&t, "<%s>%d", long_word, 7);
        assert_false(t.failed);
        assert_int_equal(t.length, n + 3);
        assert_int_equal(strlen(t.s), n + 3);
        assert_memory_equal(t.s + 1, long_word, n);
        assert_string_equal(t.s + n + 1, ">7");
        strata_text_format(&t, "%s", t.s); /* of itself */
        assert_int_equal(t.length, 2 * (n + 3));
        assert_memory_equal(t.s, t.s + n + 3, n + 3);
        strata_text_free(&t);
        free(long_word);
    }
}

/* Layers' own rates make long values: one that differs at its end makes another run. */
static void long_values_that_differ_are_told(void **state)
{
    (void)state;
    char *a = list_of(120, "1e-3"), *b = list_of(120, "1e-2");
    strata_recipe *was = with("lr", a), *is = with("lr", b);
    strata_text differences = { 0 };
    recipe_differences(&differences, was, was);
    assert_int_equal(differences.length, 0);
    recipe_differences(&differences, was, is);
    assert_false(differences.failed);
    assert_non_null(strstr(differences.s, "lr was '1e-5,"));
    assert_non_null(strstr(differences.s, "1e-5,1e-2'"));
    strata_text_free(&differences);
    strata_recipe_close(was);
    strata_recipe_close(is);
    free(a);
    free(b);
}

static void values_come_back_from_the_text(void **state)
{
    (void)state;
    static const char *const values[] = { "/a b/\"c\"\\d", "/a\nb", "/a\n\n b\t", "/\x01\x1f\x7f",
                                          "/\xc3\xa9" };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        strata_recipe *was = with("data", values[i]), *is;
        strata_text text = { 0 };
        recipe_text(&text, was);
        assert_false(text.failed);
        OK(strata_recipe_open(&is));
        OK(recipe_read(is, text.s, text.length, "recipe.yaml"));
        assert_string_equal(strata_recipe_get(is, "data"), values[i]);
        strata_text_free(&text);
        strata_recipe_close(was);
        strata_recipe_close(is);
    }
}

/* YAML holds nothing else: a run would end where its recipe is to be read again. */
static void what_is_no_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = { "/d\xe9", "/\xc3", "/\xed\xa0\x80" };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        strata_recipe *r = with("data", values[i]);
        assert_int_equal(recipe_place(r), STRATA_BAD_ARG);
        assert_non_null(strstr(strata_message(), "--data"));
        assert_non_null(strstr(strata_message(), "UTF-8"));
        strata_recipe_close(r);
    }
    strata_recipe *r = with("data", "/\xc3\xa9");
    OK(recipe_place(r));
    strata_recipe_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_any_length_are_formatted),
        cmocka_unit_test(long_values_that_differ_are_told),
        cmocka_unit_test(values_come_back_from_the_text),
        cmocka_unit_test(what_is_no_utf8_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* assets/learning-rates.md against what reads the texts: its tables name every curve and key there is, and
 * the defaults behind '=' are the defaults. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/file.h"
#include "rates/bleed.h"
#include "rates/timeline.h"

enum { WORD = 64, ROWS = 64 };

/* The rows of the table whose heading begins so: each from its '|' on, ended by its newline. */
static uint32_t rows_of(const char *row[ROWS], const char *page, const char *heading)
{
    const char *at = strstr(page, heading);
    uint32_t n = 0;
    if (!at) fail_msg("the page has no table '%s'", heading);
    at = strchr(at, '\n') + 1; /* the line of dashes */
    while (at = strchr(at, '\n') + 1, *at == '|') {
        assert_true(n < ROWS);
        row[n++] = at;
    }
    return n;
}

/* The next text between backticks up to `end`; NULL: there is none. */
static const char *next_code(char word[WORD], const char *at, const char *end)
{
    const char *open = memchr(at, '`', (size_t)(end - at));
    const char *close = open ? memchr(open + 1, '`', (size_t)(end - open - 1)) : NULL;
    if (!close) return NULL;
    assert_true(close - open <= WORD);
    memcpy(word, open + 1, (size_t)(close - open - 1));
    word[close - open - 1] = '\0';
    return close + 1;
}

static char *read_page(void)
{
    char *page;
    if (strata_file_read(&page, NULL, SOURCE_DIR "/assets/learning-rates.md") != STRATA_OK)
        fail_msg("%s", strata_message());
    return page;
}

/* The key's number among the curve's own. */
static uint32_t number_of(const schedule *kind, const char *key)
{
    for (uint32_t i = 0; i < SCHEDULE_VALUES && kind->keys[i].name; i++)
        if (strcmp(kind->keys[i].name, key) == 0) return i;
    fail_msg("%s has no key '%s'", kind->name, key);
    return 0;
}

/* A key without '=' has no default that could be given: nothing, or a value out of its range. */
static void check_key(const schedule *kind, char *word)
{
    char *value = strchr(word, '=');
    if (value) *value++ = '\0';
    const schedule_key *k = &kind->keys[number_of(kind, word)];
    schedule_use use = { .kind = kind };
    if (!value) {
        assert_true(k->kind == KEY_LIST || (k->kind == KEY_LENGTH && k->fallback == 0) ||
                    (k->kind == KEY_NUMBER && !(k->fallback >= k->low && k->fallback <= k->high)));
        return;
    }
    if (schedule_set(&use, word, value, 0, NULL) != STRATA_OK) fail_msg("%s", strata_message());
    const double got = use.value[k - kind->keys];
    if (!(fabs(got - k->fallback) <= 1e-15 * fabs(k->fallback)))
        fail_msg("%s: %s is %.17g by default, the page has %.17g", kind->name, word, k->fallback, got);
}

static void page_has_every_curve(void **state)
{
    (void)state;
    char *page = read_page(), word[WORD];
    const char *row[ROWS];
    assert_int_equal(rows_of(row, page, "| curve |"), n_schedules);
    for (uint32_t i = 0; i < n_schedules; i++) {
        const schedule *kind = &schedules[i];
        char name[WORD];
        uint32_t keys = 0, has = 0;
        snprintf(name, sizeof name, "%s%s%s", kind->name, *kind->convention ? ":" : "", kind->convention);
        const char *cell = strchr(row[i] + 1, '|'), *end = strchr(cell + 1, '|');
        assert_non_null(next_code(word, row[i], cell));
        assert_string_equal(word, name); /* in the order of the table: the first convention is taken */
        for (const char *at = cell; (at = next_code(word, at, end)); keys++) check_key(kind, word);
        while (has < SCHEDULE_VALUES && kind->keys[has].name) has++;
        if (keys != has) fail_msg("%s has %u keys, the page %u", name, (unsigned)has, (unsigned)keys);
    }
    free(page);
}

/* The message about a key that is not there names those that are. */
static void listed(const char *row[], uint32_t n)
{
    char word[WORD];
    const char *message = strstr(strata_message(), "there is: ");
    uint32_t commas = 0;
    assert_non_null(message);
    for (uint32_t i = 0; i < n; i++) {
        assert_non_null(next_code(word, row[i], strchr(row[i] + 1, '|')));
        word[strcspn(word, "=")] = '\0';
        if (!strstr(message, word)) fail_msg("the page has '%s': %s", word, message);
    }
    message += strlen("there is: ");
    for (const char *at = message, *end = message + strcspn(message, ";"); at < end; at++)
        commas += *at == ',';
    if (commas + 1 != n) fail_msg("the page has %u keys: %s", (unsigned)n, message);
}

static void page_has_every_key_of_phases(void **state)
{
    (void)state;
    static const char *const group[] = { "stem", "head" };
    const timeline_run run = { 100, 10, group, 2 };
    char *page = read_page();
    const char *row[ROWS];
    timeline t;
    const uint32_t n = rows_of(row, page, "| key | what");
    assert_int_equal(timeline_parse(&t, "constant,nothing-like-it=1", &run), STRATA_BAD_ARG);
    listed(row, n);
    timeline_free(&t);
    free(page);
}

static bool is_same(const bleed *a, const bleed *b)
{
    return a->on == b->on && a->out == b->out && a->p0 == b->p0 && a->p1 == b->p1 && a->most == b->most &&
           a->power == b->power && a->cascade == b->cascade && a->settled == b->settled &&
           a->every == b->every && a->times == b->times && a->freeze == b->freeze && a->linear == b->linear &&
           a->measured == b->measured && a->norm == b->norm && a->ramp == b->ramp && a->anchor == b->anchor &&
           a->budget == b->budget;
}

static void page_has_every_key_of_bleed(void **state)
{
    (void)state;
    char *page = read_page(), word[WORD], text[WORD + 8];
    const char *row[ROWS];
    bleed plain, given;
    const uint32_t n = rows_of(row, page, "| key and default |");
    assert_int_equal(bleed_parse(&plain, "in"), STRATA_OK);
    for (uint32_t i = 0; i < n; i++) {
        assert_non_null(next_code(word, row[i], strchr(row[i] + 1, '|')));
        if (!strchr(word, '=')) {
            assert_string_equal(word, "p0"); /* by the schedule */
            continue;
        }
        snprintf(text, sizeof text, "in,%s", word);
        if (bleed_parse(&given, text) != STRATA_OK) fail_msg("%s", strata_message());
        if (!is_same(&given, &plain)) fail_msg("'%s' is not what 'in' is", text);
    }
    assert_int_equal(bleed_parse(&given, "in,nothing-like-it=1"), STRATA_BAD_ARG);
    listed(row, n);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_has_every_curve),
        cmocka_unit_test(page_has_every_key_of_phases),
        cmocka_unit_test(page_has_every_key_of_bleed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Pictures: what is drawn lies where its numbers say, found again in the decoded file by its colours. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/file.h"
#include "data/picture.h"
#include "sight/figure.h"
#include "sight/histogram.h"
#include "strata/rates.h"
#include "folder.h"

enum { W = 640, H = 400 };

static const sight_colour red = 0xd00000, green = 0x00a000, axis_grey = 0x707070;

/* ---- Looking at pixels ------------------------------------------------------------------------- */

static sight_colour at(const strata_picture *p, uint32_t x, uint32_t y)
{
    const uint8_t *v = p->pixels + 3 * ((size_t)y * p->w + x);
    return (sight_colour)v[0] << 16 | (sight_colour)v[1] << 8 | v[2];
}

/* The pixels of a colour in the columns [from, to): their bounds and number. */
typedef struct found {
    uint32_t left, top, right, bottom; /* all included */
    uint32_t n;
    double y; /* the mean of their middles */
} found;

static found find(const strata_picture *p, sight_colour colour, uint32_t from, uint32_t to)
{
    found f = { .left = UINT32_MAX, .top = UINT32_MAX };
    double sum = 0;
    for (uint32_t y = 0; y < p->h; y++)
        for (uint32_t x = from; x < to; x++) {
            if (at(p, x, y) != colour) continue;
            f.left = x < f.left ? x : f.left;
            f.right = x > f.right ? x : f.right;
            f.top = y < f.top ? y : f.top;
            f.bottom = y;
            f.n++;
            sum += y + 0.5;
        }
    f.y = sum / f.n;
    return f;
}

/* Draw, write, decode; what was decoded is what was drawn. */
static strata_picture picture_of(const sight_figure *f)
{
    sight_canvas c;
    strata_picture p;
    if (sight_figure_draw(&c, f) != STRATA_OK) fail_msg("%s", strata_message());
    assert_int_equal(sight_canvas_write(&c, "figure.png"), STRATA_OK);
    assert_int_equal(strata_picture_read(&p, "figure.png"), STRATA_OK);
    assert_true(p.w == f->w && p.h == f->h && p.c == 3);
    assert_memory_equal(p.pixels, c.pixels, (size_t)p.w * p.h * 3);
    sight_canvas_free(&c);
    return p;
}

/* The data's rectangle: its left side and its floor are of the axis' own grey, both begin in one corner. */
static sight_box frame_of(const strata_picture *p)
{
    for (uint32_t y = p->h; y-- > 0;)
        for (uint32_t x = 0; x < p->w; x++) {
            if (at(p, x, y) != axis_grey) continue;
            uint32_t right = x, top = y;
            while (right + 1 < p->w && at(p, right + 1, y) != 0xffffff) right++;
            while (top > 0 && at(p, x, top - 1) != 0xffffff) top--;
            if (right > x + 20) return (sight_box) { x, top, right + 1, y };
        }
    fail_msg("no axes");
    return (sight_box) { 0 };
}

static sight_figure one_panel(const sight_panel *panel, bool log_x)
{
    return (sight_figure) { .w = W, .h = H, .x = { 0, 0, log_x }, .panel = panel, .n_panels = 1 };
}

/* ---- Where lines lie ----------------------------------------------------------------------------- */

static void a_level_line_lies_at_its_value(void **state)
{
    (void)state;
    const double x[] = { 0, 10 }, y[] = { 3, 3 };
    const sight_series series = { NULL, x, y, 2, red, 5 };
    for (double low = 0; low <= 2; low++) {
        const sight_panel panel = { .y = { low, 4, false }, .series = &series, .n_series = 1 };
        const sight_figure f = one_panel(&panel, false);
        strata_picture p = picture_of(&f);
        const sight_box b = frame_of(&p);
        const found line = find(&p, red, 0, W);
        const double wanted = b.bottom - (3 - low) / (4 - low) * (b.bottom - b.top);
        if (!(fabs(line.y - wanted) <= 0.5)) fail_msg("the line is at %g, wanted %g", line.y, wanted);
        assert_in_range(line.bottom - line.top + 1, 4, 5); /* 5 pixels, on the grid or half a pixel off it */
        assert_in_range(line.left, b.left - 1, b.left + 1);
        assert_in_range(line.right, b.right - 2, b.right);
        strata_picture_free(&p);
    }
}

static void logarithmic_axes_are_even_in_decades(void **state)
{
    (void)state;
    const double x[] = { 1e-4, 1e-3, 1e-2, 1e-1, 1 }, y[] = { 1, 1e2, 1e4, 1e6, 1e8 };
    const sight_series series = { NULL, x, y, 5, red, 5 };
    const sight_panel panel = { .y = { 0.1, 1e9, true }, .series = &series, .n_series = 1 };
    const sight_figure f = one_panel(&panel, true);
    strata_picture p = picture_of(&f);
    const sight_box b = frame_of(&p);
    const double across = (b.right - b.left) / 8, decade = (b.bottom - b.top) / 10, slope = decade / across;
    for (int k = 1; k < 8; k++) { /* a straight line, a decade of y for half a decade of x */
        const uint32_t px = (uint32_t)(b.left + k * across);
        const double py = b.bottom - (k + 1) * decade;
        const found column = find(&p, red, px, px + 1);
        if (!(fabs(column.y - py) <= 1)) fail_msg("at %d/8 the line is at %g, wanted %g", k, column.y, py);
        /* across a slope a line is higher than it is thick */
        assert_in_range(column.n, (uint32_t)(5 * sqrt(1 + slope * slope)) - 2,
                        (uint32_t)(5 * sqrt(1 + slope * slope)) + 1);
    }
    strata_picture_free(&p);
}

static void edges_are_antialiased(void **state)
{
    (void)state;
    sight_canvas c;
    const sight_point line[] = { { 4, 8.3 }, { 28, 8.3 } };
    assert_int_equal(sight_canvas_init(&c, 32, 16), STRATA_OK);
    sight_line(&c, (sight_box) { 0, 0, 32, 16 }, line, 2, 3, 0x000000);
    double ink = 0;
    for (uint32_t y = 0; y < 16; y++) ink += (255 - c.pixels[3 * (y * 32 + 16)]) / 255.0;
    assert_true(fabs(ink - 3) < 0.1); /* as much as it is wide */
    assert_true(c.pixels[3 * (6 * 32 + 16)] > 0 && c.pixels[3 * (6 * 32 + 16)] < 255); /* 6.8 .. 9.8 */
    assert_int_equal(c.pixels[3 * (8 * 32 + 16)], 0);
    const sight_point joint[] = { { 4, 3 }, { 16, 3 }, { 28, 3 } };
    sight_canvas other;
    assert_int_equal(sight_canvas_init(&other, 32, 16), STRATA_OK);
    const sight_point whole[] = { { 4, 3 }, { 28, 3 } };
    memset(c.pixels, 255, 32 * 16 * 3);
    sight_line(&c, (sight_box) { 0, 0, 32, 16 }, joint, 3, 2.5, red);
    sight_line(&other, (sight_box) { 0, 0, 32, 16 }, whole, 2, 2.5, red);
    assert_memory_equal(c.pixels, other.pixels, 32 * 16 * 3); /* no darker where two parts meet */
    sight_canvas_free(&c);
    sight_canvas_free(&other);
}

/* ---- What is not there --------------------------------------------------------------------------- */

static void what_is_not_finite_is_a_gap(void **state)
{
    (void)state;
    const double x[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 }, holes[] = { NAN, INFINITY, 0, -1 };
    for (int k = 0; k < 4; k++) { /* the last two on a logarithmic axis */
        const double y[] = { 1, 1, 1, holes[k], holes[k], holes[k], 1, holes[k], 1 };
        const sight_series series = { NULL, x, y, 9, red, 5 };
        const sight_panel panel = { .y = { .log = k > 1 }, .series = &series, .n_series = 1 };
        const sight_figure f = one_panel(&panel, false);
        strata_picture p = picture_of(&f);
        const sight_box b = frame_of(&p);
        const double step = (b.right - b.left) / 8;
        const uint32_t end = (uint32_t)(b.left + 2 * step), dot = (uint32_t)(b.left + 6 * step);
        assert_int_equal(find(&p, red, end + 4, dot - 5).n, 0);
        assert_true(find(&p, red, end - 20, end).n >= 80); /* 20 columns, at least 4 each */
        const found alone = find(&p, red, dot - 10, dot + 10);
        assert_in_range(alone.n, 25, 49); /* a dot of diameter 7: 38 pixels, fewer of them full */
        strata_picture_free(&p);
    }
}

static void a_dot_on_the_frame_is_whole(void **state)
{
    (void)state;
    const double x[] = { 0, 1, 2, 3, 4 }, y[] = { 1, NAN, 2, NAN, 3 };
    const sight_series series = { NULL, x, y, 5, red, 5 };
    const sight_panel panel = { .y = { 1, 3, false }, .series = &series, .n_series = 1 };
    const sight_figure f = one_panel(&panel, false);
    strata_picture p = picture_of(&f);
    const sight_box b = frame_of(&p);
    const uint32_t left = (uint32_t)b.left, right = (uint32_t)b.right, middle = (left + right) / 2;
    const uint32_t whole = find(&p, red, middle - 10, middle + 10).n;
    assert_in_range(find(&p, red, left - 10, left + 10).n, whole - 8, whole + 8);
    assert_in_range(find(&p, red, right - 10, right + 10).n, whole - 8, whole + 8);
    assert_true(find(&p, red, 0, left).n > 0 && find(&p, red, right + 1, W).n > 0);
    strata_picture_free(&p);
}

/* A rate holds for its whole step, the only one's too. */
static void one_step_is_a_line(void **state)
{
    (void)state;
    strata_recipe *r;
    strata_picture p;
    assert_int_equal(strata_recipe_open(&r), STRATA_OK);
    assert_int_equal(strata_recipe_set(r, "model", "small-cnn"), STRATA_OK);
    assert_int_equal(strata_recipe_set(r, "lr", "1e-3:1e-1"), STRATA_OK);
    assert_int_equal(strata_rates_draw(r, 1, 0, "one.png"), STRATA_OK);
    assert_int_equal(strata_picture_read(&p, "one.png"), STRATA_OK);
    const sight_box b = frame_of(&p);
    for (uint32_t g = 0; g < 3; g++) {
        const found line = find(&p, sight_palette(g, 3), 0, (uint32_t)b.right);
        assert_in_range(line.left, b.left - 1, b.left + 1);
        assert_in_range(line.right, b.right - 2, b.right);
    }
    strata_picture_free(&p);
    strata_recipe_close(r);
}

static void nothing_to_draw_is_no_error(void **state)
{
    (void)state;
    const double x[] = { 5, 6, NAN }, nothing[] = { NAN, NAN, 1 }, same[] = { 7, 7, 7 };
    const sight_series series[] = { { "empty", NULL, NULL, 0, red, 0 },
                                    { "nothing", x, nothing, 3, red, 0 },
                                    { "one", x, same, 1, red, 0 },
                                    { "same", x, same, 2, red, 0 } };
    for (uint32_t n = 0; n <= 4; n++)
        for (int log = 0; log < 4; log++) {
            const sight_panel panel = { .y = { .log = log & 1 }, .series = series, .n_series = n };
            const sight_figure f = one_panel(&panel, log & 2);
            strata_picture p = picture_of(&f);
            frame_of(&p);
            /* lines and the legend's samples are red */
            assert_int_equal(find(&p, red, 0, W - 200).n > 0, n > 2);
            strata_picture_free(&p);
        }
    const sight_figure none = { .w = 50, .h = 50 };
    strata_picture p = picture_of(&none);
    strata_picture_free(&p);
}

static void any_size_can_be_drawn(void **state)
{
    (void)state;
    const double x[] = { 1, 2, 1e300, 3 }, y[] = { 1, 1e-300, 5, 1e300 };
    const sight_series series[] = { { "a line with a rather long name", x, y, 4, red, 0 },
                                    { "\xff\xc3(\xe2\x82\xac)", x, y, 2, green, 0 } };
    const sight_mark mark = { "mark", 2, 1, SIGHT_DIAMOND, green };
    const sight_span span[] = { { 1, 2, 0, red }, { -5, 1e9, 1, green } };
    const sight_panel panel[] = {
        { .label = "label",
          .y = { .log = true },
          .series = series,
          .n_series = 2,
          .mark = &mark,
          .n_marks = 1 },
        { .label = "lanes", .span = span, .n_spans = 2, .lanes = 2 },
        { .label = "label", .series = series, .n_series = 2 },
    };
    sight_figure f = { .title = "a title", .x_label = "x", .panel = panel, .n_panels = 3 };
    const uint32_t sides[] = { 1, 2, 3, 7, 20, 64, 150, 300 };
    for (int i = 0; i < 64; i++) {
        f.w = sides[i / 8];
        f.h = sides[i % 8];
        f.x.log = i % 2;
        strata_picture p = picture_of(&f);
        strata_picture_free(&p);
    }
    sight_canvas c;
    f.w = 0;
    assert_int_equal(sight_figure_draw(&c, &f), STRATA_BAD_ARG);
    f.w = 16385;
    assert_int_equal(sight_figure_draw(&c, &f), STRATA_BAD_ARG);
    assert_message("1 to 16384 pixels, got 16385 x");
    f.w = 10, f.n_panels = 9;
    assert_int_equal(sight_figure_draw(&c, &f), STRATA_BAD_ARG);
}

static void the_same_figure_gives_the_same_bytes(void **state)
{
    (void)state;
    uint8_t *bytes[2];
    size_t n[2];
    double x[200], y[200];
    for (int i = 0; i < 200; i++) x[i] = i, y[i] = sin(i * 0.1);
    const sight_series series = { "sine", x, y, 200, red, 0 };
    const sight_panel panel = { .label = "y", .series = &series, .n_series = 1 };
    sight_figure f = one_panel(&panel, false);
    f.title = "twice";
    for (int k = 0; k < 2; k++) {
        sight_canvas c;
        assert_int_equal(sight_figure_draw(&c, &f), STRATA_OK);
        assert_int_equal(sight_canvas_encode(&c, &bytes[k], &n[k]), STRATA_OK);
        sight_canvas_free(&c);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(bytes[0], bytes[1], n[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void a_path_that_cannot_be_written_is_told(void **state)
{
    (void)state;
    const sight_figure f = { .w = 5, .h = 5 };
    assert_int_equal(sight_figure_write(&f, "nowhere/figure.png"), STRATA_FILE);
    assert_message("nowhere/figure.png");
    assert_int_equal(sight_figure_write(&f, "/dev/full"), STRATA_FILE);
    assert_int_equal(sight_figure_write(&f, "."), STRATA_FILE);
}

/* ---- Axes ------------------------------------------------------------------------------------------ */

static void check_ticks(sight_axis a, uint32_t most, const char *wanted)
{
    sight_ticks t;
    char got[512] = "";
    sight_axis_ticks(&t, &a, most);
    for (uint32_t i = 0; i < t.n; i++) {
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? " " : "", t.label[i]);
        assert_true(fabs(strtod(t.label[i], NULL) - t.at[i]) <= 1e-6 * fabs(t.at[i]) + 1e-12);
    }
    assert_string_equal(got, wanted);
}

static void ticks_are_round_numbers(void **state)
{
    (void)state;
    check_ticks((sight_axis) { 0, 620, false }, 10, "0 100 200 300 400 500 600");
    check_ticks((sight_axis) { 0.845, 0.955, false }, 3, "0.85 0.9 0.95");
    check_ticks((sight_axis) { -1, 1, false }, 4, "-1 -0.5 0 0.5 1");
    check_ticks((sight_axis) { 0, 0.0021, false }, 5, "0 0.0005 0.001 0.0015 0.002");
    check_ticks((sight_axis) { 1e-7, 10, true }, 9, "1e-7 1e-6 1e-5 1e-4 1e-3 1e-2 1e-1 1 1e1");
    check_ticks((sight_axis) { 1e-9, 2e-2, true }, 5, "1e-8 1e-6 1e-4 1e-2");
    check_ticks((sight_axis) { 0.4, 9, true }, 5, "5e-1 1 2 5");
    check_ticks((sight_axis) { 2.1, 4.9, true }, 5, "3 4"); /* one power or none: even steps */
}

static void axes_settle_on_what_can_be_drawn(void **state)
{
    (void)state;
    sight_axis a = { INFINITY, -INFINITY, true };
    sight_axis_include(&a, 0);
    sight_axis_include(&a, -1);
    sight_axis_include(&a, NAN);
    sight_axis_settle(&a, 0.1);
    assert_true(a.low > 0.05 && a.high < 2 && a.low < a.high);
    sight_axis b = { INFINITY, -INFINITY, false };
    sight_axis_include(&b, 0);
    sight_axis_include(&b, 10);
    sight_axis_settle(&b, 0.1);
    assert_true(b.low == 0 && b.high == 11);
    assert_true(isnan(sight_axis_place(&a, 0)) && isnan(sight_axis_place(&b, NAN)));
    assert_true(sight_axis_place(&b, 5.5) == 0.5);
}

/* ---- Rates ------------------------------------------------------------------------------------------ */

static strata_picture rates_picture(const char *lr, const char *freeze)
{
    strata_recipe *r;
    strata_picture p;
    assert_int_equal(strata_recipe_open(&r), STRATA_OK);
    strata_recipe_set(r, "model", "small-cnn");
    strata_recipe_set(r, "lr", lr);
    strata_recipe_set(r, "schedule", "constant");
    strata_recipe_set(r, "freeze-until", freeze);
    if (strata_rates_draw(r, 100, 10, "rates.png") != STRATA_OK) fail_msg("%s", strata_message());
    assert_int_equal(strata_picture_read(&p, "rates.png"), STRATA_OK);
    strata_recipe_close(r);
    return p;
}

static void rates_lie_on_their_decades(void **state)
{
    (void)state;
    double y[3];
    strata_picture p = rates_picture("1e-6,1e-3,1e-2", "");
    const sight_box b = frame_of(&p);
    for (uint32_t g = 0; g < 3; g++) {
        const found line = find(&p, sight_palette(g, 3), (uint32_t)b.left + 5, (uint32_t)b.right - 5);
        assert_true(line.bottom - line.top < 3 && line.right - line.left > 500);
        y[g] = line.y;
    }
    if (!(fabs((y[0] - y[1]) - 3 * (y[1] - y[2])) <= 2)) fail_msg("decades: %g %g %g", y[0], y[1], y[2]);
    strata_picture_free(&p);
}

/* Two epochs of ten: a gap in the line, and a bar below it. */
static void frozen_stretches_are_bars(void **state)
{
    (void)state;
    strata_picture p = rates_picture("1e-3,2e-3,4e-3", "stem=2");
    const sight_box b = frame_of(&p);
    const uint32_t left = (uint32_t)b.left, end = left + (uint32_t)(0.2 * (b.right - b.left));
    const found before = find(&p, sight_palette(0, 3), left, end - 2);
    const found after = find(&p, sight_palette(0, 3), end + 3, (uint32_t)b.right);
    assert_true(before.top > b.bottom && before.n >= 7 * (end - 3 - left)); /* a solid bar */
    assert_true(after.bottom < b.bottom && after.bottom - after.top < 3);
    assert_in_range(before.left, left, left + 1);
    strata_picture_free(&p);
}

/* ---- Histograms -------------------------------------------------------------------------------------- */

/* The table's input, as its title has it. */
static const float activations[] = { -3, -.01f, 0, .1f,   .2499f, .25f,   .49f, .5f,
                                     1,  2.5f,  5, 9.99f, 10,     10.01f, 1e9f };
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

static const char *golden(const json_t *rows, const char *item)
{
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) if (strcmp(json_string_value(json_array_get(row, 0)), item) ==
                                         0) return json_string_value(json_array_get(row, 1));
    fail_msg("no row %s", item);
    return NULL;
}

static void histograms_count_as_the_table_does(void **state)
{
    (void)state;
    json_t *all = json_load_file(SOURCE_DIR "/tests/golden/learning-rates.json", 0, NULL);
    const json_t *rows = NULL, *table;
    const char *key;
    json_object_foreach(all, key, table) if (strncmp(key, "I ", 2) == 0)
        rows = json_object_get(table, "rows");
    assert_non_null(rows);
    sight_histogram h = { .low = 0, .high = 10, .limit = 0.05 }, size = { .high = 10, .absolute = true };
    sight_histogram_add(&h, activations, 7);
    sight_histogram_add(&h, activations + 7, ACTIVATIONS - 7);
    sight_histogram_add(&size, activations, ACTIVATIONS);
    json_t *bins = json_loads(golden(rows, "non-zero bins"), 0, NULL);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < SIGHT_BINS; i++) {
        char name[8];
        snprintf(name, sizeof name, "%u", (unsigned)i);
        assert_int_equal(h.count[i], json_integer_value(json_object_get(bins, name)));
        sum += h.count[i];
    }
    json_decref(bins);
    assert_int_equal(sum, strtoul(golden(rows, "sum"), NULL, 10));
    const char *shades = golden(rows, "log1p(3), log1p(2), log1p(1)");
    for (uint32_t i = 0; i < 3; i++)
        assert_true(sight_histogram_shade(&h, i) == strtod(shades, (char **)&shades));
    assert_true(sight_histogram_first(&h, 2) ==
                strtod(golden(rows, "near-zero by histogram (first 2 bins / sum)"), NULL));
    assert_true(sight_histogram_first(&size, 1) ==
                strtod(golden(rows, "course-2022 dead (abs, first bin / sum)"), NULL));
    assert_true(sight_histogram_near(&h) == strtod(golden(rows, "v2 near_zero: share of x<=0.05"), NULL));
    json_decref(all);
    sight_histogram empty = { .high = 1 };
    sight_histogram_add(&empty, (const float[]) { NAN, 7 }, 2);
    assert_true(isnan(sight_histogram_first(&empty, 1)) && sight_histogram_near(&empty) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_level_line_lies_at_its_value),
        cmocka_unit_test(logarithmic_axes_are_even_in_decades),
        cmocka_unit_test(edges_are_antialiased),
        cmocka_unit_test(what_is_not_finite_is_a_gap),
        cmocka_unit_test(a_dot_on_the_frame_is_whole),
        cmocka_unit_test(one_step_is_a_line),
        cmocka_unit_test(nothing_to_draw_is_no_error),
        cmocka_unit_test(any_size_can_be_drawn),
        cmocka_unit_test(the_same_figure_gives_the_same_bytes),
        cmocka_unit_test(a_path_that_cannot_be_written_is_told),
        cmocka_unit_test(ticks_are_round_numbers),
        cmocka_unit_test(axes_settle_on_what_can_be_drawn),
        cmocka_unit_test(rates_lie_on_their_decades),
        cmocka_unit_test(frozen_stretches_are_bars),
        cmocka_unit_test(histograms_count_as_the_table_does),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

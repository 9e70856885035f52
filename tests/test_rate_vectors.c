/* Every table of tests/golden/learning-rates.json that the rates have a part in: values computed in double,
 * independently of the libraries they follow. Table B3 shows a library's float32 arithmetic and is judged at
 * its own error; I and J are not about rates. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rates/bleed.h"
#include "rates/rates.h"
#include "rates/sweep.h"
#include "rates/trust.h"

enum { MOST = 16, CELLS = 8 };

static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n" };

/* A table, by how its title begins. */
typedef struct table {
    json_t *all, *rows;
    size_t n;
} table;

static table open_table(const char *title)
{
    json_error_t error;
    const char *key;
    json_t *value;
    table t = { .all = json_load_file(SOURCE_DIR "/tests/golden/learning-rates.json", 0, &error) };
    if (!t.all) fail_msg("%s", error.text);
    json_object_foreach(t.all, key, value)
    {
        if (strncmp(key, title, strlen(title)) != 0 || key[strlen(title)] != ' ') continue;
        t.rows = json_object_get(value, "rows");
        t.n = json_array_size(t.rows);
    }
    if (t.n == 0) fail_msg("there is no table %s", title);
    return t;
}

static void close_table(table *t) { json_decref(t->all); }

static const char *cell(const table *t, size_t row, size_t column)
{
    const char *s = json_string_value(json_array_get(json_array_get(t->rows, row), column));
    if (!s) fail_msg("row %zu has no column %zu", row, column);
    return s;
}

static double value(const table *t, size_t row, size_t column) { return strtod(cell(t, row, column), NULL); }

/* Cosines near the end of a phase cancel: what remains there is judged by the peak's size. */
static void close_to(double got, double want, double peak, const char *what)
{
    if (!(fabs(got - want) <= 1e-12 * fabs(want) + 1e-15 * peak))
        fail_msg("%s: got %.17g, want %.17g", what, got, want);
}

static strata_rates *open_with(const strata_rates_config *config)
{
    strata_rates *r;
    if (strata_rates_open(&r, config) != STRATA_OK) fail_msg("%s", strata_message());
    return r;
}

static strata_rates *open_rates(const char *lr, const char *schedule, uint32_t n, uint64_t steps)
{
    return open_with(&(strata_rates_config) { .lr = lr,
                                              .schedule = schedule,
                                              .n_groups = n,
                                              .group_name = names,
                                              .steps = steps,
                                              .steps_per_epoch = 10,
                                              .momentum = 0.9 });
}

/* ---- A: spreads ----------------------------------------------------------------------------- */

static void spread_is(const char *lr, const char *want)
{
    double rate[MOST];
    uint32_t n = 0;
    char *end = NULL;
    for (const char *s = want; *s; s = end, n++) rate[n] = strtod(s, &end);
    strata_rates *r = open_rates(lr, "constant", n, 7);
    for (uint32_t g = 0; g < n; g++) {
        double now[MOST];
        strata_rates_at(r, 3, now, NULL);
        close_to(strata_rates_peak(r)[g], rate[g], rate[n - 1], lr);
        assert_true(now[g] == strata_rates_peak(r)[g]);
    }
    strata_rates_close(r);
}

static void spreads(void **state)
{
    (void)state;
    char lr[64];
    double lo, hi;
    table t = open_table("A1");
    for (size_t i = 0; i < t.n; i++) {
        assert_int_equal(sscanf(cell(&t, i, 0), "slice(%lf,%lf)", &lo, &hi), 2);
        snprintf(lr, sizeof lr, "%.17g:%.17g", lo, hi);
        spread_is(lr, cell(&t, i, 2));
    }
    close_table(&t);
    t = open_table("A2");
    spread_is("1e-3/3", cell(&t, 0, 3));
    spread_is("1e-3/10", cell(&t, 1, 3));
    spread_is("1e-3/10", cell(&t, 2, 3));
    spread_is("1e-3/10", cell(&t, 3, 3));
    spread_is("3e-3/10", cell(&t, 4, 3));
    close_table(&t);
    t = open_table("A4");
    spread_is("0.01@decay=1/2.6", cell(&t, 0, 1));
    snprintf(lr, sizeof lr, "%.17g:0.01", 0.01 / pow(2.6, 4));
    spread_is(lr, cell(&t, 1, 1));
    close_table(&t);
}

/* One epoch of the head alone, then the rest at two hundredths to a half. */
static void fine_tune(void **state)
{
    (void)state;
    table t = open_table("A3");
    strata_rates *r = open_rates("2e-3", "fine-tune,pct=0.3", 3, 40);
    strata_group_rate now[3];
    double want[2][3];
    for (int i = 0; i < 2; i++)
        assert_int_equal(sscanf(cell(&t, (size_t)i, 1), "%lf %lf %lf", &want[i][0], &want[i][1], &want[i][2]),
                         3);
    for (uint64_t step = 0; step < 40; step++) {
        strata_rates_look(r, step, now, NULL);
        for (uint32_t g = 0; g < 3; g++) assert_int_equal(now[g].frozen, step < 10 && g < 2);
    }
    strata_rates_look(r, 0, now, NULL);
    close_to(now[2].lr, want[0][2] / 25, 1e-3, "the first stage begins at a 25th");
    assert_true(now[1].lr == 0);
    strata_rates_look(r, 10, now, NULL); /* div 5 */
    for (uint32_t g = 0; g < 3; g++) close_to(now[g].lr, want[1][g] / 5, 1e-3, "the second stage");
    strata_rates_look(r, 19, now, NULL); /* at its peak, 0.3 of 30 steps */
    for (uint32_t g = 0; g < 3; g++) close_to(now[g].lr, want[1][g], 1e-3, "the second stage's peak");
    strata_rates_close(r);
    close_table(&t);
}

/* ---- B, C, D, G: schedules -------------------------------------------------------------------- */

/* Rows of [step, rate of each group, momentum]. */
static void curve_is(const char *title, const char *lr, const char *schedule, uint32_t n, bool momentum)
{
    table t = open_table(title);
    strata_rates *r = open_rates(lr, schedule, n, 100);
    for (size_t i = 0; i < t.n; i++) {
        double now[MOST], mom;
        strata_rates_at(r, (uint64_t)value(&t, i, 0), now, &mom);
        for (uint32_t g = 0; g < n; g++) close_to(now[g], value(&t, i, 1 + g), 0.01, title);
        if (momentum) close_to(mom, value(&t, i, 1 + n), 1, title);
    }
    strata_rates_close(r);
    close_table(&t);
}

static void cycles(void **state)
{
    (void)state;
    curve_is("B1", "1e-6:1e-2", "one-cycle:fastai1,pct=0.3,div=25,final=2.5e5", 3, true);
    curve_is("B1", "1e-6:1e-2", "one-cycle:fastai1", 3, true);
    curve_is("B2", "1e-6:1e-2", "one-cycle", 3, true);
    curve_is("B4", "1e-6:1e-2", "one-cycle:torch", 3, true);
    table t = open_table("B3"); /* float32 knots: equal to 1.9e-6 */
    strata_rates *r = open_rates("1e-2", "one-cycle", 1, 100);
    for (size_t i = 0; i + 1 < t.n; i++) {
        double now;
        strata_rates_at(r, (uint64_t)value(&t, i, 0), &now, NULL);
        assert_true(fabs(now / value(&t, i, 2) - 1) <= 5e-6);
    }
    strata_rates_close(r);
    close_table(&t);
}

static void flat_cosines(void **state)
{
    (void)state;
    table t = open_table("C");
    strata_rates *v1 = open_rates("1e-2", "flat-cosine:fastai1", 1, 100),
                 *v2 = open_rates("1e-2", "flat-cosine", 1, 100);
    for (size_t i = 0; i < t.n; i++) {
        const uint64_t step = (uint64_t)value(&t, i, 0);
        double now, mom;
        strata_rates_at(v1, step, &now, &mom);
        close_to(now, value(&t, i, 1), 0.01, "fit_fc");
        close_to(mom, value(&t, i, 2), 1, "fit_fc's momentum");
        strata_rates_at(v2, step, &now, &mom);
        close_to(now, value(&t, i, 3), 0.01, "fit_flat_cos");
        assert_true(mom == 0.9);
    }
    strata_rates_close(v1);
    strata_rates_close(v2);
    close_table(&t);
}

static void restarts_and_triangles(void **state)
{
    (void)state;
    table t = open_table("D");
    strata_rates *filling = open_rates("1e-2", "sgdr,cycles=3,mult=2", 1, 70),
                 *lengths = open_rates("1e-2", "sgdr,length=1ep", 1, 70);
    for (size_t i = 0; i < t.n; i++) {
        double now;
        strata_rates_at(filling, (uint64_t)value(&t, i, 0), &now, NULL);
        close_to(now, value(&t, i, 1), 0.01, "sgdr");
        strata_rates_at(lengths, (uint64_t)value(&t, i, 0), &now, NULL);
        close_to(now, value(&t, i, 1), 0.01, "sgdr by length");
    }
    strata_rates_close(filling);
    strata_rates_close(lengths);
    close_table(&t);
    t = open_table("G");
    strata_rates *r = open_rates("1e-2", "slanted-triangular", 1, 100);
    for (size_t i = 0; i < t.n; i++) {
        double now;
        strata_rates_at(r, (uint64_t)value(&t, i, 0), &now, NULL);
        close_to(now, value(&t, i, 2), 0.01, "slanted triangular");
    }
    strata_rates_close(r);
    close_table(&t);
}

/* ---- E: the finder ---------------------------------------------------------------------------- */

static void finder(void **state)
{
    (void)state;
    table t = open_table("E1");
    for (size_t i = 0; i < t.n; i++)
        close_to(sweep_rate(1e-7, 10, (uint32_t)value(&t, i, 0), 100), value(&t, i, 1), 10, "sweep");
    close_table(&t);

    double lr[100], loss[100];
    uint32_t first, kept;
    for (uint32_t i = 0; i < 100; i++) {
        lr[i] = sweep_rate(1e-7, 10, i, 100);
        const double x = log10(lr[i]), rise = fmax(0, x + 0.6);
        loss[i] = 2.3 - 1.4 / (1 + exp(-2.2 * (x + 3))) + 4 * rise * rise + 0.004 * sin(7 * x);
    }
    assert_true(sweep_kept(loss, 100, 100, &first, &kept));
    assert_int_equal(first, 10);
    assert_int_equal(kept, 85);
    const uint32_t got[] = { sweep_valley(loss + first, kept), sweep_slide(loss + first, kept),
                             sweep_minimum(loss + first, kept), sweep_steep(lr + first, loss + first, kept),
                             sweep_gradient(loss + first, kept) };
    t = open_table("E2");
    assert_int_equal(t.n, 5);
    for (size_t i = 0; i < t.n; i++) {
        if (got[i] != (uint32_t)value(&t, i, 1)) fail_msg("%s: got %u", cell(&t, i, 0), (unsigned)got[i]);
        close_to(lr[first + got[i]] / (i == 2 ? 10 : 1), value(&t, i, 2), 1, cell(&t, i, 0));
    }
    close_table(&t);

    t = open_table("E3");
    sweep_smooth smooth = { 0 };
    for (size_t i = 0; i < t.n; i++) {
        const double now = sweep_smoothed(&smooth, value(&t, i, 1), 0.98);
        close_to(smooth.average, value(&t, i, 2), 1, "average");
        close_to(now, value(&t, i, 3), 1, "smoothed");
    }
    close_table(&t);
}

/* What fastai v2's valley, slide and minimum, and numpy's gradient, say of curves with ties and ends; the
 * valley of a curve that falls at once would be at index -1. */
static void odd_curves(void **state)
{
    (void)state;
    static const struct {
        double loss[6];
        uint32_t n, valley, minimum, gradient;
    } curves[] = {
        { { 5, 4, 3, 9, 8, 7 }, 6, 0, 2, 0 }, /* two stretches of three: the first */
        { { 1, 2, 1.5 }, 3, 0, 0, 2 },        { { 2, 1, 3 }, 3, 0, 1, 0 },
        { { 3, 1, 2, 1 }, 4, 1, 1, 0 }, /* the minimum is met twice */
        { { 5, 1, 0.9, 0.8 }, 4, 0, 3, 0 },   { { 1, 1, 1, 0 }, 4, 1, 3, 3 },
    };
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        const double *loss = curves[i].loss;
        const uint32_t n = curves[i].n;
        assert_int_equal(sweep_valley(loss, n), curves[i].valley);
        assert_int_equal(sweep_minimum(loss, n), curves[i].minimum);
        assert_int_equal(sweep_gradient(loss, n), curves[i].gradient);
    }
    double loss[40], lr[40];
    uint32_t first, kept;
    for (uint32_t i = 0; i < 40; i++) {
        loss[i] = 0.0052 / 29 * i * i; /* slopes 15 points apart differ by more than 0.005 all the way */
        lr[i] = sweep_rate(1e-7, 10, i, 40);
    }
    for (uint32_t n = 14; n <= 40; n++) assert_int_equal(sweep_slide(loss, n), n < 16 ? SWEEP_NONE : 0);
    assert_int_equal(sweep_steep(lr, loss, 40), SWEEP_NONE); /* it never falls */
    assert_true(sweep_kept(loss, 40, 40, &first, &kept) && first == 4 && kept == 31);
    loss[10] = INFINITY;
    assert_true(sweep_kept(loss, 40, 40, &first, &kept) && first == 4 && kept == 6);
    loss[9] = -INFINITY;
    assert_false(sweep_kept(loss, 40, 40, &first, &kept));
}

/* ---- F, H: layer decay, trust ratios ---------------------------------------------------------- */

static void decays(void **state)
{
    (void)state;
    table t = open_table("F1");
    strata_rates *vit = open_rates("1@decay=0.75", "constant", 14, 1),
                 *electra = open_rates("1@decay=0.75,ids=electra", "constant", 14, 1);
    assert_int_equal(t.n, 14);
    for (size_t g = 0; g < t.n; g++) {
        close_to(strata_rates_peak(vit)[g], value(&t, g, 2), 1, "timm");
        close_to(strata_rates_peak(electra)[g], value(&t, g, 3), 1, "electra");
    }
    strata_rates_close(vit);
    strata_rates_close(electra);
    close_table(&t);
    t = open_table("F2");
    assert_int_equal(t.n, 10);
    strata_rates *r = open_rates("1@decay=0.75", "constant", 10, 1);
    for (size_t g = 0; g < t.n; g++) close_to(strata_rates_peak(r)[g], value(&t, g, 2), 1, "resnet18");
    strata_rates_close(r);
    close_table(&t);
    /* lo:hi over n groups is layer decay by (lo / hi)^(1 / (n - 1)). */
    static const struct {
        const char *lr;
        uint32_t n;
    } same[] = {
        { "1e-6:1e-2", 3 }, { "1e-5:1e-3", 3 }, { "1@decay=1/2.6", 5 }, { "1/10", 2 }, { "1e-6:1e-2", 10 }
    };
    t = open_table("F3");
    assert_int_equal(t.n, 5);
    for (size_t i = 0; i < t.n; i++) {
        r = open_rates(same[i].lr, "constant", same[i].n, 1);
        close_to(strata_rates_peak(r)[0] / strata_rates_peak(r)[1], value(&t, i, 1), 1, same[i].lr);
        strata_rates_close(r);
    }
    close_table(&t);
}

static void trust_ratios(void **state)
{
    (void)state;
    table t = open_table("H");
    const double w = 5, g = 0.1, decay = 0.01, lr = 0.1, eps = 1e-8;
    const double ratio = trust_lars(w, g, decay, 0.001, eps), u = hypot(1 + decay * 3, -1 + decay * 4);
    const double got[] = { ratio,
                           lr * ratio,
                           trust_clip(ratio, lr),
                           trust_larc(w, g, decay, 0.02, eps, lr),
                           trust_lamb(w, u, INFINITY),
                           trust_lamb(w / sqrt(2), 1, 10) };
    assert_int_equal(t.n, 6);
    for (size_t i = 0; i < t.n; i++) close_to(got[i], value(&t, i, 1), 1, cell(&t, i, 0));
    assert_true(trust_clip(0.5, 0.1) == 1); /* never above lr */
    assert_true(trust_lars(0, 1, 0, 1, 0) == 1 && trust_lamb(1, 0, 10) == 1);
    assert_true(trust_lars(1, 0, 0.5, 1, 0) == 1 && trust_lamb(0, 1, 0.25) == 0.25); /* as it is held */
    close_table(&t);
}

/* ---- L, M, N: blends ------------------------------------------------------------------------ */

static strata_rates *open_bleed(const char *spec, uint64_t steps)
{
    return open_with(&(strata_rates_config) { .lr = "1e-6,1e-4,1e-2",
                                              .schedule = "one-cycle:fastai1",
                                              .bleed = spec,
                                              .n_groups = 3,
                                              .group_name = names,
                                              .steps = steps,
                                              .momentum = 0.9 });
}

static void bleeds(void **state)
{
    (void)state;
    table t = open_table("L1");
    strata_rates *r = open_bleed("in", 100); /* the window begins at the peak, 0.3 */
    for (size_t i = 0; i < t.n; i++) {
        strata_group_rate now[3];
        strata_rates_look(r, (uint64_t)value(&t, i, 0), now, NULL);
        for (size_t g = 0; g < 3; g++) {
            close_to(now[g].beta, value(&t, i, 1), 1, "beta");
            close_to(now[g].lr, value(&t, i, 2 + g), 0.01, "bleed-in");
        }
    }
    strata_rates_close(r);
    close_table(&t);

    t = open_table("L2");
    r = open_bleed("in,space=linear", 100);
    bleed mean;
    assert_int_equal(bleed_parse(&mean, "in,anchor=mean,p0=0.3"), STRATA_OK);
    strata_rates *uniform = open_rates("1e-2", "one-cycle:fastai1", 1, 100);
    for (size_t i = 0; i < t.n; i++) {
        const uint64_t step = (uint64_t)value(&t, i, 0);
        const double m[] = { 1e-4, 1e-2, 1 }, beta = bleed_beta(&mean, 0, 3, step, 100, NULL);
        double now[3], s;
        strata_rates_at(r, step, now, NULL);
        strata_rates_at(uniform, step, &s, NULL);
        for (size_t g = 0; g < 2; g++) close_to(now[g], value(&t, i, 1 + g), 0.01, "linear space");
        for (size_t g = 0; g < 3; g++) /* as it would be: the rates themselves are held at M */
            close_to(s * bleed_blend(&mean, m[g], beta, log(1e-6) / 3), value(&t, i, 3 + g), 1,
                     "mean anchor");
    }
    strata_rates_close(uniform);
    strata_rates_close(r);
    close_table(&t);
}

static void freeze_outs(void **state)
{
    (void)state;
    table t = open_table("M");
    strata_rates *r = open_rates("0.1", "freeze-out", 5, 10000);
    for (uint32_t g = 0; g < 5; g++) {
        strata_group_rate now[5];
        const double end = value(&t, g, 1);
        strata_rates_look(r, 0, now, NULL);
        close_to(now[g].lr, value(&t, g, 2), 0.1, "at first");
        strata_rates_look(r, 2500, now, NULL);
        close_to(now[g].lr, value(&t, g, 3), 0.1, "at a quarter");
        strata_rates_look(r, 5000, now, NULL);
        close_to(now[g].lr, value(&t, g, 4), 0.1, "at a half");
        strata_rates_look(r, (uint64_t)(end * 10000) - 1, now, NULL);
        assert_false(now[g].frozen);
        strata_rates_look(r, (uint64_t)(end * 10000) + 1, now, NULL);
        assert_int_equal(now[g].frozen, g < 4);
    }
    strata_rates_close(r);
    close_table(&t);
}

static void sum_up(const strata_rates *r, double mass[3])
{
    rates_sum sum[3];
    assert_int_equal(strata_rates_sum(r, sum), STRATA_OK);
    for (int g = 0; g < 3; g++) mass[g] = sum[g].mass;
}

/* The sums of rates, over the size of the weights they move; the table has four digits. */
static void masses(void **state)
{
    (void)state;
    static const uint32_t group[] = { 0, 0, 0, 1, 1, 2, 2 };
    table t = open_table("N");
    double slice[3], uniform[3], blended[3];
    strata_rates *r = open_rates("1e-6:1e-2", "one-cycle:fastai1", 3, 620);
    sum_up(r, slice);
    strata_rates_close(r);
    r = open_rates("1e-2", "one-cycle:fastai1", 3, 620);
    sum_up(r, uniform);
    strata_rates_close(r);
    r = open_bleed("in", 620);
    sum_up(r, blended);
    strata_rates_close(r);
    close_to(uniform[0], 313.7408659999999 * 1e-2, 0.01, "one-cycle's mass");
    for (size_t i = 0; i < t.n; i++) {
        const double rms = value(&t, i, 1), got[] = { slice[group[i]], uniform[group[i]], blended[group[i]] };
        for (size_t k = 0; k < 3; k++)
            if (!(fabs(got[k] / rms / value(&t, i, 2 + k) - 1) < 5e-4))
                fail_msg("%s, column %zu: got %.6g, want %s", cell(&t, i, 0), k, got[k] / rms,
                         cell(&t, i, 2 + k));
    }
    close_table(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spreads),
        cmocka_unit_test(fine_tune),
        cmocka_unit_test(cycles),
        cmocka_unit_test(flat_cosines),
        cmocka_unit_test(restarts_and_triangles),
        cmocka_unit_test(finder),
        cmocka_unit_test(decays),
        cmocka_unit_test(trust_ratios),
        cmocka_unit_test(odd_curves),
        cmocka_unit_test(bleeds),
        cmocka_unit_test(freeze_outs),
        cmocka_unit_test(masses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

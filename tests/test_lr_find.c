/* The learning rate finder: what it suggests of odd curves, and that nothing of a sweep is left behind. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/lr_find.h"
#include "ok.h"

enum { POINTS = 40 };

static const char *device_name(void)
{
    const char *name = getenv("STRATA_TEST_DEVICE");
    return name && *name ? name : "auto";
}

/* Flat, rising, short or broken curves have no suggestion; a broken tail is cut off. */
static void odd_curves_have_defined_answers(void **state)
{
    (void)state;
    double lr[100], loss[100];
    strata_lr_curve c = { .lr = lr, .smoothed = loss, .n = 100 };
    for (int i = 0; i < 100; i++) lr[i] = pow(10, -7 + 0.08 * i), loss[i] = 2;
    lr_find_suggest(&c, 100);
    assert_true(isnan(c.valley) && isnan(c.slide) && isnan(c.minimum) && isnan(c.steep));
    for (int i = 0; i < 100; i++) loss[i] = i;
    lr_find_suggest(&c, 100);
    assert_true(isnan(c.valley));
    for (int i = 0; i < 100; i++) loss[i] = 100 - i;
    for (c.n = 0; c.n <= 20; c.n++) { /* ten are dropped at the front, five at the back, six are wanted */
        lr_find_suggest(&c, 100);
        assert_true(isnan(c.valley));
    }
    for (; c.n <= 100; c.n++) {
        lr_find_suggest(&c, 100);
        assert_true(c.valley >= lr[10] && c.valley < lr[c.n - 5] && c.minimum == lr[c.n - 6] / 10);
    }
    c.n = 100;
    loss[60] = NAN;
    lr_find_suggest(&c, 100);
    assert_true(c.minimum == lr[59] / 10);
    loss[3] = INFINITY; /* not among those that are looked at */
    lr_find_suggest(&c, 100);
    assert_true(c.minimum == lr[59] / 10);
}

typedef struct sweeps {
    uint32_t n;
    double first_loss[8], valley[8];
    char group[8][32];
    const char *end;
    double loss[POINTS];
} sweeps;

static void keep(void *context, const strata_lr_curve *c)
{
    sweeps *s = context;
    assert_true(s->n < 8 && c->n > 0 && c->n <= POINTS);
    s->first_loss[s->n] = c->loss[0];
    s->valley[s->n] = c->valley;
    s->end = c->end;
    strncpy(s->group[s->n], c->group ? c->group : "", sizeof s->group[0] - 1);
    if (s->n++ == 0) memcpy(s->loss, c->loss, c->n * sizeof *c->loss);
}

typedef struct still_sweeps {
    uint32_t n, points[8];
    double valley[8];
    char end[32]; /* of the one without points */
} still_sweeps;

static void keep_still(void *context, const strata_lr_curve *c)
{
    still_sweeps *s = context;
    assert_true(s->n < 8);
    if (c->n == 0) snprintf(s->end, sizeof s->end, "%s", c->end);
    s->points[s->n] = c->n;
    s->valley[s->n++] = c->valley;
}

static strata_recipe *open_recipe(void)
{
    strata_recipe *r;
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, "data", "builtin:digits"));
    OK(strata_recipe_set(r, "model", "small-cnn"));
    OK(strata_recipe_set(r, "batch", "32"));
    OK(strata_recipe_set(r, "device", device_name()));
    return r;
}

/* Each sweep sees the weights and images of the first, and two calls see the same bits. */
static void sweeps_begin_alike(void **state)
{
    (void)state;
    static sweeps a, b;
    strata_recipe *r = open_recipe();
    const strata_lr_find_config config = { .steps = POINTS, .per_group = true };
    OK(strata_lr_find(r, &config, keep, &a));
    assert_int_equal(a.n, 4);
    assert_string_equal(a.group[0], "");
    assert_string_equal(a.group[1], "stem");
    assert_string_equal(a.group[3], "head");
    for (uint32_t i = 1; i < 4; i++) assert_memory_equal(&a.first_loss[i], &a.first_loss[0], sizeof(double));
    assert_true(a.valley[0] > 1e-6 && a.valley[0] < 1);
    OK(strata_lr_find(r, &(strata_lr_find_config) { .steps = POINTS }, keep, &b));
    assert_int_equal(b.n, 1);
    assert_memory_equal(a.loss, b.loss, sizeof a.loss);
    strata_recipe_close(r);
}

/* What --lr is counts by its ratios alone, also where the rate enters a row a second time: as what a decay or
 * a trust ratio is measured by. */
static void sweeps_do_not_know_the_rate(void **state)
{
    (void)state;
    static const char *const cases[][6] = {
        { "decay-by", "base", "weight-decay", "0.5", "opt", "adamw" },
        { "trust-clip", "1", "weight-decay", "0.1", "opt", "lars" },
    };
    for (int i = 0; i < 2; i++) {
        sweeps s[2] = { { 0 } };
        for (int high = 0; high < 2; high++) {
            strata_recipe *r = open_recipe();
            for (int k = 0; k < 6; k += 2) OK(strata_recipe_set(r, cases[i][k], cases[i][k + 1]));
            OK(strata_recipe_set(r, "batch", "8"));
            OK(strata_recipe_set(r, "lr", high ? "0.5,1,2" : "5e-4,1e-3,2e-3"));
            const strata_lr_find_config config = { .low = 1e-4, .high = 0.1, .steps = 20 };
            OK(strata_lr_find(r, &config, keep, &s[high]));
            strata_recipe_close(r);
        }
        for (int k = 0; k < 20; k++)
            if (!(fabs(s[0].loss[k] - s[1].loss[k]) <= 1e-5 * s[0].loss[k]))
                fail_msg("%s, point %d: the loss is %.9g and %.9g", cases[i][5], k, s[0].loss[k],
                         s[1].loss[k]);
    }
}

/* A group that its rate freezes has no suggestion, rather than that of a curve of noise. */
static void what_stands_still_is_not_swept(void **state)
{
    (void)state;
    static still_sweeps s;
    strata_recipe *r = open_recipe();
    OK(strata_recipe_set(r, "lr", "0,1,1"));
    OK(strata_lr_find(r, &(strata_lr_find_config) { .steps = 20, .per_group = true }, keep_still, &s));
    assert_int_equal(s.n, 4);
    assert_int_equal(s.points[1], 0);
    assert_true(isnan(s.valley[1]) && s.points[0] == 20 && s.points[2] == 20);
    assert_string_equal(s.end, "its --lr is 0");
    strata_recipe_close(r);
}

static void a_loss_that_is_not_finite_ends_a_sweep(void **state)
{
    (void)state;
    static sweeps s;
    strata_recipe *r = open_recipe();
    OK(strata_recipe_set(r, "opt", "sgd"));
    const strata_lr_find_config config = { .low = 1e20, .high = 1e30, .steps = POINTS, .to_the_end = true };
    OK(strata_lr_find(r, &config, keep, &s));
    assert_string_equal(s.end, "the loss is not finite");
    const strata_lr_find_config wrong = { .low = 1, .high = 1e-3 };
    assert_int_equal(strata_lr_find(r, &wrong, keep, &s), STRATA_BAD_ARG);
    strata_recipe_close(r);
}

enum { BATCH = 4, SIDE = 8, RANGES = 5 };

static void read_all(strata_trainer *t, char *out[RANGES])
{
    const strata_plan *p = t->main.plan;
    const strata_slice slice[RANGES] = { p->weights, p->running, p->moment1, p->moment2, p->state };
    for (int i = 0; i < RANGES; i++) {
        assert_non_null(slice[i].block);
        out[i] = malloc(slice[i].bytes);
        OK(strata_plan_read_range(t->main.plan, out[i], slice[i]));
    }
}

/* Are all bytes of the two those of the other? */
static void expect_same(const strata_trainer *t, char *a[RANGES], char *b[RANGES], bool same)
{
    const strata_plan *p = t->main.plan;
    const strata_slice slice[RANGES] = { p->weights, p->running, p->moment1, p->moment2, p->state };
    for (int i = 0; i < RANGES; i++) assert_int_equal(memcmp(a[i], b[i], slice[i].bytes) == 0, same);
}

/* Steps, a sweep's worth of chaos, and back: every byte that a step moves, and what follows is what would
 * have followed. */
static void snapshots_put_everything_back(void **state)
{
    (void)state;
    float pixels[BATCH * SIDE * SIDE], want[3], got[3], loss;
    const int32_t labels[BATCH] = { 1, 2, 3, 4 };
    char *at[3][RANGES];
    uint64_t rows[64];
    strata_recipe *r = open_recipe();
    strata_device *d;
    strata_trainer *t;
    trainer_snapshot s;
    OK(strata_recipe_set(r, "batch", "4"));
    OK(strata_device_open(&d, &(strata_device_config) { .name = device_name() }));
    OK(strata_trainer_open(&t, d, r, &(strata_task) { SIDE, SIDE, 1, 10, 20, 0 }));
    const uint32_t n_rows = trainer_model(t)->graph->n_rows;
    assert_in_range(n_rows, 1, 64);
    for (int i = 0; i < BATCH * SIDE * SIDE; i++) pixels[i] = (float)(i * 31 % 17) / 17;
    OK(strata_trainer_step(t, pixels, labels, BATCH, &loss));
    OK(strata_trainer_step(t, pixels, labels, BATCH, NULL)); /* in flight */
    OK(trainer_snapshot_take(&s, t));
    read_all(t, at[0]);
    memcpy(rows, t->row_steps, n_rows * sizeof *rows);
    for (int i = 0; i < 3; i++) OK(strata_trainer_step(t, pixels, labels, BATCH, &want[i]));
    pixels[7] = NAN;
    assert_int_equal(strata_trainer_step(t, pixels, labels, BATCH, &loss), STRATA_NOT_FINITE);
    pixels[7] = (float)(7 * 31 % 17) / 17;
    read_all(t, at[1]);
    expect_same(t, at[0], at[1], false);
    OK(trainer_snapshot_put(&s, t));
    read_all(t, at[2]);
    expect_same(t, at[0], at[2], true);
    assert_int_equal(strata_trainer_steps(t), 2);
    assert_memory_equal(t->row_steps, rows, n_rows * sizeof *rows);
    for (int i = 0; i < 3; i++) OK(strata_trainer_step(t, pixels, labels, BATCH, &got[i]));
    assert_memory_equal(got, want, sizeof want);
    for (int i = 0; i < 3 * RANGES; i++) free(at[i / RANGES][i % RANGES]);
    trainer_snapshot_free(&s);
    strata_trainer_close(t);
    strata_device_close(d);
    strata_recipe_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_curves_have_defined_answers),
        cmocka_unit_test(sweeps_begin_alike),
        cmocka_unit_test(sweeps_do_not_know_the_rate),
        cmocka_unit_test(what_stands_still_is_not_swept),
        cmocka_unit_test(a_loss_that_is_not_finite_ends_a_sweep),
        cmocka_unit_test(snapshots_put_everything_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

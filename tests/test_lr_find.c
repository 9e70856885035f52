/* The learning rate finder: what it suggests of odd curves, and that nothing of a sweep is left behind. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/lr_find.h"

enum { POINTS = 40 };

#define OK(call)                                                                                             \
    do {                                                                                                     \
        if ((call) != STRATA_OK) fail_msg("%s: %s", #call, strata_message());                                \
    } while (0)

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

/* Steps, a sweep's worth of chaos, and back: what follows is what would have followed. */
static void snapshots_put_everything_back(void **state)
{
    (void)state;
    enum { BATCH = 4, SIDE = 8 };
    float pixels[BATCH * SIDE * SIDE], want[3], got[3], loss;
    const int32_t labels[BATCH] = { 1, 2, 3, 4 };
    strata_recipe *r = open_recipe();
    strata_device *d;
    strata_trainer *t;
    trainer_snapshot s;
    OK(strata_recipe_set(r, "batch", "4"));
    OK(strata_device_open(&d, &(strata_device_config) { .name = device_name() }));
    OK(strata_trainer_open(&t, d, r, &(strata_task) { SIDE, SIDE, 1, 10, 20, 0 }));
    for (int i = 0; i < BATCH * SIDE * SIDE; i++) pixels[i] = (float)(i * 31 % 17) / 17;
    OK(strata_trainer_step(t, pixels, labels, BATCH, &loss));
    OK(strata_trainer_step(t, pixels, labels, BATCH, NULL)); /* in flight */
    OK(trainer_snapshot_take(&s, t));
    for (int i = 0; i < 3; i++) OK(strata_trainer_step(t, pixels, labels, BATCH, &want[i]));
    pixels[7] = NAN;
    assert_int_equal(strata_trainer_step(t, pixels, labels, BATCH, &loss), STRATA_NOT_FINITE);
    pixels[7] = (float)(7 * 31 % 17) / 17;
    OK(trainer_snapshot_put(&s, t));
    assert_int_equal(strata_trainer_steps(t), 2);
    for (int i = 0; i < 3; i++) OK(strata_trainer_step(t, pixels, labels, BATCH, &got[i]));
    assert_memory_equal(got, want, sizeof want);
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
        cmocka_unit_test(a_loss_that_is_not_finite_ends_a_sweep),
        cmocka_unit_test(snapshots_put_everything_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

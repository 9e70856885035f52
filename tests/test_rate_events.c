/* What is observed in a run, files of rates and rules. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/file.h"
#include "rate_case.h"
#include "rates/bleed.h"

/* ---- What is observed ------------------------------------------------------------------------- */

static void observe(strata_rates *r, uint64_t step, rates_event_kind kind, uint32_t group, double value)
{
    assert_int_equal(strata_rates_observe(r, &(rates_event) { step, kind, group, value }), STRATA_OK);
}

/* Worked by hand after torch's rule: with patience 1 the second observation in a row without improvement
 * reduces, and one of cooldown then forgives the next. Rates of steps before an entry do not change by it. */
static void plateau_reduces(void **state)
{
    (void)state;
    static const double metric[] = { 1, 0.9, 0.95, 0.9, 0.9, 0.9, 0.9, 0.5, 0.49999 };
    static const double want[] = { 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25 };
    strata_rates_config c = defaults();
    double lr[4];
    c.schedule = "plateau,factor=0.5,patience=1,cooldown=1";
    strata_rates *r = open_rates(&c);
    for (uint32_t i = 0; i < 9; i++) {
        observe(r, 10 * i, RATES_METRIC, 0, metric[i]);
        for (uint32_t k = 0; k <= i; k++) {
            strata_rates_at(r, 10 * k + 5, lr, NULL);
            if (lr[0] != want[k]) fail_msg("after %u, at %u: got %g, want %g", i, k, lr[0], want[k]);
        }
    }
    assert_int_equal(strata_rates_observed(r)->n, 9);
    assert_int_equal(strata_rates_observe(r, &(rates_event) { 10, RATES_METRIC, 0, 1 }), STRATA_BAD_ARG);
    assert_int_equal(strata_rates_observe(r, &(rates_event) { 90, RATES_FREEZE, 4, 1 }), STRATA_BAD_ARG);
    strata_rates_close(r);
}

static void triggers_start_and_freezes_end(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    strata_group_rate now[4];
    c.lr = "1e-4:1";
    c.bleed = "in,start=measured,p0=0.2,p1=0.5,ramp=linear,freeze-below=1e-3";
    strata_rates *r = open_rates(&c);
    observe(r, 40, RATES_TRIGGER, 1, 0);
    observe(r, 60, RATES_FREEZE, 0, 0);
    for (uint64_t i = 0; i < 100; i++) {
        strata_rates_look(r, i, now, NULL);
        assert_true(now[0].beta == 0 && now[2].beta == 0);
        assert_true(fabs(now[1].beta - fmin(1, fmax(0, ((double)i - 40) / 30))) < 1e-12);
        assert_int_equal(now[0].frozen, i >= 60);
    }
    strata_rates_close(r);
    bleed b;
    const double change[] = { 1, 1e-4, 1e-4, 1e-4 };
    assert_int_equal(bleed_parse(&b, c.bleed), STRATA_OK);
    assert_true(bleed_has_settled(&b, change, 4) && !bleed_has_settled(&b, change, 3) &&
                !bleed_has_settled(&b, change + 1, 2));
    b.times = 4;
    assert_true(!bleed_has_settled(&b, change, 4));
    assert_true(bleed_is_done(&b, 1e-6, 100, 0.2) && !bleed_is_done(&b, 1e-6, 300, 0.2));
}

/* A plateau that begins later knows nothing of what was before it, and other schedules have none. */
static void plateaus_begin_with_their_phase(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    c.schedule = "stem=linear,from=0.5; constant,for=50 then plateau,factor=0.5,patience=0";
    strata_rates *r = open_rates(&c);
    observe(r, 10, RATES_METRIC, 0, 1);
    observe(r, 60, RATES_METRIC, 0, 3);
    observe(r, 70, RATES_METRIC, 0, 2);
    observe(r, 80, RATES_METRIC, 0, 2);
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(strata_rates_reduced(r, i, 3) == (i < 80 ? 1 : 0.5));
        assert_true(strata_rates_of(r, i, 3) == strata_rates_reduced(r, i, 3));
        assert_true(strata_rates_reduced(r, i, 0) == 1);
    }
    strata_rates_close(r);
}

/* Looks at the weights: how often, of which groups, and when what they find opens a window. */
static void looks_open_windows(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    c.lr = "1e-4:1";
    c.bleed = "in,start=measured,p0=0.3,p1=0.5,every=0.026,times=2,settled=0.01";
    c.freeze_until = "stem=25%";
    strata_rates *r = open_rates(&c);
    assert_int_equal(strata_rates_measure_every(r), 3); /* the nearest whole number of steps */
    assert_true(strata_rates_measures(r, 5, 10, 1));
    assert_false(strata_rates_measures(r, 10, 10, 1)); /* nothing happened between */
    assert_false(strata_rates_measures(r, 20, 30, 0)); /* it was frozen at the first of them */
    assert_false(strata_rates_measures(r, 24, 25, 0)); /* in all of them, though it learns from here on */
    assert_true(strata_rates_measures(r, 25, 26, 0));
    for (uint64_t i = 10; i < 40; i += 10) /* settled from the second on, but no window is before p0 */
        assert_int_equal(strata_rates_measured(r, i, 1, 1e-3), STRATA_OK);
    const rates_log *log = strata_rates_observed(r);
    assert_int_equal(log->n, 4);
    assert_true(log->event[3].kind == RATES_TRIGGER && log->event[3].step == 30 && log->event[3].group == 1);
    assert_false(strata_rates_measures(r, 30, 40, 1)); /* it is open */
    assert_true(strata_rates_measures(r, 30, 40, 2));
    strata_rates_close(r);
    c.schedule = "constant,for=20 then constant,for=10,freeze=2 then constant";
    c.freeze_until = NULL;
    r = open_rates(&c);
    assert_true(strata_rates_measures(r, 10, 20, 0));
    assert_false(strata_rates_measures(r, 10, 30, 0)); /* frozen at the end */
    assert_true(strata_rates_measures(r, 10, 30, 2));
    strata_rates_close(r);
}

/* By how much a group can still move: by its rate now, over the steps that are left. */
static void groups_end_that_cannot_move(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    c.lr = "1e-4,1e-4,1e-4,1";
    c.bleed = "in,p0=0.2,p1=0.4,ramp=linear,freeze-below=1e-2";
    strata_rates *r = open_rates(&c);
    assert_false(strata_rates_is_done(r, 10, 0, 1e6));  /* its window is not open */
    assert_false(strata_rates_is_done(r, 60, 0, 0.39)); /* 40 steps of 1e-4 */
    assert_true(strata_rates_is_done(r, 60, 0, 0.41));
    assert_false(strata_rates_is_done(r, 100, 0, 1e6)); /* the run is over */
    observe(r, 60, RATES_FREEZE, 0, 0.41);
    assert_false(strata_rates_is_done(r, 61, 0, 0.41)); /* it is frozen */
    strata_rates_close(r);
}

/* ---- Files and rules ------------------------------------------------------------------------ */

static void refused_file(strata_rates_config *c, const char *path, const char *text, const char *message)
{
    strata_rates *r;
    assert_int_equal(strata_file_write(path, text, strlen(text)), STRATA_OK);
    assert_int_equal(strata_rates_open(&r, c), STRATA_FILE);
    if (!strstr(strata_message(), message)) fail_msg("\"%s\" is not in \"%s\"", message, strata_message());
}

static void files_are_followed(void **state)
{
    (void)state;
    char path[] = "/tmp/strata-rates-XXXXXX", schedule[64];
    strata_rates_config c = defaults();
    strata_group_rate now[4];
    double momentum;
    const int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    snprintf(schedule, sizeof schedule, "csv:%s", path);
    c.schedule = schedule;
    const char *text = "step,layer2,stem,layer1.0,layer1.1,momentum\r\n0,4,1,2,0,0.8\r\n10,8,2,4,0,0.7\n";
    assert_int_equal(strata_file_write(path, text, strlen(text)), STRATA_OK);
    strata_rates *r = open_rates(&c);
    for (uint64_t i = 0; i < 30; i++) {
        const double twice = i < 10 ? 1 : 2;
        strata_rates_look(r, i, now, &momentum);
        assert_true(now[0].lr == twice && now[1].lr == 2 * twice && now[3].lr == 4 * twice);
        assert_true(now[2].lr == 0 && now[2].frozen && !now[0].frozen && momentum == (i < 10 ? 0.8 : 0.7));
    }
    assert_true(strata_rates_peak(r)[3] == 8);
    strata_rates_close(r);
    refused_file(&c, path, "", ":1: wants a header step,GROUP...[,momentum], got ''");
    refused_file(&c, path, "step,stem,stam\n", "there is no group 'stam'; did you mean 'stem'?");
    refused_file(&c, path, "step,stem,stem\n", ":1: the column 'stem' is there twice");
    refused_file(&c, path, "step,stem\n", ":1: there is no column for the group 'layer1.0'");
    refused_file(&c, path, "step,stem,layer1.0,layer1.1,layer2\n", "there are no rows below the header");
    refused_file(&c, path, "step,stem,layer1.0,layer1.1,layer2\n1,1,1,1,1\n",
                 ":2: steps ascend from 0, got 1");
    refused_file(&c, path, "step,stem,layer1.0,layer1.1,layer2\n0,1,1,1\n", ":2: column 5 wants a number");
    refused_file(&c, path, "step,stem,layer1.0,layer1.1,layer2\n0,1,1,1,1,1\n",
                 ":2: wants 5 columns, got more");
    refused_file(&c, path, "step,stem,layer1.0,layer1.1,layer2\n0,1,nan,1,1\n",
                 ":2: column 3 wants a number in [0, 3.40282e+38], got 'nan'");
    refused_file(&c, path, "step,stem,layer1.0,layer1.1,layer2\n0,1,1e39,1,1\n",
                 ":2: column 3 wants a number in [0, 3.40282e+38], got '1e39'");
    refused_file(&c, path, "step,stem,layer1.0,layer1.1,layer2,momentum\n0,1,1,1,1,1\n",
                 ":2: column 6 wants a number in [0, 0.999999], got '1'");
    c.bleed = "in";
    assert_int_equal(strata_file_write(path, text, strlen(text)), STRATA_OK);
    refused(&c, "--bleed 'in', character 1: wants rates from --lr");
    remove(path);
}

/* A 0 freezes, also in the middle; -0 is the rate 0 of a group that learns on. */
static void zeros_in_files_freeze(void **state)
{
    (void)state;
    char name[] = "/tmp/strata_rates_XXXXXX", schedule[64];
    static const char text[] = "step,stem,layer1.0,layer1.1,layer2\n0,0,1,-0,0\n5,1,0,2,0\n7,1,1,0,4\n";
    static const bool frozen[3][4] = { { true, false, false, true },
                                       { false, true, false, true },
                                       { false, false, true, false } };
    strata_rates_config c = defaults();
    strata_group_rate now[4];
    const int file = mkstemp(name);
    assert_true(file >= 0);
    close(file);
    assert_int_equal(strata_file_write(name, text, strlen(text)), STRATA_OK);
    snprintf(schedule, sizeof schedule, "csv:%s", name);
    c.schedule = schedule;
    strata_rates *r = open_rates(&c);
    for (uint64_t i = 0; i < 9; i++) {
        strata_rates_look(r, i, now, NULL);
        const int row = i < 5 ? 0 : i < 7 ? 1 : 2;
        for (uint32_t g = 0; g < 4; g++) {
            assert_int_equal(now[g].frozen, frozen[row][g]);
            assert_true(!signbit(now[g].lr));
            assert_true(now[g].uniform == (i < 5   ? 1
                                           : i < 7 ? 2
                                                   : 4)); /* the last group's, else the largest */
        }
    }
    strata_rates_close(r);
    remove(name);
}

static double rule(void *context, uint64_t step, uint32_t group, double lr, double *momentum)
{
    *momentum = 0.5;
    return lr * *(const double *)context + (double)step + 1000 * group;
}

static void rules_are_asked(void **state)
{
    (void)state;
    double factor = 3, lr[4], momentum;
    strata_rates_config c = defaults();
    c.rule = rule;
    c.rule_context = &factor;
    strata_rates *r = open_rates(&c);
    strata_rates_at(r, 7, lr, &momentum);
    for (uint32_t g = 0; g < 4; g++) assert_true(lr[g] == 3 + 7 + 1000 * g);
    assert_true(momentum == 0.5);
    strata_group_rate now[4];
    strata_rates_look(r, 7, now, NULL); /* without multipliers it would be the last group's */
    for (uint32_t g = 0; g < 4; g++) assert_true(now[g].uniform == lr[3] && now[g].norm == lr[g]);
    strata_rates_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plateau_reduces),    cmocka_unit_test(triggers_start_and_freezes_end),
        cmocka_unit_test(files_are_followed), cmocka_unit_test(zeros_in_files_freeze),
        cmocka_unit_test(rules_are_asked),    cmocka_unit_test(plateaus_begin_with_their_phase),
        cmocka_unit_test(looks_open_windows), cmocka_unit_test(groups_end_that_cannot_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

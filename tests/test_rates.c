/* Spreads and schedules against vectors computed in double, independently of the libraries they follow
 * (tests/golden/rates.json): the largest rates of each group, and rows of [step, lr of each group, momentum]
 * of one-cycle runs as fastai v1, fastai v2 and PyTorch have them. */
#include "rates/rates.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 16 };

static const char *const names[] = { "stem", "body", "head", "d", "e", "f", "g", "h", "i", "j" };

static strata_status open_rates(strata_rates **out, const char *lr, const char *schedule, uint32_t n_groups,
                                uint64_t steps)
{
    const strata_rates_config config = { .lr = lr,
                                         .schedule = schedule,
                                         .n_groups = n_groups,
                                         .group_name = names,
                                         .steps = steps,
                                         .momentum = 0.9 };
    return strata_rates_open(out, &config);
}

/* Cosines near the end of a phase cancel: what remains there is judged by the peak's size. */
static void assert_close(double got, double want, double peak, const char *what)
{
    if (!(fabs(got - want) <= 1e-12 * fabs(want) + 1e-15 * peak))
        fail_msg("%s: got %.17g, want %.17g", what, got, want);
}

static json_t *golden(const char *key)
{
    json_error_t error;
    json_t *all = json_load_file(SOURCE_DIR "/tests/golden/rates.json", 0, &error);
    if (!all) fail_msg("%s", error.text);
    json_t *part = json_incref(json_object_get(all, key));
    json_decref(all);
    assert_true(json_array_size(part) > 0);
    return part;
}

static double at(const json_t *array, size_t i) { return json_number_value(json_array_get(array, i)); }

static void spreads_as_fastai(void **state)
{
    (void)state;
    json_t *cases = golden("spread"), *c;
    size_t i;
    json_array_foreach(cases, i, c)
    {
        const char *lr = json_string_value(json_object_get(c, "lr"));
        const json_t *peak = json_object_get(c, "peak");
        uint32_t n = (uint32_t)json_integer_value(json_object_get(c, "groups"));
        strata_rates *r;
        double now[MOST];
        assert_int_equal(open_rates(&r, lr, "constant", n, 5), STRATA_OK);
        assert_int_equal(json_array_size(peak), n);
        strata_rates_at(r, 4, now, NULL);
        for (uint32_t g = 0; g < n; g++) {
            assert_close(strata_rates_peak(r)[g], at(peak, g), 0, lr);
            assert_true(now[g] == strata_rates_peak(r)[g]);
        }
        strata_rates_close(r);
    }
    json_decref(cases);
}

static void cycles_as_the_libraries(void **state)
{
    (void)state;
    json_t *cases = golden("cycles"), *c, *row;
    size_t i, k;
    json_array_foreach(cases, i, c)
    {
        const char *schedule = json_string_value(json_object_get(c, "schedule"));
        uint32_t n = (uint32_t)json_integer_value(json_object_get(c, "groups"));
        uint64_t steps = (uint64_t)json_integer_value(json_object_get(c, "steps"));
        strata_rates *r;
        assert_int_equal(open_rates(&r, json_string_value(json_object_get(c, "lr")), schedule, n, steps),
                         STRATA_OK);
        json_array_foreach(json_object_get(c, "rows"), k, row)
        {
            double lr[MOST], momentum;
            strata_rates_at(r, (uint64_t)at(row, 0), lr, &momentum);
            for (uint32_t g = 0; g < n; g++) assert_close(lr[g], at(row, 1 + g), 0.01, schedule);
            assert_close(momentum, at(row, 1 + n), 1, schedule);
        }
        strata_rates_close(r);
    }
    json_decref(cases);
}

static void lists_are_exact(void **state)
{
    (void)state;
    strata_rates *r;
    double lr[3], momentum;
    assert_int_equal(open_rates(&r, "0.05,0.1,0.15", "constant", 3, 20), STRATA_OK);
    strata_rates_at(r, 19, lr, &momentum);
    assert_true(lr[0] == 0.05 && lr[1] == 0.1 && lr[2] == 0.15 && momentum == 0.9);
    strata_rates_close(r);
    assert_int_equal(open_rates(&r, "0,1e-3,0", "one-cycle", 3, 20), STRATA_OK); /* zero freezes a group */
    strata_rates_at(r, 5, lr, &momentum);
    assert_true(lr[0] == 0 && lr[1] == 1e-3 && lr[2] == 0 && momentum == 0.85);
    strata_rates_close(r);
}

static void keys_change_the_curve(void **state)
{
    (void)state;
    strata_rates *r;
    double lr, momentum;
    assert_int_equal(
        open_rates(&r, "1", "one-cycle,pct=0.5,div=10,final=100,mom-start=0.8,mom-peak=0.7", 1, 10),
        STRATA_OK);
    strata_rates_at(r, 0, &lr, &momentum);
    assert_close(lr, 0.1, 1, "div");
    assert_close(momentum, 0.8, 1, "mom-start");
    strata_rates_at(r, 5, &lr, &momentum);
    assert_close(lr, 1, 1, "pct");
    assert_close(momentum, 0.7, 1, "mom-peak");
    strata_rates_at(r, 10, &lr, &momentum);
    assert_close(lr, 0.01, 1, "final");
    assert_close(momentum, 0.95, 1, "mom-end");
    strata_rates_close(r);
    assert_int_equal(open_rates(&r, "1", "one-cycle:fastai1,div=10", 1, 10), STRATA_OK);
    strata_rates_at(r, 10, &lr, &momentum);
    assert_close(lr, 1e-5, 1, "final follows div");
    strata_rates_close(r);
}

/* A momentum of 0 means that the optimizer keeps none. */
static void no_momentum_stays_so(void **state)
{
    (void)state;
    strata_rates *r;
    double lr, momentum = 1;
    const strata_rates_config config = { .lr = "1", .schedule = "one-cycle", .n_groups = 1, .steps = 3 };
    assert_int_equal(strata_rates_open(&r, &config), STRATA_OK);
    strata_rates_at(r, 0, &lr, &momentum);
    assert_true(momentum == 0);
    strata_rates_close(r);
}

/* Very short runs meet every division of the curves. */
static void short_runs_are_finite(void **state)
{
    (void)state;
    static const char *const schedules[] = { "constant",
                                             "one-cycle",
                                             "one-cycle:fastai1",
                                             "one-cycle:torch",
                                             "one-cycle,pct=0",
                                             "one-cycle,pct=1",
                                             "one-cycle:fastai1,pct=0",
                                             "one-cycle:fastai1,pct=1",
                                             "one-cycle:torch,pct=0",
                                             "one-cycle:torch,pct=1",
                                             "one-cycle:torch,pct=0.5" };
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++)
        for (uint64_t steps = 1; steps < 8; steps++) {
            strata_rates *r;
            assert_int_equal(open_rates(&r, "1", schedules[i], 1, steps), STRATA_OK);
            for (uint64_t step = 0; step < steps + 3; step++) {
                double lr, momentum;
                strata_rates_at(r, step, &lr, &momentum);
                if (!(lr > 0 && lr <= 1 + 1e-15 && momentum > 0.84 && momentum < 0.96))
                    fail_msg("%s, step %d of %d: lr %g, momentum %g", schedules[i], (int)step, (int)steps, lr,
                             momentum);
            }
            strata_rates_close(r);
        }
}

static const struct {
    const char *lr, *schedule, *message;
} wrong[] = {
    { "1,2", "constant",
      "--lr '1,2', character 4: has 2 rates, but the model has 3 groups; the groups are: stem, body, head" },
    { "1,2,3,4", "constant", "--lr '1,2,3,4', character 7: has 4 rates, but the model has 3 groups" },
    { "", "constant", "--lr '', character 1: wants a rate: a number of at least 0, got ''" },
    { "fast", "constant", "got 'fast'; the groups are: stem, body, head" },
    { "1,", "constant", "--lr '1,', character 3: wants a rate: a number of at least 0, got ''" },
    { "1,,2", "constant", "character 3: wants a rate: a number of at least 0, got ',2'" },
    { "-1", "constant", "character 1: wants a rate: a number of at least 0, got '-1'" },
    { "nan", "constant", "got 'nan'" },
    { "inf", "constant", "got 'inf'" },
    { "1e999", "constant", "got '1e999'" },
    { " 1", "constant", "got ' 1'" },
    { "0x1p3", "constant", "character 1: wants a rate: a number of at least 0, got '0x1p3'" },
    { "1e-3x", "constant", "character 5: wants the end, got 'x'" },
    { "1:2:3", "constant", "character 4: wants the end, got ':3'" },
    { "1e-2:", "constant",
      "--lr '1e-2:', character 6: wants a number above 0, got ''; the groups are: stem" },
    { "0:1", "constant", "character 1: wants a number above 0, got '0:1'" },
    { "1/0", "constant", "character 3: wants a number above 0, got '0'" },
    { "1/", "constant", "character 3: wants a number above 0, got ''" },
    { "1@", "constant", "--lr '1@', character 3: there is no key ''" },
    { "1@deacy=0.5", "constant",
      "--lr '1@deacy=0.5', character 3: there is no key 'deacy'; did you mean 'decay'?" },
    { "1@decay=0", "constant", "character 9: wants a factor in [1e-6, 1e6], got '0'" },
    { "1@min-scale=0.5", "constant", "wants decay=D" },
    { "1@decay=0.5,ids=vit,decay=0.6", "constant",
      "--lr '1@decay=0.5,ids=vit,decay=0.6', character 21: the key 'decay' is there twice; the groups are" },
    { "1@decay=0.5,ids=bert", "constant", "wants vit or electra, got 'bert'" },
    { "stem=1,hed=2", "constant",
      "character 8: there is no group 'hed'; did you mean 'head'?; the groups are: stem, body, head" },
    { "stem=1,head=2", "constant", "gives no rate to the group 'body'" },
    { "stem=1,stem=2,*=3", "constant", "character 8: wants each group to be named once" },
    { "*=1,stem=3,*=2", "constant",
      "--lr '*=1,stem=3,*=2', character 12: wants each group to be named once" },
    { "stem=1,*=3,body", "constant", "wants '=' after the name" },
    { "1", "one-cycel",
      "--schedule 'one-cycel', character 1: there is no schedule 'one-cycel'; did you mean 'one-cycle'?" },
    { "1", "warp", "there is no schedule 'warp'; there is: constant, one-cycle, cosine, sgdr" },
    { "1", "one-cycle:torhc", "there is no convention 'torhc'; did you mean 'torch'?" },
    { "1", "constant:torch", "constant takes no convention, got 'torch'" },
    { "1", "one-cycle,pxt=1",
      "--schedule 'one-cycle,pxt=1', character 11: there is no key 'pxt'; did you mean 'pct'?; the groups "
      "are: stem" },
    { "1", "constant,pct=1", "there is no key 'pct'; there is: for, warmup, warmup-from, scale, lr, freeze" },
    { "1", "one-cycle,pct", "wants key=value, got 'pct'" },
    { "1", "one-cycle,pct=2",
      "--schedule 'one-cycle,pct=2', character 15: pct wants a number in [0, 1], got '2'" },
    { "1", "one-cycle,pct=", "pct wants a number in [0, 1], got ''" },
    { "1", "one-cycle,", "wants key=value, got ''" },
    { "1", "linear,for=4 then one-cycle,pct=0.2,div=5,pct=0.3",
      "character 43: the key 'pct' is there twice; the groups are: stem" },
    { "1", "cosine,lr=1:2,lr=2", "character 15: the key 'lr' is there twice" },
    { "1", "one-cycle,shape=round", "shape wants one of: cosine linear; got 'round'" },
    { "1", "cosine,for=4 then step,every=-1", "character 30: every wants steps" },
    { "1", "cosine,for=nan then step", "character 12: for wants steps" },
    { "1", "step,every=0", "every wants a length above 0, got '0'" },
    { "1", "step,every=1.5", "every wants whole steps" },
    { "1", "step,every=2ep", "every=2ep is in epochs, whose length is not known here" },
    { "1", "multi-step,at=1:x", "at wants steps (100), epochs (2ep) or a share (30%), got 'x'" },
    { "1", "cosine,warmup=10", "phase 1 has 10 steps, its warm-up 10: the curve wants at least one" },
    { "1", "cosine then linear", "phases 1 and 2 both have no length" },
    { "1", "cosine,for=10 then linear", "the phases want 10 steps and one more, the run has 10" },
    { "1", "cosine,for=6 then linear,for=5", "the phases want 11 steps, the run has 10" },
    { "1", "cosine,freeze=4", "freeze wants a number in [-3, 3], got '4'" },
    { "1", "cosine,lr=1:", "--schedule 'cosine,lr=1:', character 11: --lr '1:', character 3" },
    { "1", "stem=cosine", "gives the group 'body' none" },
    { "1", "stam=cosine;constant",
      "--schedule 'stam=cosine;constant', character 1: there is no group 'stam'; did you mean 'stem'?" },
    { "1", "cosine; constant", "character 9: has two schedules for all other groups" },
    { "1", "stem=cosine;stem=linear;constant", "gives the group 'stem' two schedules" },
    { "1", "fine-tune,pct=2", "pct wants a number in [0, 1], got '2'" },
    { "1", "fine-tune,div=2,pct=0.1,div=3", "the key 'div' is there twice" },
    { "1", "ulmfit,cut=0.1,cut=0.2", "the key 'cut' is there twice" },
    { "1", "fine-tune,lr-mutl=2", "there is no key 'lr-mutl'; did you mean 'lr-mult'?" },
    { "1", "fine-tune",
      "--schedule 'fine-tune', character 1: 'one-cycle,pct=0.99,lr=1/10,freeze=-1,for=1ep then "
      "one-cycle,pct=" },
    { "1", "fine-tune", "for=1ep is in epochs" },
    { "1:2", "fine-tune",
      "--schedule 'fine-tune', character 1: fine-tune divides --lr among the groups itself: one rate" },
    { "1", "ulmfit,foo=1",
      "--schedule 'ulmfit,foo=1', character 1: 'slanted-triangular,foo=1', character 20:" },
    { "1", "ulmfit", "--schedule 'ulmfit', character 1: --freeze-until 'gradual', character 8: wants =30%" },

    { "1", "csv:", "--schedule 'csv:', character 5: wants a file's name, got ''" },

    /* What no float holds trains nothing. */
    { "1", "exponential,gamma=1e5",
      "--schedule 'exponential,gamma=1e5': the rate of group 0 (stem) at step 8 is 1e+40: wanted at most "
      "3.4" },
    { "1e5", "constant,for=1 then exponential,warmup=2,gamma=1e6", "(stem) at step 9 is 1e+41" },
    { "1", "constant;head=step,every=1,gamma=1e6", "the rate of group 2 (head) at step 7 is 1e+42" },
    { "0,1,1e-40", "exponential,gamma=1e6", "the rate of group 1 (body) at step 7 is 1e+42" },
    { "1e38", "constant,for=9 then constant,scale=1e3",
      "in the phase from step 9 on the largest rate of group 0 (stem) is 1e+41" },
    { "1e38", "one-cycle,div=1e12,final=1e18,scale=10", "the largest rate of group 0 (stem) is 1e+39" },
    { "1", "freeze-out,t0=1e-3,power=14", "the rate of group 0 (stem) at step 0 is 1e+42" },
    { "1,1,1e39", "constant", "--lr '1,1,1e39' gives group 2 (head) the rate 1e+39: wanted at most 3.4" },
    { "1e-300:1e300", "constant", "gives group 1 (body) the rate inf" },
    { "1", "constant,lr=1e30@decay=1e6", "--lr '1e30@decay=1e6' gives group 0 (stem) the rate 1e+42" },
    { "1e300/1e-300", "constant", "gives group 0 (stem) the rate inf" },
};

static void says_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        strata_rates *r;
        if (open_rates(&r, wrong[i].lr, wrong[i].schedule, 3, 10) != STRATA_BAD_ARG)
            fail_msg("accepted: %s %s", wrong[i].lr, wrong[i].schedule);
        assert_null(r);
        if (!strstr(strata_message(), wrong[i].message))
            fail_msg("\"%s\" is not in \"%s\"", wrong[i].message, strata_message());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spreads_as_fastai),    cmocka_unit_test(cycles_as_the_libraries),
        cmocka_unit_test(lists_are_exact),      cmocka_unit_test(keys_change_the_curve),
        cmocka_unit_test(no_momentum_stays_so), cmocka_unit_test(short_runs_are_finite),
        cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

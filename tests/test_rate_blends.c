/* Blends and freezing, by their properties. */
#include <stdio.h>
#include <stdlib.h>

#include "rate_case.h"
#include "rates/bleed.h"

enum { MOST = 12 };

/* ---- Blends --------------------------------------------------------------------------------- */

static uint32_t below(uint32_t n) { return (uint32_t)(rand() % (int)n); }

static double log_uniform(double low, double high)
{
    return low * pow(high / low, rand() / (double)RAND_MAX);
}

/* Random groups, curves and windows: both ends bit for bit, order of groups kept, never past the two ends. */
static void blends_are_exact_at_their_ends(void **state)
{
    (void)state;
    static const char *const curves[] = { "constant", "one-cycle", "one-cycle:torch", "cosine,warmup=5",
                                          "linear" };
    static const char *const ramps[] = { "cosine", "linear", "power", "smooth" };
    srand(7);
    for (int round = 0; round < 300; round++) {
        char lr[512] = "", head[64], bleed_text[256];
        strata_rates_config c = defaults();
        strata_group_rate now[MOST];
        double sliced[MOST], uniform[MOST], mom[3], base = 0;
        c.n_groups = 1 + below(MOST);
        c.steps = 10 + below(200);
        c.schedule = curves[below(5)];
        for (uint32_t g = 0; g < c.n_groups; g++) {
            base = log_uniform(1e-7, 1);
            snprintf(lr + strlen(lr), sizeof lr - strlen(lr), "%s%.17g", g ? "," : "", base);
        }
        snprintf(head, sizeof head, "%.17g", base);
        const double p0 = rand() / (double)RAND_MAX, p1 = p0 + (1 - p0) * rand() / (double)RAND_MAX;
        snprintf(bleed_text, sizeof bleed_text, "%s,p0=%.17g,p1=%.17g,ramp=%s,space=%s,cascade=%.3f",
                 round % 2 ? "in" : "out", p0, p1, ramps[below(4)], round % 3 ? "log" : "linear",
                 0.1 + 0.1 * below(10));
        c.lr = lr;
        strata_rates *spread = open_rates(&c);
        c.bleed = bleed_text;
        strata_rates *blend = open_rates(&c);
        c.bleed = NULL;
        c.lr = head;
        strata_rates *one = open_rates(&c);
        for (uint64_t i = 0; i < c.steps; i++) {
            strata_rates_at(spread, i, sliced, &mom[0]);
            strata_rates_at(one, i, uniform, &mom[1]);
            strata_rates_look(blend, i, now, &mom[2]);
            assert_true(mom[0] == mom[1] && mom[0] == mom[2]);
            for (uint32_t g = 0; g < c.n_groups; g++) {
                const double low = fmin(sliced[g], uniform[g]), high = fmax(sliced[g], uniform[g]);
                assert_true(now[g].uniform == uniform[g] && !now[g].frozen);
                if (now[g].beta == 0) assert_true(now[g].lr == uniform[g]);
                if (now[g].beta == 1) assert_true(now[g].lr == sliced[g]);
                assert_true(now[g].lr >= low * (1 - 1e-12) && now[g].lr <= high * (1 + 1e-12));
                for (uint32_t k = 0; k < g; k++)
                    if (now[k].beta == now[g].beta && sliced[k] < sliced[g])
                        assert_true(now[k].lr <= now[g].lr * (1 + 1e-12));
            }
            const double at = (double)i / (double)c.steps;
            if (at < p0 || at >= p1 + 1e-9) /* outside the window: at an end, in every ramp */
                for (uint32_t g = 0; g < c.n_groups; g++)
                    assert_true(now[g].beta == ((at >= p0) == (round % 2 != 0) ? 1 : 0));
        }
        strata_rates_close(spread);
        strata_rates_close(blend);
        strata_rates_close(one);
    }
}

/* Input side first: each group's window is half as wide, and the last one ends with the whole. */
static void cascades(void **state)
{
    (void)state;
    bleed b;
    assert_int_equal(bleed_parse(&b, "in,p0=0.2,p1=0.8,cascade=0.5,ramp=linear"), STRATA_OK);
    for (uint32_t g = 0; g < 3; g++) {
        const double from = 0.2 + 0.6 * 0.5 * g / 2;
        for (uint64_t i = 0; i <= 1000; i++)
            assert_true(fabs(bleed_beta(&b, g, 3, i, 1000, NULL) -
                             fmin(1, fmax(0, ((double)i / 1000 - from) / 0.3))) < 1e-9);
    }
}

static void sum_of(rates_sum *sum, const strata_rates_config *c)
{
    strata_rates *r = open_rates(c);
    assert_int_equal(strata_rates_sum(r, sum), STRATA_OK);
    strata_rates_close(r);
}

static void budgets_match(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    const double n[] = { 10, 200, 3000, 5 };
    rates_sum sum[4], one[4];
    double total = 0, wanted = 0;
    c.lr = "1e-3";
    c.schedule = "one-cycle";
    sum_of(one, &c);
    c.lr = "1e-6:1e-3";
    c.bleed = "in,budget=total";
    c.group_parameters = n;
    sum_of(sum, &c);
    for (uint32_t g = 0; g < 4; g++) {
        total += n[g] * sum[g].mass;
        wanted += n[g] * one[g].mass;
    }
    assert_true(fabs(total / wanted - 1) < 1e-12);
    assert_true(sum[3].mass > one[3].mass);
}

/* Scaled with the others: the rate at beta 0, and that of norms that stay there. */
static void budgets_are_of_the_uniform_rate_too(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    strata_group_rate now[4];
    c.lr = "1e-6:1e-3";
    c.bleed = "in,budget=total,p0=0.5,norm=uniform";
    c.freeze_until = "layer2=20%";
    strata_rates *r = open_rates(&c);
    strata_rates_look(r, 30, now, NULL);
    assert_true(now[3].lr > 1e-3 && now[0].beta == 0);
    for (uint32_t g = 0; g < 4; g++)
        assert_true(now[g].uniform == now[3].lr && now[g].norm == now[3].lr && now[g].lr == now[3].lr);
    strata_rates_look(r, 99, now, NULL);
    assert_true(now[0].beta == 1 && now[0].lr < 2e-6 && now[0].norm == now[0].uniform);
    strata_rates_look(r, 10, now, NULL);
    assert_true(now[3].frozen && now[3].lr == 0 && now[3].norm == now[3].uniform && now[3].norm > 0);
    strata_rates_close(r);
}

/* Of a group that is frozen the one rate would have moved nothing either. */
static void budgets_leave_frozen_steps_out(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    rates_sum one[4], sum[4];
    double total = 0, wanted = 0;
    c.freeze_until = "stem=50%,layer1=20%";
    sum_of(one, &c);
    c.lr = "1e-3:1";
    c.bleed = "in,budget=total";
    sum_of(sum, &c);
    for (uint32_t g = 0; g < 4; g++) total += sum[g].mass, wanted += one[g].mass;
    assert_true(fabs(total / wanted - 1) < 1e-12);
    assert_int_equal(sum[0].still, 50);
    assert_int_equal(sum[1].still, 20);
}

/* More steps than are looked at one by one. */
static void sums_of_long_runs(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    rates_sum sum[2];
    c.n_groups = 2;
    c.steps = 20000000;
    c.freeze_until = "stem=25%";
    c.schedule = "linear";
    sum_of(sum, &c);
    assert_true(fabs((double)sum[0].still / 5e6 - 1) < 1e-5);
    assert_true(fabs(sum[0].mass / (0.75 * 0.75 / 2 * 2e7) - 1) < 1e-5);
    assert_true(fabs(sum[1].mass / 1e7 - 1) < 1e-6);
    assert_true(fabs(sum[1].share / 2e7 - 1) < 1e-6);
}

/* Dividing by the geometric mean would raise the head 20-fold; it is held at M. */
static void mean_anchor_never_passes_the_head(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    strata_group_rate now[4];
    c.lr = "1e-6:1e-2";
    c.bleed = "in,anchor=mean";
    strata_rates *r = open_rates(&c);
    for (uint64_t i = 0; i < 100; i++) {
        strata_rates_look(r, i, now, NULL);
        for (uint32_t g = 0; g < 4; g++) assert_true(now[g].lr <= now[g].uniform);
    }
    assert_true(now[0].lr > 9e-5 && now[0].lr < 1.1e-4); /* 1e-6 / sqrt(1e-4) */
    strata_rates_close(r);
}

static void wrong_blends(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        { "sideways", "--bleed 'sideways', character 1: wants in or out" },
        { "in,p0=2", "character 7: wants a number in [0, 1], got '2'" },
        { "in,p0=0.9,p1=0.1", "character 11: wants p0 up to p1, got 0.9 and 0.1; the groups are: stem" },
        { "in,p0=0.9",
          "--bleed 'in,p0=0.9', character 4: wants p0 up to p1, got 0.9 and 0.8, p1's where none is given" },
        { "in,rmap=linear", "--bleed 'in,rmap=linear', character 4: there is no key 'rmap'; did you mean "
                            "'ramp'?; the groups are: stem" },
        { "in,ramp=round", "wants one of cosine, linear, power, smooth, got 'round'" },
        { "in,ramp", "wants '='" },
        { "in,p0=0.1,p1=0.5,p0=0.2", "--bleed 'in,p0=0.1,p1=0.5,p0=0.2', character 18: the key 'p0' is there "
                                     "twice; the groups are: stem" },
        { "in p0=1", "wants in or out" },
    };
    strata_rates_config c = defaults();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        c.bleed = wrong[i][0];
        refused(&c, wrong[i][1]);
    }
    c.bleed = "in";
    c.lr = "0,1,1,1";
    refused(&c, "--bleed 'in', character 1: log space wants every group's rate above 0, and that of group 0 "
                "(stem) is "
                "0: take space=linear; the groups are: stem, layer1.0");
    c.lr = "1";
    c.schedule = "constant,lr=0,for=5 then constant";
    refused(&c, "log space wants every group's rate above 0");
}

/* ---- Freezing ------------------------------------------------------------------------------- */

static void groups_are_released(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    strata_group_rate now[4];
    static const struct {
        const char *text;
        uint64_t until[4];
    } some[] = {
        { "stem=2,layer2=30%", { 20, 0, 0, 30 } },
        { "layer1=1.5", { 0, 15, 15, 0 } },
        { "*=1", { 10, 10, 10, 10 } },
        { "*=1,stem=2", { 20, 10, 10, 10 } },
        { "stem=0,layer1.1=2,*=1", { 0, 10, 20, 10 } },
        { "gradual", { 30, 20, 10, 0 } },
        { "gradual=5%", { 15, 10, 5, 0 } },
        { "stem=66.7%,layer1=1.24,layer2=0.06", { 67, 12, 12, 1 } }, /* the nearest step */
    };
    for (size_t k = 0; k < sizeof some / sizeof *some; k++) {
        c.freeze_until = some[k].text;
        strata_rates *r = open_rates(&c);
        for (uint64_t i = 0; i < 100; i++) {
            strata_rates_look(r, i, now, NULL);
            for (uint32_t g = 0; g < 4; g++) {
                assert_int_equal(now[g].frozen, i < some[k].until[g]);
                assert_true(now[g].lr == (now[g].frozen ? 0 : 1));
            }
        }
        strata_rates_close(r);
    }
    c.freeze_until = "stam=1";
    refused(&c,
            "character 1: there is no group 'stam'; did you mean 'stem'?; the groups are: stem, layer1.0");
    c.freeze_until = "stem=10%,stem=50%";
    refused(&c, "character 10: wants each group to be named once, got 'stem=50%'; the groups are: stem");
    c.freeze_until = "layer1=1,layer1.1=2";
    refused(&c, "character 10: wants each group to be named once");
    c.freeze_until = "*=1,*=2";
    refused(&c, "character 5: wants each group to be named once");
    c.freeze_until = "stem";
    refused(&c, "wants '=' after the group's name");
    c.freeze_until = "stem=-1";
    refused(&c, "wants a number of epochs, or a share such as 30%, got '-1'");
    c.freeze_until = "stem=1e9";
    strata_rates_close(open_rates(&c));
    c.steps_per_epoch = 1u << 31;
    refused(&c, "character 6: wants an end within 1e15 steps, got '1e9'");
    c.freeze_until = "gradual=100000";
    c.steps_per_epoch = 4000000000;
    refused(&c, "character 15: wants fewer steps for each: with all groups they are more than 1e15");
    c.freeze_until = "*=1000000000%";
    c.steps = UINT64_MAX / 2;
    refused(&c, "character 3: wants an end within 1e15 steps, got '1000000000%'");
    c.steps_per_epoch = 0;
    c.steps = 100;
    c.freeze_until = "stem=1";
    refused(&c, "the length of an epoch is not known here");
}

/* ULMFiT: the triangle over the whole run, rates a 2.6th per group, one group more per epoch. */
static void ulmfit_is_written_out(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    strata_group_rate now[4];
    c.lr = "0.01";
    c.schedule = "ulmfit";
    strata_rates *r = open_rates(&c);
    strata_rates_look(r, 10, now, NULL); /* the peak, at a tenth */
    assert_true(now[3].lr == 0.01 && now[0].frozen && now[1].frozen && !now[2].frozen);
    strata_rates_look(r, 50, now, NULL);
    for (uint32_t g = 0; g < 3; g++) close_to(now[g].lr * 2.6, now[g + 1].lr, "a 2.6th");
    strata_rates_close(r);
}

/* What is wrong is said of what was given. */
static void wrong_presets(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    c.schedule = "ulmfit,foo=1";
    refused(&c,
            "--schedule 'ulmfit,foo=1', character 1: 'slanted-triangular,foo=1', character 20: there is no "
            "key 'foo'");
    c.schedule = "ulmfit";
    c.lr = "x";
    refused(&c, "--schedule 'ulmfit', character 1: --lr 'x@decay=1/2.6', character 1: wants a rate");
    c.lr = "1";
    c.freeze_until = "stem";
    refused(&c, "--freeze-until 'stem', character 5: wants '='");
    assert_null(strstr(strata_message(), "ulmfit"));
}

static void zero_rates_are_frozen(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    strata_group_rate now[4];
    c.lr = "0,1,0,1";
    c.schedule = "cosine";
    strata_rates *r = open_rates(&c);
    strata_rates_look(r, 100, now, NULL); /* the curve's own end is 0, and that is not frozen */
    assert_true(now[0].frozen && !now[1].frozen && now[2].frozen && !now[3].frozen && now[1].lr == 0);
    strata_rates_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blends_are_exact_at_their_ends),
        cmocka_unit_test(cascades),
        cmocka_unit_test(budgets_match),
        cmocka_unit_test(budgets_are_of_the_uniform_rate_too),
        cmocka_unit_test(budgets_leave_frozen_steps_out),
        cmocka_unit_test(sums_of_long_runs),
        cmocka_unit_test(mean_anchor_never_passes_the_head),
        cmocka_unit_test(wrong_blends),
        cmocka_unit_test(groups_are_released),
        cmocka_unit_test(ulmfit_is_written_out),
        cmocka_unit_test(wrong_presets),
        cmocka_unit_test(zero_rates_are_frozen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Curves that no vector covers, by formulas written anew; phases one after another, and those of groups. */
#include "rate_case.h"

/* The last group's rate at a step. */
static double rate(const char *schedule, uint64_t step)
{
    strata_rates_config c = defaults();
    double lr[4];
    c.schedule = schedule;
    strata_rates *r = open_rates(&c);
    strata_rates_at(r, step, lr, NULL);
    strata_rates_close(r);
    return lr[3];
}

/* ---- Curves --------------------------------------------------------------------------------- */

static void curves_as_their_formulas(void **state)
{
    (void)state;
    close_to(rate("step", 50), 0.1, "step's defaults");
    close_to(rate("multi-step", 70), 0.01, "multi-step's defaults");
    close_to(rate("exponential", 50), 0.1, "exponential's defaults");
    for (uint64_t i = 0; i < 100; i++) {
        const double p = (double)i / 100, s = (double)i;
        close_to(rate("cosine,end=0.1", i), 0.1 + 0.9 * (1 + cos(acos(-1) * p)) / 2, "cosine");
        close_to(rate("linear,end=0.2", i), 1 - 0.8 * p, "linear");
        close_to(rate("polynomial,power=0.9", i), pow(1 - p, 0.9), "polynomial");
        close_to(rate("step,every=30,gamma=0.5", i), pow(0.5, floor(s / 30)), "step");
        close_to(rate("multi-step,at=30:6ep:80%", i), pow(0.1, (i >= 30) + (i >= 60) + (i >= 80)),
                 "multi-step");
        close_to(rate("exponential,end=1e-3", i), pow(1e-3, p), "exponential to an end");
        close_to(rate("exponential,gamma=0.97", i), pow(0.97, s), "exponential by steps");
        close_to(rate("cosine,warmup=20,warmup-from=0.1", i),
                 i < 20 ? 0.1 + 0.9 * s / 20 : (1 + cos(acos(-1) * (s - 20) / 80)) / 2, "warm-up");
        /* The transformer's: warm-up of 10 steps, then the square root. */
        close_to(rate("inverse-sqrt,timescale=10,warmup=10", i), i < 10 ? s / 10 : sqrt(10 / s),
                 "inverse root");
        close_to(rate("sgdr,length=25,mult=1,decay=0.5", i),
                 pow(0.5, floor(s / 25)) * (1 + cos(acos(-1) * fmod(s, 25) / 25)) / 2, "sgdr");
    }
}

/* torch's: up over pct, down as long, then on to the end. */
static void three_phases_as_torch(void **state)
{
    (void)state;
    const char *schedule = "one-cycle:torch,three-phase=yes,shape=linear,pct=0.4,div=10,final=100";
    const double up = 0.4 * 100 - 1, back = 2 * 0.4 * 100 - 2, last = 99, low = 0.1, end = 1e-3;
    for (uint64_t i = 0; i < 100; i++) {
        const double s = (double)i;
        const double want = s <= up     ? low + (1 - low) * s / up
                            : s <= back ? 1 + (low - 1) * (s - up) / (back - up)
                                        : low + (end - low) * (s - back) / (last - back);
        close_to(rate(schedule, i), want, "three phases");
    }
}

static void phases_follow_one_another(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    strata_group_rate now[4];
    c.schedule = "constant,for=10%,lr=0.5/5,freeze=-1 then linear,for=3ep,scale=0.5 then cosine";
    strata_rates *r = open_rates(&c);
    for (uint64_t i = 0; i < 100; i++) {
        strata_rates_look(r, i, now, NULL);
        const double s = (double)i;
        const double head = i < 10   ? 0.5
                            : i < 40 ? 0.5 * (1 - (s - 10) / 30)
                                     : (1 + cos(acos(-1) * (s - 40) / 60)) / 2;
        close_to(now[3].lr, head, "the head");
        close_to(now[0].lr, i < 10 ? 0 : head, "the stem");
        assert_int_equal(now[0].frozen, i < 10);
    }
    strata_rates_close(r);
}

/* Shares and epochs come to whole steps, the nearest; a warm-up's share is of the run, as a phase's is. */
static void lengths_are_rounded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t first;
    } some[] = { { "linear,for=12.6% then cosine", 13 },
                 { "linear,for=12.4% then cosine", 12 },
                 { "linear,for=0.26ep then cosine", 3 },
                 { "linear,for=0.24ep then cosine", 2 } };
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        strata_rates_config c = defaults();
        rates_phase p;
        double peak[4];
        c.schedule = some[i].text;
        strata_rates *r = open_rates(&c);
        assert_true(strata_rates_phase(r, 1, &p, peak));
        if (p.first != some[i].first) fail_msg("%s: %d steps", some[i].text, (int)p.first);
        strata_rates_close(r);
    }
    for (uint64_t i = 0; i < 20; i++)
        close_to(rate("constant,for=20,warmup=10% then constant", i), i < 10 ? (double)i / 10 : 1, "warm-up");
}

/* The largest rates, and those of each phase; what a phase freezes is not among them. */
static void phases_spread_rates(void **state)
{
    (void)state;
    static const double want[4][4] = {
        { 0, 0, 0, 0.5 }, { 1, 1, 1, 1 }, { 2e-4, 2e-3, 2e-2, 0.2 }, { 2e-4, 1, 1, 1 }
    };
    strata_rates_config c = defaults();
    c.schedule = "constant,for=10%,lr=0.5/5,freeze=-1 then linear,for=3ep then cosine,lr=1e-4:1e-1,scale=2";
    strata_rates *r = open_rates(&c);
    rates_phase p;
    double peak[4];
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(strata_rates_phase(r, i, &p, peak));
        assert_true(p.first == (i == 0   ? 0
                                : i == 1 ? 10
                                         : 40) &&
                    p.steps == (i == 0   ? 10
                                : i == 1 ? 30
                                         : 60));
        for (uint32_t g = 0; g < 4; g++) close_to(peak[g], want[i][g], p.curve);
    }
    assert_false(strata_rates_phase(r, 3, &p, peak));
    for (uint32_t g = 0; g < 4; g++) close_to(strata_rates_peak(r)[g], 1, "the largest");
    strata_rates_close(r);
    c.schedule = "stem=constant,lr=2e-4; linear";
    r = open_rates(&c);
    for (uint32_t g = 0; g < 4; g++) close_to(strata_rates_peak(r)[g], want[3][g], "the largest");
    assert_true(strata_rates_phase(r, 0, &p, peak) && peak[0] == 2e-4 && isnan(peak[1]) && isnan(peak[3]));
    assert_true(strata_rates_phase(r, 1, &p, peak) && isnan(peak[0]) && peak[3] == 1);
    strata_rates_close(r);
}

static void groups_have_schedules_of_their_own(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    double lr[4], momentum;
    c.lr = "0.1,0.2,0.3,0.4";
    c.schedule = "stem=linear; layer1=cosine,end=0.5; one-cycle";
    strata_rates *r = open_rates(&c);
    strata_rates_at(r, 25, lr, &momentum);
    close_to(lr[0], 0.1 * 0.75, "stem");
    close_to(lr[1], 0.2 * (0.5 + 0.5 * (1 + cos(acos(-1) / 4)) / 2), "layer1.0");
    close_to(lr[2] / lr[1], 1.5, "layer1.1");
    assert_true(lr[3] == 0.4 && momentum == 0.85); /* the peak; momentum is the head's */
    strata_group_rate now[4];
    strata_rates_look(r, 25, now, &momentum);
    for (uint32_t g = 0; g < 4; g++) assert_true(now[g].lr == lr[g]);
    assert_true(momentum == 0.85);
    strata_rates_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves_as_their_formulas),           cmocka_unit_test(three_phases_as_torch),
        cmocka_unit_test(phases_follow_one_another),          cmocka_unit_test(phases_spread_rates),
        cmocka_unit_test(groups_have_schedules_of_their_own), cmocka_unit_test(lengths_are_rounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Blends, freezing, phases and observed events, by their properties; and the curves that no vector covers, by
 * formulas written anew. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/file.h"
#include "rates/bleed.h"
#include "rates/rates.h"

enum { MOST = 12 };

static const char *const names[] = { "stem", "layer1.0", "layer1.1", "layer2", "d", "e",
                                     "f",    "g",        "h",        "i",      "j", "head" };

static strata_rates_config defaults(void)
{
    return (strata_rates_config) { .lr = "1",
                                   .schedule = "constant",
                                   .n_groups = 4,
                                   .group_name = names,
                                   .steps = 100,
                                   .steps_per_epoch = 10,
                                   .momentum = 0.9 };
}

static strata_rates *open_rates(const strata_rates_config *config)
{
    strata_rates *r;
    if (strata_rates_open(&r, config) != STRATA_OK) fail_msg("%s", strata_message());
    return r;
}

static void refused(const strata_rates_config *config, const char *message)
{
    strata_rates *r;
    if (strata_rates_open(&r, config) == STRATA_OK) fail_msg("accepted, but: %s", message);
    if (!strstr(strata_message(), message)) fail_msg("\"%s\" is not in \"%s\"", message, strata_message());
}

static void close_to(double got, double want, const char *what)
{
    if (!(fabs(got - want) <= 1e-12 * fabs(want) + 1e-15))
        fail_msg("%s: got %.17g, want %.17g", what, got, want);
}

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
    strata_rates_close(r);
}

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

static void budgets_match(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    const double n[] = { 10, 200, 3000, 5 };
    rates_sum sum[4], one[4];
    double total = 0, wanted = 0;
    c.lr = "1e-3";
    c.schedule = "one-cycle";
    strata_rates *r = open_rates(&c);
    assert_int_equal(strata_rates_sum(r, one), STRATA_OK);
    strata_rates_close(r);
    c.lr = "1e-6:1e-3";
    c.bleed = "in,budget=total";
    c.group_parameters = n;
    r = open_rates(&c);
    assert_int_equal(strata_rates_sum(r, sum), STRATA_OK);
    strata_rates_close(r);
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
    c.steps_per_epoch = 0;
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
                 ":2: column 3 wants a number");
    c.bleed = "in";
    assert_int_equal(strata_file_write(path, text, strlen(text)), STRATA_OK);
    refused(&c, "--bleed 'in', character 1: wants rates from --lr");
    remove(path);
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
        cmocka_unit_test(curves_as_their_formulas),
        cmocka_unit_test(three_phases_as_torch),
        cmocka_unit_test(phases_follow_one_another),
        cmocka_unit_test(phases_spread_rates),
        cmocka_unit_test(groups_have_schedules_of_their_own),
        cmocka_unit_test(blends_are_exact_at_their_ends),
        cmocka_unit_test(cascades),
        cmocka_unit_test(budgets_match),
        cmocka_unit_test(budgets_are_of_the_uniform_rate_too),
        cmocka_unit_test(mean_anchor_never_passes_the_head),
        cmocka_unit_test(wrong_blends),
        cmocka_unit_test(groups_are_released),
        cmocka_unit_test(ulmfit_is_written_out),
        cmocka_unit_test(wrong_presets),
        cmocka_unit_test(zero_rates_are_frozen),
        cmocka_unit_test(plateau_reduces),
        cmocka_unit_test(triggers_start_and_freezes_end),
        cmocka_unit_test(files_are_followed),
        cmocka_unit_test(rules_are_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

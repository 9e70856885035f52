/* Random runs of rates against what is promised of them, and the keys of spreads, curves and blends against
 * formulas written anew. */
#include <stdio.h>
#include <stdlib.h>

#include "rate_case.h"
#include "rates/bleed.h"
#include "rates/schedule.h"

enum { MOST = 12, ROUNDS = 60 };

static uint32_t below(uint32_t n) { return (uint32_t)(rand() % (int)n); }

static double uniform(void) { return rand() / (double)RAND_MAX; }

static double log_uniform(double low, double high) { return low * pow(high / low, uniform()); }

/* A run of random groups: the text of its spread, and the rates in it. */
typedef struct random_run {
    strata_rates_config config;
    char lr[512];
    double peak[MOST], parameters[MOST];
} random_run;

static void make_run(random_run *r)
{
    static const char *const curves[] = { "constant",        "one-cycle", "one-cycle:torch",
                                          "cosine,warmup=5", "linear",    "sgdr" };
    *r = (random_run) { .config = defaults() };
    r->config.n_groups = 1 + below(MOST);
    r->config.steps = 10 + below(150);
    r->config.schedule = curves[below(6)];
    for (uint32_t g = 0; g < r->config.n_groups; g++) {
        r->peak[g] = log_uniform(1e-6, 1);
        r->parameters[g] = floor(log_uniform(1, 1e6));
        snprintf(r->lr + strlen(r->lr), sizeof r->lr - strlen(r->lr), "%s%.17g", g ? "," : "", r->peak[g]);
    }
    r->config.lr = r->lr;
    r->config.group_parameters = r->parameters;
}

/* ---- Budgets -------------------------------------------------------------------------------- */

/* The sum over steps and parameters, or of the last group, is that of one rate for all groups: the last
 * group's, or the largest, as the blend is anchored. */
static void budgets_are_met(void **state)
{
    (void)state;
    static const char *const ramps[] = { "cosine", "linear", "power,power=3", "smooth" };
    srand(11);
    for (int round = 0; round < ROUNDS; round++) {
        const bool head = round % 2, largest = head || below(2);
        char text[256], one[64];
        random_run r;
        rates_sum sum[MOST], same[MOST];
        double got = 0, wanted = 0, m = 0;
        make_run(&r);
        for (uint32_t g = 0; g < r.config.n_groups; g++) m = fmax(m, r.peak[g]);
        const double p0 = uniform();
        snprintf(text, sizeof text, "%s,p0=%.17g,p1=%.17g,ramp=%s,space=%s,max=%.3f,anchor=%s,budget=%s",
                 below(2) ? "in" : "out", p0, p0 + (1 - p0) * uniform(), ramps[below(4)],
                 below(2) ? "log" : "linear", uniform(), largest ? "largest" : "head",
                 head ? "head" : "total");
        r.config.bleed = text;
        strata_rates *blend = open_rates(&r.config);
        assert_int_equal(strata_rates_sum(blend, sum), STRATA_OK);
        strata_rates_close(blend);
        snprintf(one, sizeof one, "%.17g", largest ? m : r.peak[r.config.n_groups - 1]);
        r.config.lr = one;
        r.config.bleed = NULL;
        strata_rates *alike = open_rates(&r.config);
        assert_int_equal(strata_rates_sum(alike, same), STRATA_OK);
        strata_rates_close(alike);
        for (uint32_t g = head ? r.config.n_groups - 1 : 0; g < r.config.n_groups; g++) {
            got += r.parameters[g] * sum[g].mass;
            wanted += r.parameters[g] * same[g].mass;
        }
        if (!(fabs(got / wanted - 1) < 1e-12))
            fail_msg("--lr %s --bleed %s: %.17g, wanted %.17g", r.lr, text, got, wanted);
    }
}

/* ---- Blends --------------------------------------------------------------------------------- */

static void ramps_as_their_formulas(void **state)
{
    (void)state;
    srand(12);
    for (int round = 0; round < ROUNDS; round++) {
        const double power = log_uniform(0.1, 10), most = uniform(), p0 = 0.5 * uniform(),
                     p1 = p0 + 0.1 + 0.4 * uniform();
        static const char *const names[] = { "linear", "power", "smooth", "cosine" };
        for (int k = 0; k < 4; k++)
            for (int out = 0; out < 2; out++) {
                char text[160];
                bleed b;
                snprintf(text, sizeof text, "%s,p0=%.17g,p1=%.17g,max=%.17g,ramp=%s,power=%.17g",
                         out ? "out" : "in", p0, p1, most, names[k], power);
                assert_int_equal(bleed_parse(&b, text), STRATA_OK);
                for (uint64_t i = 0; i <= 200; i++) {
                    const double x = fmin(1, fmax(0, ((double)i / 200 - p0) / (p1 - p0)));
                    const double up = k == 0   ? x
                                      : k == 1 ? pow(x, power)
                                      : k == 2 ? x * x * (3 - 2 * x)
                                               : (1 - cos(acos(-1) * x)) / 2;
                    close_to(bleed_beta(&b, 0, 3, i, 200, NULL), most * (out ? 1 - up : up), text);
                }
            }
    }
}

/* The largest group stays at M, which is its rate, wherever it is; norms that are exempt all stay there. */
static void anchors_and_exemptions(void **state)
{
    (void)state;
    srand(13);
    for (int round = 0; round < ROUNDS; round++) {
        random_run r;
        strata_group_rate now[MOST];
        double sliced[MOST], m = 0;
        uint32_t at = 0;
        make_run(&r);
        strata_rates *spread = open_rates(&r.config);
        r.config.bleed = round % 2 ? "in,anchor=largest,p0=0.2,p1=0.7,norm=uniform"
                                   : "in,anchor=largest,p0=0.2,p1=0.7,norm=follow";
        strata_rates *blend = open_rates(&r.config);
        for (uint32_t g = 0; g < r.config.n_groups; g++)
            if (r.peak[g] > m) m = r.peak[at = g];
        for (uint64_t i = 0; i < r.config.steps; i++) {
            strata_rates_at(spread, i, sliced, NULL);
            strata_rates_look(blend, i, now, NULL);
            for (uint32_t g = 0; g < r.config.n_groups; g++) {
                close_to(now[g].uniform, sliced[at], "the uniform rate");
                close_to(now[g].lr, sliced[at] * pow(r.peak[g] / m, now[g].beta), "a blend from the largest");
                assert_true(now[g].norm == (round % 2 ? now[g].uniform : now[g].lr));
            }
        }
        strata_rates_close(spread);
        strata_rates_close(blend);
    }
}

/* ---- Spreads --------------------------------------------------------------------------------- */

static void decays_have_floors(void **state)
{
    (void)state;
    srand(14);
    for (int round = 0; round < ROUNDS; round++) {
        strata_rates_config c = defaults();
        char text[160];
        const double decay = log_uniform(0.05, 0.95), least = uniform() * 0.5, none = uniform() * 0.5;
        c.n_groups = 1 + below(MOST);
        snprintf(text, sizeof text, "2@decay=%.17g,min-scale=%.17g", decay, least);
        c.lr = text;
        strata_rates *r = open_rates(&c);
        for (uint32_t g = 0; g < c.n_groups; g++)
            close_to(strata_rates_peak(r)[g], 2 * fmax(least, pow(decay, c.n_groups - 1 - g)), text);
        strata_rates_close(r);
        snprintf(text, sizeof text, "2@no-opt-scale=%.17g,decay=%.17g", none, decay);
        r = open_rates(&c);
        for (uint32_t g = 0; g < c.n_groups; g++) {
            const double scale = pow(decay, c.n_groups - 1 - g);
            close_to(strata_rates_peak(r)[g], scale < none ? 0 : 2 * scale, text);
            assert_int_equal(strata_rates_frozen(r, 3, g), scale < none);
        }
        strata_rates_close(r);
    }
}

/* ---- Curves ---------------------------------------------------------------------------------- */

/* FreezeOut's layers end at t_i, where they freeze; scaled they travel as far as the last. */
static void freeze_out_as_its_formula(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double t0, power;
        bool scaled;
    } some[] = { { "freeze-out", 0.8, 3, true },
                 { "freeze-out,scaled=no", 0.8, 3, false },
                 { "freeze-out,t0=0.5,power=1", 0.5, 1, true },
                 { "freeze-out,t0=0.3,power=2,scaled=no", 0.3, 2, false } };
    for (size_t k = 0; k < sizeof some / sizeof *some; k++) {
        strata_rates_config c = defaults();
        strata_group_rate now[4];
        c.schedule = some[k].text;
        strata_rates *r = open_rates(&c);
        for (uint64_t i = 0; i < 100; i++) {
            strata_rates_look(r, i, now, NULL);
            for (uint32_t g = 0; g < 4; g++) {
                const double t = pow(some[k].t0 + (1 - some[k].t0) * g / 3, some[k].power),
                             p = (double)i / 100;
                assert_int_equal(now[g].frozen, p >= t && t < 1);
                const double alpha = some[k].scaled ? 1 / t : 1;
                close_to(now[g].lr, p >= t ? 0 : alpha / 2 * (1 + cos(acos(-1) * p / t)), some[k].text);
            }
        }
        strata_rates_close(r);
    }
}

static void momentum_stays_where_asked(void **state)
{
    (void)state;
    static const char *const kept[] = { "one-cycle,momentum=keep", "one-cycle:fastai1,momentum=keep",
                                        "one-cycle:torch,momentum=keep" };
    for (int k = 0; k < 3; k++) {
        strata_rates_config c = defaults();
        double lr[4], same[4], momentum;
        c.momentum = 0.37;
        c.schedule = kept[k];
        strata_rates *r = open_rates(&c);
        char cycled[64];
        snprintf(cycled, sizeof cycled, "%.*s", (int)strcspn(kept[k], ","), kept[k]);
        c.schedule = cycled;
        strata_rates *moving = open_rates(&c);
        for (uint64_t i = 0; i < 100; i++) {
            strata_rates_at(r, i, lr, &momentum);
            assert_true(momentum == 0.37);
            strata_rates_at(moving, i, same, &momentum);
            assert_true(momentum > 0.84 && memcmp(lr, same, sizeof lr) == 0);
        }
        strata_rates_close(r);
        strata_rates_close(moving);
    }
}

static void restarts_end_where_asked(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    double lr[4];
    c.schedule = "sgdr,length=10,mult=2,end=0.2";
    strata_rates *r = open_rates(&c);
    for (uint64_t i = 0; i < 70; i++) {
        const double first = i < 10 ? 0 : i < 30 ? 10 : 30, length = i < 10 ? 10 : i < 30 ? 20 : 40;
        strata_rates_at(r, i, lr, NULL);
        close_to(lr[3], 0.2 + 0.4 * (1 + cos(acos(-1) * ((double)i - first) / length)), "sgdr to an end");
    }
    strata_rates_close(r);
}

/* At most two keys are at an end of their range, the others as they are where none is given. */
static void put_ends(schedule_use *use, const schedule *kind, const uint32_t key[2], uint32_t which)
{
    *use = (schedule_use) { .kind = kind };
    for (uint32_t k = 0; k < SCHEDULE_VALUES; k++) use->value[k] = kind->keys[k].fallback;
    for (int i = 0; i < 2; i++) {
        const schedule_key *k = &kind->keys[key[i]];
        if (k->kind == KEY_NUMBER) use->value[key[i]] = which >> i & 1 ? k->high : k->low;
    }
}

/* A share of a rate at least 0, and momentum in [0, 1): at each step, the last, and those behind it. Only
 * growing by a factor at each step may pass what a double holds. */
static void check_curve(const schedule_use *use, uint64_t steps)
{
    const double gamma = schedule_value(use, "gamma", 1);
    for (uint64_t i = 0; i <= steps + 2; i++)
        for (uint32_t g = 0; g < 3; g++) {
            const schedule_place where = { .step = i, .steps = steps, .group = g, .n_groups = 3, .now = i };
            const schedule_point p = schedule_at(use, &where);
            if (!(p.scale >= 0) || (!isfinite(p.scale) && !(gamma > 1)))
                fail_msg("%s, %d steps: %g at step %d", use->kind->name, (int)steps, p.scale, (int)i);
            assert_true(isnan(p.momentum) || (p.momentum >= 0 && p.momentum < 1));
        }
}

static void curves_are_numbers_at_the_ends_of_their_keys(void **state)
{
    (void)state;
    static const uint64_t lengths[] = { 1, 2, 3, 7, 100 };
    for (uint32_t kind = 0; kind < n_schedules; kind++)
        for (uint32_t a = 0; a < SCHEDULE_VALUES; a++)
            for (uint32_t b = a; b < SCHEDULE_VALUES; b++)
                for (uint32_t which = 0; which < 4; which++)
                    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
                        schedule_use use;
                        put_ends(&use, &schedules[kind], (const uint32_t[]) { a, b }, which);
                        check_curve(&use, lengths[n]);
                    }
}

/* Cycles that are too short for a double still count for the decay. */
static void vanishing_cycles_count(void **state)
{
    (void)state;
    strata_rates_config c = defaults();
    double lr[4];
    c.schedule = "sgdr,cycles=64,mult=1e6,decay=0.5";
    strata_rates *r = open_rates(&c);
    strata_rates_at(r, 50, lr, NULL);
    const double first = 100 / 1e6; /* where the last of them begins, to a millionth of itself */
    close_to(ldexp(lr[3], 63), (1 + cos(acos(-1) * (50 - first) / (100 - first))) / 2, "the last cycle");
    strata_rates_close(r);
}

/* ---- Reduce-on-plateau ------------------------------------------------------------------------- */

typedef struct reducer {
    double scale, best, factor, threshold, least;
    bool larger, absolute;
    int bad, pause, patience, cooldown;
} reducer;

/* torch.optim.lr_scheduler.ReduceLROnPlateau.step, in its words. */
static void reduce(reducer *s, double metric)
{
    const double rel = s->larger ? s->threshold + 1 : 1 - s->threshold;
    const double bar = s->absolute ? (s->larger ? s->best + s->threshold : s->best - s->threshold)
                                   : s->best * rel;
    if (s->larger ? metric > bar : metric < bar) {
        s->best = metric;
        s->bad = 0;
    } else {
        s->bad++;
    }
    if (s->pause > 0) s->pause--, s->bad = 0;
    if (s->bad > s->patience) {
        s->scale = fmax(s->scale * s->factor, s->least);
        s->pause = s->cooldown;
        s->bad = 0;
    }
}

/* Each metric by its own direction, or by the one that is asked for; the others do not count. */
static void plateaus_as_torch(void **state)
{
    (void)state;
    static const char *const metrics[] = { "loss", "top1", "top5", "train-loss" };
    static const char *const modes[] = { "auto", "min", "max" };
    uint32_t reductions = 0;
    srand(15);
    for (int round = 0; round < 200; round++) {
        const uint32_t metric = below(4), mode = below(3);
        reducer s = { .scale = 1,
                      .factor = 0.3 + 0.5 * uniform(),
                      .threshold = 0.2 * uniform(),
                      .least = 0.2 * uniform(),
                      .larger = mode == 2 || (mode == 0 && (metric == 1 || metric == 2)),
                      .absolute = below(2),
                      .patience = (int)below(3),
                      .cooldown = (int)below(3) };
        s.best = s.larger ? -INFINITY : INFINITY;
        char text[256];
        snprintf(text, sizeof text,
                 "plateau,metric=%s,mode=%s,measure=%s,factor=%.17g,threshold=%.17g,least=%.17g,patience=%d,"
                 "cooldown=%d",
                 metrics[metric], modes[mode], s.absolute ? "absolute" : "relative", s.factor, s.threshold,
                 s.least, s.patience, s.cooldown);
        strata_rates_config c = defaults();
        double lr[4];
        c.schedule = text;
        strata_rates *r = open_rates(&c);
        assert_int_equal(strata_rates_watch(r), 1u << metric);
        for (uint64_t i = 0; i < 100; i++) {
            for (uint32_t k = 0; k < 4; k++) {
                const double value = round % 2 + uniform(); /* also where a share of the best is much */
                if (k == metric) reduce(&s, value);
                assert_int_equal(strata_rates_observe(r, &(rates_event) { i, RATES_METRIC, k, value }),
                                 STRATA_OK);
            }
            strata_rates_at(r, i, lr, NULL);
            if (lr[0] != s.scale) fail_msg("%s, step %d: %.17g, wanted %.17g", text, (int)i, lr[0], s.scale);
        }
        assert_true(s.scale >= s.least);
        reductions += s.scale < 1;
        strata_rates_close(r);
    }
    assert_true(reductions > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_are_met),
        cmocka_unit_test(ramps_as_their_formulas),
        cmocka_unit_test(anchors_and_exemptions),
        cmocka_unit_test(decays_have_floors),
        cmocka_unit_test(freeze_out_as_its_formula),
        cmocka_unit_test(momentum_stays_where_asked),
        cmocka_unit_test(restarts_end_where_asked),
        cmocka_unit_test(plateaus_as_torch),
        cmocka_unit_test(vanishing_cycles_count),
        cmocka_unit_test(curves_are_numbers_at_the_ends_of_their_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

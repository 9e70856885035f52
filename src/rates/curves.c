/* The curves. Adding one means adding a row to `schedules`: its name, convention, keys and function. */
#include <math.h>
#include <stddef.h>

#include "rates/plateau.h"
#include "rates/schedule.h"

static const double PI = 3.141592653589793;

static double clamp(double p) { return p < 0 ? 0 : p > 1 ? 1 : p; }

/* From a at p = 0 to b at p = 1 along half a cosine. */
static double cosine_between(double a, double b, double p)
{
    return b + (a - b) / 2 * (1 + cos(PI * clamp(p)));
}

static double line_between(double a, double b, double p) { return a + (b - a) * clamp(p); }

static double share(const schedule_place *where) { return (double)where->step / (double)where->steps; }

static schedule_point only(double scale) { return (schedule_point) { .scale = scale, .momentum = NAN }; }

static schedule_point constant(const schedule_use *use, const schedule_place *where)
{
    (void)use;
    (void)where;
    return only(1);
}

/* ---- The one-cycle policy ------------------------------------------------------------------- */

/* Up from 1/div to 1, then down to an end; momentum the other way. The three libraries that have it place the
 * knots differently, and mean different things by their final divisor. */
enum { PCT, DIV, FINAL, MOM_START, MOM_PEAK, MOM_END, MOMENTUM, SHAPE, THREE_PHASE };

static schedule_point blend(const schedule_use *use, schedule_point a, schedule_point b, double p)
{
    const bool cosine = use->value[SHAPE] == 0;
    const schedule_point c = {
        .scale = (cosine ? cosine_between : line_between)(a.scale, b.scale, p),
        .momentum = (cosine ? cosine_between : line_between)(a.momentum, b.momentum, p),
    };
    return use->value[MOMENTUM] == 0 ? c : only(c.scale);
}

static schedule_point cycle(const schedule_use *use, bool rising, double p, double end)
{
    const double *v = use->value;
    const schedule_point start = { 1 / v[DIV], v[MOM_START], false }, peak = { 1, v[MOM_PEAK], false },
                         last = { end, v[MOM_END] < 0 ? v[MOM_START] : v[MOM_END], false };
    return rising ? blend(use, start, peak, p) : blend(use, peak, last, p);
}

/* fastai v2: position i / N, knot at pct; end relative to the peak. */
static schedule_point one_cycle_fastai2(const schedule_use *use, const schedule_place *where)
{
    const double at = share(where), pct = use->value[PCT];
    const bool rising = at < pct || pct >= 1;
    return cycle(use, rising, rising ? at / pct : (at - pct) / (1 - pct), 1 / use->value[FINAL]);
}

/* fastai v1: whole batches to each side of the knot; end relative to the peak, by default 1 / (1e4 div). */
static schedule_point one_cycle_fastai1(const schedule_use *use, const schedule_place *where)
{
    const double *v = use->value, n = (double)where->steps, i = (double)where->step;
    const double a = floor(n * v[PCT]), b = n - a, final = v[FINAL] > 0 ? v[FINAL] : 1e4 * v[DIV];
    const bool rising = i < a; /* at the knot both sides give the peak, also where one has no batches */
    return cycle(use, rising, rising ? i / a : (i - a) / (b > 0 ? b : 1), 1 / final);
}

/* torch.optim.lr_scheduler.OneCycleLR: knots at pct N - 1 and N - 1, with three phases also at 2 pct N - 2;
 * end relative to the start. */
static schedule_point one_cycle_torch(const schedule_use *use, const schedule_place *where)
{
    const double *v = use->value, n = (double)where->steps, i = (double)where->step;
    const double knot = v[PCT] * n - 1, last = n - 1, end = 1 / (v[DIV] * v[FINAL]);
    const bool rising = i < knot || knot >= last;
    if (rising) return cycle(use, true, knot > 0 ? i / knot : 1, end);
    if (v[THREE_PHASE] == 0) return cycle(use, false, (i - knot) / (last - knot), end);
    const double back = 2 * knot, from = knot > 0 ? knot : 0;
    if (i < back) return cycle(use, false, (i - from) / (back - from), 1 / v[DIV]);
    const double home = v[MOM_END] < 0 ? v[MOM_START] : v[MOM_END];
    const schedule_point a = { 1 / v[DIV], home, false }, b = { end, home, false };
    return blend(use, a, b, last > back ? (i - back) / (last - back) : 1);
}

/* ---- Falling curves --------------------------------------------------------------------------- */

static schedule_point cosine(const schedule_use *use, const schedule_place *where)
{
    return only(cosine_between(1, use->value[0], share(where)));
}

/* Cosines with warm restarts: each `mult` times as long as the one before it. Without a length the cycles
 * fill the curve. */
enum { CYCLES, MULT, LENGTH, SGDR_END, SGDR_DECAY };

static double cycle_start(double length, double mult, double c)
{
    return mult > 1 ? length * (pow(mult, c) - 1) / (mult - 1) : length * c;
}

static schedule_point sgdr(const schedule_use *use, const schedule_place *where)
{
    const double *v = use->value, n = (double)where->steps, i = (double)where->step, mult = v[MULT];
    const bool filling = v[LENGTH] == 0;
    double cycles = floor(v[CYCLES]), gone = 0;
    /* Of cycles that grow beyond what a double holds the first have no length. */
    for (; filling && !isfinite(cycle_start(1, mult, cycles)); gone++) cycles--;
    double length = filling ? n / cycle_start(1, mult, cycles) : schedule_steps(v[LENGTH], where->steps);
    if (length < 1 && !filling) length = 1;
    double c = floor(mult > 1 ? log1p(i * (mult - 1) / length) / log(mult) : i / length);
    /* The logarithm may be an ulp to either side of a border. */
    while (c > 0 && cycle_start(length, mult, c) > i) c--;
    while (cycle_start(length, mult, c + 1) <= i) c++;
    if (filling && c >= cycles) c = cycles - 1;
    const double start = cycle_start(length, mult, c), p = (i - start) / (length * pow(mult, c));
    return only(pow(v[SGDR_DECAY], gone + c) * cosine_between(1, v[SGDR_END], p));
}

/* fastai v2's fit_flat_cos: flat, then a cosine from pct on. */
static schedule_point flat_cosine_fastai2(const schedule_use *use, const schedule_place *where)
{
    const double at = share(where), pct = use->value[0];
    return only(at < pct || pct >= 1 ? 1 : cosine_between(1, 1 / use->value[1], (at - pct) / (1 - pct)));
}

/* fastai v1's fit_fc: whole batches, to 0, and momentum steps once. */
static schedule_point flat_cosine_fastai1(const schedule_use *use, const schedule_place *where)
{
    const double *v = use->value, n = (double)where->steps, i = (double)where->step, a = floor(n * v[0]);
    if (i <= a) return (schedule_point) { 1, v[1], false };
    return (schedule_point) { cosine_between(1, 0, (i - a) / (n - a)), v[2], false };
}

static schedule_point linear(const schedule_use *use, const schedule_place *where)
{
    return only(line_between(use->value[0], use->value[1], share(where)));
}

static schedule_point polynomial(const schedule_use *use, const schedule_place *where)
{
    const double end = use->value[1];
    return only(end + (1 - end) * pow(1 - share(where), use->value[0]));
}

static schedule_point steps(const schedule_use *use, const schedule_place *where)
{
    const double every = fmax(schedule_steps(use->value[0], where->steps), 1);
    return only(pow(use->value[1], floor((double)where->step / every)));
}

static schedule_point multi_step(const schedule_use *use, const schedule_place *where)
{
    const double thirds[] = { -1 / 3.0, -2 / 3.0 };
    const uint32_t n = use->n_list ? use->n_list : 2;
    uint32_t passed = 0;
    for (uint32_t k = 0; k < n; k++)
        passed += (double)where->step >= schedule_steps(use->n_list ? use->list[k] : thirds[k], where->steps);
    return only(pow(use->value[1], passed));
}

static schedule_point exponential(const schedule_use *use, const schedule_place *where)
{
    const double gamma = use->value[1];
    return only(gamma > 0 ? pow(gamma, (double)where->step) : pow(use->value[0], share(where)));
}

/* ULMFiT's: up to step floor(cut N), down to the end; both ends at 1/ratio. */
static schedule_point slanted_triangular(const schedule_use *use, const schedule_place *where)
{
    const double fraction = use->value[0], ratio = use->value[1], n = (double)where->steps,
                 t = (double)where->step, cut = floor(n * fraction);
    double p;
    if (t < cut || fraction >= 1) /* behind a curve that only rises it stays */
        p = t / cut;
    else if (cut > 0)
        p = 1 - (t - cut) / (cut * (1 / fraction - 1));
    else
        p = 1 - t / n; /* too short to rise */
    return only((1 + clamp(p) * (ratio - 1)) / ratio);
}

/* sqrt(T / (T + i)): behind a warm-up of T steps it is the transformer's T^0.5 i^-0.5. */
static schedule_point inverse_sqrt(const schedule_use *use, const schedule_place *where)
{
    const double scale = fmax(schedule_steps(use->value[0], where->steps), 1);
    return only(sqrt(scale / (scale + (double)where->step)));
}

/* FreezeOut: layer i of L has a cosine of its own that ends at t_i = (t0 + (1 - t0) i / L)^power of the run,
 * where the layer freezes. `scaled`: with rates 1 / t_i as large, so that all travel as far. */
static schedule_point freeze_out(const schedule_use *use, const schedule_place *where)
{
    const double *v = use->value, p = share(where);
    const double depth = where->n_groups > 1 ? (double)where->group / (where->n_groups - 1) : 1;
    const double end = pow(v[0] + (1 - v[0]) * depth, v[1]), most = v[2] == 0 ? 1 / end : 1;
    if (p >= end && end < 1) return (schedule_point) { 0, NAN, true };
    return only(cosine_between(most, 0, p / end));
}

static schedule_point reduce_on_plateau(const schedule_use *use, const schedule_place *where)
{
    const double *v = use->value;
    const rates_metric metric = (rates_metric)v[7];
    const bool share = metric == RATES_TOP1 || metric == RATES_TOP5; /* the more the better */
    const plateau p = { .metric = metric,
                        .factor = v[0],
                        .least = v[5],
                        .threshold = v[2],
                        .larger = v[3] == 0 ? share : v[3] == 2,
                        .absolute = v[4] != 0,
                        .patience = (uint32_t)v[1],
                        .cooldown = (uint32_t)v[6] };
    return only(plateau_scale(&p, where->log, where->first, where->now));
}

/* ---- The table -------------------------------------------------------------------------------- */

/* clang-format off */
#define NUMBER(key, value, low, high) { key, KEY_NUMBER, value, low, high, NULL }
#define WORD(key, words) { key, KEY_WORD, 0, 0, 0, words }
#define A_LENGTH(key, value) { key, KEY_LENGTH, value, 0, 0, NULL }
#define CYCLE(pct, final, mom_end)                                                                           \
    NUMBER("pct", pct, 0, 1), NUMBER("div", 25, 1e-6, 1e12), NUMBER("final", final, 1e-6, 1e18),             \
    NUMBER("mom-start", 0.95, 0, 0.999999), NUMBER("mom-peak", 0.85, 0, 0.999999),                           \
    NUMBER("mom-end", mom_end, 0, 0.999999), WORD("momentum", "cycle keep"), WORD("shape", "cosine linear")
const schedule schedules[] = { /* mom-end -1: as mom-start */
    { "constant", "", constant, { { 0 } } },
    { "one-cycle", "fastai2", one_cycle_fastai2, { CYCLE(0.25, 1e5, 0.95) } },
    { "one-cycle", "fastai1", one_cycle_fastai1, { CYCLE(0.3, 0, -1) } },
    { "one-cycle", "torch", one_cycle_torch, { CYCLE(0.3, 1e4, -1), WORD("three-phase", "no yes") } },
    { "cosine", "", cosine, { NUMBER("end", 0, 0, 1) } },
    { "sgdr", "", sgdr,
      { NUMBER("cycles", 3, 1, 64), NUMBER("mult", 2, 1, 1e6), A_LENGTH("length", 0), NUMBER("end", 0, 0, 1),
        NUMBER("decay", 1, 1e-6, 1) } },
    { "flat-cosine", "fastai2", flat_cosine_fastai2,
      { NUMBER("pct", 0.75, 0, 1), NUMBER("final", 1e5, 1e-6, 1e18) } },
    { "flat-cosine", "fastai1", flat_cosine_fastai1,
      { NUMBER("pct", 0.72, 0, 1), NUMBER("mom-start", 0.95, 0, 0.999999),
        NUMBER("mom-end", 0.85, 0, 0.999999) } },
    { "linear", "", linear, { NUMBER("from", 1, 0, 1e6), NUMBER("end", 0, 0, 1e6) } },
    { "polynomial", "", polynomial, { NUMBER("power", 1, 1e-6, 100), NUMBER("end", 0, 0, 1) } },
    { "step", "", steps, { A_LENGTH("every", -1 / 3.0), NUMBER("gamma", 0.1, 0, 1e6) } },
    { "multi-step", "", multi_step, { { "at", KEY_LIST, 0, 0, 0, NULL }, NUMBER("gamma", 0.1, 0, 1e6) } },
    { "exponential", "", exponential, { NUMBER("end", 0.01, 1e-12, 1e6), NUMBER("gamma", 0, 1e-12, 1e6) } },
    { "slanted-triangular", "", slanted_triangular,
      { NUMBER("cut", 0.1, 0, 1), NUMBER("ratio", 32, 1, 1e12) } },
    { "inverse-sqrt", "", inverse_sqrt, { A_LENGTH("timescale", -0.1) } },
    { "freeze-out", "", freeze_out,
      { NUMBER("t0", 0.8, 1e-3, 1), NUMBER("power", 3, 1e-3, 100), WORD("scaled", "yes no") } },
    { "plateau", "", reduce_on_plateau,
      { NUMBER("factor", 0.1, 0, 0.999999), NUMBER("patience", 10, 0, 1e6), NUMBER("threshold", 1e-4, 0, 1e6),
        WORD("mode", "auto min max"), WORD("measure", "relative absolute"), NUMBER("least", 0, 0, 1),
        NUMBER("cooldown", 0, 0, 1e6), WORD("metric", "loss top1 top5 train-loss") } },
};
/* clang-format on */
const uint32_t n_schedules = sizeof schedules / sizeof *schedules;

uint32_t schedule_watches(const schedule_use *use)
{
    return use->kind->at == reduce_on_plateau ? 1u << (uint32_t)use->value[7] : 0;
}

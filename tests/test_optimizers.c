/* Every optimizer over five steps against a plain formulation in double: rows of rates from 1e-6 to 1e-1 in
 * the same step, with momentum, weight decay and clipped gradients; on the CPU reference and on the Vulkan
 * device. What a measured step tells, and that it moves the same bits. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/plan.h"
#include "rates/trust.h"

#define check(e) assert_string_equal((e) == STRATA_OK ? "" : strata_message(), "")

enum { STEPS = 5, ROWS = 5, FROZEN = 4, SAMPLES = 4, MANY = 4097 };
enum { BLOCKS = 74, FLOATS = BLOCKS * STRATA_RATE_BLOCK }; /* the second row is longer than a piece */
static const uint32_t blocks_of[ROWS] = { 2, 66, 3, 1, 2 };
/* Multipliers of a group, then what the schedule gives; a frozen group's is 0. */
static const double multiplier[ROWS] = { 1e-5, 1, 0.03, 1, 0 }, schedule[STEPS] = { .02, .1, .1, .06, .01 };
static const double decay_of[ROWS] = { 0.2, 0.05, 0.1, 0, 0.1 };
static const float coefficient = 0.02F, clip_norm = 5;

typedef struct rig {
    strata_device *device;
    strata_block block;
    strata_update u;
    strata_optimizer optimizer;
    strata_piece piece[BLOCKS];
    uint32_t owner[BLOCKS];
    float w[FLOATS], g[FLOATS], moved[2 * ROWS];
    strata_rate rate[ROWS];
    bool many; /* rows of the table: more than updates look up where they store lanes */
} rig;

/* The same in double. `size`: the momentum of the gradients' sizes, which bounds what a rounded sum may be
 * off; `error`: how far the weights may be off by now. */
typedef struct wide {
    double w[FLOATS], m[FLOATS], v[FLOATS], size[FLOATS], error[FLOATS], moved[2 * ROWS], ratio[ROWS];
} wide;

static float uniform(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) * 0x1p-23f - 1;
}

/* ---- The rig ------------------------------------------------------------------------------------ */

static strata_slice take(rig *r, uint64_t *at, uint64_t bytes)
{
    strata_slice s = { &r->block, *at, bytes, false };
    *at += strata_align(bytes);
    return s;
}

static void open_rig(rig *r, const char *device, const char *limits, strata_optimizer optimizer)
{
    const strata_device_config config = { .name = device, .limits = limits, .validate = true };
    const strata_state state = { 0 };
    const float loss[SAMPLES] = { 1, 1, 1, 1 };
    uint64_t at = 0;
    uint32_t n = 0;
    *r = (rig) { .optimizer = optimizer };
    check(strata_device_open(&r->device, &config));
    check(strata_block_open(&r->block, r->device, 4 * 4 * FLOATS + (1 << 18), STRATA_MEMORY_DEVICE));
    for (uint32_t row = 0; row < ROWS; row++)
        for (uint32_t b = 0; b < blocks_of[row]; b++) r->owner[n++] = row;
    const uint32_t pieces = strata_update_pieces(r->piece, r->owner, BLOCKS);
    const bool moment2 = optimizer != STRATA_SGD && optimizer != STRATA_LARS;
    r->u = (strata_update) { .weights = take(r, &at, 4 * FLOATS),
                             .grads = take(r, &at, 4 * FLOATS),
                             .moment1 = take(r, &at, 4 * FLOATS),
                             .owner = take(r, &at, sizeof r->owner),
                             .rates = take(r, &at, MANY * sizeof *r->rate),
                             .state = take(r, &at, sizeof state),
                             .loss = take(r, &at, sizeof loss),
                             .pieces = take(r, &at, sizeof r->piece),
                             .trust = take(r, &at, 4 * ROWS),
                             .moved = take(r, &at, sizeof r->moved),
                             .scratch = take(r, &at, strata_update_scratch(BLOCKS)),
                             .blocks = BLOCKS,
                             .n = SAMPLES,
                             .clip_norm = clip_norm,
                             .piece = r->piece,
                             .n_pieces = pieces,
                             .rows = ROWS,
                             .trust_coefficient = coefficient };
    r->u.rates.bytes = sizeof r->rate;
    if (moment2) r->u.moment2 = take(r, &at, 4 * FLOATS);
    check(strata_device_fill(r->device, (strata_slice) { &r->block, 0, r->block.bytes, false }, 0));
    check(strata_device_write(r->device, r->u.owner, r->owner));
    check(strata_device_write(r->device, r->u.pieces, r->piece));
    check(strata_device_write(r->device, r->u.state, &state));
    check(strata_device_write(r->device, r->u.loss, loss));
    uint32_t seed = 5;
    for (int i = 0; i < FLOATS; i++) r->w[i] = uniform(&seed);
    check(strata_device_write(r->device, r->u.weights, r->w));
}

static void close_rig(rig *r)
{
    const char *first = "";
    const unsigned complaints = strata_device_complaints(r->device, &first);
    assert_string_equal(complaints ? first : "", "");
    strata_block_close(&r->block, r->device);
    strata_device_close(r->device);
}

static strata_stream *record(rig *r, bool measured)
{
    strata_stream *s = NULL;
    strata_update u = r->u;
    if (!measured) u.moved = (strata_slice) { 0 };
    if (r->many) u.rates.bytes = MANY * sizeof *r->rate;
    check(strata_stream_open(&s, r->device));
    check(strata_update_norm(s, &u));
    check(strata_update_step(s, &u, r->optimizer));
    check(strata_stream_end(s));
    return s;
}

/* What a host that follows src/graph/plan.h puts into a row. */
static void set_rates(rig *r, int step)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        const float beta1 = 0.9F - 0.02F * (float)step, beta2 = 0.99F;
        const bool adam = r->u.moment2.block, lars = r->optimizer == STRATA_LARS;
        const bool trust = (lars || r->optimizer == STRATA_LAMB) && decay_of[i] > 0;
        r->rate[i] = (strata_rate) { .lr = (float)(schedule[step] * multiplier[i]),
                                     .momentum = beta1,
                                     .beta2 = lars ? (float)schedule[step] : beta2,
                                     .eps = 1e-6F,
                                     .weight_decay = (float)decay_of[i],
                                     .correction1 = 1,
                                     .correction2 = 1,
                                     .flags = STRATA_RATE_ACTIVE | (step ? 0 : STRATA_RATE_FIRST) |
                                              (trust ? STRATA_RATE_TRUST : 0) };
        if (adam) r->rate[i].correction1 = (float)(1 / (1 - pow((double)beta1, step + 1)));
        if (adam) r->rate[i].correction2 = (float)(1 / sqrt(1 - pow((double)beta2, step + 1)));
        if (i == FROZEN) r->rate[i] = (strata_rate) { .correction1 = 1, .correction2 = 1 };
    }
    check(strata_device_write(r->device, r->u.rates, r->rate));
}

static void set_gradients(rig *r, int step)
{
    uint32_t seed = 77 + (uint32_t)step;
    for (int i = 0; i < FLOATS; i++) r->g[i] = uniform(&seed) * (step % 2 ? 0.01F : 1.0F);
    check(strata_device_write(r->device, r->u.grads, r->g));
}

/* ---- The plain formulation ------------------------------------------------------------------------ */

typedef double per_element(const wide *p, const rig *r, int i, double clip);

static double norm(const wide *p, const rig *r, uint32_t row, double clip, per_element *value)
{
    double sum = 0;
    for (int i = 0; i < FLOATS; i++) {
        const double v = r->owner[i / STRATA_RATE_BLOCK] == row ? value(p, r, i, clip) : 0;
        sum += v * v;
    }
    return sqrt(sum);
}

static double weight(const wide *p, const rig *r, int i, double clip)
{
    (void)r, (void)clip;
    return p->w[i];
}

static double gradient(const wide *p, const rig *r, int i, double clip)
{
    (void)p;
    return clip * (double)r->g[i];
}

/* Adam's direction from the moments as they are; of LAMB with the decay. */
static double direction(const wide *p, const rig *r, int i, double clip)
{
    const strata_rate *rate = &r->rate[r->owner[i / STRATA_RATE_BLOCK]];
    (void)clip;
    double u = (double)rate->correction1 * p->m[i] /
               (sqrt(p->v[i]) * (double)rate->correction2 + (double)rate->eps);
    return r->optimizer == STRATA_LAMB ? u + (double)rate->weight_decay * p->w[i] : u;
}

static double clip_of(const rig *r)
{
    double sum = 0;
    for (int i = 0; i < FLOATS; i++)
        if (r->owner[i / STRATA_RATE_BLOCK] != FROZEN) sum += (double)r->g[i] * (double)r->g[i];
    return fmin(1, (double)clip_norm / (sqrt(sum) + 1e-6));
}

/* First the moments of all, then each row's ratio, then the steps. */
static void plain_moments(wide *p, const rig *r, double clip, bool adam)
{
    for (int i = 0; i < FLOATS; i++) {
        const uint32_t row = r->owner[i / STRATA_RATE_BLOCK];
        const double beta1 = (double)r->rate[row].momentum, beta2 = (double)r->rate[row].beta2;
        const double decay = (double)r->rate[row].weight_decay;
        double d = clip * (double)r->g[i], size = fabs(d);
        if (row == FROZEN) continue;
        if (!adam || r->optimizer == STRATA_ADAM) size += decay * fabs(p->w[i]); /* they may cancel */
        if (adam) {
            if (r->optimizer == STRATA_ADAM) d += decay * p->w[i];
            p->m[i] = beta1 * p->m[i] + (1 - beta1) * d;
            p->v[i] = beta2 * p->v[i] + (1 - beta2) * d * d;
            p->size[i] = beta1 * p->size[i] + (1 - beta1) * size;
        } else {
            d = p->ratio[row] * (d + decay * p->w[i]);
            p->m[i] = beta1 * p->m[i] + d;
            p->size[i] = beta1 * p->size[i] + p->ratio[row] * size;
        }
    }
}

static void plain_ratios(wide *p, const rig *r, double clip)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        const double w = norm(p, r, row, clip, weight), decay = (double)r->rate[row].weight_decay;
        p->ratio[row] = 1;
        if (!(r->rate[row].flags & STRATA_RATE_TRUST)) continue;
        if (r->optimizer == STRATA_LARS)
            p->ratio[row] = trust_lars(w, norm(p, r, row, clip, gradient), decay, (double)coefficient,
                                       (double)r->rate[row].eps);
        else
            p->ratio[row] = trust_lamb(w, norm(p, r, row, clip, direction), INFINITY);
    }
}

/* Each weight is rounded once a step; the step itself is off by some tens of units: a root and a quotient of
 * 2.5 each, and norms, as in the clip and in the ratio, by up to sqrt(256) units of half their weight. */
static void plain_step(wide *p, const rig *r, double clip)
{
    const bool adam = r->u.moment2.block, lars = r->optimizer == STRATA_LARS;
    const double unit = 0x1p-24, step_units = 64;
    if (lars) plain_ratios(p, r, clip);
    for (uint32_t row = 0; !lars && row < ROWS; row++) p->ratio[row] = 1;
    plain_moments(p, r, clip, adam);
    if (r->optimizer == STRATA_LAMB) plain_ratios(p, r, clip);
    memset(p->moved, 0, sizeof p->moved);
    for (int i = 0; i < FLOATS; i++) {
        const uint32_t row = r->owner[i / STRATA_RATE_BLOCK];
        const double lr = (double)r->rate[row].lr, was = p->w[i];
        double move = p->m[i], size = p->size[i];
        if (row == FROZEN) continue;
        if (adam) {
            move = p->ratio[row] * direction(p, r, i, clip);
            size *= move != 0 ? p->ratio[row] * fabs(direction(p, r, i, clip) / p->m[i]) : 0;
        }
        if (r->optimizer == STRATA_ADAMW) move += (double)r->rate[row].weight_decay * was;
        p->w[i] = was - lr * move;
        p->error[i] += unit * (fabs(p->w[i]) + step_units * lr * (size + fabs(move)));
        p->moved[2 * row] += (lr * move) * (lr * move);
        p->moved[2 * row + 1] += was * was;
    }
    for (int k = 0; k < 2 * ROWS; k++) p->moved[k] = sqrt(p->moved[k]);
}

/* ---- Steps ------------------------------------------------------------------------------------------ */

static void compare(rig *r, const wide *p, int step)
{
    check(strata_device_read(r->device, r->w, r->u.weights));
    check(strata_device_read(r->device, r->moved, r->u.moved));
    for (int i = 0; i < FLOATS; i++)
        if (!(fabs((double)r->w[i] - p->w[i]) <= p->error[i]))
            fail_msg("optimizer %d, step %d, row %u, weight %d: got %.9g, want %.17g +- %.2g", r->optimizer,
                     step, r->owner[i / STRATA_RATE_BLOCK], i, (double)r->w[i], p->w[i], p->error[i]);
    for (int k = 0; k < 2 * ROWS; k++) /* a step of 1e-6 is some units of the weight it moves */
        if (!(fabs((double)r->moved[k] - p->moved[k]) <= 1e-5 * p->moved[k] + 0x1p-24 * p->moved[k | 1]))
            fail_msg("optimizer %d, step %d, row %d, %s: got %.9g, want %.17g", r->optimizer, step, k / 2,
                     k % 2 ? "weights" : "moved", (double)r->moved[k], p->moved[k]);
}

static void follow(const char *device, const char *limits, strata_optimizer optimizer)
{
    static rig r;
    static wide p;
    float start[FLOATS];
    memset(&p, 0, sizeof p);
    open_rig(&r, device, limits, optimizer);
    memcpy(start, r.w, sizeof start);
    for (int i = 0; i < FLOATS; i++) p.w[i] = (double)r.w[i];
    strata_stream *s = record(&r, true);
    double least = 1;
    for (int step = 0; step < STEPS; step++) {
        set_rates(&r, step);
        set_gradients(&r, step);
        check(strata_stream_run(s));
        const double clip = clip_of(&r);
        least = fmin(least, clip);
        plain_step(&p, &r, clip);
        compare(&r, &p, step);
    }
    assert_true(least < 0.2); /* some were clipped */
    const int first = (BLOCKS - 2) * STRATA_RATE_BLOCK;
    assert_memory_equal(start + first, r.w + first, 2 * 4 * STRATA_RATE_BLOCK);
    strata_stream_close(s);
    close_rig(&r);
}

static const char *device_of(void **state) { return *state; }

static void sgd(void **state) { follow(device_of(state), NULL, STRATA_SGD); }
static void adam(void **state) { follow(device_of(state), NULL, STRATA_ADAM); }
static void adamw(void **state) { follow(device_of(state), NULL, STRATA_ADAMW); }
static void lars(void **state) { follow(device_of(state), NULL, STRATA_LARS); }
static void lamb(void **state) { follow(device_of(state), NULL, STRATA_LAMB); }

/* Few bytes in a binding, and steps that are not measured: the same bits. */
static void nothing_else_moves_a_bit(void **state)
{
    static rig whole, other;
    for (int optimizer = STRATA_SGD; optimizer <= STRATA_LAMB; optimizer++)
        for (int way = 0; way < 3; way++) {
            const bool measured = way == 0;
            open_rig(&whole, device_of(state), NULL, (strata_optimizer)optimizer);
            open_rig(&other, device_of(state), way == 1 ? NULL : "range=65536", (strata_optimizer)optimizer);
            strata_stream *a = record(&whole, true), *b = record(&other, measured);
            for (int step = 0; step < STEPS; step++) {
                set_rates(&whole, step), set_rates(&other, step);
                set_gradients(&whole, step), set_gradients(&other, step);
                check(strata_stream_run(a)), check(strata_stream_run(b));
            }
            check(strata_device_read(whole.device, whole.w, whole.u.weights));
            check(strata_device_read(other.device, other.w, other.u.weights));
            assert_memory_equal(whole.w, other.w, sizeof whole.w);
            check(strata_device_read(whole.device, whole.moved, whole.u.moved));
            check(strata_device_read(other.device, other.moved, other.u.moved));
            if (measured) assert_memory_equal(whole.moved, other.moved, sizeof whole.moved);
            strata_stream_close(a), strata_stream_close(b);
            close_rig(&whole), close_rig(&other);
        }
}

/* What a frozen row must keep: NaNs of any kind, zeros of both signs, numbers below the least normal one. */
static uint32_t odd_bits(int i)
{
    static const uint32_t odd[] = { 0x7fa00001, 0xff812345, 0x7fc54321, 0x80000000, 0, 1, 0x80000123 };
    return odd[(size_t)i % (sizeof odd / sizeof *odd)];
}

/* Weights and moments of a frozen row that are odd, of the others as they may be; a gradient that is not. */
static void set_odd(rig *r, bool bad)
{
    const strata_slice to[] = { r->u.weights, r->u.moment1, r->u.moment2 };
    uint32_t seed = 11;
    float bits;
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < FLOATS; i++) {
            const uint32_t odd = odd_bits(i);
            memcpy(&bits, &odd, 4);
            r->w[i] = r->owner[i / STRATA_RATE_BLOCK] == FROZEN ? bits : fabsf(uniform(&seed));
        }
        if (to[k].block) check(strata_device_write(r->device, to[k], r->w));
    }
    set_rates(r, 1);
    r->rate[2].flags |= STRATA_RATE_NESTEROV;
    r->rate[3].flags |= STRATA_RATE_FIRST;
    check(strata_device_write(r->device, r->u.rates, r->rate));
    set_gradients(r, 0);
    if (bad) r->g[700] = NAN;
    check(strata_device_write(r->device, r->u.grads, r->g));
}

static void same_memory(rig *a, rig *b, strata_slice s)
{
    const int first = (BLOCKS - 2) * STRATA_RATE_BLOCK;
    if (!s.block) return;
    s.block = &a->block;
    check(strata_device_read(a->device, a->w, s));
    s.block = &b->block;
    check(strata_device_read(b->device, b->w, s));
    assert_memory_equal(a->w, b->w, sizeof a->w);
    for (int i = first; i < FLOATS; i++) {
        uint32_t bits;
        memcpy(&bits, &a->w[i], 4);
        assert_int_equal(bits, odd_bits(i));
    }
}

/* Lavapipe's stores of lanes against its own, which take over where there are too many rows. */
static void how_it_is_stored_changes_no_bit(void **state)
{
    static rig lanes, plain;
    for (int optimizer = STRATA_SGD; optimizer <= STRATA_LAMB; optimizer++)
        for (int way = 0; way < 3; way++) {
            open_rig(&lanes, device_of(state), NULL, (strata_optimizer)optimizer);
            open_rig(&plain, device_of(state), NULL, (strata_optimizer)optimizer);
            plain.many = true;
            if (way == 2 && !lanes.u.moment2.block) lanes.u.moment1 = plain.u.moment1 = (strata_slice) { 0 };
            set_odd(&lanes, way == 1), set_odd(&plain, way == 1);
            strata_stream *a = record(&lanes, false), *b = record(&plain, false);
            check(strata_stream_run(a)), check(strata_stream_run(b));
            same_memory(&lanes, &plain, lanes.u.weights);
            same_memory(&lanes, &plain, lanes.u.moment1);
            same_memory(&lanes, &plain, lanes.u.moment2);
            strata_stream_close(a), strata_stream_close(b);
            close_rig(&lanes), close_rig(&plain);
        }
}

/* ---- Values computed elsewhere ------------------------------------------------------------------------ */

static const char *cell(json_t *all, const char *title, size_t row, size_t column)
{
    const char *key, *text = NULL;
    json_t *value;
    json_object_foreach(all, key, value) if (strncmp(key, title, strlen(title)) == 0)
        text = json_string_value(json_array_get(json_array_get(json_object_get(value, "rows"), row), column));
    if (!text) fail_msg("there is no table %s", title);
    return text;
}

/* Two steps of one weight: decoupled decay at two rates and two values of beta1. */
static void decoupled_adam_is_known(void **state)
{
    static rig r;
    const float lr[] = { 4e-4F, 5e-4F }, beta1[] = { 0.95F, 0.94F }, gradient_of[] = { 0.1F, -0.2F };
    json_error_t error;
    json_t *all = json_load_file(SOURCE_DIR "/tests/golden/learning-rates.json", 0, &error);
    if (!all) fail_msg("%s", error.text);
    for (size_t variant = 0; variant < 2; variant++) {
        open_rig(&r, device_of(state), NULL, STRATA_ADAMW);
        r.u.clip_norm = 0;
        r.w[0] = 0.5F;
        check(strata_device_write(r.device, r.u.weights, r.w));
        strata_stream *s = record(&r, false);
        for (size_t step = 0; step < 2; step++) {
            const double n = (double)step + 1;
            r.rate[0] = (strata_rate) { .lr = lr[step],
                                        .momentum = beta1[step],
                                        .beta2 = 0.99F,
                                        .eps = variant ? 1e-5F : 1e-8F,
                                        .weight_decay = 0.01F,
                                        .correction1 = (float)(1 / (1 - pow((double)beta1[step], n))),
                                        .correction2 = (float)(1 / sqrt(1 - pow((double)0.99F, n))),
                                        .flags = STRATA_RATE_ACTIVE };
            r.g[0] = gradient_of[step];
            check(strata_device_write(r.device, r.u.rates, r.rate));
            check(strata_device_write(r.device, r.u.grads, r.g));
            check(strata_stream_run(s));
            check(strata_device_read(r.device, r.w, r.u.weights));
            const double want = strtod(cell(all, "K ", variant, step + 1), NULL);
            /* Half a unit of 0.5 each step, and 1e-6 of the step for its rounded parts. */
            if (!(fabs((double)r.w[0] - want) <= n * (0x1p-25 + 1e-6 * 5e-4)))
                fail_msg("variant %zu, step %zu: got %.9g, want %.17g", variant, step, (double)r.w[0], want);
        }
        strata_stream_close(s);
        close_rig(&r);
    }
    json_decref(all);
}

/* Of w = (3, 4) and g = (0.06, -0.08), as table H has them: the ratios with and without their clips. */
static void trust_ratios_are_known(void **state)
{
    static rig r;
    const struct {
        strata_optimizer optimizer;
        size_t row;     /* of the table */
        float clip, by; /* `by`: what the table's value is multiplied by */
    } cases[] = { { STRATA_LARS, 0, 0, 1 },
                  { STRATA_LARS, 2, 1, 1 },
                  { STRATA_LAMB, 4, 0, 1 },
                  { STRATA_LAMB, 4, 3, 3 / 3.551104121142175F } };
    json_error_t error;
    json_t *all = json_load_file(SOURCE_DIR "/tests/golden/learning-rates.json", 0, &error);
    if (!all) fail_msg("%s", error.text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool is_lars = cases[i].optimizer == STRATA_LARS;
        float trust[ROWS];
        open_rig(&r, device_of(state), NULL, cases[i].optimizer);
        r.u.clip_norm = 0;
        r.u.trust_clip = cases[i].clip;
        r.u.trust_coefficient = 1e-3F;
        memset(r.w, 0, sizeof r.w), memset(r.g, 0, sizeof r.g);
        r.w[0] = 3, r.w[1] = 4, r.g[0] = 0.06F, r.g[1] = -0.08F;
        r.rate[0] = (strata_rate) { .lr = 0.1F,
                                    .beta2 = is_lars ? 0.1F : 0,
                                    .eps = is_lars ? 1e-8F : 0,
                                    .weight_decay = 0.01F,
                                    .correction1 = 1,
                                    .correction2 = 1,
                                    .flags = STRATA_RATE_ACTIVE | STRATA_RATE_TRUST };
        check(strata_device_write(r.device, r.u.weights, r.w));
        check(strata_device_write(r.device, r.u.grads, r.g));
        check(strata_device_write(r.device, r.u.rates, r.rate));
        strata_stream *s = record(&r, false);
        check(strata_stream_run(s));
        check(strata_device_read(r.device, trust, r.u.trust));
        const double want = strtod(cell(all, "H ", cases[i].row, 1), NULL) * (double)cases[i].by;
        if (!(fabs((double)trust[0] - want) <= 1e-6 * want))
            fail_msg("case %zu: got %.9g, want %.17g", i, (double)trust[0], want);
        assert_true(trust[1] == 1); /* without the flag */
        strata_stream_close(s);
        close_rig(&r);
    }
    json_decref(all);
}

int main(void)
{
    static char cpu[] = "cpu", gpu[] = "auto";
    int failed = 0;
    strata_device *d = NULL;
    for (int i = 0; i < 2; i++) {
        char *device = i ? gpu : cpu;
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_prestate(sgd, device),
            cmocka_unit_test_prestate(adam, device),
            cmocka_unit_test_prestate(adamw, device),
            cmocka_unit_test_prestate(lars, device),
            cmocka_unit_test_prestate(lamb, device),
            cmocka_unit_test_prestate(nothing_else_moves_a_bit, device),
            cmocka_unit_test_prestate(how_it_is_stored_changes_no_bit, device),
            cmocka_unit_test_prestate(decoupled_adam_is_known, device),
            cmocka_unit_test_prestate(trust_ratios_are_known, device),
        };
        if (i && strata_device_open(&d, &(strata_device_config) { 0 }) == STRATA_NO_DEVICE)
            return failed ? failed : 77;
        strata_device_close(d);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}

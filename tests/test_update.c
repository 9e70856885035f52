/* The optimizers and the gradient norm against a plain formulation in double, on the CPU reference and on the
 * Vulkan device: over several steps of changing rates, row by row, in slices, and where something is not
 * finite. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/plan.h"
#include "ops/update.h"

#define check(e) assert_string_equal((e) == STRATA_OK ? "" : strata_message(), "")

enum { ROWS = 5, BLOCKS = 9, FLOATS = BLOCKS * STRATA_RATE_BLOCK, SAMPLES = 7 };
/* Row 3 owns two blocks, row 1 three; row 4 is never active unless a test says so. */
static const uint32_t owner_of[BLOCKS] = { 0, 1, 1, 1, 2, 3, 3, 4, 4 };
enum { IDLE = 4 };

typedef struct rig {
    strata_device *device;
    strata_block block;
    strata_update u;
    float w[FLOATS], g[FLOATS], m[FLOATS], v[FLOATS], loss[SAMPLES];
    strata_rate rate[ROWS];
    strata_state state;
} rig;

static float uniform(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) * 0x1p-23f - 1;
}

/* ---- The rig ------------------------------------------------------------------------------------------ */

enum { SPARE = 1 << 19 }; /* scratch that nodes want and updates do not: more than a binding takes */

static strata_slice take(rig *r, uint64_t *at, uint64_t bytes)
{
    strata_slice s = { &r->block, *at, bytes, false };
    *at += strata_align(bytes);
    return s;
}

static void place(rig *r, uint32_t blocks, bool moments)
{
    const uint64_t flat = (uint64_t)blocks * 4 * STRATA_RATE_BLOCK;
    uint64_t at = 0;
    r->u = (strata_update) { .blocks = blocks, .n = SAMPLES };
    check(strata_block_open(&r->block, r->device,
                            4 * flat + strata_update_scratch(blocks) + SPARE + 4 * blocks + 65536,
                            STRATA_MEMORY_DEVICE));
    r->u.weights = take(r, &at, flat);
    r->u.grads = take(r, &at, flat);
    if (moments) r->u.moment1 = take(r, &at, flat);
    if (moments) r->u.moment2 = take(r, &at, flat);
    r->u.owner = take(r, &at, 4 * (uint64_t)blocks);
    r->u.rates = take(r, &at, sizeof r->rate);
    r->u.state = take(r, &at, sizeof r->state);
    r->u.loss = take(r, &at, sizeof r->loss);
    r->u.scratch = take(r, &at, strata_update_scratch(blocks) + SPARE);
}

static void fill(rig *r)
{
    uint32_t seed = 1;
    for (int i = 0; i < FLOATS; i++) {
        r->w[i] = uniform(&seed);
        r->g[i] = uniform(&seed);
        r->m[i] = r->v[i] = 0;
    }
    for (int i = 0; i < SAMPLES; i++) r->loss[i] = uniform(&seed);
    memset(&r->state, 0, sizeof r->state);
    for (uint32_t i = 0; i < ROWS; i++)
        r->rate[i] = (strata_rate) {
            .lr = 0.01f * (float)(i + 1),
            .momentum = 0.9f - 0.1f * (float)i,
            .beta2 = 0.99f,
            .eps = 1e-8f,
            .weight_decay = 0.05f * (float)i,
            .correction1 = 1.5f,
            .correction2 = 2.5f,
            .flags = i == IDLE ? 0 : STRATA_RATE_ACTIVE,
        };
}

static void upload(rig *r)
{
    check(strata_device_write(r->device, r->u.weights, r->w));
    check(strata_device_write(r->device, r->u.grads, r->g));
    if (r->u.moment1.block) check(strata_device_write(r->device, r->u.moment1, r->m));
    if (r->u.moment2.block) check(strata_device_write(r->device, r->u.moment2, r->v));
    check(strata_device_write(r->device, r->u.owner, owner_of));
    check(strata_device_write(r->device, r->u.rates, r->rate));
    check(strata_device_write(r->device, r->u.loss, r->loss));
    check(strata_device_write(r->device, r->u.state, &r->state));
}

static void download(rig *r)
{
    check(strata_device_read(r->device, r->w, r->u.weights));
    if (r->u.moment1.block) check(strata_device_read(r->device, r->m, r->u.moment1));
    if (r->u.moment2.block) check(strata_device_read(r->device, r->v, r->u.moment2));
    check(strata_device_read(r->device, &r->state, r->u.state));
}

static strata_stream *record(rig *r, int adam)
{
    strata_stream *s = NULL;
    check(strata_stream_open(&s, r->device));
    check(strata_update_norm(s, &r->u));
    check(strata_update_step(s, &r->u, adam));
    check(strata_stream_end(s));
    return s;
}

static void run(rig *r, int adam)
{
    upload(r);
    strata_stream *s = record(r, adam);
    check(strata_stream_run(s));
    strata_stream_close(s);
    download(r);
}

static void open_rig(rig *r, const char *device, const char *limits)
{
    const strata_device_config config = { .name = device, .limits = limits, .validate = true };
    memset(r, 0, sizeof *r);
    check(strata_device_open(&r->device, &config));
}

static void close_rig(rig *r)
{
    const char *first = "";
    unsigned complaints = strata_device_complaints(r->device, &first);
    assert_string_equal(complaints ? first : "", "");
    strata_block_close(&r->block, r->device);
    strata_device_close(r->device);
}

static int before_each(void **state, const char *device)
{
    rig *r = malloc(sizeof *r);
    if (!r) return -1;
    open_rig(r, device, NULL);
    place(r, BLOCKS, true);
    fill(r);
    *state = r;
    return 0;
}
static int on_cpu(void **state) { return before_each(state, "cpu"); }
static int on_gpu(void **state) { return before_each(state, "auto"); }
static int after_each(void **state)
{
    close_rig(*state);
    free(*state);
    return 0;
}

/* ---- The plain formulation ------------------------------------------------------------------------------
 */

typedef struct wide {
    double w[FLOATS], m[FLOATS], v[FLOATS];
} wide;

/* PyTorch 1.13's torch.optim.SGD, Adam and AdamW, single tensor, not foreach. */
static void plain_step(wide *p, const rig *r, int adam, bool has_m, double clip)
{
    for (int i = 0; i < FLOATS; i++) {
        const strata_rate *rate = &r->rate[owner_of[i / STRATA_RATE_BLOCK]];
        const double beta1 = (double)rate->momentum, beta2 = (double)rate->beta2, lr = (double)rate->lr;
        const double decay = (double)rate->weight_decay;
        double d = clip * (double)r->g[i];
        if (!(rate->flags & STRATA_RATE_ACTIVE)) continue;
        if (adam == 2)
            p->w[i] *= 1 - lr * decay;
        else
            d += decay * p->w[i];
        if (adam) {
            p->m[i] = p->m[i] * beta1 + (1 - beta1) * d;
            p->v[i] = p->v[i] * beta2 + (1 - beta2) * d * d;
            double size = sqrt(p->v[i]) * (double)rate->correction2 + (double)rate->eps;
            p->w[i] -= lr * (double)rate->correction1 * p->m[i] / size;
        } else if (has_m) {
            p->m[i] = rate->flags & STRATA_RATE_FIRST ? d : beta1 * p->m[i] + d;
            p->w[i] -= lr * (rate->flags & STRATA_RATE_NESTEROV ? d + beta1 * p->m[i] : p->m[i]);
        } else
            p->w[i] -= lr * d;
    }
}

static double plain_norm(const rig *r)
{
    double sum = 0;
    for (int i = 0; i < FLOATS; i++)
        if (r->rate[owner_of[i / STRATA_RATE_BLOCK]].flags & STRATA_RATE_ACTIVE)
            sum += (double)r->g[i] * (double)r->g[i];
    return sqrt(sum);
}

static void set_rates(rig *r, int step, bool nesterov)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        r->rate[i].lr = 0.1f / (float)(1 + i + (uint32_t)step);
        r->rate[i].momentum = 0.95f - 0.03f * (float)step - 0.05f * (float)i;
        r->rate[i].beta2 = 0.999f - 0.001f * (float)i;
        r->rate[i].weight_decay = 0.02f * (float)(i + (uint32_t)step % 3);
        double beta1 = (double)r->rate[i].momentum, beta2 = (double)r->rate[i].beta2;
        r->rate[i].correction1 = (float)(1 / (1 - pow(beta1, step + 1)));
        r->rate[i].correction2 = (float)(1 / sqrt(1 - pow(beta2, step + 1)));
        r->rate[i].flags = (i == IDLE ? 0 : STRATA_RATE_ACTIVE) | (nesterov ? STRATA_RATE_NESTEROV : 0) |
                           (step == 0 ? STRATA_RATE_FIRST : 0);
    }
}

static void close_to(const float *got, const double *want, const char *what)
{
    for (int i = 0; i < FLOATS; i++)
        if (!(fabs((double)got[i] - want[i]) <= 1e-6 * (1 + fabs(want[i]))))
            fail_msg("%s[%d]: got %.9g, want %.17g", what, i, (double)got[i], want[i]);
}

/* Several steps by one recording; the norm is clipped in some of them and not in others. */
static void follow(rig *r, int adam, bool has_m, bool nesterov, float clip_norm)
{
    static wide p;
    uint32_t seed = 7;
    r->u.clip_norm = clip_norm;
    if (!has_m) r->u.moment1 = (strata_slice) { 0 };
    if (!adam) r->u.moment2 = (strata_slice) { 0 };
    for (int i = 0; i < FLOATS; i++) {
        p.w[i] = (double)r->w[i];
        p.m[i] = p.v[i] = 0;
        if (!adam && owner_of[i / STRATA_RATE_BLOCK] != IDLE) r->m[i] = NAN; /* FIRST must not read it */
    }
    upload(r);
    strata_stream *s = record(r, adam);
    for (int step = 0; step < 8; step++) {
        set_rates(r, step, nesterov);
        for (int i = 0; i < FLOATS; i++) r->g[i] = uniform(&seed) * (step % 2 ? 0.01f : 1.0f);
        check(strata_device_write(r->device, r->u.grads, r->g));
        check(strata_device_write(r->device, r->u.rates, r->rate));
        check(strata_stream_run(s));
        download(r);
        double norm = plain_norm(r), clip = clip_norm > 0 ? fmin(1, (double)clip_norm / (norm + 1e-6)) : 1;
        assert_true(fabs((double)r->state.grad_norm - norm) <= 1e-6 * norm);
        assert_true(fabs((double)r->state.clip - clip) <= 1e-6 * clip);
        assert_int_equal(r->state.not_finite, 0);
        assert_int_equal(r->state.skipped, 0);
        plain_step(&p, r, adam, has_m, clip);
        close_to(r->w, p.w, "w");
        if (has_m) close_to(r->m, p.m, "m");
        if (adam) close_to(r->v, p.v, "v");
    }
    strata_stream_close(s);
}

static void sgd_plain(void **state) { follow(*state, 0, false, false, 0); }
static void sgd_momentum(void **state) { follow(*state, 0, true, false, 3); }
static void sgd_nesterov(void **state) { follow(*state, 0, true, true, 3); }
static void adam_l2(void **state) { follow(*state, 1, true, false, 3); }
static void adam_decoupled(void **state) { follow(*state, 2, true, false, 0); }

/* ---- Rows ------------------------------------------------------------------------------------------------
 */

static bool same(const float *a, const float *b, uint32_t block)
{
    const size_t at = (size_t)block * STRATA_RATE_BLOCK;
    return memcmp(a + at, b + at, 4 * STRATA_RATE_BLOCK) == 0;
}

static void a_row_moves_its_tensor_alone(void **state)
{
    rig *r = *state;
    static float w[FLOATS], start[FLOATS];
    for (int adam = 0; adam < 3; adam++) {
        fill(r);
        memcpy(start, r->w, sizeof start);
        run(r, adam);
        memcpy(w, r->w, sizeof w);
        for (uint32_t b = 0; b < BLOCKS; b++) assert_int_equal(same(w, start, b), owner_of[b] == IDLE);
        for (uint32_t row = 0; row < ROWS; row++) {
            fill(r);
            r->rate[row].flags = STRATA_RATE_ACTIVE;
            r->rate[row].lr *= 1.5f;
            run(r, adam);
            for (uint32_t b = 0; b < BLOCKS; b++) assert_int_equal(same(r->w, w, b), owner_of[b] != row);
        }
    }
}

static void an_idle_row_stays_bit_equal(void **state)
{
    rig *r = *state;
    static float w[FLOATS], m[FLOATS], v[FLOATS];
    for (int adam = 0; adam < 3; adam++) {
        fill(r);
        r->rate[1] = (strata_rate) { 0 };
        for (int i = 0; i < FLOATS; i++) r->m[i] = r->v[i] = 0.25f + r->w[i] * r->w[i];
        memcpy(w, r->w, sizeof w);
        memcpy(m, r->m, sizeof m);
        memcpy(v, r->v, sizeof v);
        run(r, adam);
        for (uint32_t b = 0; b < BLOCKS; b++) {
            bool idle = owner_of[b] == IDLE || owner_of[b] == 1;
            assert_int_equal(same(r->w, w, b), idle);
            assert_int_equal(same(r->m, m, b), idle);
            assert_int_equal(same(r->v, v, b), idle || adam == 0);
        }
    }
}

static void padding_stays_zero(void **state)
{
    rig *r = *state;
    for (int adam = 0; adam < 3; adam++) {
        fill(r);
        for (uint32_t i = 0; i < ROWS; i++) r->rate[i].eps = 0; /* 0 / 0, if nobody looks */
        r->w[3] = r->g[3] = 0;
        run(r, adam);
        assert_true(r->w[3] == 0 && r->m[3] == 0 && r->v[3] == 0);
    }
}

/* ---- What is not finite ----------------------------------------------------------------------------------
 */

static void expect_skip(rig *r, int adam, bool skipped, uint32_t so_far)
{
    static float w[FLOATS], m[FLOATS], v[FLOATS];
    memcpy(w, r->w, sizeof w);
    memcpy(m, r->m, sizeof m);
    memcpy(v, r->v, sizeof v);
    run(r, adam);
    assert_int_equal(r->state.not_finite, skipped);
    assert_int_equal(r->state.skipped, so_far);
    assert_int_equal(memcmp(w, r->w, sizeof w) == 0, skipped);
    assert_int_equal(memcmp(m, r->m, sizeof m) == 0, skipped);
    assert_int_equal(memcmp(v, r->v, sizeof v) == 0, skipped || adam == 0);
}

static void not_finite_skips(void **state)
{
    rig *r = *state;
    const float bad[] = { NAN, -NAN, INFINITY, -INFINITY };
    for (int i = 0; i < 4; i++) {
        fill(r);
        r->g[(i + 1) * 300] = bad[i];
        expect_skip(r, i % 3, true, 1);
        assert_true(isnan(r->state.grad_norm));
        r->g[(i + 1) * 300] = 0; /* it sticks */
        expect_skip(r, i % 3, true, 2);
        fill(r);
        r->loss[SAMPLES - 1 - i] = bad[i];
        expect_skip(r, i % 3, true, 1);
    }
    fill(r);
    r->g[BLOCKS * STRATA_RATE_BLOCK - 1] = NAN; /* of the idle row: nobody's business */
    expect_skip(r, 2, false, 0);
    fill(r);
    r->g[5] = r->g[1000] = 3e38f; /* finite, though its square is not */
    expect_skip(r, 2, false, 0);
}

/* ---- Slices ----------------------------------------------------------------------------------------------
 */

enum { MANY = 20000 }; /* blocks: the chunk of the norm grows above 16384 */

static void run_many(rig *r, float *flat, uint32_t *owner, const char *limits, float *norm)
{
    uint32_t seed = 3;
    open_rig(r, "auto", limits);
    place(r, MANY, false);
    fill(r);
    for (size_t i = 0; i < (size_t)MANY * STRATA_RATE_BLOCK; i++) flat[i] = uniform(&seed);
    for (uint32_t i = 0; i < MANY; i++) owner[i] = i % ROWS;
    check(strata_device_write(r->device, r->u.weights, flat));
    check(strata_device_write(r->device, r->u.grads, flat));
    check(strata_device_write(r->device, r->u.owner, owner));
    check(strata_device_write(r->device, r->u.rates, r->rate));
    check(strata_device_write(r->device, r->u.loss, r->loss));
    check(strata_device_write(r->device, r->u.state, &r->state));
    strata_stream *s = record(r, 0);
    check(strata_stream_run(s));
    strata_stream_close(s);
    check(strata_device_read(r->device, flat, r->u.weights));
    check(strata_device_read(r->device, &r->state, r->u.state));
    *norm = r->state.grad_norm;
    close_rig(r);
}

static void slices_change_no_bit(void **state)
{
    (void)state;
    static rig r;
    const size_t bytes = (size_t)MANY * STRATA_RATE_BLOCK * 4;
    float *whole = malloc(bytes), *sliced = malloc(bytes), norm = 0, sliced_norm = 0;
    uint32_t *owner = malloc(4 * MANY);
    assert_non_null(whole);
    assert_non_null(sliced);
    assert_non_null(owner);
    run_many(&r, whole, owner, NULL, &norm);
    run_many(&r, sliced, owner, "range=262144", &sliced_norm);
    assert_int_equal(memcmp(whole, sliced, bytes), 0);
    assert_memory_equal(&norm, &sliced_norm, 4);
    double sum = 0;
    uint32_t seed = 3;
    for (size_t i = 0; i < (size_t)MANY * STRATA_RATE_BLOCK; i++) {
        float g = uniform(&seed);
        if (owner[i / STRATA_RATE_BLOCK] != IDLE) sum += (double)g * (double)g;
    }
    assert_true(fabs((double)norm - sqrt(sum)) <= 1e-6 * sqrt(sum));
    free(whole);
    free(sliced);
    free(owner);
}

#define on_each(f, setup) cmocka_unit_test_setup_teardown(f, setup, after_each)
#define all_on(setup)                                                                                        \
    on_each(sgd_plain, setup), on_each(sgd_momentum, setup), on_each(sgd_nesterov, setup),                   \
        on_each(adam_l2, setup), on_each(adam_decoupled, setup),                                             \
        on_each(a_row_moves_its_tensor_alone, setup), on_each(an_idle_row_stays_bit_equal, setup),           \
        on_each(padding_stays_zero, setup), on_each(not_finite_skips, setup)

int main(void)
{
    const struct CMUnitTest cpu[] = { all_on(on_cpu) };
    const struct CMUnitTest gpu[] = { all_on(on_gpu), cmocka_unit_test(slices_change_no_bit) };
    strata_device *d = NULL;
    int failed = cmocka_run_group_tests(cpu, NULL, NULL);
    if (strata_device_open(&d, &(strata_device_config) { 0 }) == STRATA_NO_DEVICE)
        return failed ? failed : 77;
    strata_device_close(d);
    return failed + cmocka_run_group_tests(gpu, NULL, NULL);
}

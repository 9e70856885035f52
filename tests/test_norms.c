/* Batch norm and the losses against numbers of PyTorch 1.13 in float64, and what they promise beside their
 * values: rows that do not count have no gradient, statistics keep their digits, running ones move once and
 * only in training. On the CPU reference and on the Vulkan device. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/bench.h"
#include "ok.h"

/* ---- One node on one device ------------------------------------------------------------------------------
 */

typedef struct rig {
    strata_device *device;
    pattern pattern;
    bench bench;
    char *image;
    bench_result result;
} rig;

static void open_rig(rig *r, const char *device, const strata_row *row, const char *sizes)
{
    bool skip_case;
    *r = (rig) { 0 };
    OK(strata_device_open(&r->device, &(strata_device_config) { .name = device, .validate = true }));
    OK(pattern_read(&r->pattern, row, sizes));
    OK(bench_open(&r->bench, r->device, &r->pattern, row, &skip_case));
    assert_false(skip_case);
    r->image = malloc(r->bench.block.bytes);
    r->result.forward = malloc(r->bench.block.bytes);
    r->result.backward = malloc(r->bench.block.bytes);
    assert_true(r->image && r->result.forward && r->result.backward);
    bench_fill(&r->bench, r->image, 1, false);
}

static void close_rig(rig *r)
{
    const char *first = "";
    if (strata_device_complaints(r->device, &first) != 0) fail_msg("validation: %s", first);
    free(r->image);
    free(r->result.forward);
    free(r->result.backward);
    bench_close(&r->bench);
    strata_device_close(r->device);
}

static const piece *find(const rig *r, const char *name)
{
    for (uint32_t i = 0; i < r->bench.n_pieces; i++)
        if (strcmp(r->bench.piece[i].name, name) == 0) return &r->bench.piece[i];
    fail_msg("no piece named %s", name);
    return NULL;
}

static void put(rig *r, const char *name, const float *values)
{
    const piece *p = find(r, name);
    for (uint64_t i = 0; i < bench_count(p); i++) bench_put(p, r->image, i, values[i]);
}

static void put_labels(rig *r, const int32_t *label)
{
    memcpy(r->image + find(r, "label")->offset, label, find(r, "label")->bytes);
}

static void run(rig *r, const bench_way *way)
{
    OK(bench_run(&r->bench, &r->result, way, r->image));
    assert_string_equal(r->result.why, "");
}

static void expect(const rig *r, const char *name, const double *want, double bound)
{
    const piece *p = find(r, name);
    const bool gradient = p->kind == PIECE_IN_GRAD || p->kind == PIECE_PARAM_GRAD;
    float got[64];
    assert_true(bench_count(p) <= 64);
    bench_values(p, gradient ? r->result.backward : r->result.forward, got);
    for (uint64_t i = 0; i < bench_count(p); i++)
        if (!(fabs((double)got[i] - want[i]) <= bound * (1 + fabs(want[i]))))
            fail_msg("%s[%u]: got %.9g, want %.9g", name, (unsigned)i, (double)got[i], want[i]);
}

/* Every device, and every variant of an op there. */
typedef void body(rig *r, const char *variant, const void *what);

static void on_each(const strata_row *row, const char *sizes, body *check, const void *what)
{
    static const char *const devices[] = { "cpu", "auto" };
    const strata_op *op = strata_op_find(row->op);
    for (int d = 0; d < 2; d++)
        for (uint32_t v = 0; v == 0 || (op->variants && op->variants[v]); v++) {
            rig r;
            open_rig(&r, devices[d], row, sizes);
            check(&r, op->variants ? op->variants[v] : NULL, what);
            close_rig(&r);
        }
}

/* ---- Losses
 * ------------------------------------------------------------------------------------------------ */

static const float logits[] = { 2, -1, 0.5F, 0, 3, -2, -1.5F, 0.25F, 1 }, upstream[] = { 1, -0.5F, 2 };
static const int32_t labels[] = { 2, 0, 1 };
static const float class_weights[] = { 0.5F, 2, 1.25F };
static const float targets[] = { 1, 0, 0.3F, 0, 0, 1, 0.5F, 1, 0 };

typedef struct loss_case {
    const char *op, *inputs, *options;
    double loss[3], gradient[9];
} loss_case;

/* torch.nn.functional.cross_entropy and binary_cross_entropy_with_logits, reduction="none". */
static const loss_case loss_cases[] = {
    { "softmax_loss",
      "x:N,K label:N<K",
      "",
      { 1.7413113, 3.05498524, 1.19112278 },
      { 0.785597035, 0.0391125733, -0.824709608, 0.476438292, -0.473249561, -0.00318873046, 0.105612811,
        -1.39224024, 1.28662743 } },
    { "softmax_loss",
      "x:N,K label:N<K weight:K",
      "",
      { 2.17663912, 1.52749262, 2.38224557 },
      { 0.981996293, 0.0488907166, -1.03088701, 0.238219146, -0.236624781, -0.00159436523, 0.211225621,
        -2.78448048, 2.57325485 } },
    { "softmax_loss",
      "x:N,K label:N<K",
      "smoothing=0.2",
      { 1.7413113, 2.98831857, 1.25778945 },
      { 0.718930368, -0.0275540934, -0.691376275, 0.409771625, -0.439916228, 0.0301446029, -0.0277205228,
        -1.12557357, 1.15329409 } },
    { "softmax_loss",
      "x:N,K label:N<K weight:K",
      "smoothing=0.2",
      { 2.32663912, 1.75240707, 2.19941048 },
      { 0.94866296, -0.0844426167, -0.864220343, 0.201351556, -0.240945548, 0.0395939919, 0.128717033,
        -2.34231111, 2.21359407 } },
    { "bce_loss",
      "x:N,K t:N,K",
      "",
      { 0.421422228, 1.95622085, 0.946871462 },
      { -0.0397343073, 0.0896471405, 0.107486444, -0.0833333333, -0.158762354, 0.146799513, -0.211716317,
        -0.291882333, 0.487372386 } },
};

static void check_loss(rig *r, const char *variant, const void *what)
{
    const loss_case *c = what;
    put(r, "x", logits);
    put(r, "dout", upstream);
    if (strcmp(c->op, "bce_loss") == 0)
        put(r, "t", targets);
    else
        put_labels(r, labels);
    if (strstr(c->inputs, "weight")) put(r, "weight", class_weights);
    run(r, &(bench_way) { .name = "", .variant = variant });
    expect(r, "out", c->loss, 1e-6);
    expect(r, "dx", c->gradient, 1e-6);
}

static void losses_are_pytorchs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof loss_cases / sizeof *loss_cases; i++) {
        const loss_case *c = &loss_cases[i];
        const strata_row row = {
            .op = c->op, .inputs = c->inputs, .options = c->options, .differentiable = "x", .range = 1
        };
        on_each(&row, "N=3 K=3", check_loss, c);
    }
}

static void check_unweighted(rig *r, const char *variant, const void *what)
{
    (void)what;
    const piece *x = find(r, "x"), *dout = find(r, "dout");
    const bool softmax = strcmp(r->bench.node->op->name, "softmax_loss") == 0;
    for (uint64_t i = 0; i < 7; i++) bench_put(x, r->image, i, NAN); /* row 0 */
    bench_put(dout, r->image, 0, 0);
    if (softmax) put_labels(r, (const int32_t[]) { 3, -1, 2, 7 }); /* 7 is no class */
    run(r, &(bench_way) { .name = "", .variant = variant });
    float dx[28], out[4];
    bench_values(find(r, "dx"), r->result.backward, dx);
    bench_values(find(r, "out"), r->result.forward, out);
    for (int i = 0; i < 28; i++) {
        const bool counts = i / 7 == 2 || (!softmax && i >= 7);
        if ((dx[i] != 0) != counts || isnan(dx[i])) fail_msg("dx[%d] is %.9g", i, (double)dx[i]);
    }
    if (softmax) assert_true(out[1] == 0 && out[2] != 0 && out[3] == 0);
}

static void rows_that_do_not_count_have_no_gradient(void **state)
{
    (void)state;
    on_each(&(strata_row) { .op = "softmax_loss",
                            .inputs = "x:N,K label:N<K",
                            .options = "smoothing=0.1",
                            .differentiable = "x",
                            .range = 1 },
            "N=4 K=7", check_unweighted, NULL);
    on_each(
        &(strata_row) {
            .op = "bce_loss", .inputs = "x:N,K t:N,K", .options = "", .differentiable = "x", .range = 1 },
        "N=4 K=7", check_unweighted, NULL);
}

/* Large logits neither overflow nor cancel, and a small loss keeps its digits. */
static void check_extremes(rig *r, const char *variant, const void *what)
{
    (void)what;
    put(r, "x", (const float[]) { 30000, 29999, -30000, 8, -3, -2.5F });
    put_labels(r, (const int32_t[]) { 1, 0 });
    put(r, "dout", (const float[]) { 1, 1 });
    run(r, &(bench_way) { .name = "", .variant = variant });
    const double p = 1 / (1 + exp(-1)), rest = exp(-11) + exp(-10.5);
    expect(r, "out", (const double[]) { 1 + log1p(exp(-1)), log1p(rest) }, 1e-6);
    const double others[] = { exp(-11) / (1 + rest), exp(-10.5) / (1 + rest) };
    expect(r, "dx", (const double[]) { p, -p, 0, -others[0] - others[1], others[0], others[1] }, 1e-6);
    float out[2];
    bench_values(find(r, "out"), r->result.forward, out);
    assert_true(fabs((double)out[1] / log1p(rest) - 1) < 2e-3); /* 1 + rest is rounded to 2^-24 */
}

static void losses_are_stable(void **state)
{
    (void)state;
    on_each(&(strata_row) { .op = "softmax_loss",
                            .inputs = "x:N,K label:N<K",
                            .options = "",
                            .differentiable = "x",
                            .range = 1 },
            "N=2 K=3", check_extremes, NULL);
}

/* ---- Batch norm ---------------------------------------------------------------------------------------- */

static const double moved_mean[] = { 0.574, 1.463, 2.049 };
static const double moved_var[] = { 3.15506286, 3.99011429, 4.69011429 };

/* torch.nn.BatchNorm2d(3, eps=1e-3, momentum=0.3) in training, then in evaluation. */
static void put_norm(rig *r)
{
    float x[24], dout[24];
    for (int i = 0; i < 24; i++) {
        x[i] = (float)((i * 7919 + 13) % 101) / 25 - 2;
        dout[i] = (float)((i * 31 + 5) % 17) / 8 - 1;
    }
    put(r, "x", x);
    put(r, "dout", dout);
    put(r, "weight", (const float[]) { 1.5F, -0.5F, 2 });
    put(r, "bias", (const float[]) { 0.1F, 0.2F, -0.3F });
}

#define NORM_ROW(more)                                                                                       \
    {                                                                                                        \
        .op = "batch_norm", .inputs = "x:N,H,W,C", .options = "eps=0.001 momentum=0.3" more,                 \
        .differentiable = "x", .range = 1                                                                    \
    }
static const strata_row norm_row = NORM_ROW("");

static const double norm_out[] = { -1.46167811,  0.220902396,  2.99421766,   -0.165190622, -0.146979779,
                                   -2.28990813,  1.13129686,   -0.514861954, -0.818379428, 2.42778435,
                                   0.806169493,  0.653149271,  -2.22778435,  0.438287318,  2.12467797,
                                   -0.931296863, 0.0704051429, -3.15944781,  0.365190622,  -0.297477032,
                                   -1.68791911,  1.66167811,   1.02355441,   -0.216390415 };

typedef struct norm_case {
    strata_row row;
    bool relu;
    double dx[24], dweight[3], dbias[3];
} norm_case;

/* A relu at its end masks the gradient before it is summed: the second is by the formula, in float64 as well,
 * and 12 outputs are 0; with the gain in the place of the bias they would be others. */
static const norm_case norm_cases[] = {
    { NORM_ROW(""),
      false,
      { -0.162858975, 0.240636006,  0.422241556, 1.06340675,  -0.158967984,  -0.124552273,
        -0.84105015,  0.329779868,  1.17602829,  0.385215572, -0.154498554,  -1.07679853,
        -0.385215572, 0.334249299,  0.223782034, 0.84105015,  -0.0653546918, -0.323011795,
        -1.06340675,  -0.464958682, 0.977568764, 0.162858975, -0.0608852612, -1.27525805 },
      { 1.55185623, 0.479709995, 2.41631701 },
      { -0.5, -1.375, 2 } },
    { NORM_ROW(" relu=true"),
      true,
      { 0.199420975,  0.220859641,   0.51955719,   0.110307778, -0.0710579204, 0.193330724,
        -0.715446014, -0.0494395372, -0.181495043, 0.668721965, -0.179325168,  -0.974368789,
        0.252078771,  0.312597121,   0.322997208,  0.162965574, -0.0838324174, 0.41481867,
        -1.03110851,  -0.0622140342, 0.0399929033, 0.353059465, -0.0875876851, -0.334832864 },
      { 0.559846947, 0.562274441, 2.43721935 },
      { -0.5, -1.75, 1.5 } },
};

static void check_norm_training(rig *r, const char *variant, const void *what)
{
    const norm_case *c = what;
    double out[24];
    for (int i = 0; i < 24; i++) out[i] = c->relu ? fmax(norm_out[i], 0) : norm_out[i];
    put_norm(r);
    put(r, "running_mean", (const float[]) { 1, 2, 3 });
    put(r, "running_var", (const float[]) { 4, 5, 6 });
    run(r, &(bench_way) { .name = "", .variant = variant });
    expect(r, "out", out, 1e-6);
    expect(r, "dx", c->dx, 1e-6);
    expect(r, "dweight", c->dweight, 2e-6);
    expect(r, "dbias", c->dbias, 1e-6);
    expect(r, "running_mean", moved_mean, 1e-6);
    expect(r, "running_var", moved_var, 1e-6);
}

static void check_norm_frozen(rig *r, const char *variant, const void *what)
{
    (void)variant;
    const bench_way *way = what;
    float mean[3], var[3];
    for (int c = 0; c < 3; c++) {
        mean[c] = (float)moved_mean[c];
        var[c] = (float)moved_var[c];
    }
    put_norm(r);
    put(r, "running_mean", mean);
    put(r, "running_var", var);
    run(r, way);
    expect(r, "out", (const double[]) { -1.63427864, 0.526112419,  -0.529927722, -0.891257609, 0.305867654,
                                        -3.44788596, -0.148236573, 0.0856228891, -2.63528999,  0.594784462,
                                        0.876501818, -1.82269403,  -2.07333653,  0.656257053,  -1.01009806,
                                        -1.33031549, 0.436012288,  -3.9280563,   -0.587294458, 0.215767523,
                                        -3.11546034, 0.155726578,  1.00664645,   -2.30286437 },
           1e-6);
    expect(r, "running_mean", moved_mean, 1e-6);
    expect(r, "running_var", moved_var, 1e-6);
    if (way->mode == STRATA_EVALUATE_MODE) return;
    expect(
        r, "dx",
        (const double[]) {
            -0.316628282, 0.187708607,  0.923404505, 0.527713804,   -0.0625695355, -0.115425563, -0.422171043,
            0.218993374,  0.807978942,  0.422171043, -0.0312847678, -0.230851126,  -0.527713804, 0.250278142,
            0.692553379,  0.316628282,  0,           -0.346276689,  -0.633256564,  -0.250278142, 0.577127816,
            0.211085521,  0.0312847678, -0.461702252 },
        1e-6);
    expect(r, "dweight", (const double[]) { 1.16913234, 1.14959008, -0.714715087 }, 2e-6);
    expect(r, "dbias", (const double[]) { -0.5, -1.375, 2 }, 1e-6);
}

static void batch_norm_is_pytorchs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof norm_cases / sizeof *norm_cases; i++)
        on_each(&norm_cases[i].row, "N=2 H=2 W=2 C=3", check_norm_training, &norm_cases[i]);
    on_each(&norm_row, "N=2 H=2 W=2 C=3", check_norm_frozen,
            &(bench_way) { .name = "evaluation", .mode = STRATA_EVALUATE_MODE });
    on_each(&norm_row, "N=2 H=2 W=2 C=3", check_norm_frozen,
            &(bench_way) { .name = "frozen", .frozen = true });
}

/* Mean 1000, std 1, the first pixel far away from the rest: E[x^2] - E[x]^2 in f32 has no digit left. */
static void check_far_mean(rig *r, const char *variant, const void *what)
{
    (void)variant;
    (void)what;
    const piece *x = find(r, "x");
    const uint64_t n = bench_count(x);
    double sum = 0, m2 = 0;
    for (uint64_t i = 0; i < n; i++) {
        const float v = i == 0 ? 900 : 1000 + (float)((i * 7919) % 1009) / 291;
        bench_put(x, r->image, i, v);
        sum += (double)v;
    }
    float *v = malloc(2 * n * sizeof *v), moved[2];
    assert_non_null(v);
    bench_values(x, r->image, v);
    for (uint64_t i = 0; i < n; i++)
        m2 += ((double)v[i] - sum / (double)n) * ((double)v[i] - sum / (double)n);
    put(r, "running_mean", (const float[]) { 0 });
    put(r, "running_var", (const float[]) { 0 });
    run(r, &(bench_way) { .name = "" });
    bench_values(find(r, "running_mean"), r->result.forward, moved);
    bench_values(find(r, "running_var"), r->result.forward, moved + 1);
    assert_true(fabs((double)moved[0] - 0.3 * sum / (double)n) < 1e-4);
    assert_true(fabs((double)moved[1] / (0.3 * m2 / (double)(n - 1)) - 1) < 1e-5);
    free(v);
}

static void statistics_keep_their_digits(void **state)
{
    (void)state;
    on_each(&norm_row, "N=9 H=31 W=29 C=1", check_far_mean, NULL);
}

static void check_one_value(rig *r, const char *variant, const void *what)
{
    (void)variant;
    (void)what;
    assert_int_equal(bench_run(&r->bench, &r->result, &(bench_way) { .name = "" }, r->image),
                     STRATA_BAD_SHAPE);
    assert_non_null(strstr(strata_message(), "more than one value per channel"));
    run(r, &(bench_way) { .name = "evaluation", .mode = STRATA_EVALUATE_MODE });
    run(r, &(bench_way) { .name = "frozen", .frozen = true });
}

static void one_value_has_no_statistics(void **state)
{
    (void)state;
    on_each(&norm_row, "N=1 H=1 W=1 C=5", check_one_value, NULL);
}

int main(void)
{
    strata_device *d = NULL;
    if (strata_device_open(&d, &(strata_device_config) { 0 }) == STRATA_NO_DEVICE) return 77;
    strata_device_close(d);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_pytorchs),
        cmocka_unit_test(rows_that_do_not_count_have_no_gradient),
        cmocka_unit_test(losses_are_stable),
        cmocka_unit_test(batch_norm_is_pytorchs),
        cmocka_unit_test(statistics_keep_their_digits),
        cmocka_unit_test(one_value_has_no_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

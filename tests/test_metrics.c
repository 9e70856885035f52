/* Measures by class, against counts and sums done by hand, and against table J of learning-rates.json. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/thread.h"
#include "train/grades.h"
#include "train/metrics.h"

enum { A, B, C, D, CLASSES, MOST = 90 };

/* One rounding of a product, a quotient and two sums. */
static void near_to(double got, double want)
{
    if (!(fabs(got - want) <= 4 * 0x1p-52)) fail_msg("got %.17g, want %.17g", got, want);
}

/* ---- One class each ------------------------------------------------------------------------------- */

/* A: 3 images, 2 right. B: 2 images, 1 right, 1 wrongly A. C: 1 image, of which nothing is said; never
 * predicted. D: neither. */
static const int32_t label[] = { A, A, A, B, B, C };
static const uint32_t predicted[] = { A, A, B, B, A, METRICS_NONE };

static void counts(void **state)
{
    (void)state;
    metrics_count c[CLASSES];
    metrics_count_labels(c, CLASSES, label, predicted, 6);
    assert_memory_equal(c, (&(metrics_count[]) { { 3, 3, 2 }, { 2, 2, 1 }, { 1, 0, 0 }, { 0, 0, 0 } }),
                        sizeof c);
    near_to(metrics_precision(&c[A]), 2.0 / 3);
    near_to(metrics_recall(&c[B]), 0.5);
    assert_true(metrics_precision(&c[C]) == 0 && metrics_recall(&c[C]) == 0 && metrics_f_beta(&c[C], 1) == 0);
    assert_true(isnan(metrics_precision(&c[D])) && isnan(metrics_recall(&c[D])) &&
                isnan(metrics_f_beta(&c[D], 2)));
    const metrics_average macro = metrics_macro(c, CLASSES, 1), micro = metrics_micro(c, CLASSES, 1);
    near_to(macro.precision, (2.0 / 3 + 0.5 + 0) / 3);
    near_to(macro.recall, (2.0 / 3 + 0.5 + 0) / 3);
    near_to(macro.f_beta, (2.0 / 3 + 0.5 + 0) / 3);
    near_to(micro.precision, 3.0 / 5);
    near_to(micro.recall, 3.0 / 6);
    near_to(micro.f_beta, 6.0 / 11);
}

/* Precision 1/4, recall 1/2: F1 is 1/3; F2, nearer to the recall, 5/12; F(1/2), nearer to precision, 5/18. */
static void betas(void **state)
{
    (void)state;
    const metrics_count c = { .labelled = 2, .predicted = 4, .right = 1 };
    near_to(metrics_f_beta(&c, 1), 1.0 / 3);
    near_to(metrics_f_beta(&c, 2), 5.0 / 12);
    near_to(metrics_f_beta(&c, 0.5), 5.0 / 18);
    const metrics_count two[] = { { 1, 3, 1 }, { 1, 1, 0 } }; /* together those */
    near_to(metrics_micro(two, 2, 2).f_beta, 5.0 / 12);
}

static void nothing(void **state)
{
    (void)state;
    metrics_count c[CLASSES];
    metrics_count_labels(c, CLASSES, NULL, NULL, 0);
    assert_true(isnan(metrics_macro(c, CLASSES, 1).f_beta) && isnan(metrics_micro(c, CLASSES, 1).precision));
    assert_true(isnan(metrics_samples_f_beta(NULL, NULL, 0, CLASSES, 0.2, 2)));
    assert_true(isnan(metrics_average_precision(NULL, 0)));
    assert_true(isnan(metrics_mean((const double[]) { NAN, NAN }, 2)));
    near_to(metrics_mean((const double[]) { 0.25, NAN, 0.5 }, 3), 0.375);
}

/* ---- Sets of classes -------------------------------------------------------------------------------- */

static void table_j(void **state)
{
    (void)state;
    static const float logit[] = { 2, -1, -3, -2, .5f, -.2f };
    static const uint8_t target[] = { 1, 0, 0, 0, 1, 1 };
    static const char title[] = "J v1 fbeta, sample-averaged, logits [[2,-1,-3],[-2,.5,-.2]], "
                                "targets [[1,0,0],[0,1,1]]";
    json_t *all = json_load_file(SOURCE_DIR "/tests/golden/learning-rates.json", 0, NULL);
    json_t *rows = json_object_get(json_object_get(all, title), "rows");
    assert_int_equal(json_array_size(rows), 3);
    for (size_t i = 0; i < 3; i++) {
        const char *way = json_string_value(json_array_get(json_array_get(rows, i), 0)),
                   *value = json_string_value(json_array_get(json_array_get(rows, i), 1));
        char *end;
        const double threshold = strtod(way, &end), beta = strtod(end + 1, NULL), want = strtod(value, NULL);
        const double got = metrics_samples_f_beta(logit, target, 2, 3, threshold, beta);
        if (!(fabs(got - want) <= 1e-12 * want)) fail_msg("%s: got %.17g, want %s", way, got, value);
    }
    json_decref(all);
}

/* At 0.2 the predictions are {0, 1}, {1, 2} and {}: the last image has one label and none is said. */
static void sets(void **state)
{
    (void)state;
    static const float logit[] = { 2, -1, -3, -2, .5f, -.2f, -4, NAN, -INFINITY };
    static const uint8_t target[] = { 1, 0, 0, 0, 1, 1, 0, 1, 0 };
    metrics_count c[3];
    metrics_count_sets(c, 3, logit, target, 3, 0.2);
    assert_memory_equal(c, (&(metrics_count[]) { { 1, 1, 1 }, { 2, 2, 1 }, { 1, 1, 1 } }), sizeof c);
    const double two = metrics_samples_f_beta(logit, target, 2, 3, 0.2, 2);
    near_to(metrics_samples_f_beta(logit, target, 3, 3, 0.2, 2), two * 2 / 3);
    static const uint8_t none[3] = { 0, 0, 0 };
    assert_true(metrics_samples_f_beta(logit + 6, none, 1, 3, 0.2, 2) == 0);
    near_to(metrics_macro(c, 3, 2).recall, 2.5 / 3);
    near_to(metrics_micro(c, 3, 2).f_beta, 3.0 / 4);
    const float edge = 0; /* its sigmoid is 0.5, which is not above 0.5 */
    metrics_count_sets(c, 1, &edge, target, 1, 0.5);
    assert_int_equal(c[0].predicted, 0);
}

/* ---- Average precision ------------------------------------------------------------------------------ */

static void precisions(void **state)
{
    (void)state;
    /* In order of score: + - + -, so (1 + 2/3) / 2. */
    metrics_item item[] = { { .2f, true }, { .9f, true }, { .1f, false }, { .5f, false } };
    near_to(metrics_average_precision(item, 4), (1 + 2.0 / 3) / 2);
    /* One level of four, then a positive: 2/4 for two of the three positives, 3/5 for the last. */
    metrics_item tied[] = { { 1, true }, { 1, false }, { 0, true }, { 1, false }, { 1, true } };
    near_to(metrics_average_precision(tied, 5), (2 * 0.5 + 0.6) / 3);
    metrics_item other[] = { { 1, false }, { 1, true }, { 1, false }, { 1, true }, { 0, true } };
    near_to(metrics_average_precision(other, 5), (2 * 0.5 + 0.6) / 3);
    metrics_item negative[] = { { 1, false }, { 2, false } };
    assert_true(isnan(metrics_average_precision(negative, 2)));
    /* NaNs are one level below everything: 1 for the first positive, 2/3 for the second. */
    metrics_item undefined[] = { { NAN, true }, { -INFINITY, true }, { NAN, false } };
    near_to(metrics_average_precision(undefined, 3), (1 + 2.0 / 3) / 2);
}

static int falling(const void *a, const void *b)
{
    const float x = ((const metrics_item *)a)->score, y = ((const metrics_item *)b)->score;
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x < y) - (x > y);
}

/* By the definition: all are sorted, and each level adds what it has. */
static double by_definition(metrics_item *item, uint32_t n)
{
    double sum = 0, right = 0, before = 0;
    qsort(item, n, sizeof *item, falling);
    for (uint32_t i = 0; i < n; i++) {
        right += item[i].positive;
        if (i + 1 < n && falling(&item[i], &item[i + 1]) == 0) continue;
        sum += (right - before) * right / (i + 1);
        before = right;
    }
    return right > 0 ? sum / right : NAN;
}

/* The same bits for few and for many positives, for ties, zeros of both signs, and what is no number. */
static void precisions_are_those_of_the_definition(void **state)
{
    (void)state;
    static const float odd[] = { NAN, INFINITY, -INFINITY, 0, -0.0F };
    metrics_item item[MOST], again[MOST];
    srand(11);
    for (int round = 0; round < 3000; round++) {
        const uint32_t n = 1 + (uint32_t)(rand() % MOST), levels = 1 + (uint32_t)(rand() % 40);
        const int rare = 1 + rand() % 20;
        for (uint32_t i = 0; i < n; i++) {
            const float score = rand() % 8 ? (float)((uint32_t)rand() % levels) - 10 : odd[rand() % 5];
            item[i] = again[i] = (metrics_item) { score, rand() % rare == 0 };
        }
        const double want = by_definition(item, n), got = metrics_average_precision(again, n);
        if (!(want == got || (isnan(want) && isnan(got))))
            fail_msg("round %d: %.17g of %u, wanted %.17g", round, got, (unsigned)n, want);
    }
}

/* Classes and images are split over threads: how many there are is in no bit. */
static void threads_change_nothing(void **state)
{
    (void)state;
    enum { K = 1100, N = 130 };
    static float logits[2][N * K];
    static int32_t labels[N];
    static const char *names[K];
    strata_score score[2];
    for (int k = 0; k < K; k++) names[k] = "some";
    for (int i = 0; i < N; i++) labels[i] = i * 7 % K;
    for (int i = 0; i < N * K; i++) logits[0][i] = (float)(i * 7919 % 1009) / 64;
    memcpy(logits[1], logits[0], sizeof logits[0]);
    const strata_image_set set = { .n = N, .classes = K, .labels = labels, .class_names = names };
    const grade_rule rule = { false, 0.5, 1 };
    for (uint32_t i = 0; i < 2; i++) {
        strata_threads_set(i ? 5 : 1);
        score[i] = (strata_score) { .images = N };
        assert_int_equal(grades_take(&score[i], logits[i], &set, &rule), STRATA_OK);
    }
    strata_threads_set(0);
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    for (int i = 0; i < N; i++) { /* of every image logarithms of shares have taken their place */
        double sum = 0;
        for (int k = 0; k < K; k++) sum += exp((double)logits[0][i * K + k]);
        assert_true(fabs(sum - 1) < 1e-4);
    }
    for (int k = 0; k < K; k++) {
        const double a = score[0].of_class[k].average_precision, b = score[1].of_class[k].average_precision;
        assert_memory_equal(&a, &b, sizeof a);
    }
    assert_true(score[0].mean_average_precision > 0 &&
                score[0].mean_average_precision == score[1].mean_average_precision);
    strata_score_free(&score[0]), strata_score_free(&score[1]);
}

/* ---- From logits ------------------------------------------------------------------------------------ */

static const char *const names[] = { "a", "b" };

/* A network that diverges gives logits whose exponentials no double holds: their shares are in order all the
 * same. a's are 0.9, 0.6 and 0.4; by logits the last would be first. */
static void large_logits_have_shares(void **state)
{
    (void)state;
    static const int32_t labels[] = { 0, 1, 0 };
    float logits[] = { -5000 + 2.1972246F, -5000, 0.4054651F, 0, 5000 - 0.4054651F, 5000 };
    const strata_image_set set = { .n = 3, .classes = 2, .labels = labels, .class_names = names };
    strata_score s = { .images = 3 };
    assert_int_equal(grades_take(&s, logits, &set, &(grade_rule) { false, 0.5, 1 }), STRATA_OK);
    for (int i = 0; i < 3; i++)
        assert_true(fabs(exp((double)logits[2 * i]) - (i == 0 ? 0.9 : i == 1 ? 0.6 : 0.4)) < 1e-4);
    near_to(s.of_class[0].average_precision, (1 + 2.0 / 3) / 2);
    near_to(s.of_class[1].average_precision, 0.5);
    strata_score_free(&s);
}

/* Of images of a, b, b are predicted a and b, a and b, a: of one label an image the sigmoid makes sets, too.
 * F2 of a is 5 / (4 + 3), of b 5 / (8 + 2), of both together 10 / (12 + 5); of the images 5/6, 5/6 and 0. */
static void betas_and_sets_of_one_label(void **state)
{
    (void)state;
    static const int32_t labels[] = { 0, 1, 1 };
    float logits[] = { 3, 1, 1, 3, 2, -2 };
    const strata_image_set set = { .n = 3, .classes = 2, .labels = labels, .class_names = names };
    strata_score s = { .images = 3, .loss = 1, .top1 = 0.25, .top5 = 0.75 };
    assert_int_equal(grades_take(&s, logits, &set, &(grade_rule) { true, 0.5, 2 }), STRATA_OK);
    near_to(s.of_class[0].f_beta, 5.0 / 7);
    near_to(s.of_class[1].f_beta, 5.0 * 1 / (4 * 2 + 2));
    near_to(s.macro.f_beta, (5.0 / 7 + 0.5) / 2);
    near_to(s.micro.f_beta, 10.0 / (4 * 3 + 5));
    assert_true(fabs(s.samples_f_beta - (5.0 / 6 + 5.0 / 6) / 3) < 1e-8); /* of its eps */
    static const struct {
        const char *best;
        double figure;
    } figures[] = { { "loss", 1 }, { "top1", -0.25 }, { "top5", -0.75 } };
    for (size_t i = 0; i < 3; i++) assert_true(grade_figure(&s, figures[i].best) == figures[i].figure);
    assert_true(grade_figure(&s, "f-samples") == -s.samples_f_beta);
    strata_score_free(&s);
}

/* ---- Confusion -------------------------------------------------------------------------------------- */

static void confusion(void **state)
{
    (void)state;
    static const char *const name[] = { "cat, \"small\"", "dog", "two\nlines", "\xc3\xa9" };
    strata_text text = { 0 };
    metrics_confusion_csv(&text, name, CLASSES, label, predicted, 6);
    assert_false(text.failed);
    assert_string_equal(text.s, "label,\"cat, \"\"small\"\"\",dog,\"two\nlines\",\xc3\xa9\n"
                                "\"cat, \"\"small\"\"\",2,1,0,0\n"
                                "dog,1,1,0,0\n"
                                "\"two\nlines\",0,0,0,0\n"
                                "\xc3\xa9,0,0,0,0\n");
    strata_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts),
        cmocka_unit_test(betas),
        cmocka_unit_test(nothing),
        cmocka_unit_test(table_j),
        cmocka_unit_test(sets),
        cmocka_unit_test(precisions),
        cmocka_unit_test(confusion),
        cmocka_unit_test(precisions_are_those_of_the_definition),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(large_logits_have_shares),
        cmocka_unit_test(betas_and_sets_of_one_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

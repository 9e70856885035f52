/* Images of any number of classes, from stored sets through the loss to scores: against sums done here. */
#include <math.h>

#include "rig.h"
#include "train/dataset.h"
#include "train/feed.h"
#include "train/recipe.h"
#include "train/score.h"

enum { SIDE = 8, K = 5, LANES = 8, IMAGES = 64, MEMBERS = 40, BATCH = 16, STEPS = 80 };

/* Image i has the classes of the bits of i; class k is a bright column. */
typedef struct columns {
    uint8_t pixels[IMAGES * SIDE * SIDE], targets[IMAGES * K];
    strata_data data;
} columns;

static const char *const names[K] = { "a", "b", "c", "d", "e" };

static void make(columns *c)
{
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < IMAGES; i++)
        for (size_t k = 0; k < K; k++) {
            c->targets[i * K + k] = (i >> k & 1) != 0;
            for (size_t y = 0; y < SIDE; y++)
                c->pixels[i * SIDE * SIDE + y * SIDE + k] = (uint8_t)((i >> k & 1) * 200 +
                                                                      (i * 13 + y * 7) % 50);
        }
    c->data = (strata_data) { .name = "columns", .scale = 255, .mean = { .3f }, .std = { .4f, 1, 1, 1 } };
    c->data.train = c->data.valid = (strata_image_set) { .n = IMAGES,
                                                         .h = SIDE,
                                                         .w = SIDE,
                                                         .c = 1,
                                                         .classes = K,
                                                         .pixels = c->pixels,
                                                         .targets = c->targets,
                                                         .class_names = names };
}

static strata_recipe *recipe_of(const char *loss)
{
    strata_recipe *r;
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, "model", "small-cnn"));
    OK(strata_recipe_set(r, "batch", "16"));
    OK(strata_recipe_set(r, "augment", "none"));
    OK(strata_recipe_set(r, "loss", loss));
    return r;
}

static strata_device *device_of(void)
{
    const char *name = getenv("STRATA_TEST_DEVICE");
    return open_device(name && *name ? name : "auto", NULL);
}

/* ---- Rows ----------------------------------------------------------------------------------------- */

static void rows(void **state)
{
    (void)state;
    columns c;
    static uint8_t pixels[4 * SIDE * SIDE];
    static float targets[4 * LANES];
    const uint32_t order[] = { 9, 31, 0 };
    make(&c);
    for (size_t i = 0; i < 4 * LANES; i++) targets[i] = NAN;
    const strata_batcher b = { .set = c.data.train, .batch = 4 };
    strata_batch_fill(&(strata_batch) { .pixels = pixels, .targets = targets }, &b, order, 0, 3);
    for (uint32_t row = 0; row < 4; row++)
        for (uint32_t k = 0; k < LANES; k++)
            assert_true(targets[row * LANES + k] == (float)(row < 3 && k < K && (order[row] >> k & 1)));
}

/* Image 0 has no class: it is never drawn. Classes are drawn alike, and every image of one. */
static void draws(void **state)
{
    (void)state;
    columns c;
    strata_classes classes;
    static uint32_t order[40000], drawn[IMAGES];
    double of_class[K] = { 0 };
    make(&c);
    OK(strata_classes_open(&classes, &c.data.train, NULL));
    assert_int_equal(classes.n, K);
    assert_int_equal(classes.begin[K], K * IMAGES / 2);
    strata_order_drawn(order, 40000, &classes, 1, 0);
    for (int i = 0; i < 40000; i++) drawn[order[i]]++;
    for (uint32_t i = 0; i < IMAGES; i++) {
        assert_true((drawn[i] > 0) == (i % 32 != 0));
        for (uint32_t k = 0; k < K; k++) of_class[k] += drawn[i] * (double)(i >> k & 1);
    }
    for (uint32_t k = 0; k < K; k++) assert_true(fabs(of_class[k] / of_class[0] - 1) < 0.03);
    strata_classes_close(&classes);
    /* By weights: an image's is the sum of its classes'. */
    static const float weight[K] = { 0, 3, 1, 1, 1 };
    double expected[IMAGES], all = 0;
    c.data.train.n = MEMBERS; /* so that classes are of different sizes */
    OK(strata_classes_open(&classes, &c.data.train, weight));
    strata_order_drawn(order, 40000, &classes, 1, 0);
    memset(drawn, 0, sizeof drawn);
    for (int i = 0; i < 40000; i++) drawn[order[i]]++;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        expected[i] = 0;
        for (uint32_t k = 0; k < K; k++) expected[i] += (double)weight[k] * (double)(i >> k & 1);
        all += expected[i];
    }
    for (uint32_t i = 0; i < MEMBERS; i++) /* five deviations of a count */
        assert_true(fabs(drawn[i] - 40000 * expected[i] / all) <= 5 * sqrt(40000 * expected[i] / all));
    strata_classes_close(&classes);
}

/* ---- The loss -------------------------------------------------------------------------------------- */

/* PyTorch's BCEWithLogitsLoss of a row. */
static double bce(const float *logit, const uint8_t *target)
{
    double sum = 0;
    for (int k = 0; k < K; k++) {
        const double x = (double)logit[k];
        sum += fmax(x, 0) - x * target[k] + log1p(exp(-fabs(x)));
    }
    return sum / K;
}

/* The weights and running statistics of one trainer, into another of the same network. */
static void copy_weights(strata_trainer *to, strata_trainer *from)
{
    const strata_plan *p = from->main.plan, *q = to->main.plan;
    const strata_slice here[] = { p->weights, p->running }, there[] = { q->weights, q->running };
    for (int i = 0; i < 2; i++) {
        if (!here[i].block) continue;
        char *bytes = malloc(here[i].bytes);
        assert_non_null(bytes);
        OK(strata_plan_read_range(from->main.plan, bytes, here[i]));
        OK(strata_plan_write_range(to->main.plan, there[i], bytes));
        free(bytes);
    }
}

/* From labels of the caller, from a feed, and as a score of a set: one loss, which falls. */
static void learns(void **state)
{
    (void)state;
    columns c;
    static float pixels[IMAGES * SIDE * SIDE], logits[IMAGES * K], losses[IMAGES];
    static int32_t labels[IMAGES * K];
    strata_device *d = device_of();
    strata_recipe *r = recipe_of("sigmoid");
    const strata_task task = { SIDE, SIDE, 1, K, STEPS, 0 };
    strata_trainer *t, *plain;
    train_feed feed;
    strata_augment augment;
    strata_score score;
    make(&c);
    OK(strata_data_images(&c.data, 1, 0, IMAGES, pixels, labels));
    for (size_t i = 0; i < IMAGES * K; i++) assert_int_equal(labels[i], c.targets[i]);
    OK(strata_trainer_open(&plain, d, r, &task));
    OK(score_augment(&augment, &c.data, plain->recipe));
    OK(trainer_open(&t, d, r, &task, &augment));
    OK(feed_open(&feed, &c.data, t->recipe, BATCH));
    for (uint32_t step = 0; step < STEPS; step++) {
        trainer_result result;
        bool got;
        if (step % 4 == 0) feed_epoch(&feed, step / 4);
        OK(feed_step(&feed, t, step / 4, step % 4 * BATCH, BATCH));
        OK(trainer_take(t, true, &result, &got));
    }
    copy_weights(plain, t);
    OK(strata_trainer_evaluate(plain, pixels, labels, IMAGES, logits, losses));
    double mean = 0;
    uint32_t wrong = 0, first = 0;
    for (uint32_t i = 0; i < IMAGES; i++) {
        const double want = bce(logits + i * K, c.targets + i * K);
        if (!(fabs((double)losses[i] - want) <= 1e-6 * (1 + want)))
            fail_msg("image %u: %g, wanted %g", i, (double)losses[i], want);
        mean += (double)losses[i] / IMAGES;
        uint32_t best = 0;
        for (uint32_t k = 0; k < K; k++) {
            wrong += (logits[i * K + k] > 0) != c.targets[i * K + k];
            if (logits[i * K + k] > logits[i * K + best]) best = k;
        }
        first += c.targets[i * K + best];
    }
    assert_true(mean < 0.1);
    assert_int_equal(wrong, 0);
    const strata_batcher valid = score_batcher(&c.data, true, t->recipe, BATCH);
    const grade_rule rule = grade_rule_of(t->recipe);
    OK(score_set(&score, &t->main, &valid, &rule));
    assert_true(fabs(score.loss - mean) < 1e-6);
    assert_true(score.top1 * IMAGES == first && first == IMAGES - 2); /* but for the two of no class */
    assert_true(score.sets && score.beta == 1 && score.threshold == 0.5 && !score.label);
    assert_true(score.macro.f_beta == 1 && score.micro.f_beta == 1 && score.mean_average_precision == 1);
    assert_true(fabs(score.samples_f_beta - first / (double)IMAGES) < 1e-8); /* no class: 0 */
    FAILS(strata_score_confusion(&score, "confusion.csv"), STRATA_BAD_ARG, "any number");
    strata_score_free(&score);
    strata_score_free(&score); /* zeroed now */
    strata_score_free(NULL);
    feed_close(&feed);
    strata_trainer_close(plain);
    strata_trainer_close(t);
    strata_recipe_close(r);
    close_device(d);
}

/* One label an image is a set of one for the sigmoid. */
static void one_label(void **state)
{
    (void)state;
    columns c;
    static uint8_t pixels[4 * SIDE * SIDE];
    static float targets[4 * LANES];
    static const int32_t label[4] = { 2, 0, 4, 1 };
    make(&c);
    c.data.train.targets = NULL;
    c.data.train.labels = label;
    c.data.train.n = 4;
    const strata_batcher b = { .set = c.data.train, .batch = 4 };
    strata_batch_fill(&(strata_batch) { .pixels = pixels, .targets = targets }, &b, NULL, 0, 4);
    for (uint32_t i = 0; i < 4 * LANES; i++)
        assert_true(targets[i] == (float)(i % LANES == (uint32_t)label[i / LANES]));
}

/* ---- Grades ---------------------------------------------------------------------------------------- */

/* Of images of a, a, b, b, c, c: a, b, b, b, none (a NaN), a. The logits of an image compare with those of
 * another as shares only: a's are 0.9 (by logits of 100 and more), 0.1, 0.4, 0.1, -, 0.6. */
static void of_one_label(void **state)
{
    (void)state;
    static const int32_t label[6] = { 0, 0, 1, 1, 2, 2 };
    float logits[6 * 3] = {
        100 + 2.890372f, 100, 100, 0,   2.772589f, 0,          3.2188758f, 3.5553481f, 2.1202635f, 0,
        2.772589f,       0,   0,   NAN, 0,         1.0986123f, 0,          0
    };
    const strata_image_set set = { .n = 6, .classes = 3, .labels = label, .class_names = names };
    strata_score s = { .images = 6, .loss = 2, .top1 = .5, .top5 = 1 };
    OK(grades_take(&s, logits, &set, &(grade_rule) { .threshold = .5, .beta = 1 }));
    static const uint32_t predicted[6] = { 0, 1, 1, 1, UINT32_MAX, 0 };
    assert_memory_equal(s.predicted, predicted, sizeof predicted);
    assert_true(s.of_class[0].right == 1 && s.of_class[1].right == 2 && s.of_class[2].predicted == 0);
    assert_true(fabs(s.of_class[0].f_beta - 0.5) < 1e-12 && fabs(s.of_class[1].recall - 1) < 1e-12);
    assert_true(fabs(s.of_class[1].precision - 2. / 3) < 1e-12 && s.of_class[2].f_beta == 0);
    assert_true(fabs(s.macro.f_beta - (0.5 + 0.8 + 0) / 3) < 1e-12);
    assert_true(fabs(s.micro.recall - 0.5) < 1e-12 && fabs(s.samples_f_beta - 0.5) < 1e-12);
    /* a in order: 0.9 a, 0.6 c, 0.4 b, and 0.1 twice, of an a and a b. */
    assert_true(fabs(s.of_class[0].average_precision - (1 + 2. / 5) / 2) < 1e-12);
    assert_true(grade_figure(&s, "loss") == 2 && grade_figure(&s, "top1") == -.5);
    assert_true(grade_figure(&s, "f-macro") == -s.macro.f_beta &&
                fabs(grade_figure(&s, "f-micro") + 6. / 11) < 1e-12);
    assert_true(grade_figure(&s, "map") == -s.mean_average_precision);
    assert_string_equal(s.of_class[1].name, "b");
    strata_score_free(&s);
}

/* ---- What is refused --------------------------------------------------------------------------------- */

static void refusals(void **state)
{
    (void)state;
    columns c;
    train_feed feed;
    strata_trainer *t;
    strata_device *d = open_device("cpu", NULL);
    strata_recipe *r = recipe_of("softmax");
    const strata_task task = { SIDE, SIDE, 1, K, STEPS, 0 };
    float pixels[SIDE * SIDE] = { 0 }, loss;
    make(&c);
    FAILS(recipe_loss(r, &c.data), STRATA_BAD_ARG, "columns has any number: take sigmoid");
    OK(strata_recipe_set(r, "loss", ""));
    OK(recipe_loss(r, &c.data));
    assert_string_equal(strata_recipe_get(r, "loss"), "sigmoid");
    OK(strata_recipe_set(r, "class-weights", "balanced"));
    FAILS(feed_open(&feed, &c.data, r, BATCH), STRATA_BAD_ARG, "--class-weights wants one label an image");
    feed_close(&feed);
    OK(strata_recipe_set(r, "label-smoothing", "0.1"));
    FAILS(strata_trainer_open(&t, d, r, &task), STRATA_BAD_ARG,
          "--label-smoothing 0.1 is of the loss softmax");
    OK(strata_recipe_set(r, "label-smoothing", ""));
    OK(strata_trainer_open(&t, d, r, &task));
    FAILS(strata_trainer_step(t, pixels, (const int32_t[K]) { 0, 1, 0, 2, 0 }, 1, &loss), STRATA_BAD_ARG,
          "of image 0 class 3 is 2, wanted 0 or 1");
    OK(strata_trainer_step(t, pixels, (const int32_t[K]) { 0, 1, 0, 1, 0 }, 1, &loss));
    strata_trainer_close(t);
    strata_recipe_close(r);
    close_device(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),      cmocka_unit_test(draws),        cmocka_unit_test(learns),
        cmocka_unit_test(one_label), cmocka_unit_test(of_one_label), cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

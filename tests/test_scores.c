/* What a score is of logits that are known: a linear layer without weights, whose biases are the logits of
 * every image. Ranks, ties, what is no number, and batches that do not divide the set. */
#include <math.h>

#include "core/file.h"
#include "rig.h"
#include "folder.h"
#include "train/score.h"

enum { K = 8, IMAGES = 12, D = 4, MANY = 1 << 17 };

static const char *const names[K] = { "a", "b", "c", "d", "e", "f", "g", "h" };

/* Two classes lead: the first of them is the likeliest. In order: 1, 2, 4, 5, 0, 3, 6, 7. */
static const float logits[K] = { 2, 5, 5, 1, 4, 3, 0, -1 };
static const int32_t labels[IMAGES] = { 1, 3, 2, 3, 0, 2, 1, 3, 2, 7, 3, 6 };

typedef struct scorer {
    strata_device *device;
    strata_recipe *recipe;
    strata_trainer *trainer;
    strata_batcher batcher;
} scorer;

static void set_logits(const scorer *s, const float *bias, uint32_t classes)
{
    static const float zero[K * D];
    const strata_graph *g = s->trainer->main.model->graph;
    assert_int_equal(strata_param_count(strata_graph_param(g, "fc.bias")), classes);
    OK(strata_plan_write_param(s->trainer->main.plan, strata_graph_param(g, "fc.weight"), zero));
    OK(strata_plan_write_param(s->trainer->main.plan, strata_graph_param(g, "fc.bias"), bias));
}

static void open_scorer(scorer *s, const strata_image_set *set, const char *const *keys)
{
    static const char yaml[] = "name: line\nimage: [2, 2, 1]\nclasses: 8\ngroups:\n  all:\n    all: [fc]\n"
                               "layers:\n  - {op: flatten}\n  - {op: linear, name: fc, out: $classes}\n";
    const char *name = getenv("STRATA_TEST_DEVICE");
    const strata_data data = {
        .name = "line", .train = *set, .valid = *set, .scale = 255, .std = { 1, 1, 1, 1 }
    };
    strata_augment augment;
    OK(strata_file_put("line.yaml", yaml, strlen(yaml)));
    s->device = open_device(name && *name ? name : "auto", NULL);
    OK(strata_recipe_open(&s->recipe));
    OK(strata_recipe_set(s->recipe, "model", "./line.yaml"));
    OK(strata_recipe_set(s->recipe, "augment", "none"));
    for (; *keys; keys += 2) OK(strata_recipe_set(s->recipe, keys[0], keys[1]));
    OK(score_augment(&augment, &data, s->recipe));
    OK(trainer_open(&s->trainer, s->device, s->recipe, &(strata_task) { 2, 2, 1, set->classes, 1, 1 },
                    &augment));
    s->batcher = score_batcher(&data, true, s->trainer->recipe, s->trainer->micro);
}

static void close_scorer(scorer *s)
{
    strata_trainer_close(s->trainer);
    strata_recipe_close(s->recipe);
    close_device(s->device);
}

static strata_score take(const scorer *s)
{
    strata_score score;
    const grade_rule rule = grade_rule_of(s->trainer->recipe);
    OK(score_set(&score, &s->trainer->main, &s->batcher, &rule));
    return score;
}

static strata_image_set set_of(const uint8_t *pixels, uint32_t n, const int32_t *label)
{
    return (strata_image_set) {
        .n = n, .h = 2, .w = 2, .c = 1, .classes = K, .pixels = pixels, .labels = label, .class_names = names
    };
}

static double loss_of(int32_t label)
{
    double sum = 0;
    for (int k = 0; k < K; k++) sum += exp((double)logits[k]);
    return log(sum) - (double)logits[label];
}

/* Class 1 is two images' label, 2 and 0 are four's: they and no other are among the first five. */
static void ranks_and_ties(void **state)
{
    (void)state;
    static const char *const batches[] = { "12", "5", "7", "64" };
    static const uint8_t pixels[IMAGES * D];
    const strata_image_set set = set_of(pixels, IMAGES, labels);
    double loss = 0, first = 0;
    for (int i = 0; i < IMAGES; i++) loss += loss_of(labels[i]) / IMAGES;
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
        scorer s;
        open_scorer(&s, &set, (const char *const[]) { "batch", batches[b], NULL });
        set_logits(&s, logits, K);
        strata_score score = take(&s);
        assert_int_equal(score.images, IMAGES);
        assert_true(score.top1 == 2.0 / IMAGES && score.top5 == 6.0 / IMAGES);
        for (int i = 0; i < IMAGES; i++) assert_int_equal(score.predicted[i], 1);
        assert_true(score.of_class[1].right == 2 && score.micro.recall == score.top1);
        assert_true(fabs(score.loss - loss) < 1e-6);
        if (b == 0) first = score.loss;
        assert_true(score.loss == first); /* whatever the batch */
        strata_score_free(&score);
        close_scorer(&s);
    }
}

/* What is no number is likelier than all that is, but never right: neither alone nor among few. */
static void what_is_no_number_is_never_right(void **state)
{
    (void)state;
    static const uint8_t pixels[IMAGES * D];
    float bias[K];
    scorer s;
    strata_image_set set = set_of(pixels, IMAGES, labels);
    open_scorer(&s, &set, (const char *const[]) { "batch", "5", NULL });
    memcpy(bias, logits, sizeof bias);
    bias[3] = NAN; /* of four images; now 0, which is one's, is the sixth */
    set_logits(&s, bias, K);
    strata_score score = take(&s);
    assert_true(score.top1 == 0 && score.top5 == 5.0 / IMAGES && score.micro.recall == 0);
    for (int i = 0; i < IMAGES; i++) assert_true(score.predicted[i] == UINT32_MAX);
    strata_score_free(&score);
    close_scorer(&s);

    static const uint8_t targets[IMAGES] = { 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1 }; /* of class a */
    set.labels = NULL;
    set.targets = targets;
    set.classes = 1;
    open_scorer(&s, &set, (const char *const[]) { "batch", "5", "loss", "sigmoid", NULL });
    set_logits(&s, logits, 1);
    score = take(&s);
    assert_true(score.top1 == 10.0 / IMAGES && score.top5 == score.top1);
    strata_score_free(&score);
    set_logits(&s, (const float[1]) { NAN }, 1);
    score = take(&s);
    assert_true(score.top1 == 0 && score.top5 == 0 && score.of_class[0].right == 0);
    strata_score_free(&score);
    close_scorer(&s);
}

/* The mean of many equal losses is that loss: a float's sum would be off by a hundredth. */
static void sums_are_long(void **state)
{
    (void)state;
    static uint8_t pixels[(size_t)MANY * D];
    static int32_t label[MANY];
    scorer s;
    for (int i = 0; i < MANY; i++) label[i] = 4;
    strata_image_set set = set_of(pixels, 1, label);
    open_scorer(&s, &set, (const char *const[]) { "batch", "4096", NULL });
    set_logits(&s, logits, K);
    strata_score one = take(&s);
    s.batcher.set.n = MANY;
    strata_score all = take(&s);
    assert_true(all.images == MANY && all.loss == one.loss && fabs(one.loss - loss_of(4)) < 1e-6);
    strata_score_free(&one);
    strata_score_free(&all);
    close_scorer(&s);
}

/* ---- What is done to the images ---------------------------------------------------------------------- */

static void figures_are_the_datas_or_the_recipes(void **state)
{
    (void)state;
    static const uint8_t pixels[3 * D];
    const strata_data data = { .name = "colours",
                               .train = { .n = 1, .h = 2, .w = 2, .c = 3, .classes = K, .pixels = pixels },
                               .valid = { .n = 2, .h = 2, .w = 2, .c = 3, .classes = K, .pixels = pixels },
                               .scale = 16,
                               .mean = { 0.1f, 0.2f, 0.3f },
                               .std = { 0.4f, 0.5f, 0.6f, 1 },
                               .background = { 1, 2, 3 } };
    strata_augment a;
    strata_recipe *r;
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, "augment", "crop=1"));
    OK(strata_recipe_set(r, "seed", "77"));
    OK(score_augment(&a, &data, r));
    assert_true(a.h == 2 && a.w == 2 && a.c == 3 && a.scale == 16 && a.pad == 1);
    assert_memory_equal(a.mean, data.mean, sizeof a.mean);
    assert_memory_equal(a.std, data.std, sizeof a.std);
    assert_memory_equal(a.background, data.background, sizeof a.background);
    OK(strata_recipe_set(r, "normalize", "mean=0.5,std=1,2,4"));
    OK(score_augment(&a, &data, r));
    assert_true(a.mean[0] == 0.5f && a.mean[1] == 0.5f && a.mean[2] == 0.5f);
    assert_true(a.std[0] == 1 && a.std[1] == 2 && a.std[2] == 4);
    assert_memory_equal(a.background, data.background, sizeof a.background);
    static const char *const wrong[] = { "mean=1,2,std=1",  "mean=1,std=1,2,3,4",  "mean=1,std=1,",
                                         "mean=1,std=1,x",  "mean=1,std=1;",       "mean=,std=1",
                                         "mean=1,std=0",    "mean=inf,std=1",      "mean=1,std=1,std=1",
                                         "mean=1e39,std=1", "mean=1,2,3,4,5,std=1" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        FAILS(score_figures(a.mean, a.std, wrong[i], 3), STRATA_BAD_ARG, "--normalize wants ");
    const strata_batcher train = score_batcher(&data, false, r, 5), valid = score_batcher(&data, true, r, 5);
    assert_true(train.set.n == 1 && valid.set.n == 2 && train.batch == 5);
    assert_true(train.seed == 77 && valid.seed == 77 && !train.drawn);
    strata_recipe_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_and_ties),
        cmocka_unit_test(what_is_no_number_is_never_right),
        cmocka_unit_test(sums_are_long),
        cmocka_unit_test(figures_are_the_datas_or_the_recipes),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

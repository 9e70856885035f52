/* One step by each loss against PyTorch 1.13 in float64, on the data below: cross_entropy(weight=,
 * label_smoothing=) and binary_cross_entropy_with_logits, loss and gradients. */
#include <math.h>

#include "core/file.h"
#include "model/safetensors.h"
#include "rig.h"
#include "folder.h"
#include "train/feed.h"
#include "train/score.h"

enum { IMAGES = 6, K = 4, D = 4 };

static const int32_t labels[IMAGES] = { 0, 1, 1, 3, 2, 0 };
static const char *const names[K] = { "a", "b", "c, d", "e" };

static const uint8_t targets[IMAGES * K] = {
    1, 0, 1, 0, /**/ 0, 1, 0, 0, /**/ 0, 0, 0, 0, /**/ 1, 1, 1, 1, /**/ 0, 0, 1, 0, /**/ 1, 0, 0, 1,
};

typedef struct golden {
    const char *smoothing; /* NULL: the loss is sigmoid, of the targets */
    double loss, plain;    /* plain: without weights of classes */
    double weight[K * D], bias[K];
} golden;

static const golden wanted[] = {
    { "0",
      1.58898517,
      1.4789128,
      { -0.0144116768, 0.056714173, -0.0108602174, -0.0139046648, -0.096897705, -0.277769815, -0.203370431,
        -0.127453517, 0.0905104396, 0.173289367, 0.126334623, 0.111405984, 0.0207989422, 0.0477662752,
        0.0878960261, 0.0299521977 },
      { 0.00760517905, -0.458337176, 0.313433163, 0.137298833 } },
    { "0.1",
      1.56996577,
      1.47614932,
      { -0.012587179, 0.0521581388, -0.00771004887, -0.0119523099, -0.0994069314, -0.268667395, -0.195953114,
        -0.129010971, 0.0923466639, 0.171872425, 0.124160464, 0.112922171, 0.0196474465, 0.0446368318,
        0.0795026987, 0.0280411099 },
      { 0.00952303699, -0.444060592, 0.308632605, 0.12590495 } },
    { NULL,
      0.713652191,
      0.713652191,
      { -0.0125427279, 0.00674592832, -0.00741969034, -0.0137302405, 0.0173508649, 0.00859703661,
        0.0071861233, 0.0194552526, 0.0163620126, 0.00234313697, 0.0145228573, 0.0184829494, 0.00513593819,
        0.0462594085, 0.0340199939, 0.00921410585 },
      { -0.0178126897, 0.0315658146, 0.0318140522, 0.0611725149 } },
};

static void near_to(const char *what, double got, double want)
{
    if (!(fabs(got - want) <= 2e-6)) fail_msg("%s: got %.9g, wanted %.9g", what, got, want);
}

/* A linear layer over four pixels, its first weights in a file, and the weights of classes. */
static void write_files(float *weight, float *bias)
{
    static const char yaml[] = "name: line\nimage: [2, 2, 1]\nclasses: 4\ngroups:\n  all:\n    all: [fc]\n"
                               "layers:\n  - {op: flatten}\n  - {op: linear, name: fc, out: $classes}\n";
    static const char csv[] = "\"c, d\",0.5\na,1\ne,2\nb,4\n";
    for (int k = 0; k < K; k++) {
        bias[k] = (float)(k - 1) / 4;
        for (int j = 0; j < D; j++) weight[k * D + j] = (float)((k * 5 + j * 3) % 7 - 3) / 8;
    }
    const strata_stored tensor[] = {
        { .name = "fc.weight", .dtype = STRATA_DTYPE_F32, .rank = 2, .dim = { K, D }, .bytes = weight },
        { .name = "fc.bias", .dtype = STRATA_DTYPE_F32, .rank = 1, .dim = { K }, .bytes = bias },
    };
    OK(strata_safetensors_write("first.safetensors", tensor, 2, NULL, 0));
    OK(strata_file_put("line.yaml", yaml, strlen(yaml)));
    OK(strata_file_put("classes.csv", csv, strlen(csv)));
}

static strata_recipe *recipe_of(const golden *g, const char *micro)
{
    static const char *const keys[][2] = {
        { "model", "./line.yaml" },
        { "init", "first.safetensors" },
        { "opt", "sgd" },
        { "momentum", "0" },
        { "weight-decay", "0" },
        { "lr", "1" },
        { "schedule", "constant" },
        { "batch", "6" },
        { "augment", "none" },
        { "order", "sequential" },
        { "normalize", "mean=0,std=1" },
    };
    strata_recipe *r;
    OK(strata_recipe_open(&r));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) OK(strata_recipe_set(r, keys[i][0], keys[i][1]));
    OK(strata_recipe_set(r, "loss", g->smoothing ? "softmax" : "sigmoid"));
    OK(strata_recipe_set(r, "class-weights", g->smoothing ? "classes.csv" : ""));
    OK(strata_recipe_set(r, "label-smoothing", g->smoothing ? g->smoothing : ""));
    OK(strata_recipe_set(r, "micro-batch", micro));
    return r;
}

/* At a rate of 1 a step moves a parameter by its gradient. */
static void compare(const strata_trainer *t, const char *name, const float *was, const double *grad)
{
    float is[K * D];
    const strata_param *p = strata_graph_param(t->main.model->graph, name);
    assert_non_null(p);
    OK(strata_plan_read_param(t->main.plan, p, is, false));
    for (uint32_t i = 0; i < strata_param_count(p); i++)
        near_to(name, (double)was[i] - (double)is[i], grad[i]);
}

static void step(strata_device *d, const golden *g, const char *micro)
{
    static uint8_t pixels[IMAGES * D];
    float weight[K * D], bias[K];
    train_feed feed;
    trainer_result result;
    strata_trainer *t;
    strata_augment augment;
    strata_score score;
    bool got;
    write_files(weight, bias);
    for (int i = 0; i < IMAGES; i++)
        for (int j = 0; j < D; j++) pixels[i * D + j] = (uint8_t)(i * 37 + j * 91 + 5);
    const strata_image_set set = { .n = IMAGES,
                                   .h = 2,
                                   .w = 2,
                                   .c = 1,
                                   .classes = K,
                                   .pixels = pixels,
                                   .labels = g->smoothing ? labels : NULL,
                                   .targets = g->smoothing ? NULL : targets,
                                   .class_names = names };
    const strata_data data = {
        .name = "line", .train = set, .valid = set, .scale = 255, .std = { 1, 1, 1, 1 }
    };
    strata_recipe *r = recipe_of(g, micro);
    OK(score_augment(&augment, &data, r));
    OK(trainer_open(&t, d, r, &(strata_task) { 2, 2, 1, K, 4, 1 }, &augment));
    OK(feed_open(&feed, &data, t->recipe, t->micro));
    const strata_batcher valid = score_batcher(&data, true, t->recipe, t->micro);
    const grade_rule rule = grade_rule_of(t->recipe);
    OK(score_set(&score, &t->main, &valid, &rule));
    near_to("a score, which counts images the same", score.loss, g->plain);
    strata_score_free(&score);
    feed_epoch(&feed, 0);
    OK(feed_step(&feed, t, 0, 0, IMAGES));
    OK(trainer_take(t, true, &result, &got));
    near_to("loss", result.loss, g->loss);
    compare(t, "fc.weight", weight, g->weight);
    compare(t, "fc.bias", bias, g->bias);
    feed_close(&feed);
    strata_trainer_close(t);
    strata_recipe_close(r);
}

static void steps(void **state)
{
    (void)state;
    const char *name = getenv("STRATA_TEST_DEVICE");
    strata_device *d = open_device(name && *name ? name : "auto", NULL);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        step(d, &wanted[i], "6");
        step(d, &wanted[i], "2");
    }
    close_device(d);
}

/* A caller of strata_trainer_step brings no names of classes: the recipe's weights of them are not of its
 * steps. */
static void steps_count_classes_alike(void **state)
{
    (void)state;
    float weight[K * D], bias[K], pixels[IMAGES * D], loss;
    strata_trainer *t;
    strata_device *d = open_device("cpu", NULL);
    write_files(weight, bias);
    for (int i = 0; i < IMAGES; i++)
        for (int j = 0; j < D; j++) pixels[i * D + j] = (float)((i * 37 + j * 91 + 5) % 256) / 255;
    strata_recipe *r = recipe_of(&wanted[0], "6");
    OK(strata_trainer_open(&t, d, r, &(strata_task) { 2, 2, 1, K, 4, 1 }));
    OK(strata_trainer_step(t, pixels, labels, IMAGES, &loss));
    near_to("loss", (double)loss, wanted[0].plain);
    strata_trainer_close(t);
    strata_recipe_close(r);
    close_device(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(steps),
                                        cmocka_unit_test(steps_count_classes_alike) };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

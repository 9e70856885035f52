/* Models: the zoo is torchvision's, tensor by tensor; groups divide the parameters; what a description gets
 * wrong is named with its line; initial weights depend on seed and place alone; weights come back. */
#include "model/model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "core/file.h"
#include "core/thread.h"
#include "folder.h"
#include "model/describe.h"
#include "model/safetensors.h"

static strata_model *open_model(const char *name, const char *stem, const char *head, const char *groups)
{
    strata_model *m;
    const strata_model_config config = {
        .model = name, .stem = stem, .head = head, .groups = groups, .input = { .n = 2 }
    };
    if (strata_model_open(&m, &config) != STRATA_OK) fail_msg("%s: %s", name, strata_message());
    return m;
}

/* ---- The zoo ---------------------------------------------------------------------------- */

static void counts_are_torchvisions(void **state)
{
    (void)state;
    static const struct {
        const char *model, *stem, *head;
        uint64_t parameters;
        uint32_t rows;
    } known[] = {
        { "resnet18", "", "", 11689512, 62 },
        { "resnet34", "", "", 21797672, 110 },
        { "resnet50", "imagenet", "", 25557032, 161 },
        { "vgg11-bn", "", "", 132868840, 38 },
        { "mobilenet-v1", "", "", 4231976, 83 },
        { "lenet5", "", "", 61706, 10 },
        { "resnet18", "small", "linear", 11689512 - 64 * 3 * 40, 62 }, /* 3x3 for 7x7 filters */
        { "resnet18", "", "fastai", 11176512 + 2048 + 524288 + 1024 + 512000, 66 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        strata_model *m = open_model(known[i].model, known[i].stem, known[i].head, "");
        assert_int_equal(strata_graph_param_count(m->graph), known[i].parameters);
        assert_int_equal(m->graph->n_rows, known[i].rows);
        strata_model_close(m);
    }
}

static void names_and_order_are_torchvisions(void **state)
{
    (void)state;
    char *golden, line[128];
    size_t n;
    assert_int_equal(strata_file_read(&golden, &n, SOURCE_DIR "/tests/golden/resnet18.txt"), STRATA_OK);
    strata_model *m = open_model("resnet18", "", "", "");
    const char *at = golden;
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *p = m->graph->param[i];
        if (p->file_rank == 4)
            snprintf(line, sizeof line, "%s [%u,%u,%u,%u]\n", p->name, p->co, p->ci, p->r, p->s);
        else if (p->file_rank == 2)
            snprintf(line, sizeof line, "%s [%u,%u]\n", p->name, p->co, p->ci * p->r * p->s);
        else
            snprintf(line, sizeof line, "%s [%u]\n", p->name, p->co);
        if (strncmp(at, line, strlen(line)) != 0) fail_msg("%.40s is not %s", at, line);
        at += strlen(line);
        if (!strstr(p->name, ".running_var")) continue;
        snprintf(line, sizeof line, "%s.num_batches_tracked []\n", p->node);
        if (strncmp(at, line, strlen(line)) != 0) fail_msg("%.40s is not %s", at, line);
        at += strlen(line);
    }
    assert_int_equal(*at, '\0');
    strata_model_close(m);
    free(golden);
}

static void every_model_of_the_zoo_opens(void **state)
{
    (void)state;
    uint32_t n;
    const char *const *names = strata_zoo_names(&n);
    assert_true(n >= 7);
    for (uint32_t i = 0; i < n; i++) {
        strata_model *m = open_model(names[i], "", "", "");
        assert_string_equal(m->name, names[i]);
        assert_true(*m->about && m->n_groups >= 3);
        assert_int_equal(m->graph->logits->shape.c, m->classes);
        strata_model_close(m);
        assert_non_null(strstr(strata_zoo_text(names[i]), "layers:"));
    }
    assert_null(strata_zoo_text("nothing"));
}

/* One description for digits and for Fashion-MNIST. */
static void the_small_one_takes_any_size(void **state)
{
    (void)state;
    static const strata_shape sizes[] = {
        { 3, 8, 8, 1 }, { 3, 28, 28, 1 }, { 3, 32, 32, 3 }, { 3, 9, 21, 2 }
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        strata_model *m;
        const strata_model_config config = {
            .model = "small-cnn", .input = sizes[i], .classes = 7, .loss = true, .label_smoothing = 0.1f
        };
        assert_int_equal(strata_model_open(&m, &config), STRATA_OK);
        assert_int_equal(m->graph->logits->shape.c, 7);
        assert_non_null(m->graph->loss);
        const uint64_t count = strata_graph_param_count(m->graph);
        assert_true(count > 20000 && count < 80000);
        strata_model_close(m);
    }
}

/* ---- Groups ------------------------------------------------------------------------------ */

static void assert_groups(const strata_model *m, const char *want)
{
    char got[2048] = "";
    for (uint32_t g = 0; g < m->n_groups; g++) {
        uint64_t n = 0;
        for (uint32_t i = 0; i < m->graph->n_params; i++) {
            const strata_param *p = m->graph->param[i];
            if (!p->running && m->group_of_row[p->row] == g) n += strata_param_count(p);
        }
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s %d", g ? ", " : "", m->group_name[g],
                 (int)n);
    }
    assert_string_equal(got, want);
}

static void groups_divide_the_parameters(void **state)
{
    (void)state;
    strata_model *m = open_model("resnet18", "", "", "");
    assert_string_equal(m->scheme, "fastai");
    assert_groups(m, "stem 683072, body 10493440, head 513000");
    strata_model_close(m);
    m = open_model("resnet18", "", "fastai", "fastai");
    assert_groups(m, "stem 683072, body 10493440, head 1039360");
    strata_model_close(m);
    m = open_model("resnet18", "", "", "stage");
    assert_groups(m, "conv1 9536, layer1 147968, layer2 525568, layer3 2099712, layer4 8393728, fc 513000");
    strata_model_close(m);
    m = open_model("resnet18", "", "", "block");
    assert_groups(m, "conv1 9536, layer1.0 73984, layer1.1 73984, layer2.0 230144, layer2.1 295424, "
                     "layer3.0 919040, layer3.1 1180672, layer4.0 3673088, layer4.1 4720640, fc 513000");
    strata_model_close(m);
    m = open_model("resnet18", "", "", "layer"); /* a batch norm goes with its convolution */
    assert_int_equal(m->n_groups, 21);
    assert_string_equal(m->group_name[7], "layer2.0.downsample.0");
    strata_model_close(m);
    m = open_model("vgg11-bn", "", "", "");
    assert_string_equal(m->scheme, "stage");
    assert_groups(m, "stage1 1920, stage2 74112, stage3 886272, stage4 3542016, stage5 4721664, "
                     "classifier 123642856");
    strata_model_close(m);
}

/* ---- Descriptions -------------------------------------------------------------------------- */

/* Stars that take nothing, something and all; the shortest that fits is not always right. */
static void patterns_match_layers(void **state)
{
    (void)state;
    static const char *const lists[] = {
        "a: conv1 bn1 lay*; b: fc*",
        "a: *; b: fc*.x*",
        "a: conv1 bn1 l*.conv2; b: l*.conv1 l*.bn? *down* fc",
        "a: ?onv? b**1; b: *er1 *er2 *er3 *er4 f?*",
        "a: conv1 bn1 fc; b: l*2 l*3 l*4 l*0 l*1",
        "a: conv1 bn1 lay*c*v?; b: layer*bn? *sample*.* fc",
        "a: conv1 bn1 lay*c*v; b: layer*bn? *sample*.* fc",
    };
    static const bool right[] = { true, false, true, true, true, true, false };
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        strata_model *m;
        const strata_model_config config = { .model = "resnet18", .groups = lists[i], .input = { .n = 2 } };
        if ((strata_model_open(&m, &config) == STRATA_OK) != right[i])
            fail_msg("%s: %s", lists[i], strata_message());
        strata_model_close(m);
    }
}

static void users_groups_divide(void **state)
{
    (void)state;
    static const char text[] = "# input side first\n"
                               "stem: conv1 bn1 # the first; two\n"
                               "\n"
                               "early: [layer1, layer2.0]\n"
                               "late: layer2.1 layer3.?.* layer4*\n"
                               "head: f?\r\n";
    static const char divided[] = "stem 9536, early 378112, late 10788864, head 513000";
    assert_int_equal(strata_file_write("own.groups", text, sizeof text - 1), STRATA_OK);
    strata_model *m = open_model("resnet18", "", "", "./own.groups");
    assert_groups(m, divided);
    assert_string_equal(m->scheme, "own");
    assert_string_equal(m->groups_text,
                        "stem: conv1 bn1; early: layer1 layer2.0; late: layer2.1 layer3.?.* layer4*; "
                        "head: f?");
    strata_model *again = open_model("resnet18", "", "", m->groups_text); /* without the file */
    assert_groups(again, divided);
    assert_memory_equal(again->group_of_row, m->group_of_row, m->graph->n_rows * sizeof *m->group_of_row);
    strata_model_close(m);
    strata_model_close(again);
    static const struct {
        const char *text, *message;
    } wrong[] = {
        { "stem: conv1\n\nrest: bn1 layr1",
          "own.groups:3: the pattern 'layr1' of the group 'rest' matches no layer; "
          "did you mean 'layer1" },
        { "stem: conv1\nrest: layer* bn1\n", "own.groups: no group holds these layers: fc" },
        { "stem: conv1\nrest: layer* bn1 fc\nlast: fc",
          "own.groups:3: the groups 'rest' and 'last' both hold fc.weight" },
        { "a: conv1\na: fc", "own.groups:2: the group 'a' stands twice" },
        { "a: conv1\nb\n", "own.groups:2: wants NAME: PATTERN ..., got 'b'" },
        { "a b : conv1\n", "letters, digits, _, - and ., got 'a b'" },
        { "a=: conv1\n", "own.groups:1: wants a group's name of letters" },
        { "a:\n", "own.groups:1: the group 'a' has no patterns" },
        { "# nothing\n", "own.groups: there are no groups" },
        /* a matcher that tries every '*' for every other would not come back */
        { "a: l****************************************x",
          "the pattern 'l****************************************x' of the group 'a' matches no layer" },
        { "a: * bn1.running_mean", "the pattern 'bn1.running_mean' of the group 'a' matches no layer" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const strata_model_config config = { .model = "resnet18",
                                             .groups = "own.groups",
                                             .input = { .n = 2 } };
        assert_int_equal(strata_file_write("own.groups", wrong[i].text, strlen(wrong[i].text)), STRATA_OK);
        assert_int_equal(strata_model_open(&m, &config), STRATA_BAD_ARG);
        assert_message(wrong[i].message);
    }
    const strata_model_config config = { .model = "resnet18",
                                         .groups = "a: conv1; b: bn",
                                         .input = { .n = 2 } };
    assert_int_equal(strata_model_open(&m, &config), STRATA_BAD_ARG);
    assert_message(
        "--groups, character 10: the pattern 'bn' of the group 'b' matches no layer; did you mean 'bn1'?");
}

static strata_status open_text(strata_model **m, const char *text, const char *stem, const char *groups)
{
    const strata_model_config config = {
        .model = "net.yaml", .stem = stem, .groups = groups, .input = { 2, 8, 8, 3 }, .classes = 10
    };
    assert_int_equal(strata_file_write("net.yaml", text, strlen(text)), STRATA_OK);
    return strata_model_open(m, &config);
}

#define HEAD "name: net\nlayers:\n"
#define TAIL "  - {op: global_avg_pool}\n  - {op: linear, name: fc, out: $classes}\n"

static void any_graph_can_be_said(void **state)
{
    (void)state;
    strata_model *m;
    const char *text = "name: net\n"
                       "choices: {stem: [a, b]}\n"
                       "groups:\n"
                       "  mine: {first: [left, right], unused: [extra], last: fc}\n"
                       "layers:\n"
                       "  - {op: conv2d, name: left, in: input, out: 5, kernel: [3, 1], pad: [1, 0]}\n"
                       "  - op: conv2d\n"
                       "    name: right\n"
                       "    in: [input]\n"
                       "    out: 3\n"
                       "    kernel: 1\n"
                       "  - {op: concat, name: both, in: [left, right]}\n"
                       "  - {op: conv2d, name: extra, out: 8, kernel: 1, when: stem=b}\n" TAIL;
    assert_int_equal(open_text(&m, text, "", ""), STRATA_OK);
    assert_int_equal(strata_graph_tensor(m->graph, "both")->shape.c, 8);
    assert_int_equal(strata_graph_param(m->graph, "left.weight")->s, 1);
    assert_null(strata_graph_param(m->graph, "extra.weight"));
    assert_string_equal(m->scheme, "mine");
    assert_groups(m, "first 62, last 90"); /* 5 * 9 + 5 + 3 * 3 + 3; a group without parameters is left out */
    strata_model_close(m);
    assert_int_equal(open_text(&m, text, "b", ""), STRATA_OK);
    assert_groups(m, "first 62, unused 72, last 90");
    strata_model_close(m);
}

static const struct {
    const char *text, *stem, *groups, *message;
} wrong[] = {
    { "", "", "", "net.yaml:1: wants `key: value` lines" },
    { "- a\n", "", "", "net.yaml:1: wants `key: value` lines" },
    { "name: [a\n", "", "", "net.yaml:2: " },
    { "name: a\n---\nname: b\n", "", "", "net.yaml:2: wants one document" },
    { "name: &a x\nabout: *a\n", "", "", "net.yaml:2: aliases are not allowed" },
    { "name: a\nname: b\n", "", "", "net.yaml:2: the key 'name' stands twice" },
    { "name: a\n? [b]\n: c\n", "", "", "net.yaml:2: a key wants plain text" },
    { "name: a\nlayer: []\n", "", "", "net.yaml:2: there is no key 'layer'; did you mean 'layers'?" },
    { "layers: []\n", "", "", "wants a line `name: ...`" },
    { "name: a\n", "", "", "wants a list `layers:`" },
    { "name: a\nlayers: []\n", "", "", "net.yaml:2: layers wants 1 to 10000 of them, got 0" },
    { "name: a\nlayers: {}\n", "", "", "net.yaml:2: layers wants a list" },
    { "name: [a]\nlayers: [{op: relu}]\n", "", "", "net.yaml:1: name wants one value, got a list" },
    { "name: a\nimage: [8, 8]\nlayers: [{op: relu}]\n", "", "", "net.yaml:2: image wants [height, width" },
    { "name: a\nclasses: 0\nlayers: [{op: relu}]\n", "", "", "net.yaml:2: classes wants a whole number in" },
    { "name: a\nchoices: {stm: [a]}\nlayers: [{op: relu}]\n", "", "",
      "net.yaml:2: there is no choice 'stm'; did you mean 'stem'?" },
    { HEAD "  - relu\n", "", "", "net.yaml:3: a layer wants a table" },
    { HEAD "  - {name: a}\n", "", "", "net.yaml:3: a layer wants `op`" },
    { HEAD "  - {op: relu, name: loss}\n", "", "", "net.yaml:3: no layer may be named 'loss'" },
    { HEAD "  - {op: rleu}\n", "", "", "net.yaml:3: there is no operation 'rleu'; did you mean 'relu'?" },
    { HEAD "  - {op: relu, when: stem}\n", "", "", "net.yaml:3: when wants `choice=value`, got 'stem'" },
    { HEAD "  - {op: relu, when: stem=a}\n", "", "", "net.yaml:3: there is no stem 'a'; there is: none" },
    { HEAD "  - {op: relu, in: [a, b, c, d, e, f, g, h, i]}\n", "", "", "net.yaml:3: in wants at most 8" },
    { HEAD "  - {op: relu, name: a}\n  - {op: relu, in: b}\n", "", "",
      "net.yaml:4: in: there is no layer 'b'" },
    { HEAD "  - {op: relu, name: abcd}\n  - {op: relu, in: abc}\n", "", "", "did you mean 'abcd'?" },
    { HEAD "  - {op: relu, in: b}\n  - {op: relu, name: b}\n", "", "",
      "net.yaml:3: in: the layer 'b' of line 4 is not before this one" },
    { HEAD "  - {op: relu, name: a}\n  - {op: relu, name: a}\n", "", "", "net.yaml:4: two layers are named" },
    { HEAD "  - {op: conv2d, name: a, out: 4, kernl: 3}\n", "", "",
      "net.yaml:3: a: conv2d has no option 'kernl'; did you mean 'kernel'?" },
    { HEAD "  - {op: conv2d, name: a, out: 4, kernel: [3, x]}\n", "", "", "net.yaml:3: a: kernel wants" },
    { HEAD "  - {op: conv2d, name: a, out: $class, kernel: 3}\n", "", "",
      "net.yaml:3: out: there is no variable '$class'; there is $classes" },
    { HEAD "  - {op: conv2d, name: a, out: 4, kernel: 9}\n", "", "", "net.yaml:3: " },
    { HEAD "  - {op: relu, name: a}\n  - {op: relu, name: b}\n  - {op: relu, name: c}\n"
           "  - {op: relu, in: a}\n" TAIL,
      "", "", "net.yaml:5: no layer takes what 'c' gives" },
    { HEAD "  - {op: conv2d, name: a, out: 1048576, kernel: 1}\n"
           "  - {op: conv2d, name: b, out: 1048576, kernel: 4096, pad: 2048}\n" TAIL,
      "", "", "net.yaml:4: b: a weight of 16777216 x 1048576 x 1048576 has more than" },
    { HEAD "  - {op: relu, name: a}\n", "", "", "net.yaml:3: the last layer wants to give [2,1,1,10], but" },
    { HEAD TAIL, "small", "", "--stem small: net has only one" },
    { HEAD TAIL, "", "stag", "net has no layer groups 'stag'; did you mean 'stage'?; it has: stage, block" },
    { "name: net\ngroups:\n  g: {a: [fd]}\nlayers:\n" TAIL, "", "",
      "net.yaml:3: there is no layer 'fd'; did you mean 'fc'?" },
    { "name: net\ngroups:\n  g: {a: []}\nlayers:\n" TAIL, "", "",
      "net.yaml:3: no group of the scheme 'g' holds fc.weight" },
    { "name: net\ngroups:\n  g: {a: fc, b: [fc]}\nlayers:\n" TAIL, "", "",
      "net.yaml:3: the groups 'a' and 'b' of 'g' both hold fc.weight" },
    { "name: net\nchoices: {stem: [a, b]}\nlayers:\n  - {op: relu, name: r, when: stem=b}\n"
      "  - {op: relu, in: r}\n" TAIL,
      "", "", "net.yaml:5: in: the layer 'r' of line 4 is left out by its `when`" },
    { "name: net\nchoices: {stem: [little, big]}\nlayers:\n" TAIL, "bigg", "",
      "--stem: net has no 'bigg'; did you mean 'big'" },
};

static void says_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        strata_model *m;
        if (open_text(&m, wrong[i].text, wrong[i].stem, wrong[i].groups) == STRATA_OK)
            fail_msg("accepted: %s", wrong[i].text);
        assert_null(m);
        assert_message(wrong[i].message);
    }
}

static void unknown_models_are_named(void **state)
{
    (void)state;
    strata_model *m;
    strata_model_config config = { .model = "resnet81", .input = { 1, 32, 32, 3 }, .classes = 10 };
    assert_int_equal(strata_model_open(&m, &config), STRATA_BAD_ARG);
    assert_message("there is no model 'resnet81'; did you mean 'resnet18'?");
    config.model = "../models/resnet18";
    assert_int_equal(strata_model_open(&m, &config), STRATA_BAD_ARG);
    config.model = "none.yaml";
    assert_int_equal(strata_model_open(&m, &config), STRATA_FILE);
    config.model = "lenet5";
    config.input = (strata_shape) { 1, 8, 8, 1 };
    assert_int_equal(strata_model_open(&m, &config), STRATA_BAD_SHAPE); /* too small for its second window */
    assert_message("models/lenet5.yaml:");
}

/* No damaged description is read past its end; the sanitizers judge. */
static void survives_damage(void **state)
{
    (void)state;
    const char *good = strata_zoo_text("resnet18");
    const size_t n = strlen(good) < 3000 ? strlen(good) : 3000;
    char *bad = malloc(n + 1);
    assert_non_null(bad);
    for (uint32_t round = 0; round < 200; round++) {
        memcpy(bad, good, n);
        for (uint32_t k = 0; k < 1 + round % 5; k++)
            bad[(round * 7919u + k * 104729u) % n] = "{}[]:,&*-#'\"\n\t0$\xff"[(round + 3 * k) % 17];
        strata_arena arena = { 0 };
        model_description d;
        model_describe(&d, &arena, "bad.yaml", bad, round % 3 ? n : n * round / 200);
        strata_arena_free(&arena);
    }
    free(bad);
}

/* ---- Initial weights ----------------------------------------------------------------------- */

static void deviation(double *mean, double *std, const float *x, size_t n)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i], squares += (double)x[i] * (double)x[i];
    *mean = sum / (double)n;
    *std = sqrt(squares / (double)n - *mean * *mean);
}

static void weights_begin_as_torchvisions(void **state)
{
    (void)state;
    strata_model *m = open_model("resnet18", "", "", "");
    for (uint32_t i = 0; i < m->graph->n_params; i++) {
        const strata_param *p = m->graph->param[i];
        const size_t n = (size_t)strata_param_count(p);
        double mean, std, want = p->file_rank == 4 ? sqrt(2.0 / (p->r * p->s * p->co)) : 0;
        float *x = malloc(n * sizeof *x);
        assert_non_null(x);
        strata_model_init(x, p, i, 42);
        deviation(&mean, &std, x, n);
        if (strncmp(p->name, "fc.", 3) == 0) want = sqrt(1.0 / 512 / 3); /* uniform in +-1/sqrt(512) */
        if (fabs(std - want) > want * 4 / sqrt((double)n)) fail_msg("%s: %g, not %g", p->name, std, want);
        if (p->norm) /* 1 for gains and running variances, 0 for the rest */
            assert_true(x[0] == (strstr(p->name, "weight") || strstr(p->name, "var") ? 1.0f : 0.0f));
        else if (fabs(mean) > 5 * want / sqrt((double)n))
            fail_msg("%s: mean %g", p->name, mean);
        free(x);
    }
    strata_model_close(m);
}

static void weights_depend_on_seed_and_place(void **state)
{
    (void)state;
    enum { N = 200003 }; /* several threads' worth, and not a multiple of 4 */
    strata_param p = {
        .kind = STRATA_PARAM_VECTOR, .co = N, .ci = 1, .r = 1, .s = 1, .init = STRATA_INIT_NORMAL
    };
    float *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
    assert_true(a && b);
    p.scale = 1;
    strata_threads_set(1);
    strata_model_init(a, &p, 3, 7);
    strata_threads_set(4);
    strata_model_init(b, &p, 3, 7);
    strata_threads_set(0);
    assert_memory_equal(a, b, N * sizeof *a);
    strata_model_init(b, &p, 4, 7);
    assert_true(a[0] != b[0] && a[N - 1] != b[N - 1]);
    strata_model_init(b, &p, 3, 8);
    assert_true(a[0] != b[0] && a[N - 1] != b[N - 1]);
    strata_model_init(b, &p, 3, 7 + (UINT64_C(1) << 32)); /* all 64 bits of the seed count */
    assert_true(a[0] != b[0] && a[N - 1] != b[N - 1]);
    p.co = 5; /* a shorter tensor begins alike */
    strata_model_init(b, &p, 3, 7);
    assert_memory_equal(a, b, 5 * sizeof *a);
    free(a);
    free(b);
}

/* ---- Weights in files ------------------------------------------------------------------------ */

typedef struct network {
    strata_device *device;
    strata_model *model;
    strata_plan *plan;
} network;

static void network_open(network *n, uint32_t classes)
{
    const strata_device_config device = { .name = "cpu" };
    const strata_model_config model = {
        .model = "small-cnn", .input = { 2, 8, 8, 1 }, .classes = classes, .loss = true
    };
    const strata_plan_config plan = { .train = true };
    assert_int_equal(strata_device_open(&n->device, &device), STRATA_OK);
    assert_int_equal(strata_model_open(&n->model, &model), STRATA_OK);
    if (strata_plan_open(&n->plan, n->model->graph, n->device, &plan) != STRATA_OK)
        fail_msg("%s", strata_message());
}

static void network_close(network *n)
{
    strata_plan_close(n->plan);
    strata_model_close(n->model);
    strata_device_close(n->device);
}

static void count_report(void *context, const char *tensor, strata_taken what, const char *shapes)
{
    uint32_t *counts = context;
    counts[what]++;
    if (what == STRATA_WRONG_SHAPE && strcmp(tensor, "fc.bias") == 0)
        assert_string_equal(shapes, "wanted [7], the file has [10]");
}

static void weights_come_back(void **state)
{
    (void)state;
    network n;
    char *first, *second;
    size_t a, b;
    uint32_t counts[4] = { 0 };
    network_open(&n, 10);
    assert_int_equal(strata_model_init_plan(n.model, n.plan, 5), STRATA_OK);
    assert_int_equal(strata_model_save(n.model, n.plan, "a.safetensors", 12, NULL, 0), STRATA_OK);
    assert_int_equal(strata_model_init_plan(n.model, n.plan, 6), STRATA_OK);
    assert_int_equal(strata_model_save(n.model, n.plan, "b.safetensors", 12, NULL, 0), STRATA_OK);
    assert_int_equal(strata_file_read(&first, &a, "a.safetensors"), STRATA_OK);
    assert_int_equal(strata_file_read(&second, &b, "b.safetensors"), STRATA_OK);
    assert_true(a == b && memcmp(first, second, a) != 0);
    free(second);
    assert_int_equal(strata_model_load(n.model, n.plan, "a.safetensors", true, count_report, counts),
                     STRATA_OK);
    assert_int_equal(counts[STRATA_TAKEN], n.model->graph->n_params);
    assert_int_equal(counts[STRATA_MISSING] + counts[STRATA_WRONG_SHAPE] + counts[STRATA_UNEXPECTED], 0);
    assert_int_equal(strata_model_save(n.model, n.plan, "b.safetensors", 12, NULL, 0), STRATA_OK);
    assert_int_equal(strata_file_read(&second, &b, "b.safetensors"), STRATA_OK);
    assert_int_equal(a, b);
    assert_memory_equal(first, second, a);
    free(first);
    free(second);
    network_close(&n);
    strata_safetensors *f;
    int64_t batches;
    assert_int_equal(strata_safetensors_open(&f, "a.safetensors"), STRATA_OK);
    const strata_stored *t = strata_safetensors_find(f, "bn1.num_batches_tracked");
    assert_non_null(t);
    assert_int_equal(strata_safetensors_read(f, t, &batches), STRATA_OK);
    assert_int_equal(batches, 12);
    strata_safetensors_close(f);
}

static void other_weights_are_reported(void **state)
{
    (void)state;
    network n;
    uint32_t counts[4] = { 0 };
    const strata_stored odd = {
        .name = "odd", .dtype = STRATA_DTYPE_F32, .rank = 1, .dim = { 1 }, .bytes = "abc"
    };
    network_open(&n, 10);
    assert_int_equal(strata_model_init_plan(n.model, n.plan, 5), STRATA_OK);
    assert_int_equal(strata_model_save(n.model, n.plan, "a.safetensors", 0, NULL, 0), STRATA_OK);
    network_close(&n);
    network_open(&n, 7);
    assert_int_equal(strata_model_load(n.model, n.plan, "a.safetensors", true, NULL, NULL), STRATA_BAD_SHAPE);
    assert_message("a.safetensors: tensor 'fc.weight': wanted [7,");
    assert_int_equal(strata_model_load(n.model, n.plan, "a.safetensors", false, count_report, counts),
                     STRATA_OK);
    assert_int_equal(counts[STRATA_TAKEN], n.model->graph->n_params - 2);
    assert_int_equal(counts[STRATA_WRONG_SHAPE], 2);
    assert_int_equal(strata_safetensors_write("odd.safetensors", &odd, 1, NULL, 0), STRATA_OK);
    assert_int_equal(strata_model_load(n.model, n.plan, "odd.safetensors", false, count_report, counts),
                     STRATA_OK);
    assert_int_equal(counts[STRATA_MISSING], n.model->graph->n_params);
    assert_int_equal(counts[STRATA_UNEXPECTED], 1);
    assert_int_equal(strata_model_load(n.model, n.plan, "odd.safetensors", true, NULL, NULL),
                     STRATA_BAD_SHAPE);
    assert_message("odd.safetensors: no tensor 'conv1.weight' [24,1,3,3]");
    network_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_torchvisions),
        cmocka_unit_test(names_and_order_are_torchvisions),
        cmocka_unit_test(every_model_of_the_zoo_opens),
        cmocka_unit_test(the_small_one_takes_any_size),
        cmocka_unit_test(groups_divide_the_parameters),
        cmocka_unit_test(users_groups_divide),
        cmocka_unit_test(patterns_match_layers),
        cmocka_unit_test(any_graph_can_be_said),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(unknown_models_are_named),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(weights_begin_as_torchvisions),
        cmocka_unit_test(weights_depend_on_seed_and_place),
        cmocka_unit_test(weights_come_back),
        cmocka_unit_test(other_weights_are_reported),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

/* What was not finite is looked for by running layers again: as the plan runs them, within its memory. */
#include "rig.h"

#include <math.h>
#include <unistd.h>

#include "train/trainer.h"

enum { BATCH = 4, SIDE = 16, CLASSES = 10, PIXELS = BATCH * SIDE * SIDE };

/* Winograd's transforms, which are preferred for the second convolution, want more scratch than plain sums:
 * their weights, 36 for every 9, are the most of it where channels are many. */
static const char network[] = "name: autopsy\n"
                              "image: [16, 16, 1]\n"
                              "classes: 10\n"
                              "groups:\n"
                              "  parts:\n"
                              "    body: [one, two]\n"
                              "    head: [fc]\n"
                              "layers:\n"
                              "  - {op: conv2d, name: one, out: 416, kernel: 3, pad: 1}\n"
                              "  - {op: conv2d, name: two, out: 416, kernel: 3, pad: 1}\n"
                              "  - {op: relu}\n"
                              "  - {op: flatten}\n"
                              "  - {op: linear, name: fc, out: $classes}\n";

/* Behind a dropout, three linear layers. */
static const char chain[] = "name: chain\n"
                            "image: [16, 16, 1]\n"
                            "classes: 10\n"
                            "groups:\n"
                            "  parts:\n"
                            "    all: [a, b, fc]\n"
                            "layers:\n"
                            "  - {op: flatten}\n"
                            "  - {op: dropout, name: drop, p: 0.25}\n"
                            "  - {op: linear, name: a, out: 4}\n"
                            "  - {op: linear, name: b, out: 4}\n"
                            "  - {op: linear, name: fc, out: $classes}\n";

static strata_trainer *open_trainer(strata_device *d, const char *text, const char *lr, const char *variants)
{
    const char *const keys[][2] = { { "batch", "4" },      { "opt", "sgd" },          { "lr", lr },
                                    { "momentum", "0" },   { "weight-decay", "0" },   { "steps", "1" },
                                    { "augment", "none" }, { "schedule", "constant" } };
    char path[] = "/tmp/strata-autopsy-XXXXXX.yaml";
    const int file = mkstemps(path, 5);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    strata_recipe *r = NULL;
    strata_trainer *t = NULL;
    OK(strata_recipe_open(&r));
    OK(strata_recipe_set(r, "model", path));
    OK(strata_recipe_set(r, "variants", variants));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) OK(strata_recipe_set(r, keys[i][0], keys[i][1]));
    OK(strata_trainer_open(&t, d, r, &(strata_task) { SIDE, SIDE, 1, CLASSES, 1, 0 }));
    strata_recipe_close(r);
    unlink(path);
    return t;
}

/* The most scratch that a node would take if nothing were forced. */
static uint64_t unforced_scratch(const strata_plan *p, strata_device *d)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        const uint64_t bytes = strata_op_scratch(strata_device_caps(d), NULL, p->node[i], false);
        if (bytes > most) most = bytes;
    }
    return most;
}

static void *read_slice(strata_device *d, strata_slice s)
{
    void *bytes = malloc(s.bytes);
    assert_non_null(bytes);
    OK(strata_device_read(d, bytes, s));
    return bytes;
}

/* At a rate of 0 the weights are what they were in the step, whose losses come again bit by bit. */
static void layers_run_again_as_they_ran(void **state)
{
    (void)state;
    static float pixels[PIXELS];
    int32_t labels[BATCH];
    const char *name = "";
    strata_device *d = open_device("auto", NULL);
    strata_trainer *t = open_trainer(d, network, "0", "conv2d=subgroup");
    const strata_plan *p = t->main.plan;
    if (unforced_scratch(p, d) <= p->scratch.bytes) { /* nothing would go past it here */
        strata_trainer_close(t);
        close_device(d);
        skip();
    }
    for (int i = 0; i < PIXELS; i++) pixels[i] = (float)(i * 7919 % 1000) / 1000;
    for (int i = 0; i < BATCH; i++) labels[i] = i % CLASSES;
    float loss;
    OK(strata_trainer_step(t, pixels, labels, BATCH, &loss));
    void *losses = read_slice(d, p->graph->loss->data), *weights = read_slice(d, p->weights);
    OK(trainer_first_not_finite(t, &name));
    assert_string_equal(name, "no layer that a second look finds");
    void *losses_then = read_slice(d, p->graph->loss->data), *weights_then = read_slice(d, p->weights);
    assert_memory_equal(weights, weights_then, p->weights.bytes);
    assert_memory_equal(losses, losses_then, p->graph->loss->data.bytes);
    free(losses);
    free(losses_then);
    free(weights);
    free(weights_then);
    strata_trainer_close(t);
    close_device(d); /* which fails where the validation layer saw a slice that ends past its block */
}

/* Of a parameter's elements, those of the first `rows` rows are `value` by the signs of four columns. */
static void put_rows(strata_trainer *t, const char *name, uint32_t rows, float value, const float *sign)
{
    float values[4 * SIDE * SIDE] = { 0 };
    const strata_param *p = strata_graph_param(t->main.model->graph, name);
    const uint32_t columns = strcmp(name, "a.weight") == 0 ? SIDE * SIDE : 4;
    assert_true(strata_param_count(p) <= 4 * SIDE * SIDE);
    for (uint32_t i = 0; i < rows * columns; i++) values[i] = value * sign[i % 4];
    OK(strata_plan_write_param(t->main.plan, p, values));
}

static void expect_first(strata_trainer *t, const char *wanted)
{
    const char *name = "";
    OK(trainer_first_not_finite(t, &name));
    assert_string_equal(name, wanted);
}

/* Outputs of `a` are alike, so those of `b` are 0, and the logits, too; but the way back grows in each layer,
 * until a gradient passes what a float holds: the first is where it is nearest to the loss. */
static void gradients_are_looked_at_from_the_loss(void **state)
{
    (void)state;
    static const char *const devices[] = { "cpu", "auto" };
    static const float alike[4] = { 1, 1, 1, 1 }, cancel[4] = { 1, -1, 0, 0 };
    static float pixels[PIXELS];
    static const int32_t labels[BATCH] = { 1, 1, 1, 1 };
    for (int i = 0; i < PIXELS; i++) pixels[i] = 1;
    for (int k = 0; k < 2; k++) {
        strata_device *d = open_device(devices[k], NULL);
        strata_trainer *t = open_trainer(d, chain, "1e-3", "");
        float loss;
        put_rows(t, "a.weight", 4, 0x1p28F, alike);
        put_rows(t, "a.bias", 0, 0, alike);
        put_rows(t, "b.weight", 4, 0x1p40F, cancel);
        put_rows(t, "b.bias", 0, 0, alike);
        put_rows(t, "fc.weight", 1, 0x1p100F, alike);
        put_rows(t, "fc.bias", 0, 0, alike);
        FAILS(strata_trainer_step(t, pixels, labels, BATCH, &loss), STRATA_NOT_FINITE, "not finite");
        assert_true(fabsf(loss - logf(CLASSES)) < 1e-5F);
        expect_first(t, "b.weight");
        /* Pads of the input hold anything; what is in it does not. */
        const strata_tensor *x = t->main.plan->graph->input;
        float *values = read_slice(d, x->data);
        for (int i = 0; i < PIXELS; i++)
            for (int c = 1; c < 4; c++) values[4 * i + c] = NAN;
        OK(strata_device_write(d, x->data, values));
        expect_first(t, "b.weight");
        values[4 * (PIXELS - 1)] = INFINITY;
        OK(strata_device_write(d, x->data, values));
        expect_first(t, "the input");
        free(values);
        strata_trainer_close(t);
        close_device(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_run_again_as_they_ran),
        cmocka_unit_test(gradients_are_looked_at_from_the_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Networks that begin with the weights of another task: which tensors are taken, and what becomes of the
 * first filters. */
#include "model/model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "folder.h"
#include "ok.h"

typedef struct network {
    strata_device *device;
    strata_model *model;
    strata_plan *plan;
} network;

static void network_as(network *n, uint32_t channels, uint32_t classes, bool new_head)
{
    const strata_device_config device = { .name = "cpu" };
    const strata_model_config model = { .model = "small-cnn",
                                        .input = { 2, 8, 8, channels },
                                        .classes = classes,
                                        .loss = true,
                                        .new_head = new_head };
    assert_int_equal(strata_device_open(&n->device, &device), STRATA_OK);
    assert_int_equal(strata_model_open(&n->model, &model), STRATA_OK);
    assert_int_equal(strata_plan_open(&n->plan, n->model->graph, n->device, &(strata_plan_config) { 0 }),
                     STRATA_OK);
}

static void network_of(network *n, uint32_t channels, uint32_t classes)
{
    network_as(n, channels, classes, false);
}

static void network_close(network *n)
{
    strata_plan_close(n->plan);
    strata_model_close(n->model);
    strata_device_close(n->device);
}

static void count(void *context, const char *tensor, strata_taken what, const char *shapes)
{
    (void)tensor, (void)shapes;
    ((uint32_t *)context)[what]++;
}

enum { FILTERS = 24 * 9, MOST_CHANNELS = 4 };

/* First filters [24, channels, 3, 3] after a transfer from a.safetensors; counts out: [STRATA_TAKENS]. */
static void transferred(float *w, uint32_t channels, uint32_t *counts)
{
    network n;
    network_of(&n, channels, 10);
    memset(counts, 0, STRATA_TAKENS * sizeof *counts);
    assert_int_equal(strata_model_init_plan(n.model, n.plan, 9), STRATA_OK);
    assert_int_equal(strata_model_transfer(n.model, n.plan, "a.safetensors", count, counts), STRATA_OK);
    assert_int_equal(
        strata_plan_read_param(n.plan, strata_graph_param(n.model->graph, "conv1.weight"), w, false),
        STRATA_OK);
    network_close(&n);
}

/* A grey image is seen as before: over its channels the filters have the same sum. */
static void first_filters_fit_other_channels(void **state)
{
    (void)state;
    network n;
    float from[MOST_CHANNELS * FILTERS], w[MOST_CHANNELS * FILTERS];
    uint32_t counts[STRATA_TAKENS];
    static const uint32_t cases[][2] = { { 1, 3 }, { 3, 1 }, { 3, 4 }, { 2, 4 }, { 4, 2 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint32_t m = cases[i][0], c = cases[i][1];
        network_of(&n, m, 10);
        assert_int_equal(strata_model_init_plan(n.model, n.plan, 5), STRATA_OK);
        assert_int_equal(strata_model_save(n.model, n.plan, "a.safetensors", 0, NULL, 0), STRATA_OK);
        assert_int_equal(
            strata_plan_read_param(n.plan, strata_graph_param(n.model->graph, "conv1.weight"), from, false),
            STRATA_OK);
        network_close(&n);
        transferred(w, c, counts);
        assert_int_equal(counts[STRATA_RESIZED], 1);
        assert_int_equal(counts[STRATA_MISSING] + counts[STRATA_WRONG_SHAPE] + counts[STRATA_UNEXPECTED], 0);
        for (uint32_t o = 0; o < 24; o++)
            for (uint32_t k = 0; k < 9; k++) {
                double sum = 0, size = 0;
                for (uint32_t j = 0; j < m; j++) sum += (double)from[(o * m + j) * 9 + k];
                for (uint32_t j = 0; j < m; j++) size += fabs((double)from[(o * m + j) * 9 + k]);
                for (uint32_t j = 0; j < c; j++) {
                    const double want = c == 1 ? sum : (double)from[(o * m + j % m) * 9 + k] * m / c;
                    assert_true(fabs((double)w[(o * c + j) * 9 + k] - want) <= 1e-6 * size);
                }
            }
    }
}

static void another_head_is_skipped(void **state)
{
    (void)state;
    network n;
    uint32_t counts[STRATA_TAKENS] = { 0 };
    network_of(&n, 1, 10);
    assert_int_equal(strata_model_init_plan(n.model, n.plan, 5), STRATA_OK);
    assert_int_equal(strata_model_save(n.model, n.plan, "a.safetensors", 0, NULL, 0), STRATA_OK);
    network_close(&n);
    network_of(&n, 1, 7);
    assert_int_equal(strata_model_transfer(n.model, n.plan, "a.safetensors", count, counts), STRATA_OK);
    assert_int_equal(counts[STRATA_WRONG_SHAPE], 2);
    assert_int_equal(counts[STRATA_TAKEN], n.model->graph->n_params - 2);
    network_close(&n);
}

static void read_param(float *values, const network *n, const char *name)
{
    OK(strata_plan_read_param(n->plan, strata_graph_param(n->model->graph, name), values, false));
}

/* As many classes, and others: where that is said, the last layer begins as the seed has it. */
static void head_of_other_classes_is_skipped(void **state)
{
    (void)state;
    network n;
    enum { HEAD = 10 * 256 };
    float theirs[HEAD], own[HEAD], now[HEAD], before[FILTERS], after[FILTERS];
    for (int anew = 0; anew < 2; anew++) {
        uint32_t counts[STRATA_TAKENS] = { 0 };
        network_of(&n, 1, 10);
        OK(strata_model_init_plan(n.model, n.plan, 5));
        OK(strata_model_save(n.model, n.plan, "a.safetensors", 0, NULL, 0));
        read_param(theirs, &n, "fc.weight");
        read_param(before, &n, "conv1.weight");
        network_close(&n);
        network_as(&n, 1, 10, anew);
        OK(strata_model_init_plan(n.model, n.plan, 9));
        read_param(own, &n, "fc.weight");
        OK(strata_model_transfer(n.model, n.plan, "a.safetensors", count, counts));
        read_param(now, &n, "fc.weight");
        read_param(after, &n, "conv1.weight");
        assert_memory_equal(now, anew ? own : theirs, sizeof now);
        assert_memory_equal(after, before, sizeof after);
        assert_int_equal(counts[STRATA_NEW_HEAD], anew ? 2 : 0);
        assert_int_equal(counts[STRATA_TAKEN], n.model->graph->n_params - counts[STRATA_NEW_HEAD]);
        network_close(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_filters_fit_other_channels),
        cmocka_unit_test(another_head_is_skipped),
        cmocka_unit_test(head_of_other_classes_is_skipped),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

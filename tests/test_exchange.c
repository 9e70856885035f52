/* Weights and networks of other programs, from files that these made (tests/oracle/exchange.py record):
 * torchvision's ResNet-18 gives torchvision's outputs, its names come back out, and an export is byte for
 * byte the one that onnx's checker, ONNX Runtime and OpenCV took. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/file.h"
#include "folder.h"
#include "model/weights_file.h"
#include "strata/strata.h"

enum { IMAGES = 2, SIDE = 64, CLASSES = 7, PIXELS = SIDE * SIDE * 3 };

#define GOLDEN SOURCE_DIR "/tests/golden/"

static void right(strata_status status)
{
    if (status != STRATA_OK) fail_msg("%s", strata_message());
}

/* The images of exchange.py, golden_images: [n,c,h,w] there, [n,h,w,c] here. */
static void make_images(float *pixels)
{
    for (int n = 0; n < IMAGES; n++)
        for (int c = 0; c < 3; c++)
            for (int i = 0; i < SIDE * SIDE; i++) {
                const double at = ((double)n * 3 + c) * SIDE * SIDE + i;
                pixels[(size_t)n * PIXELS + (size_t)i * 3 + (size_t)c] = (float)(2 * sin(at * 12.9898 + 0.5));
            }
}

static strata_trainer *open_resnet(strata_device **device, const char *name)
{
    const strata_task task = { .h = SIDE, .w = SIDE, .c = 3, .classes = CLASSES, .steps = 1 };
    strata_recipe *r;
    strata_trainer *t;
    right(strata_device_open(device, &(strata_device_config) { .name = name }));
    right(strata_recipe_open(&r));
    right(strata_recipe_set(r, "model", "resnet18"));
    right(strata_recipe_set(r, "batch", "2"));
    right(strata_trainer_open(&t, *device, r, &task));
    strata_recipe_close(r);
    return t;
}

static void check_outputs(strata_trainer *t, const char *weights)
{
    static float pixels[IMAGES * PIXELS];
    float got[IMAGES * CLASSES];
    char *bytes;
    size_t n;
    right(strata_file_read(&bytes, &n, GOLDEN "resnet18.logits"));
    assert_int_equal(n, sizeof got);
    const float *wanted = (const void *)bytes;
    float largest = 1;
    for (int i = 0; i < IMAGES * CLASSES; i++) largest = fmaxf(largest, fabsf(wanted[i]));
    right(strata_trainer_load(t, weights));
    make_images(pixels);
    right(strata_trainer_evaluate(t, pixels, NULL, IMAGES, got, NULL));
    for (int i = 0; i < IMAGES * CLASSES; i++)
        if (!(fabsf(got[i] - wanted[i]) <= 1e-5f * largest))
            fail_msg("%s, logit %d: %.7g, not %.7g", weights, i, (double)got[i], (double)wanted[i]);
    free(bytes);
}

/* The same tensors, whatever their order: `b` has every one of `a`, bit for bit. */
static void same_tensors(const char *a, const char *b)
{
    strata_weights_file *f, *g;
    right(strata_weights_open(&f, a));
    right(strata_weights_open(&g, b));
    assert_int_equal(f->n, g->n);
    assert_int_equal(f->n, 122);
    for (uint32_t i = 0; i < f->n; i++) {
        const strata_stored *t = &f->tensor[i], *u = strata_weights_find(g, t->name);
        if (!u) fail_msg("no %s in %s", t->name, b);
        assert_true(strata_stored_same_shape(t, u));
        if (t->dtype == STRATA_DTYPE_I64) continue; /* counters of batches */
        void *x = malloc((size_t)t->n_bytes), *y = malloc((size_t)u->n_bytes);
        assert_non_null(x);
        assert_non_null(y);
        right(strata_weights_read(f, t, x));
        right(strata_weights_read(g, u, y));
        if (memcmp(x, y, (size_t)t->n_bytes) != 0) fail_msg("%s differs", t->name);
        free(x);
        free(y);
    }
    strata_weights_close(f);
    strata_weights_close(g);
}

static void on_device(const char *name)
{
    strata_device *device;
    strata_trainer *t = open_resnet(&device, name);
    check_outputs(t, GOLDEN "resnet18.pth");
    right(strata_trainer_save(t, "saved.safetensors"));
    same_tensors(GOLDEN "resnet18.pth", "saved.safetensors");
    right(strata_convert(GOLDEN "resnet18.pth", "converted.safetensors", NULL, NULL, NULL, NULL));
    same_tensors(GOLDEN "resnet18.pth", "converted.safetensors");
    check_outputs(t, "converted.safetensors");
    strata_trainer_close(t);
    strata_device_close(device);
}

static void torchvision_on_cpu(void **state)
{
    (void)state;
    on_device("cpu");
}

static void torchvision_on_device(void **state)
{
    (void)state;
    strata_device *device;
    if (strata_device_open(&device, &(strata_device_config) { .name = "auto" }) != STRATA_OK) {
        print_message("skipped: %s\n", strata_message());
        skip();
    }
    strata_device_close(device);
    on_device("auto");
}

static void exports_the_same_bytes(void **state)
{
    (void)state;
    strata_recipe *r;
    strata_exported made;
    char *a, *b;
    size_t n, m;
    right(strata_recipe_open(&r));
    right(strata_recipe_set(r, "model", GOLDEN "ops.yaml"));
    right(strata_recipe_set(r, "normalize", "mean=0.485,0.456,0.406,std=0.229,0.224,0.225"));
    const strata_export_config config = { .recipe = r, .normalise = true };
    right(strata_export(GOLDEN "ops.safetensors", "ops.onnx", &config, &made));
    right(strata_file_read(&a, &n, "ops.onnx"));
    right(strata_file_read(&b, &m, GOLDEN "ops.onnx"));
    assert_int_equal(n, m);
    assert_int_equal(n, made.bytes);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
    strata_recipe_close(r);
}

static void refuses_exports(void **state)
{
    (void)state;
    strata_recipe *r;
    right(strata_recipe_open(&r));
    const strata_export_config config = { .recipe = r, .normalise = true };
    assert_int_equal(strata_export(GOLDEN "ops.safetensors", "ops.pb", &config, NULL), STRATA_BAD_ARG);
    assert_message("ops.pb: wanted a name that ends in .onnx");
    assert_int_equal(strata_export(GOLDEN "ops.safetensors", "no.onnx", &config, NULL), STRATA_BAD_ARG);
    assert_message("which model");
    right(strata_recipe_set(r, "model", GOLDEN "ops.yaml"));
    assert_int_equal(strata_export(GOLDEN "ops.safetensors", "no.onnx", &config, NULL), STRATA_BAD_ARG);
    assert_message("how its images are normalised");
    right(strata_recipe_set(r, "model", "small-cnn"));
    assert_int_equal(strata_export(GOLDEN "ops.safetensors", "no.onnx", NULL, NULL), STRATA_BAD_ARG);
    const strata_export_config plain = { .recipe = r };
    assert_int_equal(strata_export(GOLDEN "ops.safetensors", "no.onnx", &plain, NULL), STRATA_BAD_SHAPE);
    assert_message("ops.safetensors: no tensor 'conv1.weight'");
    assert_false(strata_path_exists("no.onnx"));
    strata_recipe_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torchvision_on_cpu),
        cmocka_unit_test(torchvision_on_device),
        cmocka_unit_test(exports_the_same_bytes),
        cmocka_unit_test(refuses_exports),
    };
    return cmocka_run_group_tests(tests, folder_enter, folder_leave);
}

/* What a pass of a 3x3 convolution costs with each of some variants, in turn: the best of ROUNDS, in GFLOP of
 * the direct sum for each second of the processor's time (times the cores, what idle ones give) and by the
 * clock, which on a GPU is its own.
 *
 *   conv_bench [ROUNDS [VARIANTS [CHANNELSxSIDE[xOUT] ...]]]
 *   default: 5 subgroup,winograd 64x32 128x16 256x8 512x4
 * STRATA_SHADER_DIR names a folder of shaders to take in the place of the built-in ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "graph/graph.h"

enum { IMAGES = 64, PIECES = 7, MAX_VARIANTS = 12, MAX_LAUNCHES = 64 };

typedef struct layer {
    strata_graph *graph;
    strata_node *node;
    strata_block block[PIECES];
    double gflop;
} layer;

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static strata_status take(strata_slice *out, strata_block *b, strata_device *d, uint64_t bytes, float value)
{
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    STRATA_TRY(strata_block_open(b, d, bytes, STRATA_MEMORY_DEVICE));
    *out = (strata_slice) { b, 0, bytes, false };
    return strata_device_fill(d, *out, word);
}

static strata_status layer_open(layer *l, strata_device *d, uint32_t c, uint32_t side, uint32_t out)
{
    char text[16];
    strata_tensor *y;
    snprintf(text, sizeof text, "%u", out);
    const strata_setting settings[] = { { "out", text }, { "kernel", "3" }, { "pad", "1" }, { "bias", "0" } };
    STRATA_TRY(strata_graph_open(&l->graph, (strata_shape) { IMAGES, side, side, c }));
    STRATA_TRY(strata_graph_add(l->graph, &y, "conv2d", "conv", &l->graph->input, 1, settings, 4));
    strata_node *n = l->node = l->graph->node[0];
    strata_tensor *x = l->graph->input;
    strata_param *w = n->param[0];
    l->gflop = 2e-9 * 9 * c * out * (double)strata_pixels(y->shape);
    STRATA_TRY(take(&x->data, &l->block[0], d, 4 * strata_shape_floats(x->shape), 0.5F));
    STRATA_TRY(take(&x->grad, &l->block[1], d, 4 * strata_shape_floats(x->shape), 0));
    STRATA_TRY(take(&y->data, &l->block[2], d, 4 * strata_shape_floats(y->shape), 0));
    STRATA_TRY(take(&y->grad, &l->block[3], d, 4 * strata_shape_floats(y->shape), 0.25F));
    STRATA_TRY(take(&w->data, &l->block[4], d, 4 * strata_param_floats(w), 0.125F));
    STRATA_TRY(take(&w->grad, &l->block[5], d, 4 * strata_param_floats(w), 0));
    return take(&n->scratch, &l->block[6], d, strata_op_most_scratch(n), 0);
}

static void layer_close(layer *l, strata_device *d)
{
    for (int i = 0; i < PIECES; i++) strata_block_close(&l->block[i], d);
    strata_graph_close(l->graph);
    *l = (layer) { 0 };
}

/* Pass 0 is forward, 1 the input's gradient, 2 the weights'. */
static strata_status record(strata_stream **out, strata_device *d, const layer *l, int pass,
                            const char *variant)
{
    strata_node *n = l->node;
    const strata_slice dx = n->in[0]->grad, dw = n->param[0]->grad, none = { 0 };
    STRATA_TRY(strata_stream_open(out, d));
    strata_stream_force(*out, variant);
    strata_stream_label(*out, n->name);
    n->in[0]->grad = pass == 1 ? dx : none;
    n->param[0]->grad = pass == 2 ? dw : none;
    strata_status status = pass ? n->op->backward(*out, n) : n->op->forward(*out, n, STRATA_TRAIN);
    n->in[0]->grad = dx;
    n->param[0]->grad = dw;
    STRATA_TRY(status);
    STRATA_TRY(strata_stream_end(*out));
    return strata_stream_run(*out); /* the driver compiles at the first run */
}

static strata_status measure(strata_device *d, const layer *l, int pass, char variants[][24], int rounds)
{
    static const char *const names[] = { "forward", "input gradient", "weight gradient" };
    strata_status status = STRATA_OK;
    strata_stream *s[MAX_VARIANTS] = { 0 };
    double cpu[MAX_VARIANTS], wall[MAX_VARIANTS];
    int n = 0;
    for (; n < MAX_VARIANTS && variants[n][0]; n++) {
        STRATA_GO(record(&s[n], d, l, pass, variants[n]));
        cpu[n] = wall[n] = 1e9;
    }
    for (int i = 0; i < rounds * n; i++) {
        const double start = seconds(CLOCK_MONOTONIC), spent = seconds(CLOCK_PROCESS_CPUTIME_ID);
        double launch[MAX_LAUNCHES], w = 0;
        if (!strata_device_caps(d)->cpu_type && strata_device_tells_time(d)) { /* without the submission */
            STRATA_GO(strata_stream_time(s[i % n], launch, false));
            for (uint32_t k = 0; k < MAX_LAUNCHES && strata_stream_recorded(s[i % n], k); k++) w += launch[k];
        } else {
            STRATA_GO(strata_stream_run(s[i % n]));
            w = seconds(CLOCK_MONOTONIC) - start;
        }
        const double c = seconds(CLOCK_PROCESS_CPUTIME_ID) - spent;
        if (c < cpu[i % n]) cpu[i % n] = c;
        if (w < wall[i % n]) wall[i % n] = w;
    }
    printf("  %-16s", names[pass]);
    for (int i = 0; i < n; i++)
        printf("  %s %.1f/cpu-s %.1f", variants[i], l->gflop / cpu[i], l->gflop / wall[i]);
    if (n > 1) printf("  x%.2f", cpu[0] / cpu[1]);
    printf("\n");
done:
    for (int i = 0; i < MAX_VARIANTS; i++) strata_stream_close(s[i]);
    return status;
}

int main(int argc, char **argv)
{
    static const char *const usual[] = { "64x32", "128x16", "256x8", "512x4" };
    strata_status status = STRATA_OK;
    strata_device *d = NULL;
    layer l = { 0 };
    char variants[MAX_VARIANTS + 1][24] = { "" };
    const int rounds = argc > 1 ? atoi(argv[1]) : 5, n = argc > 3 ? argc - 3 : 4;
    const char *list = argc > 2 ? argv[2] : "subgroup,winograd";
    for (int i = 0; i < MAX_VARIANTS && *list; i++) {
        const size_t length = strcspn(list, ",");
        snprintf(variants[i], sizeof variants[i], "%.*s", (int)length, list);
        list += length + (list[length] == ',');
    }
    STRATA_GO(strata_device_open(&d, &(strata_device_config) { .shader_dir = getenv("STRATA_SHADER_DIR") }));
    printf("%s, batch %d\n", strata_device_caps(d)->name, IMAGES);
    for (int i = 0; i < n; i++) {
        unsigned c = 0, side = 0, out = 0;
        const char *shape = argc > 3 ? argv[3 + i] : usual[i];
        if (sscanf(shape, "%ux%ux%u", &c, &side, &out) < 3) out = c;
        STRATA_GO(layer_open(&l, d, c, side, out));
        printf("%s: %.2f GFLOP\n", shape, l.gflop);
        for (int pass = 0; pass < 3; pass++) STRATA_GO(measure(d, &l, pass, variants, rounds));
        layer_close(&l, d);
    }
done:
    if (status != STRATA_OK) fprintf(stderr, "conv_bench: %s\n", strata_message());
    layer_close(&l, d);
    strata_device_close(d);
    return status == STRATA_OK ? 0 : 1;
}

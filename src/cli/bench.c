#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "strata/bench.h"
#include "strata/inspect.h"
#include "cli/terminal.h"

/* ---- Limits ------------------------------------------------------------------------------------ */

static void limits_json(const strata_limits *l)
{
    printf("{\"flops_per_s\": ");
    cli_json_number(l->flops_per_s);
    cli_json_key("bytes_per_s", false);
    cli_json_number(l->bytes_per_s);
    printf(", \"copies\": [");
    for (uint32_t i = 0; i < l->n_copies; i++) {
        printf("%s{\"bytes\": %.0f", i ? ", " : "", l->copy[i].bytes);
        cli_json_key("bytes_per_s", false);
        cli_json_number(l->copy[i].bytes_per_s);
        putchar('}');
    }
    putchar(']');
    cli_json_key("submit_s", false);
    cli_json_number(l->submit_s);
    cli_json_key("dispatch_s", false);
    cli_json_number(l->dispatch_s);
    printf(", \"timestamps\": %s}", l->timestamps ? "true" : "false");
}

static void limits_text(const strata_limits *l)
{
    printf("limits     %.1f GFLOP/s multiply-add, %.1f GB/s copy, %.0f us a submission, %.1f us a launch\n",
           1e-9 * l->flops_per_s, 1e-9 * l->bytes_per_s, 1e6 * l->submit_s, 1e6 * l->dispatch_s);
    printf("copies     ");
    for (uint32_t i = 0; i < l->n_copies; i++)
        printf("%s%.3g MiB at %.1f", i ? ", " : "", l->copy[i].bytes / 1048576,
               1e-9 * l->copy[i].bytes_per_s);
    printf(" GB/s, read and written\n");
    if (!l->timestamps)
        printf("           this queue has no timestamps: each launch is timed as a submission of its own\n");
}

static void device_json(const strata_caps *c)
{
    cli_json_text(c->name);
    cli_json_key("driver", false);
    cli_json_text(c->driver);
    cli_json_key("strata", false);
    cli_json_text(strata_version());
}

static void device_text(const strata_caps *c)
{
    printf("device     %s%s%s%s, strata %s\n", c->name, *c->driver ? " (" : "", c->driver,
           *c->driver ? ")" : "", strata_version());
}

static strata_status show_limits(const cli_arguments *a, bool json)
{
    const char *folder = strata_recipe_get(a->recipe, "shader-dir"),
               *clamps = strata_recipe_get(a->recipe, "limits");
    const strata_device_config config = { .name = strata_recipe_get(a->recipe, "device"),
                                          .shader_dir = *folder ? folder : NULL,
                                          .limits = *clamps ? clamps : NULL,
                                          .validate = strcmp(strata_recipe_get(a->recipe, "validate"),
                                                             "true") == 0 };
    strata_device *d = NULL;
    strata_limits limits;
    STRATA_TRY(strata_device_open(&d, &config));
    strata_status status = strata_device_measure(&limits, d, cli_option_given(a, "cpu-time") != NULL);
    if (status == STRATA_OK && json) {
        printf("{\"device\": ");
        device_json(strata_device_caps(d));
        printf(", \"limits\": ");
        limits_json(&limits);
        printf("}\n");
    } else if (status == STRATA_OK) {
        device_text(strata_device_caps(d));
        limits_text(&limits);
    }
    strata_device_close(d);
    return status;
}

/* ---- Lines ---------------------------------------------------------------------------------------- */

/* What part of the device's limits a line reaches. */
static double reached(const strata_bench_line *l) { return l->seconds > 0 ? l->limit_s / l->seconds : NAN; }

static bool wanted(const strata_bench_line *l, const char *op)
{
    return !op || strcmp(l->op, op) == 0 || strcmp(l->node, op) == 0;
}

static void line_json(const strata_bench_line *l, bool first)
{
    printf("%s  {\"node\": ", first ? "" : ",\n");
    cli_json_text(l->node);
    cli_json_key("op", false);
    cli_json_text(l->op);
    cli_json_key("phase", false);
    cli_json_text(l->phase);
    cli_json_key("pass", false);
    cli_json_text(l->pass);
    cli_json_key("variant", false);
    cli_json_text(l->variant);
    cli_json_key("shape", false);
    cli_json_text(l->shape);
    printf(", \"launches\": %u", (unsigned)l->launches);
    cli_json_key("seconds", false);
    cli_json_number(l->seconds);
    cli_json_key("flops", false);
    cli_json_number(l->flops);
    cli_json_key("bytes", false);
    cli_json_number(l->bytes);
    cli_json_key("of_limit", false);
    cli_json_number(reached(l));
    putchar('}');
}

static void number_json(const char *key, double v)
{
    cli_json_key(key, false);
    cli_json_number(v);
}

static void whole_json(const strata_bench *b, const char *op)
{
    bool first = true;
    printf("{\"device\": ");
    device_json(&b->caps);
    cli_json_key("model", false);
    cli_json_text(b->model);
    printf(", \"batch\": %u, \"micro_batch\": %u, \"image\": [%u, %u, %u]", (unsigned)b->batch,
           (unsigned)b->micro_batch, (unsigned)b->h, (unsigned)b->w, (unsigned)b->c);
    printf(", \"classes\": %u, \"steps\": %u, \"parameters\": %llu", (unsigned)b->classes, (unsigned)b->steps,
           (unsigned long long)b->parameters);
    printf(", \"processor_time\": %s", b->processor_time ? "true" : "false");
    number_json("train_images_per_s", b->train_images_per_s);
    number_json("infer_images_per_s", b->infer_images_per_s);
    number_json("train_s", b->train_s);
    number_json("infer_s", b->infer_s);
    number_json("train_cpu_s", b->cpu_s);
    number_json("infer_cpu_s", b->infer_cpu_s);
    number_json("host_s", b->host_s);
    number_json("train_kernel_s", b->kernel_s);
    number_json("infer_kernel_s", b->infer_kernel_s);
    number_json("outside_kernels", b->outside);
    number_json("open_s", b->open_s);
    number_json("start_s", b->start_s);
    printf(", \"memory_bytes\": %llu, \"least_memory_bytes\": %llu,\n \"limits\": ",
           (unsigned long long)b->memory, (unsigned long long)b->least_memory);
    limits_json(&b->limits);
    printf(",\n \"lines\": [\n");
    for (uint32_t i = 0; i < b->n_lines; i++) {
        if (!wanted(&b->line[i], op)) continue;
        line_json(&b->line[i], first);
        first = false;
    }
    printf("%s]}\n", first ? "" : "\n");
}

static void head(const char *first, int width, const char *last)
{
    printf("\n%s%-*s  %-5s  %-10s  %-9s  %9s  %6s  %9s  %7s  %6s%s%s%s\n", cli_style_begin(stdout, CLI_BOLD),
           width, first, "phase", "pass", "variant", "ms", "share", "GFLOP/s", "GB/s", "limit",
           *last ? "  " : "", last, cli_style_end(stdout));
}

static void line_text(const strata_bench *b, const strata_bench_line *l, const char *first, int width,
                      const char *last)
{
    const double whole = strcmp(l->phase, "train") == 0 ? b->kernel_s : b->infer_kernel_s;
    printf("%-*s  %-5s  %-10s  %-9s  %9.3f  %4.1f %%  %9.2f  %7.2f  %4.0f %%%s%s\n", width, first, l->phase,
           l->pass, l->variant, 1e3 * l->seconds, 100 * l->seconds / whole, 1e-9 * l->flops / l->seconds,
           1e-9 * l->bytes / l->seconds, 100 * reached(l), *last ? "  " : "", last);
}

/* One line for each layer. */
static void layers_text(const strata_bench *b, const char *op)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < b->n_lines; i++) {
        if (!wanted(&b->line[i], op)) continue;
        if (shown++ == 0) head("layer", 24, "shape");
        line_text(b, &b->line[i], b->line[i].node, 24, b->line[i].shape);
    }
}

static int slower_first(const void *a, const void *b)
{
    const strata_bench_line *x = a, *y = b;
    return x->seconds < y->seconds ? 1 : x->seconds > y->seconds ? -1 : 0;
}

/* One line for each operation and pass: the sums over the layers that use one variant. */
static strata_status sums_text(const strata_bench *b)
{
    strata_bench_line *sum = calloc(b->n_lines ? b->n_lines : 1, sizeof *sum);
    uint32_t n = 0;
    if (!sum) return cli_fail(STRATA_NO_MEMORY, "no memory for a table");
    for (uint32_t i = 0; i < b->n_lines; i++) {
        const strata_bench_line *l = &b->line[i];
        uint32_t k = 0;
        while (k < n && (strcmp(sum[k].op, l->op) != 0 || strcmp(sum[k].phase, l->phase) != 0 ||
                         strcmp(sum[k].pass, l->pass) != 0 || strcmp(sum[k].variant, l->variant) != 0))
            k++;
        if (k == n) {
            sum[n++] = *l;
            continue;
        }
        sum[k].launches += l->launches;
        sum[k].seconds += l->seconds;
        sum[k].flops += l->flops;
        sum[k].bytes += l->bytes;
        sum[k].limit_s += l->limit_s;
    }
    qsort(sum, n, sizeof *sum, slower_first);
    for (int infer = 0; infer < 2; infer++) {
        head("operation", 17, "launches");
        for (uint32_t k = 0; k < n; k++) {
            char launches[16];
            if ((strcmp(sum[k].phase, "infer") == 0) != infer) continue;
            snprintf(launches, sizeof launches, "%u", (unsigned)sum[k].launches);
            line_text(b, &sum[k], sum[k].op, 17, launches);
        }
    }
    free(sum);
    return STRATA_OK;
}

static strata_status whole_text(const strata_bench *b, bool layers, const char *op)
{
    device_text(&b->caps);
    limits_text(&b->limits);
    printf("model      %s, batch %u", b->model, (unsigned)b->batch);
    if (b->micro_batch < b->batch) printf(" in parts of %u", (unsigned)b->micro_batch);
    printf(", %ux%ux%u, %u %s: %llu %s\n", (unsigned)b->h, (unsigned)b->w, (unsigned)b->c,
           (unsigned)b->classes, strata_noun(b->classes, "class", "classes"),
           (unsigned long long)b->parameters, strata_noun(b->parameters, "parameter", "parameters"));
    printf("training   %.1f images/s: %.1f ms a step (%.2f s of processor time), ", b->train_images_per_s,
           1e3 * b->train_s, b->cpu_s);
    if (b->outside > 0)
        printf("%.1f %% of it in no kernel, ", 100 * b->outside);
    else
        printf("all of it in kernels, ");
    printf("%.0f us host work\n", 1e6 * b->host_s);
    printf("inference  %.1f images/s: %.1f ms a batch (%.2f s of processor time)\n", b->infer_images_per_s,
           1e3 * b->infer_s, b->infer_cpu_s);
    printf("memory     %.1f MiB; at least %.1f MiB are alive at once\n", (double)b->memory / 1048576,
           (double)b->least_memory / 1048576);
    if (b->processor_time)
        printf("times      of kernels and limits are processor time: rates are for a second of one core\n");
    printf("start      %.2f s to the recordings, %.2f s to the end of the first step\n", b->open_s,
           b->start_s);
    if (!layers) return sums_text(b);
    layers_text(b, op);
    return STRATA_OK;
}

/* ---- The command ------------------------------------------------------------------------------------ */

static strata_status sizes(strata_bench_config *c, const cli_arguments *a)
{
    STRATA_TRY(cli_number(&c->h, a, "size", 32, 1 << 14));
    c->w = c->h;
    STRATA_TRY(cli_number(&c->c, a, "channels", 3, 4096));
    STRATA_TRY(cli_number(&c->classes, a, "classes", 10, 1 << 20));
    return cli_number(&c->steps, a, "steps", 8, 120);
}

static strata_status run(cli_arguments *a)
{
    const bool json = cli_option_given(a, "json") != NULL;
    const char *given = cli_option_given(a, "op"), *op = given && strcmp(given, "all") == 0 ? NULL : given;
    const strata_bench *b = NULL;
    strata_bench_config config = { .recipe = a->recipe,
                                   .wanted = op,
                                   .processor_time = cli_option_given(a, "cpu-time") != NULL };
    const char *clamp = cli_option_given(a, "clamp");
    STRATA_TRY(cli_check_output());
    STRATA_TRY(sizes(&config, a));
    if (clamp) STRATA_TRY(strata_recipe_set(a->recipe, "limits", clamp));
    if (cli_option_given(a, "limits")) return show_limits(a, json);
    config.note = cli_note_lines;
    config.interrupt = cli_interrupt_begin();
    STRATA_TRY(strata_bench_open(&b, &config));
    strata_status status = STRATA_OK;
    if (b->tuned) cli_note_lines(b->tuned); /* beside a result in JSON, too */
    if (json)
        whole_json(b, op);
    else
        status = whole_text(b, given != NULL, op);
    strata_bench_close(b);
    return status;
}

static const cli_option options[] = {
    { 0, "limits", NULL, "only measure what the device does at best" },
    { 0, "json", NULL, "as JSON: every layer, pass and figure, in seconds, flops and bytes" },
    { 0, "op", "NAME", "a line for each layer of one operation, or for one layer; all: every layer" },
    { 0, "size", "N", "height and width of an image [32]" },
    { 0, "channels", "N", "of an image [3]" },
    { 0, "classes", "N", "that images may belong to [10]" },
    { 0, "cpu-time", NULL,
      "time launches by the processor time they take: for software devices on a busy machine" },
    { 0, "steps", "N", "timed training steps, and batches of inference [8]" },
    { 0, "clamp", "LIST", "pretend to a smaller device, as --limits of train: range=BYTES,texels=N,..." },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_bench = {
    .name = "bench",
    .summary = "measure training and inference, layer by layer, beside what the device does at best",
    .synopsis = "[--model NAME] [--batch N] [--size N] [--op NAME] [--json]",
    .examples = "strata bench --model resnet18 --stem small --batch 64 --size 32\n"
                "strata bench --model resnet18 --stem small --op conv2d\n"
                "strata bench --limits",
    .text =
        "Trains a network on made-up images as a run does, and in turn with these steps runs the same "
        "kernels with a time for each. GFLOP/s and GB/s count the least that a pass has to do by its "
        "shapes, however it is computed; limit is the larger share of the two in what shaders that only "
        "multiply and add, or only copy as many bytes, were seen to do at best on this device. On a "
        "software device the processor time of a step is its work, whatever else the machine is doing. "
        "Inference is timed as a run validates; evaluate and predict add up as --exact does. A relu "
        "behind a convolution masks the gradient that both of its backward passes read: that is BACKWARD "
        "of the convolution, and no part of BACKWARD_W or BACKWARD_X.\n"
        "\n"
        "With --json: device, driver, strata; model, batch, micro_batch, image (height, width, channels), "
        "classes, steps, parameters, processor_time (of lines and limits); train_images_per_s and "
        "infer_images_per_s, medians; train_s and infer_s of a step and of a batch, train_cpu_s and "
        "infer_cpu_s in processor time, host_s of it the host's own work; train_kernel_s and "
        "infer_kernel_s, the sums of the lines, outside_kernels, the share of a step in none (at least 0: "
        "kernels are timed one by one, and may overlap in a step); open_s and start_s; memory_bytes and "
        "least_memory_bytes; limits (flops_per_s, bytes_per_s, copies, submit_s, dispatch_s, timestamps); "
        "and lines, each of one pass of one layer: node, op, phase (train, infer), pass, variant, shape, "
        "launches, seconds, flops, bytes, of_limit. Seconds, launches, flops and bytes are of a whole "
        "step, or batch, and a shape is of a micro-batch. Keys may be added, and none is renamed.",
    .options = options,
    .keys = "model stem head opt momentum lr clip-norm batch micro-batch recompute seed precision device "
            "variants tune exact no-fuse shader-dir validate",
    .run = run,
};

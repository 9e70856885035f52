/* What the rates table and trust ratios cost, on ResNet-18's parameters: an optimizer that looks its row up
 * for each block against the same kernel with one row for all, and LARS and LAMB against SGD and AdamW, by
 * the whole step. Pairs are run in turn; processor time (of all threads: what a software device works) and
 * time on the clock.
 *
 *   update_bench [PAIRS [BATCH [DEVICE]]]  default: 20 64 auto; images of 32x32, small stem */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "train/trainer.h"

static const char *const names[] = { "sgd", "adam", "adamw", "lars", "lamb" };

typedef struct cost {
    double cpu, wall;
} cost;

static cost now(void)
{
    struct timespec cpu, wall;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    clock_gettime(CLOCK_MONOTONIC, &wall);
    return (cost) { (double)cpu.tv_sec + 1e-9 * (double)cpu.tv_nsec,
                    (double)wall.tv_sec + 1e-9 * (double)wall.tv_nsec };
}

static cost since(cost start)
{
    const cost end = now();
    return (cost) { end.cpu - start.cpu, end.wall - start.wall };
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, uint32_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* ---- Steps of an optimizer alone --------------------------------------------------------------- */

static strata_status record(strata_stream **out, const strata_plan *p, strata_optimizer optimizer,
                            const char *defines)
{
    const bool second = optimizer != STRATA_SGD && optimizer != STRATA_LARS;
    const strata_update u = {
        .weights = p->weights,
        .grads = p->grads,
        .moment1 = p->moment1,
        .moment2 = second ? p->moment2 : (strata_slice) { 0 },
        .owner = p->owner,
        .rates = p->rates,
        .state = p->state,
        .scratch = p->scratch,
        .blocks = (uint32_t)(p->owner.bytes / 4),
        .pieces = p->pieces,
        .piece = p->piece,
        .n_pieces = p->n_pieces,
        .rows = p->graph->n_rows,
        .trust = p->trust,
        .trust_coefficient = 1e-3F,
        .defines = defines,
    };
    STRATA_TRY(strata_stream_open(out, p->device));
    strata_stream_label(*out, names[optimizer]);
    STRATA_TRY(strata_update_step(*out, &u, optimizer));
    return strata_stream_end(*out);
}

static strata_status run_once(strata_stream *s, cost *out)
{
    const cost start = now();
    STRATA_TRY(strata_stream_run(s));
    *out = since(start);
    return STRATA_OK;
}

/* Two recordings in turn, which of them first by turns: medians of the second's cost by the first's, and of
 * what the second takes longer. */
static strata_status compare(strata_stream *const s[2], uint32_t pairs, cost *ratio, cost *longer)
{
    strata_status status = STRATA_OK;
    double *v = calloc(4 * (size_t)pairs, sizeof *v);
    cost c[2];
    if (!v) return strata_fail(STRATA_NO_MEMORY, "no memory for %u pairs", (unsigned)pairs);
    for (uint32_t i = 0; i < pairs + 2; i++) { /* the first two touch memory */
        const uint32_t first = i % 2;
        STRATA_GO(run_once(s[first], &c[first]));
        STRATA_GO(run_once(s[!first], &c[!first]));
        if (i < 2) continue;
        v[i - 2] = c[1].cpu / c[0].cpu;
        v[pairs + i - 2] = c[1].wall / c[0].wall;
        v[2 * pairs + i - 2] = c[1].cpu - c[0].cpu;
        v[3 * pairs + i - 2] = c[1].wall - c[0].wall;
    }
    *ratio = (cost) { median(v, pairs), median(v + pairs, pairs) };
    *longer = (cost) { median(v + 2 * pairs, pairs), median(v + 3 * pairs, pairs) };
done:
    free(v);
    return status;
}

static strata_status pair(const strata_plan *p, const strata_optimizer o[2], const char *defines,
                          uint32_t pairs, cost out[2])
{
    strata_status status = STRATA_OK;
    strata_stream *s[2] = { NULL, NULL };
    STRATA_GO(record(&s[0], p, o[0], defines));
    STRATA_GO(record(&s[1], p, o[1], ""));
    STRATA_GO(compare(s, pairs, &out[0], &out[1]));
done:
    strata_stream_close(s[0]);
    strata_stream_close(s[1]);
    return status;
}

/* ---- Whole steps ----------------------------------------------------------------------------------- */

static strata_status one_step(strata_trainer *t)
{
    engine_input in;
    trainer_result result;
    bool got = true;
    STRATA_TRY(trainer_begin(t, t->batch, t->batch, true, 0, &in));
    const strata_shape s = t->main.model->graph->input->shape;
    for (size_t k = 0; k < strata_shape_floats(s); k++) in.pixels[k] = (float)(k % 17) / 17;
    for (uint32_t k = 0; k < s.n; k++) {
        in.labels[k] = (int32_t)(k % t->task.classes);
        in.weights[k] = 1.0f / (float)s.n;
    }
    STRATA_TRY(trainer_submit(t));
    return trainer_take(t, true, &result, &got);
}

static strata_status whole_step(strata_trainer *t, cost *out)
{
    enum { STEPS = 3 };
    double cpu[STEPS], wall[STEPS];
    STRATA_TRY(one_step(t));
    for (int i = 0; i < STEPS; i++) {
        const cost start = now();
        STRATA_TRY(one_step(t));
        const cost c = since(start);
        cpu[i] = c.cpu, wall[i] = c.wall;
    }
    *out = (cost) { median(cpu, STEPS), median(wall, STEPS) };
    return STRATA_OK;
}

/* ---- The command -------------------------------------------------------------------------------------- */

/* Rows that differ, as in a sliced run: the look-up must fetch them. */
static strata_status set_rates(const strata_plan *p)
{
    const uint32_t n = p->graph->n_rows;
    strata_rate *row = calloc(n, sizeof *row);
    if (!row) return strata_fail(STRATA_NO_MEMORY, "no memory for the rates");
    for (uint32_t i = 0; i < n; i++)
        row[i] = (strata_rate) { .lr = 1e-9F * (float)(i + 1),
                                 .momentum = 0.9F,
                                 .beta2 = 0.999F,
                                 .eps = 1e-6F,
                                 .weight_decay = 1e-2F,
                                 .correction1 = 1,
                                 .correction2 = 1,
                                 .flags = STRATA_RATE_ACTIVE | STRATA_RATE_TRUST };
    strata_status status = strata_device_write(p->device, p->rates, row);
    free(row);
    return status;
}

static strata_status measure(strata_trainer *t, uint32_t pairs)
{
    const strata_plan *p = t->main.plan;
    cost step, out[2];                /* ratio, longer */
    STRATA_TRY(whole_step(t, &step)); /* also fills the gradients */
    STRATA_TRY(set_rates(p));
    printf("the rates table against one row for all, %u pairs: processor time, time\n", (unsigned)pairs);
    for (int o = STRATA_SGD; o <= STRATA_ADAMW; o += STRATA_ADAMW) {
        STRATA_TRY(pair(p, (const strata_optimizer[]) { o, o }, "ONE_ROW=1", pairs, out));
        printf("  %-6s %.4f %.4f\n", names[o], out[0].cpu, out[0].wall);
    }
    printf("a step of %u images: %.1f ms processor time, %.1f ms; trust ratios take of it\n",
           (unsigned)t->batch, 1e3 * step.cpu, 1e3 * step.wall);
    for (int o = STRATA_LARS; o <= STRATA_LAMB; o++) {
        const strata_optimizer without = o == STRATA_LARS ? STRATA_SGD : STRATA_ADAMW;
        STRATA_TRY(pair(p, (const strata_optimizer[]) { without, o }, "", pairs, out));
        printf("  %-6s %6.2f ms %5.2f %%  %6.2f ms %5.2f %%  more than %s (%.2f, %.2f times)\n", names[o],
               1e3 * out[1].cpu, 100 * out[1].cpu / step.cpu, 1e3 * out[1].wall,
               100 * out[1].wall / step.wall, names[without], out[0].cpu, out[0].wall);
    }
    return STRATA_OK;
}

int main(int argc, char **argv)
{
    strata_status status = STRATA_OK;
    strata_recipe *r = NULL;
    strata_device *d = NULL;
    strata_trainer *t = NULL;
    const uint32_t pairs = argc > 1 && atoi(argv[1]) > 0 ? (uint32_t)atoi(argv[1]) : 20;
    const strata_task task = { 32, 32, 3, 10, 100, 0 };
    STRATA_GO(strata_recipe_open(&r));
    STRATA_GO(strata_recipe_set(r, "model", "resnet18"));
    STRATA_GO(strata_recipe_set(r, "stem", "small"));
    STRATA_GO(strata_recipe_set(r, "opt", "lamb"));
    STRATA_GO(strata_recipe_set(r, "batch", argc > 2 ? argv[2] : "64"));
    STRATA_GO(strata_device_open(&d, &(strata_device_config) { .name = argc > 3 ? argv[3] : "auto" }));
    STRATA_GO(strata_trainer_open(&t, d, r, &task));
    printf("%s | resnet18 32x32x3\n", strata_device_caps(d)->name);
    STRATA_GO(measure(t, pairs));
done:
    if (status != STRATA_OK) fprintf(stderr, "update_bench: %s\n", strata_message());
    strata_trainer_close(t);
    strata_device_close(d);
    strata_recipe_close(r);
    return strata_status_exit_code(status);
}

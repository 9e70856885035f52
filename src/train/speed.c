/* strata_bench: steps as a run takes them, and in turn with them the same launches timed one by one. */
#include "train/speed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/median.h"
#include "core/nearest.h"
#include "train/recipe.h"
#include "train/trainer.h"

enum { AHEAD = 2 }; /* steps of a round, in flight together as in a run */

/* What is behind the public struct. */
typedef struct bench_inside {
    strata_bench shown; /* the first member: strata_bench_close is given its address */
    strata_device *device;
    strata_recipe *recipe;
    strata_trainer *trainer;
    speed_table table;
    strata_text tuned;
    const volatile int *interrupt;
    double host;                            /* processor time of the host's work so far */
    uint64_t host_steps, trained, inferred; /* steps; micro-batches submitted */
    float *pixels;                          /* [batch, h, w, c] */
    int32_t *labels;
} bench_inside;

static strata_status no_memory(void) { return strata_fail(STRATA_NO_MEMORY, "no memory for a bench"); }

/* Asked before each step: the first ones compile kernels, and take minutes where drivers are slow. */
static strata_status check_interrupt(const bench_inside *b)
{
    if (!b->interrupt || !*b->interrupt) return STRATA_OK;
    return strata_fail(STRATA_INTERRUPTED, "the bench was interrupted");
}

/* ---- Steps -------------------------------------------------------------------------------------- */

/* Fill a ring's slot while it is new. A loader thread does this beside a run's steps; the slots keep what was
 * written. */
static void fill(const bench_inside *b, const engine_input *in, uint64_t submitted, uint32_t part)
{
    const strata_trainer *t = b->trainer;
    const size_t first = (size_t)part * t->micro, image = (size_t)b->shown.h * b->shown.w * b->shown.c;
    if (submitted < STRATA_RING_SLOTS)
        engine_put(&t->main, in, b->pixels + first * image, b->labels + first, t->micro,
                   1.0f / (float)t->batch);
}

static strata_status one_step(bench_inside *b)
{
    strata_trainer *t = b->trainer;
    engine_input in;
    trainer_result result;
    for (uint32_t part = 0; part < t->parts; part++) {
        double from = strata_thread_time();
        STRATA_TRY(trainer_begin(t, t->micro, t->batch, part + 1 == t->parts, 0, &in));
        b->host += strata_thread_time() - from;
        fill(b, &in, b->trained++, part);
        from = strata_thread_time();
        STRATA_TRY(trainer_submit(t));
        for (bool got = true; got;) STRATA_TRY(trainer_take(t, false, &result, &got));
        b->host += strata_thread_time() - from;
    }
    b->host_steps++;
    return STRATA_OK;
}

static strata_status train(bench_inside *b, uint32_t steps)
{
    trainer_result result;
    for (uint32_t i = 0; i < steps; i++) {
        STRATA_TRY(check_interrupt(b));
        STRATA_TRY(one_step(b));
    }
    for (bool got = true; got;) STRATA_TRY(trainer_take(b->trainer, true, &result, &got));
    return STRATA_OK;
}

static strata_status infer(bench_inside *b, uint32_t batches)
{
    engine *e = &b->trainer->main;
    const void *bytes;
    uint64_t number;
    const uint32_t parts = b->trainer->parts;
    STRATA_TRY(engine_evaluate_ring(e));
    for (uint32_t i = 0; i < batches * parts; i++) {
        void *in;
        STRATA_TRY(check_interrupt(b));
        STRATA_TRY(strata_ring_begin(e->evaluate, &in));
        do STRATA_TRY(strata_ring_result(e->evaluate, false, &number, &bytes));
        while (bytes);
        const engine_input input = engine_parts(e, in);
        fill(b, &input, b->inferred++, i % parts);
        STRATA_TRY(strata_plan_submit_evaluate(e->plan, e->evaluate));
    }
    do STRATA_TRY(strata_ring_result(e->evaluate, true, &number, &bytes));
    while (bytes);
    return STRATA_OK;
}

/* A step or a batch with the time of each launch. */
static strata_status launches(bench_inside *b, uint32_t round, bool training, double *sum)
{
    STRATA_TRY(check_interrupt(b));
    return speed_table_round(&b->table, round, training, sum);
}

/* Some steps as in a run, then one with the time of each launch; so in turn, that both meet the same
 * disturbances of a machine.
 *   least  out: the shortest step, by the clock that launches are timed by */
static strata_status rounds(bench_inside *b, bool training, double *step, double *cpu, double *least)
{
    strata_bench *s = &b->shown;
    double wall[SPEED_ROUNDS], busy[SPEED_ROUNDS], sum;
    uint32_t n = (s->steps + AHEAD - 1) / AHEAD;
    if (n > SPEED_ROUNDS) n = SPEED_ROUNDS;
    const uint32_t each = (s->steps + n - 1) / n;
    *least = INFINITY;
    for (uint32_t i = 0; i < n; i++) {
        const double from = strata_now(), cpu_from = strata_process_time();
        STRATA_TRY(training ? train(b, each) : infer(b, each));
        wall[i] = (strata_now() - from) / each;
        busy[i] = (strata_process_time() - cpu_from) / each;
        STRATA_TRY(launches(b, i, training, &sum));
        *least = fmin(*least, b->table.processor ? busy[i] : wall[i]);
    }
    *step = strata_median(wall, n);
    *cpu = strata_median(busy, n);
    return STRATA_OK;
}

/* ---- Opening ------------------------------------------------------------------------------------- */

static strata_status make_images(bench_inside *b)
{
    const strata_bench *s = &b->shown;
    const size_t n = (size_t)s->batch * s->h * s->w * s->c;
    b->pixels = malloc(n * sizeof *b->pixels);
    b->labels = malloc(s->batch * sizeof *b->labels);
    if (!b->pixels || !b->labels) return no_memory();
    for (size_t i = 0; i < n; i++) b->pixels[i] = (float)(i * 2654435761u % 1000) / 1000;
    for (uint32_t i = 0; i < s->batch; i++) b->labels[i] = (int32_t)(i % s->classes);
    return STRATA_OK;
}

/* Is a line asked for that there will be? Better asked before the measuring than after it. */
static strata_status check_wanted(const speed_table *t, const char *wanted)
{
    enum { MOST = 1024 };
    const char *names[MOST];
    uint32_t n = 0;
    for (uint32_t i = 0; wanted && i < t->n; i++) {
        const strata_bench_line *l = &t->line[i];
        if (strcmp(l->op, wanted) == 0 || strcmp(l->node, wanted) == 0) return STRATA_OK;
        if (n + 2 <= MOST) names[n++] = l->op, names[n++] = l->node;
    }
    if (!wanted) return STRATA_OK;
    const char *near = strata_nearest(wanted, names, n);
    return strata_fail(STRATA_BAD_ARG, "--op %s: the network has no such operation or layer%s%s%s", wanted,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static strata_status open_trainer(bench_inside *b, const char *wanted, void (*note)(const char *))
{
    strata_bench *s = &b->shown;
    const strata_recipe *r = b->recipe;
    const char *folder = strata_recipe_get(r, "shader-dir"), *limits = strata_recipe_get(r, "limits");
    const strata_device_config device = { .name = strata_recipe_get(r, "device"),
                                          .shader_dir = *folder ? folder : NULL,
                                          .limits = *limits ? limits : NULL,
                                          .validate = recipe_flag(r, "validate") };
    const strata_task task = { s->h, s->w, s->c, s->classes, 1000000, 0 };
    const double from = strata_now();
    STRATA_TRY(strata_device_open(&b->device, &device));
    if (note && trainer_tuning(r)) note(trainer_tuning(r));
    STRATA_TRY(strata_trainer_open(&b->trainer, b->device, r, &task));
    const strata_trainer *t = b->trainer;
    s->open_s = strata_now() - from;
    s->caps = *strata_device_caps(b->device);
    s->batch = t->batch;
    s->micro_batch = t->micro;
    s->model = t->main.model->name;
    trainer_tuned(&b->tuned, t);
    if (b->tuned.failed) return no_memory();
    s->tuned = b->tuned.s;
    s->parameters = strata_graph_param_count(t->main.model->graph);
    STRATA_TRY(speed_table_open(&b->table, t->main.plan, s->processor_time));
    STRATA_TRY(check_wanted(&b->table, wanted));
    STRATA_TRY(make_images(b));
    const double images = strata_now();
    STRATA_TRY(train(b, 1));
    s->start_s = s->open_s + strata_now() - images;
    return STRATA_OK;
}

static strata_status measure(bench_inside *b)
{
    strata_bench *s = &b->shown;
    double least, least_infer, sum;
    STRATA_TRY(train(b, STRATA_RING_SLOTS)); /* every slot is filled, and memory touched */
    STRATA_TRY(launches(b, SPEED_ROUNDS - 1, true, &sum));
    STRATA_TRY(infer(b, 1));
    STRATA_TRY(launches(b, SPEED_ROUNDS - 1, false, &sum));
    b->host = 0;
    const uint64_t before = b->host_steps;
    STRATA_TRY(rounds(b, true, &s->train_s, &s->cpu_s, &least));
    s->host_s = b->host / (double)(b->host_steps - before);
    STRATA_TRY(rounds(b, false, &s->infer_s, &s->infer_cpu_s, &least_infer));
    STRATA_TRY(check_interrupt(b));
    STRATA_TRY(strata_device_measure(&s->limits, b->device, s->processor_time));
    speed_table_end(&b->table, (s->steps + AHEAD - 1) / AHEAD, &s->limits);
    for (uint32_t i = 0; i < b->table.n; i++)
        *(strcmp(b->table.line[i].phase, "train") == 0 ? &s->kernel_s
                                                       : &s->infer_kernel_s) += b->table.line[i].seconds;
    s->outside = speed_outside(least, s->kernel_s);
    s->train_images_per_s = s->batch / s->train_s;
    s->infer_images_per_s = s->batch / s->infer_s;
    s->memory = strata_trainer_memory(b->trainer);
    s->least_memory = b->trainer->main.plan->least_bytes + (s->memory - b->trainer->main.plan->device_bytes);
    s->line = b->table.line;
    s->n_lines = b->table.n;
    return STRATA_OK;
}

strata_status strata_bench_open(const strata_bench **out, const strata_bench_config *config)
{
    strata_status status = STRATA_OK;
    *out = NULL;
    bench_inside *b = calloc(1, sizeof *b);
    if (!b) return no_memory();
    b->interrupt = config->interrupt;
    b->shown = (strata_bench) { .h = config->h ? config->h : 32,
                                .w = config->w ? config->w : 32,
                                .c = config->c ? config->c : 3,
                                .classes = config->classes ? config->classes : 10,
                                .steps = config->steps ? config->steps : 8,
                                .processor_time = config->processor_time };
    if (b->shown.steps > AHEAD * (SPEED_ROUNDS - 1)) b->shown.steps = AHEAD * (SPEED_ROUNDS - 1);
    STRATA_GO(recipe_copy(&b->recipe, config->recipe));
    STRATA_GO(strata_recipe_set(b->recipe, "schedule", "constant"));
    STRATA_GO(open_trainer(b, config->wanted, config->note));
    STRATA_GO(measure(b));
    *out = &b->shown;
    return STRATA_OK;
done:
    strata_bench_close(&b->shown);
    return status;
}

void strata_bench_close(const strata_bench *shown)
{
    bench_inside *b = (bench_inside *)(uintptr_t)shown;
    if (!b) return;
    speed_table_free(&b->table);
    strata_text_free(&b->tuned);
    strata_trainer_close(b->trainer);
    strata_device_close(b->device);
    strata_recipe_close(b->recipe);
    free(b->pixels);
    free(b->labels);
    free(b);
}

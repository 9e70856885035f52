#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "graph/settings.h"
#include "ops/update.h"
#include "train/speed.h"

static const int parts[SPEED_PARTS] = { STRATA_PART_FIRST, STRATA_PART_NEXT, STRATA_PART_UPDATE,
                                        STRATA_PART_EVALUATE };

/* Micro-batches of a step: how often a pass of a layer runs in it. */
static uint32_t micro_batches(const strata_plan *p)
{
    return p->config.micro_batches ? p->config.micro_batches : 1;
}

static strata_status no_memory(void) { return strata_fail(STRATA_NO_MEMORY, "no memory for the times"); }

/* ---- What a line says ------------------------------------------------------------------------- */

static const char *shape_of(strata_arena *a, const strata_node *n)
{
    strata_text t = { 0 };
    settings_put_shape(&t, n);
    const char *text = t.failed ? NULL : strata_arena_text(a, t.s);
    strata_text_free(&t);
    return text;
}

static const strata_node *find_node(const strata_plan *p, const char *name, bool train)
{
    strata_node *const *node = train ? p->node : p->evaluated;
    for (uint32_t i = 0; i < p->n_nodes; i++)
        if (node[i] && strcmp(node[i]->name, name) == 0) return node[i];
    return NULL;
}

/* A launch of the update works on all parameters at once. */
static strata_status describe_update(speed_table *t, strata_bench_line *l, const strata_recorded *r)
{
    const strata_plan *p = t->plan;
    const uint32_t moments = (p->moment1.block ? 1u : 0u) + (p->moment2.block ? 1u : 0u);
    char shape[48];
    snprintf(shape, sizeof shape, "%llu floats", (unsigned long long)(p->weights.bytes / 4));
    strata_work w = strata_update_work((double)p->weights.bytes, moments, strcmp(r->stem, "grad_norm") == 0);
    if (strcmp(r->stem, "trust") == 0) w = (strata_work) { 0 }; /* a few floats a row */
    if (strcmp(r->stem, "cast") == 0) w = (strata_work) { .bytes = 1.5 * (double)p->weights.bytes };
    l->op = r->stem;
    l->pass = strata_pass_name(STRATA_FORWARD);
    l->parts = 1;
    l->flops = w.flops;
    l->bytes = w.bytes;
    l->shape = strata_arena_text(&t->arena, shape);
    return l->shape ? STRATA_OK : no_memory();
}

static strata_status describe_node(speed_table *t, strata_bench_line *l, const strata_node *n,
                                   strata_pass pass, bool train)
{
    const strata_work w = strata_node_work(n, pass == STRATA_FORWARD && !train ? STRATA_EVALUATE : pass);
    l->op = n->op->name;
    l->pass = strata_pass_name(pass);
    l->parts = micro_batches(t->plan);
    l->flops = w.flops * l->parts;
    l->bytes = w.bytes * l->parts;
    l->shape = shape_of(&t->arena, n);
    return l->shape ? STRATA_OK : no_memory();
}

/* The line that a launch belongs to, among those from `from` on; a new one, without launches, where there is
 * none yet. */
static strata_status take_line(speed_table *t, uint32_t *out, uint32_t from, bool train,
                               const strata_recorded *r)
{
    const strata_node *n = find_node(t->plan, r->label, train);
    const strata_pass pass = n ? strata_node_pass(n, r->pass) : STRATA_FORWARD;
    const char *op = n ? n->op->name : r->stem;
    strata_bench_line *l = &t->line[from];
    while (l < t->line + t->n && (strcmp(l->node, r->label) != 0 || strcmp(l->op, op) != 0 ||
                                  strcmp(l->pass, strata_pass_name(pass)) != 0))
        l++;
    *out = (uint32_t)(l - t->line);
    if (*out == t->n) {
        t->n++;
        *l = (strata_bench_line) { .node = r->label, .phase = train ? "train" : "infer" };
        l->variant = r->variant;
        STRATA_TRY(n ? describe_node(t, l, n, pass, train) : describe_update(t, l, r));
    }
    const bool main = r->pass == pass && !t->main[*out]; /* a helper's variant is not the pass's */
    if (main) l->variant = r->variant;
    t->main[*out] = t->main[*out] || main;
    return STRATA_OK;
}

static uint32_t launches_of(const strata_part *p)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < p->n; s++)
        for (uint32_t i = 0; strata_stream_recorded(p->segment[s], i); i++) n++;
    return n;
}

static strata_status take_part(speed_table *t, speed_part *out, int part, uint32_t from)
{
    const strata_part *p = &t->plan->part[part];
    const strata_recorded *r;
    *out = (speed_part) { .part = p, .n = launches_of(p), .times = 1 };
    if (part == STRATA_PART_NEXT) out->times = micro_batches(t->plan) - 1;
    if (part == STRATA_PART_EVALUATE) out->times = micro_batches(t->plan);
    out->line = strata_arena_take(&t->arena, (out->n + 1) * sizeof *out->line);
    if (!out->line) return no_memory();
    uint32_t at = 0;
    for (uint32_t s = 0; s < p->n; s++)
        for (uint32_t i = 0; (r = strata_stream_recorded(p->segment[s], i)); i++) {
            STRATA_TRY(take_line(t, &out->line[at], from, part != STRATA_PART_EVALUATE, r));
            t->line[out->line[at++]].launches += out->times;
        }
    return STRATA_OK;
}

strata_status speed_table_open(speed_table *t, const strata_plan *p, bool processor)
{
    strata_status status = STRATA_OK;
    uint32_t room = 1;
    *t = (speed_table) { .plan = p, .processor = processor };
    for (int i = 0; i < SPEED_PARTS; i++) room += launches_of(&p->part[parts[i]]);
    t->line = strata_arena_take(&t->arena, room * sizeof *t->line);
    t->main = strata_arena_take(&t->arena, room * sizeof *t->main);
    t->seconds = strata_arena_take(&t->arena, room * sizeof *t->seconds);
    t->launch = strata_arena_take(&t->arena, room * sizeof *t->launch);
    if (!t->line || !t->main || !t->seconds || !t->launch) STRATA_GO(no_memory());
    for (int i = 0; i < SPEED_PARTS; i++)
        STRATA_GO(take_part(t, &t->part[i], parts[i], parts[i] == STRATA_PART_EVALUATE ? t->n : 0));
    return STRATA_OK;
done:
    speed_table_free(t);
    return status;
}

void speed_table_free(speed_table *t)
{
    strata_arena_free(&t->arena);
    *t = (speed_table) { 0 };
}

/* ---- Rounds ---------------------------------------------------------------------------------------- */

static strata_status time_part(speed_table *t, const speed_part *part, uint32_t round, double *sum)
{
    const uint32_t *line = part->line;
    for (uint32_t s = 0; s < part->part->n; s++) {
        strata_stream *stream = part->part->segment[s];
        STRATA_TRY(strata_stream_time(stream, t->launch, t->processor));
        for (uint32_t i = 0; strata_stream_recorded(stream, i); i++) {
            t->seconds[*line++][round] += t->launch[i];
            *sum += t->launch[i];
        }
    }
    return STRATA_OK;
}

strata_status speed_table_round(speed_table *t, uint32_t round, bool train, double *sum)
{
    *sum = 0;
    for (int i = 0; i < SPEED_PARTS; i++)
        for (uint32_t k = 0; k < t->part[i].times; k++)
            if ((parts[i] != STRATA_PART_EVALUATE) == train)
                STRATA_TRY(time_part(t, &t->part[i], round, sum));
    return STRATA_OK;
}

double speed_outside(double step, double kernels)
{
    return step > 0 && kernels < step ? 1 - kernels / step : 0;
}

void speed_table_end(speed_table *t, uint32_t rounds, const strata_limits *limits)
{
    for (uint32_t i = 0; i < t->n; i++) {
        double least = t->seconds[i][0];
        for (uint32_t r = 1; r < rounds; r++)
            if (t->seconds[i][r] < least) least = t->seconds[i][r];
        strata_bench_line *l = &t->line[i];
        l->seconds = least;
        l->limit_s = l->parts * strata_limits_seconds(limits, l->flops / l->parts, l->bytes / l->parts);
    }
}

#include "graph/trial.h"

#include <stdlib.h>
#include <string.h>

#include "core/half.h"

/* Results of 16 bits: sums that are nearly the same are seldom rounded apart, twice what the judge allows. */
static const double HALF_NMSE = 4e-8;

/* ---- Memory -------------------------------------------------------------------------------------- */

static void put(trial *t, strata_slice *s, uint64_t bytes)
{
    *s = (strata_slice) { 0 };
    if (bytes == 0) return;
    *s = (strata_slice) { .block = &t->block, .offset = t->block.bytes, .bytes = bytes };
    t->block.bytes = strata_align(t->block.bytes + bytes);
}

static void put_tensor(trial *t, strata_slice *s, const strata_tensor *x)
{
    put(t, s, strata_tensor_bytes(x));
    s->half = x->half;
}

static void gives(trial *t, strata_slice s, uint32_t channels, strata_pass pass)
{
    t->result[t->n_results++] = (trial_result) { s, strata_lanes(channels), channels, pass, NULL };
}

static void put_param(trial *t, uint32_t i, strata_pass pass)
{
    strata_param *p = &t->param[i];
    const uint64_t bytes = 4 * strata_param_floats(p);
    const bool copied = p->kind == STRATA_PARAM_FILTER && (t->out.half || t->in[0].half);
    put(t, &p->data, copied ? 0 : bytes);
    put(t, &p->copy, copied ? bytes / 2 : 0);
    p->copy.half = copied;
    put(t, &p->grad, t->train && !p->running ? bytes : 0);
    if (p->grad.block) gives(t, p->grad, p->co, pass);
}

/* Lay out a copy of the node; slices are of a block that is not open yet. */
static void lay_out(trial *t, const strata_caps *caps, const strata_node *n, uint32_t images, bool dx)
{
    const bool split = n->op->split_backward;
    strata_node *c = &t->node;
    t->block.bytes = t->n_results = 0;
    *c = *n;
    t->out = *n->out;
    t->out.shape.n = images;
    c->out = &t->out;
    put_tensor(t, &t->out.data, &t->out);
    t->out.grad = (strata_slice) { 0 };
    if (t->train) put_tensor(t, &t->out.grad, &t->out);
    gives(t, t->out.data, t->out.shape.c, STRATA_FORWARD);
    for (uint32_t i = 0; i < n->n_in; i++) {
        t->in[i] = *n->in[i];
        t->in[i].shape.n = images;
        c->in[i] = &t->in[i];
        c->add_in[i] = false;
        put_tensor(t, &t->in[i].data, &t->in[i]);
        t->in[i].grad = (strata_slice) { 0 };
        if (t->train && dx) put_tensor(t, &t->in[i].grad, &t->in[i]);
        if (t->in[i].grad.block)
            gives(t, t->in[i].grad, t->in[i].shape.c, split ? STRATA_BACKWARD_X : STRATA_BACKWARD);
    }
    for (uint32_t i = 0; i < STRATA_MAX_PARAMS; i++) {
        if (!n->param[i]) continue;
        t->param[i] = *n->param[i];
        c->param[i] = &t->param[i];
        put_param(t, i, split ? STRATA_BACKWARD_W : STRATA_BACKWARD);
    }
    for (uint32_t i = 0; i < STRATA_MAX_KEPT; i++) put(t, &c->kept[i], n->kept_bytes[i]);
    uint64_t scratch = strata_op_scratch(caps, NULL, c, t->train);
    for (uint32_t v = 0; n->op->variants && n->op->variants[v]; v++) {
        const uint64_t bytes = strata_op_scratch(caps, n->op->variants[v], c, t->train);
        if (bytes > scratch) scratch = bytes;
    }
    put(t, &c->scratch, scratch);
    c->add_param = c->frozen_stats = false;
}

/* Values of size 0.25 to 1.25 and random sign, so that sums do not grow; running statistics are above 0, as
 * variances must be. */
static float next_value(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    const float v = 0.25f + (float)(*state >> 8) / (float)(1 << 24);
    return *state >> 31 ? -v : v;
}

static void fill_half(float *block, strata_slice s)
{
    uint16_t *to = (uint16_t *)(void *)((char *)block + s.offset);
    uint32_t state = (uint32_t)s.offset + 1;
    for (size_t i = 0; s.half && i < s.bytes / 2; i++) to[i] = strata_to_half(next_value(&state));
}

static strata_status fill(trial *t)
{
    const size_t n = t->block.bytes / 4;
    float *v = malloc(n * sizeof *v);
    if (!v) return strata_fail(STRATA_NO_MEMORY, "no memory for tuning");
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++) v[i] = next_value(&state);
    fill_half(v, t->out.data);
    fill_half(v, t->out.grad);
    for (uint32_t i = 0; i < t->node.n_in; i++) fill_half(v, t->in[i].data);
    for (uint32_t i = 0; i < STRATA_MAX_PARAMS; i++)
        if (t->node.param[i]) fill_half(v, t->param[i].copy);
    for (uint32_t i = 0; i < STRATA_MAX_PARAMS; i++)
        if (t->node.param[i] && t->param[i].running)
            for (size_t k = 0; k < t->param[i].data.bytes / 4; k++)
                v[t->param[i].data.offset / 4 + k] = 1 + (float)(k % 3);
    strata_status status = strata_device_write(t->device,
                                               (strata_slice) { .block = &t->block, .bytes = 4 * n }, v);
    free(v);
    return status;
}

strata_status trial_open(trial *t, strata_device *d, const strata_node *n, uint32_t images, bool train,
                         bool dx)
{
    strata_status status = STRATA_OK;
    const strata_caps *caps = strata_device_caps(d);
    *t = (trial) { .device = d, .train = train };
    if (images > n->in[0]->shape.n) images = n->in[0]->shape.n;
    for (;; images /= 2) {
        lay_out(t, caps, n, images, dx);
        if (images == 1 || (t->block.bytes <= caps->max_block && 2 * t->block.bytes <= caps->memory)) break;
    }
    STRATA_GO(strata_block_open(&t->block, d, t->block.bytes, STRATA_MEMORY_DEVICE));
    STRATA_GO(fill(t));
    return STRATA_OK;
done:
    trial_close(t);
    return status;
}

void trial_close(trial *t)
{
    for (uint32_t i = 0; i < t->n_results; i++) free(t->result[i].plain);
    if (t->block.device || t->block.host) strata_block_close(&t->block, t->device);
    *t = (trial) { 0 };
}

/* ---- Recordings --------------------------------------------------------------------------------- */

static void look_at(trial_passes *out, const trial *t, const strata_stream *s)
{
    const strata_recorded *r;
    *out = (trial_passes) { 0 };
    for (uint32_t i = 0; (r = strata_stream_recorded(s, i)); i++) {
        const strata_pass pass = strata_node_pass(&t->node, r->pass);
        out->of[r->pass] = (int)pass;
        if (!out->own[r->pass]) out->own[r->pass] = r->variant;
        if (r->pass == pass && !out->name[pass]) out->name[pass] = r->variant;
    }
}

strata_status trial_record(trial *t, strata_stream **out, trial_passes *passes, const char *forced)
{
    strata_status status = strata_stream_open(out, t->device);
    if (status != STRATA_OK) return status;
    strata_stream_label(*out, t->node.name);
    strata_stream_force(*out, forced);
    status = t->node.op->forward(*out, &t->node, t->train ? STRATA_TRAIN : STRATA_EVALUATE_MODE);
    if (status == STRATA_OK && t->train) status = t->node.op->backward(*out, &t->node);
    if (status == STRATA_OK) status = strata_stream_end(*out);
    if (status == STRATA_OK) {
        look_at(passes, t, *out);
        return STRATA_OK;
    }
    strata_stream_close(*out);
    *out = NULL;
    return status;
}

strata_status trial_run(trial *t, strata_stream *s)
{
    for (uint32_t i = 0; i < t->n_results; i++)
        STRATA_TRY(strata_device_fill(t->device, t->result[i].slice, 0xffffffffu));
    return strata_stream_run(s);
}

strata_status trial_time(trial *t, strata_stream *s, double *seconds, int round)
{
    double all[STRATA_PASSES] = { 0 };
    const strata_recorded *r;
    uint32_t n = 0;
    while (strata_stream_recorded(s, n)) n++;
    double *launch = calloc(n + 1, sizeof *launch);
    if (!launch) return strata_fail(STRATA_NO_MEMORY, "no memory for tuning");
    strata_status status = strata_stream_time(s, launch, false);
    for (uint32_t i = 0; status == STRATA_OK && (r = strata_stream_recorded(s, i)); i++)
        all[strata_node_pass(&t->node, r->pass)] += launch[i];
    free(launch);
    for (int p = 0; p < STRATA_PASSES; p++)
        if (round == 1 || (round > 1 && all[p] < seconds[p])) seconds[p] = all[p];
    return status;
}

/* ---- Results --------------------------------------------------------------------------------------- */

static size_t floats_of(const trial_result *r)
{
    return (size_t)(r->slice.bytes / strata_float_bytes(1, r->slice.half));
}

static strata_status read_result(float **out, const trial *t, const trial_result *r)
{
    const size_t n = floats_of(r);
    *out = malloc(n * sizeof **out);
    if (!*out) return strata_fail(STRATA_NO_MEMORY, "no memory for tuning");
    STRATA_TRY(strata_device_read(t->device, *out, r->slice));
    for (size_t i = n; r->slice.half && i-- > 0;) { /* from behind: a float lies over halves that are done */
        uint16_t narrow;
        memcpy(&narrow, (const char *)*out + 2 * i, sizeof narrow);
        (*out)[i] = strata_from_half(narrow);
    }
    return STRATA_OK;
}

strata_status trial_keep(trial *t)
{
    for (uint32_t i = 0; i < t->n_results; i++) {
        free(t->result[i].plain);
        STRATA_TRY(read_result(&t->result[i].plain, t, &t->result[i]));
    }
    return STRATA_OK;
}

/* sum (a - b)^2 / sum a^2; NaN where b was not written. */
static double distance(const trial_result *r, const float *b)
{
    double wrong = 0, all = 0;
    for (size_t i = 0; i < floats_of(r); i++) {
        if (i % r->lanes >= r->channels) continue;
        const double a = (double)r->plain[i], d = a - (double)b[i];
        wrong += d * d;
        all += a * a;
    }
    return wrong == 0 ? 0 : wrong / all;
}

strata_status trial_compare(const trial *t, bool *right, double most_nmse)
{
    for (int p = 0; p < STRATA_PASSES; p++) right[p] = true;
    for (uint32_t i = 0; i < t->n_results; i++) {
        const trial_result *r = &t->result[i];
        float *b = NULL;
        strata_status status = read_result(&b, t, r);
        const double most = r->slice.half ? most_nmse + HALF_NMSE : most_nmse;
        if (status == STRATA_OK && !(distance(r, b) <= most)) right[r->pass] = false;
        free(b);
        STRATA_TRY(status);
    }
    return STRATA_OK;
}

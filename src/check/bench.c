#include "check/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/half.h"
#include "core/random.h"

enum { GUARD = 256 }; /* bytes at least between two pieces */
static const uint32_t guard =
    0x7fe0fe0d; /* a NaN, also as two of 16 bits: a sum that reads a guard zone shows it */
static const uint32_t empty = 0x7fc0fdea; /* another: what was never written */

/* ---- Building ------------------------------------------------------------------------------- */

/* The node's other inputs: the graph has one input and grows tensors only by nodes. */
static strata_status other_input(bench *b, strata_tensor **out, const pattern_input *in)
{
    strata_tensor *t = strata_arena_take(&b->graph->arena, sizeof *t);
    if (!t) return strata_fail(STRATA_NO_MEMORY, "no memory for a check");
    *t = (strata_tensor) { .name = in->name, .shape = in->shape, .rows = in->rows };
    *out = t;
    return STRATA_OK;
}

/* One more node of what the row's node takes in; `z` is an add's second summand. */
static strata_status next_node(bench *b, strata_node **out, const char *op, strata_tensor *x,
                               strata_tensor *z)
{
    strata_tensor *y;
    strata_tensor *const in[] = { x, z };
    STRATA_TRY(strata_graph_add(b->graph, &y, op, "", in, strcmp(op, "add") == 0 ? 2 : 1, NULL, 0));
    *out = b->graph->node[b->graph->n_nodes - 1];
    return STRATA_OK;
}

static bool takes(strata_node *n, const strata_node *next)
{
    if (!n->op->take_in || !n->op->take_in(n, next)) return false;
    n->out = next->out;
    return true;
}

/* Let the node take in what the row says, the norm first what comes behind it. skip: out, true where it may
 * not on this device. */
static strata_status take_in(bench *b, const strata_row *row, strata_tensor *z, bool *skip)
{
    strata_node *n = b->node, *norm = NULL, *next = NULL;
    for (const char *s = row->then ? row->then : ""; *s; s += strcspn(s, " "), s += strspn(s, " ")) {
        char op[32];
        snprintf(op, sizeof op, "%.*s", (int)strcspn(s, " "), s);
        STRATA_TRY(next_node(b, &next, op, norm ? norm->out : n->out, z));
        if (!norm && strcmp(op, "batch_norm") == 0)
            norm = next;
        else if (!takes(norm ? norm : n, next))
            return strata_fail(STRATA_BAD_ARG, "row %s: it takes in no %s", row->op, op);
    }
    b->evaluates = norm != NULL;
    if (!norm) return STRATA_OK;
    *skip = !n->op->take_norm(strata_device_caps(b->device), "plain", n, norm);
    n->out = norm->out;
    return STRATA_OK;
}

static strata_status build(bench *b, const strata_row *row, bool *skip)
{
    const pattern *p = b->pattern;
    const strata_op *op = strata_op_find(row->op);
    strata_tensor *in[STRATA_MAX_IN], *out;
    STRATA_TRY(strata_graph_open(&b->graph, p->in[0].shape));
    in[0] = b->graph->input;
    for (uint32_t i = 1; i < p->n_in; i++) {
        in[i] = in[0];
        if (!b->same) STRATA_TRY(other_input(b, &in[i], &p->in[i]));
    }
    const uint32_t n_in = row->then && p->n_in > op->max_in ? op->max_in : p->n_in;
    STRATA_TRY(strata_graph_add(b->graph, &out, row->op, "node", in, n_in, p->setting, p->n_settings));
    b->node = b->graph->node[0];
    STRATA_TRY(take_in(b, row, in[p->n_in - 1], skip));
    out = b->node->out;
    b->half = row->flags & STRATA_ROW_HALF && !b->node->op->loss;
    for (uint32_t i = 0; i < p->n_in; i++) in[i]->half = b->half && !in[i]->rows;
    out->half = b->half;
    return STRATA_OK;
}

static void place(bench *b, const piece *like, const char *prefix, const char *name)
{
    if (like->bytes == 0) return;
    piece *p = &b->piece[b->n_pieces++];
    *p = *like;
    p->offset = strata_align(b->block.bytes + GUARD);
    b->block.bytes = p->offset + p->bytes;
    snprintf(p->name, sizeof p->name, "%s%s", prefix, name);
}

static void place_tensor(bench *b, piece_kind kind, uint32_t index, const strata_tensor *t, const char *name)
{
    piece p = { .kind = kind, .index = index, .tensor = t, .bytes = strata_tensor_bytes(t), .half = t->half };
    bool gradient = kind == PIECE_IN_GRAD || kind == PIECE_OUT_GRAD;
    place(b, &p, gradient ? "d" : "", name);
}

static void place_all(bench *b)
{
    const strata_node *n = b->node;
    const uint32_t n_in = b->same ? 1 : n->n_in;
    for (uint32_t i = 0; i < n_in; i++) place_tensor(b, PIECE_IN, i, n->in[i], b->pattern->in[i].name);
    for (uint32_t i = 0; i < STRATA_MAX_PARAMS; i++) {
        const strata_param *q = n->param[i];
        if (!q) continue;
        const char *dot = strrchr(q->name, '.'), *name = dot ? dot + 1 : q->name;
        piece p = { .kind = PIECE_PARAM, .index = i, .param = q };
        p.half = b->half && q->kind == STRATA_PARAM_FILTER;
        p.bytes = strata_float_bytes(strata_param_floats(q), p.half);
        place(b, &p, "", name);
        p.kind = PIECE_PARAM_GRAD;
        p.half = false;
        p.bytes = 4 * strata_param_floats(q);
        if (!q->running) place(b, &p, "d", name);
    }
    place_tensor(b, PIECE_OUT, 0, n->out, "out");
    place_tensor(b, PIECE_OUT_GRAD, 0, n->out, "out");
    for (uint32_t i = 0; i < n_in; i++)
        if (b->pattern->in[i].differentiable)
            place_tensor(b, PIECE_IN_GRAD, i, n->in[i], b->pattern->in[i].name);
    for (uint32_t i = 0; i < STRATA_MAX_KEPT; i++)
        place(b, &(piece) { .kind = PIECE_KEPT, .index = i, .bytes = n->kept_bytes[i] }, "", "kept");
    place(b, &(piece) { .kind = PIECE_SCRATCH, .bytes = strata_op_most_scratch(n) }, "", "scratch");
    place(b, &(piece) { .kind = PIECE_STEP, .bytes = sizeof(strata_step_values) }, "", "step");
    b->block.bytes = strata_align(b->block.bytes + GUARD);
}

strata_status bench_open(bench *out, strata_device *d, const pattern *p, const strata_row *row, bool *skip)
{
    strata_status status = STRATA_OK;
    *out = (bench) {
        .device = d, .pattern = p, .same = row->flags & STRATA_ROW_SAME, .ties = row->flags & STRATA_ROW_TIES
    };
    *skip = false;
    status = build(out, row, skip);
    if (status == STRATA_BAD_SHAPE || (status == STRATA_OK && *skip)) {
        *skip = true;
        bench_close(out);
        return STRATA_OK;
    }
    STRATA_GO(status);
    place_all(out);
    STRATA_GO(strata_block_open(&out->block, d, out->block.bytes, STRATA_MEMORY_DEVICE));
done:
    if (status != STRATA_OK) bench_close(out);
    return status;
}

void bench_close(bench *b)
{
    if (b->block.host || b->block.device) strata_block_close(&b->block, b->device);
    strata_graph_close(b->graph);
    *b = (bench) { 0 };
}

/* ---- Content -------------------------------------------------------------------------------- */

static void fill_words(void *image, uint64_t offset, uint64_t bytes, uint32_t word)
{
    uint32_t *w = (uint32_t *)((char *)image + offset);
    for (uint64_t i = 0; i < bytes / 4; i++) w[i] = word;
}

static float uniform(uint32_t seed, uint32_t piece_index, uint64_t element, float low, float high)
{
    strata_random4 r = strata_philox((uint32_t)element, piece_index, 0, 0, seed, STRATA_RANDOM_TEST);
    return low + (high - low) * strata_uniform(r.v[0]);
}

/* What starts at one (gains, running variances) is drawn around one: a variance must be positive. */
static void param_range(const strata_param *p, float *low, float *high)
{
    bool one = p->init == STRATA_INIT_CONSTANT && p->scale > 0;
    *low = one ? 0.5F : -1;
    *high = one ? 1.5F : 1;
}

static void fill_piece(const bench *b, void *image, uint32_t index, uint32_t seed, bool add)
{
    const piece *p = &b->piece[index];
    const pattern_input *in = &b->pattern->in[p->kind == PIECE_IN ? p->index : 0];
    float low = -1, high = 1;
    fill_words(image, p->offset, p->bytes, empty);
    switch (p->kind) {
    case PIECE_OUT:
    case PIECE_KEPT:
    case PIECE_SCRATCH: return;
    case PIECE_IN_GRAD:
        if (!add) return;
        break;
    case PIECE_PARAM_GRAD:
        if (!add) return;
        fill_words(image, p->offset, p->bytes, 0);
        break;
    case PIECE_PARAM:
        fill_words(image, p->offset, p->bytes, 0);
        param_range(p->param, &low, &high);
        break;
    case PIECE_STEP:
        *(strata_step_values *)((char *)image + p->offset) = (strata_step_values) {
            .seed_low = seed, .seed_high = 7, .step = 3, .sample = 5, .epoch = 1
        };
        return;
    case PIECE_IN:
        low = in->low;
        high = in->high;
        break;
    case PIECE_OUT_GRAD: break;
    }
    for (uint64_t i = 0, n = bench_count(p); i < n; i++) {
        float value = uniform(seed, index, i, low, high);
        if (p->kind == PIECE_IN && b->ties) value = roundf(value); /* so equal values meet */
        if (p->kind == PIECE_IN && in->below) {
            uint32_t label = (uint32_t)((double)uniform(seed, index, i, 0, 1) * in->below);
            memcpy(&value, &label, sizeof value);
        }
        bench_put(p, image, i, value);
    }
}

void bench_fill(const bench *b, void *image, uint32_t seed, bool add)
{
    fill_words(image, 0, b->block.bytes, guard);
    for (uint32_t i = 0; i < b->n_pieces; i++) fill_piece(b, image, i, seed, add);
}

/* ---- Logical elements ------------------------------------------------------------------------ */

uint64_t bench_count(const piece *p)
{
    if (p->param) return strata_param_count(p->param);
    if (!p->tensor) return 0;
    return p->tensor->rows ? p->tensor->shape.n : strata_pixels(p->tensor->shape) * p->tensor->shape.c;
}

/* Where logical element i of a piece lies in it, in floats. Parameters count in file order. */
static uint64_t position(const piece *p, uint64_t i)
{
    if (p->tensor) {
        uint32_t c = p->tensor->shape.c;
        return p->tensor->rows ? i : i / c * strata_lanes(c) + i % c;
    }
    const strata_param *q = p->param;
    if (q->kind == STRATA_PARAM_VECTOR) return i;
    uint64_t window = (uint64_t)q->r * q->s;
    uint64_t tap = i % window, ci = i / window % q->ci, co = i / window / q->ci;
    return (tap * strata_param_ci(q) + ci) * strata_lanes(q->co) + co;
}

/* Float i of a piece, pads included. */
static float stored(const piece *p, const void *image, uint64_t i)
{
    const char *from = (const char *)image + p->offset;
    return p->half ? strata_from_half(((const uint16_t *)from)[i]) : ((const float *)from)[i];
}

void bench_values(const piece *p, const void *image, float *values)
{
    for (uint64_t i = 0, n = bench_count(p); i < n; i++) values[i] = stored(p, image, position(p, i));
}

void bench_put(const piece *p, void *image, uint64_t element, float value)
{
    const uint64_t at = position(p, element);
    if (p->half)
        ((uint16_t *)((char *)image + p->offset))[at] = strata_to_half(value);
    else
        memcpy((char *)image + p->offset + 4 * at, &value, sizeof value);
}

bool bench_pads_zero(const piece *p, const void *image)
{
    const uint64_t n = bench_count(p), all = p->bytes / strata_float_bytes(1, p->half);
    uint64_t zeros = 0, logical_zeros = 0;
    for (uint64_t i = 0; i < all; i++) zeros += stored(p, image, i) == 0.0F;
    for (uint64_t i = 0; i < n; i++) logical_zeros += stored(p, image, position(p, i)) == 0.0F;
    return zeros - logical_zeros == all - n;
}

/* ---- Running ---------------------------------------------------------------------------------- */

static strata_slice slice_of(const bench *b, piece_kind kind, uint32_t index)
{
    for (uint32_t i = 0; i < b->n_pieces; i++)
        if (b->piece[i].kind == kind && b->piece[i].index == index)
            return (strata_slice) { &b->block, b->piece[i].offset, b->piece[i].bytes, b->piece[i].half };
    return (strata_slice) { 0 };
}

bool bench_wants(const bench *b, uint32_t piece_index, const bench_way *way)
{
    const piece *p = &b->piece[piece_index];
    if (way->mode != STRATA_TRAIN || (p->kind != PIECE_IN_GRAD && p->kind != PIECE_PARAM_GRAD)) return false;
    uint32_t number = 0;
    for (uint32_t i = 0; i < piece_index; i++)
        number += b->piece[i].kind == PIECE_IN_GRAD || b->piece[i].kind == PIECE_PARAM_GRAD;
    return !way->only || number == way->wanted;
}

static strata_slice wanted_slice(const bench *b, piece_kind kind, uint32_t index, const bench_way *way)
{
    for (uint32_t i = 0; i < b->n_pieces; i++)
        if (b->piece[i].kind == kind && b->piece[i].index == index && bench_wants(b, i, way))
            return slice_of(b, kind, index);
    return (strata_slice) { 0 };
}

static const piece *piece_of(const bench *b, piece_kind kind, uint32_t index)
{
    const piece *p = b->piece;
    while (p < b->piece + b->n_pieces && (p->kind != kind || p->index != index)) p++;
    return p < b->piece + b->n_pieces ? p : NULL;
}

/* Does the pass write one piece over another? `at` is then what it writes over, `what` what it writes. */
static bool lies_over(const bench *b, const bench_way *way, bool backward, const piece **at,
                      const piece **what)
{
    const strata_op *op = b->node->op;
    const uint32_t i = way->over - 1, allowed = backward ? op->grad_in_place : op->in_place;
    if (way->over == 0 || !(allowed >> i & 1) || (backward && (way->add || b->same))) return false;
    *at = backward ? piece_of(b, PIECE_OUT_GRAD, 0) : piece_of(b, PIECE_IN, b->same ? 0 : i);
    *what = backward ? piece_of(b, PIECE_IN_GRAD, i) : piece_of(b, PIECE_OUT, 0);
    return *what && (!backward || bench_wants(b, (uint32_t)(*what - b->piece), way));
}

/* Put what lies over another piece into its own place, and that one as it was before. */
static void move_apart(const bench *b, const bench_way *way, bool backward, char *image, const char *before)
{
    const piece *at, *what;
    if (!lies_over(b, way, backward, &at, &what)) return;
    memcpy(image + what->offset, image + at->offset, what->bytes);
    memcpy(image + at->offset, before + at->offset, at->bytes);
}

/* Point the node at the block, as a plan would. */
static void wire(bench *b, const bench_way *way, bool backward)
{
    const piece *at, *what;
    strata_node *n = b->node;
    for (uint32_t i = 0; i < n->n_in; i++) {
        uint32_t k = b->same ? 0 : i;
        n->in[i]->data = slice_of(b, PIECE_IN, k);
        n->in[i]->grad = wanted_slice(b, PIECE_IN_GRAD, k, way);
        n->add_in[i] = way->add || (b->same && i > 0);
    }
    for (uint32_t i = 0; i < STRATA_MAX_PARAMS; i++) {
        if (!n->param[i]) continue;
        const strata_slice values = slice_of(b, PIECE_PARAM, i), none = { 0 };
        n->param[i]->data = values.half ? none : values; /* who has a copy reads nothing else */
        n->param[i]->copy = values.half ? values : none;
        n->param[i]->grad = wanted_slice(b, PIECE_PARAM_GRAD, i, way);
    }
    n->out->data = slice_of(b, PIECE_OUT, 0);
    n->out->grad = slice_of(b, PIECE_OUT_GRAD, 0);
    if (lies_over(b, way, backward, &at, &what))
        *(backward ? &n->in[what->index]->grad : &n->out->data) = slice_of(b, at->kind, at->index);
    for (uint32_t i = 0; i < STRATA_MAX_KEPT; i++) n->kept[i] = slice_of(b, PIECE_KEPT, i);
    n->scratch = slice_of(b, PIECE_SCRATCH, 0);
    n->add_param = way->add;
    n->frozen_stats = way->frozen;
}

static strata_status record_and_run(bench *b, bench_result *r, const bench_way *way, bool backward,
                                    bool *forced)
{
    strata_status status = STRATA_OK;
    strata_stream *s = NULL;
    wire(b, way, backward);
    STRATA_GO(strata_stream_open(&s, b->device));
    strata_stream_force(s, way->variant);
    if (way->mode == STRATA_TRAIN) strata_stream_step_values(s, slice_of(b, PIECE_STEP, 0));
    strata_stream_label(s, b->node->name);
    STRATA_GO(backward ? b->node->op->backward(s, b->node) : b->node->op->forward(s, b->node, way->mode));
    STRATA_GO(strata_stream_end(s));
    STRATA_GO(strata_stream_run(s));
    const strata_recorded *launch;
    for (uint32_t i = 0; (launch = strata_stream_recorded(s, i)) != NULL; i++) {
        if (way->variant && strcmp(launch->variant, way->variant) == 0) *forced = true;
        if (r->launched) r->launched(r->context, launch);
    }
done:
    strata_stream_close(s);
    return status;
}

/* May a pass write this piece? */
static bool writable(const bench *b, uint32_t i, const bench_way *way, bool backward)
{
    switch (b->piece[i].kind) {
    case PIECE_OUT: return !backward;
    case PIECE_KEPT: return !backward;
    case PIECE_SCRATCH: return true;
    case PIECE_PARAM:
        return !backward && b->piece[i].param->running && way->mode == STRATA_TRAIN && !way->frozen;
    case PIECE_OUT_GRAD: return backward && (b->node->backward_reads & STRATA_SPOILS_GRAD);
    default: return backward && bench_wants(b, i, way);
    }
}

/* Nothing but the pass's outputs may have changed between two images, guard zones included. */
static void check_untouched(const bench *b, bench_result *r, const bench_way *way, const void *before,
                            const void *after)
{
    const char *pass = after == r->backward ? "backward" : "forward";
    const char *was = before, *is = after;
    uint64_t at = 0;
    for (uint32_t i = 0; i <= b->n_pieces && !r->why[0]; i++) {
        const piece *p = i < b->n_pieces ? &b->piece[i] : NULL;
        uint64_t end = p ? p->offset : b->block.bytes;
        if (memcmp(was + at, is + at, end - at) != 0)
            snprintf(r->why, sizeof r->why, "%s wrote outside its tensors, before %s", pass,
                     p ? p->name : "the end");
        if (p && !writable(b, i, way, after == r->backward) && memcmp(was + end, is + end, p->bytes) != 0)
            snprintf(r->why, sizeof r->why, "%s wrote %s, which it may only read or must not touch", pass,
                     p->name);
        at = p ? p->offset + p->bytes : end;
    }
}

/* What the op does not declare to read may have been reused by the plan. */
static bool gone(const bench *b, const piece *p)
{
    uint32_t reads = b->node->backward_reads;
    if (p->kind == PIECE_SCRATCH) return true;
    if (!b->poison) return false; /* the reference tells what is right without it */
    if (p->kind == PIECE_OUT) return !(reads & STRATA_READS_OUT);
    if (p->kind == PIECE_IN && b->same) return !(reads & STRATA_READS_ALL_IN);
    if (p->kind == PIECE_IN) return !(reads & (1u << p->index));
    return false;
}

static void tell_unforced(bench_result *r, const bench_way *way)
{
    snprintf(r->why, sizeof r->why, "variant %s is admitted, and was not launched", way->variant);
}

/* Put the output of an image in the place of this one's. */
static void put_output(const bench *b, char *image, const char *from)
{
    const piece *p = piece_of(b, PIECE_OUT, 0);
    if (from) memcpy(image + p->offset, from + p->offset, p->bytes);
}

strata_status bench_run(bench *b, bench_result *r, const bench_way *way, const void *before)
{
    strata_status status = STRATA_OK;
    strata_slice all = { .block = &b->block, .bytes = b->block.bytes };
    bool forced = way->variant == NULL;
    char *middle = malloc(b->block.bytes);
    if (!middle) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a check"));
    r->why[0] = '\0';
    STRATA_GO(strata_device_write(b->device, all, before));
    STRATA_GO(record_and_run(b, r, way, false, &forced));
    STRATA_GO(strata_device_read(b->device, middle, all));
    move_apart(b, way, false, middle, before);
    check_untouched(b, r, way, before, middle);
    if (r->forward) memcpy(r->forward, middle, b->block.bytes);
    if (b->evaluates && !forced && !r->why[0]) tell_unforced(r, way);
    if (way->mode == STRATA_TRAIN) {
        for (uint32_t i = 0; i < b->n_pieces; i++)
            if (gone(b, &b->piece[i])) fill_words(middle, b->piece[i].offset, b->piece[i].bytes, empty);
        put_output(b, middle, way->out);
        STRATA_GO(strata_device_write(b->device, all, middle));
        STRATA_GO(record_and_run(b, r, way, true, &forced));
        STRATA_GO(strata_device_read(b->device, r->backward, all));
        move_apart(b, way, true, r->backward, middle);
        check_untouched(b, r, way, middle, r->backward);
        if (!forced && !r->why[0] && !way->only) tell_unforced(r, way);
    }
done:
    free(middle);
    return status;
}

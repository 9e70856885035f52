#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/sample.h"
#include "graph/cut.h"
#include "graph/fit.h"
#include "graph/fuse.h"
#include "graph/layout.h"
#include "graph/order.h"
#include "ops/update.h"

enum { MAX_BLOCKS = 64 };

/* ---- Memory -------------------------------------------------------------------------------- */

static strata_status choose_order(strata_plan *p, const place_room *room)
{
    STRATA_TRY(order_open(p));
    if (p->config.recompute && p->config.train && !p->config.keep_all) cut_choose(p, room);
    return STRATA_OK;
}

/* Lay everything out; `bytes` [MAX_BLOCKS] out: of each block. The items' slices are not bound. */
static strata_status arrange(strata_plan *p, const place_room *room, uint32_t *n_items, uint64_t *bytes)
{
    const strata_caps *caps = strata_device_caps(p->device);
    place_item *items = room->items;
    STRATA_TRY(choose_order(p, room));
    STRATA_TRY(layout_items(p, items, n_items));
    p->least_bytes = place_least(items, *n_items, room);
    const strata_status status = place_items(items, *n_items, caps->max_block, bytes, MAX_BLOCKS,
                                             &p->n_blocks);
    if (status == STRATA_DEVICE_MEMORY && *n_items && strata_align(items[0].bytes) > caps->max_block)
        return fit_item(p, &items[0]);
    STRATA_TRY(status);
    for (uint32_t b = 0; b < p->n_blocks; b++) p->device_bytes += bytes[b];
    return STRATA_OK;
}

static strata_status allocate(strata_plan *p)
{
    strata_status status = STRATA_OK;
    uint64_t bytes[MAX_BLOCKS], limit = p->config.memory_limit;
    uint32_t n_items = 0;
    place_room room = { 0 };
    p->block = calloc(MAX_BLOCKS, sizeof *p->block);
    p->data_home = calloc(p->graph->n_tensors, sizeof *p->data_home);
    p->again_home = calloc(p->graph->n_tensors, sizeof *p->again_home);
    p->grad_home = calloc(p->graph->n_tensors, sizeof *p->grad_home);
    if (!p->block || !p->data_home || !p->again_home || !p->grad_home)
        STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a plan"));
    STRATA_GO(place_room_init(&room, layout_room(p->graph), order_times(p)));
    STRATA_GO(arrange(p, &room, &n_items, bytes));
    if (limit == 0) limit = strata_device_caps(p->device)->memory;
    if (limit && p->device_bytes > limit) STRATA_GO(fit_plan(p, room.items, n_items, limit));
    for (uint32_t b = 0; b < p->n_blocks; b++) {
        STRATA_GO(strata_block_open(&p->block[b], p->device, bytes[b], STRATA_MEMORY_DEVICE));
        strata_slice all = { .block = &p->block[b], .bytes = bytes[b] };
        if (p->config.poison) STRATA_GO(strata_device_fill(p->device, all, 0xffffffffu)); /* NaN as a float */
    }
    place_bind(room.items, n_items, p->block);
    layout_parts(p);
done:
    place_room_free(&room);
    return status;
}

/* Zero what sums and optimizers read beyond the tensors proper: pads, and the rest of a last block of 256. */
static strata_status clear(strata_plan *p)
{
    const strata_slice all[] = { p->weights, p->running, p->grads,    p->moment1,
                                 p->moment2, p->state,   p->row_steps };
    strata_slice there[sizeof all / sizeof *all];
    uint32_t n = 0;
    if (p->config.share) return strata_device_fill(p->device, p->state, 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].block) there[n++] = all[i];
    return strata_device_fill_all(p->device, there, n, 0);
}

static uint32_t blocks_of(const strata_param *param)
{
    if (param->running) return 0;
    return (uint32_t)((strata_param_floats(param) + STRATA_RATE_BLOCK - 1) / STRATA_RATE_BLOCK);
}

/* The row of each block of parameters, in order; one element at least. Owner: caller. NULL: no memory. */
static uint32_t *list_owners(const strata_graph *g, uint32_t *n)
{
    *n = 0;
    for (uint32_t i = 0; i < g->n_params; i++) *n += blocks_of(g->param[i]);
    uint32_t *owner = malloc((*n + 1) * sizeof *owner), at = 0;
    for (uint32_t i = 0; owner && i < g->n_params; i++)
        for (uint32_t b = blocks_of(g->param[i]); b > 0; b--) owner[at++] = g->param[i]->row;
    return owner;
}

static strata_status list_pieces(strata_plan *p)
{
    const strata_plan *share = p->config.share;
    if (!p->config.train) return STRATA_OK;
    if (share) {
        p->piece = share->piece;
        p->n_pieces = share->n_pieces;
        return STRATA_OK;
    }
    uint32_t blocks, *owner = list_owners(p->graph, &blocks);
    if (owner) p->n_pieces = strata_update_pieces(NULL, owner, blocks);
    p->piece = owner ? malloc((p->n_pieces + 1) * sizeof *p->piece) : NULL;
    if (p->piece) strata_update_pieces(p->piece, owner, blocks);
    free(owner);
    return p->piece ? STRATA_OK : strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
}

static strata_status write_owners(strata_plan *p)
{
    if (!p->owner.block || p->config.share) return STRATA_OK;
    uint32_t blocks, *owner = list_owners(p->graph, &blocks);
    if (!owner) return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    strata_status status = strata_device_write(p->device, p->owner, owner);
    free(owner);
    STRATA_TRY(status);
    return strata_device_write(p->device, p->pieces, p->piece);
}

/* ---- Recordings ------------------------------------------------------------------------------ */

static strata_status begin_segment(strata_plan *p, strata_part *part)
{
    strata_stream *s;
    if (part->n == STRATA_SEGMENTS)
        return strata_fail(STRATA_BAD_SHAPE, "a network of more than %d launches",
                           STRATA_SEGMENTS * STRATA_SEGMENT_LAUNCHES);
    STRATA_TRY(strata_stream_open(&s, p->device));
    part->segment[part->n++] = s;
    strata_stream_force(s, p->config.variants);
    strata_stream_step_values(s, p->step_values);
    return STRATA_OK;
}

static strata_stream *current(const strata_part *part) { return part->segment[part->n - 1]; }

/* A node's launches stay together; a new segment begins where the last one has grown long enough. */
static strata_status next_node(strata_plan *p, strata_part *part, const strata_node *n)
{
    if (strata_stream_recorded(current(part), STRATA_SEGMENT_LAUNCHES - 1))
        STRATA_TRY(begin_segment(p, part));
    strata_stream_label(current(part), n->name);
    return STRATA_OK;
}

static strata_status record_forward(strata_plan *p, strata_part *part, strata_mode mode)
{
    for (uint32_t i = 0; i < p->n_nodes; i++) {
        strata_node *n = mode == STRATA_EVALUATE_MODE ? p->evaluated[i] : p->node[i];
        if (!n || n->op->view) continue;
        STRATA_TRY(next_node(p, part, n));
        STRATA_TRY(n->op->forward(current(part), n, mode));
    }
    return STRATA_OK;
}

/* Is anything of a segment learnt, or before it? Else nothing there is computed again. */
static bool segment_learns(const strata_plan *p, uint32_t segment)
{
    for (uint32_t k = 0; k < p->n_nodes; k++)
        if (p->order->segment[k] == segment && p->node[k]->out->grad.block) return true;
    return false;
}

static strata_status record_back(strata_plan *p, strata_part *part, bool add)
{
    const strata_order *o = p->order;
    for (uint32_t i = p->n_nodes; i < o->n_moves; i++) {
        strata_node *n = p->node[o->move[i].node];
        const bool again = o->move[i].kind == ORDER_AGAIN;
        n->add_param = add;
        if (n->op->view ||
            !(again ? segment_learns(p, o->segment[o->move[i].node]) : n->out->grad.block != NULL))
            continue;
        STRATA_TRY(next_node(p, part, n));
        STRATA_TRY(again ? n->op->forward(current(part), n, STRATA_AGAIN)
                         : n->op->backward(current(part), n));
    }
    return STRATA_OK;
}

static strata_status record_backward(strata_plan *p, strata_part *part, bool add)
{
    layout_again(p, true);
    const strata_status status = record_back(p, part, add);
    layout_again(p, false);
    return status;
}

/* With tensors of 16 bits, before the forward pass: parameters' copies, and samples' scaled weights. */
static strata_status record_half(const strata_plan *p, strata_part *part, int which)
{
    const strata_slice counts = strata_slice_part(p->in, p->in_weights, p->counts.bytes);
    const strata_update u = {
        .weights = p->weights,
        .copies = p->copies,
        .blocks = (uint32_t)(p->weights.bytes / (4 * STRATA_RATE_BLOCK)),
        .state = p->state,
        .counts = { counts, p->counts },
        .n = p->graph->input->shape.n,
    };
    if (!p->config.half) return STRATA_OK;
    strata_stream_label(current(part), "16 bits");
    if (which != STRATA_PART_NEXT) STRATA_TRY(strata_update_copy(current(part), &u));
    return which == STRATA_PART_EVALUATE ? STRATA_OK : strata_update_scale(current(part), &u);
}

/* Blocks of the frozen prefix: what lies before the first parameter with a gradient. */
static uint32_t idle_blocks(const strata_graph *g)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_params && !g->param[i]->grad.block; i++) n += blocks_of(g->param[i]);
    return n;
}

static strata_status record_update(strata_plan *p, strata_part *part, bool measured)
{
    const strata_update u = {
        p->weights,
        p->grads,
        p->moment1,
        p->moment2,
        p->owner,
        p->rates,
        p->state,
        p->graph->loss->data,
        p->scratch,
        .blocks = (uint32_t)(p->owner.bytes / 4),
        .idle = idle_blocks(p->graph),
        .n = p->graph->loss->shape.n,
        .clip_norm = p->config.clip_norm,
        .scaled = p->config.half,
        .row_steps = p->row_steps,
        .pieces = p->pieces,
        .piece = p->piece,
        .n_pieces = p->n_pieces,
        .rows = p->graph->n_rows,
        .trust = p->trust,
        .moved = measured ? p->moved : (strata_slice) { 0 },
        .trust_coefficient = p->config.trust_coefficient,
        .trust_clip = p->config.trust_clip,
    };
    strata_stream_label(current(part), "update");
    STRATA_TRY(strata_update_norm(current(part), &u));
    return strata_update_step(current(part), &u, p->config.optimizer);
}

/* Make the network's input of the pixels that came. */
static strata_status record_input(strata_plan *p, strata_part *part, strata_mode mode)
{
    const strata_tensor *input = p->graph->input;
    if (!p->config.augment) return STRATA_OK;
    const uint64_t stored = strata_stored_bytes(p->augment.h, p->augment.w, p->augment.c);
    const uint64_t samples = input->shape.n * sizeof(strata_sample);
    const bool mixes = strata_augment_mixes(&p->augment);
    const strata_slice none = { 0 };
    const strata_augment_work work = {
        .pixels = strata_slice_part(p->in, p->in_pixels, input->shape.n * stored),
        .samples = strata_slice_part(p->in, p->in_samples, samples),
        .records = p->records,
        .out = input,
        .other_pixels = mixes ? strata_slice_part(p->in, p->in_others, input->shape.n * stored) : none,
        .other_samples = mixes ? strata_slice_part(p->in, p->in_other_samples, samples) : none,
        .other_records = p->other_records,
    };
    strata_stream_label(current(part), "input");
    return strata_augment_record(current(part), &p->augment, &work, mode);
}

static strata_status record_part(strata_plan *p, int which)
{
    const strata_mode mode = which == STRATA_PART_EVALUATE ? STRATA_EVALUATE_MODE : STRATA_TRAIN;
    strata_part *part = &p->part[which];
    STRATA_TRY(begin_segment(p, part));
    if (which == STRATA_PART_UPDATE || which == STRATA_PART_MEASURE) {
        STRATA_TRY(record_update(p, part, which == STRATA_PART_MEASURE));
    } else {
        STRATA_TRY(record_input(p, part, mode));
        STRATA_TRY(record_half(p, part, which));
        STRATA_TRY(record_forward(p, part, mode));
    }
    if (which == STRATA_PART_FIRST || which == STRATA_PART_NEXT)
        return record_backward(p, part, which == STRATA_PART_NEXT);
    return STRATA_OK;
}

static uint32_t gather(strata_stream **out, uint32_t n, const strata_part *part)
{
    memcpy(out + n, part->segment, part->n * sizeof *out);
    return n + part->n;
}

/* End the recordings of the first `n` parts, all at once. */
static strata_status end_parts(const strata_plan *p, int n)
{
    strata_stream *all[STRATA_PARTS * STRATA_SEGMENTS];
    uint32_t n_all = 0;
    for (int i = 0; i < n; i++) n_all = gather(all, n_all, &p->part[i]);
    return strata_streams_end(all, n_all);
}

static void close_part(strata_part *part)
{
    for (uint32_t k = 0; k < part->n; k++) strata_stream_close(part->segment[k]);
    *part = (strata_part) { 0 };
}

static void close_frozen(strata_frozen *f)
{
    for (int k = 0; k < STRATA_PART_EVALUATE; k++) close_part(&f->part[k]);
    free(f->hold);
}

static void close_recordings(strata_plan *p)
{
    for (uint32_t i = 0; i < p->n_kept; i++) close_frozen(&p->kept[i]);
    free(p->kept);
    close_part(&p->part[STRATA_PART_EVALUATE]);
}

static bool is_kept(const strata_plan *p, const strata_frozen *f)
{
    bool same = f->nodes == p->config.frozen_nodes;
    for (uint32_t k = 0; same && k < p->graph->n_nodes; k++)
        same = f->hold[k] == (p->config.hold && p->config.hold[k]);
    return same;
}

/* Make the recordings of the prefix that the config has, in p->part and at the end of p->kept. */
static strata_status record_prefix(strata_plan *p)
{
    strata_frozen *more = realloc(p->kept, (p->n_kept + 1) * sizeof *more);
    if (!more) return strata_fail(STRATA_NO_MEMORY, "no memory for the recordings of a frozen prefix");
    p->kept = more;
    strata_frozen *f = &more[p->n_kept];
    *f = (strata_frozen) { .nodes = p->config.frozen_nodes,
                           .hold = calloc(p->graph->n_nodes + 1, sizeof *f->hold) };
    if (!f->hold) return strata_fail(STRATA_NO_MEMORY, "no memory for the recordings of a frozen prefix");
    p->n_kept++;
    for (uint32_t k = 0; p->config.hold && k < p->graph->n_nodes; k++) f->hold[k] = p->config.hold[k];
    memset(p->part, 0, sizeof f->part);
    strata_status status = STRATA_OK;
    for (int i = 0; i < STRATA_PART_EVALUATE && status == STRATA_OK; i++)
        if (i != STRATA_PART_NEXT || p->config.micro_batches > 1) status = record_part(p, i);
    memcpy(f->part, p->part, sizeof f->part);
    return status;
}

static strata_status record(strata_plan *p)
{
    layout_gradients(p);
    STRATA_TRY(fuse_evaluation(p));
    if (p->config.train) STRATA_TRY(record_prefix(p));
    STRATA_TRY(record_part(p, STRATA_PART_EVALUATE));
    STRATA_TRY(end_parts(p, STRATA_PARTS));
    p->config.hold = NULL; /* the caller's memory; p->kept has a copy */
    return STRATA_OK;
}

strata_status strata_plan_submit_train(const strata_plan *p, strata_ring *r, bool next, strata_ending end)
{
    strata_stream *work[2 * STRATA_SEGMENTS];
    uint32_t n = gather(work, 0, &p->part[next ? STRATA_PART_NEXT : STRATA_PART_FIRST]);
    if (end == STRATA_UPDATE) n = gather(work, n, &p->part[STRATA_PART_UPDATE]);
    if (end == STRATA_UPDATE_MEASURED) n = gather(work, n, &p->part[STRATA_PART_MEASURE]);
    return strata_ring_submit(r, work, n);
}

strata_status strata_plan_submit_evaluate(const strata_plan *p, strata_ring *r)
{
    return strata_ring_submit(r, p->part[STRATA_PART_EVALUATE].segment, p->part[STRATA_PART_EVALUATE].n);
}

/* ---- Life ------------------------------------------------------------------------------------ */

strata_status strata_plan_open(strata_plan **out, strata_graph *g, strata_device *d,
                               const strata_plan_config *config)
{
    strata_status status = STRATA_OK;
    strata_plan *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p) return strata_fail(STRATA_NO_MEMORY, "no memory for a plan");
    *p = (strata_plan) { .graph = g, .device = d, .config = *config };
    if (config->augment) {
        p->augment = *config->augment;
        p->config.augment = &p->augment;
    }
    strata_plan_types(g, config);
    STRATA_GO(fuse_nodes(p));
    STRATA_GO(list_pieces(p));
    STRATA_GO(allocate(p));
    STRATA_GO(clear(p)); /* which goes on while kernels are made */
    STRATA_GO(record(p));
    STRATA_GO(write_owners(p));
    *out = p;
    return STRATA_OK;
done:
    strata_plan_close(p);
    return status;
}

void strata_plan_close(strata_plan *p)
{
    if (!p) return;
    close_recordings(p);
    for (uint32_t b = 0; p->block && b < p->n_blocks; b++) strata_block_close(&p->block[b], p->device);
    free(p->block);
    free(p->data_home);
    free(p->again_home);
    free(p->grad_home);
    if (!p->config.share) free(p->piece);
    strata_arena_free(&p->arena);
    free(p);
}

strata_status strata_plan_freeze(strata_plan *p, uint32_t frozen_nodes, const bool *hold)
{
    strata_status status = STRATA_OK;
    const uint32_t before = p->config.frozen_nodes, n_kept = p->n_kept;
    strata_part part[STRATA_PARTS];
    memcpy(part, p->part, sizeof part);
    p->config.frozen_nodes = frozen_nodes;
    p->config.hold = hold;
    layout_gradients(p);
    uint32_t i = 0;
    while (i < n_kept && !is_kept(p, &p->kept[i])) i++;
    if (i == n_kept) {
        STRATA_GO(record_prefix(p));
        STRATA_GO(end_parts(p, STRATA_PART_EVALUATE));
    }
    memcpy(p->part, p->kept[i].part, sizeof p->kept[i].part);
done:
    p->config.hold = NULL;
    if (status == STRATA_OK) return STRATA_OK;
    if (p->n_kept > n_kept) close_frozen(&p->kept[--p->n_kept]);
    memcpy(p->part, part, sizeof part);
    p->config.frozen_nodes = before;
    layout_gradients(p);
    return status;
}

/* ---- Parameters in and out ---------------------------------------------------------------------- */

strata_status strata_plan_write_param(strata_plan *p, const strata_param *param, const float *values)
{
    float *packed = malloc(param->data.bytes);
    if (!packed) return strata_fail(STRATA_NO_MEMORY, "%s: no memory for its values", param->name);
    strata_param_pack(param, packed, values);
    strata_status status = strata_device_write(p->device, param->data, packed);
    free(packed);
    return status;
}

strata_status strata_plan_read_param(strata_plan *p, const strata_param *param, float *values, bool grad)
{
    strata_slice from = grad ? param->grad : param->data;
    if (!from.block) return strata_fail(STRATA_BAD_ARG, "%s has no gradient in this plan", param->name);
    float *packed = malloc(from.bytes);
    if (!packed) return strata_fail(STRATA_NO_MEMORY, "%s: no memory for its values", param->name);
    strata_status status = strata_device_read(p->device, packed, from);
    if (status == STRATA_OK) strata_param_unpack(param, values, packed);
    free(packed);
    return status;
}

strata_status strata_plan_write_range(strata_plan *p, strata_slice range, const void *bytes)
{
    return strata_device_write(p->device, range, bytes);
}

strata_status strata_plan_read_range(strata_plan *p, void *bytes, strata_slice range)
{
    return strata_device_read(p->device, bytes, range);
}

/* Host side of shaders/grad_norm.comp, cast.comp, sgd.comp, adam.comp, lamb.comp and trust.comp. Parameters
 * are flat here: a launch takes any number of whole blocks. */
#include "ops/update.h"

#include <stdio.h>
#include <string.h>

#include "ops/op.h"
#include "adam.args.h"
#include "cast.args.h"
#include "grad_norm.args.h"
#include "lamb.args.h"
#include "sgd.args.h"
#include "trust.args.h"

enum { BLOCK_BYTES = 4 * STRATA_RATE_BLOCK };
enum { GROUP = 64, QUADS_EACH = 8 };
enum { MAX_PARTS = 1024, LEAST_CHUNK = 16, LANE_PARTS = 256, LEAST_LANE_CHUNK = 64 };
enum { GOOD_STEPS = 2000 }; /* before the loss scale is doubled: PyTorch's GradScaler */
#define NONE ((strata_slice) { 0 })

/* Blocks that one workgroup of grad_norm adds up: at most MAX_PARTS workgroups. Slices are whole chunks. With
 * `lanes` a chunk is that of so many workgroups of one subgroup as have 64 invocations, whose four quarters
 * want at least four blocks each. */
static uint32_t chunk_of(uint32_t blocks, bool lanes)
{
    uint32_t chunk = lanes ? LEAST_LANE_CHUNK : LEAST_CHUNK;
    while ((uint64_t)chunk * (lanes ? LANE_PARTS : MAX_PARTS) < blocks) chunk *= 2;
    return chunk;
}

static uint32_t partials_of(uint32_t blocks, bool lanes)
{
    uint32_t chunk = chunk_of(blocks, lanes);
    return (blocks + chunk - 1) / chunk * GROUP;
}

static uint64_t piece_bytes(uint32_t pieces) { return 2 * sizeof(float) * (uint64_t)pieces; }

uint64_t strata_update_scratch(uint32_t blocks) /* at most */
{
    const uint64_t norm = 4 * (uint64_t)partials_of(blocks, false), pieces = piece_bytes(blocks);
    return strata_align(norm > pieces ? norm : pieces);
}

/* Blocks of one launch: a multiple of `grain`, or all. */
static strata_status blocks_per_slice(uint32_t *out, strata_stream *s, const strata_update *u, uint32_t grain)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    uint64_t most = caps->max_range / BLOCK_BYTES;
    if (most < u->blocks) most -= most % grain;
    if (most == 0 && u->blocks != 0)
        return strata_fail(STRATA_BAD_ARG,
                           "update: %u blocks of parameters take %u bytes, %s binds at most %llu", grain,
                           grain * BLOCK_BYTES, caps->name, (unsigned long long)caps->max_range);
    *out = most < u->blocks ? (uint32_t)most : u->blocks;
    return STRATA_OK;
}

static strata_slice blocks_part(strata_slice s, uint32_t first, uint32_t blocks)
{
    return strata_slice_part(s, (uint64_t)first * BLOCK_BYTES, (uint64_t)blocks * BLOCK_BYTES);
}

strata_status strata_update_norm(strata_stream *s, const strata_update *u)
{
    const strata_caps *caps = strata_device_caps(strata_stream_device(s));
    const bool gpu = caps->vulkan && !caps->cpu_type, large = gpu && caps->max_group >= 512;
    const uint32_t lanes = strata_store_lanes(caps), runs = lanes ? GROUP / lanes : 1;
    const uint32_t chunk = chunk_of(u->blocks, lanes), partials = partials_of(u->blocks, lanes);
    /* The scratch may be more than a binding takes: it is as large as the largest node's. */
    const strata_slice partial = strata_slice_part(u->scratch, 0, 4 * (uint64_t)partials);
    uint32_t most = 0;
    STRATA_TRY(blocks_per_slice(&most, s, u, chunk));
    struct grad_norm_args args = { .owner = u->owner, .rates = u->rates, .partial = partial, .chunk = chunk };
    for (uint32_t first = 0; first < u->blocks; first += most) {
        args.blocks = u->blocks - first < most ? u->blocks - first : most;
        args.first = first;
        args.grads = blocks_part(u->grads, first, args.blocks);
        char defines[STRATA_SUBGROUP_DEFINES + 16];
        if (lanes)
            strata_subgroup_defines(defines, caps, false);
        else
            strcpy(defines, gpu ? "GROUP=64 AHEAD=4" : "GROUP=64");
        if (strata_texels(s, &args, &grad_norm_kernel)) strcat(defines, " TEXEL=1");
        strata_launch how = { .pass = STRATA_STATS, .variant = "plain", .defines = defines };
        strata_grid(how.groups, (uint64_t)(args.blocks + chunk - 1) / chunk * runs, 1);
        STRATA_TRY(strata_stream_launch(s, &grad_norm_kernel, &how, &args));
    }
    const struct grad_norm_args finish = {
        .loss = u->loss,
        .partial = partial,
        .state = u->state,
        .partials = partials,
        .n = u->n,
        .clip_norm = u->clip_norm,
        .interval = u->scaled ? GOOD_STEPS : 0,
        .steps = u->row_steps,
        .table = u->row_steps.block ? u->rates : NONE,
        .rows = u->row_steps.block ? u->rows : 0,
    };
    const strata_launch how = { .pass = STRATA_STATS_FINISH,
                                .variant = "plain",
                                .defines = large ? "GROUP=512" : "GROUP=128" };
    return strata_stream_launch(s, &grad_norm_kernel, &how, &finish);
}

/* ---- Tensors of 16 bits ------------------------------------------------------------------------- */

static strata_status launch_cast(strata_stream *s, const struct cast_args *args)
{
    strata_launch how = { .pass = STRATA_FORWARD,
                          .variant = "plain",
                          .defines = strata_texels(s, args, &cast_kernel) ? "TEXEL=1" : "" };
    strata_grid(how.groups, args->quads, GROUP);
    return strata_stream_launch(s, &cast_kernel, &how, args);
}

strata_status strata_update_copy(strata_stream *s, const strata_update *u)
{
    uint32_t most = 0;
    STRATA_TRY(blocks_per_slice(&most, s, u, 1));
    for (uint32_t first = 0; first < u->blocks; first += most) {
        const uint32_t blocks = u->blocks - first < most ? u->blocks - first : most;
        const struct cast_args args = { .from = blocks_part(u->weights, first, blocks),
                                        .to = strata_slice_part(u->copies, (uint64_t)first * BLOCK_BYTES / 2,
                                                                (uint64_t)blocks * BLOCK_BYTES / 2),
                                        .quads = blocks * (STRATA_RATE_BLOCK / 4) };
        STRATA_TRY(launch_cast(s, &args));
    }
    return STRATA_OK;
}

strata_status strata_update_scale(strata_stream *s, const strata_update *u)
{
    return launch_cast(s, &(struct cast_args) { .from = u->counts[0],
                                                .state = u->state,
                                                .to = u->counts[1],
                                                .quads = (u->n + 3) / 4,
                                                .scaled = 1 });
}

/* ---- The optimizers --------------------------------------------------------------------------- */

enum { PIECE = 64 }; /* blocks at most: 64 KiB of weights */

/* Lanes are stored by a grid of one dimension, and where a row's number has no more than 12 bits: each of
 * them costs time in each block. */
enum { LANE_BLOCKS = STRATA_MAX_GROUPS, LANE_ROWS = 4096 };

static bool stores_lanes(strata_stream *s, const strata_update *u)
{
    return strata_store_lanes(strata_device_caps(strata_stream_device(s))) != 0 &&
           u->rates.bytes <= (uint64_t)LANE_ROWS * 4 * STRATA_RATE_WORDS;
}

/* A launch with what else is known as it is recorded: whether its slices are texels, and `more`. */
static strata_status launch_with(strata_stream *s, const strata_kernel *kernel, const strata_launch *how,
                                 const void *args, const char *more)
{
    char defines[160];
    strata_launch known = *how;
    snprintf(defines, sizeof defines, "%s%s%s", more, strata_texels(s, args, kernel) ? "TEXEL=1 " : "",
             how->defines);
    known.defines = defines;
    return strata_stream_launch(s, kernel, &known, args);
}

uint32_t strata_update_pieces(strata_piece *out, const uint32_t *owner, uint32_t blocks)
{
    uint32_t n = 0;
    for (uint32_t b = 0, first = 0; b < blocks; b++) {
        if (b + 1 < blocks && owner[b + 1] == owner[b] && b + 1 - first < PIECE) continue;
        if (out) out[n] = (strata_piece) { first, b + 1 - first, owner[b], 0 };
        n++;
        first = b + 1;
    }
    return n;
}

/* What one launch takes: blocks, in passes by pieces those of whole ones. */
typedef struct share {
    uint32_t first, blocks, first_piece, pieces;
} share;

static bool next_share(share *p, const strata_update *u, uint32_t most, bool by_pieces)
{
    p->first += p->blocks;
    p->first_piece += p->pieces;
    p->blocks = p->pieces = 0;
    if (!by_pieces) p->blocks = u->blocks - p->first < most ? u->blocks - p->first : most;
    for (uint32_t i = p->first_piece; by_pieces && i < u->n_pieces; i++) {
        if (p->blocks + u->piece[i].blocks > most) break;
        p->blocks += u->piece[i].blocks;
        p->pieces++;
    }
    return p->blocks > 0;
}

static strata_slice partial_of(const strata_update *u)
{
    return strata_slice_part(u->scratch, 0, piece_bytes(u->n_pieces));
}

static strata_status launch_sgd(strata_stream *s, const strata_update *u, const strata_launch *how,
                                const share *p, strata_optimizer optimizer)
{
    const bool by_pieces = p->pieces > 0, trust = optimizer == STRATA_LARS;
    const struct sgd_args args = {
        .w = blocks_part(u->weights, p->first, p->blocks),
        .g = blocks_part(u->grads, p->first, p->blocks),
        .m = blocks_part(u->moment1, p->first, p->blocks),
        .owner = u->owner,
        .rates = u->rates,
        .state = u->state,
        .trust = trust ? u->trust : NONE,
        .pieces = by_pieces ? u->pieces : NONE,
        .partial = by_pieces ? partial_of(u) : NONE,
        .old_w = blocks_part(u->weights, p->first, p->blocks),
        .old_m = blocks_part(u->moment1.block ? u->moment1 : u->weights, p->first, p->blocks),
        .first = p->first,
        .blocks = p->blocks,
        .has_m = u->moment1.block != NULL,
        .has_trust = trust,
        .first_piece = p->first_piece,
        .n_pieces = p->pieces,
    };
    char more[32] = "";
    if (!by_pieces && stores_lanes(s, u))
        snprintf(more, sizeof more, "HAS_M=%d HAS_TRUST=%d ", u->moment1.block != NULL, trust);
    return launch_with(s, &sgd_kernel, how, &args, more);
}

static strata_status launch_adam(strata_stream *s, const strata_update *u, const strata_launch *how,
                                 const share *p, strata_optimizer optimizer)
{
    const bool by_pieces = p->pieces > 0;
    const struct adam_args args = {
        .w = blocks_part(u->weights, p->first, p->blocks),
        .g = blocks_part(u->grads, p->first, p->blocks),
        .m = blocks_part(u->moment1, p->first, p->blocks),
        .v = blocks_part(u->moment2, p->first, p->blocks),
        .owner = u->owner,
        .rates = u->rates,
        .state = u->state,
        .pieces = by_pieces ? u->pieces : NONE,
        .partial = by_pieces ? partial_of(u) : NONE,
        .old_w = blocks_part(u->weights, p->first, p->blocks),
        .old_m = blocks_part(u->moment1, p->first, p->blocks),
        .old_v = blocks_part(u->moment2, p->first, p->blocks),
        .first = p->first,
        .blocks = p->blocks,
        .decoupled = optimizer == STRATA_ADAMW,
        .first_piece = p->first_piece,
        .n_pieces = p->pieces,
    };
    return launch_with(s, &adam_kernel, how, &args, "");
}

static strata_status launch_lamb(strata_stream *s, const strata_update *u, const strata_launch *how,
                                 const share *p, strata_optimizer optimizer)
{
    const bool by_pieces = p->pieces > 0, stats = how->pass == STRATA_STATS;
    (void)optimizer;
    const struct lamb_args args = {
        .w = blocks_part(u->weights, p->first, p->blocks),
        .g = stats ? blocks_part(u->grads, p->first, p->blocks) : NONE,
        .m = blocks_part(u->moment1, p->first, p->blocks),
        .v = blocks_part(u->moment2, p->first, p->blocks),
        .owner = u->owner,
        .rates = u->rates,
        .state = u->state,
        .trust = stats ? NONE : u->trust,
        .pieces = by_pieces ? u->pieces : NONE,
        .partial = by_pieces ? partial_of(u) : NONE,
        .old_w = blocks_part(u->weights, p->first, p->blocks),
        .old_m = blocks_part(u->moment1, p->first, p->blocks),
        .old_v = blocks_part(u->moment2, p->first, p->blocks),
        .first = p->first,
        .blocks = p->blocks,
        .first_piece = p->first_piece,
        .n_pieces = p->pieces,
    };
    return launch_with(s, &lamb_kernel, how, &args,
                       stats && by_pieces && stores_lanes(s, u) ? "STORED=1 " : "");
}

static strata_status launch_norms(strata_stream *s, const strata_update *u, const strata_launch *how,
                                  const share *p, strata_optimizer optimizer)
{
    (void)optimizer;
    const struct trust_args args = {
        .w = blocks_part(u->weights, p->first, p->blocks),
        .g = blocks_part(u->grads, p->first, p->blocks),
        .pieces = u->pieces,
        .rates = u->rates,
        .partial = partial_of(u),
        .first = p->first,
        .first_piece = p->first_piece,
        .n_pieces = p->pieces,
    };
    return strata_stream_launch(s, &trust_kernel, how, &args);
}

typedef strata_status launcher(strata_stream *s, const strata_update *u, const strata_launch *how,
                               const share *p, strata_optimizer optimizer);

/* One pass over all blocks, in as many launches as a binding's limit wants. */
static strata_status run_over(strata_stream *s, const strata_update *u, strata_optimizer optimizer,
                              strata_pass pass, launcher *launch, bool by_pieces)
{
    const bool lanes = !by_pieces && stores_lanes(s, u);
    const char *defines = u->defines ? u->defines : "";
    char of_lanes[STRATA_SUBGROUP_DEFINES + 32];
    uint32_t most = 0;
    share p = { .first = by_pieces ? 0 : u->idle };
    STRATA_TRY(blocks_per_slice(&most, s, u, by_pieces ? PIECE : 1));
    if (lanes) {
        const uint32_t n = strata_subgroup_defines(of_lanes, strata_device_caps(strata_stream_device(s)),
                                                   true);
        snprintf(of_lanes + n, sizeof of_lanes - n, " %s", defines);
        defines = of_lanes;
        if (most > LANE_BLOCKS) most = LANE_BLOCKS;
    }
    while (next_share(&p, u, most, by_pieces)) {
        strata_launch how = { .pass = pass, .variant = "plain", .defines = defines };
        if (by_pieces || lanes)
            strata_grid(how.groups, by_pieces ? p.pieces : p.blocks, 1);
        else
            strata_grid(how.groups, (uint64_t)p.blocks * (STRATA_RATE_BLOCK / 4 / QUADS_EACH), GROUP);
        STRATA_TRY(launch(s, u, &how, &p, optimizer));
    }
    return STRATA_OK;
}

/* A row's sums over its pieces: its trust ratio of them, or with MEASURE the two norms. */
static strata_status finish_norms(strata_stream *s, const strata_update *u, strata_optimizer optimizer,
                                  strata_pass pass)
{
    const struct trust_args args = {
        .pieces = u->pieces,
        .rates = u->rates,
        .state = u->state,
        .partial = partial_of(u),
        .trust = pass == STRATA_MEASURE ? NONE : u->trust,
        .moved = pass == STRATA_MEASURE ? u->moved : NONE,
        .n_pieces = u->n_pieces,
        .rows = u->rows,
        .lars = optimizer == STRATA_LARS,
        .coefficient = u->trust_coefficient,
        .most = u->trust_clip,
    };
    strata_launch how = { .pass = pass, .variant = "plain", .defines = "" };
    strata_grid(how.groups, u->rows, 1);
    return strata_stream_launch(s, &trust_kernel, &how, &args);
}

strata_status strata_update_step(strata_stream *s, const strata_update *u, strata_optimizer optimizer)
{
    static launcher *const launch[] = { [STRATA_SGD] = launch_sgd,
                                        [STRATA_ADAM] = launch_adam,
                                        [STRATA_ADAMW] = launch_adam,
                                        [STRATA_LARS] = launch_sgd,
                                        [STRATA_LAMB] = launch_lamb };
    const bool lars = optimizer == STRATA_LARS, measured = u->moved.block != NULL;
    if (optimizer == STRATA_LAMB && stores_lanes(s, u)) /* the moments */
        STRATA_TRY(run_over(s, u, optimizer, STRATA_STATS, launch_lamb, false));
    if (lars || optimizer == STRATA_LAMB) {
        STRATA_TRY(run_over(s, u, optimizer, STRATA_STATS, lars ? launch_norms : launch_lamb, true));
        STRATA_TRY(finish_norms(s, u, optimizer, STRATA_STATS_FINISH));
    }
    STRATA_TRY(
        run_over(s, u, optimizer, measured ? STRATA_MEASURE : STRATA_FORWARD, launch[optimizer], measured));
    return measured ? finish_norms(s, u, optimizer, STRATA_MEASURE) : STRATA_OK;
}

strata_work strata_update_work(double bytes, uint32_t moments, bool norm)
{
    if (norm) return (strata_work) { bytes / 4 * 2, bytes };
    /* Parameters and moments are read and written, gradients read. */
    return (strata_work) { bytes / 4 * (4 + 5.0 * moments), bytes * (3 + 2.0 * moments) };
}

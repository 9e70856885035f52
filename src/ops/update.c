/* Host side of shaders/grad_norm.comp, sgd.comp and adam.comp. Parameters are flat here: a launch takes any
 * number of whole blocks. */
#include "ops/update.h"

#include "ops/op.h"
#include "adam.args.h"
#include "grad_norm.args.h"
#include "sgd.args.h"

enum { BLOCK_BYTES = 4 * STRATA_RATE_BLOCK };
enum { GROUP = 64, QUADS_EACH = 4 };
enum { MAX_PARTS = 1024, LEAST_CHUNK = 16 };

/* Blocks that one workgroup of grad_norm adds up: at most MAX_PARTS workgroups. Slices are whole chunks. */
static uint32_t chunk_of(uint32_t blocks)
{
    uint32_t chunk = LEAST_CHUNK;
    while ((uint64_t)chunk * MAX_PARTS < blocks) chunk *= 2;
    return chunk;
}

static uint32_t partials_of(uint32_t blocks)
{
    uint32_t chunk = chunk_of(blocks);
    return (blocks + chunk - 1) / chunk * GROUP;
}

uint64_t strata_update_scratch(uint32_t blocks) { return strata_align(4 * (uint64_t)partials_of(blocks)); }

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
    const uint32_t chunk = chunk_of(u->blocks), partials = partials_of(u->blocks);
    /* The scratch may be more than a binding takes: it is as large as the largest node's. */
    const strata_slice partial = strata_slice_part(u->scratch, 0, 4 * (uint64_t)partials);
    uint32_t most = 0;
    STRATA_TRY(blocks_per_slice(&most, s, u, chunk));
    struct grad_norm_args args = { .owner = u->owner, .rates = u->rates, .partial = partial, .chunk = chunk };
    for (uint32_t first = 0; first < u->blocks; first += most) {
        args.blocks = u->blocks - first < most ? u->blocks - first : most;
        args.first = first;
        args.grads = blocks_part(u->grads, first, args.blocks);
        strata_launch how = { .pass = STRATA_STATS, .variant = "plain", .defines = "GROUP=64" };
        strata_grid(how.groups, args.blocks, chunk);
        STRATA_TRY(strata_stream_launch(s, &grad_norm_kernel, &how, &args));
    }
    const struct grad_norm_args finish = {
        .loss = u->loss,
        .partial = partial,
        .state = u->state,
        .partials = partials,
        .n = u->n,
        .clip_norm = u->clip_norm,
    };
    const strata_launch how = { .pass = STRATA_STATS_FINISH, .variant = "plain", .defines = "GROUP=128" };
    return strata_stream_launch(s, &grad_norm_kernel, &how, &finish);
}

static strata_status launch_sgd(strata_stream *s, const strata_update *u, strata_launch *how, uint32_t first,
                                uint32_t blocks)
{
    const struct sgd_args args = {
        .w = blocks_part(u->weights, first, blocks),
        .g = blocks_part(u->grads, first, blocks),
        .m = blocks_part(u->moment1, first, blocks),
        .owner = u->owner,
        .rates = u->rates,
        .state = u->state,
        .first = first,
        .blocks = blocks,
        .has_m = u->moment1.block != NULL,
    };
    return strata_stream_launch(s, &sgd_kernel, how, &args);
}

static strata_status launch_adam(strata_stream *s, const strata_update *u, strata_launch *how, uint32_t first,
                                 uint32_t blocks, bool decoupled)
{
    const struct adam_args args = {
        .w = blocks_part(u->weights, first, blocks),
        .g = blocks_part(u->grads, first, blocks),
        .m = blocks_part(u->moment1, first, blocks),
        .v = blocks_part(u->moment2, first, blocks),
        .owner = u->owner,
        .rates = u->rates,
        .state = u->state,
        .first = first,
        .blocks = blocks,
        .decoupled = decoupled,
    };
    return strata_stream_launch(s, &adam_kernel, how, &args);
}

strata_status strata_update_step(strata_stream *s, const strata_update *u, int adam)
{
    uint32_t most = 0;
    STRATA_TRY(blocks_per_slice(&most, s, u, 1));
    for (uint32_t first = 0; first < u->blocks; first += most) {
        const uint32_t blocks = u->blocks - first < most ? u->blocks - first : most;
        strata_launch how = { .pass = STRATA_FORWARD, .variant = "plain", .defines = "" };
        strata_grid(how.groups, (uint64_t)blocks * (STRATA_RATE_BLOCK / 4 / QUADS_EACH), GROUP);
        STRATA_TRY(adam ? launch_adam(s, u, &how, first, blocks, adam == 2)
                        : launch_sgd(s, u, &how, first, blocks));
    }
    return STRATA_OK;
}

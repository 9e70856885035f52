/* The judge of what is no node: the gradient norm with clipping, and the optimizers, over flat ranges of
 * parameters that belong to rows of every kind (active, not active, Nesterov, first step). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/guarded.h"
#include "core/random.h"
#include "graph/plan.h"
#include "ops/update.h"

enum { ROWS = 7, LOSSES = 70, STATES = 6 /* words of the state that are in use */ };
enum {
    WEIGHTS,
    GRADS,
    MOMENT1,
    MOMENT2,
    OWNER,
    RATES,
    STATE,
    LOSS,
    SCRATCH,
    PIECES,
    TRUST,
    MOVED,
    COPIES,
    COUNTS,
    ROW_STEPS,
    PARTS
};
static const char *const part_names[] = { "weights", "grads", "moment1", "moment2", "owner",
                                          "rates",   "state", "loss",    "scratch", "pieces",
                                          "trust",   "moved", "copies",  "counts",  "row_steps" };

/* What is run: strata_update_step's optimizers, NORM the norm, CAST what tensors of 16 bits want. */
enum { SGD, ADAM, ADAMW, LARS, LAMB, NORM, CAST };

typedef struct flat_case {
    const char *name;
    int what;
    uint32_t blocks;
    bool no_momentum, measured;
    float clip_norm, trust_clip;
    bool bad_gradient, bad_frozen_gradient, bad_loss,
        was_bad; /* NaN: in an active row, in another, in the loss */
    float scale; /* of the losses, which moves; 0: none */
    uint32_t good_steps;
    bool overflowed;    /* in the step before */
    uint32_t row_steps; /* counted so far; 0: none are counted */
} flat_case;

static const flat_case cases[] = {
    { "sgd without momentum", .what = SGD, .blocks = 3, .no_momentum = true },
    { "sgd", .what = SGD, .blocks = 1 },
    { "sgd", .what = SGD, .blocks = 331 },
    { "sgd after a NaN", .what = SGD, .blocks = 7, .was_bad = true },
    { "adam", .what = ADAM, .blocks = 331 },
    { "adam after a NaN", .what = ADAM, .blocks = 7, .was_bad = true },
    { "adamw", .what = ADAMW, .blocks = 331 },
    { "adamw", .what = ADAMW, .blocks = 1 },
    { "sgd, measured", .what = SGD, .blocks = 331, .measured = true },
    { "sgd without momentum, measured", .what = SGD, .blocks = 3, .no_momentum = true, .measured = true },
    { "adamw, measured", .what = ADAMW, .blocks = 331, .measured = true },
    { "adam after a NaN, measured", .what = ADAM, .blocks = 7, .was_bad = true, .measured = true },
    { "lars", .what = LARS, .blocks = 331 },
    { "lars without momentum, clipped", .what = LARS, .blocks = 7, .no_momentum = true, .trust_clip = 1 },
    { "lars, measured", .what = LARS, .blocks = 331, .measured = true },
    { "lamb", .what = LAMB, .blocks = 331 },
    { "lamb, clipped", .what = LAMB, .blocks = 331, .trust_clip = 0.4F },
    { "lamb, measured", .what = LAMB, .blocks = 331, .measured = true },
    { "lamb after a NaN", .what = LAMB, .blocks = 7, .was_bad = true },
    { "norm", .what = NORM, .blocks = 1 },
    { "norm, clipped", .what = NORM, .blocks = 331, .clip_norm = 0.5F },
    { "norm, not clipped", .what = NORM, .blocks = 64, .clip_norm = 1e6F },
    { "norm of a NaN", .what = NORM, .blocks = 65, .clip_norm = 1, .bad_gradient = true },
    { "norm, NaN in a frozen row", .what = NORM, .blocks = 65, .clip_norm = 1, .bad_frozen_gradient = true },
    { "norm of a NaN loss", .what = NORM, .blocks = 65, .bad_loss = true },
    { "norm after a NaN", .what = NORM, .blocks = 65, .was_bad = true },
    { "norm, scaled", .what = NORM, .blocks = 331, .clip_norm = 0.5F, .scale = 1024, .good_steps = 7 },
    { "norm, scaled, after an overflow", .what = NORM, .blocks = 3, .scale = 2, .overflowed = true },
    { "norm, scaled, after 2000 steps", .what = NORM, .blocks = 3, .scale = 4, .good_steps = 1999 },
    { "norm, scaled by the most", .what = NORM, .blocks = 3, .scale = 0x1p24F, .good_steps = 1999 },
    { "norm of an overflow", .what = NORM, .blocks = 65, .scale = 8, .good_steps = 7, .bad_gradient = true },
    { "norm of an overflow at scale 1", .what = NORM, .blocks = 65, .scale = 1, .bad_gradient = true },
    { "norm of a NaN loss, scaled", .what = NORM, .blocks = 65, .scale = 8, .bad_loss = true },
    { "norm after a NaN, scaled", .what = NORM, .blocks = 65, .scale = 8, .was_bad = true },
    { "norm, scaled, counting", .what = NORM, .blocks = 3, .scale = 2, .row_steps = 1 },
    { "norm, scaled, counting on", .what = NORM, .blocks = 3, .scale = 2, .row_steps = 12345 },
    { "norm of an overflow, counting",
      .what = NORM,
      .blocks = 65,
      .scale = 8,
      .row_steps = 3,
      .bad_gradient = true },
    { "norm after a NaN, counting", .what = NORM, .blocks = 65, .scale = 8, .row_steps = 3, .was_bad = true },
    { "copies and counts", .what = CAST, .blocks = 331, .scale = 1024 },
    { "copies and first counts", .what = CAST, .blocks = 3 },
};

typedef struct flat {
    const flat_case *c;
    strata_piece *piece;
    uint32_t n_pieces;
    guarded m; /* of PARTS */
} flat;

static strata_status place(flat *f)
{
    const uint64_t floats = 4 * (uint64_t)f->c->blocks * STRATA_RATE_BLOCK;
    const uint64_t bytes[PARTS] = { floats,
                                    floats,
                                    floats,
                                    floats,
                                    4 * (uint64_t)f->c->blocks,
                                    ROWS * sizeof(strata_rate),
                                    sizeof(strata_state),
                                    4 * LOSSES,
                                    strata_update_scratch(f->c->blocks),
                                    f->n_pieces * sizeof(strata_piece),
                                    4 * ROWS,
                                    8 * ROWS,
                                    floats / 2,
                                    4 * (uint64_t)strata_lanes(LOSSES),
                                    4 * ROWS };
    return guarded_init(&f->m, part_names, bytes, PARTS);
}

/* One run of blocks is longer than a piece. */
static uint32_t owner_of(uint32_t block) { return block >= 131 && block < 231 ? 2 : block * 5 / 3 % ROWS; }

static bool has_trust(const flat_case *c) { return c->what == LARS || c->what == LAMB; }
static bool has_moment2(const flat_case *c) { return c->what != SGD && c->what != LARS; }
static bool by_pieces(const flat_case *c) { return has_trust(c) || c->measured; }

static strata_status make_pieces(flat *f)
{
    uint32_t *owner = malloc(f->c->blocks * sizeof *owner);
    f->piece = malloc(f->c->blocks * sizeof *f->piece);
    for (uint32_t b = 0; owner && b < f->c->blocks; b++) owner[b] = owner_of(b);
    if (owner && f->piece) f->n_pieces = strata_update_pieces(f->piece, owner, f->c->blocks);
    free(owner);
    return f->n_pieces ? STRATA_OK : strata_fail(STRATA_NO_MEMORY, "no memory for a check");
}

static void fill_rates(strata_rate *rates, int what)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        rates[i] = (strata_rate) { .lr = 0.1F * (float)(i + 1),
                                   .momentum = 0.9F - 0.1F * (float)i,
                                   .beta2 = 0.99F,
                                   .eps = i == 4 ? 0 : 1e-3F,
                                   .weight_decay = i % 2 ? 0.05F : 0,
                                   .correction1 = what == SGD || what == LARS ? 1 : 1.7F,
                                   .correction2 = 2.3F,
                                   .flags = STRATA_RATE_ACTIVE };
        if ((what == LARS || what == LAMB) && i != 1) rates[i].flags |= STRATA_RATE_TRUST;
        if (i == 3) rates[i].flags = 0;
        if (i == 2 || i == 5) rates[i].flags |= STRATA_RATE_NESTEROV;
        if (i == 5 || i == 6) rates[i].flags |= STRATA_RATE_FIRST;
    }
}

static void fill(flat *f)
{
    const flat_case *c = f->c;
    for (int part = WEIGHTS; part <= MOMENT2; part++) {
        float *v = (float *)(f->m.before + f->m.offset[part]);
        for (uint64_t i = 0; i < f->m.bytes[part] / 4; i++) {
            strata_random4 r = strata_philox((uint32_t)i, (uint32_t)part, 0, 2, 0, STRATA_RANDOM_TEST);
            v[i] = strata_uniform(r.v[0]) * 2 - 1;
            if (part == MOMENT2) v[i] = fabsf(v[i]);
            if (i % STRATA_RATE_BLOCK > 250) v[i] = 0; /* the pads of a parameter */
        }
    }
    uint32_t *owner = (uint32_t *)(f->m.before + f->m.offset[OWNER]);
    float *grads = (float *)(f->m.before + f->m.offset[GRADS]);
    float *loss = (float *)(f->m.before + f->m.offset[LOSS]);
    for (uint32_t b = 0; b < c->blocks; b++) {
        owner[b] = owner_of(b);
        if ((owner[b] == 3 && c->bad_frozen_gradient) || (b == 60 && c->bad_gradient))
            grads[b * STRATA_RATE_BLOCK + 77] = NAN;
    }
    fill_rates((strata_rate *)(f->m.before + f->m.offset[RATES]), c->what);
    memcpy(f->m.before + f->m.offset[PIECES], f->piece, f->m.bytes[PIECES]);
    memset(f->m.before + f->m.offset[TRUST], 0, f->m.bytes[TRUST]);
    uint32_t *row_steps = (uint32_t *)(f->m.before + f->m.offset[ROW_STEPS]);
    for (uint32_t i = 0; i < ROWS; i++) row_steps[i] = c->row_steps * (i + 1) - 1;
    for (uint32_t i = 0; i < LOSSES; i++) loss[i] = i == 66 && c->bad_loss ? INFINITY : 0.25F * (float)i;
    strata_state *state = (strata_state *)(f->m.before + f->m.offset[STATE]);
    *state = (strata_state) { .not_finite = c->was_bad      ? 1
                                            : c->overflowed ? 2
                                                            : 0,
                              .grad_norm = 3,
                              .clip = 0.37F,
                              .skipped = 4,
                              .loss_scale = c->scale,
                              .good_steps = c->good_steps };
}

static strata_status record(const void *context, strata_stream *s, const strata_block *block)
{
    const flat *f = context;
    strata_update u = {
        .weights = guarded_part(&f->m, block, WEIGHTS),
        .grads = guarded_part(&f->m, block, GRADS),
        .owner = guarded_part(&f->m, block, OWNER),
        .rates = guarded_part(&f->m, block, RATES),
        .state = guarded_part(&f->m, block, STATE),
        .loss = guarded_part(&f->m, block, LOSS),
        .scratch = guarded_part(&f->m, block, SCRATCH),
        .blocks = f->c->blocks,
        .n = LOSSES,
        .clip_norm = f->c->clip_norm,
        .pieces = guarded_part(&f->m, block, PIECES),
        .piece = f->piece,
        .n_pieces = f->n_pieces,
        .rows = ROWS,
        .trust = guarded_part(&f->m, block, TRUST),
        .trust_coefficient = 0.3F,
        .trust_clip = f->c->trust_clip,
    };
    if (!f->c->no_momentum) u.moment1 = guarded_part(&f->m, block, MOMENT1);
    if (has_moment2(f->c)) u.moment2 = guarded_part(&f->m, block, MOMENT2);
    if (f->c->measured) u.moved = guarded_part(&f->m, block, MOVED);
    if (f->c->row_steps) u.row_steps = guarded_part(&f->m, block, ROW_STEPS);
    u.scaled = f->c->scale > 0;
    if (f->c->what == CAST) {
        u.copies = guarded_part(&f->m, block, COPIES);
        u.copies.half = true;
        u.counts[0] = strata_slice_part(u.weights, 0, f->m.bytes[COUNTS]); /* any floats */
        u.counts[1] = guarded_part(&f->m, block, COUNTS);
        STRATA_TRY(strata_update_copy(s, &u));
        return strata_update_scale(s, &u);
    }
    return f->c->what == NORM ? strata_update_norm(s, &u)
                              : strata_update_step(s, &u, (strata_optimizer)f->c->what);
}

static bool is_correction(uint64_t word)
{
    return word % STRATA_RATE_WORDS == offsetof(strata_rate, correction1) / 4 ||
           word % STRATA_RATE_WORDS == offsetof(strata_rate, correction2) / 4;
}

/* Which parts may be written, and which floats of them: rows that are active. */
static bool may_write(const void *context, uint32_t i, uint64_t element)
{
    const flat *f = context;
    const flat_case *c = f->c;
    if (i == SCRATCH) return c->what == NORM || by_pieces(c);
    if (i == STATE) return c->what == NORM && element < STATES;
    if (c->what == CAST) return i == COPIES || i == COUNTS;
    if (i == COPIES || i == COUNTS) return false;
    if (i == ROW_STEPS || i == RATES)
        return c->row_steps && !c->bad_gradient && !c->was_bad &&
               (i == RATES ? element / STRATA_RATE_WORDS != 3 && is_correction(element) : element != 3);
    if (i == TRUST) return has_trust(c);
    if (i == MOVED) return c->measured;
    bool moment = (i == MOMENT1 && !c->no_momentum) || (i == MOMENT2 && has_moment2(c));
    return c->what != NORM && (i == WEIGHTS || moment) && !c->was_bad &&
           owner_of((uint32_t)(element / STRATA_RATE_BLOCK)) != 3;
}

/* How many units of 2^-24 a norm or trust ratio may be off: the root of a sum of up to 256 terms of an
 * invocation's share of a piece, of as many again over the pieces, and of the trees over a workgroup. */
static double norm_units(const flat *f) { return sqrt(256 + f->n_pieces); }

/* Norms: of the step, which is a difference of weights that each were rounded, and of the weights. */
static void check_moved(const flat *f, double unit, char *why, size_t room)
{
    const float *want = (const float *)(f->m.want + f->m.offset[MOVED]),
                *got = (const float *)(f->m.got + f->m.offset[MOVED]);
    for (uint32_t row = 0; row < ROWS && !*why; row++)
        for (uint32_t k = 2 * row; k < 2 * row + 2 && !*why; k++) {
            const double size = (k % 2 ? 0 : (double)want[k + 1]) + norm_units(f) * (double)want[k];
            if (!(fabs((double)got[k] - (double)want[k]) <= unit * size))
                snprintf(why, room, "moved, row %u: %.9g, wanted %.9g", (unsigned)row, (double)got[k],
                         (double)want[k]);
        }
}

/* Compare a part's floats. An element may be off by `unit` of the part's rms and of itself, and by four units
 * of how far it moved: Vulkan asks 2.5 units of the last place of a root and of a quotient. A trust ratio
 * multiplies what moves. */
static void check_part(const flat *f, int i, double unit, strata_doctor_line *line, char *why, size_t room)
{
    const float *was = (const float *)(f->m.before + f->m.offset[i]),
                *want = (const float *)(f->m.want + f->m.offset[i]);
    const float *got = (const float *)(f->m.got + f->m.offset[i]);
    const uint64_t n = i == STATE ? STATES : f->m.bytes[i] / 4;
    double rms = 0;
    for (uint64_t k = 0; k < n && i != STATE; k++) rms += (double)want[k] * (double)want[k] / (double)n;
    for (uint64_t k = 0; k < n && !*why; k++) {
        double error = fabs((double)got[k] - (double)want[k]), moved = fabs((double)want[k] - (double)was[k]);
        if (has_trust(f->c)) moved *= norm_units(f);
        if (i == MOMENT1 && has_trust(f->c)) moved += norm_units(f) * sqrt(rms);
        double bound = unit * (sqrt(rms) + fabs((double)want[k]) + (i == STATE ? 0 : 4 * moved));
        if (i == STATE && (k == 0 || k >= 3)) bound = 0; /* a flag, a power of two, counts: the same bits */
        if (memcmp(&got[k], &want[k], 4) == 0 || (isnan(want[k]) && isnan(got[k]))) continue;
        if (error * line->bound >= line->error * bound) {
            line->error = error;
            line->bound = bound;
        }
        if (!(error <= bound))
            snprintf(why, room, "%s, element %llu: %.9g, wanted %.9g", part_names[i], (unsigned long long)k,
                     (double)got[k], (double)want[k]);
    }
}

/* Rounding and powers of two leave no choice. */
static void check_same(const flat *f, char *why, size_t room)
{
    for (int i = COPIES; i <= COUNTS && !*why; i++)
        if (memcmp(f->m.got + f->m.offset[i], f->m.want + f->m.offset[i], f->m.bytes[i]) != 0)
            snprintf(why, room, "%s: other bits than the reference's", part_names[i]);
}

/* Counts are the same; a correction is made by at most 32 doublings, each of a few roundings that do not
 * grow, then by a root and a quotient. */
static void check_corrections(const flat *f, char *why, size_t room)
{
    const float *want = (const float *)(f->m.want + f->m.offset[RATES]),
                *got = (const float *)(f->m.got + f->m.offset[RATES]);
    for (uint32_t k = 0; k < f->m.bytes[RATES] / 4 && !*why; k++)
        if (is_correction(k) && !(fabs((double)got[k] - (double)want[k]) <= 0x1p-20 * (double)want[k]))
            snprintf(why, room, "rates, element %u: %.9g, wanted %.9g", (unsigned)k, (double)got[k],
                     (double)want[k]);
    if (!*why && memcmp(f->m.got + f->m.offset[ROW_STEPS], f->m.want + f->m.offset[ROW_STEPS],
                        f->m.bytes[ROW_STEPS]) != 0)
        snprintf(why, room, "row_steps: other counts than the reference's");
}

static strata_status judge_case(strata_judge *j, const flat_case *c)
{
    strata_status status = STRATA_OK;
    flat f = { .c = c };
    char why[200] = "", sizes[32];
    STRATA_GO(make_pieces(&f));
    STRATA_GO(place(&f));
    fill(&f);
    STRATA_GO(guarded_run(&f.m, j, "update", record, &f));
    snprintf(sizes, sizeof sizes, "%u floats", c->blocks * STRATA_RATE_BLOCK);
    strata_doctor_line line = { .op = "update",
                                .options = c->name,
                                .variant = "plain",
                                .tensor = "all",
                                .sizes = sizes,
                                .error = 0,
                                .bound = 1e-30 };
    guarded_check_kept(&f.m, may_write, &f, why, sizeof why);
    /* The norm is a root: half the relative error of its sum. */
    double norm_unit = JUDGE_FACTOR * sqrt((double)c->blocks * STRATA_RATE_BLOCK) * 0x1p-25;
    if (c->row_steps) check_corrections(&f, why, sizeof why);
    if (c->what == NORM)
        check_part(&f, STATE, norm_unit, &line, why, sizeof why);
    else if (c->what == CAST)
        check_same(&f, why, sizeof why);
    else
        for (int i = WEIGHTS; i <= MOMENT2; i++)
            check_part(&f, i, JUDGE_FACTOR * 0x1p-24, &line, why, sizeof why);
    if (has_trust(c)) check_part(&f, TRUST, JUDGE_FACTOR * norm_units(&f) * 0x1p-24, &line, why, sizeof why);
    if (c->measured) check_moved(&f, JUDGE_FACTOR * 0x1p-24, why, sizeof why);
    guarded_check_twice(&f.m, why, sizeof why);
    line.passed = why[0] == '\0';
    line.why = why;
    strata_judge_tell(j, &line);
done:
    guarded_free(&f.m);
    free(f.piece);
    return status;
}

strata_status strata_judge_updates(strata_judge *j)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) STRATA_TRY(judge_case(j, &cases[i]));
    return STRATA_OK;
}

#include "check/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/compare.h"

/* What a node goes through, in this order; `only` and `again` follow for the first. */
static const bench_way ways[] = {
    { .name = "training", .mode = STRATA_TRAIN },
    { .name = "adding gradients", .mode = STRATA_TRAIN, .add = true },
    { .name = "evaluation", .mode = STRATA_EVALUATE_MODE },
    { .name = "frozen statistics", .mode = STRATA_TRAIN, .frozen = true },
};
enum { N_WAYS = sizeof ways / sizeof *ways, ADDING = 1, EVALUATION = 2, FROZEN = 3, MAX_TALLY = 160 };

/* The worst of each variant and tensor over the cases of a row. */
typedef struct tally {
    const char *variant;
    char tensor[40], sizes[96], why[256];
    double error, bound;
    bool failed;
} tally;

typedef struct trial {
    strata_judge *judge;
    const strata_row *row;
    char sizes[96];
    pattern pattern;
    bench reference, judged, twin; /* twin: not open where there is none */
    bench wide; /* a reference with 32 bits, where the row has 16: moves would be rounded off */
    void *start[N_WAYS];
    bench_result want[N_WAYS];
    compare_scale scale[N_WAYS];
    bench_result got, again;
    tally tally[MAX_TALLY];
    uint32_t n_tally;
    bool lost; /* a verdict for which there was no room */
} trial;

/* ---- Telling --------------------------------------------------------------------------------- */

void strata_judge_tell(strata_judge *j, const strata_doctor_line *line)
{
    j->lines++;
    if (!line->passed && j->failures++ == 0)
        snprintf(j->first, sizeof j->first, "%s%s%s, variant %s, %s: %s (%s)", line->op,
                 line->options[0] ? " " : "", line->options, line->variant, line->tensor, line->why,
                 line->sizes);
    if (j->line) j->line(j->context, line);
}

/* Note one verdict: the first failure of a tensor stays, else what came nearest to its bound. */
static void note(trial *t, const char *variant, const char *tensor, const compare_verdict *v)
{
    tally *e = t->tally, *end = t->tally + t->n_tally;
    while (e < end && (e->variant != variant || strcmp(e->tensor, tensor) != 0)) e++;
    if (e == end) {
        t->lost |= t->n_tally == MAX_TALLY;
        if (t->n_tally == MAX_TALLY) return;
        t->n_tally++;
        *e = (tally) { .variant = variant, .bound = 0, .error = -1 };
        snprintf(e->tensor, sizeof e->tensor, "%s", tensor);
    }
    bool failed = v->why[0] != '\0';
    if (e->failed || (!failed && v->error * e->bound < e->error * v->bound)) return;
    e->error = v->error;
    e->bound = v->bound;
    e->failed = failed;
    snprintf(e->sizes, sizeof e->sizes, "%s", t->sizes);
    snprintf(e->why, sizeof e->why, "%s", v->why);
}

static void note_fault(trial *t, const char *variant, const char *promise, const char *way, const char *why)
{
    compare_verdict v = { 0 };
    if (why[0]) snprintf(v.why, sizeof v.why, "%.50s: %.120s", way, why);
    note(t, variant, promise, &v);
}

static void tell_all(trial *t)
{
    char options[160];
    snprintf(options, sizeof options, "%s%s%s%s%s", t->row->options ? t->row->options : "",
             t->row->then ? " then " : "", t->row->then ? t->row->then : "",
             t->judge->half && t->row->options && *t->row->options ? " " : "", t->judge->half ? "fp16" : "");
    for (uint32_t i = 0; i < t->n_tally; i++) {
        const tally *e = &t->tally[i];
        strata_judge_tell(t->judge, &(strata_doctor_line) { .op = t->row->op,
                                                            .options = options,
                                                            .variant = e->variant,
                                                            .tensor = e->tensor,
                                                            .sizes = e->sizes,
                                                            .error = e->error,
                                                            .bound = e->bound,
                                                            .passed = !e->failed,
                                                            .why = e->why });
    }
}

static void tell_row(strata_judge *j, const strata_row *row, const char *tensor, const char *why)
{
    strata_judge_tell(j, &(strata_doctor_line) { .op = row->op,
                                                 .options = row->options ? row->options : "",
                                                 .variant = "-",
                                                 .tensor = tensor,
                                                 .sizes = "",
                                                 .passed = why[0] == '\0',
                                                 .why = why });
}

void strata_judge_launched(void *judge, const strata_recorded *launch)
{
    strata_judge *j = judge;
    for (uint32_t i = 0; i < j->n_launched; i++)
        if (j->launched[i].pass == launch->pass && strcmp(j->launched[i].stem, launch->stem) == 0) return;
    if (j->n_launched == STRATA_JUDGE_MAX_LAUNCHES) return;
    j->launched[j->n_launched].pass = launch->pass;
    snprintf(j->launched[j->n_launched++].stem, sizeof j->launched->stem, "%s", launch->stem);
}

/* ---- One case ---------------------------------------------------------------------------------- */

static bool has_running(const strata_node *n)
{
    for (uint32_t i = 0; i < STRATA_MAX_PARAMS; i++)
        if (n->param[i] && n->param[i]->running) return true;
    return false;
}

static bool skips(const trial *t, uint32_t way)
{
    if (t->reference.evaluates) return way != EVALUATION;
    return way == FROZEN && !has_running(t->reference.node);
}

/* The way that is run again to see the same bits. */
static uint32_t first_way(const trial *t) { return t->reference.evaluates ? EVALUATION : 0; }

static strata_status take_result(bench_result *r, uint64_t bytes)
{
    r->forward = calloc(1, bytes);
    r->backward = calloc(1, bytes);
    if (!r->forward || !r->backward) return strata_fail(STRATA_NO_MEMORY, "no memory for a check");
    return STRATA_OK;
}

static void free_result(bench_result *r)
{
    free(r->forward);
    free(r->backward);
    *r = (bench_result) { 0 };
}

static void free_case(trial *t)
{
    for (uint32_t w = 0; w < N_WAYS; w++) {
        free(t->start[w]);
        t->start[w] = NULL;
        free_result(&t->want[w]);
    }
    free_result(&t->got);
    free_result(&t->again);
    bench_close(&t->twin);
    bench_close(&t->wide);
    bench_close(&t->judged);
    bench_close(&t->reference);
}

/* A way of the row, once the reference's answer to it is there. */
static bench_way way_of(const trial *t, uint32_t w)
{
    bench_way way = ways[w];
    if (t->row->then) way.out = t->want[w].forward;
    return way;
}

/* How far apart another right answer may be. */
static strata_status measure(trial *t, uint32_t w)
{
    strata_status status = STRATA_OK;
    bench_result r = { 0 };
    void *start = NULL;
    bench_way way = way_of(t, w);
    if (!t->wide.node)
        return compare_measure(&t->scale[w], &t->reference, t->row, &way, t->start[w], &t->want[w]);
    start = malloc(t->wide.block.bytes);
    if (!start) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for a check"));
    STRATA_GO(take_result(&r, t->wide.block.bytes));
    bench_fill(&t->wide, start, 1, ways[w].add);
    STRATA_GO(bench_run(&t->wide, &r, &ways[w], start));
    if (way.out) way.out = r.forward;
    STRATA_GO(compare_measure(&t->scale[w], &t->wide, t->row, &way, start, &r));
done:
    free(start);
    free_result(&r);
    return status;
}

/* The reference's answers, and how far apart another right answer may be. */
static strata_status ask_reference(trial *t)
{
    const uint64_t bytes = t->reference.block.bytes;
    for (uint32_t w = 0; w < N_WAYS; w++) {
        if (skips(t, w)) continue;
        t->start[w] = malloc(bytes);
        if (!t->start[w]) return strata_fail(STRATA_NO_MEMORY, "no memory for a check");
        STRATA_TRY(take_result(&t->want[w], bytes));
        bench_fill(&t->reference, t->start[w], 1, ways[w].add);
        STRATA_TRY(bench_run(&t->reference, &t->want[w], &ways[w], t->start[w]));
        note_fault(t, "reference", "touches only its outputs", ways[w].name, t->want[w].why);
        if (w == ADDING) /* what was there is exact, but the sum is rounded once more */
            for (uint32_t i = 0; i < t->reference.n_pieces; i++) t->scale[w].s[i] = t->scale[0].s[i] + 1;
        else
            STRATA_TRY(measure(t, w));
    }
    return STRATA_OK;
}

/* Host code says whether to add, to both devices alike: so that it does is seen on the reference alone. */
static void check_adding(trial *t)
{
    const bench *b = &t->reference;
    for (uint32_t i = 0; i < b->n_pieces && !skips(t, ADDING); i++) {
        const piece *p = &b->piece[i];
        if (!bench_wants(b, i, &ways[ADDING])) continue;
        uint64_t n = bench_count(p), wrong = 0;
        float *v = malloc(3 * n * sizeof *v);
        if (!v) continue;
        bench_values(p, t->start[ADDING], v);
        bench_values(p, t->want[0].backward, v + n);
        bench_values(p, t->want[ADDING].backward, v + 2 * n);
        for (uint64_t k = 0; k < n; k++) {
            double sum = (double)v[k] + (double)v[n + k], scale = fabs((double)v[k]) + fabs((double)v[n + k]);
            if (p->half)
                scale = 0x1p13 * (scale + b->same); /* where x comes in twice, larger parts may cancel */
            wrong += !(fabs((double)v[2 * n + k] - sum) <= 0x1p-22 * scale);
        }
        free(v);
        note_fault(t, "reference", "gradients are added", p->name,
                   wrong ? "is not what was there plus the gradient" : "");
    }
}

/* The longest sum behind a piece. */
static double terms(const trial *t, const piece *p)
{
    if (!t->row->terms) return 1;
    strata_sum what = p->kind == PIECE_IN_GRAD      ? STRATA_SUM_IN
                      : p->kind == PIECE_PARAM_GRAD ? STRATA_SUM_PARAM
                                                    : STRATA_SUM_OUT;
    return (double)t->row->terms(t->reference.node, what);
}

static double looser(const strata_row *row, const char *variant)
{
    if (row->looser == 0.0 || (row->loose_variant && strcmp(row->loose_variant, variant) != 0)) return 1;
    return row->looser;
}

/* Hold what the judged device gave for way `w` against the reference. */
static strata_status compare_way(trial *t, const char *variant, uint32_t w)
{
    const bench *b = &t->reference;
    double loose = looser(t->row, variant);
    for (uint32_t i = 0; i < b->n_pieces; i++) {
        const piece *p = &b->piece[i];
        bool back = bench_wants(b, i, &ways[w]), running = p->kind == PIECE_PARAM && p->param->running;
        if (!back && !running && p->kind != PIECE_OUT) continue;
        const void *want = back ? t->want[w].backward : t->want[w].forward;
        const void *got = back ? t->got.backward : t->got.forward;
        compare_limit limit = { .unit = JUDGE_FACTOR * loose * sqrt(terms(t, p)) * 0x1p-24,
                                .s = t->scale[w].s[i],
                                .nmse = (p->half ? JUDGE_HALF_NMSE : 0) + JUDGE_NMSE * loose * loose };
        compare_verdict v;
        STRATA_TRY(compare_piece(&v, p, want, got, &limit));
        if (!v.why[0] && (p->param && !bench_pads_zero(p, got)))
            snprintf(v.why, sizeof v.why, "the pads of %s are not zero", p->name);
        if (v.why[0]) {
            char why[sizeof v.why];
            snprintf(why, sizeof why, "%s: %.150s", ways[w].name, v.why);
            memcpy(v.why, why, sizeof why);
        }
        note(t, variant, p->name, &v);
    }
    return STRATA_OK;
}

/* Are the logical elements of everything that `way` writes the same bits in both results? `splits`: but for
 * parameter gradients. */
static strata_status same_bits(trial *t, const bench_way *way, bool splits, const char **differs)
{
    const bench *b = &t->judged;
    *differs = "";
    for (uint32_t i = 0; i < b->n_pieces && !**differs; i++) {
        const piece *p = &b->piece[i];
        bool back = bench_wants(b, i, way);
        if (!back && p->kind != PIECE_OUT && p->kind != PIECE_PARAM) continue;
        if (splits && p->kind == PIECE_PARAM_GRAD) continue;
        size_t n = bench_count(p);
        float *v = malloc(2 * n * sizeof *v);
        if (!v) return strata_fail(STRATA_NO_MEMORY, "no memory for a check");
        bench_values(p, back ? t->got.backward : t->got.forward, v);
        bench_values(p, back ? t->again.backward : t->again.forward, v + n);
        if (memcmp(v, v + n, n * sizeof *v) != 0) *differs = p->name;
        free(v);
    }
    return STRATA_OK;
}

/* Training again on a bench, each of the outputs that the op says it may write over an input there, and each
 * gradient over the output's: the same bits, but for what pieces split. */
static strata_status judge_in_place(trial *t, bench *b, const char *variant, bool splits)
{
    const strata_op *op = b->node->op;
    bench_way way = way_of(t, first_way(t));
    const char *differs;
    way.variant = variant;
    for (way.over = 1; way.over <= b->node->n_in; way.over++) {
        if (!((op->in_place | op->grad_in_place) >> (way.over - 1) & 1)) continue;
        STRATA_TRY(bench_run(b, &t->again, &way, t->start[first_way(t)]));
        STRATA_TRY(same_bits(t, &way, splits, &differs));
        note_fault(t, variant, "same bits in place", differs, *differs ? "differs" : t->again.why);
    }
    return STRATA_OK;
}

/* Training again, whole and then for one gradient at a time: the same bits. */
static strata_status judge_again(trial *t, const char *variant)
{
    bench_way way = way_of(t, first_way(t));
    const char *differs;
    uint32_t gradients = 0;
    way.variant = variant;
    STRATA_TRY(bench_run(&t->judged, &t->again, &way, t->start[first_way(t)]));
    STRATA_TRY(same_bits(t, &way, false, &differs));
    note_fault(t, variant, "same bits twice", differs, *differs ? "differs" : "");
    STRATA_TRY(judge_in_place(t, &t->judged, variant, false));
    if (t->twin.node) {
        STRATA_TRY(bench_run(&t->twin, &t->again, &way, t->start[first_way(t)]));
        STRATA_TRY(same_bits(t, &way, t->row->flags & STRATA_ROW_SPLITS, &differs));
        note_fault(t, variant, "same bits in pieces", differs, *differs ? "differs" : "");
        STRATA_TRY(judge_in_place(t, &t->twin, variant, t->row->flags & STRATA_ROW_SPLITS));
    }
    for (uint32_t i = 0; i < t->judged.n_pieces; i++) gradients += bench_wants(&t->judged, i, &way);
    way.only = true;
    for (way.wanted = 0; gradients > 1 && way.wanted < gradients; way.wanted++) {
        STRATA_TRY(bench_run(&t->judged, &t->again, &way, t->start[first_way(t)]));
        STRATA_TRY(same_bits(t, &way, false, &differs));
        note_fault(t, variant, "same bits for one gradient alone", differs,
                   *differs ? "differs" : t->again.why);
    }
    return STRATA_OK;
}

static strata_status judge_variant(trial *t, const char *variant)
{
    for (uint32_t w = N_WAYS; w-- > 0;) { /* plain training last: judge_again compares with it */
        if (skips(t, w)) continue;
        bench_way way = way_of(t, w);
        way.variant = variant;
        STRATA_TRY(bench_run(&t->judged, &t->got, &way, t->start[w]));
        note_fault(t, variant, "touches only its outputs", way.name, t->got.why);
        STRATA_TRY(compare_way(t, variant, w));
    }
    return judge_again(t, variant);
}

static bool admitted(const strata_judge *j, const strata_node *n, uint32_t variant)
{
    if (j->variant && strcmp(j->variant, strata_op_variant_name(n->op, variant)) != 0) return false;
    for (int pass = 0; pass < STRATA_PASSES; pass++)
        if (!n->op->admits || n->op->admits(strata_device_caps(j->device), n, (strata_pass)pass, variant))
            return true;
    return false;
}

static strata_status judge_case(trial *t, bool *skip)
{
    strata_status status = STRATA_OK;
    strata_judge *j = t->judge;
    const strata_op *op = strata_op_find(t->row->op);
    bool no_twin;
    STRATA_GO(pattern_read(&t->pattern, t->row, t->sizes));
    STRATA_GO(bench_open(&t->reference, j->reference, &t->pattern, t->row, skip));
    if (*skip || op->view) goto done;
    if (t->reference.half) {
        strata_row wide = *t->row;
        wide.flags &= ~(unsigned)STRATA_ROW_HALF;
        STRATA_GO(bench_open(&t->wide, j->reference, &t->pattern, &wide, skip));
    }
    STRATA_GO(bench_open(&t->judged, j->device, &t->pattern, t->row, skip));
    if (*skip) goto done;
    t->judged.poison = true;
    if (j->twin && !(t->row->flags & STRATA_ROW_SPLITS_ALL))
        STRATA_GO(bench_open(&t->twin, j->twin, &t->pattern, t->row, &no_twin));
    STRATA_GO(ask_reference(t));
    check_adding(t);
    STRATA_GO(take_result(&t->got, t->judged.block.bytes));
    STRATA_GO(take_result(&t->again, t->judged.block.bytes));
    t->got.launched = t->again.launched = strata_judge_launched;
    t->got.context = t->again.context = j;
    for (uint32_t i = 0; i == 0 || (op->variants && op->variants[i]); i++)
        if (admitted(j, t->judged.node, i)) STRATA_GO(judge_variant(t, strata_op_variant_name(op, i)));
done:
    if (status != STRATA_OK)
        strata_fail(status, "row %s \"%s\", %s: %s", t->row->op, t->row->options ? t->row->options : "",
                    t->sizes, strata_message());
    free_case(t);
    return status;
}

strata_status strata_judge_row(strata_judge *j, const strata_row *row)
{
    strata_status status = STRATA_OK;
    const strata_op *op = strata_op_find(row->op);
    strata_row half = *row;
    uint32_t judged = 0, cases = 0;
    if (!op) return strata_fail(STRATA_BAD_ARG, "a row for '%s', which is no operation", row->op);
    if (row->looser != 0.0 && !row->reason)
        return strata_fail(STRATA_BAD_ARG, "row %s \"%s\": a looser bound without a reason", row->op,
                           row->options);
    if (j->half && (op->loss || op->view)) return STRATA_OK; /* logits always have 32 bits */
    trial *t = calloc(1, sizeof *t);
    if (!t) return strata_fail(STRATA_NO_MEMORY, "no memory for a check");
    half.flags |= STRATA_ROW_HALF;
    t->judge = j;
    t->row = j->half ? &half : row;
    for (; pattern_case(t->sizes, sizeof t->sizes, j, row, cases); cases++) {
        bool skip;
        STRATA_GO(judge_case(t, &skip));
        judged += !skip;
    }
    tell_all(t);
    if (t->lost) tell_row(j, row, "verdicts", "there are more than the judge has room for");
    if (judged == 0 || (j->depth == STRATA_JUDGE_FULL && !j->sizes && judged < 2))
        tell_row(j, row, "sizes", "the op refuses almost every size: the row judges too little");
done:
    free(t);
    return status;
}

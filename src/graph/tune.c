#include "graph/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/settings.h"
#include "graph/trial.h"
#include "launchers.h" /* made by the build */

enum { FEW_IMAGES = 2, ROUNDS_FAST = 3, ROUNDS_FULL = 7 };

/* Twice the bound of the roundest variant (Winograd, 1e-9), as both have errors. */
static const double most_nmse = 2e-9;
/* Times the preferred variant's time at a few images: beyond, it will not win at many. */
static const double FAR_BEHIND = 3;
static const double margin = 0.95; /* of the preferred variant's time: below, it is not noise */

typedef struct tuner {
    strata_device *device;
    const strata_graph *graph;
    const strata_tune_config *config;
    strata_tune_report report;
    strata_text kept; /* lines "key\tchoices\twrong", each of the two "PASS=name,PASS=name" */
    strata_text seen; /* lines "key\t" of this graph */
    bool changed;
} tuner;

/* ---- What is remembered ----------------------------------------------------------------------- */

/* The first line of what is kept: measurements by other host code are forgotten. */
static const char mark[] = "launchers " STRATA_LAUNCHERS "\n";

static void recall(tuner *t)
{
    strata_device_recall(&t->kept, t->device, "tuned");
    if (t->kept.s && strncmp(t->kept.s, mark, strlen(mark)) == 0) return;
    strata_text_free(&t->kept);
    strata_text_append(&t->kept, mark, strlen(mark));
}

/* All that the speed of a node's passes depends on, on one device. Of the options what a model file says, not
 * the struct as it lies there: that has pointers, too. A graph's nodes have not taken in others. */
static void put_key(strata_text *key, const tuner *t, const strata_node *n)
{
    strata_text_format(key, "%s ", n->op->name);
    settings_put_shape(key, n);
    for (uint32_t i = 1; i < n->n_in; i++)
        strata_text_format(key, " and %s", strata_shape_text(n->in[i]->shape).s);
    for (uint32_t i = 0; i < n->n_in; i++) strata_text_format(key, n->in[i]->half ? " half" : "");
    strata_text_format(key, "%s %s%s%s", n->out->half ? " to half" : "", t->config->train ? "train" : "infer",
                       t->config->full ? " full" : "", n->in[0] == t->graph->input ? " first" : "");
}

/* What is behind a key: [*length] characters; NULL: it is not known. */
static const char *find(const strata_text *kept, const char *key, size_t *length)
{
    const size_t n = strlen(key);
    for (const char *line = kept->s; line && *line;) {
        const size_t all = strcspn(line, "\n");
        if (all > n && strncmp(line, key, n) == 0 && line[n] == '\t') {
            *length = all - n - 1;
            return line + n + 1;
        }
        line += all + (line[all] == '\n');
    }
    return NULL;
}

static strata_status no_memory(void) { return strata_fail(STRATA_NO_MEMORY, "no memory for tuning"); }

/* ---- One node ----------------------------------------------------------------------------------- */

/* What was seen of one way to run a node. way 0..: that variant forced; PREFERRED: none. */
enum { MOST_WAYS = 16 };

typedef struct way {
    strata_stream *stream;
    trial_passes passes; /* what was recorded */
    bool right[STRATA_PASSES];
    double seconds[STRATA_PASSES];
} way;

static uint32_t count_variants(const strata_op *op)
{
    uint32_t n = 0;
    while (op->variants && op->variants[n] && n < MOST_WAYS - 1) n++;
    return n;
}

/* Is way `w` one of its own in this pass, not another variant that came where it is not admitted? */
static bool runs(const way *w, const strata_op *op, uint32_t variant, int pass)
{
    return w->stream && w->passes.name[pass] && strcmp(w->passes.name[pass], op->variants[variant]) == 0;
}

static void add_item(strata_text *out, const char *pass, const char *variant)
{
    strata_text_format(out, "%s%s=%s", out->length ? "," : "", pass, variant);
}

/* Compare every way's results with the plain one's, at a few images.
 *   wrong  out: those that differ, and as "=name" those that cannot even be made */
static strata_status verify(const tuner *t, strata_text *wrong, const strata_node *n, way *ways,
                            uint32_t n_ways)
{
    strata_status status = STRATA_OK;
    trial one;
    const uint32_t images = t->config->full ? n->in[0]->shape.n : FEW_IMAGES;
    STRATA_TRY(trial_open(&one, t->device, n, images, t->config->train, n->in[0] != t->graph->input));
    for (uint32_t v = 0; v < n_ways; v++) {
        way *w = &ways[v];
        status = trial_record(&one, &w->stream, &w->passes, n->op->variants[v]);
        if (status == STRATA_BAD_SHADER || status == STRATA_BAD_ARG) {
            if (v == 0) STRATA_GO(status);
            add_item(wrong, "", n->op->variants[v]);
            status = STRATA_OK;
            continue;
        }
        STRATA_GO(status);
        STRATA_GO(trial_run(&one, w->stream));
        STRATA_GO(v == 0 ? trial_keep(&one) : trial_compare(&one, w->right, most_nmse));
        for (int p = 0; p < STRATA_PASSES; p++) {
            w->right[p] = v == 0 || w->right[p];
            if (runs(w, n->op, v, p) && !w->right[p])
                add_item(wrong, strata_pass_name((strata_pass)p), n->op->variants[v]);
        }
        STRATA_GO(trial_time(&one, w->stream, w->seconds, 1));
    }
done:
    for (uint32_t v = 0; v < n_ways; v++) {
        strata_stream_close(ways[v].stream);
        ways[v].stream = NULL;
    }
    trial_close(&one);
    return status;
}

/* The way that the variant `name` is. */
static const way *way_of(const strata_node *n, const way *ways, const char *name)
{
    uint32_t k = 0;
    while (strcmp(name, n->op->variants[k]) != 0) k++;
    return &ways[k];
}

/* Is it worth more than a look at a few images? */
static bool promising(const tuner *t, const strata_node *n, const way *ways, uint32_t v, const way *preferred)
{
    for (int p = 0; p < STRATA_PASSES; p++) {
        const char *name = preferred->passes.name[p];
        if (!name || !ways[v].right[p] || !ways[v].passes.name[p] || strcmp(name, n->op->variants[v]) == 0)
            continue;
        const way *other = way_of(n, ways, name);
        if (t->config->full || !other->right[p] || ways[v].seconds[p] < FAR_BEHIND * other->seconds[p])
            return true;
    }
    return false;
}

/* Time those that were right and the preferred ones, in turn. */
static strata_status measure(const tuner *t, const strata_node *n, way *ways, uint32_t n_ways, way *preferred)
{
    strata_status status = STRATA_OK;
    trial one;
    const int rounds = t->config->full ? ROUNDS_FULL : ROUNDS_FAST;
    STRATA_TRY(
        trial_open(&one, t->device, n, n->in[0]->shape.n, t->config->train, n->in[0] != t->graph->input));
    STRATA_GO(trial_record(&one, &preferred->stream, &preferred->passes, NULL));
    for (uint32_t v = 0; v < n_ways; v++)
        if (promising(t, n, ways, v, preferred))
            STRATA_GO(trial_record(&one, &ways[v].stream, &ways[v].passes, n->op->variants[v]));
    for (int r = 0; r <= rounds; r++) { /* the first warms up */
        STRATA_GO(trial_time(&one, preferred->stream, preferred->seconds, r));
        for (uint32_t v = 0; v < n_ways; v++)
            if (ways[v].stream) STRATA_GO(trial_time(&one, ways[v].stream, ways[v].seconds, r));
    }
done:
    trial_close(&one);
    return status;
}

static void choose(strata_text *out, const strata_node *n, const way *ways, uint32_t n_ways,
                   const way *preferred)
{
    for (int p = 0; p < STRATA_PASSES; p++) {
        const char *name = preferred->passes.name[p];
        if (!name) continue;
        /* The preferred variant is none where it is wrong on this device. */
        const way *best = way_of(n, ways, name)->right[p] ? preferred : NULL;
        double least = best ? margin * best->seconds[p] : INFINITY;
        for (uint32_t v = 0; v < n_ways; v++)
            if (runs(&ways[v], n->op, v, p) && ways[v].right[p] && ways[v].seconds[p] < least) {
                best = &ways[v];
                least = best->seconds[p];
            }
        if (!best) continue;
        for (int k = 0; k < STRATA_PASSES; k++) /* helpers with variants of their own go with their pass */
            if (best->passes.of[k] == p && best->passes.own[k])
                add_item(out, strata_pass_name((strata_pass)k), best->passes.own[k]);
    }
}

/* Append "choices\twrong". */
static strata_status tune_node(const tuner *t, strata_text *out, const strata_node *n)
{
    strata_status status = STRATA_OK;
    strata_text choices = { 0 }, wrong = { 0 };
    const uint32_t n_ways = count_variants(n->op);
    way ways[MOST_WAYS] = { { 0 } }, preferred = { 0 };
    STRATA_GO(verify(t, &wrong, n, ways, n_ways));
    STRATA_GO(measure(t, n, ways, n_ways, &preferred));
    choose(&choices, n, ways, n_ways, &preferred);
    strata_text_format(out, "%s\t%s", choices.length ? choices.s : "", wrong.length ? wrong.s : "");
    if (choices.failed || wrong.failed) STRATA_GO(no_memory());
done:
    strata_text_free(&choices);
    strata_text_free(&wrong);
    for (uint32_t v = 0; v < n_ways; v++) strata_stream_close(ways[v].stream);
    strata_stream_close(preferred.stream);
    return status;
}

/* ---- The graph ------------------------------------------------------------------------------------- */

/* Is there a choice left? */
static bool wanted(const tuner *t, const strata_node *n)
{
    bool open = false;
    if (n->op->view || n->op->loss || count_variants(n->op) < 2) return false;
    for (int p = 0; p < STRATA_PASSES; p++)
        open = open || !strata_op_is_forced(t->config->forced, n, (strata_pass)p);
    if (!open) return false;
    return !(n->op->prefer_exact && strata_op_wants_exact(t->config->forced));
}

/* "PASS=name,.." as "node:PASS=name,..", but for passes that somebody forced. */
static void put_choices(strata_text *out, const tuner *t, const strata_node *n, const char *choices,
                        size_t length)
{
    for (const char *p = choices, *end = choices + length; p < end;) {
        const size_t item = strcspn(p, ",\n"), name = strcspn(p, "=");
        bool taken = false;
        for (int k = 0; k < STRATA_PASSES; k++)
            if (strlen(strata_pass_name((strata_pass)k)) == name &&
                strncmp(strata_pass_name((strata_pass)k), p, name) == 0)
                taken = strata_op_is_forced(t->config->forced, n, (strata_pass)k);
        if (!taken) strata_text_format(out, "%s%s:%.*s", out->length ? "," : "", n->name, (int)item, p);
        p += item + (p[item] == ',');
    }
}

/* "PASS=name,.." as a line each of the report. */
static void put_wrong(tuner *t, const char *key, const char *wrong, size_t length)
{
    for (const char *p = wrong, *end = wrong + length; p < end;) {
        const int item = (int)strcspn(p, ",\n"), pass = (int)strcspn(p, "="), name = item - pass - 1;
        if (pass)
            strata_text_format(&t->report.wrong, "%s: %.*s by %.*s is not what the plain kernel gives\n", key,
                               pass, p, name, p + pass + 1);
        else
            strata_text_format(&t->report.wrong, "%s: %.*s cannot be made\n", key, name, p + 1);
        t->report.rejected++;
        p += item + (p[item] == ',');
    }
}

/* The line behind a key, which is measured where it is not known. */
static strata_status look_up(tuner *t, const char **line, size_t *length, const char *key,
                             const strata_node *n)
{
    *line = find(&t->kept, key, length);
    if (*line) {
        t->report.remembered++;
        return STRATA_OK;
    }
    strata_text_format(&t->kept, "%s\t", key);
    STRATA_TRY(tune_node(t, &t->kept, n));
    strata_text_append(&t->kept, "\n", 1);
    if (t->kept.failed) return no_memory();
    t->changed = true;
    t->report.measured++;
    *line = find(&t->kept, key, length);
    return STRATA_OK;
}

static strata_status tune_one(tuner *t, strata_text *out, const strata_node *n)
{
    strata_status status = STRATA_OK;
    strata_text key = { 0 };
    const char *line;
    size_t length, choices, any;
    put_key(&key, t, n);
    if (key.failed) STRATA_GO(no_memory());
    const bool again = find(&t->seen, key.s, &any) != NULL; /* of an earlier node: told already */
    strata_text_format(&t->seen, "%s\t\n", key.s);
    if (again)
        line = find(&t->kept, key.s, &length);
    else
        STRATA_GO(look_up(t, &line, &length, key.s, n));
    choices = strcspn(line, "\t\n");
    put_choices(out, t, n, line, choices);
    if (!again && choices < length) put_wrong(t, key.s, line + choices + 1, length - choices - 1);
    if (out->failed || t->seen.failed || t->report.wrong.failed) STRATA_GO(no_memory());
done:
    strata_text_free(&key);
    return status;
}

strata_status strata_tune(strata_text *out, strata_tune_report *report, strata_device *d,
                          const strata_graph *g, const strata_tune_config *config)
{
    strata_status status = STRATA_OK;
    tuner t = { .device = d, .graph = g, .config = config };
    if (strata_device_caps(d)->vulkan) {
        recall(&t);
        for (uint32_t i = 0; i < g->n_nodes; i++)
            if (wanted(&t, g->node[i])) STRATA_GO(tune_one(&t, out, g->node[i]));
    }
    if (t.changed) strata_device_remember(d, "tuned", t.kept.s);
done:
    *report = t.report;
    strata_text_free(&t.kept);
    strata_text_free(&t.seen);
    return status;
}

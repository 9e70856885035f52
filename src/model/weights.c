/* Weights of a model, from files and to safetensors under torchvision's names. */
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "model/safetensors.h"
#include "model/weights_file.h"

strata_stored strata_param_stored(const strata_param *p)
{
    strata_stored t = { .name = p->name, .dtype = STRATA_DTYPE_F32, .rank = p->file_rank };
    t.dim[0] = p->co;
    t.dim[1] = p->file_rank == 2 ? (uint64_t)p->ci * p->r * p->s : p->ci;
    t.dim[2] = p->r;
    t.dim[3] = p->s;
    return t;
}

/* Batch norms count their batches beside their running statistics; Strata has no use for the counter. */
static const char counter_suffix[] = "num_batches_tracked";

/* Does `name` belong to the model: a parameter, or a batch norm's counter? */
static bool is_known(const strata_graph *g, const char *name)
{
    if (strata_graph_param(g, name)) return true;
    const char *suffix = strrchr(name, '.');
    if (!suffix || strcmp(suffix + 1, counter_suffix) != 0) return false;
    const size_t length = (size_t)(suffix - name);
    for (uint32_t i = 0; i < g->n_params; i++)
        if (g->param[i]->running && strncmp(g->param[i]->node, name, length) == 0 &&
            g->param[i]->node[length] == '\0')
            return true;
    return false;
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* Is the parameter in the file, and of its shape?  text out: the shape, or both shapes. */
static strata_taken judge(char text[512], const strata_weights_file *f, const strata_param *p)
{
    const strata_stored want = strata_param_stored(p), *got = strata_weights_find(f, p->name);
    snprintf(text, 512, "%s", strata_stored_shape(&want).s);
    if (!got) return STRATA_MISSING;
    if (strata_stored_same_shape(&want, got)) return STRATA_TAKEN;
    snprintf(text, 512, "wanted %s, the file has %s", strata_stored_shape(&want).s,
             strata_stored_shape(got).s);
    return STRATA_WRONG_SHAPE;
}

static strata_status check_all(const strata_graph *g, const strata_weights_file *f)
{
    char text[512];
    for (uint32_t i = 0; i < g->n_params; i++) switch (judge(text, f, g->param[i])) {
        case STRATA_MISSING:
            return strata_fail(STRATA_BAD_SHAPE, "%s: no tensor '%s' %s", f->path, g->param[i]->name, text);
        case STRATA_WRONG_SHAPE:
            return strata_fail(STRATA_BAD_SHAPE, "%s: tensor '%s': %s", f->path, g->param[i]->name, text);
        default: break;
        }
    return STRATA_OK;
}

/* out [co, n, window], from [co, m, window] */
static void resize(float *out, const float *from, const uint64_t m, const strata_param *p)
{
    const uint64_t n = p->ci, window = (uint64_t)p->r * p->s;
    for (uint64_t o = 0; o < p->co; o++)
        for (uint64_t c = 0; c < n; c++)
            for (uint64_t k = 0; k < window; k++) {
                double sum = 0;
                for (uint64_t i = 0; n == 1 && i < m; i++) sum += (double)from[(o * m + i) * window + k];
                if (n > 1) sum = (double)from[(o * m + c % m) * window + k] * (double)m / (double)n;
                out[(o * n + c) * window + k] = (float)sum;
            }
}

/* The values of a parameter that the file has: STRATA_TAKEN as they are, or STRATA_RESIZED. */
static strata_status read_values(float *values, strata_weights_file *f, const strata_param *p,
                                 strata_taken what)
{
    const strata_stored *got = strata_weights_find(f, p->name);
    if (what == STRATA_TAKEN) return strata_weights_read_f32(f, got, values);
    float *from = malloc(strata_stored_count(got) * sizeof *from);
    if (!from) return strata_fail(STRATA_NO_MEMORY, "no memory for %s", p->name);
    const strata_status status = strata_weights_read_f32(f, got, from);
    if (status == STRATA_OK) resize(values, from, got->dim[1], p);
    free(from);
    return status;
}

static strata_status take(strata_plan *plan, strata_weights_file *f, const strata_param *p, strata_taken what)
{
    strata_status status = STRATA_OK;
    float *values = malloc(strata_param_count(p) * sizeof *values);
    if (!values) return strata_fail(STRATA_NO_MEMORY, "no memory for %s", p->name);
    STRATA_GO(read_values(values, f, p, what));
    STRATA_GO(strata_plan_write_param(plan, p, values));
done:
    free(values);
    return status;
}

/* ---- From another task ------------------------------------------------------------------------ */

/* Is it the filters of the first convolution, and the file's are the same but for their channels? */
static bool resizable(const strata_graph *g, const strata_param *p, const strata_stored *got)
{
    const strata_stored want = strata_param_stored(p);
    bool first = false;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        first = first || (g->node[i]->in[0] == g->input && strcmp(g->node[i]->name, p->node) == 0);
    return first && p->groups == 1 && want.rank == 4 && got->rank == 4 && got->dim[1] > 0 &&
           want.dim[0] == got->dim[0] && want.dim[2] == got->dim[2] && want.dim[3] == got->dim[3];
}

static strata_taken judge_shape(char text[512], const strata_graph *g, const strata_weights_file *f,
                                const strata_param *p)
{
    const strata_taken what = judge(text, f, p);
    return what == STRATA_WRONG_SHAPE && resizable(g, p, strata_weights_find(f, p->name)) ? STRATA_RESIZED
                                                                                          : what;
}

/* Does it belong to the last layer, whose outputs are the classes? */
static bool is_head(const strata_graph *g, const strata_param *p)
{
    return strcmp(p->node, g->param[g->n_params - 1]->node) == 0;
}

static strata_taken judge_transfer(char text[512], const strata_model *m, const strata_weights_file *f,
                                   const strata_param *p)
{
    const strata_taken what = judge_shape(text, m->graph, f, p);
    const bool fits = what == STRATA_TAKEN || what == STRATA_RESIZED;
    return fits && m->new_head && is_head(m->graph, p) ? STRATA_NEW_HEAD : what;
}

/* A head alone is nothing to begin with: its bias fits wherever there are as many classes. */
static strata_status check_transfer(const strata_graph *g, const strata_weights_file *f)
{
    char text[512];
    uint32_t n[2] = { 0 }, fits[2] = { 0 }; /* of the body, of the head */
    for (uint32_t i = 0; i < g->n_params; i++) {
        const strata_taken what = judge_shape(text, g, f, g->param[i]);
        const bool head = is_head(g, g->param[i]);
        n[head]++;
        fits[head] += what == STRATA_TAKEN || what == STRATA_RESIZED;
        if (what == STRATA_WRONG_SHAPE && !head)
            return strata_fail(STRATA_BAD_SHAPE, "%s: tensor '%s': %s", f->path, g->param[i]->name, text);
    }
    if (fits[n[0] == 0]) return STRATA_OK;
    return strata_fail(STRATA_BAD_SHAPE,
                       "%s has nothing for this network: its first tensor is '%s', the network's '%s'",
                       f->path, f->n ? f->tensor[0].name : "", g->n_params ? g->param[0]->name : "");
}

/* Weights that Strata wrote say which model they are of, those of a model in a file by the file's name. */
static strata_status say_model(const strata_model *m, const strata_weights_file *f)
{
    const char *name = strata_weights_note(f, "model");
    if (!name || strcmp(name, m->name) == 0) return STRATA_BAD_SHAPE;
    if (strchr(name, '.'))
        return strata_fail(STRATA_BAD_SHAPE, "%s; its weights are of the model in a file %s",
                           strata_message(), name);
    return strata_fail(STRATA_BAD_SHAPE, "%s; its weights are of --model %s, not of %s", strata_message(),
                       name, m->name);
}

strata_status strata_model_transfer_open(strata_weights_file **out, const strata_model *m, const char *path)
{
    STRATA_TRY(strata_weights_open(out, path));
    const strata_status status = check_transfer(m->graph, *out);
    if (status == STRATA_OK) return status;
    if (status == STRATA_BAD_SHAPE) say_model(m, *out);
    strata_weights_close(*out);
    *out = NULL;
    return status;
}

strata_status strata_model_transfer_read(float *values, const strata_model *m, strata_weights_file *f,
                                         const strata_param *p)
{
    char text[512];
    const strata_taken what = judge_transfer(text, m, f, p);
    return what == STRATA_TAKEN || what == STRATA_RESIZED ? read_values(values, f, p, what) : STRATA_OK;
}

/* ---- Into a plan -------------------------------------------------------------------------------- */

/* Every parameter that the file has, `transfer` also those that can be resized; then what else it has. */
static strata_status take_all(const strata_model *m, strata_plan *p, strata_weights_file *f, bool transfer,
                              strata_taken_report *report, void *context)
{
    const strata_graph *g = m->graph;
    char text[512];
    for (uint32_t i = 0; i < g->n_params; i++) {
        const strata_param *param = g->param[i];
        const strata_taken what = transfer ? judge_transfer(text, m, f, param) : judge(text, f, param);
        if (what == STRATA_TAKEN || what == STRATA_RESIZED) STRATA_TRY(take(p, f, param, what));
        if (report) report(context, param->name, what, text);
    }
    for (uint32_t i = 0; report && i < f->n; i++)
        if (!is_known(g, f->tensor[i].name))
            report(context, f->tensor[i].name, STRATA_UNEXPECTED, strata_stored_shape(&f->tensor[i]).s);
    return STRATA_OK;
}

strata_status strata_model_load(const strata_model *m, strata_plan *p, const char *path, bool strict,
                                strata_taken_report *report, void *context)
{
    strata_status status = STRATA_OK;
    strata_weights_file *f = NULL;
    STRATA_GO(strata_weights_open(&f, path));
    if (strict) STRATA_GO(check_all(m->graph, f)); /* before anything is written */
    STRATA_GO(take_all(m, p, f, false, report, context));
done:
    strata_weights_close(f);
    return status;
}

strata_status strata_model_transfer(const strata_model *m, strata_plan *p, const char *path,
                                    strata_taken_report *report, void *context)
{
    strata_status status = STRATA_OK;
    strata_weights_file *f = NULL;
    STRATA_GO(strata_model_transfer_open(&f, m, path));
    STRATA_GO(take_all(m, p, f, true, report, context));
done:
    strata_weights_close(f);
    return status;
}

/* ---- Writing ------------------------------------------------------------------------------- */

typedef struct saving {
    strata_arena names;
    strata_stored *tensor; /* [n], n at most twice the parameters */
    float **values;        /* [n_params] owned */
    uint32_t n;
    int64_t batches;
} saving;

static strata_status add_param(saving *s, strata_plan *plan, const strata_param *p, uint32_t i)
{
    s->values[i] = malloc(strata_param_count(p) * sizeof **s->values);
    if (!s->values[i]) return strata_fail(STRATA_NO_MEMORY, "no memory for %s", p->name);
    STRATA_TRY(strata_plan_read_param(plan, p, s->values[i], false));
    s->tensor[s->n] = strata_param_stored(p);
    s->tensor[s->n++].bytes = s->values[i];
    return STRATA_OK;
}

/* A batch norm has two running parameters; its counter goes with the first of them. */
static strata_status add_counter(saving *s, const strata_graph *g, uint32_t i)
{
    if (i && g->param[i - 1]->running && strcmp(g->param[i - 1]->node, g->param[i]->node) == 0)
        return STRATA_OK;
    const size_t room = strlen(g->param[i]->node) + sizeof counter_suffix + 1;
    char *name = strata_arena_take(&s->names, room);
    if (!name) return strata_fail(STRATA_NO_MEMORY, "no memory for %s", g->param[i]->node);
    snprintf(name, room, "%s.%s", g->param[i]->node, counter_suffix);
    s->tensor[s->n++] = (strata_stored) { .name = name, .dtype = STRATA_DTYPE_I64, .bytes = &s->batches };
    return STRATA_OK;
}

strata_status strata_model_save(const strata_model *m, strata_plan *p, const char *path, uint64_t batches,
                                const strata_note *notes, uint32_t n_notes)
{
    strata_status status = STRATA_OK;
    const strata_graph *g = m->graph;
    saving s = { .batches = (int64_t)batches };
    s.tensor = calloc(2 * (size_t)g->n_params + 1, sizeof *s.tensor);
    s.values = calloc((size_t)g->n_params + 1, sizeof *s.values);
    if (!s.tensor || !s.values) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory to write %s", path));
    for (uint32_t i = 0; i < g->n_params; i++) {
        STRATA_GO(add_param(&s, p, g->param[i], i));
        if (g->param[i]->running) STRATA_GO(add_counter(&s, g, i));
    }
    STRATA_GO(strata_safetensors_write(path, s.tensor, s.n, notes, n_notes));
done:
    for (uint32_t i = 0; s.values && i < g->n_params; i++) free(s.values[i]);
    free(s.values);
    free(s.tensor);
    strata_arena_free(&s.names);
    return status;
}

/* ONNX files: field numbers from onnx.proto (onnx 1.12). Graph and names are made in memory, the weights pass
 * through it one by one. */
#include "model/onnx.h"

#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "model/model.h"
#include "model/onnx_graph.h"

enum { IR_VERSION = 7, OPSET = 13 };
enum {
    MODEL_IR = 1,
    MODEL_PRODUCER = 2,
    MODEL_DOC = 6,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_METADATA = 14
};
enum { GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_TYPE = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 }; /* AttributeProto.AttributeType */
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };

/* ---- The builder ------------------------------------------------------------------------------ */

const char *onnx_name(onnx_builder *b, const char *of, const char *what)
{
    const size_t room = strlen(of) + strlen(what) + 2;
    char *name = strata_arena_take(&b->arena, room);
    if (!name) return b->failed = true, "";
    snprintf(name, room, "%s.%s", of, what);
    return name;
}

const char *onnx_add_constant(onnx_builder *b, const char *of, const char *what, const onnx_constant *like)
{
    if (b->n_constants == b->room) {
        const uint32_t room = b->room ? 2 * b->room : 32;
        onnx_constant *more = strata_arena_take(&b->arena, room * sizeof *more);
        if (!more) return b->failed = true, "";
        if (b->n_constants) memcpy(more, b->constant, b->n_constants * sizeof *more);
        b->constant = more;
        b->room = room;
    }
    onnx_constant *c = &b->constant[b->n_constants++];
    *c = *like;
    c->name = onnx_name(b, of, what);
    c->bytes = strata_arena_text_n(&b->arena, like->bytes, (size_t)like->n_bytes);
    if (!c->bytes) b->failed = true;
    return c->name;
}

void onnx_add_node(onnx_builder *b, const char *type, const char *out, const char *const *in, uint32_t n_in,
                   strata_text *attributes)
{
    strata_text node = { 0 };
    for (uint32_t i = 0; i < n_in; i++) strata_proto_string(&node, NODE_INPUT, in[i]);
    strata_proto_string(&node, NODE_OUTPUT, out);
    strata_proto_string(&node, NODE_NAME, out);
    strata_proto_string(&node, NODE_TYPE, type);
    if (attributes) {
        if (attributes->length) strata_text_append(&node, attributes->s, attributes->length);
        node.failed = node.failed || attributes->failed;
        strata_text_free(attributes);
    }
    strata_proto_text(&b->nodes, ONNX_GRAPH_NODE, &node);
    b->n_nodes++;
}

static void add_attribute(strata_text *t, const char *name, int type, strata_text *value)
{
    strata_text attribute = { 0 };
    strata_proto_string(&attribute, ATTRIBUTE_NAME, name);
    if (value->length) strata_text_append(&attribute, value->s, value->length);
    attribute.failed = attribute.failed || value->failed;
    strata_text_free(value);
    strata_proto_int(&attribute, ATTRIBUTE_TYPE, type);
    strata_proto_text(t, NODE_ATTRIBUTE, &attribute);
}

void onnx_attribute_int(strata_text *t, const char *name, int64_t value)
{
    strata_text field = { 0 };
    strata_proto_int(&field, ATTRIBUTE_I, value);
    add_attribute(t, name, TYPE_INT, &field);
}

void onnx_attribute_ints(strata_text *t, const char *name, const int64_t *values, uint32_t n)
{
    strata_text fields = { 0 };
    for (uint32_t i = 0; i < n; i++) strata_proto_int(&fields, ATTRIBUTE_INTS, values[i]);
    add_attribute(t, name, TYPE_INTS, &fields);
}

void onnx_attribute_float(strata_text *t, const char *name, float value)
{
    strata_text field = { 0 };
    strata_proto_float(&field, ATTRIBUTE_F, value);
    add_attribute(t, name, TYPE_FLOAT, &field);
}

/* ---- Messages ----------------------------------------------------------------------------------- */

/* A ValueInfoProto: a float tensor whose first dimension is open. */
static void put_value(strata_text *t, uint32_t field, const char *name, const uint32_t *dim, uint32_t n)
{
    enum { NAME = 1, TYPE = 2, TENSOR = 1, ELEMENT = 1, SHAPE = 2, DIM = 1, DIM_VALUE = 1, DIM_PARAM = 2 };
    strata_text value = { 0 }, type = { 0 }, tensor = { 0 }, shape = { 0 }, open = { 0 };
    strata_proto_string(&open, DIM_PARAM, "N");
    strata_proto_text(&shape, DIM, &open);
    for (uint32_t i = 0; i < n; i++) {
        strata_text d = { 0 };
        strata_proto_int(&d, DIM_VALUE, dim[i]);
        strata_proto_text(&shape, DIM, &d);
    }
    strata_proto_int(&tensor, ELEMENT, ONNX_FLOAT);
    strata_proto_text(&tensor, SHAPE, &shape);
    strata_proto_text(&type, TENSOR, &tensor);
    strata_proto_string(&value, NAME, name);
    strata_proto_text(&value, TYPE, &type);
    strata_proto_text(t, field, &value);
}

/* A TensorProto, and the field of the graph it is, up to its raw bytes. */
static void put_tensor(strata_text *t, const char *name, uint32_t type, const strata_stored *shape)
{
    strata_text head = { 0 };
    for (uint32_t i = 0; i < shape->rank; i++) strata_proto_int(&head, TENSOR_DIMS, (int64_t)shape->dim[i]);
    strata_proto_int(&head, TENSOR_TYPE, type);
    strata_proto_string(&head, TENSOR_NAME, name);
    strata_proto_begin(&head, TENSOR_RAW, shape->n_bytes);
    strata_proto_begin(t, GRAPH_INITIALIZER, head.length + shape->n_bytes);
    if (head.length) strata_text_append(t, head.s, head.length);
    t->failed = t->failed || head.failed;
    strata_text_free(&head);
}

static void put_property(strata_text *t, const strata_note *note)
{
    strata_text entry = { 0 };
    strata_proto_string(&entry, 1, note->key);
    strata_proto_string(&entry, 2, note->value);
    strata_proto_text(t, MODEL_METADATA, &entry);
}

/* ---- The graph ------------------------------------------------------------------------------------- */

/* (x - mean) / std for each channel, as a batch norm of the statistics mean and std^2: OpenCV 4.6 takes
 * differences with [1,C,1,1] for what they are with one image only. */
static const char *normalise(onnx_builder *b, const strata_onnx_config *c)
{
    enum { MOST = 4 };
    const uint32_t channels = c->graph->input->shape.c;
    float var[MOST], one[MOST] = { 1, 1, 1, 1 }, zero[MOST] = { 0 };
    for (uint32_t i = 0; i < channels && i < MOST; i++) var[i] = c->std[i] * c->std[i];
    const struct {
        const char *name;
        const float *values;
    } part[4] = { { "weight", one }, { "bias", zero }, { "running_mean", c->mean }, { "running_var", var } };
    const char *in[5] = { "input" };
    strata_text a = { 0 };
    for (int i = 0; i < 4; i++) {
        const onnx_constant like = { NULL,          ONNX_FLOAT, 1, { channels }, channels * sizeof(float),
                                     part[i].values };
        in[i + 1] = onnx_add_constant(b, "normalise", part[i].name, &like);
    }
    onnx_attribute_float(&a, "epsilon", 0);
    onnx_add_node(b, "BatchNormalization", "normalise", in, 5, &a);
    return "normalise";
}

static strata_status build(onnx_builder *b, onnx_value *logits, const strata_onnx_config *c)
{
    const strata_graph *g = c->graph;
    b->value = strata_arena_take(&b->arena, g->n_tensors * sizeof *b->value);
    if (!b->value) return strata_fail(STRATA_NO_MEMORY, "no memory to export %s", c->name);
    b->value[0] = (onnx_value) { c->mean ? normalise(b, c) : "input", 4 };
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (!g->node[i]->op->loss) STRATA_TRY(onnx_add(b, g->node[i]));
    uint32_t last = 0;
    while (g->tensor[last] != g->logits) last++;
    *logits = onnx_flat(b, b->value[last], b->value[last].name);
    return STRATA_OK;
}

/* Is a parameter's tensor in the file, of its shape?  *out out: its shape, n_bytes as f32. */
static strata_status find_weight(strata_stored *out, const strata_onnx_config *c, const strata_param *p)
{
    const strata_stored *t = strata_weights_find(c->weights, p->name);
    if (!t) return strata_fail(STRATA_BAD_SHAPE, "%s: no tensor '%s'", c->weights->path, p->name);
    *out = strata_param_stored(p);
    if (!strata_stored_same_shape(out, t))
        return strata_fail(STRATA_BAD_SHAPE, "%s: tensor '%s': wanted %s, the file has %s", c->weights->path,
                           p->name, strata_stored_shape(out).s, strata_stored_shape(t).s);
    out->n_bytes = strata_param_count(p) * sizeof(float);
    return STRATA_OK;
}

static strata_status put_weight(strata_file_writer *w, const strata_onnx_config *c, const strata_param *p)
{
    strata_status status = STRATA_OK;
    const uint64_t n = strata_param_count(p);
    float *values = malloc((size_t)n * sizeof *values);
    if (!values) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory for %s", p->name));
    STRATA_GO(strata_weights_read_f32(c->weights, strata_weights_find(c->weights, p->name), values));
    STRATA_GO(strata_file_writer_put(w, values, (size_t)n * sizeof *values));
done:
    free(values);
    return status;
}

/* Everything in the graph but the raw bytes of its initializers, which follow their heads.
 *   head  out: [n_params + n_constants] each a TensorProto up to its bytes, released by the caller */
static strata_status put_heads(strata_text *head, uint64_t *bytes, const onnx_builder *b,
                               const strata_onnx_config *c)
{
    const strata_graph *g = c->graph;
    for (uint32_t i = 0; i < g->n_params + b->n_constants; i++) {
        strata_stored shape;
        if (i < g->n_params) {
            STRATA_TRY(find_weight(&shape, c, g->param[i]));
            put_tensor(&head[i], shape.name, ONNX_FLOAT, &shape);
        } else {
            const onnx_constant *k = &b->constant[i - g->n_params];
            shape = (strata_stored) { .rank = k->rank, .n_bytes = k->n_bytes };
            memcpy(shape.dim, k->dim, sizeof k->dim);
            put_tensor(&head[i], k->name, k->type, &shape);
        }
        if (head[i].failed) return strata_fail(STRATA_NO_MEMORY, "no memory to export %s", c->name);
        *bytes += head[i].length + shape.n_bytes;
    }
    return STRATA_OK;
}

/* ---- The file ------------------------------------------------------------------------------------------ */

/* What stands before the graph's own fields, the graph's ends, and behind it. */
static void put_model(strata_text *t, const strata_onnx_config *c)
{
    strata_text opset = { 0 };
    strata_proto_int(t, MODEL_IR, IR_VERSION);
    strata_proto_string(t, MODEL_PRODUCER, "strata");
    strata_proto_string(t, MODEL_DOC, c->about);
    strata_proto_int(&opset, 2, OPSET);
    strata_proto_text(t, MODEL_OPSET, &opset);
    for (uint32_t i = 0; i < c->n_notes; i++) put_property(t, &c->note[i]);
}

/* part: what put_model made, and the graph's name, input and output. */
static strata_status write_file(uint64_t *total, const char *path, const onnx_builder *b,
                                const strata_onnx_config *c, const strata_text part[2])
{
    const strata_text *model = &part[0], *ends = &part[1];
    strata_status status = STRATA_OK;
    const uint32_t n_params = c->graph->n_params, n = n_params + b->n_constants;
    strata_file_writer w = { 0 };
    strata_text begin = { 0 };
    uint64_t bytes = ends->length + b->nodes.length;
    strata_text *head = calloc(n + 1, sizeof *head);
    if (!head) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory to export %s", c->name));
    STRATA_GO(put_heads(head, &bytes, b, c));
    if (bytes + model->length > INT32_MAX - 64)
        STRATA_GO(strata_fail(STRATA_BAD_ARG, "%s: %llu bytes; an ONNX file has at most 2 GiB", path,
                              (unsigned long long)bytes));
    strata_proto_begin(&begin, MODEL_GRAPH, bytes);
    if (begin.failed) STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory to export %s", c->name));
    STRATA_GO(strata_file_writer_begin(&w, path));
    STRATA_GO(strata_file_writer_put(&w, model->s, model->length));
    STRATA_GO(strata_file_writer_put(&w, begin.s, begin.length));
    STRATA_GO(strata_file_writer_put(&w, b->nodes.s, b->nodes.length));
    STRATA_GO(strata_file_writer_put(&w, ends->s, ends->length));
    for (uint32_t i = 0; i < n; i++) {
        STRATA_GO(strata_file_writer_put(&w, head[i].s, head[i].length));
        const onnx_constant *k = i < n_params ? NULL : &b->constant[i - n_params];
        STRATA_GO(k ? strata_file_writer_put(&w, k->bytes, (size_t)k->n_bytes)
                    : put_weight(&w, c, c->graph->param[i]));
    }
    *total = w.n_bytes;
    STRATA_GO(strata_file_writer_commit(&w));
done:
    strata_file_writer_abandon(&w);
    for (uint32_t i = 0; head && i < n; i++) strata_text_free(&head[i]);
    free(head);
    strata_text_free(&begin);
    return status;
}

strata_status strata_onnx_write(const char *path, const strata_onnx_config *c, uint64_t *bytes)
{
    strata_status status = STRATA_OK;
    const strata_shape in = c->graph->input->shape, out = c->graph->logits->shape;
    onnx_builder b = { .graph = c->graph };
    strata_text model = { 0 }, ends = { 0 };
    onnx_value logits = { 0 };
    STRATA_GO(build(&b, &logits, c));
    strata_proto_string(&ends, GRAPH_NAME, c->name);
    put_value(&ends, GRAPH_INPUT, "input", (uint32_t[]) { in.c, in.h, in.w }, 3);
    put_value(&ends, GRAPH_OUTPUT, logits.name, (uint32_t[]) { out.h * out.w * out.c }, 1);
    put_model(&model, c);
    if (b.failed || b.nodes.failed || model.failed || ends.failed)
        STRATA_GO(strata_fail(STRATA_NO_MEMORY, "no memory to export %s", c->name));
    STRATA_GO(write_file(bytes, path, &b, c, (const strata_text[]) { model, ends }));
done:
    strata_text_free(&model);
    strata_text_free(&ends);
    strata_text_free(&b.nodes);
    strata_arena_free(&b.arena);
    return status;
}

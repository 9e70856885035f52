/* The machine of model/pickle.h. Instructions: Python's Lib/pickletools.py; what torch saves with them:
 * torch/_utils.py and torch/serialization.py. Every value is made once and kept in the arena; the memory
 * taken is a small multiple of the pickle's length, whatever it says. */
#include "model/pickle.h"

#include <string.h>

enum { MAX_PICKLE = 16 << 20 }; /* bytes: a hundred thousand tensors */

typedef enum function { ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER, STORAGE_TYPE } function;

static const struct {
    const char *module, *name;
    function what;
    strata_dtype dtype; /* of a STORAGE_TYPE */
} globals[] = {
    { "collections", "OrderedDict", ORDERED_DICT, 0 },
    { "torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, 0 },
    { "torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, 0 },
    { "torch", "FloatStorage", STORAGE_TYPE, STRATA_DTYPE_F32 },
    { "torch", "LongStorage", STORAGE_TYPE, STRATA_DTYPE_I64 },
    { "torch", "HalfStorage", STORAGE_TYPE, STRATA_DTYPE_F16 },
    { "torch", "BFloat16Storage", STORAGE_TYPE, STRATA_DTYPE_BF16 },
    { "torch", "DoubleStorage", STORAGE_TYPE, STRATA_DTYPE_F64 },
    { "torch", "IntStorage", STORAGE_TYPE, STRATA_DTYPE_I32 },
    { "torch", "ShortStorage", STORAGE_TYPE, STRATA_DTYPE_I16 },
    { "torch", "CharStorage", STORAGE_TYPE, STRATA_DTYPE_I8 },
    { "torch", "ByteStorage", STORAGE_TYPE, STRATA_DTYPE_U8 },
    { "torch", "BoolStorage", STORAGE_TYPE, STRATA_DTYPE_BOOL },
};

/* Instructions that are not taken, for messages. */
static const struct {
    unsigned char code;
    const char *name;
} refused[] = {
    { '0', "POP" },
    { '1', "POP_MARK" },
    { '2', "DUP" },
    { 'F', "FLOAT" },
    { 'I', "INT" },
    { 'L', "LONG" },
    { 'P', "PERSID" },
    { 'S', "STRING" },
    { 'T', "BINSTRING" },
    { 'U', "SHORT_BINSTRING" },
    { 'V', "UNICODE" },
    { 'd', "DICT" },
    { 'g', "GET" },
    { 'i', "INST" },
    { 'l', "LIST" },
    { 'o', "OBJ" },
    { 'p', "PUT" },
    { 'B', "BINBYTES" },
    { 'C', "SHORT_BINBYTES" },
    { 0x81, "NEWOBJ" },
    { 0x82, "EXT1" },
    { 0x83, "EXT2" },
    { 0x84, "EXT4" },
    { 0x8b, "LONG4" },
    { 0x8c, "SHORT_BINUNICODE" },
    { 0x8d, "BINUNICODE8" },
    { 0x8e, "BINBYTES8" },
    { 0x8f, "EMPTY_SET" },
    { 0x90, "ADDITEMS" },
    { 0x91, "FROZENSET" },
    { 0x92, "NEWOBJ_EX" },
    { 0x93, "STACK_GLOBAL" },
    { 0x94, "MEMOIZE" },
    { 0x95, "FRAME" },
    { 0x96, "BYTEARRAY8" },
    { 0x97, "NEXT_BUFFER" },
    { 0x98, "READONLY_BUFFER" },
};

typedef struct machine {
    strata_arena *arena;
    const unsigned char *at, *begin, *end;
    const char *path;
    strata_pickle **stack, **memo; /* in the arena; replaced when they grow */
    uint32_t n_stack, stack_room, memo_room;
} machine;

/* ---- Values --------------------------------------------------------------------------------- */

/* They never change, so one of each is enough. */
static strata_pickle none = { .kind = STRATA_PICKLE_NONE }, mark = { .kind = STRATA_PICKLE_MARK },
                     empty = { .kind = STRATA_PICKLE_TUPLE },
                     yes = { .kind = STRATA_PICKLE_BOOL, .number = 1 }, no = { .kind = STRATA_PICKLE_BOOL };

static strata_status wrong(const machine *m, const char *what)
{
    return strata_fail(STRATA_FILE, "%s: a damaged pickle: at byte %llu of %llu, %s", m->path,
                       (unsigned long long)(m->at - m->begin), (unsigned long long)(m->end - m->begin), what);
}

static strata_status no_memory(const machine *m)
{
    return strata_fail(STRATA_NO_MEMORY, "%s: no memory for its pickle", m->path);
}

/* Make room for `wanted` pointers in a list of the arena. */
static strata_status grow(const machine *m, strata_pickle ***list, uint32_t *room, uint64_t wanted)
{
    if (wanted <= *room) return STRATA_OK;
    uint64_t more = *room ? 2 * (uint64_t)*room : 8;
    while (more < wanted) more *= 2;
    strata_pickle **grown = strata_arena_take(m->arena, (size_t)more * sizeof **list);
    if (!grown) return no_memory(m);
    if (*room) memcpy(grown, *list, *room * sizeof *grown);
    *list = grown;
    *room = (uint32_t)more;
    return STRATA_OK;
}

static strata_status push(machine *m, strata_pickle *v)
{
    if (!v) return no_memory(m);
    STRATA_TRY(grow(m, &m->stack, &m->stack_room, (uint64_t)m->n_stack + 1));
    m->stack[m->n_stack++] = v;
    return STRATA_OK;
}

static strata_pickle *make(machine *m, strata_pickle_kind kind)
{
    strata_pickle *v = strata_arena_take(m->arena, sizeof *v);
    if (v) v->kind = kind;
    return v;
}

static strata_status push_number(machine *m, int64_t number)
{
    strata_pickle *v = make(m, STRATA_PICKLE_INT);
    if (v) v->number = number;
    return push(m, v);
}

/* The top of the stack, which must be there; a mark is not a value. */
static strata_status top(strata_pickle **out, const machine *m)
{
    *out = &none;
    if (m->n_stack == 0 || m->stack[m->n_stack - 1] == &mark) return wrong(m, "its stack is empty");
    *out = m->stack[m->n_stack - 1];
    return STRATA_OK;
}

static strata_status pop(strata_pickle **out, machine *m)
{
    STRATA_TRY(top(out, m));
    m->n_stack--;
    return STRATA_OK;
}

/* Take everything above the highest mark off the stack, and the mark.
 *   item out: [*n], valid until the next push */
static strata_status pop_to_mark(strata_pickle ***item, uint32_t *n, machine *m)
{
    uint32_t i = m->n_stack;
    while (i > 0 && m->stack[i - 1] != &mark) i--;
    if (i == 0) return wrong(m, "there is no mark on its stack");
    *item = m->stack + i;
    *n = m->n_stack - i;
    m->n_stack = i - 1;
    return STRATA_OK;
}

static strata_status extend(machine *m, strata_pickle *list, strata_pickle *const *item, uint32_t n)
{
    STRATA_TRY(grow(m, &list->item, &list->room, (uint64_t)list->n + n));
    if (n) memcpy(list->item + list->n, item, n * sizeof *item);
    list->n += n;
    return STRATA_OK;
}

/* ---- Bytes ------------------------------------------------------------------------------------- */

/* `size` bytes, little-endian. */
static strata_status take_number(uint64_t *out, machine *m, uint32_t size)
{
    *out = 0;
    if ((size_t)(m->end - m->at) < size) return wrong(m, "it is cut short");
    for (uint32_t i = 0; i < size; i++) *out |= (uint64_t)*m->at++ << 8 * i;
    return STRATA_OK;
}

/* Big-endian, as only this instruction has it. */
static strata_status take_float(machine *m)
{
    uint64_t bits, turned = 0;
    STRATA_TRY(take_number(&bits, m, 8));
    for (int i = 0; i < 8; i++) turned |= (bits >> 8 * i & 255) << (56 - 8 * i);
    strata_pickle *v = make(m, STRATA_PICKLE_FLOAT);
    if (v) memcpy(&v->real, &turned, sizeof v->real);
    return push(m, v);
}

/* A whole number of up to 8 bytes, two's complement. */
static strata_status take_long(machine *m)
{
    uint64_t size, bits;
    STRATA_TRY(take_number(&size, m, 1));
    if (size > 8) return wrong(m, "a number has more than 64 bits");
    STRATA_TRY(take_number(&bits, m, (uint32_t)size));
    if (size && size < 8 && bits >> (8 * size - 1)) bits |= UINT64_MAX << 8 * size;
    return push_number(m, (int64_t)bits);
}

static strata_status take_text(machine *m)
{
    uint64_t length;
    STRATA_TRY(take_number(&length, m, 4));
    if ((uint64_t)(m->end - m->at) < length) return wrong(m, "a text is cut short");
    strata_pickle *v = make(m, STRATA_PICKLE_TEXT);
    if (v) {
        v->text = strata_arena_text_n(m->arena, (const char *)m->at, (size_t)length);
        v->n = (uint32_t)length;
        if (!v->text) return no_memory(m);
    }
    m->at += length;
    return push(m, v);
}

/* ---- Globals and calls ----------------------------------------------------------------------------- */

/* A line of text, without its end; no more than `room` - 1 characters of it. */
static strata_status take_line(char *out, size_t room, machine *m)
{
    const unsigned char *stop = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!stop) return wrong(m, "it is cut short");
    size_t length = (size_t)(stop - m->at), kept = 0;
    for (size_t i = 0; i < length && kept + 1 < room; i++) /* it goes into messages */
        out[kept++] = m->at[i] > 32 && m->at[i] < 127 ? (char)m->at[i] : '?';
    out[kept] = '\0';
    m->at = stop + 1;
    return STRATA_OK;
}

static strata_status take_global(machine *m)
{
    char module[128], name[128];
    STRATA_TRY(take_line(module, sizeof module, m));
    STRATA_TRY(take_line(name, sizeof name, m));
    for (uint32_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        if (strcmp(globals[i].module, module) != 0 || strcmp(globals[i].name, name) != 0) continue;
        strata_pickle *v = make(m, STRATA_PICKLE_GLOBAL);
        if (v) v->n = i;
        return push(m, v);
    }
    return strata_fail(STRATA_FILE,
                       "%s: it needs %s.%s, which is refused: only tensors, numbers, texts and containers "
                       "are read; save model.state_dict() instead",
                       m->path, module, name);
}

/* The whole numbers of a tuple. */
static bool take_sizes(uint64_t out[STRATA_STORED_RANK], const strata_pickle *tuple)
{
    if (tuple->kind != STRATA_PICKLE_TUPLE || tuple->n > STRATA_STORED_RANK) return false;
    for (uint32_t i = 0; i < tuple->n; i++) {
        if (tuple->item[i]->kind != STRATA_PICKLE_INT || tuple->item[i]->number < 0) return false;
        out[i] = (uint64_t)tuple->item[i]->number;
    }
    return true;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, ...) */
static strata_status rebuild_tensor(strata_pickle **out, machine *m, const strata_pickle *args)
{
    strata_pickle **a = args->item;
    strata_pickle_tensor *t = strata_arena_take(m->arena, sizeof *t);
    *out = make(m, STRATA_PICKLE_TENSOR);
    if (!t || !*out) return no_memory(m);
    if (args->n < 6 || a[0]->kind != STRATA_PICKLE_STORAGE || a[1]->kind != STRATA_PICKLE_INT ||
        a[1]->number < 0)
        return wrong(m, "a tensor wants a storage and an offset");
    if (!take_sizes(t->dim, a[2]) || !take_sizes(t->stride, a[3]) || a[2]->n != a[3]->n)
        return wrong(m, "a tensor wants a size and a stride of equal length, at most 8 whole numbers");
    t->storage = a[0]->storage;
    t->offset = (uint64_t)a[1]->number;
    t->rank = a[2]->n;
    (*out)->tensor = t;
    return STRATA_OK;
}

/* Make what a function returns; nothing is called. */
static strata_status reduce(machine *m)
{
    strata_pickle *args, *callee, *result = NULL;
    STRATA_TRY(pop(&args, m));
    STRATA_TRY(pop(&callee, m));
    if (callee->kind != STRATA_PICKLE_GLOBAL || args->kind != STRATA_PICKLE_TUPLE)
        return wrong(m, "it calls what is no function");
    switch (globals[callee->n].what) {
    case ORDERED_DICT:
        if (args->n) return wrong(m, "an OrderedDict is filled afterwards");
        return push(m, make(m, STRATA_PICKLE_DICT));
    case REBUILD_TENSOR: STRATA_TRY(rebuild_tensor(&result, m, args)); return push(m, result);
    case REBUILD_PARAMETER:
        if (args->n < 1 || args->item[0]->kind != STRATA_PICKLE_TENSOR)
            return wrong(m, "a parameter wants a tensor");
        return push(m, args->item[0]);
    case STORAGE_TYPE: break;
    }
    return wrong(m, "it calls a storage type");
}

/* ('storage', type, key, location, elements): where the bytes are, without them. */
static strata_status persistent(machine *m)
{
    strata_pickle *id, *v = make(m, STRATA_PICKLE_STORAGE);
    strata_pickle_storage *s = strata_arena_take(m->arena, sizeof *s);
    STRATA_TRY(pop(&id, m));
    if (!v || !s) return no_memory(m);
    strata_pickle **a = id->item;
    if (id->kind != STRATA_PICKLE_TUPLE || id->n != 5 || a[0]->kind != STRATA_PICKLE_TEXT ||
        strcmp(a[0]->text, "storage") != 0 || a[1]->kind != STRATA_PICKLE_GLOBAL ||
        globals[a[1]->n].what != STORAGE_TYPE || a[2]->kind != STRATA_PICKLE_TEXT ||
        strlen(a[2]->text) != a[2]->n || a[4]->kind != STRATA_PICKLE_INT || a[4]->number < 0)
        return wrong(m, "what it keeps elsewhere is not a storage");
    *s = (strata_pickle_storage) { a[2]->text, globals[a[1]->n].dtype, (uint64_t)a[4]->number };
    v->storage = s;
    return push(m, v);
}

/* ---- Containers -------------------------------------------------------------------------------------- */

static strata_status tuple_of(machine *m, strata_pickle *const *item, uint32_t n)
{
    strata_pickle *v = make(m, STRATA_PICKLE_TUPLE);
    if (!v) return no_memory(m);
    STRATA_TRY(extend(m, v, item, n)); /* before the push below writes over them */
    return push(m, v);
}

static strata_status top_tuple(machine *m, uint32_t n)
{
    strata_pickle *item[3];
    for (uint32_t i = n; i > 0; i--) STRATA_TRY(pop(&item[i - 1], m));
    return tuple_of(m, item, n);
}

/* APPENDS or SETITEMS: everything above the mark goes into the container under it. */
static strata_status fill(machine *m, strata_pickle_kind kind)
{
    strata_pickle **item, *container;
    uint32_t n;
    STRATA_TRY(pop_to_mark(&item, &n, m));
    STRATA_TRY(top(&container, m));
    if (container->kind != kind || (kind == STRATA_PICKLE_DICT && n % 2))
        return wrong(m, "it fills a container of another kind");
    return extend(m, container, item, n);
}

static strata_status fill_one(machine *m, strata_pickle_kind kind)
{
    strata_pickle *item[2], *container;
    const uint32_t n = kind == STRATA_PICKLE_DICT ? 2 : 1;
    for (uint32_t i = n; i > 0; i--) STRATA_TRY(pop(&item[i - 1], m));
    STRATA_TRY(top(&container, m));
    if (container->kind != kind) return wrong(m, "it fills a container of another kind");
    return extend(m, container, item, n);
}

/* Attributes of a dictionary (a state dict has its versions there) are left out. */
static strata_status build(machine *m)
{
    strata_pickle *state, *object;
    STRATA_TRY(pop(&state, m));
    STRATA_TRY(top(&object, m));
    if (object->kind != STRATA_PICKLE_DICT || state->kind != STRATA_PICKLE_DICT)
        return wrong(m, "it sets the attributes of what is no dictionary");
    return STRATA_OK;
}

static strata_status put(machine *m, uint32_t size)
{
    uint64_t i;
    strata_pickle *v;
    STRATA_TRY(take_number(&i, m, size));
    STRATA_TRY(top(&v, m));
    if (i >= (uint64_t)(m->end - m->begin)) return wrong(m, "it numbers more values than it has bytes");
    STRATA_TRY(grow(m, &m->memo, &m->memo_room, i + 1));
    m->memo[i] = v;
    return STRATA_OK;
}

static strata_status get(machine *m, uint32_t size)
{
    uint64_t i;
    STRATA_TRY(take_number(&i, m, size));
    if (i >= m->memo_room || !m->memo[i]) return wrong(m, "it wants a value that it has not numbered");
    return push(m, m->memo[i]);
}

/* ---- The machine ------------------------------------------------------------------------------------- */

static strata_status refuse(const machine *m, unsigned char code)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].code == code)
            return strata_fail(STRATA_FILE,
                               "%s: its pickle uses the instruction %s, which is refused: save "
                               "model.state_dict() with torch.save as it is by default",
                               m->path, refused[i].name);
    return wrong(m, "an unknown instruction");
}

static strata_status small_number(machine *m, uint32_t size)
{
    uint64_t bits;
    STRATA_TRY(take_number(&bits, m, size));
    return push_number(m, size == 4 ? (int32_t)(uint32_t)bits : (int64_t)bits);
}

static strata_status step(machine *m, unsigned char code)
{
    switch (code) {
    case '(': return push(m, &mark);
    case ')': return push(m, &empty);
    case 'N': return push(m, &none);
    case 0x88: return push(m, &yes);
    case 0x89: return push(m, &no);
    case 'J': return small_number(m, 4);
    case 'K': return small_number(m, 1);
    case 'M': return small_number(m, 2);
    case 'G': return take_float(m);
    case 0x8a: return take_long(m);
    case 'X': return take_text(m);
    case ']': return push(m, make(m, STRATA_PICKLE_LIST));
    case '}': return push(m, make(m, STRATA_PICKLE_DICT));
    case 'a': return fill_one(m, STRATA_PICKLE_LIST);
    case 'e': return fill(m, STRATA_PICKLE_LIST);
    case 's': return fill_one(m, STRATA_PICKLE_DICT);
    case 'u': return fill(m, STRATA_PICKLE_DICT);
    case 0x85: return top_tuple(m, 1);
    case 0x86: return top_tuple(m, 2);
    case 0x87: return top_tuple(m, 3);
    case 't': {
        strata_pickle **item;
        uint32_t n;
        STRATA_TRY(pop_to_mark(&item, &n, m));
        return tuple_of(m, item, n);
    }
    case 'c': return take_global(m);
    case 'R': return reduce(m);
    case 'Q': return persistent(m);
    case 'b': return build(m);
    case 'q': return put(m, 1);
    case 'r': return put(m, 4);
    case 'h': return get(m, 1);
    case 'j': return get(m, 4);
    default: return refuse(m, code);
    }
}

strata_status strata_pickle_read(const strata_pickle **out, strata_arena *arena, const void *bytes, size_t n,
                                 const char *path)
{
    machine m = { .arena = arena, .at = bytes, .begin = bytes, .path = path };
    strata_pickle *result;
    *out = NULL;
    m.end = m.begin + n;
    if (n > MAX_PICKLE)
        return strata_fail(STRATA_FILE, "%s: a pickle of %zu bytes, at most %d are read", path, n,
                           MAX_PICKLE);
    if (n < 2 || m.at[0] != 0x80) return wrong(&m, "it does not begin with a protocol");
    if (m.at[1] != 2)
        return strata_fail(STRATA_FILE, "%s: pickle protocol %d; 2 is read, which is torch.save's default",
                           path, m.at[1]);
    m.at += 2;
    while (m.at < m.end) {
        const unsigned char code = *m.at++;
        if (code != '.') {
            STRATA_TRY(step(&m, code));
            continue;
        }
        STRATA_TRY(pop(&result, &m));
        *out = result;
        return STRATA_OK;
    }
    return wrong(&m, "it is cut short");
}

const strata_pickle *strata_pickle_get(const strata_pickle *dict, const char *key)
{
    if (dict->kind != STRATA_PICKLE_DICT) return NULL;
    for (uint32_t i = dict->n; i >= 2; i -= 2) {
        const strata_pickle *k = dict->item[i - 2];
        if (k->kind == STRATA_PICKLE_TEXT && k->n == strlen(key) && memcmp(k->text, key, k->n) == 0)
            return dict->item[i - 1];
    }
    return NULL;
}

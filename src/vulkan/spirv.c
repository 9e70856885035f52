/* A reader of the few SPIR-V instructions that carry names, bindings and offsets. */
#include "vulkan/spirv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OP_NAME = 5,
    OP_MEMBER_NAME = 6,
    OP_EXECUTION_MODE = 16,
    OP_TYPE_INT = 21,
    OP_TYPE_FLOAT = 22,
    OP_TYPE_VECTOR = 23,
    OP_TYPE_IMAGE = 25,
    OP_TYPE_SAMPLED_IMAGE = 27,
    OP_TYPE_ARRAY = 28,
    OP_TYPE_RUNTIME_ARRAY = 29,
    OP_TYPE_STRUCT = 30,
    OP_TYPE_POINTER = 32,
    OP_CONSTANT = 43,
    OP_VARIABLE = 59,
    OP_DECORATE = 71,
    OP_MEMBER_DECORATE = 72
};
enum { UNIFORM_CONSTANT = 0, WORKGROUP = 4, PUSH_CONSTANT = 9, STORAGE_BUFFER = 12 }; /* storage classes */
enum { LOCAL_SIZE = 17 };                                                             /* execution mode */
enum { NON_WRITABLE = 24, BINDING = 33, DESCRIPTOR_SET = 34, OFFSET = 35 };           /* decorations */
enum { HEADER_WORDS = 5, MAX_MEMBERS = STRATA_MAX_PUSH / 4 };

typedef struct id {
    const uint32_t *words; /* the defining type or variable */
    const char *name;
    const char *member_name[MAX_MEMBERS];
    uint32_t member_offset[MAX_MEMBERS];
    uint32_t binding, set;
    int has_binding, non_writable;
} id;

static uint32_t opcode(const uint32_t *in) { return in ? in[0] & 0xffffu : 0; }

static void note(id *ids, const uint32_t *in)
{
    switch (opcode(in)) {
    case OP_NAME: ids[in[1]].name = (const char *)(in + 2); break;
    case OP_MEMBER_NAME:
        if (in[2] < MAX_MEMBERS) ids[in[1]].member_name[in[2]] = (const char *)(in + 3);
        break;
    case OP_DECORATE:
        if (in[2] == BINDING) ids[in[1]].binding = in[3], ids[in[1]].has_binding = 1;
        if (in[2] == DESCRIPTOR_SET) ids[in[1]].set = in[3];
        break;
    case OP_MEMBER_DECORATE:
        if (in[2] < MAX_MEMBERS && in[3] == OFFSET) ids[in[1]].member_offset[in[2]] = in[4];
        if (in[3] == NON_WRITABLE) ids[in[1]].non_writable = 1;
        break;
    case OP_TYPE_INT:
    case OP_TYPE_FLOAT:
    case OP_TYPE_VECTOR:
    case OP_TYPE_ARRAY:
    case OP_TYPE_RUNTIME_ARRAY:
    case OP_TYPE_IMAGE:
    case OP_TYPE_SAMPLED_IMAGE:
    case OP_TYPE_STRUCT:
    case OP_TYPE_POINTER: ids[in[1]].words = in; break;
    case OP_CONSTANT:
    case OP_VARIABLE: ids[in[2]].words = in; break;
    default: break;
    }
}

static const char *c_type(const uint32_t *type)
{
    if (opcode(type) == OP_TYPE_FLOAT && type[2] == 32) return "float";
    if (opcode(type) == OP_TYPE_INT && type[2] == 32) return type[3] ? "int32_t" : "uint32_t";
    return NULL;
}

static strata_status add_binding(spirv_block *out, const id *variable, const id *type, spirv_kind kind,
                                 const char *what)
{
    const char *name = kind == SPIRV_STORAGE ? type->member_name[0] : variable->name;
    if (!name || !*name)
        return strata_fail(STRATA_BAD_SHADER, "%s: binding %u has no name", what, variable->binding);
    if (!variable->has_binding || variable->set != 0 || variable->binding >= STRATA_MAX_BINDINGS)
        return strata_fail(STRATA_BAD_SHADER,
                           "%s: %s wants layout(binding = 0..%d) in set 0, got set %u binding %u", what, name,
                           STRATA_MAX_BINDINGS - 1, variable->set, variable->binding);
    spirv_binding *b = &out->binding[variable->binding];
    if (b->declared && strcmp(b->name, name) != 0) /* twice under one name is fine: two views of one buffer */
        return strata_fail(STRATA_BAD_SHADER, "%s: binding %u is both %s and %s", what, variable->binding,
                           b->name, name);
    snprintf(b->name, sizeof b->name, "%s", name);
    b->kind = kind;
    b->declared = 1;
    b->writes |= kind == SPIRV_STORAGE && !type->non_writable;
    if (variable->binding >= out->n_bindings) out->n_bindings = variable->binding + 1;
    return STRATA_OK;
}

/* Bytes of a type in shared memory, where drivers pack without padding. */
static uint64_t type_bytes(const id *ids, const uint32_t *type)
{
    uint64_t sum = 0;
    switch (opcode(type)) {
    case OP_TYPE_INT:
    case OP_TYPE_FLOAT: return type[2] / 8;
    case OP_TYPE_VECTOR: return type[3] * type_bytes(ids, ids[type[2]].words);
    case OP_TYPE_ARRAY: /* the length is a constant's id */
        return opcode(ids[type[3]].words) == OP_CONSTANT
                   ? ids[type[3]].words[3] * type_bytes(ids, ids[type[2]].words)
                   : 0;
    case OP_TYPE_STRUCT:
        for (uint32_t m = 2; m < type[0] >> 16; m++) sum += type_bytes(ids, ids[type[m]].words);
        return sum;
    default: return 4; /* a boolean */
    }
}

/* The digits of the table that member m of the push constants is, or 0. */
static uint32_t digits_of(const id *ids, const id *type, uint32_t m)
{
    const uint32_t *array = ids[type->words[2 + m]].words;
    if (opcode(array) != OP_TYPE_ARRAY || opcode(ids[array[2]].words) != OP_TYPE_INT) return 0;
    const uint32_t n = (uint32_t)type_bytes(ids, array) / 4;
    const bool last = type->member_offset[m] == STRATA_MAX_PUSH - 4 * n;
    return last && (n == 2 || n == 4 || n == SPIRV_MOST_DIGITS) && type->member_name[m] &&
                   strcmp(type->member_name[m], "digit") == 0
               ? n
               : 0;
}

/* The name of the binding whose address member m of the push constants is, or NULL. */
static const char *address_of(const id *ids, const id *type, uint32_t m)
{
    static const char prefix[] = "address_";
    const uint32_t *member = ids[type->words[2 + m]].words;
    const char *name = type->member_name[m];
    const bool pair = opcode(member) == OP_TYPE_VECTOR && member[3] == 2 &&
                      opcode(ids[member[2]].words) == OP_TYPE_INT;
    return pair && name && strncmp(name, prefix, sizeof prefix - 1) == 0 ? name + sizeof prefix - 1 : NULL;
}

/* Addresses end the push constants, without a gap. */
static uint32_t count_addresses(const id *ids, const id *type, uint32_t n)
{
    uint32_t found = 0;
    while (n > 0 && n <= MAX_MEMBERS && address_of(ids, type, n - 1) &&
           type->member_offset[n - 1] == STRATA_MAX_PUSH - 8 * (found + 1))
        found++, n--;
    return found;
}

static strata_status add_addresses(spirv_block *out, const id *ids, const id *type, const char *what)
{
    const uint32_t n = (type->words[0] >> 16) - 2;
    for (uint32_t m = n - out->addresses; m < n; m++) {
        const char *name = address_of(ids, type, m);
        uint32_t b = 0;
        while (b < out->n_bindings && strcmp(out->binding[b].name, name) != 0) b++;
        if (b == out->n_bindings || out->binding[b].kind != SPIRV_STORAGE)
            return strata_fail(STRATA_BAD_SHADER, "%s: address_%s wants a buffer of that name, got none",
                               what, name);
        out->binding[b].address_at = type->member_offset[m];
    }
    return STRATA_OK;
}

static strata_status add_members(spirv_block *out, const id *ids, const id *type, const char *what)
{
    uint32_t n = (type->words[0] >> 16) - 2;
    if (n > 0 && n <= MAX_MEMBERS) out->digits = digits_of(ids, type, n - 1);
    if (out->digits) n--;
    out->addresses = count_addresses(ids, type, n);
    n -= out->addresses;
    if (n + out->digits + 2 * out->addresses > MAX_MEMBERS)
        return strata_fail(STRATA_BAD_SHADER,
                           "%s: push constants want at most %d words, got %u, %u digits and %u addresses",
                           what, MAX_MEMBERS, n, out->digits, out->addresses);
    for (uint32_t m = 0; m < n; m++) {
        if (m >= MAX_MEMBERS || type->member_offset[m] != 4 * m || !c_type(ids[type->words[2 + m]].words))
            return strata_fail(
                STRATA_BAD_SHADER,
                "%s: push constants want at most %d packed 32-bit scalars, member %u (%s) is not", what,
                MAX_MEMBERS, m, m < MAX_MEMBERS && type->member_name[m] ? type->member_name[m] : "?");
        spirv_member *out_m = &out->member[m];
        snprintf(out_m->name, sizeof out_m->name, "%s", type->member_name[m] ? type->member_name[m] : "");
        out_m->type = c_type(ids[type->words[2 + m]].words);
        out_m->offset = type->member_offset[m];
    }
    out->n_members = n;
    return STRATA_OK;
}

/* Of a buffer's block: is its first member an array of integers, or of vectors of them? */
static int holds_integers(const id *ids, const uint32_t *type)
{
    if (opcode(type) == OP_TYPE_STRUCT) type = ids[type[2]].words;
    while (opcode(type) == OP_TYPE_RUNTIME_ARRAY || opcode(type) == OP_TYPE_VECTOR) type = ids[type[2]].words;
    return opcode(type) == OP_TYPE_INT;
}

static strata_status add_variable(spirv_block *out, const id *ids, const id *variable, const char *what)
{
    const uint32_t *pointer = ids[variable->words[1]].words;
    if (opcode(pointer) != OP_TYPE_POINTER) return STRATA_OK;
    const id *type = &ids[pointer[3]];
    switch (variable->words[3]) {
    case STORAGE_BUFFER:
        STRATA_TRY(add_binding(out, variable, type, SPIRV_STORAGE, what));
        out->binding[variable->binding].integers = holds_integers(ids, type->words);
        return STRATA_OK;
    case UNIFORM_CONSTANT: return add_binding(out, variable, type, SPIRV_TEXEL, what);
    case PUSH_CONSTANT: return add_members(out, ids, type, what);
    case WORKGROUP: out->shared_bytes += (uint32_t)type_bytes(ids, type->words); return STRATA_OK;
    default: return STRATA_OK; /* inputs and private memory */
    }
}

strata_status spirv_reflect(spirv_block *out, const uint32_t *words, size_t n_words, const char *what)
{
    strata_status status = STRATA_OK;
    *out = (spirv_block) { 0 };
    if (n_words < HEADER_WORDS || words[0] != 0x07230203u)
        return strata_fail(STRATA_BAD_SHADER, "%s: not SPIR-V", what);
    id *ids = calloc(words[3], sizeof *ids);
    if (!ids) return strata_fail(STRATA_NO_MEMORY, "%s: %u SPIR-V ids", what, words[3]);

    for (size_t i = HEADER_WORDS; i < n_words; i += words[i] >> 16) {
        if (words[i] >> 16 == 0) STRATA_GO(strata_fail(STRATA_BAD_SHADER, "%s: broken SPIR-V", what));
        if (opcode(words + i) == OP_EXECUTION_MODE && words[i + 2] == LOCAL_SIZE)
            memcpy(out->local_size, words + i + 3, sizeof out->local_size);
        note(ids, words + i);
    }
    for (uint32_t i = 0; i < words[3]; i++)
        if (opcode(ids[i].words) == OP_VARIABLE) STRATA_GO(add_variable(out, ids, &ids[i], what));
    for (uint32_t i = 0; i < words[3]; i++) /* when all bindings have their names */
        if (opcode(ids[i].words) == OP_VARIABLE && ids[i].words[3] == PUSH_CONSTANT)
            STRATA_GO(add_addresses(out, ids, &ids[ids[ids[i].words[1]].words[3]], what));
    for (uint32_t b = 0; b < out->n_bindings; b++)
        if (!out->binding[b].declared)
            STRATA_GO(strata_fail(STRATA_BAD_SHADER, "%s: binding %u is skipped", what, b));
done:
    free(ids);
    return status;
}

void spirv_signature(strata_text *out, const spirv_block *block)
{
    for (uint32_t b = 0; b < block->n_bindings; b++)
        strata_text_format(out, "%u:%s ", b, block->binding[b].name);
    strata_text_format(out, "|");
    for (uint32_t m = 0; m < block->n_members; m++)
        strata_text_format(out, " %s:%c@%u", block->member[m].name, block->member[m].type[0],
                           block->member[m].offset);
}
